"""The microphone with an invented driver: blocks that grow, and a device that returns with another format."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.sources import microphone as module
from engine.audio.sources import portaudio
from engine.audio.sources.block_size import BLOCK_SIZES, OVERFLOWS, SETTLE_S, WITHIN_S, BlockSize
from engine.audio.sources.conversion import Conversion
from engine.audio.sources.microphone import LOST_AFTER_S, Microphone
from engine.audio.sources.sleep_watch import LEAST_SLEEP_S
from engine.core.clock import Clock, WallClock, asleep_s
from engine.core.errors import SourceError
from tests.engine.app.shows import varied_sound
from tests.engine.audio.sources.devices import GivenDevice, closes_at_once
from tests.fixtures_display import wait_until


def test_blocks_grow_when_sound_is_lost_again_and_again() -> None:
    blocks, now_s = BlockSize(0.0), SETTLE_S
    assert blocks.samples == BLOCK_SIZES[0]
    for size in BLOCK_SIZES[1:]:
        assert [blocks.note_overflow(now_s + 0.1 * count) for count in range(OVERFLOWS)] == [False] * (
            OVERFLOWS - 1
        ) + [True]
        assert blocks.samples == size
        now_s += 10.0
        blocks.note_opened(now_s)
        now_s += SETTLE_S
    assert not any(blocks.note_overflow(now_s + 0.1 * count) for count in range(20))


def test_rare_overflows_and_those_at_the_start_leave_blocks_small() -> None:
    blocks = BlockSize(0.0)
    assert not any(blocks.note_overflow(0.9 * SETTLE_S) for _ in range(20))
    assert not any(blocks.note_overflow(10.0 + count * WITHIN_S) for count in range(20))
    assert blocks.samples == BLOCK_SIZES[0]


@pytest.mark.parametrize(("rate_hz", "channels"), [(44100, 2), (48000, 1), (32000, 1)])
def test_another_rate_and_fewer_channels_are_converted(rate_hz: int, channels: int) -> None:
    conversion = Conversion(rate_hz, channels, 48000, [0, channels - 1])
    tone_T = np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz).astype(np.float32)
    blocks = np.array_split(np.stack([tone_T * (1 - 0.5 * c) for c in range(channels)], 1), 300)
    came_TC = np.concatenate([conversion.convert(block) for block in blocks])
    assert came_TC.shape[1] == 2
    assert len(came_TC) == pytest.approx(48000, abs=200)
    spectrum = np.abs(np.fft.rfft(came_TC[:, 0]))
    assert np.argmax(spectrum) * 48000 / len(came_TC) == pytest.approx(440, abs=3)
    assert np.abs(came_TC[:, 1]).max() == pytest.approx(0.5 if channels == 2 else 1.0, rel=0.02)


def test_an_unchanged_format_is_not_converted() -> None:
    sound_TC = varied_sound(0.01, 48000)
    assert Conversion(48000, 2, 48000, [0, 1]).convert(sound_TC) is sound_TC


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> GivenDevice:
    monkeypatch.setattr(module, "REOPEN_EVERY_S", 0.01)
    return GivenDevice()


def open_microphone(device: GivenDevice, clock: Clock, channels: tuple[int, ...] = ()) -> Microphone:
    source = Microphone(device, "mixer", clock, channels=channels)
    source.start()
    return source


def read_until(source: Microphone, says: str) -> list[str]:
    """Read until a notice holds these words, and return all notices."""
    lines: list[str] = []

    def is_said() -> bool:
        source.read()
        lines.extend(source.notices())
        return any(says in line for line in lines)

    wait_until(is_said, says)
    return lines


class SteppedClock(WallClock):
    """The wall clock plus an offset."""

    ahead_s = 0.0

    def now_s(self) -> float:
        return super().now_s() + self.ahead_s


def test_small_blocks_grow_by_reopening_the_stream(device: GivenDevice) -> None:
    clock = SteppedClock()
    source = open_microphone(device, clock)
    try:
        first = device.streams[0]
        assert first.asked.block_samples == BLOCK_SIZES[0]
        assert first.asked.latency_s == pytest.approx(2 * BLOCK_SIZES[0] / 48000)
        clock.ahead_s += SETTLE_S
        for _ in range(OVERFLOWS):
            first.bring(varied_sound(0.002, 48000), has_lost=True)
            source.read()
        assert device.wait_for_streams(2).asked.block_samples == BLOCK_SIZES[1]
        assert sum(f"grows to {BLOCK_SIZES[1]} samples" in line for line in source.notices()) == 1
        # The old stream's end is not the loss of the device.
        assert not first.active
        source.read()
        assert not any("was lost" in line for line in source.notices())
    finally:
        source.close()


def test_a_device_that_returns_with_another_rate_plays_on_and_says_so(device: GivenDevice) -> None:
    source = open_microphone(device, WallClock())
    try:
        assert (source.rate_hz, source.channels) == (48000, 2)
        device.rates_hz, device.channels = (44100,), 1
        device.streams[0].active = False
        source.read()
        second = device.wait_for_streams(2)
        assert (second.asked.rate_hz, second.asked.channels) == (44100, 1)
        lines: list[str] = []
        came = 0
        second.bring(np.full((4410, 1), 0.5, np.float32))

        def is_reported_and_received() -> bool:
            nonlocal came
            sound_TC, _ = source.read()
            assert sound_TC.shape[1] == 2
            came += int((sound_TC > 0.4).all(1).sum())
            lines.extend(source.notices())
            return came >= 4000 and any("44100" in line for line in lines)

        wait_until(is_reported_and_received, "the other rate's sound and notice")
        assert came == pytest.approx(4800, abs=100)
    finally:
        source.close()


def test_a_second_close_does_not_wait_again_for_a_server_that_hangs(
    device: GivenDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_asked, answers = threading.Event(), threading.Event()

    def refresh() -> None:
        is_asked.set()
        answers.wait()

    monkeypatch.setattr(device, "refresh", refresh)
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 0.01)
    source = open_microphone(device, WallClock())
    device.streams[0].active = False
    source.read()
    assert is_asked.wait(20.0)
    source.close()
    assert closes_at_once(source.close, monkeypatch, module)
    answers.set()


def test_a_device_that_returns_and_does_not_open_is_reported_once(device: GivenDevice) -> None:
    source = open_microphone(device, WallClock())
    try:
        device.opens = False
        device.streams[0].active = False
        lines = read_until(source, "cannot be opened yet (Device unavailable)")
        device.opens = True
        device.wait_for_streams(2)
        assert sum("cannot be opened yet" in line for line in [*lines, *source.notices()]) == 1
    finally:
        source.close()


def ramp(samples: int, channels: int) -> NDArray[np.float32]:
    """Return sound whose channel number n is n / 100 all along."""
    return np.tile(np.arange(1, channels + 1, dtype=np.float32) / 100, (samples, 1))


@pytest.mark.parametrize(
    ("channels", "opened"),
    [((), 2), ((5,), 5), ((3, 4), 4), ((4, 3), 4), ((1, 7), 7), (tuple(range(1, 65)), 64), ((64,), 64)],
)
def test_chosen_channels_arrive_in_their_order_and_no_more_are_opened(channels: tuple[int, ...], opened: int) -> None:
    device = GivenDevice(channels=64)
    source = open_microphone(device, WallClock(), channels)
    device.streams[0].bring(ramp(128, opened))
    sound_TC, _ = source.read()
    wanted = channels or (1, 2)
    assert source.channels == len(wanted)
    # On a slow machine silence comes before it.
    assert np.array_equal(sound_TC[-128:], ramp(128, 64)[:, [channel - 1 for channel in wanted]])


def test_a_driver_that_opens_all_channels_or_none_gets_its_way() -> None:
    device = GivenDevice(channels=18, all_channels_only=True)
    source = open_microphone(device, WallClock(), (3, 4))
    assert device.streams[0].asked.channels == 18
    device.streams[0].bring(ramp(128, 18))
    assert np.array_equal(source.read()[0][-1], np.float32([0.03, 0.04]))


@pytest.mark.parametrize(("has", "says"), [(1, "it has channel 1 alone"), (2, "it has channels 1 to 2")])
def test_a_channel_that_the_device_lacks_is_refused_with_their_number(has: int, says: str) -> None:
    with pytest.raises(SourceError, match=f"mic: mixer has no channel 5, 6: {says}"):
        Microphone(GivenDevice(channels=has), None, WallClock(), channels=(1, 5, 6))


def test_a_device_in_exclusive_use_is_one_sentence() -> None:
    source = Microphone(GivenDevice(opens=False), None, WallClock())
    with pytest.raises(
        SourceError, match=r"mic: mixer cannot be opened \(Device unavailable\): another program may use it"
    ):
        source.start()


def test_a_chosen_channel_that_does_not_return_is_silent_and_told(device: GivenDevice) -> None:
    device.channels = 8
    source = open_microphone(device, WallClock(), (2, 7))
    try:
        device.channels = 4
        device.streams[0].active = False
        source.read()
        second = device.wait_for_streams(2)
        assert second.asked.channels == 4
        lines = read_until(source, "returned")
        assert any("with 48000 Hz and 4 channels" in line and "channel 7 is silent" in line for line in lines)
        second.bring(ramp(128, 4))

        def is_received() -> bool:
            sound_TC, _ = source.read()
            return bool(len(sound_TC)) and np.array_equal(sound_TC[-1], np.float32([0.02, 0.0]))

        wait_until(is_received, "channel 2, and silence for channel 7")
    finally:
        source.close()


def test_a_machine_that_slept_opens_the_device_again(device: GivenDevice) -> None:
    slept_s = 0.0
    source = Microphone(device, None, WallClock(), slept_s=lambda: slept_s)
    source.start()
    try:
        slept_s = 1.0
        source.read()
        assert source.notices() == []
        slept_s = 3600.0
        assert read_until(source, "slept") == ["The machine slept for 3600 s; mic: mixer is opened again."]
        assert device.wait_for_streams(2).active
        assert not device.streams[0].active
    finally:
        source.close()


def test_a_device_that_gives_no_sound_for_long_is_opened_again_and_told_once(device: GivenDevice) -> None:
    clock = SteppedClock()
    source = open_microphone(device, clock)
    try:
        device.streams[0].bring(ramp(128, 2))
        source.read()
        clock.ahead_s += 1.0
        assert read_until(source, "gives no sound")
        lines: list[str] = []
        for count in (2, 3):
            clock.ahead_s += LOST_AFTER_S
            source.read()
            device.wait_for_streams(count)
            # The thread that reopens has ended when the next stream is looked at.
            wait_until(lambda: not any(t.name == "reopen" for t in threading.enumerate()), "the end of the reopening")
            lines += source.notices()
        assert sum("was lost or sleeps" in line for line in lines) == 1
        # A stream that hangs while it is closed writes nowhere.
        device.streams[0].bring(ramp(128, 2) + 1)
        assert not source.read()[0].any()
    finally:
        source.close()


def test_a_device_that_cannot_be_opened_again_is_silence_and_told_once(device: GivenDevice) -> None:
    device.opens_again = False
    source = open_microphone(device, WallClock())
    device.streams[0].active = False
    for _ in range(3):
        source.read()
    assert source.notices() == ["mic: mixer was lost; to hear it again, start the show again."]
    assert len(device.streams) == 1
    source.close()


def test_the_time_asleep_never_runs_while_the_machine_is_awake() -> None:
    first_s, begin_s = asleep_s(), WallClock().now_s()
    while WallClock().now_s() - begin_s < 0.05:
        assert asleep_s() - first_s < LEAST_SLEEP_S


class Outputs:
    """What PortAudio lists on a machine with one output."""

    default = SimpleNamespace(device=[0, 0])
    there = True

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"name": "ALSA", "devices": [0]}]

    def query_devices(self) -> list[dict[str, Any]]:
        mixer = {"index": 0, "name": "mixer", "default_samplerate": 48000.0, "max_output_channels": 8}
        return [mixer] if self.there else []


def test_outputs_are_found_by_part_of_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = Outputs()
    monkeypatch.setattr(portaudio, "load_sounddevice", lambda: outputs)
    assert portaudio.find_output("MIX").channels == 2
    assert portaudio.find_output(None).name == "mixer"
    with pytest.raises(SourceError, match="No sound output is called 'hall'; available: 'mixer'"):
        portaudio.find_output("hall")
    outputs.there = False
    with pytest.raises(SourceError, match="No loudspeaker"):
        portaudio.find_output(None)
