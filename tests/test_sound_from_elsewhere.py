"""Sound from programs and servers, as a user brings it: whole processes, real pipes and a real web server."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.engine.audio.sources.servers import encoded, web_server
from tests.engine.media.many_sounds import Track, write_film
from tests.processes import ENDS_WITHIN_S, environment, live_command, run, start, streams, wait_for_recording

RATE_HZ = 48000
TWO_SECONDS = (8000 * np.sin(np.arange(2 * RATE_HZ) / 20)).astype("<i2")


def run_with_input(raw: bytes, *flags: str, cwd: Path) -> tuple[int, str, str]:
    command = live_command("--no-osc", *flags)
    done = subprocess.run(
        command, input=raw, cwd=cwd, env=environment(), capture_output=True, timeout=ENDS_WITHIN_S, check=False
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_program_is_piped_in_and_the_show_ends_with_it(tmp_path: Path) -> None:
    code, said, complained = run_with_input(
        TWO_SECONDS.tobytes(), "--source", "pcm:48000x1", "--out", "show.mp4", cwd=tmp_path
    )
    assert (code, complained) == (0, "")
    assert "standard input ended: the program before the pipe sends no more." in said
    assert "played: " in said
    assert streams(tmp_path / "show.mp4")[1] == pytest.approx(2.0, abs=0.3)


def test_what_is_piped_in_is_rendered(tmp_path: Path) -> None:
    raw = (TWO_SECONDS / 32768).astype("<f4").tobytes()
    code, _, complained = run_with_input(raw + b"x", "--render", "pcm:48000x1xf32", "out.mp4", cwd=tmp_path)
    assert (code, complained) == (0, "")
    assert streams(tmp_path / "out.mp4")[0] == 40


@pytest.mark.parametrize(
    "flags", [["--source", "pcm:48000x2", "--out", "null"], ["--render", "pcm:48000x2", "out.mp4"]]
)
def test_nothing_in_the_pipe_is_one_sentence(flags: list[str], tmp_path: Path) -> None:
    code, _, complained = run_with_input(b"", *flags, cwd=tmp_path)
    assert code == 2
    assert complained.strip() == (
        "error: standard input gave no sound: it ended before the first sample; see what the program before the pipe says."
    )


def test_a_terminal_instead_of_a_pipe_is_one_sentence(tmp_path: Path) -> None:
    controlling, terminal = pty.openpty()
    command = live_command("--no-osc", "--source", "pcm:48000x2", "--out", "null")
    try:
        done = subprocess.run(
            command, stdin=terminal, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
        )
    finally:
        os.close(terminal)
        os.close(controlling)
    assert done.returncode == 2
    assert "error: pcm:48000x2 reads raw sound from standard input, and nothing is piped in" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_radio_is_played_and_its_password_stays_here(tmp_path: Path) -> None:
    time_T = np.arange(30 * RATE_HZ) / RATE_HZ
    sound_TC = np.repeat(0.5 * np.sin(2000 * time_T)[:, None], 2, axis=1).astype(np.float32)
    files = {"live.mp3": encoded(tmp_path / "live.mp3", "libmp3lame", sound_TC)}
    with web_server(files, seconds={"live.mp3": 30.0}, cut_after=len(files["live.mp3"]) // 15) as web:
        address = web.url("radio/live.mp3?key=hidden", login="me:hidden@")
        process = start(
            *("--no-osc", "--source", address, "--out", "show.mp4", "--take", "take", "--log", "log.jsonl"),
            *("--stats", "stats.json"),
            cwd=tmp_path,
        )
        wait_for_recording(tmp_path / "show.mp4")
        while web.connections < 3:
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        said, complained = process.communicate(timeout=ENDS_WITHIN_S)
    assert (process.returncode, complained) == (0, "")
    assert f"sound    http://127.0.0.1:{web.port}/radio/live.mp3?..., 48000 Hz stereo" in said
    assert "broke off" in said or "ended by its sender" in said
    written = [path for path in tmp_path.rglob("*") if path.suffix in (".json", ".jsonl", ".yaml", ".log")]
    assert {path.name for path in written} >= {"stats.json", "log.jsonl"}
    for text in (said, *(path.read_text() for path in written)):
        assert "hidden" not in text


def test_a_refused_address_is_one_sentence(tmp_path: Path) -> None:
    code, _, complained = run(
        "--no-osc", "--source", "rtsp://me:hidden@127.0.0.1:1/live", "--out", "null", cwd=tmp_path
    )
    assert code == 2
    assert complained.strip() == (
        "error: rtsp://127.0.0.1:1/live cannot be opened (Connection refused); check with ffplay ADDRESS whether it is sending."
    )


def test_a_recording_on_a_server_is_rendered_with_the_track_asked_for(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mkv", Track((300,), "eng", default=True), Track((0,), "ger"), seconds=1.5)
    with web_server({"film.mkv": film.read_bytes()}) as web:
        code, _, complained = run(
            "--no-osc", "--render", web.url("film.mkv"), "out.mp4", "--track", "eng", cwd=tmp_path
        )
        assert (code, complained) == (0, "")
        assert streams(tmp_path / "out.mp4")[0] == 30
        code, _, complained = run("--no-osc", "--render", web.url("film.mkv"), "x.mp4", "--track", "5", cwd=tmp_path)
    assert code == 2
    assert "has 2 sound tracks, 1 (eng), 2 (ger), and no track '5'" in complained
    assert json.dumps(complained).count("\\n") == 1


def test_inputs_with_names_come_from_a_radio_and_from_a_recording(tmp_path: Path) -> None:
    time_T = np.arange(10 * RATE_HZ) / RATE_HZ
    sound_TC = np.repeat(0.5 * np.sin(2000 * time_T)[:, None], 2, axis=1).astype(np.float32)
    files = {"live.mp3": encoded(tmp_path / "live.mp3", "libmp3lame", sound_TC)}
    with web_server(files, seconds={"live.mp3": 10.0}) as web:
        sources = [f"radio={web.url('radio/live.mp3')}", "drums=demo", f"film={web.url('live.mp3')}@2"]
        flags = [part for source in sources for part in ("--source", source)]
        code, said, complained = run(
            *("--no-osc", "--seconds", "2", "--out", "show.mp4", "--map", "glow=0.5 * film.level", *flags), cwd=tmp_path
        )
    assert (code, complained) == (0, "")
    assert "radio" in said
    assert streams(tmp_path / "show.mp4")[1] == pytest.approx(2.0, abs=0.3)
