"""An offline family renders a sound file into a sink of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from engine.output.recording.video_file import VideoFileSink
from tests.training.clips import write_wav
from training.families.offline import render_offline

RATE_HZ, HOP = 16000, 800


@dataclass(frozen=True)
class Loudness:
    """Grey frames as bright as the loudest sample of their hop."""

    name: str = "loudness"
    sample_rate_hz: int = RATE_HZ
    fps: int = 20
    width: int = 32
    height: int = 16
    left_out: int = 0

    def render(self, sound_S: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        hops_NT = sound_S[: len(sound_S) // HOP * HOP].reshape(-1, HOP)
        levels_N = np.abs(hops_NT).max(axis=1)
        for level in levels_N[: len(levels_N) - self.left_out]:
            yield np.full((16, 32, 3), round(float(level) * 255), np.uint8)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """One second in which each of 20 hops is louder than the one before."""
    sound_S = np.repeat(np.linspace(0.05, 0.9, 20), HOP) * np.sin(np.arange(20 * HOP) * 2 * np.pi / 40)
    return write_wav(tmp_path / "sound.wav", sound_S.astype(np.float32))


def test_every_hop_becomes_a_frame_of_a_real_video_file(sound: Path, tmp_path: Path) -> None:
    file = tmp_path / "loudness.mp4"
    assert render_offline(Loudness(), sound, VideoFileSink(file)) == 20
    with av.open(str(file)) as container:
        grey_N = [float(frame.to_ndarray(format="rgb24").mean()) for frame in container.decode(video=0)]
    np.testing.assert_allclose(grey_N, np.linspace(0.05, 0.9, 20) * 255, atol=4)
    with av.open(str(file)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples >= RATE_HZ


def test_frames_that_do_not_fit_are_refused(sound: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"'loudness' rendered frame 0 as uint8 \[16, 32, 3\]; uint8 \[16, 64, 3\]"):
        render_offline(Loudness(width=64), sound, VideoFileSink(tmp_path / "wide.mp4"))
    with pytest.raises(TrainingError, match=r"rendered 18 frames of .*; 20 were expected"):
        render_offline(Loudness(left_out=2), sound, VideoFileSink(tmp_path / "short.mp4"))
    with pytest.raises(TrainingError, match="30 frames a second of sound at 16000 Hz"):
        render_offline(Loudness(fps=30), sound, VideoFileSink(tmp_path / "uneven.mp4"))
    with pytest.raises(TrainingError, match="rendered more than 10 frames"):
        render_offline(Loudness(fps=10), sound, VideoFileSink(tmp_path / "long.mp4"))


class Failing(Loudness):
    """Cannot make its first frame."""

    def render(self, sound_S: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        raise TrainingError("No weights.")
        yield


def test_a_rendering_without_a_frame_leaves_no_film(sound: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="No weights"):
        render_offline(Failing(), sound, VideoFileSink(tmp_path / "none.mp4"))
    assert not (tmp_path / "none.mp4").exists()
