"""Whole shows that were sent what once hung them: they end when they are asked to, with their figures written."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pythonosc.osc_message import OscMessage

from benchmarks.osc_flood_traffic import BUNDLE_HEAD, HOST, SPOOFED, open_sender, spoofed
from engine.core.errors import ConfigError
from tests.conftest import require
from tests.engine.control.remotes.test_osc import message

ROOT = Path(__file__).parents[4]
ENDS_WITHIN_S = 60.0
QUESTIONS = 20


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        trial.bind((HOST, 0))
        return int(trial.getsockname()[1])


def ask_until(controller: socket.socket, datagram: bytes, answered: Callable[[OscMessage], bool]) -> int:
    """Send a datagram again and again until an answer is as expected; return how often it was sent."""
    deadline_s, sent = time.monotonic() + ENDS_WITHIN_S, 0
    while time.monotonic() < deadline_s:
        try:
            sent += 1
            controller.send(datagram)
            if answered(OscMessage(controller.recv(65536))):
                return sent
        except OSError:
            # The port is not bound yet.
            time.sleep(0.1)
    raise AssertionError("the show does not answer as expected")


def figures(answer: OscMessage) -> dict[str, float]:
    if answer.address != "/fluid/stats":
        return {}
    return dict(zip(answer.params[::2], answer.params[1::2], strict=True))


def plays(answer: OscMessage) -> bool:
    return figures(answer).get("hops", 0) > 0


def send_spoofed(datagram: bytes, port: int) -> None:
    try:
        with open_sender(SPOOFED, port) as sender:
            sender.sendto(spoofed(datagram, port), (HOST, port))
    except ConfigError as error:
        require(None, f"The right to forge senders ({error})")


@pytest.mark.parametrize(
    ("datagram", "forged"),
    [
        pytest.param(BUNDLE_HEAD + b"\xff\xff\xff\xfc", False, id="negative length"),
        pytest.param(BUNDLE_HEAD + bytes(40000) + b"\xff\xff\xff\xfc", False, id="long, negative length"),
        pytest.param(b"/fluid/gain_db\0\0," + 5000 * b"[" + b"\0\0\0", False, id="nested arrays"),
        pytest.param(message(45 * "*a"), False, id="a pattern that takes others for ever"),
        pytest.param(message("stats"), True, id="a question from itself"),
        pytest.param(message("stats", "hops", 1), True, id="an answer from itself"),
    ],
)
def test_a_show_under_attack_answers_and_ends_with_its_figures(tmp_path, probe_file, datagram, forged):
    port = free_port()
    command = [
        sys.executable,
        str(ROOT / "run_live.py"),
        "--model",
        str(probe_file),
        "--source",
        "tone",
        "--out",
        "null",
    ]
    show = subprocess.Popen(
        [*command, "--osc-port", str(port), "--stats", "stats.json"],
        cwd=tmp_path,
        env={**os.environ, "DISPLAY": "", "PULSE_SERVER": "unix:/nowhere", "PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as controller:
            controller.settimeout(1.0)
            controller.connect((HOST, port))
            sent = ask_until(controller, message("stats"), plays)
            if forged:
                send_spoofed(datagram, port)
                received: list[float] = []
                for _ in range(QUESTIONS):
                    sent += ask_until(
                        controller,
                        message("stats"),
                        lambda answer: not received.append(figures(answer)["osc_received"]),
                    )
                # It has received the messages of the controller and the one datagram, none of its own.
                assert received[-1] <= sent + 1
            else:
                ask_until(controller, datagram, lambda answer: answer.address == "/fluid/error")
            ask_until(controller, message("stats"), plays)
        show.send_signal(signal.SIGTERM)
        _, complained = show.communicate(timeout=ENDS_WITHIN_S)
    finally:
        show.kill()
    assert (show.returncode, complained) == (0, "")
    assert json.loads((tmp_path / "stats.json").read_text())["hops"] > 0
