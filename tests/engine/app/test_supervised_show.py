"""The whole show as a service manager sees it: a process that is told to start, asked how it is, stopped for a while, and ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WITHIN_S = 60.0
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and sockets of POSIX systems")


def wait_for(happened: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < deadline_s, f"{what} did not happen"
        time.sleep(0.05)


def ask(port: int) -> tuple[int, dict]:
    """Return status and report; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


def test_a_show_tells_that_it_plays_and_how_it_is(probe_file: Path, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{folder}/notify")
        manager.settimeout(WITHIN_S)
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            port = trial.getsockname()[1]
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": f"{folder}/notify",
            "WATCHDOG_USEC": "2000000",
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, str(ROOT / "run_live.py"), "--source", "demo", "--out", "null", "--no-osc"]
        show = subprocess.Popen(
            [*command, "--model", str(probe_file), "--health-port", str(port), "--log", "show.jsonl"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert manager.recv(4096) == b"READY=1"
            assert manager.recv(4096) == b"WATCHDOG=1"
            wait_for(lambda: ask(port)[0] == 200 and ask(port)[1]["fps"] > 10, "a healthy answer")
            hops = ask(port)[1]["hops"]
            # As a machine that was suspended: afterwards it is alive within a moment.
            show.send_signal(signal.SIGSTOP)
            os.waitpid(show.pid, os.WUNTRACED)
            show.send_signal(signal.SIGCONT)
            wait_for(lambda: ask(port)[0] == 200 and ask(port)[1]["hops"] > hops + 10, "going on")
            # The system keeps no more than ten messages.
            manager.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    manager.recv(4096)
            manager.settimeout(WITHIN_S)
            show.send_signal(signal.SIGTERM)
            _, complained = show.communicate(timeout=WITHIN_S)
        finally:
            show.kill()
        assert (show.returncode, complained) == (0, "")
        told = b""
        while told != b"STOPPING=1":
            told = manager.recv(4096)
    events = [json.loads(line) for line in (tmp_path / "show.jsonl").read_text().splitlines()]
    assert events[0]["event"] == "start"
    assert events[-1]["event"] == "end"
    assert events[-1]["steps"] > 10
    assert any("model" in event.get("line", "") for event in events)


def test_a_show_beset_by_clients_answers_and_ends(probe_file: Path, tmp_path: Path) -> None:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    command = [sys.executable, str(ROOT / "run_live.py"), "--source", "tone", "--out", "null", "--no-osc"]
    show = subprocess.Popen(
        [*command, "--model", str(probe_file), "--health-port", str(port), "--stats", "stats.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: ask(port)[0] == 200, "an answer")
        with ExitStack() as closing:
            for _ in range(100):
                client = closing.enter_context(socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S))
                client.send(b"G")
            assert ask(port)[0] == 200
            show.send_signal(signal.SIGTERM)
            _, complained = show.communicate(timeout=WITHIN_S)
    finally:
        show.kill()
    assert (show.returncode, complained) == (0, "")
    assert json.loads((tmp_path / "stats.json").read_text())["hops"] > 0
