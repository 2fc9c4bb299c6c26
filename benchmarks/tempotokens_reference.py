"""What the original TempoTokens gives for tiny seeded weights and inputs: kept as numbers, so that tests need no copy of its code.

benchmarks.tempotokens_parity --save FILE.npz writes them.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.tempotokens_original import Original, loaded
from benchmarks.tempotokens_tiny import BEATS, SCHEDULER, UNET, WIDTH, draw_weights
from training.diffusion.beats import Beats, BeatsConfig
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.audio_mapper import AudioMapper, MapperConfig
from training.diffusion.tempotokens.denoising import Sampling
from training.diffusion.tempotokens.frame_unet import FrameUNet

FRAMES, WORDS, SIDE = 6, 5, 8
SAMPLING = Sampling(steps=4, guidance=3.0, window_frames=FRAMES)
SEED = 11
"""Of what the mapper drops, and of the noise."""


class TinyNetworks:
    """This project's networks with seeded weights."""

    def __init__(self) -> None:
        self.beats = draw_weights(Beats(BeatsConfig.of_file(BEATS)), 21)
        shape = MapperConfig(input_size=self.beats.config.feature_size, hidden_size=24, output_size=WIDTH)
        self.mapper = draw_weights(AudioMapper(shape), 22)
        self.unet = FrameUNet(draw_weights(published.unet_from(UNET), 23))
        self.scheduler = published.scheduler_from(SCHEDULER)


def inputs() -> dict[str, Tensor]:
    """Return bands of sound [1, W, M], latents [1, C, F, H, W], and contexts [F, L, D] and [1, L, D]."""
    random = torch.Generator().manual_seed(31)
    return {
        "bands": torch.randn(1, 98, 128, generator=random),
        "latents": torch.randn(1, 4, FRAMES, SIDE, SIDE, generator=random),
        "given": torch.randn(FRAMES, WORDS, WIDTH, generator=random),
        "empty": torch.randn(1, WORDS, WIDTH, generator=random),
    }


@torch.no_grad()
def save_reference(code: Original, file: Path) -> None:
    """Write what the original gives: features, pseudo-tokens, one prediction and the latents of four steps."""
    ours, given = TinyNetworks(), inputs()
    config = code.beats.BEATsConfig({**BEATS, "finetuned_model": False})
    beats = loaded(code.beats.BEATs(config), ours.beats)
    beats.preprocess = lambda *_sound, **_options: given["bands"]
    features = beats.extract_features(given["bands"])[1]
    mapper = loaded(code.embedder.TempEmbedder(ours.mapper.config.input_size, 24, WIDTH), ours.mapper)
    torch.manual_seed(SEED)
    token, *windows, pooled = mapper(features)
    unet = loaded(code.unet.UNet3DConditionModel(**without_private(UNET)), ours.unet.unet)
    one = unet(given["latents"], torch.tensor(501), encoder_hidden_states=given["given"]).sample
    both = torch.cat([given["empty"].expand(FRAMES, -1, -1), given["given"]])
    pipe = SimpleNamespace(
        device=torch.device("cpu"),
        scheduler=ours.scheduler,
        unet=unet,
        progress_bar=lambda total: contextlib.nullcontext(tqdm(disable=True)),
        _encode_prompt=lambda **_options: both,
    )
    torch.manual_seed(SEED)
    latents = code.inference.diffuse(
        pipe=pipe,
        # Only their shape counts: the noise is drawn, from the seed before.
        latents=given["latents"],
        init_weight=0,
        prompt=None,
        negative_prompt=None,
        prompt_embeds=None,
        negative_prompt_embeds=None,
        num_inference_steps=SAMPLING.steps,
        guidance_scale=SAMPLING.guidance,
        window_size=FRAMES,
        rotate=False,
    )
    pseudo = torch.stack([token, *windows, pooled[:, None].expand_as(token)], dim=2)
    np.savez_compressed(
        file, features=features[0, ::3].numpy(), pseudo=pseudo[0].numpy(), unet=one.numpy(), latents=latents.numpy()
    )


def without_private(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration without what the library notes for itself."""
    return {name: value for name, value in config.items() if not name.startswith("_")}
