"""The overlay: what it shows, where, and when it is drawn again; and the tables that resize frames."""

from __future__ import annotations

import numpy as np
import pytest

from engine.audio.features.audio_features import AudioFeatures
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE
from engine.output.frame import Frame
from engine.output.window.overlay import LINES_EVERY_S, METERS_EVERY_S, Content, Overlay, Panel, draw_panel, lay_over
from engine.output.window.resampling_kernels import KERNELS, LANCZOS, NEAREST, resize, taps

GREEN, RED = (84, 200, 130), (236, 78, 70)


def frame(**values: float) -> Frame:
    return Frame(
        index=0,
        pixels_HWC=np.zeros((8, 8, 3), np.uint8),
        features_F=np.zeros(1, np.float32),
        sound_TC=np.zeros((0, 1), np.float32),
        first_sample=0,
        time_s=0.0,
        captured_s=None,
        values=values,
    )


def pixels_like(panel_HWC: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((abs(panel_HWC[..., :3].astype(int) - colour).max(axis=2) <= 3).sum())


def test_a_panel_is_as_large_as_its_lines_and_round_at_its_corners():
    short, long = (
        draw_panel(Content(lines), 16)
        for lines in (("age\t1 ms",), ("age\t1 ms", "a much longer line of figures\t1234567"))
    )
    assert long.shape[0] > short.shape[0]
    assert long.shape[1] > short.shape[1]
    assert short[0, 0, 3] == 0
    assert 180 < short[short.shape[0] // 2, 3, 3] < 220
    assert (short[..., :3] <= short[..., 3:]).all()


def test_every_text_of_the_user_can_be_drawn():
    draw_panel(Content(("", "\t", "Größe\t– ✓", "a\tb\tc", "x" * 300)), 16)


@pytest.mark.parametrize("level", [-0.1, 0.0, 0.3, 0.8])
def test_the_bar_is_as_long_as_the_level(level):
    full = pixels_like(draw_panel(Content(audio_features=AudioFeatures(level=0.84)), 16), GREEN)
    assert pixels_like(
        draw_panel(Content(audio_features=AudioFeatures(level=level)), 16), GREEN
    ) / full == pytest.approx(max(level, 0) / 0.84, abs=0.02)


def test_bands_are_metered_in_decibels_beside_their_gains():
    def green(**rms: float) -> int:
        return pixels_like(draw_panel(Content(audio_features=AudioFeatures(**rms)), 16), GREEN)

    assert green() == 0
    assert green(low_rms=0.001) == 0
    # -40 and -20 dB of 60.
    assert green(low_rms=0.1) == pytest.approx(2 * green(mid_rms=0.01), rel=0.1)
    plain, cut = (draw_panel(Content(gains_db=(gain_db, 0.0, 0.0)), 16) for gain_db in (0.0, -12.0))
    assert (plain != cut).any()


def test_each_named_input_has_a_row_with_its_level():
    def panel(**levels: float) -> np.ndarray:
        inputs = {name: AudioFeatures(level=level) for name, level in levels.items()}
        return draw_panel(Content(("age\t1 ms",), AudioFeatures(inputs=inputs)), 16)

    none, one, two = panel(), panel(drums=0.8), panel(drums=0.8, voice=0.4)
    row = one.shape[0] - none.shape[0]
    assert row > 0
    assert two.shape[0] - one.shape[0] == row
    assert pixels_like(two, GREEN) / pixels_like(one, GREEN) == pytest.approx(1.5, abs=0.05)
    assert panel(**{"x" * 200: 0.5}).shape[1] < 2 * one.shape[1]


def test_the_first_beat_of_the_bar_is_red():
    def red(beats: float) -> int:
        return pixels_like(draw_panel(Content(audio_features=AudioFeatures(tempo_bpm=120.0, beats=beats)), 16), RED)

    assert red(8.0) > 20
    assert red(9.0) == red(11.0) == 0


def test_it_is_shown_only_while_it_is_on_and_has_badges():
    store = ParameterStore(TABLE)
    overlay = Overlay(store, lambda: ["age\t1 ms"])
    assert overlay.panel(frame(), 720, 0.0) is None
    store.set("overlay", True)
    plain = overlay.panel(frame(), 720, 1.0)
    assert plain
    assert plain.changed
    assert pixels_like(plain.pixels_HWC, RED) == 0
    recording = overlay.panel(frame(record=True), 720, 2.0)
    assert recording
    assert pixels_like(recording.pixels_HWC, RED) > 20
    assert overlay.panel(frame(overlay=False), 720, 3.0) is None
    trimmed = overlay.panel(frame(low_gain_db=-12.0), 720, 4.0)
    assert trimmed
    assert (trimmed.pixels_HWC != plain.pixels_HWC).any()


def test_the_badge_of_a_take_follows_what_is_written():
    is_recording = False
    overlay = Overlay(ParameterStore(TABLE, {"overlay": True}), lambda: ["age\t1 ms"], lambda: is_recording)
    waiting = overlay.panel(frame(record_take=True), 720, 1.0)
    is_recording = True
    written = overlay.panel(frame(record_take=True), 720, 2.0)
    assert waiting
    assert written
    assert pixels_like(waiting.pixels_HWC, RED) == 0
    assert pixels_like(written.pixels_HWC, RED) > 20


def test_it_is_drawn_no_more_often_than_can_be_read():
    asked: list[int] = []
    overlay = Overlay(ParameterStore(TABLE, {"overlay": True}), lambda: asked.append(1) or ["age\t1 ms"])
    first = overlay.panel(frame(), 720, 0.0)
    again = overlay.panel(frame(), 720, METERS_EVERY_S / 2)
    assert first
    assert again
    assert again.pixels_HWC is first.pixels_HWC
    assert not again.changed
    assert overlay.panel(frame(), 720, METERS_EVERY_S).changed
    assert len(asked) == 1
    # Another height is another size of text, at once.
    assert overlay.panel(frame(), 2160, METERS_EVERY_S).pixels_HWC.shape > first.pixels_HWC.shape
    overlay.panel(frame(), 720, LINES_EVERY_S)
    assert len(asked) == 2


def test_parts_outside_the_window_are_cut_off():
    panel = Panel(draw_panel(Content(), 16), 10, 10, True)
    window = np.full((24, 30, 3), 200, np.uint8)
    lay_over(window, panel)
    assert (window[:10] == 200).all()
    assert (window[12:, 12:] < 200).all()
    lay_over(np.zeros((5, 5, 3), np.uint8), panel)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("sizes", [(7, 7), (7, 23), (64, 256), (1, 9), (100, 33), (9, 1), (256, 255)])
def test_tables_keep_even_areas_and_the_middle(kernel, sizes):
    table = taps(kernel, *sizes)
    assert table.weights_XK.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    middle = (table.weights_XK * (table.first_X[:, None] + np.arange(table.weights_XK.shape[1]))).sum(axis=1)
    assert middle.mean() == pytest.approx((sizes[0] - 1) / 2, abs=0.02 * sizes[0])
    even = np.full((sizes[0], sizes[0], 3), 77, np.uint8)
    assert (resize(even, kernel, sizes[1], sizes[1]) == 77).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_same_size_is_the_same_frame(kernel):
    pixels_HWC = np.random.default_rng(0).integers(0, 256, (9, 11, 3)).astype(np.uint8)
    assert (resize(pixels_HWC, kernel, 11, 9) == pixels_HWC).all()


def test_twice_the_size_by_nearest_repeats_pixels():
    pixels_HWC = np.random.default_rng(0).integers(0, 256, (9, 11, 3)).astype(np.uint8)
    assert (resize(pixels_HWC, NEAREST, 22, 18) == pixels_HWC.repeat(2, axis=0).repeat(2, axis=1)).all()


def test_shrinking_keeps_the_light():
    """Black and white lines give half the light, which is level 188 and not 128."""
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[::2] = 255
    for kernel in KERNELS:
        assert np.median(resize(lines, kernel, 16, 16)) == pytest.approx(188, abs=2)


def test_the_overshoot_of_lanczos_is_damped():
    edge = np.full((16, 16, 3), 60, np.uint8)
    edge[:, 8:] = 180
    undamped, damped = (resize(edge, LANCZOS, 64, 64, damping=damping) for damping in (0.0, None))
    assert undamped.max() - 180 >= 8
    assert damped.max() - 180 <= 0.6 * (undamped.max() - 180)
    assert resize(edge, LANCZOS, 64, 64, damping=1.0).max() == 180
