"""Composing on the processor: strips and threads change nothing, and what has no weight is not drawn. The formula is held by test_layers.py."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.model.compositor import Compositor
from engine.model.layers import Fields

# K textures, H W rows and columns of pixels, C channels

HEIGHT, WIDTH = 360, 640


def textures(count: int) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8) for _ in range(count)]


def fields(count: int, light: tuple[int, int]) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(1)
    shapes = {"flow": (2 * count, 6, 9), "weights": (count, 5, 7), "light": (3, *light), "residual": (3, 8, 9)}
    return {role: random.uniform(0.0, 0.4, shape).astype(np.float32) for role, shape in shapes.items()}


@pytest.mark.parametrize("light", [(1, 1), (4, 5)])
def test_any_number_of_threads_gives_the_same_bytes(light: tuple[int, int]) -> None:
    given = fields(3, light)
    alone = Compositor(textures(3), HEIGHT, WIDTH).compose(given)
    together = Compositor(textures(3), HEIGHT, WIDTH, threads=3)
    for _ in range(5):
        assert np.array_equal(together.compose(given), alone)


def test_light_of_one_value_is_that_light_everywhere() -> None:
    given = fields(2, (1, 1))
    compositor = Compositor(textures(2), HEIGHT, WIDTH)
    spread = given | {"light": np.broadcast_to(given["light"], (3, 2, 2)).copy()}
    difference = compositor.compose(given).astype(int) - compositor.compose(spread)
    assert np.abs(difference).max() <= 1


def test_a_texture_has_no_part_where_it_has_no_weight() -> None:
    white, black = np.full((HEIGHT, WIDTH, 3), 255, np.uint8), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    weights = np.zeros((2, 18, 1), np.float32)
    weights[0, :9], weights[1, 9:] = 1.0, 1.0
    frame = Compositor([white, black], HEIGHT, WIDTH).compose({"weights": weights})
    assert (frame[: HEIGHT // 2 - 20] == 255).all()
    assert (frame[HEIGHT // 2 + 20 :] == 0).all()


@pytest.mark.parametrize(("residual", "level"), [(-2.0, 0), (2.0, 255)])
def test_what_is_beyond_black_and_white_is_clipped(residual: float, level: int) -> None:
    given: Fields = {"residual": np.full((3, 1, 1), residual, np.float32)}
    assert (Compositor(textures(1), HEIGHT, WIDTH).compose(given) == level).all()


def test_light_that_brightens_a_dark_texture_makes_no_steps() -> None:
    dark = np.broadcast_to(np.arange(13, dtype=np.uint8)[None, :, None], (2, 13, 3)).copy()
    given = {"weights": np.ones((1, 1, 1), np.float32), "light": np.full((3, 2, 2), 20.0, np.float32)}
    row = Compositor([dark], HEIGHT, WIDTH).compose(given)[HEIGHT // 2, :, 0].astype(int)
    exact = 20.0 * np.clip((np.arange(WIDTH) + 0.5) * 13 / WIDTH - 0.5, 0.0, 12.0)
    assert np.abs(row - exact).max() < 1.5
