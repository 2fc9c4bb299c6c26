"""OpenCV's window on a real X server: what is on the screen, keys, closing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.control.parameter_store import ControlEvent, ParameterStore
from engine.control.parameter_table import TABLE
from engine.core.errors import SinkError
from engine.output.frame import Frame
from engine.output.window.opencv_window import OpenCvWindow
from engine.output.window.screen import has_screen
from engine.output.window.window_config import WindowConfig
from tests.engine.output.test_sinks import show_format
from tests.fixtures_display import pixel, user, wait_until, window_is_there

TITLE = "Fluid test"


def red_and_blue() -> Frame:
    """Red to the left, blue to the right."""
    pixels_HWC = np.zeros((64, 64, 3), np.uint8)
    pixels_HWC[:, :32] = (255, 0, 0)
    pixels_HWC[:, 32:] = (0, 0, 255)
    return Frame(
        index=0,
        pixels_HWC=pixels_HWC,
        features_F=np.zeros(1, np.float32),
        sound_TC=np.zeros((0, 2), np.float32),
        first_sample=0,
        time_s=0.05,
        captured_s=None,
    )


@pytest.mark.usefixtures("display")
def test_the_window(capfd):
    assert has_screen()
    store = ParameterStore(TABLE)
    window = OpenCvWindow(store, WindowConfig(title=TITLE))
    window.open(show_format((64, 64)))

    def press(key: str) -> None:
        user("xdotool", "search", "--name", TITLE, "key", key)

    def draws_until(happened) -> bool:
        assert window.poll()
        window.show(red_and_blue())
        return happened()

    try:
        wait_until(lambda: draws_until(lambda: window_is_there(TITLE)), "the window's opening")
        # A key that is pressed before the window is drawn is lost.
        wait_until(lambda: draws_until(lambda: (255, 0, 0) in (pixel(440, 400), pixel(500, 400))), "the first frame")
        press("f")
        full = {
            (640 - 200, 400): (255, 0, 0),
            (640 + 200, 400): (0, 0, 255),
            (100, 400): (0, 0, 0),
            (1180, 400): (0, 0, 0),
        }
        wait_until(lambda: draws_until(lambda: all(pixel(*at) == c for at, c in full.items())), "the full screen")
        for key, name, value in (("space", "freeze", True), ("m", "mirror", True), ("r", "reset", 1)):
            press(key)
            wait_until(lambda n=name, v=value: draws_until(lambda: store.values()[n] == v), f"key {key}")
        store.take_snapshot(0)
        for key, event in (
            ("3", ControlEvent("scene", 3)),
            ("shift+2", ControlEvent("save_scene", 2)),
            ("n", ControlEvent("next_scene", 0)),
        ):
            press(key)
            events: list[ControlEvent] = []
            wait_until(lambda e=events: draws_until(lambda: e.extend(store.take_snapshot(0).events) or e), f"key {key}")
            assert events == [event]
        # The frame begins at column 240: the panel lies on the black beside it.
        press("l")
        wait_until(lambda: draws_until(lambda: 0 < sum(pixel(25, 60)) < 90), "the overlay's appearing")
        user("wmctrl", "-c", TITLE)
        wait_until(lambda: not window.poll(), "the closing")
        window.show(red_and_blue())
        assert not window.poll()
    finally:
        window.close()
        window.close()
    assert not window_is_there(TITLE)
    assert "QFont" not in capfd.readouterr().err


@pytest.mark.usefixtures("display")
def test_the_overlay_is_not_drawn_into_a_frame_that_is_cropped_to_the_very_window():
    store = ParameterStore(TABLE)
    window = OpenCvWindow(store, WindowConfig(title=TITLE))
    window.open(show_format((64, 64)))
    try:
        wait_until(lambda: window.poll() and window_is_there(TITLE), "the window's opening")
        window.show(red_and_blue())
        assert window.shown_size
        width, height = window.shown_size
        pixels_HWC = np.full((height, width + 100, 3), 200, np.uint8)
        window.show(replace(red_and_blue(), pixels_HWC=pixels_HWC, values={"fill": True, "overlay": True}))
        assert window.shown_size == (width, height)
        assert (pixels_HWC == 200).all()
    finally:
        window.close()


@pytest.mark.usefixtures("display")
@pytest.mark.parametrize("key", ["q", "Escape"])
def test_keys_that_quit(key):
    window = OpenCvWindow(ParameterStore(TABLE), WindowConfig(title=TITLE))
    window.open(show_format((64, 64)))
    wait_until(lambda: window.poll() and window_is_there(TITLE), "the window's opening")
    user("xdotool", "search", "--name", TITLE, "key", key)
    wait_until(lambda: not window.poll(), "quitting")
    window.close()


def test_without_a_screen_it_is_one_sentence(monkeypatch):
    for name in ("", ":93"):
        monkeypatch.setenv("DISPLAY", name)
        assert not has_screen()
        with pytest.raises(SinkError, match="no screen answers"):
            OpenCvWindow(ParameterStore(TABLE), WindowConfig()).open(show_format())
