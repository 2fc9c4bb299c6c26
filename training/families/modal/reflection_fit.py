"""The first lesson of a modal model that reflects: surroundings, slopes and amplitudes, all at once, from the frames alone.

While waves are low, a frame is nearly a sum of frames, one for each mode: so the principal components of the frames tell their amplitudes
well enough to begin with. Where a slope points is found from coarse to fine: blurred frames have a slope toward the right place from far
away.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from engine.model.layers import LIGHT, RESIDUAL
from training.core.composition import compose
from training.families.modal.frame_encoder import FrameEncoder, falling
from training.families.modal.model import Modal

# N frames, P pairs of consecutive frames, A amplitudes, H W rows and columns of a measured frame

_PAIRS = 8
_TEXTURE_RATE, _SLOPE_RATE, _MAP_RATE, _ENCODER_RATE = 0.01, 0.008, 0.01, 0.0005
_COARSE_SHARE, _COARSEST = 0.6, 8.0
"""So much of the lesson frames are blurred, at first over so many pixels."""
_SHARP_SHARE = 0.05
"""How much sharp frames count meanwhile."""
_ROUGHNESS = 0.05
"""Weight of the differences between neighbouring pixels of the surroundings: places that are seldom looked at would stay noise."""


@torch.no_grad()
def principal_amplitudes(model: Modal, frames_N3HW: Tensor) -> Tensor:
    """Return amplitudes [N, A] for frames in [-1, 1]: each role gets the strongest principal components, of deviation 1."""
    values = functional.avg_pool2d(frames_N3HW, 2).flatten(1)
    values = values - values.mean(dim=0)
    most = min(max(model.counts.values()), *values.shape)
    scores, _, _ = torch.pca_lowrank(values, q=most, center=False)
    scores = functional.pad(scores * len(values) ** 0.5, (0, max(model.counts.values()) - most))
    return torch.cat([scores[:, :count] for count in model.counts.values()], dim=1)


def learn_reflection(
    model: Modal,
    encoder: FrameEncoder,
    some_pairs: Callable[[int], Tensor],
    iterations: int,
    is_stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Learn textures and maps of a model that reflects, with the encoder; see `learn_maps`."""
    reflection = model.reflection
    assert reflection is not None
    fine = some_pairs(1)
    size = fine.shape[-2:]
    still = torch.zeros_like(functional.interpolate(reflection.still[None], size=size, mode="area")[0]).requires_grad_()
    rates = (_TEXTURE_RATE, _SLOPE_RATE, _MAP_RATE, _ENCODER_RATE)
    learned = (
        [still, reflection.surroundings, reflection.gloss],
        [reflection.slopes, reflection.calm],
        [*model.maps.parameters()],
        [*encoder.parameters()],
    )
    optimiser = torch.optim.Adam([{"params": values} for values in learned], betas=(0.9, 0.99))
    for iteration in range(iterations):
        if is_stopping():
            break
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * falling(iteration, iterations)
        blurred_px = max(0.0, _COARSEST * (1.0 - iteration / (_COARSE_SHARE * iterations)))
        real = some_pairs(_PAIRS).flatten(0, 1)
        amplitudes = encoder(real)
        fields = {role: values[:, 0] for role, values in model.fields(amplitudes[:, None]).items()}
        if blurred_px >= 1.0:
            # Blurred frames could be told by these alone.
            fields = {role: values for role, values in fields.items() if role not in (LIGHT, RESIDUAL)}
        surroundings = _blurred(reflection.surroundings[None], blurred_px * reflection.surroundings.shape[-1] / size[1])
        fake = compose(fields, [still, surroundings[0]], *size)
        coarse = functional.l1_loss(_blurred(fake, blurred_px), _blurred(real, blurred_px))
        loss = coarse + _SHARP_SHARE * functional.l1_loss(fake, real)
        loss = loss + _ROUGHNESS * _roughness(reflection.surroundings)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            still.clamp_(0.0, 1.0)
            reflection.clamp()
    with torch.no_grad():
        whole = functional.interpolate(still[None], size=reflection.still.shape[1:], mode="bicubic")
        reflection.set_texture(0, whole[0].clamp(0.0, 1.0))


def _roughness(values_CHW: Tensor) -> Tensor:
    return values_CHW.diff(dim=1).abs().mean() + values_CHW.diff(dim=2).abs().mean()


def _blurred(frames_N3HW: Tensor, over_px: float) -> Tensor:
    """Return frames without the detail of fewer pixels."""
    if over_px < 1.0:
        return frames_N3HW
    size = frames_N3HW.shape[-2:]
    small = [max(2, round(side / over_px)) for side in size]
    return functional.interpolate(
        functional.interpolate(frames_N3HW, size=small, mode="bilinear", antialias=True), size=size, mode="bilinear"
    )
