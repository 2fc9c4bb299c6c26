"""The window drawn by GL on a real X server: what is on the screen, keys, sizes, closing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from engine.audio.features.audio_features import AudioFeatures
from engine.control.parameter_store import ControlEvent, ParameterStore
from engine.control.parameter_table import TABLE
from engine.core.errors import SinkError
from engine.output.frame import Frame
from engine.output.window.gl_window import GlWindow
from engine.output.window.letterbox import place, stretch
from engine.output.window.resampling_kernels import KERNELS, LANCZOS, PROCESSOR, resize
from tests.conftest import require
from tests.engine.output.test_sinks import show_format
from tests.fixtures_display import screen_HWC, user, wait_until, window_is_there

TITLE = "Fluid stage"
SCREEN = 1280, 800


@pytest.fixture(autouse=True)
def _gl_is_installed() -> None:
    try:
        import glfw
        import moderngl
    except ImportError:
        glfw = moderngl = None
    require(glfw and moderngl, "glfw and moderngl (pip install glfw moderngl)")


def frame_of(pixels_HWC: np.ndarray, **more: object) -> Frame:
    return Frame(
        index=0,
        pixels_HWC=pixels_HWC,
        features_F=np.zeros(1, np.float32),
        sound_TC=np.zeros((0, 2), np.float32),
        time_s=0.05,
        captured_s=None,
        **more,  # type: ignore[arg-type]
    )


def blots(width: int, height: int, seed: int = 3) -> np.ndarray:
    """A picture with edges, ramps and pixels at both ends of the range."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 256, (5, 6, 3)).astype(np.uint8)
    image = resize(coarse, "bilinear", width, height)
    image[height // 3 : height // 2, width // 4 : width // 2] = 255
    image[height // 2 : height * 2 // 3, width // 2 :] = (0, 40, 0)
    return image


class Stage:
    """A window under test and the knobs it turns."""

    def __init__(self, **settings: object) -> None:
        self.store = ParameterStore(TABLE)
        self.notices: list[str] = []
        self.window = GlWindow(self.store, TITLE, notify=self.notices.append, **settings)  # type: ignore[arg-type]

    def open(self, size: tuple[int, int] = (64, 48)) -> Stage:
        self.window.open(show_format(size))
        return self

    def shows_until(self, frame: Frame, happened, what: str) -> None:
        def look() -> bool:
            assert self.window.poll()
            self.window.show(frame)
            return bool(happened())

        wait_until(look, what)

    def press(self, key: str) -> None:
        user("xdotool", "search", "--name", TITLE, "key", key)


@pytest.fixture
def stage(display: str) -> Iterator[object]:
    opened: list[Stage] = []

    def make(**settings: object) -> Stage:
        opened.append(Stage(**settings))
        return opened[-1]

    yield make
    for one in opened:
        one.window.close()
        one.window.close()
    assert not window_is_there(TITLE)


def expected_screen(image: np.ndarray, upscale: str) -> np.ndarray:
    placed = place(image.shape[1], image.shape[0], *SCREEN)
    make = stretch if upscale == PROCESSOR else lambda i, w, h: resize(i, upscale, w, h)
    field = np.zeros((SCREEN[1], SCREEN[0], 3), np.uint8)
    field[placed.top :, placed.left :][: placed.height, : placed.width] = make(image, placed.width, placed.height)
    return field


@pytest.mark.parametrize(
    ("upscale", "size"),
    [
        *((upscale, size) for upscale in (*KERNELS, PROCESSOR) for size in ((64, 48), (1600, 1200))),
        # Their bars are above and below.
        (LANCZOS, (96, 32)),
        (PROCESSOR, (96, 32)),
    ],
)
def test_every_pixel_is_where_numpy_puts_it_and_the_bars_are_black(stage, upscale, size):
    shown = stage(upscale=upscale, fullscreen=True).open(size)
    frame = frame_of(blots(*size))
    wanted = expected_screen(frame.pixels_HWC, upscale).astype(int)
    shown.shows_until(frame, lambda: abs(screen_HWC() - wanted).max() <= 2, "the picture's appearing")


def test_the_newest_picture_of_one_index_is_on_the_screen(stage):
    shown = stage(fullscreen=True).open()
    for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200)):
        frame = frame_of(np.full((48, 64, 3), colour, np.uint8))
        shown.shows_until(frame, lambda c=colour: tuple(screen_HWC()[400, 640]) == c, f"{colour}'s appearing")


def test_a_picture_that_fills_the_window_leaves_no_bars(stage):
    shown = stage(fullscreen=True, upscale="nearest").open()
    frame = frame_of(np.full((48, 48, 3), (10, 200, 30), np.uint8))
    shown.shows_until(frame, lambda: not screen_HWC()[400, 5].any(), "bars at the sides")
    filling = replace(frame, values={"fill": True})
    shown.shows_until(filling, lambda: (screen_HWC() == (10, 200, 30)).all(), "the picture everywhere")


def test_keys_turn_the_knobs(stage):
    shown = stage().open()
    frame = frame_of(blots(64, 48))
    shown.shows_until(frame, lambda: window_is_there(TITLE), "the window's opening")
    for key, name, value in (
        ("space", "freeze", True),
        ("m", "mirror", True),
        ("b", "blackout", True),
        ("l", "overlay", True),
        ("c", "record", True),
        ("g", "flash_guard", False),
        ("r", "reset", 1),
        ("o", "reset_on_bar", 1),
        ("t", "tap", 1),
        ("g", "flash_guard", True),
    ):
        shown.press(key)
        shown.shows_until(frame, lambda n=name, v=value: shown.store.values()[n] == v, f"key {key}")
    shown.store.take_snapshot(0)
    events: list[ControlEvent] = []
    for key, event in (
        ("3", ControlEvent("scene", 3)),
        ("shift+5", ControlEvent("save_scene", 5)),
        ("n", ControlEvent("scene", 4)),
        ("KP_9", ControlEvent("scene", 9)),
        ("n", ControlEvent("scene", 1)),
    ):
        shown.press(key)
        events.clear()
        shown.shows_until(frame, lambda: events.extend(shown.store.take_snapshot(0).events) or events, f"key {key}")
        assert events == [event]


@pytest.mark.parametrize("key", ["q", "Escape"])
def test_keys_that_quit_the_stage(stage, key):
    shown = stage().open()
    wait_until(lambda: shown.window.poll() and window_is_there(TITLE), "the window's opening")
    shown.press(key)
    wait_until(lambda: not shown.window.poll(), "quitting")
    shown.window.show(frame_of(blots(64, 48)))


def test_f_fills_the_screen_and_gives_it_back(stage):
    shown = stage().open()
    frame = frame_of(np.full((48, 64, 3), (10, 220, 90), np.uint8))

    def covered() -> int:
        return int((screen_HWC() == (10, 220, 90)).all(axis=2).sum())

    shown.shows_until(frame, lambda: covered() == 768 * 576, "the window's opening")
    for key, pixels in (("f", 1067 * 800), ("f", 768 * 576)):
        shown.press(key)
        shown.shows_until(frame, lambda p=pixels: covered() == p, "the change of size")


def test_the_picture_follows_the_window(stage):
    shown = stage().open()
    frame = frame_of(np.full((48, 64, 3), (10, 220, 90), np.uint8))
    shown.shows_until(frame, lambda: window_is_there(TITLE), "the window's opening")
    user("wmctrl", "-r", TITLE, "-e", "0,100,100,600,200")

    def columns() -> int:
        return int((screen_HWC() == (10, 220, 90)).all(axis=2).any(axis=0).sum())

    shown.shows_until(frame, lambda: 200 <= columns() <= 270, "the picture's getting smaller")


def test_closing_it_ends_the_show(stage):
    shown = stage().open()
    wait_until(lambda: shown.window.poll() and window_is_there(TITLE), "the window's opening")
    user("wmctrl", "-c", TITLE)
    wait_until(lambda: not shown.window.poll(), "the closing")
    assert shown.notices == []


def test_the_overlay_lies_over_the_window_alone(stage):
    shown = stage(fullscreen=True, overlay_lines=lambda: ["frame age\t12 ms"]).open()
    image = np.full((48, 64, 3), 200, np.uint8)
    audio_features = AudioFeatures(level=0.5, tempo_bpm=120.0, certainty=1.0)
    frame = frame_of(image, audio_features=audio_features)
    shown.shows_until(frame, lambda: (screen_HWC()[:, 200:1000] == 200).all(), "the picture's appearing")
    shown.store.set("overlay", True)
    shown.shows_until(frame, lambda: (screen_HWC()[20:140, 110:330] < 120).mean() > 0.5, "the panel's appearing")
    assert (screen_HWC()[400:] == 200).all(axis=2).mean() > 0.8
    shown.store.set("overlay", False)
    shown.shows_until(frame, lambda: (screen_HWC()[:, 200:1000] == 200).all(), "the panel's going")
    assert (image == 200).all()


def test_what_gl_cannot_draw_costs_a_picture_and_not_the_show(stage):
    shown = stage(upscale=LANCZOS).open()
    shown.window.show(frame_of(np.zeros((40_000, 1, 3), np.uint8)))
    assert shown.notices[-1].startswith("OpenGL failed (")
    opened = "The window is open again."
    shown.shows_until(frame_of(blots(64, 48)), lambda: opened in shown.notices, "the window's opening again")


@pytest.mark.usefixtures("display")
def test_what_is_not_there_is_refused_in_a_sentence():
    with pytest.raises(SinkError, match=r"no monitor 'projector'. There are 'screen' \(1280x800\)\."):
        Stage(monitor="projector").open()
    with pytest.raises(SinkError, match=r"no way 'lanczoss'.* Did you mean 'lanczos'"):
        Stage(upscale="lanczoss")


def test_without_a_screen_the_stage_says_the_same_sentence(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":93")
    with pytest.raises(SinkError, match="no screen answers"):
        Stage().open()
