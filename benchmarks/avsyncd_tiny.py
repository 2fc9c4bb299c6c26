"""A tiny AVSyncD that follows sound, in the layout of the published weights: the commands run end to end with a teacher worth learning from.

    python -m benchmarks.avsyncd_tiny FOLDER [--minutes N]

Stable Diffusion's and ImageBind's weights cannot be had here, so each part is trained on the made scene of swelling_scene.py, smaller than
the published one and by the same code: the autoencoder on frames; the audio encoder on the level of each frame's part of the sound, then
frozen, as ImageBind's is; the whole UNet by AVSyncD's objective. FOLDER also holds photo.png to begin with. The UNet's checkpoints lie in
FOLDER/ckpts: the same command goes on with it for N more minutes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.swelling_scene import colour_of, frames, made_clip
from benchmarks.tiny_teacher import SIZES, TEXT, train_audio, train_vae, write_audio, write_fixed, write_unet, write_vae
from engine.core.errors import run_main
from training.diffusion.avsyncd import published
from training.diffusion.avsyncd.encoding import Encoders
from training.diffusion.avsyncd.examples import Stretch
from training.diffusion.avsyncd.learner import Batch, Learner, LearningConfig, forget_older
from training.diffusion.avsyncd.objective import draw, noise_loss
from training.diffusion.avsyncd.sampling import Given
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.iterations import checkpoints

POOL, BATCH, EVERY_ITERATIONS, SLOW_SHARE = 2048, 8, 500, 0.3
"""Clips to draw from, clips of an iteration, iterations between two lines of print, and the share of the time that learns slowly."""
LEARNING_RATES = (1e-3, 2e-4)


def pool_of(encoders: Encoders, count: int, seed: int) -> Batch:
    """Return made clips as the frozen networks see them."""
    random, parts = np.random.default_rng(seed), list[Batch]()
    for _ in range(count // 16):
        stretches = [Stretch(*made_clip(random)) for _ in range(16)]
        parts.append(encoders.batch(stretches, [TEXT] * 16, torch.Generator().manual_seed(len(parts))))
    names = ("text_BKD", "null_text_BKD", "sound_BFVD", "null_sound_BFVD")
    given = (torch.cat([getattr(part.given, name) for part in parts]) for name in names)
    return Batch(torch.cat([part.latents for part in parts]), Given(*given))


def chosen(pool: Batch, places: torch.Tensor) -> Batch:
    given = pool.given
    every = (given.text_BKD, given.null_text_BKD, given.sound_BFVD, given.null_sound_BFVD)
    return Batch(pool.latents[places], Given(*(value[places] for value in every)))


@torch.no_grad()
def losses_of(unet: VideoUNet, held: Batch) -> tuple[float, float]:
    """Return the loss on clips that were not trained, with their own sound and with that of another one."""
    draws = draw(held.latents, torch.Generator().manual_seed(7), 0.0)
    given = held.given
    other = Given(given.text_BKD, given.null_text_BKD, given.sound_BFVD.roll(1, 0), given.null_sound_BFVD)
    own, others = (noise_loss(unet, held.latents, each, draws).item() for each in (given, other))
    return own, others


def learn(encoders: Encoders, folder: Path, minutes: float) -> VideoUNet:
    """Train the whole UNet for some minutes, from the newest checkpoint where there is one."""
    pool, held = pool_of(encoders, POOL, 1), pool_of(encoders, 64, 2)
    torch.manual_seed(2)
    unet, begun_s = VideoUNet(SIZES), time.monotonic()
    print(f"UNet: {sum(p.numel() for p in unet.parameters()):,} weights", flush=True)
    learner = Learner(unet, LearningConfig(learning_rate=LEARNING_RATES[0], everything=True))
    if found := checkpoints(folder / "ckpts"):
        learner.resume(found[-1])
    slow = False
    while (spent := (time.monotonic() - begun_s) / 60.0) < minutes:
        if not slow and spent > (1.0 - SLOW_SHARE) * minutes:
            slow, iteration = True, learner.iteration
            learner = Learner(unet, LearningConfig(learning_rate=LEARNING_RATES[1], everything=True))
            learner.iteration = iteration
        places = torch.randint(0, POOL, (BATCH,), generator=learner.random("clips"))
        learner.learn([chosen(pool, places)])
        if learner.iteration % EVERY_ITERATIONS == 0:
            own, others = losses_of(unet, held)
            print(
                f"{spent:.1f} min, iteration {learner.iteration}: {own:.4f}, another's sound {others:.4f}", flush=True
            )
            forget_older(folder / "ckpts", learner.save(folder / "ckpts"), 10**9)
            write_unet(folder, unet)
    return unet


def write_photo(file: Path) -> None:
    """Write the smallest disc, to begin with."""
    smallest = frames(np.zeros(1), colour_of(np.random.default_rng(3)))[0]
    cv2.imwrite(str(file), np.ascontiguousarray(smallest[:, :, ::-1]))


def main() -> int:
    parser = argparse.ArgumentParser(description="Write a folder of a tiny AVSyncD that follows sound.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=40.0, help="for the UNet; the other parts take about 6")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / published.VAE).exists():
        write_fixed(folder)
        write_vae(folder / published.VAE, train_vae())
    if not (folder / published.AUDIO).exists():
        write_audio(folder, train_audio())
    write_photo(folder / "photo.png")
    names = (published.VAE, published.AUDIO, published.TEXT, published.VOCABULARY)
    encoders = Encoders({name: folder / name for name in names}, [TEXT], torch.device("cpu"))
    write_unet(folder, learn(encoders, folder, arguments.minutes))
    print(f"{folder}: a tiny AVSyncD")
    return 0


if __name__ == "__main__":
    run_main(main)
