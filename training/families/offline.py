"""Offline families: models that render many frames at once and carry no state from call to call. They write into sinks."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from engine.output.frame import Frame, ShowFormat
from engine.output.recording.video_file import VideoFileSink
from engine.output.sink import Sink
from training.data.clip_sound import read_sound

# S samples of sound, T samples of one hop, H W C rows, columns and channels of pixels


class OfflineFamily(Protocol):
    """One model of an offline family, ready to render."""

    @property
    def name(self) -> str:
        """Name of the model, for titles and messages."""
        ...

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the sound that `render` takes; a multiple of `fps`."""
        ...

    @property
    def fps(self) -> int:
        """Frames a second."""
        ...

    @property
    def width(self) -> int:
        """Width of a frame in pixels."""
        ...

    @property
    def height(self) -> int:
        """Height of a frame in pixels."""
        ...

    def render(self, sound_S: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        """Yield the RGB frames [H, W, 3] of the whole sound in order: one for each full hop of sample_rate_hz / fps samples."""
        ...


def render_offline(family: OfflineFamily, sound_file: Path, sink: Sink) -> int:
    """Render a sound file into a sink, as `render_sound`. Raises TrainingError also for a sound that cannot be read."""
    return render_sound(family, read_sound(sound_file, family.sample_rate_hz), sink)


def render_file(family: OfflineFamily, sound_S: NDArray[np.float32], film: Path, way_out: str) -> int:
    """Render sound into a film, as `render_sound`; `way_out` ends the sentence about a place that cannot be written."""
    return render_sound(family, sound_S, VideoFileSink(film, way_out))


def render_sound(family: OfflineFamily, sound_S: NDArray[np.float32], sink: Sink) -> int:
    """Render sound at the family's rate into a sink, which is opened and closed here; return the number of frames.

    Frames come without effects. Raises TrainingError for frames that do not fit the family's own description, SinkError as
    the sink.
    """
    hop_samples, rest = divmod(family.sample_rate_hz, family.fps)
    if rest or not hop_samples:
        raise TrainingError(
            f"'{family.name}' makes {family.fps} frames a second of sound at {family.sample_rate_hz} Hz; a divisor of the "
            "rate was expected."
        )
    show = ShowFormat(
        title=family.name,
        width=family.width,
        height=family.height,
        fps=family.fps,
        sound_rate_hz=family.sample_rate_hz,
        sound_channels=1,
        live=False,
    )
    expected = len(sound_S) // hop_samples
    count = 0
    with contextlib.closing(sink):
        frames = iter(family.render(sound_S))
        # Before anything is written: a rendering that fails on its way to the first frame leaves no film.
        first = list(itertools.islice(frames, 1))
        sink.open(show)
        for index, pixels_HWC in enumerate(itertools.chain(first, frames)):
            _check(family, pixels_HWC, index, expected)
            frame = _frame(pixels_HWC, index, sound_S, hop_samples, family.sample_rate_hz)
            if sink.wants(frame.values):
                sink.show(frame)
            count = index + 1
    if count < expected:
        raise TrainingError(
            f"'{family.name}' rendered {count} frames of this sound; {expected} were expected, one for each hop of sound."
        )
    return count


def _check(family: OfflineFamily, pixels_HWC: NDArray[np.uint8], index: int, expected: int) -> None:
    shape = (family.height, family.width, 3)
    if pixels_HWC.shape != shape or pixels_HWC.dtype != np.uint8:
        raise TrainingError(
            f"'{family.name}' rendered frame {index} as {pixels_HWC.dtype} {list(pixels_HWC.shape)}; uint8 {list(shape)} "
            "was expected."
        )
    if index >= expected:
        raise TrainingError(
            f"'{family.name}' rendered more than {expected} frames; one for each hop of sound was expected."
        )


def _frame(
    pixels_HWC: NDArray[np.uint8], index: int, sound_S: NDArray[np.float32], hop_samples: int, sample_rate_hz: int
) -> Frame:
    first = index * hop_samples
    return Frame(
        index=index,
        pixels_HWC=pixels_HWC,
        features_F=np.zeros(0, np.float32),
        sound_TC=sound_S[first : first + hop_samples, None],
        first_sample=first,
        time_s=(first + hop_samples) / sample_rate_hz,
        captured_s=None,
    )
