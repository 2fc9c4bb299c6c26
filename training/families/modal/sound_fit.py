"""The second lesson of a modal model: its sound gives the amplitudes that the clip's frames have (frame_encoder.py).

An iteration costs milliseconds because nothing is composed. Doubt makes a mean of what could be, and means move too little, so the spread
of the amplitudes and of their steps from frame to frame is held to that of the clip.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.core.composition import compose
from training.families.modal.config import ModalLossConfig
from training.families.modal.frame_encoder import falling
from training.families.modal.model import Modal
from training.families.modal.start import small_textures

# P pairs of consecutive frames, T steps of an excerpt, F features, A amplitudes, H W rows and columns of a measured frame

_SOUND_RATE = 0.004
_WEIGHT_DECAY = 0.02
_NOISE = 0.02
"""Of the features while the sound is fitted: frames of a short clip could be learned by heart."""
_JUDGED_SHARE, _FEWEST_JUDGED, _JUDGED_EVERY = 0.15, 8, 20
"""The last frames are not fitted: the weights that do best on them are kept."""
_EFFECT_SIDE, _EFFECT_FRAMES = 64, 4


@dataclass(frozen=True, slots=True)
class Measured:
    """Where pairs of frames are in the clip, and their amplitudes."""

    excerpts_P: Tensor
    """Numbers of the excerpts of the clip's sound that they are in."""
    steps_P: Tensor
    """Of the first frame of a pair, in its excerpt."""
    amplitudes_P2A: Tensor


def fit_sound(
    model: Modal,
    features: Sequence[Tensor],
    measured: Measured,
    losses: ModalLossConfig,
    generator: torch.Generator,
    is_stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Let the sound give the measured amplitudes; `features` has those of each excerpt [T, F], from its start."""
    learned = [model.force, model.resonators, model.past, model.trunk, model.amplitudes]
    optimiser = torch.optim.AdamW(
        [p for module in learned for p in module.parameters()], lr=_SOUND_RATE, weight_decay=_WEIGHT_DECAY
    )
    judged = round(_JUDGED_SHARE * len(measured.steps_P))
    order = torch.argsort(measured.excerpts_P * (1 << 32) + measured.steps_P)
    # Few say nothing of a spread: then all are fitted, and the last weights are kept.
    judged = judged if judged >= _FEWEST_JUDGED else 0
    fitted_P, judged_P = order[: len(order) - judged], order[len(order) - judged :]
    weights_A = _weights(model, measured)
    with torch.no_grad():
        usual_A = measured.amplitudes_P2A[fitted_P].flatten(0, 1).mean(dim=0)
        model.amplitudes.bias.copy_(usual_A)
        if model.deaf is not None:
            model.deaf.copy_(usual_A)
    best_loss, best = float("inf"), copy.deepcopy(model.state_dict())
    for iteration in range(losses.sound_iterations + 1):
        if is_stopping():
            break
        if judged and (iteration % _JUDGED_EVERY == 0 or iteration == losses.sound_iterations):
            with torch.no_grad():
                loss = float(_amplitude_loss(model, features, measured, judged_P, weights_A, losses.spread))
            if loss < best_loss:
                best_loss, best = loss, copy.deepcopy(model.state_dict())
        for group in optimiser.param_groups:
            group["lr"] = _SOUND_RATE * falling(iteration, losses.sound_iterations)
        noisy = [one + _NOISE * torch.randn(one.shape, generator=generator).to(one.device) for one in features]
        loss = _amplitude_loss(model, noisy, measured, fitted_P, weights_A, losses.spread)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    if judged:
        model.load_state_dict(best)


def _amplitude_loss(
    model: Modal, features: Sequence[Tensor], measured: Measured, chosen_P: Tensor, weights_A: Tensor, spread: float
) -> Tensor:
    """Return the squared error of amplitudes, and of their spread and that of their steps, each by its weight."""
    given, wanted = [], []
    for number, features_TF in enumerate(features):
        own_P = chosen_P[measured.excerpts_P[chosen_P] == number]
        if len(own_P) == 0:
            continue
        steps_P2 = measured.steps_P[own_P, None] + torch.arange(2)
        heard_TC, resonance_TR = model.from_rest(features_TF)
        given.append(model.amplitudes_of(heard_TC[steps_P2], resonance_TR[steps_P2]))
        wanted.append(measured.amplitudes_P2A[own_P])
    given_P2A, wanted_P2A = torch.cat(given), torch.cat(wanted)
    errors_A = (given_P2A - wanted_P2A).square().mean(dim=(0, 1))
    for ours, real in (
        (given_P2A.flatten(0, 1), wanted_P2A.flatten(0, 1)),
        (given_P2A.diff(dim=1), wanted_P2A.diff(dim=1)),
    ):
        errors_A = errors_A + spread * (_deviation(ours) - _deviation(real)).square().flatten()
    return (weights_A * errors_A).sum()


def _deviation(values: Tensor) -> Tensor:
    return (values - values.mean(dim=0)).square().mean(dim=0).add(1e-8).sqrt()


@torch.no_grad()
def _weights(model: Modal, measured: Measured) -> Tensor:
    """Return how far each amplitude changes the frame, squared, as shares of all [A]."""
    count = min(_EFFECT_FRAMES, len(measured.amplitudes_P2A))
    chosen = torch.linspace(0, len(measured.amplitudes_P2A) - 1, count).round().long()
    usual_TA = measured.amplitudes_P2A[chosen, 0]
    size = tuple(max(2, round(side * _EFFECT_SIDE / max(model.frame_size))) for side in model.frame_size)
    textures = [functional.interpolate(t[None], size=size, mode="area")[0] for t in small_textures(model)]

    def frames(amplitudes_TA: Tensor) -> Tensor:
        fields = model.fields(amplitudes_TA[:, None])
        return compose({role: values[:, 0] for role, values in fields.items()}, textures, *size)

    usual, single = frames(usual_TA), torch.eye(usual_TA.shape[1], device=usual_TA.device)
    effect_A = torch.stack([(frames(usual_TA + one) - usual).abs().mean() for one in single])
    return effect_A.square() / effect_A.square().sum().clamp_min(1e-12)
