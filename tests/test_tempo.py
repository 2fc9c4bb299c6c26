"""Clocks outside and whole processes: the beat of a show follows an OS2L sender, and its take has that beat."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from engine.takes.take_log import LOG
from engine.takes.take_log_reading import read_lines
from tests.processes import ENDS_WITHIN_S, run, start

BPM = 111.0
BEATS = 8


def test_a_show_follows_an_os2l_sender_and_its_take_is_replayed(tmp_path: Path) -> None:
    flags = ["--source", "tone", "--out", "null", "--no-osc", "--os2l", "0", "--take", "take", "--quantise", "beat"]
    process = start(*flags, cwd=tmp_path)
    assert process.stdout
    lines, port = [], None
    while not any(line.startswith("latency") for line in lines):
        lines.append(process.stdout.readline())
        assert lines[-1], "the show ended"
        found = re.match(r"os2l .*\b(\d{4,5})\b", lines[-1])
        port = int(found[1]) if found else port
    assert port
    with socket.create_connection(("127.0.0.1", port), 5.0) as sender:
        for beat in range(BEATS):
            message = {"evt": "beat", "change": False, "pos": beat, "bpm": BPM, "strength": 0.5}
            sender.sendall(json.dumps(message).encode())
            sender.sendall(json.dumps({"evt": "btn", "name": "mirror", "state": "on"}).encode())
            time.sleep(60.0 / BPM)
        process.send_signal(signal.SIGTERM)
    said, complained = process.communicate(timeout=ENDS_WITHIN_S)
    assert (process.returncode, complained) == (0, "")
    assert "Traceback" not in said
    hop_lines = list(read_lines(tmp_path / "take" / LOG))
    assert BPM in {point.bpm for line in hop_lines for point in line.beat_points}
    assert any(line.values.get("mirror") is True for line in hop_lines)
    code, _, complained = run("--replay", "take", "again.mp4", cwd=tmp_path)
    assert (code, complained) == (0, "")
    assert (tmp_path / "again.mp4").stat().st_size > 0


@pytest.mark.parametrize("given", ["nonsense", "127.0.0.1:80000", ":"])
def test_a_port_that_is_none_is_refused_before_the_show(tmp_path: Path, given: str) -> None:
    code, said, complained = run("--source", "tone", "--out", "null", "--no-osc", "--os2l", given, cwd=tmp_path)
    assert (code, said.startswith("played")) == (2, False)
    assert complained == f"error: os2l is {given!r}; a port or HOST:PORT was expected, e.g. 9996 or 0.0.0.0:9996.\n"
