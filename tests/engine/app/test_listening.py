"""--listen as a user gives it: what is told, what is refused, and that both sides come together."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.core.clock import WallClock
from tests.conftest import PulseServer
from tests.engine.audio.listening.monitor import Monitor
from tests.fixtures_display import Screen
from tests.processes import run, write_sound


def test_a_file_is_heard_and_the_show_tells_when(pulse_server: PulseServer, probe_file: Path, tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "song.wav", 3.0)
    flags = ("--source", str(sound), "--out", "null", "--model", str(probe_file), "--no-osc", "--listen")
    code, said, complained = run(*flags, cwd=tmp_path, **server_of(pulse_server))
    assert code == 0, complained
    told = re.search(
        r"^listen   .+ (\d+) ms: sound (\d+) ms and light (\d+) ms after the source; (.*)$", said, re.MULTILINE
    )
    assert told, said
    assert int(told[1]) > 0
    assert told[2] == told[3]
    assert told[4] == "they come together, and --listen-delay-ms moves the sound"
    assert re.search(r"^listened .+: sound \d+ ms after the source, \d+ gaps?, ", said, re.MULTILINE)


def test_a_delay_is_added(pulse_server: PulseServer, probe_file: Path, tmp_path: Path) -> None:
    flags = ("--source", "tone", "--seconds", "1", "--out", "null", "--model", str(probe_file), "--no-osc", "--listen")
    code, said, _ = run(*flags, "--listen-delay-ms", "300", cwd=tmp_path, **server_of(pulse_server))
    assert code == 0
    assert "the sound comes 300 ms after its light, as --listen-delay-ms says" in said


def test_a_file_that_is_heard_before_its_frames_ends_as_others_do(
    pulse_server: PulseServer, probe_file: Path, tmp_path: Path
) -> None:
    sound = write_sound(tmp_path / "song.wav", 1.0)
    flags = ("--source", str(sound), "--out", "null", "--model", str(probe_file), "--no-osc", "--listen")
    code, said, complained = run(*flags, "--listen-delay-ms=-500", cwd=tmp_path, **server_of(pulse_server))
    assert code == 0, complained
    assert "before its light, and this loudspeaker allows no less" in said
    assert "played: " in said


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--source", "mic", "--listen"), "comes from elsewhere (a microphone would hear itself)"),
        (("--source", "demo", "--listen", "nowhere"), "No sound output is called 'nowhere'; available: "),
        (("--source", "demo", "--listen", "--take", "model.onnx/take"), "Cannot write a take to"),
        (("--render", "demo", "a.mp4", "--listen"), "--listen is for live shows; leave it out of a rendering."),
    ],
)
def test_what_cannot_be_heard_is_refused_in_a_sentence(
    pulse_server: PulseServer, probe_file: Path, tmp_path: Path, flags: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "model.onnx").touch()
    given = flags if "--render" in flags else (*flags, "--out", "null")
    code, said, complained = run(*given, "--model", str(probe_file), cwd=tmp_path, **server_of(pulse_server))
    assert code == 2
    assert sentence in complained
    assert "listened" not in said
    assert "Traceback" not in complained


def test_without_a_sound_server_it_is_refused(probe_file: Path, tmp_path: Path) -> None:
    code, _, complained = run("--source", "demo", "--listen", "--out", "null", "--model", str(probe_file), cwd=tmp_path)
    assert code == 2
    assert "loudspeaker" in complained


def test_a_file_without_a_flag_plays_and_is_heard_where_it_can_be(
    pulse_server: PulseServer, probe_file: Path, tmp_path: Path
) -> None:
    write_sound(tmp_path / "song.wav", 0.5)
    flags = ("song.wav", "--out", "null", "--model", str(probe_file), "--no-osc")
    code, said, complained = run(*flags, cwd=tmp_path, **server_of(pulse_server))
    assert (code, complained) == (0, "")
    assert "listen   " in said
    code, said, complained = run(*flags, cwd=tmp_path)
    assert (code, complained) == (0, "")
    assert "The show goes on unheard." in said
    assert "played: 10 frames" in said


def server_of(server: PulseServer) -> dict[str, str]:
    return {name: server.environment[name] for name in ("XDG_RUNTIME_DIR", "PULSE_SERVER")}


def test_a_take_is_played_in_the_window_and_heard(
    pulse_server: PulseServer, own_screen: Callable[..., Screen], probe_file: Path, tmp_path: Path
) -> None:
    there = {**server_of(pulse_server), "DISPLAY": own_screen().name}
    sound = write_sound(tmp_path / "song.wav", 3.0)
    recorded = ("--source", str(sound), "--out", "null", "--model", str(probe_file), "--no-osc", "--take", "take")
    code, said, complained = run(*recorded, cwd=tmp_path, **there)
    assert code == 0, complained
    heard = Monitor(pulse_server, WallClock())
    began_s = WallClock().now_s()
    code, said, complained = run(
        "--replay", "take", "window", "--listen", "--listen-delay-ms", "50", cwd=tmp_path, **there
    )
    heard_TC, _ = heard.close()
    assert code == 0, complained
    # Not as fast as it goes, but in its own time.
    assert WallClock().now_s() - began_s > 3.0
    assert re.search(
        r"^listen   .+; the sound comes 50 ms after its light, as --listen-delay-ms says", said, re.MULTILINE
    ), said
    assert "played: 60 frames of 3.0 s of sound" in said
    assert np.abs(heard_TC).max() > 0.1


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("take", "a.mp4", "--listen"), "--listen is for a replay in the window: --replay TAKE window"),
        (("take", "window", "--size", "640x480"), "--size is for a replay into a file"),
        (("take", "window", "--fps", "60"), "--fps is for a replay into a file; leave it out"),
        (("take", "window", "--zoom", "2"), "--replay repeats the show that the take recorded; leave --zoom out."),
    ],
)
def test_a_replay_says_what_it_cannot_do(tmp_path: Path, flags: tuple[str, ...], sentence: str) -> None:
    code, _, complained = run("--replay", *flags, cwd=tmp_path)
    assert code == 2
    assert sentence in complained
