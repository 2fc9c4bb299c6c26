"""The formula of layered models in torch: equal to numpy's and the engine's, with gradients everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.model.compositor import Compositor
from tests.engine.model.layered_probe import TEXTURES, composed
from tests.engine.model.test_layers import fields_of
from training.core.composition import FramePart, compose

HEIGHT, WIDTH = 72, 128
STORED = [torch.from_numpy(pixels_HWC).permute(2, 0, 1) / 255.0 for pixels_HWC in TEXTURES]


def as_batch(fields: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {role: torch.from_numpy(values)[None] for role, values in fields.items()}


@pytest.mark.parametrize(
    "fields", [fields_of(0), fields_of(1, flows=2), fields_of(2, "weights"), fields_of(3, "flow weights")]
)
def test_torch_composes_what_the_formula_and_the_engine_do(fields):
    frame = compose(as_batch(fields), STORED, HEIGHT, WIDTH)[0]
    levels = ((frame + 1.0) * 127.5).clamp(0.0, 255.0).permute(1, 2, 0).numpy()
    assert np.abs(levels - composed(TEXTURES, fields, HEIGHT, WIDTH)).max() < 0.1
    apart = np.abs(levels - Compositor(TEXTURES, HEIGHT, WIDTH).compose(fields))
    assert np.mean(apart > 2.0) < 1e-3


def test_a_part_is_what_the_whole_has_there():
    fields = as_batch(fields_of(0, flows=2))
    part = FramePart(top=16, left=40, height=56, width=64)
    whole, own = compose(fields, STORED, HEIGHT, WIDTH), compose(fields, STORED, HEIGHT, WIDTH, part)
    torch.testing.assert_close(own, whole[:, :, 16:72, 40:104], atol=1e-4, rtol=0)


def test_every_field_gets_a_gradient():
    fields = {role: values.requires_grad_() for role, values in as_batch(fields_of(0, flows=2)).items()}
    compose(fields, STORED, HEIGHT, WIDTH).square().mean().backward()
    assert all(float(values.grad.abs().max()) > 0.0 for values in fields.values())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_fields_of_16_bits_leave_the_places_of_a_texture_exact(dtype):
    texture = torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    frame = compose({"flow": torch.zeros(1, 2, 4, 4, dtype=dtype)}, [texture], HEIGHT, WIDTH)[0]
    torch.testing.assert_close(frame, 2.0 * texture - 1.0, atol=1e-3, rtol=0)
