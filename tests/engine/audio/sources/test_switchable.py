"""A source that is exchanged while it plays: no click, no sample too few or too many, the format of the show."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.audio.sources.switchable import LONGEST_GAP_S, SwitchableSource, remixed
from engine.core.errors import SourceError
from engine.media.channels import mix_down
from tests.engine.app.shows import InventedClock

RATE_HZ = 48000


class Waves(PacedSource):
    """A tone of its own loudness that plays for ever, and remembers whether it was closed."""

    def __init__(
        self, name: str, clock: InventedClock, rate_hz: int = RATE_HZ, channels: int = 2, hz: float = 200.0
    ) -> None:
        time_T1 = np.arange(rate_hz)[:, None] / rate_hz
        sound_TC = (0.5 * np.sin(2 * np.pi * hz * time_T1)).astype(np.float32).repeat(channels, axis=1)
        super().__init__(SampleSource(name, sound_TC, rate_hz, repeat=True), clock)
        self.closed = threading.Event()

    def close(self) -> None:
        super().close()
        self.closed.set()


class Stage:
    """A show's side of a switchable source: reads every 10 ms of an invented clock."""

    def __init__(self, first: Waves, clock: InventedClock) -> None:
        self.clock = clock
        self.source = SwitchableSource(first)
        self.source.start()
        self.began_s = clock.now_s()
        self.blocks: list[NDArray[np.float32]] = []
        self.lines: list[str] = []

    def play(self, seconds: float) -> None:
        for _ in range(round(100 * seconds)):
            self.clock.sleep(0.01)
            block = self.source.read()
            assert block is not None
            self.blocks.append(block[0])
            self.lines += self.source.notices()

    def switch_to(self, source: PacedSource) -> None:
        source.start()
        self.source.switch_to(source)

    @property
    def sound_TC(self) -> NDArray[np.float32]:
        return np.concatenate(self.blocks)

    @property
    def missing_samples(self) -> float:
        """How many samples fewer than the clock says."""
        return (self.clock.now_s() - self.began_s) * RATE_HZ - len(self.sound_TC)


@pytest.fixture
def clock() -> InventedClock:
    return InventedClock()


def steepest(sound_TC: NDArray[np.float32]) -> float:
    return float(np.abs(np.diff(sound_TC, axis=0)).max())


def test_another_source_takes_over_without_a_click_and_keeps_the_count(clock: InventedClock) -> None:
    first, second = Waves("first", clock), Waves("second", clock, hz=300.0)
    stage = Stage(first, clock)
    stage.play(0.203)
    stage.switch_to(second)
    stage.play(0.3)
    assert stage.source.name == "second"
    assert stage.lines == ["The sound comes from second now."]
    assert first.closed.wait(10.0)
    assert abs(stage.missing_samples) <= RATE_HZ * 0.005
    # The steepest place of the louder of the two tones, and a little for the fades.
    assert steepest(stage.sound_TC) < 1.2 * 0.5 * 2 * np.pi * 300 / RATE_HZ
    assert np.abs(stage.sound_TC[-4800:]).max() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("rate_hz", "channels"), [(44100, 1), (96000, 6), (16000, 2)])
def test_every_format_becomes_that_of_the_show(clock: InventedClock, rate_hz: int, channels: int) -> None:
    stage = Stage(Waves("first", clock), clock)
    stage.play(0.2)
    stage.switch_to(Waves("second", clock, rate_hz, channels))
    stage.play(1.0)
    assert stage.sound_TC.shape[1] == 2
    assert abs(stage.missing_samples) < 0.01 * RATE_HZ
    strength = np.abs(np.fft.rfft(stage.sound_TC[-RATE_HZ // 2 :, 0]))
    assert 2 * np.argmax(strength) == 200
    assert np.sort(strength)[-2] < 0.05 * strength.max()


def test_a_source_that_gives_nothing_is_left_without_a_click(clock: InventedClock) -> None:
    first = Waves("first", clock)
    stage = Stage(first, clock)
    stage.play(0.1)
    # Its last sample is far from silence, and no other comes.
    clock.sleep(0.00125)
    stage.blocks.append(stage.source.read()[0])
    first.read = lambda: (np.zeros((0, 2), np.float32), None)
    stage.play(0.05)
    before = len(stage.sound_TC)
    assert abs(stage.sound_TC[-1, 0]) > 0.3
    stage.switch_to(Waves("second", clock))
    stage.play(0.1)
    assert steepest(stage.sound_TC[before - 2 :]) < 0.03
    assert abs(stage.missing_samples) <= RATE_HZ * 0.005


def test_a_source_that_has_failed_can_be_left(clock: InventedClock) -> None:
    first = Waves("first", clock)
    stage = Stage(first, clock)
    stage.play(0.1)

    def fail() -> None:
        raise SourceError("first is gone.")

    first.read = fail
    stage.switch_to(Waves("second", clock))
    stage.play(0.1)
    assert stage.source.name == "second"


def test_no_more_silence_than_half_a_second_stands_for_a_pause(clock: InventedClock) -> None:
    stage = Stage(Waves("first", clock), clock)
    stage.play(0.1)
    second = Waves("second", clock)
    clock.sleep(3.0)
    stage.source.switch_to(second)
    second.start()
    stage.play(0.1)
    assert len(stage.sound_TC) < RATE_HZ * (0.1 + LONGEST_GAP_S + 1.2)


def test_of_two_that_were_asked_for_the_last_one_plays_and_all_others_are_closed(clock: InventedClock) -> None:
    first, second, third, fourth = (Waves(name, clock) for name in ("first", "second", "third", "fourth"))
    stage = Stage(first, clock)
    stage.play(0.1)
    stage.switch_to(second)
    stage.switch_to(third)
    stage.play(0.1)
    assert stage.source.name == "third"
    stage.source.close()
    stage.switch_to(fourth)
    assert all(source.closed.wait(10.0) for source in (first, second, third, fourth))


def test_the_model_hears_a_mix_in_many_channels_as_loud_as_before() -> None:
    sound_TC = np.random.default_rng(1).uniform(-0.5, 0.5, (100, 2)).astype(np.float32)
    assert np.allclose(mix_down(remixed(sound_TC, 8)), mix_down(sound_TC), atol=1e-6)
    assert np.array_equal(remixed(sound_TC, 1)[:, 0], mix_down(sound_TC))
    assert remixed(sound_TC, 2) is sound_TC
