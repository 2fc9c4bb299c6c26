"""A show and another process in one Ableton Link session, over loopback."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator

import pytest

from benchmarks.link_peer import LinkPeer, off_s
from engine.audio.features.audio_features import SILENCE, AudioFeatures
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.tempo.link_session import LinkSession, leads
from engine.core.clock import WallClock
from engine.core.errors import ConfigError

WITHIN_S = 5.0
NEEDED = importlib.util.find_spec("aalink") is not None
pytestmark = pytest.mark.skipif(not NEEDED, reason="Ableton Link needs aalink")


class Joined:
    """A show's side of the session; its own beat is `beat`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.store = ParameterStore(TABLE)
        self.beat: AudioFeatures = SILENCE
        self.begun_s = WallClock().now_s()
        self.link = LinkSession(RemoteAccess(self.store, notify=self.told.append), self.beat_now, WallClock())

    @property
    def bpm(self) -> float:
        """The session's tempo as the show knows it; 0 without a session."""
        position = self.link.position(WallClock().now_s())
        return position.bpm if position else 0.0

    def beat_now(self, now_s: float) -> AudioFeatures:
        if not self.beat.tempo_bpm:
            return self.beat
        beats = (now_s - self.begun_s) * self.beat.tempo_bpm / 60.0
        return AudioFeatures(beats=beats, tempo_bpm=self.beat.tempo_bpm, certainty=1.0)


def until(condition: Callable[[], bool], within_s: float = WITHIN_S) -> bool:
    clock = WallClock()
    end_s = clock.now_s() + within_s
    while not condition():
        if clock.now_s() > end_s:
            return False
        clock.sleep(0.02)
    return True


@pytest.fixture
def peer() -> Iterator[LinkPeer]:
    peer = LinkPeer(133.0)
    assert until(lambda: peer.position.at_s > 0.0)
    # A session that is much younger than another one joins it with its tempo, so this one has to be older.
    WallClock().sleep(0.7)
    yield peer
    peer.close()


@pytest.fixture
def joined(peer: LinkPeer) -> Iterator[Joined]:
    joined = Joined()
    joined.link.start()
    try:
        if not until(lambda: joined.link.peers > 0 and peer.peers > 0):
            pytest.skip("no other peer is found: this machine has no multicast")
        yield joined
    finally:
        joined.link.close()


def session_off_s(joined: Joined, peer: LinkPeer) -> float:
    """Return how far the session is from the peer, as each of them knows it."""
    here, there = joined.link.position(WallClock().now_s()), peer.position
    return off_s(here.beats_at(there.at_s), there) if here else 1.0


def show_off_s(joined: Joined, peer: LinkPeer) -> float:
    """Return how far the show's own beat is from the peer."""
    there = peer.position
    return off_s(joined.beat_now(there.at_s).beats, there)


def test_the_show_takes_the_tempo_of_the_session_and_follows_it(peer: LinkPeer, joined: Joined) -> None:
    assert until(lambda: abs(joined.bpm - 133.0) < 0.01), (joined.bpm, peer.bpm)
    assert peer.bpm == pytest.approx(133.0, abs=0.01)
    assert until(lambda: abs(session_off_s(joined, peer)) < 0.003)
    peer.tell("bpm 97.5")
    assert until(lambda: joined.bpm == pytest.approx(97.5))
    assert until(lambda: abs(session_off_s(joined, peer)) < 0.003)


def test_a_show_that_follows_leads_nobody_and_one_that_hears_the_beat_does(peer: LinkPeer, joined: Joined) -> None:
    joined.beat = AudioFeatures(tempo_bpm=101.0, certainty=1.0)
    WallClock().sleep(1.0)
    assert peer.bpm == pytest.approx(133.0, abs=0.01)
    joined.store.set("tempo_source", "sound")
    assert until(lambda: abs(peer.bpm - 101.0) < 0.1)
    assert until(lambda: abs(show_off_s(joined, peer)) < 0.003, 10.0)


def test_start_and_stop_are_shared_both_ways(peer: LinkPeer, joined: Joined) -> None:
    WallClock().sleep(0.6)
    peer.tell("play")
    assert until(lambda: joined.store.values()["transport"] is True)
    joined.store.set("transport", False)
    assert until(lambda: not peer.plays)
    joined.store.set("transport", True)
    assert until(lambda: peer.plays)


def test_without_peers_there_is_no_position_and_the_end_is_quick() -> None:
    joined = Joined()
    joined.link.close()
    assert joined.link.position(0.0) is None
    assert joined.told == []


@pytest.mark.parametrize(
    ("source", "peers", "expected"),
    [
        ("auto", 0, True),
        ("auto", 1, False),
        ("link", 1, False),
        ("link", 0, True),
        ("sound", 2, True),
        ("midi", 1, True),
    ],
)
def test_who_leads(source: str, peers: int, expected: bool) -> None:
    store = ParameterStore(TABLE, {"tempo_source": source})
    assert leads(store.values(), peers) is expected


def test_without_the_library_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aalink", None)
    with pytest.raises(ConfigError, match=r'^Ableton Link needs aalink; install it with: pip install -e "\.\[link\]"$'):
        Joined()
