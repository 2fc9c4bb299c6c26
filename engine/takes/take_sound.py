"""The sound of a take: every sample as it came, bit-exact, in one file that ordinary players open.

CAF with float32 PCM: no length limit, no index that grows, nothing converted. After a kill every flushed sample is
there. Matroska loses its last cluster then and keeps an index in memory; the headers of WAV and W64 must be repaired.
"""

# PyAV's stubs leave codec contexts and frames half typed.
# pyright: basic

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from engine.core.errors import ConfigError
from engine.core.small_files import check_file

# T samples, C channels

_LAYOUTS = {1: "mono", 2: "stereo"}
# FFmpeg buffers 256 KiB unless it is asked to flush.
_CONTAINER_OPTIONS = {"flush_packets": "1"}


class SoundFile:
    """Writes one file. Raises FFmpegError or OSError where that fails."""

    def __init__(self, path: Path, rate_hz: int, channels: int) -> None:
        # PyAV opens the file late; an error must come now.
        path.open("xb").close()
        self._rate_hz = rate_hz
        self._layout = _LAYOUTS.get(channels, f"{channels}C")
        self._container = av.open(str(path), "w", format="caf", container_options=_CONTAINER_OPTIONS)
        self._stream: Any = self._container.add_stream("pcm_f32le", rate=rate_hz, layout=self._layout)
        self._container.start_encoding()
        self._written_samples = 0

    def write(self, sound_TC: NDArray[np.float32]) -> None:
        """Write the next samples [T, C]; they are in the file when this returns."""
        if not len(sound_TC):
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound_TC).reshape(1, -1), "flt", self._layout)
        frame.sample_rate = self._rate_hz
        frame.pts, frame.time_base = self._written_samples, Fraction(1, self._rate_hz)
        self._container.mux(self._stream.encode(frame))
        self._written_samples += len(sound_TC)

    def close(self) -> None:
        """Write the length into the header and close the file; a file without that can be read too."""
        self._container.close()


def read_sound(path: Path, rate_hz: int, channels: int) -> Generator[NDArray[np.float32]]:
    """Yield all samples of a file in blocks [T, C]. Raises ConfigError when it is missing, damaged or has another rate."""
    try:
        check_file(path)
    except FileNotFoundError as error:
        raise ConfigError(
            f"The take has no sound: {path} is missing; copy the whole folder of the take again."
        ) from error
    except OSError as error:
        raise ConfigError(
            f"The take has no sound: {path} cannot be read ({error.strerror}); copy the whole folder of the take again."
        ) from error
    try:
        # Other formats can name other files and addresses, and so can a path that looks like one.
        with av.open(str(path.absolute()), format="caf", metadata_errors="replace") as container:
            stream: Any = container.streams.audio[0]
            if (stream.rate, stream.codec_context.channels, stream.codec_context.name) != (
                rate_hz,
                channels,
                "pcm_f32le",
            ):
                raise ConfigError(
                    f"{path} is not the sound of this take: {stream.codec_context.name} with {stream.codec_context.channels} "
                    f"channels at {stream.rate} Hz, where the log says pcm_f32le with {channels} at {rate_hz} Hz; copy the "
                    "whole folder of the take again."
                )
            for frame in container.decode(stream):
                yield frame.to_ndarray().reshape(-1, channels)
    except (FFmpegError, IndexError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path} is damaged ({reason}); copy the whole folder of the take again.") from error
