"""The files of the tiny TempoTokens are taken for the published ones, and its contexts tell the level of each frame."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.tempotokens_tiny import write_beats, write_words
from benchmarks.tempotokens_trained import BEATS, UNET, Scene, write_unet
from benchmarks.tiny_teacher import VAE, write_vae
from training.diffusion import stable_diffusion
from training.diffusion.beats import Beats, BeatsConfig
from training.diffusion.tempotokens import published
from training.diffusion.weight_files import check_weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("tiny")
    write_words(made)
    write_vae(made / published.VAE, stable_diffusion.vae_from(VAE))
    write_unet(made, published.unet_from(UNET))
    write_beats(made, Beats(BeatsConfig.of_file(BEATS)), BEATS)
    return made


def test_all_files_that_training_a_mapper_needs_are_there_and_fit(folder: Path) -> None:
    checks = check_weights(folder, published.training_files())
    assert {check.file.path: check.mistake for check in checks if not check.is_usable} == {}


def test_a_frame_s_level_is_in_its_context_and_in_its_latents(folder: Path) -> None:
    scene = Scene(folder)
    quiet_BF = torch.zeros(1, 24)
    loud_BF = quiet_BF.clone()
    loud_BF[0, 12] = 1.0
    quiet_BFLD, loud_BFLD = scene.contexts(quiet_BF), scene.contexts(loud_BF)
    apart_F = (loud_BFLD - quiet_BFLD).abs().amax(dim=(0, 2, 3))
    assert int(apart_F.argmax()) == 12
    moved_F = (scene.latents(loud_BF) - scene.latents(quiet_BF)).abs().amax(dim=(0, 1, 3, 4))
    assert moved_F[12] > 0.0
    assert moved_F.count_nonzero() == 1
