"""Damped oscillators: a whole clip at once, their physics as controls, and other rates."""

from __future__ import annotations

import torch

from training.core.resonators import Resonators


def bank(**settings: float) -> Resonators:
    torch.manual_seed(1)
    return Resonators(6, 8, **settings)


def features(steps: int) -> torch.Tensor:
    return torch.randn(1, steps, 6, generator=torch.Generator().manual_seed(2))


def at_rest() -> dict[str, torch.Tensor]:
    return {"resonance": torch.zeros(1, 2, 8)}


def test_a_whole_clip_at_once_is_the_fold_of_its_steps() -> None:
    resonators, given = bank(), features(50)
    with torch.no_grad():
        expected, _ = resonators(given, at_rest())
        torch.testing.assert_close(resonators.from_rest(given[0]), expected[0], atol=1e-5, rtol=0)


def test_stiffer_oscillators_turn_faster_and_damped_ones_ring_shorter() -> None:
    resonators = bank()
    with torch.no_grad():
        resonators.turn.fill_(0.02)
        resonators.log_steps.fill_(3.0)
        struck, silence = {"resonance": torch.ones(1, 2, 8)}, torch.zeros(1, 1, 6)
        plain, stiff, damped = (
            resonators(silence, struck, **given)[1]["resonance"][0, :, 0]
            for given in ({}, {"elasticity": torch.tensor(4.0)}, {"damping": torch.tensor(9.0)})
        )
    angles = [torch.atan2(state[1], state[0]) - torch.pi / 4 for state in (plain, stiff)]
    torch.testing.assert_close(angles[1], 2.0 * angles[0], atol=1e-5, rtol=0)
    decays = [torch.log(state.norm() / 2.0**0.5) for state in (plain, damped)]
    torch.testing.assert_close(decays[1], 9.0 * decays[0], atol=1e-5, rtol=0)


def test_a_control_of_1_for_each_row_changes_nothing() -> None:
    resonators, given = bank(), features(5).expand(2, -1, -1)
    state = {"resonance": torch.randn(2, 2, 8, generator=torch.Generator().manual_seed(3))}
    one = torch.ones(2, 1)
    with torch.no_grad():
        expected, _ = resonators(given, state)
        came, _ = resonators(given, state, one, one)
    torch.testing.assert_close(came, expected, atol=1e-6, rtol=0)


def test_no_stiffness_turns_faster_than_a_step_can_show() -> None:
    resonators = bank()
    with torch.no_grad():
        out, _ = resonators(features(40), at_rest(), torch.tensor(1e6), torch.tensor(1e-6))
    assert out.isfinite().all()


def test_the_bank_of_a_higher_rate_rings_as_long_in_seconds() -> None:
    usual, longer = bank(), bank(length=3.0)
    torch.testing.assert_close(longer.log_steps.exp(), 3.0 * usual.log_steps.exp())
    torch.testing.assert_close(longer.turn, usual.turn / 3.0)
