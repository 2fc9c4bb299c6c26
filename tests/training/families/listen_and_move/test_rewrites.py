"""Every rewrite plays what the plain module plays, over 64 carried steps of every kind of generator."""

from __future__ import annotations

import copy
import functools

import pytest
import torch

from engine.core.errors import TrainingError
from export.verification.parity import PARITY_STEPS, probe_sound, windows
from tests.training.models import VARIANTS, small_model
from training.core.streaming import StreamingModel
from training.families.listen_and_move.rewrites import ALTERNATIVES, PASSES, PASSES_FOR, REWRITES, sub_pixel
from training.families.listen_and_move.rewrites.operations import operations_a_frame

LIMIT = 1e-5
KINDS: dict[str, dict[str, object]] = {
    **{name: VARIANTS[name] for name in ("full", "batch_norm", "skip", "relief", "prediction_everywhere", "wide")},
    "basic_feedback": {**VARIANTS["basic"], "motion_type": "feedback", "prediction_kernel": 5},
    "double_finest": {"double_finest": True, "rgb_upscale": 2, "prediction_kernel": 1},
}
# What a rewrite touches decides which generators it is tried on; the sets in use are tried on all.
OF_BLOCKS, OF_PREDICTION = ("full", "batch_norm", "skip", "relief"), ("full", "prediction_everywhere", "basic_feedback")
TOUCHES = {
    **dict.fromkeys(("batch_norm", "norm_scale", "root_two", "noise", "sub_pixel", "sub_pixel_transposed"), OF_BLOCKS),
    "motion_product": ("full", "basic_feedback"),
}
CASES = [
    *(((name,), kind) for name in PASSES for kind in TOUCHES.get(name, OF_PREDICTION)),
    *((names, kind) for names in PASSES_FOR.values() for kind in KINDS),
    (("batch_norm", "norm_scale", "root_two", "noise", "sub_pixel", "motion_product", "terms_shared"), "batch_norm"),
    (("batch_norm", "norm_scale", "root_two", "noise", "sub_pixel", "motion_product", "terms_shared"), "full"),
    (("root_two", "norm_scale", "noise", "sub_pixel_transposed", "directions_mirrored", "states_turned"), "wide"),
    (("gates_joined",), "wide"),
    (("gates_parted",), "wide"),
]


@pytest.fixture(autouse=True)
def every_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewrite the narrow convolutions of small models too."""
    monkeypatch.setattr(sub_pixel, "LEAST_CHANNELS", 1)


Played = tuple[list[torch.Tensor], dict[str, torch.Tensor]]


def play(model: StreamingModel, batch: int = 1) -> Played:
    """Carry a model over PARITY_STEPS steps of sound, controls off their defaults; returns frames and the last states."""
    sound = probe_sound(PARITY_STEPS * model.hop_samples, model.sample_rate_hz)
    noise = model.draw_noise(batch, PARITY_STEPS, torch.Generator().manual_seed(3))
    controls = {"grain": torch.tensor(1.5), "memory": torch.tensor(0.3), "motion": torch.tensor(0.8)}
    state, frames = model.initial_state(batch), []
    for k, window in enumerate(windows(sound, model.window_samples, model.hop_samples, PARITY_STEPS)):
        audio = torch.tensor(window) * torch.linspace(1.0, 0.5, batch)[:, None]
        with torch.no_grad():
            frame, _, state = model.step(audio, {name: v[:, k] for name, v in noise.items()}, state, controls)
        frames.append(frame)
    return frames, state


def largest_difference(plain: Played, other: Played) -> float:
    """Return the largest difference of frames and last states."""
    (frames, state), (other_frames, other_state) = plain, other
    assert {name: value.shape for name, value in other_state.items()} == {n: v.shape for n, v in state.items()}
    pairs = [*zip(frames, other_frames, strict=True), *((state[name], other_state[name]) for name in state)]
    return max(float((a - b).abs().max()) for a, b in pairs)


@functools.cache
def plainly(kind: str) -> tuple[StreamingModel, Played]:
    """Build a kind of model once and play it plain."""
    model = small_model(**KINDS[kind])
    return model, play(model)


@pytest.mark.parametrize(
    ("names", "kind"), CASES, ids=lambda value: "+".join(value) if isinstance(value, tuple) else value
)
def test_a_rewrite_plays_what_the_plain_model_plays(names: tuple[str, ...], kind: str) -> None:
    plain, played = plainly(kind)
    rewritten = copy.deepcopy(plain)
    assert set(REWRITES.apply(rewritten, names)) == set(names)
    assert largest_difference(played, play(rewritten)) <= LIMIT


def test_narrow_convolutions_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = small_model()
    widths = [block.first.conv.in_channels for block in plain.generator.blocks]
    assert min(widths) < max(widths)
    monkeypatch.setattr(sub_pixel, "LEAST_CHANNELS", max(widths))
    REWRITES.apply(plain, ("sub_pixel",))
    kinds = [isinstance(block.first.convolve, sub_pixel.FourPlaces) for block in plain.generator.blocks]
    assert kinds == [width == max(widths) for width in widths]


def test_a_batch_is_rewritten_alike() -> None:
    for names in PASSES_FOR.values():
        plain = small_model()
        rewritten = copy.deepcopy(plain)
        REWRITES.apply(rewritten, names)
        assert largest_difference(play(plain, 3), play(rewritten, 3)) <= LIMIT


def test_the_plain_model_stays_as_it_was() -> None:
    plain = small_model()
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    REWRITES.apply(copy.deepcopy(plain), PASSES_FOR["onnx-cpu"])
    assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())


def test_sharing_saves_operations() -> None:
    plain = small_model(image_size=32)
    rewritten = copy.deepcopy(plain)
    REWRITES.apply(rewritten, ("sub_pixel", "terms_shared"))
    assert operations_a_frame(rewritten) < 0.75 * operations_a_frame(plain)


@pytest.mark.parametrize("group", ALTERNATIVES)
def test_two_rewrites_of_one_part_are_refused(group: tuple[str, ...]) -> None:
    with pytest.raises(TrainingError, match="choose one"):
        REWRITES.apply(small_model(), group[:2])


def test_unknown_and_repeated_names_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"no rewrite 'sub_pixels'.*sub_pixel"):
        REWRITES.apply(small_model(), ("sub_pixels",))
    with pytest.raises(TrainingError, match="named twice"):
        REWRITES.apply(small_model(), ("noise", "noise"))
