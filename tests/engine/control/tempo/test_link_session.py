"""A show and another process in one Ableton Link session, over loopback."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.audio.features.audio_features import SILENCE, AudioFeatures
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.tempo.link_session import LinkSession, leads
from engine.control.tempo.tempo_input import TempoPosition
from engine.core.clock import WallClock
from tests.engine.control.tempo import link_peer

WITHIN_S = 5.0
NEEDED = importlib.util.find_spec("aalink") is not None
pytestmark = pytest.mark.skipif(not NEEDED, reason="Ableton Link needs aalink")


class Peer:
    """The other process."""

    def __init__(self, bpm: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(link_peer.__file__)), str(bpm)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.at_s = self.beats = self.bpm = 0.0
        self.plays, self.peers = False, 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def tell(self, command: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def position(self) -> TempoPosition:
        return TempoPosition(self.at_s, self.beats, self.bpm, True)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(WITHIN_S)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.at_s, self.beats, self.bpm, self.plays, self.peers = json.loads(line)


class Joined:
    """A show's side of the session; its own beat is `beat`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.store = ParameterStore(TABLE)
        self.beat: AudioFeatures = SILENCE
        self.begun_s = WallClock().now_s()
        self.link = LinkSession(RemoteAccess(self.store, notify=self.told.append), self.beat_now, WallClock())

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
def peer() -> Iterator[Peer]:
    peer = Peer(133.0)
    assert until(lambda: peer.at_s > 0.0)
    # A session that is much younger than another one joins it with its tempo, so this one has to be older.
    WallClock().sleep(0.7)
    yield peer
    peer.close()


@pytest.fixture
def joined(peer: Peer) -> Iterator[Joined]:
    joined = Joined()
    joined.link.start()
    try:
        if not until(lambda: joined.link.peers > 0 and peer.peers > 0):
            pytest.skip("no other peer is found: this machine has no multicast")
        yield joined
    finally:
        joined.link.close()


def off_s(joined: Joined, peer: Peer, beats: float | None = None) -> float:
    """Return how far two clocks are apart at the peer's newest line."""
    there = peer.position()
    here = joined.link.position(WallClock().now_s())
    mine = beats if beats is not None else here.beats_at(there.at_s) if here else 0.0
    return ((mine - there.beats + 2.0) % 4.0 - 2.0) * 60.0 / there.bpm


def test_the_show_takes_the_tempo_of_the_session_and_follows_it(peer: Peer, joined: Joined) -> None:
    assert until(lambda: abs((joined.link.position(WallClock().now_s()) or peer.position()).bpm - 133.0) < 0.01)
    assert peer.bpm == pytest.approx(133.0, abs=0.01)
    assert until(lambda: abs(off_s(joined, peer)) < 0.003)
    peer.tell("bpm 97.5")
    assert until(lambda: (joined.link.position(WallClock().now_s()) or peer.position()).bpm == pytest.approx(97.5))
    assert until(lambda: abs(off_s(joined, peer)) < 0.003)


def test_a_show_that_follows_leads_nobody_and_one_that_hears_the_beat_does(peer: Peer, joined: Joined) -> None:
    joined.beat = AudioFeatures(tempo_bpm=101.0, certainty=1.0)
    WallClock().sleep(1.0)
    assert peer.bpm == pytest.approx(133.0, abs=0.01)
    joined.store.set("tempo_source", "sound")
    assert until(lambda: abs(peer.bpm - 101.0) < 0.1)
    assert until(lambda: abs(off_s(joined, peer, joined.beat_now(peer.at_s).beats)) < 0.003, 10.0)


def test_start_and_stop_are_shared_both_ways(peer: Peer, joined: Joined) -> None:
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
