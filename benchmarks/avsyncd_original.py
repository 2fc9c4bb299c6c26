"""The original AVSyncD, built from checkouts of its code with small sizes and random weights, for benchmarks.avsyncd_parity.

    git clone https://github.com/lzhangbj/ASVA
    git clone https://github.com/facebookresearch/ImageBind
    pip install einops iopath ftfy

Nothing in the checkouts is changed. Two kinds of packages that they import are stood in for: torchvision, torchaudio and
pytorchvideo, which read and write media and are not called here, and timm, of which ImageBind takes a dropout of whole branches,
which does nothing outside training, and an initialisation, which random weights replace.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks.avsyncd_cases import (
    EVERY,
    GUIDANCE,
    SCHEDULERS,
    SIDES,
    SMALL_AUDIO,
    STEPS,
    TIMESTEPS,
    Values,
    levels,
    sampling_name,
    step_inputs,
    still_and_noise,
    texts,
    training_inputs,
)
from training.diffusion.avsyncd.config import FRAMES, UNetConfig, written_config
from training.diffusion.imagebind_audio import ImageBindAudioConfig, segment_mask

NOT_CALLED = ("torchvision", "torchvision.io", "torchvision.transforms", "torchaudio", "pytorchvideo")


def import_original(asva: Path, imagebind: Path) -> None:
    """Make the packages of both checkouts importable, `submodules.ImageBind` among them."""
    for name in NOT_CALLED:
        sys.modules.setdefault(name, mock.MagicMock(name=name))
    timm, layers = ModuleType("timm"), ModuleType("timm.layers")
    layers.DropPath, layers.trunc_normal_ = _no_dropout, nn.init.trunc_normal_  # type: ignore[attr-defined]
    sys.modules |= {"timm": timm, "timm.layers": layers}
    sys.path.insert(0, str(asva))
    # Without its __init__, which reads media. The original finds it as a submodule of git, and it finds itself by its own name.
    package = ModuleType("imagebind")
    package.__path__ = [str(imagebind / "imagebind")]
    sys.modules["imagebind"] = package
    for name in ("imagebind.models", "imagebind.models.imagebind_model"):
        sys.modules[f"submodules.ImageBind.{name}"] = importlib.import_module(name)
    data = ModuleType("submodules.ImageBind.imagebind.data")
    data.waveform2melspec = None  # type: ignore[attr-defined]
    for name in ("submodules", "submodules.ImageBind", "submodules.ImageBind.imagebind"):
        sys.modules[name] = ModuleType(name)
    sys.modules[data.__name__] = data


def _no_dropout(rate: float) -> nn.Module:
    return nn.Identity()


def original_unet(config: UNetConfig) -> Any:
    """Build the original's UNet from the configuration that its checkpoints would hold."""
    unets = importlib.import_module("avgen.models.unets")
    values = {name: value for name, value in written_config(config).items() if not name.startswith("_")}
    return unets.AudioUNet3DConditionModel(**values).eval()


def original_audio(config: ImageBindAudioConfig, segments: int) -> Any:
    """Build the original's audio encoder; its other senses are made as small as they can be."""
    model = importlib.import_module("imagebind.models.imagebind_model")
    whole = model.ImageBindModel

    def imagebind_huge(pretrained: bool) -> Any:
        sizes = {f"{sense}_embed_dim": 8 for sense in ("vision", "text", "depth", "thermal", "imu")}
        sizes |= {f"{sense}_num_blocks": 1 for sense in ("vision", "text", "depth", "thermal", "imu")}
        sizes |= {f"{sense}_num_heads": 1 for sense in ("vision", "text", "depth", "thermal", "imu")}
        return whole(
            out_embed_dim=config.embedding_size,
            audio_embed_dim=config.size,
            audio_num_blocks=config.layers,
            audio_num_heads=config.heads,
            **sizes,
        )

    kept, model.imagebind_huge = model.imagebind_huge, imagebind_huge
    try:
        encoder = importlib.import_module("avgen.models.audio_encoders").ImageBindSegmaskAudioEncoder(segments)
    finally:
        model.imagebind_huge = kept
    encoder.final_layer_norm = nn.LayerNorm(config.size, eps=1e-6)
    return encoder.eval()


@torch.no_grad()
def audio_values(encoder: Any) -> Values:
    """Return the tokens and the embedding of the case, and check the segment mask."""
    embedding, tokens, masks = encoder(levels(), normalize=False, return_dict=False)
    null = encoder(torch.zeros(1, 1, SMALL_AUDIO.mel_bands, SMALL_AUDIO.columns), return_dict=False)[1]
    assert torch.equal(masks[0], segment_mask(SMALL_AUDIO, FRAMES)), "the segment masks differ"
    unit = nn.functional.normalize(embedding, dim=-1)
    return {"audio encoder": tokens[:, ::EVERY], "null audio": null[:, ::EVERY], "audio embedding": unit}


@torch.no_grad()
def step_value(unet: Any, sides: tuple[int, int]) -> Tensor:
    latents, timesteps, text, sound = step_inputs(sides)
    return unet(
        latents,
        timesteps,
        encoder_hidden_states=text[:, None].expand(-1, FRAMES, -1, -1),
        audio_encoder_hidden_states=sound[:, None].expand(-1, FRAMES, -1, -1),
        audio_attention_mask=segment_mask(SMALL_AUDIO, FRAMES).expand(len(latents), -1, -1),
    ).sample


@torch.no_grad()
def sampled(unet: Any, encoder: Any, scheduler: Any, guidance: tuple[float, float]) -> Tensor:
    """Return the latents [1, C, F, H, W] of the original's pipeline, with given values where it would read media or draw noise."""
    pipelines = importlib.import_module("avgen.pipelines.pipeline_audio_cond_animation")
    vae = importlib.import_module("diffusers").AutoencoderKL(block_out_channels=(8,), norm_num_groups=4)
    pipeline = pipelines.AudioCondAnimationPipeline(None, None, unet, scheduler, vae, encoder)
    pipeline.set_progress_bar_config(disable=True)
    still, noise = still_and_noise()
    text, pipeline.null_text_encoding = texts()
    found: list[Tensor] = []
    pipeline.encode_latents = lambda image: still
    pipeline.audio_processor = lambda sounds: levels()
    pipeline.image_processor.preprocess = lambda images: images
    pipeline.decode_latents = lambda latents: found.append(latents) or latents
    with mock.patch.object(torch, "randn", return_value=noise):
        pipeline(
            images=[None],
            audios=[None],
            texts=[""],
            text_encodings=[text],
            height=still.shape[2],
            width=still.shape[3],
            num_inference_steps=STEPS,
            text_guidance_scale=guidance[0],
            audio_guidance_scale=guidance[1],
        )
    return found[0].unflatten(0, (1, FRAMES)).transpose(1, 2)


@torch.no_grad()
def losses(unet: Any, encoder: Any) -> Values:
    """Return the losses of the original's trainer, with given latents, timesteps and noise, with all sound and with none."""
    trainers = importlib.import_module("avgen.models.trainers.audio_cond_animation_trainer")
    scheduler = importlib.import_module("diffusers").DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, clip_sample=False
    )
    latents, noise, sounds = training_inputs()
    text, null_text = texts()
    values: Values = {}
    for name, dropout in (("with", 0.0), ("without", 1.0)):
        # Its constructor reads a file of a text of 77 tokens.
        trainer = trainers.AudioCondAnimationTrainer.__new__(trainers.AudioCondAnimationTrainer)
        nn.Module.__init__(trainer)
        trainer.vae, trainer.audio_encoder, trainer.unet, trainer.scheduler = None, encoder, unet, scheduler
        trainer.text_cond_drop_prob, trainer.audio_cond_drop_prob, trainer.loss_on_first_frame = 0.0, dropout, False
        trainer.null_text_encoding = nn.Parameter(null_text[None], requires_grad=False)
        trainer.compress_to_latents = lambda images: latents.transpose(1, 2).flatten(0, 1)
        with (
            mock.patch.object(torch, "randint", return_value=torch.tensor(TIMESTEPS)),
            mock.patch.object(torch, "randn_like", return_value=noise),
        ):
            videos = torch.zeros(2, 3, FRAMES, 8, 8)
            values[f"training loss {name} sound"] = trainer(videos, sounds, text.expand(2, -1, -1))
    return values


def original_values(unet: Any, encoder: Any) -> Values:
    """Return the original's values under the names of `own_values`."""
    values = audio_values(encoder) | {f"UNet {sides[0]}x{sides[1]}": step_value(unet, sides) for sides in SIDES}
    for name, make in SCHEDULERS.items():
        for guidance in GUIDANCE:
            values[sampling_name(name, *guidance)] = sampled(unet, encoder, make(), guidance)
    return values | losses(unet, encoder)
