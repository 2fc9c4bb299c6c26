"""What the discriminators are shown: one transform a sequence, as often as asked, with a gradient."""

import pytest
import torch

from training.losses.differentiable_augmentation import TRANSFORMS, augment, draw_count

KINDS = list(TRANSFORMS)


def draws(kinds: list[str], batch: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    uniform_BK = torch.rand(batch, draw_count(kinds), generator=generator)  # type: ignore[arg-type]
    if "flip" in kinds:
        uniform_BK[:, -1] = 0.1  # the half of the draws that mirrors
    return uniform_BK


@pytest.mark.parametrize("kind", KINDS)
def test_all_frames_of_a_sequence_get_the_same_and_sequences_differ(kind: str) -> None:
    torch.manual_seed(0)
    frame = torch.rand(1, 1, 3, 16, 16)
    shown = augment(frame.expand(3, 4, -1, -1, -1), [kind], 1.0, draws([kind]))  # type: ignore[list-item]
    assert shown.shape == (3, 4, 3, 16, 16)
    assert all(torch.equal(shown[:, t], shown[:, 0]) for t in range(4))
    assert not torch.allclose(shown[0, 0], frame[0, 0])
    if kind != "flip":
        assert not torch.equal(shown[0], shown[1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_frames_may_change_before_or_after(kind: str) -> None:
    sequence, order, uniform = torch.randn(3, 4, 3, 16, 16), torch.tensor([2, 0, 3, 1]), draws([kind])
    shown = augment(sequence, [kind], 1.0, uniform)  # type: ignore[list-item]
    torch.testing.assert_close(shown[:, order], augment(sequence[:, order], [kind], 1.0, uniform))  # type: ignore[list-item]


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(1)
    frames = torch.randn(2, 2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    uniform = draws(KINDS, batch=2)
    assert torch.autograd.gradcheck(lambda x: augment(x, KINDS, 1.0, uniform), (frames,), fast_mode=True)
    augment(frames, KINDS, 1.0, uniform).sum().backward()
    assert frames.grad is not None
    assert frames.grad.any()


def test_probability_decides_for_every_sequence_by_itself() -> None:
    frames = torch.rand(400, 1, 3, 8, 8)
    for probability in (0.0, 0.3, 1.0):
        shown = augment(frames, ["colour"], probability, draws(["colour"], 400))
        changed = ((shown - frames).abs().amax(dim=(1, 2, 3, 4)) > 1e-3).float().mean()
        assert float(changed) == pytest.approx(probability, abs=0.07)
    assert augment(frames, KINDS, 0.0, draws(KINDS, 400)) is frames


def test_translation_moves_by_whole_pixels_and_leaves_grey() -> None:
    frame = torch.zeros(1, 1, 1, 16, 16)
    frame[..., 8, 8] = 1.0
    for draw, place in (((0.0, 0.0), (10, 10)), ((0.5, 0.5), (8, 8)), ((0.999, 0.0), (6, 10))):
        shown = augment(frame, ["translation"], 1.0, torch.tensor([[0.0, *draw]]))
        assert shown.nonzero()[:, -2:].tolist() == [list(place)]
    bright = augment(torch.ones(1, 1, 1, 16, 16), ["translation"], 1.0, torch.tensor([[0.0, 0.0, 0.5]]))
    assert (bright[0, 0, 0, :2] == 0).all()
    assert (bright[0, 0, 0, 2:] == 1).all()


def test_cutout_takes_a_square_of_half_the_side() -> None:
    shown = augment(torch.ones(1, 2, 3, 16, 16), ["cutout"], 1.0, torch.tensor([[0.0, 0.5, 0.25]]))
    assert (shown[0, :, :, 4:12, :8] == 0).all()
    assert float(shown.sum()) == 2 * 3 * (16 * 16 - 8 * 8)


def test_colour_keeps_the_form() -> None:
    frames = torch.rand(1, 2, 3, 8, 8)
    brighter = augment(frames, ["colour"], 1.0, torch.tensor([[0.0, 0.75, 0.5, 0.5]]))
    torch.testing.assert_close(brighter, frames + 0.25)
    grey = augment(frames, ["colour"], 1.0, torch.tensor([[0.0, 0.5, 0.0, 0.5]]))
    torch.testing.assert_close(grey, frames.mean(dim=2, keepdim=True).expand_as(frames))
    stronger = augment(frames, ["colour"], 1.0, torch.tensor([[0.0, 0.5, 0.5, 1.0]]))
    torch.testing.assert_close(stronger - stronger.mean(), 1.5 * (frames - frames.mean()))
