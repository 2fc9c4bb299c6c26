"""Layers that compute again what they do not keep: the same gradients in less memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from benchmarks.avsyncd_cases import drawn, give_weights
from benchmarks.tempotokens_tiny import UNET, WIDTH, draw_weights
from tests.training.diffusion.avsyncd.published_folder import SHAPE
from training.diffusion.avsyncd.learner import LearningConfig
from training.diffusion.avsyncd.learning_cost import batch_cost
from training.diffusion.avsyncd.transformer import Conditions
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.cost import FusedAttention
from training.diffusion.recomputation import recompute
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.frame_unet import FrameUNet

FRAMES = 3


def frame_unet() -> FrameUNet:
    return FrameUNet(draw_weights(published.unet_from(UNET), 4)).requires_grad_(False)


def of_contexts(unet: nn.Module) -> list[Tensor]:
    """What a mapper learns from: gradients of the frames' contexts, each frame its own."""
    contexts = drawn("contexts", 1, FRAMES, 5, WIDTH).requires_grad_()
    unet(drawn("latents", 1, 4, FRAMES, 8, 8), 7, contexts).square().sum().backward()
    assert contexts.grad is not None
    return [contexts.grad]


def video_unet() -> VideoUNet:
    unet = VideoUNet(SHAPE)
    give_weights(unet)
    return unet


def of_weights(unet: nn.Module) -> list[Tensor]:
    given = Conditions(drawn("text", 1, 5, SHAPE.text_size), drawn("sound", 1, FRAMES, 5, SHAPE.sound_size))
    unet(drawn("latents", 1, 4, FRAMES, 8, 8), torch.tensor(7), given).square().sum().backward()
    return [parameter.grad for parameter in unet.parameters() if parameter.grad is not None]


@pytest.mark.parametrize(("make", "gradients"), [(frame_unet, of_contexts), (video_unet, of_weights)])
def test_gradients_stay_what_they_are(
    make: Callable[[], FrameUNet | VideoUNet], gradients: Callable[[nn.Module], list[Tensor]]
) -> None:
    plain, again = make(), make()
    computed = list[str]()
    layers = again.layers()
    layers[-1].register_forward_pre_hook(lambda *_: computed.append("called"))
    inner = next(layer for layer in layers[-1].modules() if not list(layer.children()))
    inner.register_forward_hook(lambda *_: computed.append("computed"))
    recompute(layers)
    expected, found = gradients(plain), gradients(again)
    assert expected
    for one, other in zip(expected, found, strict=True):
        assert one.abs().max() > 0
        torch.testing.assert_close(other, one, rtol=0, atol=1e-6 * float(one.abs().max()))
    assert computed == ["called", "computed", "computed"]


def test_where_no_gradients_are_wanted_nothing_is_computed_twice() -> None:
    unet = frame_unet()
    latents, contexts = drawn("latents", 1, 4, FRAMES, 8, 8), drawn("contexts", 1, FRAMES, 5, WIDTH)
    with torch.no_grad():
        before = unet(latents, 7, contexts)
        recompute(unet.layers())
        assert torch.equal(unet(latents, 7, contexts), before)


def test_the_count_of_a_training_is_smaller() -> None:
    """Also where only some weights learn: those of the library's layers keep what they are given alone."""

    def counted(recomputes: bool) -> int:
        with torch.device("meta"):
            unet = VideoUNet(SHAPE)
        if recomputes:
            recompute(unet.layers(), FusedAttention)
        return batch_cost(unet, (2, 16, 16), LearningConfig(), torch.device("cuda")).peak_bytes

    assert counted(True) < 0.6 * counted(False)
