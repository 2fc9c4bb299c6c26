"""A screen for the tests: a virtual X server with a window manager, and what a user does at it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import require

WITHIN_S = 20.0
SIZE = "1280x800"


def wait_until(happened: Callable[[], object], what: str) -> None:
    """Return once `happened` says so; fail, saying `what` did not happen, after WITHIN_S."""
    deadline_s = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < deadline_s, f"{what} did not happen within {WITHIN_S:g} s"
        time.sleep(0.02)


def user(*command: str) -> str:
    """Do what a user would, through a program, and return what it prints."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN_S).stdout


def window_is_there(title: str) -> bool:
    return title in user("wmctrl", "-l")


def pixel(x: int, y: int) -> tuple[int, int, int]:
    """Return red, green and blue of one pixel of the screen."""
    raw = subprocess.run(
        ["import", "-window", "root", "-crop", f"1x1+{x}+{y}", "-depth", "8", "rgb:-"],
        capture_output=True,
        check=True,
        timeout=WITHIN_S,
    ).stdout
    return raw[0], raw[1], raw[2]


@pytest.fixture(scope="session")
def x_server() -> Iterator[str]:
    """A virtual screen of 1280x800 with a window manager. One for the whole run: Qt ends a process that outlives its screen."""
    for program, package in (
        ("Xvfb", "xvfb"),
        ("openbox",) * 2,
        ("wmctrl",) * 2,
        ("xdotool",) * 2,
        ("import", "imagemagick"),
    ):
        require(shutil.which(program), f"{program} (apt install {package})")
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{SIZE}x24", "-nolisten", "tcp"],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as told:
        name = f":{told.readline().strip()}"
    there = {**os.environ, "DISPLAY": name}
    manager = subprocess.Popen(["openbox"], env=there, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def manager_answers() -> bool:
        asked = subprocess.run(["wmctrl", "-m"], env=there, capture_output=True, check=False, timeout=WITHIN_S)
        return asked.returncode == 0

    try:
        wait_until(manager_answers, "openbox's start")
        yield name
    finally:
        for process in (manager, server):
            process.terminate()
            process.wait(WITHIN_S)


@pytest.fixture
def display(x_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The screen's name, for this process and its children."""
    monkeypatch.setenv("DISPLAY", x_server)
    return x_server
