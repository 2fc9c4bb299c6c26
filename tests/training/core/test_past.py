"""What is heard of the past: means that are those of their definition, attention that is AVSyncD's over the past, and both at other rates."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from training.core.past import HEADS, ExponentialWindows, Past, PastAttention

FEATURES = 6


def features(steps: int, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, steps, FEATURES, generator=torch.Generator().manual_seed(7))


def rest(part: ExponentialWindows | PastAttention | Past, batch: int = 2) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(batch, *shape) for name, shape in part.state_shapes().items()}


def attention(attended_steps: int = 5) -> PastAttention:
    torch.manual_seed(1)
    part = PastAttention(FEATURES, attended_steps)
    with torch.no_grad():
        part.age.normal_()
    return part


def both() -> Past:
    torch.manual_seed(2)
    return Past(FEATURES, 3, 4)


@pytest.mark.parametrize("part", [ExponentialWindows(FEATURES, 3), attention(), both()])
def test_step_by_step_is_a_sequence_and_a_whole_clip_from_rest(part):
    heard = features(11)
    with torch.no_grad():
        whole, last = part(heard, rest(part))
        state, output = rest(part), []
        for t in range(heard.shape[1]):
            one, state = part(heard[:, t : t + 1], state)
            output.append(one)
        torch.testing.assert_close(torch.cat(output, dim=1), whole, rtol=0, atol=1e-6)
        for name, value in last.items():
            torch.testing.assert_close(state[name], value, rtol=0, atol=1e-6)
        torch.testing.assert_close(part.from_rest(heard[0]), whole[0], rtol=0, atol=1e-5)
        assert whole.shape[-1] == part.size


def test_a_window_weighs_as_the_exponential_mean_of_its_length():
    impulse = torch.zeros(1, 400, 1)
    impulse[0, 0] = 1.0
    part = ExponentialWindows(1, 3)
    response_TN = part(impulse, rest(part, 1))[0][0]
    age_T1 = torch.arange(400.0)[:, None]
    torch.testing.assert_close(response_TN.sum(dim=0), torch.ones(3))
    # Plain windows over 2, 4 and 8 steps have these mean ages too.
    torch.testing.assert_close((age_T1 * response_TN).sum(dim=0), torch.tensor([0.5, 1.5, 3.5]), rtol=1e-4, atol=0)


@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.0])
def test_windows_are_as_long_in_seconds_at_any_rate(ratio):
    usual, faster = ExponentialWindows(FEATURES, 4), ExponentialWindows(FEATURES, 4)
    assert faster.scale_rate(ratio) == {"window_means"}
    lasting = features(1).expand(-1, 12, -1)
    _, slow = usual(lasting[:, :4], rest(usual))
    _, quick = faster(lasting[:, : round(4 * ratio)], rest(faster))
    torch.testing.assert_close(quick["window_means"], slow["window_means"])


def test_longer_steps_a_second_make_windows_of_as_many_seconds():
    twice = ExponentialWindows(FEATURES, 2, length=2.0)
    torch.testing.assert_close(twice.decays**2, ExponentialWindows(FEATURES, 2).decays)


def test_attention_is_the_masked_one_over_the_whole_sequence():
    """Every step attends to all, with a mask that hides the future and what is older than the window."""
    part, steps = attention(), 9
    heard = features(steps)
    before = functional.pad(heard, (0, 0, part.attended_steps - 1, 0))
    query, key, value = (
        linear(values).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for linear, values in ((part.query, heard), (part.key, before), (part.value, before))
    )
    mask = torch.full((HEADS, steps, before.shape[1]), -torch.inf)
    for t in range(steps):
        mask[:, t, t : t + part.attended_steps] = part.age
    expected = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    torch.testing.assert_close(part(heard, rest(part))[0], expected.transpose(1, 2).flatten(2), rtol=0, atol=1e-6)


def test_what_is_older_than_the_window_is_forgotten_and_what_is_in_it_counts():
    part, steps = attention(5), 12
    heard = features(steps)
    plain, _ = part(heard, rest(part))
    for age, is_heard in ((4, True), (5, False)):
        changed = heard.clone()
        changed[:, steps - 1 - age] += 1.0
        other, _ = part(changed, rest(part))
        assert torch.equal(other[:, -1], plain[:, -1]) != is_heard


def test_at_a_whole_ratio_attention_hears_what_training_heard():
    usual, faster = attention(4), attention(4)
    assert faster.scale_rate(3.0) == {"heard"}
    assert faster.state_shapes() == {"heard": (9, FEATURES)}
    quick = features(18)
    expected, _ = usual(quick[:, 2::3], rest(usual))
    torch.testing.assert_close(faster(quick, rest(faster))[0][:, 2::3], expected, rtol=0, atol=1e-6)


def test_at_a_fraction_of_a_step_attention_does_not_scale():
    part = both()
    assert part.scale_rate(1.5) == {"window_means"}
    assert part.state_shapes().keys() == {"window_means", "heard"}


def test_without_options_it_hears_the_features_alone():
    heard = features(3)
    part = Past(FEATURES, 0, 0)
    assert part(heard, {})[0] is heard
    assert (part.size, part.state_shapes(), part.state_dict()) == (FEATURES, {}, {})
