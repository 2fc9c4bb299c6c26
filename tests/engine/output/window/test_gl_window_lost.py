"""The GL window when its screen, its monitor or OpenGL is missing or lost. Each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from tests.fixtures_display import WITHIN_S, Screen, screen_HWC, user, wait_until, window_manager

# Shows frames of one colour and prints what happens, until it is told to end or the window is closed.
SHOW = """
import sys, threading, time
import numpy as np
from engine.control.parameter_store import ParameterStore
from engine.core.errors import SinkError
from engine.output.frame import Frame, ShowFormat
from engine.control.parameter_table import TABLE
from engine.output.window.window_choice import make_window
from engine.output.window.window_config import WindowConfig
kind, fullscreen, monitor = sys.argv[1], sys.argv[2] == "full", sys.argv[3] if len(sys.argv) > 3 else None
def say(line): print(line, flush=True)
config = WindowConfig(title="Fluid lost", fullscreen=fullscreen, monitor=monitor)
window = make_window(kind, ParameterStore(TABLE), config, say)
pixels_HWC = np.full((48, 64, 3), (10, 220, 90), np.uint8)
frame = Frame(index=0, pixels_HWC=pixels_HWC, features_F=np.zeros(1, np.float32), sound_TC=np.zeros((0, 2), np.float32), first_sample=0,
              time_s=0.05, captured_s=None)
try:
    window.open(ShowFormat(title="t", width=64, height=48, fps=20, sound_rate_hz=48000, sound_channels=1, live=True))
except SinkError as error:
    say(f"refused: {error}")
    sys.exit(2)
told = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), told.set()), daemon=True).start()
say("open")
while not told.is_set() and window.poll():
    window.show(frame)
    time.sleep(0.01)
window.close()
say("ended")
"""
COLOUR = (10, 220, 90)


class Show:
    """SHOW in its own process."""

    def __init__(self, display: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SHOW, *arguments],
            env={**os.environ, "DISPLAY": display},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        # A show that hangs is killed, and the test fails instead of waiting for ever.
        self._limit = threading.Timer(3 * WITHIN_S, self.process.kill)
        self._limit.start()

    def says(self) -> str:
        """Wait for the next line."""
        assert self.process.stdout
        return self.process.stdout.readline().rstrip()

    def end(self) -> str:
        """Tell it to end, and return what it printed until then."""
        said, _ = self.process.communicate("end\n", timeout=WITHIN_S)
        assert self.process.returncode == 0
        return said

    def stop(self) -> None:
        """End it, whatever it does."""
        self._limit.cancel()
        self.process.kill()
        self.process.wait(WITHIN_S)


@pytest.fixture
def start():
    shows: list[Show] = []

    def begin(display: str, *arguments: str) -> Show:
        shows.append(Show(display, *arguments))
        return shows[-1]

    yield begin
    for show in shows:
        show.stop()


def covered(display: str, left: int = 0, right: int | None = None) -> int:
    return int((screen_HWC(display)[:, left:right] == COLOUR).all(axis=2).sum())


def test_a_killed_screen_does_not_end_the_show_and_a_new_one_gets_the_window(
    own_screen: Callable[..., Screen], start
) -> None:
    screen = own_screen()
    show = start(screen.name, "gl", "window")
    assert show.says() == "open"
    for _ in range(2):
        wait_until(lambda: covered(screen.name) == 768 * 576, "the frame's appearing")
        screen.kill()
        assert show.says() == "The screen is gone; the show goes on, and the window opens again when it can."
        screen.start()
        assert show.says() == "The window is open again."
    wait_until(lambda: covered(screen.name) == 768 * 576, "the frame's appearing again")
    assert show.end() == "ended\n"


def test_a_show_ends_in_order_while_its_screen_is_gone(own_screen: Callable[..., Screen], start) -> None:
    screen = own_screen()
    show = start(screen.name, "gl", "full")
    assert show.says() == "open"
    screen.kill()
    assert show.says().startswith("The screen is gone")
    assert show.end() == "ended\n"


def test_a_window_that_another_program_destroys_opens_again(
    own_screen: Callable[..., Screen], start, monkeypatch
) -> None:
    screen = own_screen()
    monkeypatch.setenv("DISPLAY", screen.name)
    show = start(screen.name, "gl", "window")
    assert show.says() == "open"
    wait_until(lambda: covered(screen.name) == 768 * 576, "the frame's appearing")
    user("xdotool", "search", "--name", "Fluid lost", "windowclose")
    assert show.says().startswith("The window was destroyed from outside;")
    assert show.says() == "The window is open again."
    wait_until(lambda: covered(screen.name) == 768 * 576, "the frame's appearing again")
    assert show.end() == "ended\n"


def test_without_gl_it_is_refused_or_opencv_takes_its_place(own_screen: Callable[..., Screen], start) -> None:
    screen = own_screen("-extension", "GLX")
    refused = start(screen.name, "gl", "window").says()
    assert refused.startswith("refused: No window with OpenGL 3.3 can be opened: ")
    assert "GLX" in refused

    def appeared() -> bool:
        assert show.process.poll() is None
        return covered(screen.name) > 0

    with window_manager(screen.name):
        show = start(screen.name, "auto", "window")
        notice = show.says()
        assert notice == f"{refused.removeprefix('refused: ')} OpenCV's window is opened instead."
        assert show.says() == "open"
        wait_until(appeared, "the frame's appearing")
        assert show.end() == "ended\n"


def test_an_unknown_monitor_is_refused_by_both_windows(own_screen: Callable[..., Screen], start) -> None:
    screen = own_screen()
    said = start(screen.name, "auto", "full", "beamer").says()
    assert said == "refused: There is no monitor 'beamer'. There are 'screen' (1280x800)."


def test_the_window_follows_its_monitor(two_monitors: str, start) -> None:
    show = start(two_monitors, "gl", "full", "dummy1")
    assert show.says() == "open"
    wait_until(lambda: covered(two_monitors, 640) == 800 * 600, "the second monitor's filling")
    assert covered(two_monitors, 0, 640) == 0
    user("xrandr", "--output", "DUMMY1", "--off")
    gone = show.says()
    assert gone.startswith("There is no monitor 'dummy1'. There are 'DUMMY0' (640x480")
    assert gone.endswith("The window moves to 'DUMMY0'.")
    wait_until(lambda: covered(two_monitors, 0, 640) >= 640 * 480, "the first monitor's filling")
    user("xrandr", "--output", "DUMMY1", "--mode", "800x600", "--right-of", "DUMMY0")
    assert show.says() == "The window moves to 'DUMMY1'."
    wait_until(lambda: covered(two_monitors, 640) == 800 * 600, "the second monitor's filling again")
    assert show.end() == "ended\n"
