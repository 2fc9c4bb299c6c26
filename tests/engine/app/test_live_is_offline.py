"""Live and offline are one path: whatever blocks a device delivers, its frames are bit-exact with those of an offline render."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.source import Source
from engine.audio.sources.microphone import Microphone
from engine.audio.sources.samples import SampleSource
from engine.core.clock import WallClock
from engine.core.show_event import ShowEvent
from engine.output.frame import Frame
from engine.render.pacing import Pick
from tests.engine.app.shows import DEVICE_BLOCKS, InventedClock, StandingControls, show_sound, varied_sound
from tests.engine.audio.sources.devices import GivenDevice
from tests.engine.model.probe_model import CARD

SECONDS = 0.6
ALL_HOPS = tuple(range(12))
# Blocks of 4096 samples are longer than a hop of 50 ms: 85, 93 and 256 ms. A live show steps the newest hop that is complete when
# a block has arrived and skips those before it; the end of the sound completes the last hop.
HOPS_OF_4096 = {48000: (0, 2, 4, 5, 7, 9, 10, 11), 44100: (0, 2, 4, 6, 8, 10, 11), 16000: (4, 9, 11)}


def stepped_hops(rate_hz: int, block_samples: int) -> tuple[int, ...]:
    """Return the hops that a live show must step; up to a block per hop these are all."""
    return HOPS_OF_4096[rate_hz] if block_samples == 4096 else ALL_HOPS


class BlockSource:
    """A live source that delivers `block_samples` at each read, in the time that they last."""

    live, stalled, name, channels, dropped_samples = True, False, "blocks", 2, 0
    block_s = buffer_s = 0.0

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


class GivenHops:
    """Lets an offline render step exactly these hops."""

    fails_now = False

    def __init__(self, hops: Sequence[int]) -> None:
        self._hops = hops

    def pick(self, received_samples: int, hop_samples: int, last_index: int, live: bool) -> Pick | None:
        following = [hop for hop in self._hops if hop > last_index]
        is_complete = bool(following) and (following[0] + 1) * hop_samples <= received_samples
        return Pick(following[0], following[0] - last_index - 1) if is_complete else None

    def show_events(self, index: int) -> tuple[ShowEvent, ...]:
        return ()

    def early_sample(self, received_samples: int, last_index: int) -> int | None:
        return None


def render(probe_file: Path, sound_TC: NDArray[np.float32], rate_hz: int, hops: Sequence[int]) -> list[Frame]:
    """Render the hops of a sound that is read as one block."""
    source = SampleSource("song", sound_TC, rate_hz, block_samples=len(sound_TC))
    return show_sound(probe_file, source, clock=WallClock(), replay=GivenHops(hops))


def check_live_frames(
    probe_file: Path, source: Source, clock: InventedClock, sound_TC: NDArray[np.float32], hops: Sequence[int]
) -> None:
    """Play `source` live and compare every frame with the render of the same hops."""
    live = show_sound(probe_file, source, clock=clock)
    offline = render(probe_file, sound_TC, source.rate_hz, hops)
    assert [frame.index for frame in live] == [frame.index for frame in offline] == list(hops)
    for ours, theirs in zip(live, offline, strict=True):
        assert ours.skipped_hops == theirs.skipped_hops
        assert np.array_equal(ours.pixels_HWC, theirs.pixels_HWC)
        assert np.array_equal(ours.features_F, theirs.features_F)
        assert np.array_equal(ours.sound_TC, theirs.sound_TC)
        assert ours.audio_features == theirs.audio_features


def test_the_probe_tells_one_hop_from_another(probe_file: Path) -> None:
    """Otherwise equal frames would prove nothing."""
    frames = render(probe_file, varied_sound(SECONDS, 48000), 48000, ALL_HOPS)
    assert len({frame.pixels_HWC.tobytes() for frame in frames}) == len(frames) == round(SECONDS / CARD.hop_s)


@pytest.mark.parametrize("rate_hz", [48000, 44100, 16000])
def test_a_plain_render_steps_every_hop(probe_file: Path, rate_hz: int) -> None:
    sound_TC = varied_sound(SECONDS, rate_hz)
    plain = show_sound(probe_file, SampleSource("song", sound_TC, rate_hz), clock=WallClock())
    given = render(probe_file, sound_TC, rate_hz, ALL_HOPS)
    assert [frame.index for frame in plain] == list(ALL_HOPS)
    assert all(np.array_equal(a.pixels_HWC, b.pixels_HWC) for a, b in zip(plain, given, strict=True))


@pytest.mark.parametrize("rate_hz", [48000, 44100, 16000])
@pytest.mark.parametrize("block_samples", DEVICE_BLOCKS)
def test_live_frames_of_every_block_size_are_those_of_the_render(
    probe_file: Path, rate_hz: int, block_samples: int
) -> None:
    sound_TC, clock = varied_sound(SECONDS, rate_hz), InventedClock()
    source = BlockSource(sound_TC, rate_hz, block_samples, clock)
    check_live_frames(probe_file, source, clock, sound_TC, stepped_hops(rate_hz, block_samples))


@pytest.mark.parametrize("block_samples", DEVICE_BLOCKS)
def test_a_trim_that_moves_with_the_sound_is_that_of_the_render(probe_file: Path, block_samples: int) -> None:
    sound_TC, clock = varied_sound(SECONDS, 48000), InventedClock()
    source, hops = BlockSource(sound_TC, 48000, block_samples, clock), stepped_hops(48000, block_samples)
    mappings = {"low_gain_db": "-18 * level", "high_gain_db": "12 * onset"}
    given = {"low_gain_db": 0.0, "high_gain_db": 0.0}
    live = show_sound(probe_file, source, clock=clock, mappings=mappings, controls=StandingControls(**given))
    whole = SampleSource("song", sound_TC, 48000, block_samples=len(sound_TC))
    offline = show_sound(
        probe_file,
        whole,
        clock=WallClock(),
        replay=GivenHops(hops),
        mappings=mappings,
        controls=StandingControls(**given),
    )
    assert [frame.index for frame in live] == [frame.index for frame in offline] == list(hops)
    for ours, theirs in zip(live, offline, strict=True):
        assert np.array_equal(ours.pixels_HWC, theirs.pixels_HWC)
        assert ours.audio_features == theirs.audio_features
        assert ours.values == theirs.values
    untrimmed = render(probe_file, sound_TC, 48000, hops)
    assert [frame.audio_features for frame in live] != [frame.audio_features for frame in untrimmed]


@pytest.mark.parametrize("block_samples", DEVICE_BLOCKS)
def test_the_microphones_own_path_gives_the_frames_of_the_render(probe_file: Path, block_samples: int) -> None:
    """The real callback, ring and watchdog, with blocks given to the callback at invented times."""
    clock, device, sound_TC = InventedClock(), GivenDevice(), varied_sound(SECONDS, 48000)

    class GivenBlocks(Microphone):
        position = 0

        def read(self) -> tuple[NDArray[np.float32], float | None] | None:
            block_TC = sound_TC[self.position : self.position + block_samples]
            if not len(block_TC):
                return None
            self.position += len(block_TC)
            clock.sleep(len(block_TC) / 48000)
            device.streams[0].bring(block_TC)
            return super().read()

    hops = stepped_hops(48000, block_samples)
    check_live_frames(probe_file, GivenBlocks(device, None, clock), clock, sound_TC, hops)
