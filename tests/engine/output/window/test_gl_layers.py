"""Layers composed in a shader, with OpenGL on a real X server: equal to the processor's frame, at the window's own size."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.fit import place_inside, place_over
from engine.model.compositor import Compositor
from engine.model.layers import Layers
from engine.output.window.gl_layers import GlLayers
from engine.output.window.resampling_kernels import LANCZOS
from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import EffectParameters
from tests.conftest import require
from tests.engine.model.layered_probe import TEXTURES, composed
from tests.engine.model.test_layers import fields_of
from tests.engine.output.window.test_gl_window import SCREEN, expected_screen, frame_of, shown_window
from tests.fixtures_display import screen_HWC

__all__ = ["shown_window"]

FRAME = 160, 100
"""Width and height of the frame; the screen has the same shape."""


@pytest.fixture(autouse=True)
def _gl_is_installed() -> None:
    try:
        import glfw
        import moderngl
    except ImportError:
        glfw = moderngl = None
    require(glfw and moderngl, "glfw and moderngl (pip install glfw moderngl)")


def frame_of_layers(textures: tuple[np.ndarray, ...], fields: dict[str, np.ndarray], **more: object):
    pixels_HWC = Compositor(textures, FRAME[1], FRAME[0]).compose(fields)
    return frame_of(pixels_HWC, layers=Layers(textures, fields), **more)


def is_equal(shown_HWC: np.ndarray, expected_HWC: np.ndarray) -> bool:
    """Within 2 levels at 99.9 % of the pixels, and half a level more where `expected_HWC` is not rounded."""
    return bool(np.mean(np.abs(shown_HWC - expected_HWC).max(axis=-1) > 2.5) < 1e-3)


@pytest.mark.parametrize(
    ("textures", "fields"),
    [
        (TEXTURES, fields_of(0)),
        (TEXTURES, fields_of(1, flows=2)),
        (TEXTURES[:1], fields_of(3, "flow")),
        (TEXTURES, fields_of(5, "weights light residual")),
    ],
)
def test_the_window_shows_what_the_processor_composes_at_that_size(shown_window, textures, fields):
    shown = shown_window(upscale=LANCZOS, fullscreen=True).open(FRAME)
    place = place_inside(*FRAME, *SCREEN)
    expected = Compositor(textures, place.height, place.width).compose(fields).astype(float)
    whole = np.zeros((SCREEN[1], SCREEN[0], 3))
    whole[place.top :, place.left :][: place.height, : place.width] = expected
    shown.shows_until(
        frame_of_layers(textures, fields), lambda: is_equal(screen_HWC(), whole), "the composed frame's appearing"
    )
    assert not shown.notices


def test_textures_without_more_detail_than_the_frame_leave_enlarging_to_lanczos(shown_window):
    shown = shown_window(upscale=LANCZOS, fullscreen=True).open(FRAME)
    frame = frame_of_layers(TEXTURES[1:], fields_of(4, "flow residual"))
    wanted = expected_screen(frame.pixels_HWC, LANCZOS).astype(int)
    shown.shows_until(frame, lambda: abs(screen_HWC() - wanted).max() <= 2, "the enlarged frame")


def test_a_layered_frame_that_fills_the_window_is_cropped(shown_window):
    shown = shown_window(upscale=LANCZOS, fullscreen=True).open((120, 100))
    fields, (width, height) = fields_of(0), (120, 100)
    pixels_HWC = Compositor(TEXTURES, height, width).compose(fields)
    frame = frame_of(pixels_HWC, layers=Layers(TEXTURES, fields), values={"fill": True})
    place = place_over(width, height, *SCREEN)
    whole = Compositor(TEXTURES, place.height, place.width).compose(fields).astype(float)
    seen = whole[-place.top :, -place.left :][: SCREEN[1], : SCREEN[0]]
    shown.shows_until(frame, lambda: is_equal(screen_HWC(), seen), "the frame everywhere")


def test_soft_edges_leave_a_frame_its_layers(shown_window):
    """The window composes them at its own size and fades them there, as the processor does with pixels of that size."""
    shown = shown_window(upscale=LANCZOS, fullscreen=True).open((120, 120))
    fields, parameters, effect_chain = fields_of(0), EffectParameters(screen=SCREEN), EffectChain()
    pixels_HWC = Compositor(TEXTURES, 120, 120).compose(fields)
    in_field_HWC = effect_chain.apply(pixels_HWC, parameters, 0.0)
    frame = frame_of(pixels_HWC, layers=Layers(TEXTURES, fields)).with_pixels(in_field_HWC, effect_chain.in_field)
    assert in_field_HWC.shape == (120, 192, 3)
    assert frame.layers
    whole = EffectChain().apply(Compositor(TEXTURES, 800, 800).compose(fields), parameters, 0.0).astype(float)
    shown.shows_until(frame, lambda: is_equal(screen_HWC(), whole), "the faded frame's appearing")


def test_other_effects_and_the_flash_guard_take_its_layers_away() -> None:
    effect_chain, grey = EffectChain(), np.full((24, 24, 3), 200, np.uint8)
    effect_chain.apply(grey, EffectParameters(screen=SCREEN, glow=0.5), 0.0)
    assert effect_chain.in_field is None
    kept = list[bool]()
    for n in range(30):
        effect_chain.apply(grey * (n % 2), EffectParameters(screen=SCREEN), 0.05 * (n + 1))
        kept.append(effect_chain.in_field is not None)
    assert kept[0]
    assert not all(kept)


def test_a_frame_that_was_changed_is_drawn_as_it_is(shown_window):
    shown = shown_window(upscale=LANCZOS, fullscreen=True).open(FRAME)
    frame = frame_of_layers(TEXTURES, fields_of(0))
    changed = frame.with_pixels(np.full_like(frame.pixels_HWC, (0, 90, 200)))
    assert frame.with_pixels(frame.pixels_HWC).layers is frame.layers
    shown.shows_until(changed, lambda: (screen_HWC() == (0, 90, 200)).all(), "the changed frame")


class SmallCard:
    """A context that says its card takes textures of 128 pixels at most; everything else is the real one's."""

    def __init__(self, context: object) -> None:
        self._context = context
        self.info = {**context.info, "GL_MAX_TEXTURE_SIZE": 128}  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._context, name)


def test_textures_that_the_card_cannot_hold_leave_it_to_the_processor(display):
    import moderngl

    context = moderngl.create_standalone_context()
    target = context.simple_framebuffer((320, 200))
    gl_layers, place = GlLayers(SmallCard(context)), place_inside(*FRAME, 320, 200)
    assert not gl_layers.draw(target, Layers(TEXTURES, fields_of(0)), place, 200)
    assert "256 pixels, and this graphics card takes 128" in gl_layers.obstacle
    # The next model may be smaller.
    fields = fields_of(4, "flow residual")
    assert gl_layers.draw(target, Layers(TEXTURES[1:], fields), place, 200)
    assert not gl_layers.obstacle
    drawn = np.frombuffer(target.read(), np.uint8).reshape(200, 320, 3)[::-1]
    assert is_equal(drawn, composed(TEXTURES[1:], fields, 200, 320))
    context.release()
