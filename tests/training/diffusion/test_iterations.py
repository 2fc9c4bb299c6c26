"""Iterations of a run that learns: random numbers by their iteration, steps that are refused, checkpoints by their number."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from engine.core.errors import TrainingError
from training.diffusion.iterations import (
    checkpoint_place,
    checkpoint_to_resume,
    checkpoints,
    number_of,
    random_source,
    take_step,
)


def test_an_iteration_draws_what_it_drew_before_and_no_other_draws_it() -> None:
    drawn = [torch.rand(4, generator=random_source(3, iteration, "noise")) for iteration in (7, 7, 8)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], torch.rand(4, generator=random_source(3, 7, "clips")))


def test_a_long_gradient_is_scaled_down_before_the_step() -> None:
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([30.0, 40.0])
    take_step(torch.optim.SGD([weight], lr=1.0), [weight], 5.0, 1.0, 1)
    assert weight.detach().tolist() == pytest.approx([-3.0, -4.0], abs=1e-4)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_changes_nothing(loss: float) -> None:
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.ones(2)
    with pytest.raises(TrainingError, match=f"The loss of iteration 12 is {loss}; .* lower learning_rate"):
        take_step(torch.optim.SGD([weight], lr=1.0), [weight], 5.0, loss, 12)
    assert not weight.detach().any()


@pytest.mark.parametrize("gradient", [float("nan"), float("inf")])
def test_a_gradient_that_is_no_number_changes_nothing(gradient: float) -> None:
    """The next loss would be no number either, after a checkpoint perhaps."""
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([1.0, gradient])
    with pytest.raises(TrainingError, match=f"The length of the gradient of iteration 12 is {gradient}"):
        take_step(torch.optim.SGD([weight], lr=1.0), [weight], 5.0, 1.0, 12)
    assert not weight.detach().any()


def test_checkpoints_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for iteration in (10, 9, 100):
        checkpoint_place(tmp_path, iteration).mkdir()
    (tmp_path / "checkpoint-new").mkdir()
    assert [number_of(place) for place in checkpoints(tmp_path)] == [9, 10, 100]


def test_a_run_goes_on_only_when_asked_and_only_where_it_was(tmp_path: Path) -> None:
    assert checkpoint_to_resume(tmp_path, "", resume=False) is None
    with pytest.raises(TrainingError, match="holds no checkpoint to go on from; leave out --resume"):
        checkpoint_to_resume(tmp_path, "", resume=True)
    checkpoint_place(tmp_path / "ckpts", 3).mkdir(parents=True)
    with pytest.raises(TrainingError, match="holds a run; add --resume to go on"):
        checkpoint_to_resume(tmp_path, "ckpts", resume=False)
    assert checkpoint_to_resume(tmp_path, "ckpts", resume=True) == tmp_path / "ckpts" / "checkpoint-3"
