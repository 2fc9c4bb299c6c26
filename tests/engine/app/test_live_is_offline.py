"""Live and offline are one path: however a device cuts its sound, the frames are the same, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.sources.microphone import Microphone
from engine.audio.sources.samples import SampleSource
from engine.core.clock import WallClock
from engine.output.frame import Frame
from tests.engine.app.shows import DEVICE_BLOCKS, InventedClock, show_sound, varied_sound

SECONDS = 0.6


class CutLive:
    """A live source that brings one block of `block_samples` at each read, at its own pace."""

    live, name, channels, dropped_samples = True, "cut", 2, 0

    def __init__(self, sound_TC: NDArray[np.float32], rate_hz: int, block_samples: int, clock: InventedClock) -> None:
        self.rate_hz = rate_hz
        self._sound_TC, self._block_samples, self._clock, self._position = sound_TC, block_samples, clock, 0

    def start(self) -> None: ...

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        block_TC = self._sound_TC[self._position : self._position + self._block_samples]
        self._position += len(block_TC)
        self._clock.sleep(len(block_TC) / self.rate_hz)
        return (block_TC, self._clock.now_s()) if len(block_TC) else None

    def wait(self, timeout_s: float) -> None: ...

    def notices(self) -> list[str]:
        return []

    def close(self) -> None: ...


def assert_same(ours: list[Frame], theirs: list[Frame]) -> None:
    by_index = {frame.index: frame for frame in theirs}
    assert ours
    for frame in ours:
        other = by_index[frame.index]
        assert np.array_equal(frame.pixels_HWC, other.pixels_HWC)
        assert np.array_equal(frame.features_F, other.features_F)
        assert np.array_equal(frame.sound_TC, other.sound_TC)


@pytest.mark.parametrize("rate_hz", [48000, 44100, 16000])
@pytest.mark.parametrize("block_samples", DEVICE_BLOCKS)
def test_device_blocks_do_not_change_a_frame(probe_file: Path, rate_hz: int, block_samples: int) -> None:
    sound_TC = varied_sound(SECONDS, rate_hz)
    # 4096 samples at 16 kHz bring five hops at once, of which a live show plays the newest only.
    if block_samples / rate_hz > 0.05:
        offline = SampleSource("song", sound_TC, rate_hz, block_samples=block_samples)
        cut = show_sound(probe_file, offline, clock=WallClock())
    else:
        clock = InventedClock()
        cut = show_sound(probe_file, CutLive(sound_TC, rate_hz, block_samples, clock), clock=clock)
    whole = show_sound(
        probe_file, SampleSource("song", sound_TC, rate_hz, block_samples=len(sound_TC)), clock=WallClock()
    )
    assert len(cut) == 12 or block_samples / rate_hz <= 0.05
    assert_same(cut, whole[: len(cut)])


@pytest.mark.parametrize("block_samples", DEVICE_BLOCKS)
def test_the_microphones_own_path_gives_the_offline_frames(
    probe_file: Path, block_samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real callback, ring and watchdog, with blocks pushed in by hand at invented times."""
    from engine.audio.sources.portaudio import SoundDevice

    device = SoundDevice(index=0, name="pushed", channels=2, rate_hz=48000, is_default=True)
    monkeypatch.setattr("engine.audio.sources.microphone.find_input", lambda name: device)
    monkeypatch.setattr("engine.audio.sources.microphone.choose_rate_hz", lambda found: found.rate_hz)
    clock, sound_TC = InventedClock(), varied_sound(SECONDS, 48000)

    class Pushed(Microphone):
        position = 0

        def start(self) -> None: ...

        def read(self) -> tuple[NDArray[np.float32], float | None] | None:
            block_TC = sound_TC[self.position : self.position + block_samples]
            if not len(block_TC):
                return None
            self.position += len(block_TC)
            clock.sleep(len(block_TC) / 48000)
            times = type("Times", (), {"currentTime": 5.0, "inputBufferAdcTime": 5.0 - len(block_TC) / 48000})
            self._take(block_TC, len(block_TC), times, None)
            return super().read()

    cut = {frame.index: frame for frame in show_sound(probe_file, Pushed(None, clock), clock=clock)}
    whole = show_sound(probe_file, SampleSource("song", sound_TC, 48000), clock=WallClock())
    played_in_row = [index for index in range(len(whole)) if set(range(index + 1)) <= set(cut)]
    assert len(played_in_row) >= (12 if block_samples <= 441 else 1)
    assert_same([cut[index] for index in played_in_row], whole)
