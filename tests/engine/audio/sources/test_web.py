"""The sound of browsers as a source: who is heard, rates and channels, gaps, clocks that drift, and senders that send too much."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.source import Source
from engine.audio.sources.inputs import open_inputs
from engine.audio.sources.playout import RESERVE, Playout
from engine.audio.sources.registry import open_source
from engine.audio.sources.spec import SourceSpec, parse_spec
from engine.audio.sources.stream import StreamSource
from engine.audio.sources.watchdog import BEGINS_WITHIN_S, STALL_S
from engine.audio.sources.web import MOST_READY_S, MOST_WAITING_S, RATE_HZ, SPARE_S, BrowserSound, SoundSender
from engine.core.clock import WallClock
from engine.core.errors import SourceError
from tests.engine.app.shows import InventedClock

COMES_WITHIN_S = 10.0
BLOCK_SAMPLES = 512
TURN_S = 0.005


class Listening:
    """A source that is read in an invented time, whose thread runs in the real one."""

    def __init__(self, browser_sound: BrowserSound, chosen: tuple[int, ...] = ()) -> None:
        self.clock = InventedClock()
        self.source: StreamSource = browser_sound.source(self.clock, chosen)
        self.told = list[str]()
        self.heard_TC = np.zeros((0, self.source.channels), np.float32)
        self.source.start()
        wait_until(lambda: browser_sound.listeners > 0)

    def turn(self, seconds: float = TURN_S) -> None:
        self.clock.sleep(seconds)
        block = self.source.read()
        assert block
        self.heard_TC = np.concatenate([self.heard_TC, block[0]])
        self.told += self.source.notices()

    def play(self, samples: int) -> None:
        """Read until so many samples that are not silence have been heard."""
        done = self.loud
        wait_until(lambda: self.turn() or self.loud - done >= samples)

    @property
    def loud(self) -> int:
        return int(np.count_nonzero(np.abs(self.heard_TC).max(axis=1)))

    def wait_for(self, line: str) -> None:
        wait_until(lambda: self.turn(0.0) or line in self.told)


def wait_until(done: object) -> None:
    assert callable(done)
    clock = WallClock()
    deadline_s = clock.now_s() + COMES_WITHIN_S
    while not done():
        assert clock.now_s() < deadline_s, "nothing came"
        clock.sleep(0.001)


def block(*channels: float, samples: int = BLOCK_SAMPLES) -> NDArray[np.float32]:
    return np.tile(np.array(channels, np.float32), (samples, 1))


@pytest.fixture
def browser_sound() -> BrowserSound:
    return BrowserSound()


@pytest.fixture
def listening(browser_sound: BrowserSound) -> Iterator[Listening]:
    opened = Listening(browser_sound)
    yield opened
    opened.source.close()


def test_a_browser_is_heard_as_it_sends(browser_sound: BrowserSound, listening: Listening) -> None:
    sender = browser_sound.begin(RATE_HZ, 2, "10.0.0.7")
    sound_TC = np.random.default_rng(1).uniform(0.1, 0.5, (8 * BLOCK_SAMPLES, 2)).astype(np.float32)
    for begin in range(0, len(sound_TC), BLOCK_SAMPLES):
        sender.put(sound_TC[begin : begin + BLOCK_SAMPLES])
    listening.play(len(sound_TC))
    heard_TC = listening.heard_TC[np.abs(listening.heard_TC).max(axis=1) > 0.0]
    np.testing.assert_array_equal(heard_TC, sound_TC)
    assert listening.told == ["The browser at 10.0.0.7 gives the sound, 48000 Hz with 2 channels."]
    sender.end()
    listening.wait_for("The browser at 10.0.0.7 sends no more sound.")


def test_the_newest_browser_is_heard_and_the_former_no_more(browser_sound: BrowserSound, listening: Listening) -> None:
    former = browser_sound.begin(RATE_HZ, 1, "10.0.0.7")
    former.put(block(0.1))
    listening.play(BLOCK_SAMPLES)
    newest = browser_sound.begin(RATE_HZ, 1, "10.0.0.8")
    assert (former.is_current, newest.is_current) == (False, True)
    former.put(block(0.2))
    former.end()
    newest.put(block(0.3))
    listening.play(BLOCK_SAMPLES)
    assert set(np.unique(listening.heard_TC)) == {np.float32(0.0), np.float32(0.1), np.float32(0.3)}
    assert listening.told[-1] == (
        "The browser at 10.0.0.8 gives the sound, 48000 Hz with 1 channel, in place of the one at 10.0.0.7."
    )


def test_a_single_channel_is_heard_on_all_and_a_missing_one_is_silent(browser_sound: BrowserSound) -> None:
    listening = Listening(browser_sound, (1, 3))
    browser_sound.begin(RATE_HZ, 1, "phone").put(block(0.5))
    listening.play(BLOCK_SAMPLES)
    assert listening.heard_TC[-1].tolist() == [0.5, 0.5]
    browser_sound.begin(RATE_HZ, 2, "laptop").put(block(0.25, 0.75))
    listening.play(BLOCK_SAMPLES)
    assert listening.heard_TC[-1].tolist() == [0.25, 0.0]
    assert listening.told[-1] == "It has no channel 3; silence takes the place."
    listening.source.close()
    wait_until(lambda: not browser_sound.listeners)


def test_another_rate_becomes_that_of_the_show(browser_sound: BrowserSound, listening: Listening) -> None:
    sender = browser_sound.begin(16000, 1, "phone")
    time_T = np.arange(16000) / 16000
    sound_T1 = (0.5 * np.sin(2 * np.pi * 1000 * time_T)).astype(np.float32)[:, None]
    for begin in range(0, 8000, 160):
        sender.put(sound_T1[begin : begin + 160])
        listening.turn(0.0)
    listening.play(20000)
    heard_T = listening.heard_TC[np.abs(listening.heard_TC[:, 0]) > 0.0][:16384, 0]
    assert np.argmax(np.abs(np.fft.rfft(heard_T))) * RATE_HZ / len(heard_T) == pytest.approx(1000, abs=5)


def test_without_a_browser_there_is_silence_and_a_notice_until_one_comes_back(
    browser_sound: BrowserSound, listening: Listening
) -> None:
    while listening.clock.now_s() < 1000.0 + BEGINS_WITHIN_S + 0.1:
        listening.turn(0.05)
    assert listening.source.stalled
    assert len(listening.heard_TC) == pytest.approx((BEGINS_WITHIN_S + 0.1) * RATE_HZ, abs=0.06 * RATE_HZ)
    gone = "web: a browser's microphone gives no sound; silence replaces it until it returns."
    assert listening.told == [gone]
    for place in ("phone", "phone again"):
        sender = browser_sound.begin(RATE_HZ, 1, place)
        sender.put(block(0.5))
        listening.play(BLOCK_SAMPLES)
        assert not listening.source.stalled
        sender.end()
        for _ in range(round((STALL_S + 0.1) / 0.05)):
            listening.turn(0.05)
        listening.wait_for(f"The browser at {place} sends no more sound.")
    assert listening.told.count(gone) == 3


def test_a_sender_that_is_too_fast_loses_its_oldest_sound_and_is_told_once(
    browser_sound: BrowserSound, listening: Listening
) -> None:
    sender = browser_sound.begin(RATE_HZ, 1, "phone")
    # Nothing is played meanwhile, so a second lies ready and a second waits.
    for _ in range(round(12.0 * RATE_HZ / 4096)):
        sender.put(block(0.5, samples=4096))
    wait_until(lambda: listening.turn() or listening.source.stalled)
    assert BLOCK_SAMPLES < listening.loud <= (MOST_READY_S + MOST_WAITING_S) * RATE_HZ + 3 * 4096
    assert sum("sends faster than sound is played" in line for line in listening.told) == 1


@pytest.mark.parametrize("pace", [1.0 - 200e-6, 1.0 + 200e-6])
def test_a_clock_that_drifts_keeps_the_sound_close(pace: float) -> None:
    """Ten minutes with a browser whose clock is 200 ppm off."""
    playout, sent_s, most_ready_s, skipped = Playout(RATE_HZ, 0.0, skips=True, spare_s=SPARE_S), 0.0, 0.0, 0
    block_s, now_s = BLOCK_SAMPLES / RATE_HZ, 0.0
    for _ in range(round(600.0 / TURN_S)):
        now_s += TURN_S
        while sent_s + block_s <= now_s * pace:
            playout.add(BLOCK_SAMPLES, now_s)
            sent_s += block_s
        skipped += playout.play(now_s).skipped
        most_ready_s = max(most_ready_s, playout.ready_s)
        assert not (playout.stalled and now_s > 1.0)
    assert most_ready_s < SPARE_S + 2 * block_s
    # Only what the faster clock sent too much.
    assert skipped / RATE_HZ <= max(0.0, pace - 1.0) * 600.0 + SPARE_S


def test_a_gap_of_the_network_is_made_up_within_seconds() -> None:
    playout, now_s, sent_s = Playout(RATE_HZ, 0.0, skips=True, spare_s=SPARE_S), 0.0, 0.0
    block_s = BLOCK_SAMPLES / RATE_HZ
    for turn in range(round(15.0 / TURN_S)):
        now_s += TURN_S
        hangs = 2.0 < turn * TURN_S < 2.3
        while not hangs and sent_s + block_s <= now_s:
            playout.add(BLOCK_SAMPLES, now_s)
            sent_s += block_s
        playout.play(now_s)
    assert playout.ready_s < RESERVE * SPARE_S + 2 * block_s


def test_named_inputs_share_one_browser(browser_sound: BrowserSound) -> None:
    def open_one(spec: SourceSpec) -> Source:
        return open_source(spec, live=True, clock=InventedClock(), browser_sound=browser_sound)

    source, layout = open_inputs(["voice=web@1", "room=web@2"], None, open_one)
    assert isinstance(source, StreamSource)
    assert [(one.name, one.columns) for one in layout.inputs] == [("voice", (0,)), ("room", (1,))]
    assert parse_spec("voice=web").kind == "web"


@pytest.mark.parametrize(
    ("text", "live", "with_page", "sentence"),
    [
        ("web", False, True, "'web' cannot be rendered because it never ends; render demo, tone or a file."),
        ("web:phone", True, True, "'web:phone' is no source; web alone was expected: the newest browser"),
        ("web", True, False, "'web' hears a browser that has the show's page open, and this show has none; add --web."),
        ("web@9", True, True, "'web' has no channel 9; a browser sends at most 8, numbered from 1."),
    ],
)
def test_what_cannot_be_heard_is_refused(
    browser_sound: BrowserSound, text: str, live: bool, with_page: bool, sentence: str
) -> None:
    with pytest.raises(SourceError) as refused:
        open_source(text, live=live, browser_sound=browser_sound if with_page else None)
    assert str(refused.value).startswith(sentence)


def test_a_sender_knows_its_format(browser_sound: BrowserSound) -> None:
    sender = browser_sound.begin(44100, 2, "phone")
    assert isinstance(sender, SoundSender)
    # Nobody listens: what is sent goes nowhere.
    sender.put(block(0.5, 0.5))
    assert (sender.rate_hz, sender.channels, browser_sound.is_offered) == (44100, 2, False)
