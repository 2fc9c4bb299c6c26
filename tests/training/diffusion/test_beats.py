"""BEATs: shapes, distances, and what is refused. Its numbers are compared with the original's in tempotokens/test_against_original.py."""

from __future__ import annotations

import pytest
import torch

from benchmarks.tempotokens_tiny import BEATS, draw_weights
from engine.core.errors import TrainingError
from training.diffusion.beats import Attention, Beats, BeatsConfig, distance_buckets

CONFIG = BeatsConfig.of_file(BEATS)


@pytest.fixture(scope="module")
def beats() -> Beats:
    return draw_weights(Beats(CONFIG), 1)  # type: ignore[return-value]


def test_each_second_gives_six_patches_of_time_and_eight_of_bands(beats: Beats) -> None:
    assert [beats.token_count(16000 * seconds) for seconds in (1, 2, 3, 4)] == [48, 96, 144, 192]
    with torch.no_grad():
        features = beats(0.1 * torch.randn(2, 16000, generator=torch.Generator().manual_seed(0)))
    assert features.shape == (2, 48, CONFIG.feature_size)


def test_the_shape_of_published_files_is_read(beats: Beats) -> None:
    assert CONFIG.encoder_layers == 2
    assert CONFIG.feature_size == 64
    published = BeatsConfig.of_file({"encoder_layers": 12, "dropout": 0.1, "finetuned_model": True})
    assert published == BeatsConfig()
    assert "encoder.pos_conv.0.weight_g" in beats.state_dict()
    assert "filter_bank.shape_T" not in beats.state_dict()


def test_near_distances_are_told_apart_and_far_ones_share_buckets() -> None:
    buckets = distance_buckets(60, 32, 40)
    assert buckets[30, 30] == 0
    assert buckets[30, 22:30].tolist() == [8, 7, 6, 5, 4, 3, 2, 1]
    assert buckets[30, 31:38].tolist() == [17, 18, 19, 20, 21, 22, 23]
    assert buckets[0].diff().min() >= 0
    assert buckets[0, 50] == buckets[0, 59] == 31
    assert buckets.max() == 31


@torch.no_grad()
def test_without_its_bias_attention_knows_no_order() -> None:
    attention = draw_weights(Attention(CONFIG), 2)
    tokens = torch.randn(1, 9, 32, generator=torch.Generator().manual_seed(3))
    order = torch.tensor([3, 1, 4, 0, 8, 2, 7, 5, 6])
    buckets = distance_buckets(9, CONFIG.num_buckets, CONFIG.max_distance)
    whole = attention(tokens, buckets)
    assert (attention(tokens[:, order], buckets) - whole[:, order]).abs().max() > 1e-3
    attention.relative_attention_bias.weight.zero_()
    torch.testing.assert_close(attention(tokens[:, order], buckets), attention(tokens, buckets)[:, order])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"layer_norm_first": True}, "layer_norm_first True; False was expected: use BEATs_iter3"),
        ({"gru_rel_pos": False}, "gru_rel_pos False; True was expected"),
        ({"encoder_attention_heads": 5}, "768 channels in 5 heads"),
        ({"encoder_attention_heads": 0}, "encoder_attention_heads 0; a positive whole number was expected"),
        ({"encoder_layers": "many"}, "encoder_layers 'many'; a positive whole number was expected"),
    ],
)
def test_other_versions_are_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        BeatsConfig.of_file(values)


def test_too_short_a_sound_is_refused(beats: Beats) -> None:
    with pytest.raises(TrainingError, match=r"1 windows of the filter bank; at least 16 \(0\.16 s\)"):
        beats(torch.zeros(1, 400))
