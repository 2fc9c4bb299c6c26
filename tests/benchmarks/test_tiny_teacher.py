"""The files of the tiny teacher are taken for the published ones."""

from __future__ import annotations

from pathlib import Path

from benchmarks.tiny_teacher import MODEL, SIZES, SOUND_SIZES, VAE, write_audio, write_fixed, write_unet, write_vae
from training.diffusion import stable_diffusion
from training.diffusion.avsyncd import published
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.imagebind_audio import ImageBindAudio
from training.diffusion.weight_files import check_weights


def test_all_files_are_there_and_fit(tmp_path: Path) -> None:
    write_fixed(tmp_path)
    write_vae(tmp_path / published.VAE, stable_diffusion.vae_from(VAE))
    write_audio(tmp_path, ImageBindAudio(SOUND_SIZES))
    write_unet(tmp_path, VideoUNet(SIZES))
    checks = check_weights(tmp_path, published.weight_files(published.unet_file(MODEL)))
    assert {check.file.path: check.mistake for check in checks if not check.is_usable} == {}
    assert published.audio_config_of(tmp_path / published.AUDIO) == SOUND_SIZES
