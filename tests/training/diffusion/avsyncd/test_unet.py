"""The UNet against the original's values, against Stable Diffusion's own UNet in diffusers, and what a frame depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from benchmarks.avsyncd_cases import SMALL, SMALL_AUDIO, drawn, give_weights, own_values
from engine.core.errors import TrainingError
from tests.training.diffusion.shapes import fingerprint
from training.diffusion.avsyncd.config import UNetConfig, read_config, written_config
from training.diffusion.avsyncd.convolution import CausalConvolution
from training.diffusion.avsyncd.transformer import Conditions, VideoTransformer
from training.diffusion.avsyncd.unet import ADDED, VideoUNet, added_names
from training.diffusion.imagebind_audio import ImageBindAudio

ORIGINAL = Path(__file__).parent / "original.npz"
"""What the original's code gives for the cases of benchmarks.avsyncd_cases; benchmarks.avsyncd_parity --write makes it."""
PUBLISHED = "23b4f6ef728621f0432dfedd97b9606a399bb4b522aeda74e8cf4986b13a89d5"
"""Fingerprint of names and shapes of the original's UNet at full size (benchmarks.avsyncd_parity)."""


def test_values_of_the_original() -> None:
    unet, audio = VideoUNet(SMALL), ImageBindAudio(SMALL_AUDIO)
    give_weights(unet)
    give_weights(audio)
    found = own_values(unet, audio)
    with np.load(ORIGINAL) as kept:
        assert set(kept) == set(found)
        far = {name: float(np.abs(kept[name] - found[name].numpy()).max()) for name in kept}
    wrong = {name: value for name, value in far.items() if value > (1e-3 if "steps" in name else 1e-4)}
    assert wrong == {}


def test_names_and_shapes_of_the_published_weights() -> None:
    with torch.device("meta"):
        unet = VideoUNet(UNetConfig())
    assert fingerprint(unet) == PUBLISHED


def stable_diffusion(config: UNetConfig) -> Any:
    """Diffusers' UNet of the same sizes for stills."""
    last = len(config.channels) - 1
    return UNet2DConditionModel(
        block_out_channels=config.channels,
        layers_per_block=config.layers,
        attention_head_dim=config.heads,
        norm_num_groups=config.groups,
        cross_attention_dim=config.text_size,
        down_block_types=("CrossAttnDownBlock2D",) * last + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * last,
    ).eval()


@pytest.mark.parametrize("sides", [(4, 8), (6, 5)])
def test_one_frame_without_what_is_added_is_stable_diffusion(sides: tuple[int, int]) -> None:
    unet, still = VideoUNet(SMALL), stable_diffusion(SMALL)
    give_weights(still)
    give_weights(unet)
    added = set(added_names(unet))
    outputs = {name: torch.zeros_like(value) for name, value in unet.state_dict().items() if name in added}
    unet.load_state_dict(still.state_dict() | outputs)
    latents, text = drawn("latents", 2, 4, 1, *sides), drawn("text", 2, 7, SMALL.text_size)
    conditions = Conditions(text, drawn("sound", 2, 1, 25, SMALL.sound_size))
    with torch.no_grad():
        found = unet(latents, torch.tensor(500), conditions)[:, :, 0]
        expected = still(latents[:, :, 0], torch.tensor(500), text).sample
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0.0)


def changed_frames(before: Tensor, after: Tensor) -> list[int]:
    """Frames of [B, C, F, H, W] that differ."""
    return (before - after).abs().amax(dim=(0, 1, 3, 4)).gt(1e-6).nonzero().flatten().tolist()


@pytest.mark.parametrize(("frame", "expected"), [(0, [0, 1, 2, 3, 4]), (2, [2, 3]), (4, [4])])
def test_a_convolution_sees_the_first_frame_the_one_before_and_its_own(frame: int, expected: list[int]) -> None:
    convolution = CausalConvolution(3, 4, 3)
    give_weights(convolution)
    video = drawn("video", 1, 3, 5, 4, 4)
    changed = video.clone()
    changed[:, :, frame] += 1.0
    with torch.no_grad():
        assert changed_frames(convolution(video), convolution(changed)) == expected


def test_a_fresh_convolution_is_that_of_each_frame() -> None:
    convolution = CausalConvolution(3, 4, 3, stride=2)
    video = drawn("video", 2, 3, 5, 6, 6)
    with torch.no_grad():
        found = convolution(video)
        for frame in range(5):
            expected = torch.conv2d(video[:, :, frame], convolution.weight, convolution.bias, stride=2, padding=1)
            torch.testing.assert_close(found[:, :, frame], expected)


def without_time(transformer: VideoTransformer) -> VideoTransformer:
    """Leave out what lets all frames see each other."""
    give_weights(transformer)
    output = transformer.transformer_blocks[0].attn_temp.to_out[0]
    torch.nn.init.zeros_(output.weight)
    return transformer


def test_a_frame_looks_at_its_own_part_of_the_sound() -> None:
    transformer = without_time(VideoTransformer(16, SMALL))
    video, text, sound = drawn("video", 1, 16, 4, 2, 3), drawn("text", 1, 7, 24), drawn("sound", 1, 4, 5, 32)
    changed = sound.clone()
    changed[:, 2] += 1.0
    with torch.no_grad():
        found = [transformer(video, Conditions(text, given)) for given in (sound, changed)]
    assert changed_frames(*found) == [2]


@pytest.mark.parametrize(("frame", "expected"), [(0, [0, 1, 2, 3]), (2, [2])])
def test_frames_look_at_the_first_frame_alone(frame: int, expected: list[int]) -> None:
    transformer = without_time(VideoTransformer(16, SMALL))
    conditions = Conditions(drawn("text", 1, 7, 24), drawn("sound", 1, 4, 5, 32))
    video = drawn("video", 1, 16, 4, 2, 3)
    changed = video.clone()
    changed[:, :, frame] += drawn("change", 16, 2, 3)
    with torch.no_grad():
        assert changed_frames(transformer(video, conditions), transformer(changed, conditions)) == expected


def test_what_is_added_is_what_stable_diffusion_lacks() -> None:
    unet = VideoUNet(SMALL)
    assert set(added_names(unet)) == set(unet.state_dict()) - set(stable_diffusion(SMALL).state_dict())
    assert all(any(part in name for part in ADDED) for name in added_names(unet))


def test_the_published_configuration_is_read() -> None:
    assert read_config(written_config(UNetConfig())) == UNetConfig()
    assert read_config(written_config(SMALL)) == SMALL


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"use_linear_projection": True}, "says use_linear_projection: True; AVSyncD has False"),
        ({"down_block_types": ["DownBlock2D"] * 3}, "says down_block_types"),
        ({"mid_block_type": None}, "says mid_block_type: None"),
        ({"block_out_channels": 320}, "says down_block_types"),
        ({"attention_head_dim": [8, 8, 8]}, r"gives \[8, 8, 8\] as heads; a positive whole number"),
        ({"layers_per_block": 0}, "gives 0 as layers"),
        ({"norm_num_groups": 5}, "5 groups and 4 heads"),
    ],
)
def test_configurations_of_other_networks_are_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        read_config(written_config(SMALL) | wrong)
