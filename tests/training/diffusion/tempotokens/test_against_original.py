"""The original's numbers for tiny seeded weights (benchmarks.tempotokens_parity --save), and names and shapes at the published size."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import tempotokens_full
from benchmarks.tempotokens_reference import SAMPLING, SEED, TinyNetworks, inputs
from training.diffusion.tempotokens.denoising import denoise

REFERENCE = Path(__file__).parent / "original.npz"
LIMIT, SAMPLING_LIMIT = 1e-4, 1e-3


@pytest.fixture(scope="module")
def ours() -> TinyNetworks:
    return TinyNetworks()


def apart(name: str, found: torch.Tensor) -> float:
    with np.load(REFERENCE) as saved:
        expected = torch.from_numpy(saved[name])
    assert found.shape == expected.shape
    return float((found - expected).abs().max())


@torch.no_grad()
def test_the_audio_encoder_and_the_mapper_give_the_original_s_numbers(ours: TinyNetworks) -> None:
    features = ours.beats.encode(inputs()["bands"])
    assert apart("features", features[0, ::3]) <= LIMIT
    torch.manual_seed(SEED)
    assert apart("pseudo", ours.mapper(features)[0]) <= LIMIT


@torch.no_grad()
def test_the_unet_gives_the_original_s_numbers(ours: TinyNetworks) -> None:
    given = inputs()
    assert apart("unet", ours.unet(given["latents"], torch.tensor(501), given["given"][None])) <= LIMIT


def test_four_steps_give_the_original_s_latents(ours: TinyNetworks) -> None:
    given = inputs()
    torch.manual_seed(SEED)
    noise = torch.randn_like(given["latents"])
    found = denoise(ours.unet, ours.scheduler, noise, (given["given"], given["empty"]), SAMPLING)
    assert apart("latents", found) <= SAMPLING_LIMIT


PUBLISHED = {
    "audio encoder": (250, "33522eb1e5dd8046"),
    "mapper": (17, "dbaa7aa8e8ff17dc"),
    "text encoder": (372, "42ac16b3f9ae2999"),
    "UNet": (1480, "6cd643e85a23a617"),
    "autoencoder": (248, "5a0ba4e758a91414"),
}
"""Of each network: tensors, and the first digits of the checksum of their names and shapes, which those of the original's classes have
(benchmarks.tempotokens_parity)."""


@pytest.fixture(scope="module")
def shapes() -> dict[str, dict[str, tuple[int, ...]]]:
    return tempotokens_full.shapes()


@pytest.mark.parametrize("network", tempotokens_full.NETWORKS)
def test_names_and_shapes_are_those_of_the_published_files(
    network: str, shapes: dict[str, dict[str, tuple[int, ...]]]
) -> None:
    found = shapes[network]
    lines = "".join(f"{name} {list(shape)}\n" for name, shape in sorted(found.items()))
    assert (len(found), hashlib.sha256(lines.encode()).hexdigest()[:16]) == PUBLISHED[network]
