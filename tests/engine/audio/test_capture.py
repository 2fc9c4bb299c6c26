"""Real capture: sound played into a private PulseAudio server reaches the frames, and a lost server is survived."""

from __future__ import annotations

import ctypes.util
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.audio.sources.microphone import Microphone
from engine.audio.sources.registry import open_source
from engine.core.clock import WallClock
from engine.output.frame import Frame
from engine.render.statistics import ShowStatistics
from tests.conftest import PulseServer, require
from tests.engine.app.shows import CollectingSink, show_sound

# Generous: each wait ends with its event.
LIMIT_S = 60.0
LOUD = 0.2


@pytest.fixture
def microphone(pulse_server: PulseServer) -> Iterator[Microphone]:
    require(ctypes.util.find_library("portaudio"), "PortAudio (apt install libportaudio2)")
    from engine.audio.sources.portaudio import restart_portaudio

    # PortAudio lists the server only if it was there when PortAudio began.
    restart_portaudio()
    source = open_source("mic:pulse", live=True)
    assert isinstance(source, Microphone)
    yield source
    source.close()


class TonePlayer:
    """Plays a loud tone into the server while `playing` is set, silence otherwise."""

    def __init__(self, server: PulseServer) -> None:
        self.playing = threading.Event()
        self._process = server.player()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def _feed(self) -> None:
        assert self._process.stdin
        tone = (0.5 * np.sin(2 * np.pi * 500 * np.arange(480) / 48000)).astype(np.float32)
        try:
            while not self._ended.is_set():
                self._process.stdin.write((tone if self.playing.is_set() else 0 * tone).tobytes())
                self._process.stdin.flush()
        except OSError:
            return


def play_until(
    probe_file: Path, microphone: Microphone, sink: CollectingSink, stop: threading.Event, **more: object
) -> list[Frame]:
    """Play until the sink sets `stop`; the show's own length is the limit."""
    return show_sound(
        probe_file, microphone, clock=WallClock(), sinks=[sink], stop=stop, seconds=LIMIT_S, **more  # type: ignore[arg-type]
    )  # fmt: skip


def test_played_sound_brightens_the_frames(pulse_server: PulseServer, microphone: Microphone, probe_file: Path) -> None:
    player, stop, stats, loudness = TonePlayer(pulse_server), threading.Event(), ShowStatistics(), []

    def follow(frame: Frame) -> None:
        """Some quiet frames, then play until ten loud ones have come, then wait for quiet again."""
        loud = bool(frame.features_F[0] > LOUD)
        loudness.append(loud)
        if len(loudness) > 5 and sum(loudness) < 10:
            player.playing.set()
        elif sum(loudness) >= 10:
            player.playing.clear()
            if not loud:
                stop.set()

    try:
        frames = play_until(probe_file, microphone, CollectingSink(on_frame=follow), stop, stats=stats)
    finally:
        player.close()
    assert stop.is_set(), "the sound did not come, or did not end"
    loud = [frame for frame in frames if frame.features_F[0] > LOUD]
    brightness = [float(frame.pixels_HWC.mean()) for frame in (frames[3], loud[5])]
    assert brightness[1] > brightness[0] + 40
    ages_s = [frame.captured_s for frame in frames]
    assert all(age is not None for age in ages_s)
    assert stats.handed_age.summary()["count"] == len(frames)
    # The frames carry the sound that was played: a tone of 500 Hz.
    sound_T = np.concatenate([frame.sound_TC for frame in loud])[:, 0]
    peak_hz = np.argmax(np.abs(np.fft.rfft(sound_T))) * microphone.rate_hz / len(sound_T)
    assert peak_hz == pytest.approx(500, abs=10)
    assert microphone.dropped_samples == 0


def test_a_killed_server_becomes_silence_and_is_found_again(
    pulse_server: PulseServer, microphone: Microphone, probe_file: Path
) -> None:
    stop, lines, players = threading.Event(), [], [TonePlayer(pulse_server)]
    players[0].playing.set()
    stages = ["loud"]

    def follow(frame: Frame) -> None:
        loud = bool(frame.features_F[0] > LOUD)
        if stages[-1] == "loud" and loud and frame.index > 5:
            stages.append("killed")
            pulse_server.stop(signal.SIGKILL)
        elif stages[-1] == "killed" and not loud and any("was lost" in line for line in lines):
            stages.append("restarted")
            pulse_server.start()
            players.append(TonePlayer(pulse_server))
            players[-1].playing.set()
        elif stages[-1] == "restarted" and loud:
            stages.append("back")
            stop.set()

    try:
        play_until(probe_file, microphone, CollectingSink(on_frame=follow), stop, notify=lines.append)
    finally:
        for player in players:
            player.close()
    assert stages == ["loud", "killed", "restarted", "back"], lines
    assert any("is back" in line for line in lines)


def test_blocks_grow_while_the_show_goes_on(
    pulse_server: PulseServer, microphone: Microphone, probe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.audio.sources.block_size.SETTLE_S", 0.0)
    stop, lines, player = threading.Event(), [], TonePlayer(pulse_server)
    player.playing.set()
    stages, smallest_s, loud_frames = ["loud"], microphone.block_s, []

    def follow(frame: Frame) -> None:
        loud = bool(frame.features_F[0] > LOUD)
        if stages[-1] == "loud" and loud and frame.index > 5:
            # As the audio callback does when the driver reports an overflow.
            microphone.count_overflow()
            if microphone.block_s > smallest_s:
                stages.append("grown")
        elif stages[-1] == "grown" and loud:
            loud_frames.append(frame)
            # Half a second after the old stream's end all would be silence.
            if len(loud_frames) == 40:
                stages.append("received")
                stop.set()

    try:
        play_until(probe_file, microphone, CollectingSink(on_frame=follow), stop, notify=lines.append)
    finally:
        player.close()
    assert stages == ["loud", "grown", "received"], lines
    assert sum("the block size grows to" in line for line in lines) == 1
    assert not any("was lost" in line for line in lines)


def test_a_hanging_server_becomes_silence_and_its_stale_sound_is_dropped(
    pulse_server: PulseServer, microphone: Microphone, probe_file: Path
) -> None:
    stop, lines, player = threading.Event(), [], TonePlayer(pulse_server)
    player.playing.set()
    stages, silent_frames = ["loud"], []

    def follow(frame: Frame) -> None:
        loud = bool(frame.features_F[0] > LOUD)
        if stages[-1] == "loud" and loud:
            stages.append("hanging")
            pulse_server.send_signal(signal.SIGSTOP)
        elif stages[-1] == "hanging" and any("gives no sound" in line for line in lines):
            silent_frames.append(frame)
            if len(silent_frames) == 20:
                stages.append("continued")
                pulse_server.send_signal(signal.SIGCONT)
        elif stages[-1] == "continued" and loud and any("is back" in line for line in lines):
            stages.append("back")
            stop.set()

    try:
        frames = play_until(probe_file, microphone, CollectingSink(on_frame=follow), stop, notify=lines.append)
    finally:
        pulse_server.send_signal(signal.SIGCONT)
        player.close()
    assert stages == ["loud", "hanging", "continued", "back"], lines
    # With the delayed second played as well, the show would lag behind the clock by that second from here on.
    first, last = frames[0], frames[-1]
    assert first.captured_s is not None
    assert last.captured_s is not None
    assert last.time_s - first.time_s == pytest.approx(last.captured_s - first.captured_s, abs=0.3)
