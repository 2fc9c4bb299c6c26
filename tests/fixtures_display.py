"""A screen for tests: a virtual X server with a window manager, and the actions of a user."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conftest import require

WITHIN_S = 20.0
SIZE = "1280x800"


def wait_until(has_happened: Callable[[], object], what: str) -> None:
    """Return once `has_happened` returns true; fail after WITHIN_S with a message that names `what`."""
    deadline_s = time.monotonic() + WITHIN_S
    while not has_happened():
        assert time.monotonic() < deadline_s, f"{what} did not happen within {WITHIN_S:g} s"
        time.sleep(0.02)


def user(*command: str) -> str:
    """Act as a user through a program, and return its output."""
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


def screen_HWC(display: str | None = None) -> NDArray[np.uint8]:
    """Return the whole screen as RGB pixels: of `display`, or of DISPLAY."""
    shown = {**os.environ, "DISPLAY": display} if display else None
    ppm = subprocess.run(
        ["import", "-window", "root", "-depth", "8", "ppm:-"],
        capture_output=True,
        check=True,
        timeout=WITHIN_S,
        env=shown,
    ).stdout
    kind, size, _, pixels = ppm.split(b"\n", 3)
    assert kind == b"P6"
    width, height = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


class Screen:
    """An X server of one test, which can be killed and started again."""

    def __init__(self, *options: str) -> None:
        require(shutil.which("Xvfb"), "Xvfb (apt install xvfb)")
        self.name = ""
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with its former name if it had one, and return once it answers."""
        read_end, write_end = os.pipe()
        command = ["Xvfb", *([self.name] if self.name else []), "-displayfd", str(write_end), "-screen", "0"]
        # Otherwise it resets, and refuses clients meanwhile, whenever its last client leaves.
        command += [f"{SIZE}x24", "-nolisten", "tcp", "-noreset", *self._options]
        self._process = subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL)
        os.close(write_end)
        with os.fdopen(read_end) as answer:
            self.name = f":{answer.readline().strip()}"

    def kill(self) -> None:
        """Kill it, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait(WITHIN_S)
            self._process = None

    def stop(self) -> None:
        """End it in order, so that its number becomes free."""
        if self._process:
            self._process.terminate()
            self._process.wait(WITHIN_S)
            self._process = None


@pytest.fixture
def own_screen() -> Iterator[Callable[..., Screen]]:
    """Starts X servers for one test; options are those of Xvfb."""
    with contextlib.ExitStack() as ending:

        def start(*options: str) -> Screen:
            screen = Screen(*options)
            ending.callback(screen.stop)
            screen.start()
            return screen

        yield start


@contextlib.contextmanager
def window_manager(display: str) -> Iterator[None]:
    """Openbox on a screen, ready."""
    require(shutil.which("openbox"), "openbox (apt install openbox)")
    require(shutil.which("wmctrl"), "wmctrl (apt install wmctrl)")
    there = {**os.environ, "DISPLAY": display}
    manager = subprocess.Popen(["openbox"], env=there, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def manager_answers() -> bool:
        asked = subprocess.run(["wmctrl", "-m"], env=there, capture_output=True, check=False, timeout=WITHIN_S)
        return asked.returncode == 0

    try:
        wait_until(manager_answers, "openbox's start")
        yield
    finally:
        manager.terminate()
        manager.wait(WITHIN_S)


_TWO_MONITORS = """
Section "Device"
  Identifier "card"
  Driver "dummy"
  VideoRam 64000
EndSection
Section "Monitor"
  Identifier "monitor"
  HorizSync 5-1000
  VertRefresh 5-200
EndSection
Section "Screen"
  Identifier "screen"
  Device "card"
  Monitor "monitor"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Modes "640x480"
    Virtual 1600 600
  EndSubSection
EndSection
Section "ServerFlags"
  Option "AutoAddDevices" "false"
EndSection
"""


@pytest.fixture
def two_monitors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A screen with DUMMY0 of 640x480 and, to its right, DUMMY1 of 800x600; `xrandr` plugs and unplugs."""
    driver = Path("/usr/lib/xorg/modules/drivers/dummy_drv.so")
    require(shutil.which("Xorg") and driver.exists(), "Xorg's dummy driver (apt install xserver-xorg-video-dummy)")
    require(shutil.which("xrandr"), "xrandr (apt install x11-xserver-utils)")
    configuration = tmp_path / "xorg.conf"
    configuration.write_text(_TWO_MONITORS)
    read_end, write_end = os.pipe()
    command = ["Xorg", "-config", str(configuration), "-logfile", str(tmp_path / "xorg.log"), "-noreset"]
    command += ["-novtswitch", "-sharevts", "-nolisten", "tcp", "-displayfd", str(write_end)]
    server = subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.close(write_end)
    try:
        with os.fdopen(read_end) as answer:
            name = f":{answer.readline().strip()}"
        monkeypatch.setenv("DISPLAY", name)

        def plugged_in() -> bool:
            # The first commands fail until the server has found its modes.
            user("xrandr", "--addmode", "DUMMY1", "800x600")
            user("xrandr", "--output", "DUMMY1", "--mode", "800x600", "--right-of", "DUMMY0")
            return "DUMMY1 connected 800x600+640+0" in user("xrandr")

        wait_until(plugged_in, "the second monitor's plugging in")
        yield name
    finally:
        server.terminate()
        server.wait(WITHIN_S)


@pytest.fixture(scope="session")
def x_server() -> Iterator[str]:
    """A virtual screen of 1280x800 with a window manager. One for the whole run, because Qt ends a process that outlives its screen."""
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
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{SIZE}x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        name = f":{answer.readline().strip()}"
    try:
        with window_manager(name):
            yield name
    finally:
        server.terminate()
        server.wait(WITHIN_S)


@pytest.fixture
def display(x_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The screen's name, for this process and its children."""
    monkeypatch.setenv("DISPLAY", x_server)
    return x_server
