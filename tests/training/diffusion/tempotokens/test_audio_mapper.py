"""The mapper: what each frame gets of the sound."""

from __future__ import annotations

import pytest
import torch

from benchmarks.tempotokens_tiny import draw_weights
from engine.core.errors import TrainingError
from training.diffusion.tempotokens.audio_mapper import PSEUDO_TOKENS, AudioMapper, MapperConfig, window_means

SHAPE = {"input_size": 12, "hidden_size": 10, "output_size": 8}


def mapper(dropout: float = 0.0) -> AudioMapper:
    return draw_weights(AudioMapper(MapperConfig(**SHAPE, pooling_dropout=dropout)), 1)  # type: ignore[return-value]


def tokens(count: int = 48) -> torch.Tensor:
    return torch.randn(1, count, 12, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def test_a_frame_gets_its_token_its_windows_and_the_token_of_all() -> None:
    pseudo = mapper()(tokens())
    assert pseudo.shape == (1, 24, PSEUDO_TOKENS, 8)
    own = mapper().frame_tokens(tokens())
    torch.testing.assert_close(pseudo[:, :, 0], own)
    torch.testing.assert_close(pseudo[0, 10, 2], own[0, 8:12].mean(0))
    torch.testing.assert_close(pseudo[0, 10, 4], own[0, 2:18].mean(0))
    assert (pseudo[:, :, 5] == pseudo[:, :1, 5]).all()


def test_windows_end_before_the_frame_that_is_as_far_ahead() -> None:
    count = torch.arange(5.0)[None, :, None]
    assert window_means(count, 1)[0, :, 0].tolist() == [0.0, 0.5, 1.5, 2.5, 3.5]
    assert window_means(count, 2)[0, :, 0].tolist() == [0.5, 1.0, 1.5, 2.5, 3.0]


@torch.no_grad()
def test_a_frame_hears_the_tokens_of_its_own_time() -> None:
    changed = tokens()
    changed[0, 20:22] += 1.0
    moved = (mapper().frame_tokens(changed) - mapper().frame_tokens(tokens())).abs().sum(dim=-1)[0]
    assert moved.nonzero().flatten().tolist() == [10]


@torch.no_grad()
def test_where_all_frames_are_alike_so_is_the_token_of_all() -> None:
    same = tokens()[:, :1].expand(1, 24, 12)
    pseudo = mapper(0.5)(same)
    torch.testing.assert_close(pseudo[:, :, 5], pseudo[:, :, 0])


@torch.no_grad()
def test_numbers_are_dropped_while_rendering_too_and_by_the_seed() -> None:
    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return mapper(0.5)(tokens())

    assert torch.equal(drawn(1), drawn(1))
    difference = (drawn(1) - drawn(2)).abs()
    assert difference[:, :, 5].max() > 1e-4
    assert difference[:, :, :5].max() == 0.0


def test_a_sound_that_does_not_divide_is_refused() -> None:
    with pytest.raises(
        TrainingError, match="gives 50 tokens for 24 frames; a multiple of 24 was expected: use 1, 2, 3 or 4 s"
    ):
        mapper()(tokens(50))
