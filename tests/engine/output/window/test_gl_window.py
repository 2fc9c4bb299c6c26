"""The GL window on a real X server: what is on the screen, keys, sizes, closing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from engine.audio.features.audio_features import AudioFeatures
from engine.control.parameter_store import ControlEvent, ParameterStore
from engine.control.parameter_table import TABLE
from engine.core import fit
from engine.core.errors import SinkError
from engine.output.frame import Frame
from engine.output.sharpening import reach_px, sharpened
from engine.output.window.gl_window import GlWindow
from engine.output.window.resampling_kernels import BILINEAR, KERNELS, LANCZOS, PROCESSOR, resize
from engine.output.window.window_config import WindowConfig
from tests.conftest import require
from tests.engine.output.test_sinks import show_format
from tests.fixtures_display import screen_HWC, user, wait_until, window_is_there

TITLE = "Fluid window"
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
        first_sample=0,
        time_s=0.05,
        captured_s=None,
        **more,  # type: ignore[arg-type]
    )


def blots(width: int, height: int, seed: int = 3) -> np.ndarray:
    """A frame with edges, ramps and levels at both ends of the range."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (5, 6, 3)).astype(np.uint8)
    pixels_HWC = resize(coarse, "bilinear", width, height)
    pixels_HWC[height // 3 : height // 2, width // 4 : width // 2] = 255
    pixels_HWC[height // 2 : height * 2 // 3, width // 2 :] = (0, 40, 0)
    return pixels_HWC


class ShownWindow:
    """A window under test and the parameters that its keys set."""

    def __init__(self, **settings: object) -> None:
        self.store = ParameterStore(TABLE)
        self.notices: list[str] = []
        self.window = GlWindow(
            self.store,
            WindowConfig(title=TITLE, **settings),  # type: ignore[arg-type]
            notify=self.notices.append,
        )

    def open(self, size: tuple[int, int] = (64, 48)) -> ShownWindow:
        self.window.open(show_format(size))
        return self

    def shows_until(self, frame: Frame, happened, what: str) -> None:
        def shown() -> bool:
            assert self.window.poll()
            self.window.show(frame)
            return bool(happened())

        wait_until(shown, what)

    def press(self, key: str) -> None:
        user("xdotool", "search", "--name", TITLE, "key", key)


@pytest.fixture
def shown_window(display: str) -> Iterator[object]:
    opened: list[ShownWindow] = []

    def make(**settings: object) -> ShownWindow:
        opened.append(ShownWindow(**settings))
        return opened[-1]

    yield make
    for one in opened:
        one.window.close()
        one.window.close()
    assert not window_is_there(TITLE)


def expected_screen(pixels_HWC: np.ndarray, upscale: str) -> np.ndarray:
    placed = fit.place_inside(pixels_HWC.shape[1], pixels_HWC.shape[0], *SCREEN)
    make = fit.resize if upscale == PROCESSOR else lambda i, w, h: resize(i, upscale, w, h)
    field = np.zeros((SCREEN[1], SCREEN[0], 3), np.uint8)
    field[placed.top :, placed.left :][: placed.height, : placed.width] = make(pixels_HWC, placed.width, placed.height)
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
def test_every_pixel_is_where_numpy_puts_it_and_the_bars_are_black(shown_window, upscale, size):
    shown = shown_window(upscale=upscale, fullscreen=True).open(size)
    frame = frame_of(blots(*size))
    wanted = expected_screen(frame.pixels_HWC, upscale).astype(int)
    shown.shows_until(frame, lambda: abs(screen_HWC() - wanted).max() <= 2, "the frame's appearing")


@pytest.mark.parametrize("upscale", [BILINEAR, LANCZOS, PROCESSOR])
def test_the_shader_sharpens_what_it_enlarges_as_the_processor_does(shown_window, upscale):
    shown = shown_window(upscale=upscale, fullscreen=True).open()
    frame = frame_of(blots(64, 48), values={"sharpen": 0.6})
    placed = fit.place_inside(64, 48, *SCREEN)
    inside = np.s_[placed.top : placed.top + placed.height, placed.left : placed.left + placed.width]
    plain_HWC = expected_screen(frame.pixels_HWC, upscale)
    wanted_HWC = plain_HWC.copy()
    wanted_HWC[inside] = sharpened(np.ascontiguousarray(plain_HWC[inside]), 0.6, reach_px(64, placed.width))

    def apart(other_HWC: np.ndarray) -> float:
        return float(np.quantile(np.abs(screen_HWC() - other_HWC.astype(int)), 0.999))

    shown.shows_until(frame, lambda: apart(wanted_HWC) <= 2, "the sharpened frame's appearing")
    assert apart(plain_HWC) > 10
    soft = replace(frame, values={})
    shown.shows_until(soft, lambda: apart(plain_HWC) <= 2, "the frame without sharpening")
    assert shown.window.shown_size == SCREEN


def test_auto_never_shows_square_pixels(shown_window):
    """On this screen OpenGL runs on the processor, which takes linear interpolation for the larger of these frames."""
    shown = shown_window(fullscreen=True).open()
    for rows, left in ((6, 110), (5, 10)):
        steps_HWC = np.repeat(np.array([[0, 250] * 4], np.uint8), rows, axis=0)[..., None].repeat(3, axis=2)
        frame = frame_of(steps_HWC)
        shown.shows_until(frame, lambda x=left: screen_HWC()[400, x : x + 250].max() > 200, "the frame's appearing")
        row = screen_HWC()[400, left : 1280 - left, 0].astype(int)
        assert row.max() > 240
        assert np.abs(np.diff(row)).max() < 20


def test_the_newest_frame_of_one_index_is_on_the_screen(shown_window):
    shown = shown_window(fullscreen=True).open()
    for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200)):
        frame = frame_of(np.full((48, 64, 3), colour, np.uint8))
        shown.shows_until(frame, lambda c=colour: tuple(screen_HWC()[400, 640]) == c, f"{colour}'s appearing")


def test_a_frame_that_fills_the_window_leaves_no_bars(shown_window):
    shown = shown_window(fullscreen=True, upscale="nearest").open()
    frame = frame_of(np.full((48, 48, 3), (10, 200, 30), np.uint8))
    shown.shows_until(frame, lambda: not screen_HWC()[400, 5].any(), "bars at the sides")
    filling = replace(frame, values={"fill": True})
    shown.shows_until(filling, lambda: (screen_HWC() == (10, 200, 30)).all(), "the frame everywhere")


def test_keys_set_parameters(shown_window):
    shown = shown_window().open()
    frame = frame_of(blots(64, 48))
    shown.shows_until(frame, lambda: window_is_there(TITLE), "the opening of the window")
    for key, name, value in (
        ("space", "freeze", True),
        ("m", "mirror", True),
        ("b", "blackout", True),
        ("l", "overlay", True),
        ("c", "record", True),
        ("k", "record_take", True),
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
        ("n", ControlEvent("next_scene", 0)),
        ("KP_9", ControlEvent("scene", 9)),
        ("n", ControlEvent("next_scene", 0)),
    ):
        shown.press(key)
        events.clear()
        shown.shows_until(frame, lambda: events.extend(shown.store.take_snapshot(0).events) or events, f"key {key}")
        assert events == [event]


@pytest.mark.parametrize("key", ["q", "Escape"])
def test_keys_that_quit(shown_window, key):
    shown = shown_window().open()
    wait_until(lambda: shown.window.poll() and window_is_there(TITLE), "the opening of the window")
    shown.press(key)
    wait_until(lambda: not shown.window.poll(), "quitting")
    shown.window.show(frame_of(blots(64, 48)))


def test_f_fills_the_screen_and_gives_it_back(shown_window):
    shown = shown_window().open()
    frame = frame_of(np.full((48, 64, 3), (10, 220, 90), np.uint8))

    def covered() -> int:
        return int((screen_HWC() == (10, 220, 90)).all(axis=2).sum())

    shown.shows_until(frame, lambda: covered() == 768 * 576, "the opening of the window")
    for key, pixels in (("f", 1067 * 800), ("f", 768 * 576)):
        shown.press(key)
        shown.shows_until(frame, lambda p=pixels: covered() == p, "the change of size")


def test_the_frame_follows_the_size_of_the_window(shown_window):
    shown = shown_window().open()
    frame = frame_of(np.full((48, 64, 3), (10, 220, 90), np.uint8))
    shown.shows_until(frame, lambda: window_is_there(TITLE), "the opening of the window")
    user("wmctrl", "-r", TITLE, "-e", "0,100,100,600,200")

    def columns() -> int:
        return int((screen_HWC() == (10, 220, 90)).all(axis=2).any(axis=0).sum())

    shown.shows_until(frame, lambda: 200 <= columns() <= 270, "the frame's getting smaller")


def test_closing_it_ends_the_show(shown_window):
    shown = shown_window().open()
    wait_until(lambda: shown.window.poll() and window_is_there(TITLE), "the opening of the window")
    user("wmctrl", "-c", TITLE)
    wait_until(lambda: not shown.window.poll(), "the closing")
    assert shown.notices == []


def test_the_overlay_lies_over_the_window_alone(shown_window):
    shown = shown_window(fullscreen=True, overlay_lines=lambda: ["frame age\t12 ms"]).open()
    pixels_HWC = np.full((48, 64, 3), 200, np.uint8)
    audio_features = AudioFeatures(level=0.5, tempo_bpm=120.0, certainty=1.0)
    frame = frame_of(pixels_HWC, audio_features=audio_features)
    shown.shows_until(frame, lambda: (screen_HWC()[:, 200:1000] == 200).all(), "the frame's appearing")
    shown.store.set("overlay", True)
    shown.shows_until(frame, lambda: (screen_HWC()[20:140, 110:330] < 120).mean() > 0.5, "the panel's appearing")
    assert (screen_HWC()[400:] == 200).all(axis=2).mean() > 0.8
    shown.store.set("overlay", False)
    shown.shows_until(frame, lambda: (screen_HWC()[:, 200:1000] == 200).all(), "the panel's going")
    assert (pixels_HWC == 200).all()


def test_what_gl_cannot_draw_costs_a_frame_and_not_the_show(shown_window):
    shown = shown_window(upscale=LANCZOS).open()
    shown.window.show(frame_of(np.zeros((40_000, 1, 3), np.uint8)))
    assert shown.notices[-1].startswith("OpenGL failed (")
    opened = "The window is open again."
    shown.shows_until(frame_of(blots(64, 48)), lambda: opened in shown.notices, "the reopening of the window")


@pytest.mark.usefixtures("display")
def test_what_is_not_there_is_refused_in_a_sentence():
    with pytest.raises(SinkError, match=r"no monitor 'projector'. There are 'screen' \(1280x800\)\."):
        ShownWindow(monitor="projector").open()
    with pytest.raises(SinkError, match=r"no upscaler 'lanczoss'.* Did you mean 'lanczos'"):
        ShownWindow(upscale="lanczoss")


def test_without_a_screen_it_is_one_sentence(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":93")
    with pytest.raises(SinkError, match="no screen answers"):
        ShownWindow().open()


def test_a_window_has_the_refresh_rate_of_its_monitor(two_monitors: str) -> None:
    """As xrandr lists it, rounded as video modes are; on the way from one monitor to the other it follows."""

    def rates() -> list[int]:
        listed = [line.split() for line in user("xrandr").splitlines() if "*" in line]
        return [round(float(words[1].rstrip("*+"))) for words in listed]

    known = rates()
    assert len(known) == 2
    shown = ShownWindow()
    assert shown.window.refresh_hz is None
    try:
        shown.open((64, 48))
        assert shown.window.refresh_hz == known[0]
    finally:
        shown.window.close()
    assert shown.window.refresh_hz is None
    shown = ShownWindow(monitor="dummy1", fullscreen=True)
    try:
        shown.open((64, 48))
        frame = frame_of(blots(64, 48))
        shown.shows_until(frame, lambda: shown.window.refresh_hz == known[1], "the second monitor's rate")
    finally:
        shown.window.close()
