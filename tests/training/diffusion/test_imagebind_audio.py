"""ImageBind's audio encoder: tokens by place, the part of the sound that each frame sees, and the names of published weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.core.errors import TrainingError
from tests.training.diffusion.shapes import fingerprint
from training.diffusion.filter_bank import IMAGEBIND, FilterBank
from training.diffusion.imagebind_audio import (
    ImageBindAudio,
    ImageBindAudioConfig,
    from_imagebind,
    levels_of,
    segment_mask,
)

SMALL = ImageBindAudioConfig(size=16, layers=1, heads=2, embedding_size=8)
STARTS = (0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17)
"""The first of the two columns that each of twelve frames sees, as published."""
PUBLISHED = "cb2738c978fce76aa851683a5332961996b6eb49ae862d479b4e279ef394b704"
"""Fingerprint of names and shapes of the original's audio encoder at full size (benchmarks.avsyncd_parity)."""


def test_two_seconds_become_204_columns_of_which_the_last_six_are_padding() -> None:
    sound = torch.randn(1, 32000, generator=torch.Generator().manual_seed(0))
    levels = levels_of(sound, FilterBank(IMAGEBIND))
    assert levels.shape == (1, 1, 128, 204)
    assert torch.equal(levels[..., 198:], torch.full((1, 1, 128, 6), 4.268 / 9.138))
    assert torch.equal(levels[0, 0, :, :198], FilterBank(IMAGEBIND)(sound)[0].T)


def test_longer_sound_is_cut() -> None:
    sound = torch.randn(1, 48000, generator=torch.Generator().manual_seed(0))
    bank = FilterBank(IMAGEBIND)
    assert torch.equal(levels_of(sound, bank)[0, 0], bank(sound)[0, :204].T)


def test_a_patch_is_one_token_in_the_order_bands_then_time() -> None:
    encoder = ImageBindAudio(SMALL)
    levels = torch.zeros(1, 1, 128, 204)
    changed = levels.clone()
    # Rows 40 to 55 and columns 30 to 45 are a patch; its neighbours begin 10 further on and see a part of it.
    changed[0, 0, 46:50, 36:40] = 1.0
    far = (encoder.preprocessor(changed) - encoder.preprocessor(levels)).abs().amax(dim=(0, 2))
    assert far.nonzero().flatten().tolist() == [1 + 4 * 19 + 3]


def test_the_class_token_comes_first() -> None:
    encoder = ImageBindAudio(SMALL)
    expected = encoder.preprocessor.cls_token[:, 0] + encoder.preprocessor.pos_embedding_helper.pos_embed[:, 0]
    assert torch.equal(encoder.preprocessor(torch.zeros(1, 1, 128, 204))[:, 0], expected)


def test_each_frame_sees_two_columns_and_the_class_token() -> None:
    mask = segment_mask(ImageBindAudioConfig(), 12)
    assert mask.shape == (12, 229)
    for frame, start in enumerate(STARTS):
        seen = {0} | {1 + row * 19 + column for row in range(12) for column in (start, start + 1)}
        assert set(mask[frame].nonzero().flatten().tolist()) == seen


def test_one_segment_sees_everything() -> None:
    assert segment_mask(SMALL, 1).all()


@pytest.mark.parametrize("segments", [0, 20])
def test_as_many_segments_as_columns_at_most(segments: int) -> None:
    with pytest.raises(TrainingError, match=f"in {segments} segments; from 1 to 19"):
        segment_mask(SMALL, segments)


def test_embeddings_have_length_one() -> None:
    embedding = ImageBindAudio(SMALL).embedding(torch.randn(2, 1, 128, 204))
    torch.testing.assert_close(embedding.norm(dim=-1), torch.ones(2))


def test_names_and_shapes_of_the_published_weights() -> None:
    with torch.device("meta"):
        encoder = ImageBindAudio(ImageBindAudioConfig())
    assert fingerprint(encoder) == PUBLISHED


def imagebind_file(encoder: ImageBindAudio) -> dict[str, Tensor]:
    """Weights as ImageBind's own file has them, among those of other senses."""
    parts = {"preprocessor": "preprocessors", "trunk": "trunks", "head": "heads", "postprocessor": "postprocessors"}
    found = {
        "modality_trunks.vision.blocks.0.norm_1.weight": torch.zeros(3),
        "modality_heads.imu.3.weight": torch.zeros(3),
    }
    for name, value in encoder.state_dict().items():
        part, _, rest = name.partition(".")
        if part in parts:
            found[f"modality_{parts[part]}.audio.{rest}"] = value
    return found


def test_imagebinds_own_file_is_read() -> None:
    encoder = ImageBindAudio(SMALL)
    other = ImageBindAudio(SMALL)
    other.load_state_dict(from_imagebind(imagebind_file(encoder)))
    levels = torch.randn(1, 1, 128, 204)
    assert not torch.equal(ImageBindAudio(SMALL)(levels), encoder(levels))
    assert torch.equal(other(levels), encoder(levels))


def test_a_file_without_an_audio_encoder_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"no 'modality_trunks\.audio'; ImageBind's own file"):
        from_imagebind({"modality_trunks.vision.blocks.0.norm_1.weight": torch.zeros(3)})


@pytest.mark.parametrize("wrong", [{"heads": 5}, {"layers": 0}, {"columns": 15}, {"mel_bands": 8}])
def test_impossible_encoders_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(TrainingError, match="The audio encoder has"):
        ImageBindAudioConfig(**wrong)
