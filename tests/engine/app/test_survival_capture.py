"""A real sound server that loses its device, or sends it to sleep: the show hears silence, then the same device again."""

from __future__ import annotations

import ctypes.util
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.audio.sources.microphone import Microphone
from engine.audio.sources.registry import open_source
from engine.core.clock import WallClock
from engine.output.frame import Frame
from tests.conftest import SINK_NAME, PulseServer, require
from tests.engine.app.shows import CollectingSink, show_sound
from tests.engine.audio.test_capture import LIMIT_S, LOUD, TonePlayer

Deed = Callable[[], object]


@pytest.fixture
def microphone(pulse_server: PulseServer) -> Iterator[Microphone]:
    require(ctypes.util.find_library("portaudio"), "PortAudio (apt install libportaudio2)")
    from engine.audio.sources.portaudio import restart_portaudio

    restart_portaudio()
    source = open_source("mic:pulse", live=True)
    assert isinstance(source, Microphone)
    yield source
    source.close()


def tell(server: PulseServer, *command: str) -> str:
    done = subprocess.run(["pactl", *command], env=server.environment, capture_output=True, text=True, check=True)
    return done.stdout


def hurt_and_mend(probe_file: Path, server: PulseServer, microphone: Microphone, hurt: Deed, mend: Deed) -> list[str]:
    """Play until it is loud, hurt the device, mend it when its silence was noticed, and go on until it is loud again."""
    stop, lines, player, timings = threading.Event(), [], TonePlayer(server), ["loud"]
    player.playing.set()

    def follow(frame: Frame) -> None:
        loud = bool(frame.features_F[0] > LOUD)
        if timings[-1] == "loud" and loud and frame.index > 5:
            timings.append("hurt")
            lines.clear()
            hurt()
        elif timings[-1] == "hurt" and any("gives no sound" in line for line in lines):
            timings.append("mended")
            mend()
        elif timings[-1] == "mended" and loud and any("is back" in line for line in lines):
            timings.append("back")
            stop.set()

    try:
        frames = show_sound(
            probe_file,
            microphone,
            clock=WallClock(),
            sinks=[CollectingSink(on_frame=follow)],
            stop=stop,
            seconds=LIMIT_S,
            notify=lines.append,
        )
    finally:
        player.close()
    assert timings == ["loud", "hurt", "mended", "back"], lines
    first, last = frames[0], frames[-1]
    assert first.captured_s is not None
    assert last.captured_s is not None
    # No backlog is played: the show's time is that of the clock.
    assert last.time_s - first.time_s == pytest.approx(last.captured_s - first.captured_s, abs=0.6)
    return lines


def test_an_output_that_sleeps_is_silence_and_wakes_by_itself(
    pulse_server: PulseServer, microphone: Microphone, probe_file: Path
) -> None:
    hurt_and_mend(
        probe_file,
        pulse_server,
        microphone,
        lambda: tell(pulse_server, "suspend-sink", SINK_NAME, "1"),
        lambda: tell(pulse_server, "suspend-sink", SINK_NAME, "0"),
    )


def test_a_device_that_is_unplugged_and_plugged_in_again_is_heard_again(
    pulse_server: PulseServer, microphone: Microphone, probe_file: Path
) -> None:
    def plug_in() -> None:
        tell(pulse_server, "load-module", *PulseServer.null_sink().split())
        tell(pulse_server, "set-default-sink", SINK_NAME)
        tell(pulse_server, "set-default-source", SINK_NAME + ".monitor")

    hurt_and_mend(
        probe_file,
        pulse_server,
        microphone,
        lambda: tell(pulse_server, "unload-module", "module-null-sink"),
        plug_in,
    )
