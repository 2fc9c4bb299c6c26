"""What is drawn around a frame on a screen of another shape, and the effects that reach there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engine.core.fit import place_inside
from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import EffectParameters
from engine.render.effects.surround import SOFT_EDGE, background_colour, field_of, in_surround
from tests.engine.render.effects.flash_definition import worst

WIDE = (1920, 1080)


def blobs(side: int = 64, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(40, 256, (8, 8, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(side // 8, 0).repeat(side // 8, 1))


def white(side: int = 64) -> np.ndarray:
    return np.full((side, side, 3), 255, np.uint8)


def shown(pixels_HWC: np.ndarray, **effects) -> np.ndarray:
    return EffectChain().apply(pixels_HWC, EffectParameters(**{"guarded": False, **effects}), 0.0)


@pytest.mark.parametrize(
    "screen", [(1920, 1080), (1366, 768), (1280, 800), (1080, 1920), (768, 769), (3840, 2160), (641, 359)]
)
@pytest.mark.parametrize("size", [(256, 256), (288, 352), (512, 288)])
def test_a_field_has_the_shape_of_its_screen_and_leaves_no_dark_line(size, screen) -> None:
    rows, columns = field_of(size[0], size[1], EffectParameters(screen=screen))
    assert (rows, columns) >= size
    assert rows == size[0] or columns == size[1]
    assert place_inside(columns, rows, *screen) == (0, 0, *screen)


def test_a_very_long_screen_gets_a_field_of_bounded_size() -> None:
    assert field_of(64, 64, EffectParameters(screen=(10_000, 10))) == (64, 256)
    assert field_of(64, 64, EffectParameters(screen=(1, 5_000))) == (256, 64)


def test_the_square_does_not_show() -> None:
    """From the middle to the edge of the screen, no step of light is larger than a soft edge has."""
    field_HWC = shown(white(), screen=WIDE)
    assert field_HWC.shape == (64, 114, 3)
    row = field_HWC[32, :, 0].astype(int)
    assert row[57] == 255
    assert row[0] == row[-1] == 0
    hard = shown(white(), screen=WIDE, soft_edges=False)
    assert hard.shape == (64, 64, 3), "the output pads it with black"
    wide = shown(white(256), screen=WIDE)[128, :, 0].astype(int)
    assert np.abs(np.diff(wide)).max() < 255 / (SOFT_EDGE * 128) * 2


def test_an_output_of_the_frames_own_shape_shows_the_frame_itself() -> None:
    pixels_HWC = blobs()
    assert shown(pixels_HWC) is pixels_HWC
    assert shown(pixels_HWC, screen=(512, 512)) is pixels_HWC
    assert shown(pixels_HWC, screen=WIDE, fill=True) is pixels_HWC, "the window crops it"


def test_a_vignette_fades_every_frame_and_reaches_its_middle_at_most() -> None:
    for screen in (None, WIDE):
        faded = shown(white(), screen=screen, vignette=1.0)
        middle = faded[32, faded.shape[1] // 2]
        assert middle.min() > 250
        assert faded[0].max() < 8
    lighter = shown(white(), vignette=0.3)
    assert lighter.astype(int).sum() > shown(white(), vignette=0.6).astype(int).sum()
    filled = shown(white(), screen=WIDE, fill=True, vignette=0.5)
    assert filled.shape == (36, 64, 3)
    assert filled[0, 0].max() < 8


def test_the_background_has_its_level_and_colour_and_frames_fade_into_it() -> None:
    field_HWC = shown(white(), screen=WIDE, background=(0.5, 1 / 3, 1.0))
    assert tuple(field_HWC[32, 2]) == (0, 128, 0)
    assert tuple(field_HWC[32, 57]) == (255, 255, 255)
    assert tuple(shown(white(), vignette=0.5, background=(0.5, 0.0, 0.0))[0, 0]) == (128, 128, 128)
    assert background_colour(1.0, 0.0, 1.0) == background_colour(1.0, 1.0, 1.0) == (255, 0, 0)
    black = shown(white(), screen=WIDE, background=(1.0, 0.0, 0.0), brightness=0.0)
    assert black.max() == 0, "a blackout blacks out all that is seen"


def test_glow_reaches_beyond_the_frame() -> None:
    field_HWC = shown(white(), screen=WIDE, glow=1.0)
    frame_left = (114 - 64) // 2
    assert field_HWC[32, frame_left - 2].max() > 20
    steps = np.abs(np.diff(field_HWC[32, :, 0].astype(int)))
    assert steps.max() <= np.abs(np.diff(shown(white(), screen=WIDE)[32, :, 0].astype(int))).max()


def test_zoom_fills_the_room_around_the_frame() -> None:
    pixels_HWC = blobs(256)
    own = shown(pixels_HWC, zoom=1.3)
    wide = shown(pixels_HWC, screen=WIDE, zoom=1.3)
    left = (wide.shape[1] - 256) // 2
    middle = np.abs(wide[60:196, left + 60 : left + 196].astype(int) - own[60:196, 60:196])
    assert np.median(middle) <= 1, "the middle is where it was"
    assert wide[128, left - 20].max() > 40, "the frame goes on beyond its old edge"
    full = shown(pixels_HWC, screen=WIDE, zoom=2.0)
    assert np.median(full[0]) > 80, "no edge is left to fade"
    assert shown(pixels_HWC, screen=WIDE, zoom=2.0, tiles=0.5).shape == wide.shape


def test_soft_edges_narrow_with_the_room_that_is_left() -> None:
    shares = [shown(white(256), screen=WIDE, zoom=zoom)[0, 227, 0] for zoom in (1.0, 1.7, 1.77)]
    assert shares == sorted(shares)
    steps = [shown(white(256), screen=WIDE, zoom=zoom).astype(int) for zoom in (1.76, 1.77, 1.78, 1.79)]
    assert max(np.abs(a - b).mean() for a, b in pairwise(steps)) < 8


def test_tiles_fill_the_screen_with_mirrored_copies() -> None:
    pixels_HWC = blobs()
    field_HWC = shown(pixels_HWC, screen=WIDE, tiles=1.0)
    left = (114 - 64) // 2
    assert np.array_equal(field_HWC[:, left : left + 64], pixels_HWC)
    assert np.array_equal(field_HWC[:, :left], pixels_HWC[:, :left][:, ::-1])
    half = shown(pixels_HWC, screen=WIDE, tiles=0.5)
    assert abs(int(half[5, 3, 0]) - int(field_HWC[5, 3, 0]) / 2) <= 1


@pytest.mark.parametrize("screen", [None, WIDE, (300, 900)])
def test_more_tiles_are_smaller_and_stay_symmetrical(screen) -> None:
    four = shown(blobs(), screen=screen, tiles=4.0)
    assert np.abs(four.astype(int) - four[::-1, ::-1]).max() > 40, "copies are mirrored, the field as a whole is not"
    rows = four.shape[0] if screen is None or screen[0] > screen[1] else 64
    period = 2 * rows // 4
    repeated = np.abs(four[: four.shape[0] - period].astype(int) - four[period:])
    assert np.median(repeated) <= 1


def test_tiles_begin_without_a_jump() -> None:
    frames = [shown(blobs(), screen=WIDE, soft_edges=False, tiles=x).astype(int) for x in (0.02, 0.04, 0.98, 1.0, 1.01)]
    changes = [np.abs(a - b).mean() for a, b in pairwise(frames)]
    assert changes[0] < 8
    assert changes[2] < 8
    assert changes[3] < 12


STROBES = {
    "background": ({}, {"background": (1.0, 0.0, 0.0)}),
    "vignette": ({}, {"vignette": 1.0}),
    "tiles": ({"tiles": 0.0}, {"tiles": 1.0}),
    "palette": ({}, {"palette": 2, "palette_amount": 1.0}),
}


@pytest.mark.parametrize(("one", "other"), STROBES.values(), ids=STROBES)
def test_what_a_mapping_may_drive_as_a_strobe_is_under_the_flash_guard(one, other) -> None:
    effect_chain, bright, times_s = EffectChain(), np.full((24, 24, 3), 200, np.uint8), np.arange(16) / 20
    plain, guarded = [], []
    for n, time_s in enumerate(times_s):
        parameters = EffectParameters(screen=WIDE, **(one, other)[n % 2])
        guarded.append(effect_chain.apply(bright, parameters, time_s))
        plain.append(EffectChain().apply(bright, parameters, time_s))
    assert worst(plain, times_s).harmful
    assert not worst(guarded, times_s).harmful


def test_the_frame_given_is_never_written_to() -> None:
    pixels_HWC = blobs()
    kept = pixels_HWC.copy()
    for screen in (None, WIDE):
        parameters = EffectParameters(screen=screen, vignette=0.4, tiles=0.5, background=(0.4, 0.1, 1.0))
        field = field_of(64, 64, parameters)
        first = in_surround(pixels_HWC, field, parameters)
        assert np.array_equal(in_surround(pixels_HWC, field, parameters), first)
    assert np.array_equal(pixels_HWC, kept)
