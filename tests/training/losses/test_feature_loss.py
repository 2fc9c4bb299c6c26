"""A network of the user's as a loss: named, fed, and refused in one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from engine.core.errors import TrainingError
from training.losses.feature_loss import FeatureLoss

CPU = torch.device("cpu")


class Doubled(nn.Module):
    """Features that are known: the frames twice as large, and their mean."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, frames_N3HW: Tensor) -> list[Tensor]:
        return [self.factor * frames_N3HW, frames_N3HW.mean(dim=(2, 3))]


@pytest.fixture
def loss(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FeatureLoss]:
    """Return the loss of a function that stands in a module of the user's."""

    def made(function: object, weights: str = "") -> FeatureLoss:
        module = ModuleType("my_features")
        module.found = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "my_features", module)
        return FeatureLoss("my_features:found", weights, CPU)

    return made


def test_the_loss_is_the_mean_square_of_all_features_alike(loss: Callable[..., FeatureLoss]) -> None:
    fake, real = torch.zeros(2, 3, 4, 4, requires_grad=True), torch.full((2, 3, 4, 4), 0.5)
    found = loss(Doubled(2.0))(fake, real)
    assert found.item() == pytest.approx((1.0**2 + 0.5**2) / 2)
    found.backward()
    assert fake.grad is not None
    assert fake.grad.abs().min() > 0


def test_a_function_of_weights_makes_the_network_which_never_learns(loss: Callable[..., FeatureLoss]) -> None:
    network = Doubled(1.0)
    given = list[object]()

    def make(path: object) -> nn.Module:
        given.append(path)
        return network

    found = loss(make, "weights.pt")
    found(torch.zeros(1, 3, 4, 4, requires_grad=True), torch.ones(1, 3, 4, 4)).backward()
    assert [str(path) for path in given] == ["weights.pt"]
    assert network.factor.grad is None
    assert not network.training


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda frames: frames.detach(), "features without gradients; leave out no_grad"),
        (lambda frames: 3.0, "returned float; a tensor of features, or several"),
        (lambda frames: [], "returned list; a tensor of features"),
        (lambda frames: frames[7], r"my_features:found failed: IndexError"),
        (lambda frames: frames[: 1 + frames.requires_grad], "features of other shapes"),
        ("text", "my_features:found is no function"),
    ],
)
def test_what_is_no_such_function_is_refused(loss: Callable[..., FeatureLoss], function: object, sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        loss(function)(torch.zeros(2, 3, 4, 4, requires_grad=True), torch.ones(2, 3, 4, 4))


def test_a_maker_has_to_return_a_function(loss: Callable[..., FeatureLoss]) -> None:
    with pytest.raises(TrainingError, match=r"returned NoneType for weights\.pt; the function of frames"):
        loss(lambda path: None, "weights.pt")


def test_a_module_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(TrainingError, match=r"losses\.feature_network absent:found cannot be had"):
        FeatureLoss("absent:found", "", CPU)
