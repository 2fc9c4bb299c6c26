"""Figures of made frames with known results."""

import pytest
import torch

from training.evaluation.metrics.frechet import frechet_distance
from training.evaluation.metrics.video_features import pooled_snippets


def test_frechet_distance_of_known_sets() -> None:
    left = torch.tensor([[-1.0], [1.0]])  # mean 0, deviation √2
    assert frechet_distance(left, 3.0 + 2.0 * left) == pytest.approx(9.0 + 2.0)
    assert frechet_distance(left, left) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("frames", "features"), [((40, 50), 12), ((30, 20), 64)])
def test_frechet_distance_equals_that_of_torchmetrics(frames: tuple[int, int], features: int) -> None:
    class Given(torch.nn.Module):
        num_features = features

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values

    fid = pytest.importorskip("torchmetrics.image.fid")
    torch.manual_seed(0)
    left, right = torch.randn(frames[0], features).double(), 1.5 * torch.randn(frames[1], features).double() + 0.5
    reference = fid.FrechetInceptionDistance(feature=Given(), normalize=True).set_dtype(torch.float64)
    reference.update(left, real=False)
    reference.update(right, real=True)
    assert frechet_distance(left, right) == pytest.approx(float(reference.compute()), rel=1e-6)


def test_frechet_distance_does_not_change_under_rotation() -> None:
    """Sets with fewer frames than features are projected first; the distance stays the same."""
    torch.manual_seed(0)
    left, right = torch.randn(40, 12).double(), 1.5 * torch.randn(50, 12).double() + 0.5
    wide = torch.zeros(12, 200).double()
    wide[:, 40:52] = torch.linalg.qr(torch.randn(12, 12).double()).Q
    assert frechet_distance(left @ wide, right @ wide) == pytest.approx(frechet_distance(left, right), rel=1e-6)


def test_pooled_snippets_tell_still_from_moving_frames() -> None:
    still, moving = torch.ones(16, 4), torch.ones(16, 4)
    moving[::2] = 3.0
    snippets = pooled_snippets(still), pooled_snippets(moving)
    assert snippets[0].shape == (5, 8)
    assert snippets[0][:, 4:].abs().max().item() == 0.0
    assert snippets[1][0].tolist() == [2.0] * 8
