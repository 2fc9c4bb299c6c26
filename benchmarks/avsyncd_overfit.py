"""Let a small AVSyncD learn one clip by heart: does the loss fall, and does the sound lead?

    python -m benchmarks.avsyncd_overfit [--iterations N] [--added] [--sheet FILE.png]

The clip is made: a disc swells with bursts of noise. Its pixels stand in the place of latents, so that no autoencoder takes part; the
UNet and the audio encoder have random weights, as Stable Diffusion's and ImageBind's cannot be had here, so the whole UNet is trained;
--added trains what AVSyncD adds alone, to a network that knows nothing. Printed and recorded: the loss at the beginning and the end, and how near sampled frames 2 to 12
come to the clip, with its sound and with none, against its still first frame. The run is stopped in the middle and goes on from its
checkpoint beside one that is not stopped; the largest difference of their weights is printed too.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from benchmarks.avsyncd_cases import SCHEDULERS, drawn
from benchmarks.record import append_record, print_table
from engine.core.errors import run_main
from training.diffusion.avsyncd.config import FPS, FRAMES, UNetConfig
from training.diffusion.avsyncd.learner import Batch, Learner, LearningConfig
from training.diffusion.avsyncd.objective import draw, noise_loss
from training.diffusion.avsyncd.sampling import Given, Guidance, denoise, seen_tokens
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.filter_bank import IMAGEBIND, FilterBank
from training.diffusion.imagebind_audio import ImageBindAudio, ImageBindAudioConfig, levels_of, segment_mask

SIDE, COPIES, STEPS = 8, 2, 25
SHAPE = UNetConfig(channels=(32, 64), layers=1, heads=4, groups=8, text_size=16, sound_size=32)
SOUND_SHAPE = ImageBindAudioConfig(size=32, layers=2, heads=4, embedding_size=16)
BURSTS_AT_S = (0.5, 1.25)


def loudness(time_s: float) -> float:
    """Of the bursts: each dies away."""
    return max((math.exp(-4.0 * (time_s - at)) for at in BURSTS_AT_S if time_s >= at), default=0.0)


def made_clip() -> tuple[Tensor, Tensor]:
    """Return frames as latents [1, 4, F, H, W] in [-1, 1], whose fourth channel is empty, and the sound [1, S]."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    away = np.hypot(rows - SIDE / 2 + 0.5, columns - SIDE / 2 + 0.5)
    latents = np.zeros((1, 4, FRAMES, SIDE, SIDE), np.float32)
    for frame in range(FRAMES):
        disc = np.clip(1.5 + 2.5 * loudness(frame / FPS) - away, 0.0, 1.0)
        for channel, (ground, colour) in enumerate(((0.1, 0.95), (0.15, 0.6), (0.35, 0.1))):
            latents[0, channel, frame] = 2.0 * (ground + (colour - ground) * disc) - 1.0
    times_S = np.arange(2 * IMAGEBIND.sample_rate_hz) / IMAGEBIND.sample_rate_hz
    level_S = np.array([loudness(time_s) for time_s in times_S], np.float32)
    sound_S = 0.3 * level_S * drawn("noise of the bursts", len(times_S)).numpy()
    return torch.from_numpy(latents), torch.from_numpy(sound_S)[None]


@torch.no_grad()
def given_of(sound_1S: Tensor) -> Given:
    """Return what the clip is made of."""
    torch.manual_seed(1)
    audio = ImageBindAudio(SOUND_SHAPE).eval()
    mask = segment_mask(SOUND_SHAPE, FRAMES)
    tokens = audio(levels_of(sound_1S, FilterBank(IMAGEBIND))), audio.null_tokens()
    text = drawn("class", 1, 4, SHAPE.text_size)
    return Given(text, torch.zeros_like(text), *(seen_tokens(one, mask) for one in tokens))


def learner_of(everything: bool) -> Learner:
    torch.manual_seed(2)
    return Learner(VideoUNet(SHAPE), LearningConfig(learning_rate=2e-3, everything=everything))


def repeated(given: Given, count: int) -> Given:
    values = (given.text_BKD, given.null_text_BKD, given.sound_BFVD, given.null_sound_BFVD)
    return Given(*(value.expand(count, *value.shape[1:]) for value in values))


@torch.no_grad()
def loss_of(learner: Learner, latents: Tensor, given: Given, count: int = 16) -> float:
    """Return the loss over draws that are always the same."""
    many = latents.expand(count, -1, -1, -1, -1)
    draws = draw(many, torch.Generator().manual_seed(7), 0.0)
    return noise_loss(learner.unet, many, repeated(given, count), draws).item()


def sampled(learner: Learner, latents: Tensor, given: Given) -> Tensor:
    scheduler = SCHEDULERS["DPM-Solver"]()
    scheduler.set_timesteps(STEPS)
    noise = drawn("noise", 1, 4, FRAMES - 1, SIDE, SIDE)
    return denoise(learner.unet.eval(), scheduler, latents[:, :, 0], noise, given, Guidance(sound=1.0))


def psnr_db(found: Tensor, clip: Tensor) -> float:
    """Return how near frames 2 to 12 are, in decibels of what they can be apart."""
    apart = (found[:, :3, 1:].clamp(-1, 1) - clip[:, :3, 1:]).square().mean().item()
    return 10.0 * math.log10(4.0 / apart)


def sheet(*clips: Tensor) -> np.ndarray:
    """Return clips below each other, 16 times as large, BGR."""
    rows = [torch.cat(list(clip[0, :3].clamp(-1, 1).transpose(0, 1)), dim=2) for clip in clips]
    image = ((torch.cat(rows, dim=1).permute(1, 2, 0) + 1.0) * 127.5).byte().numpy()[:, :, ::-1]
    return cv2.resize(np.ascontiguousarray(image), None, fx=16, fy=16, interpolation=cv2.INTER_NEAREST)


def main() -> int:
    parser = argparse.ArgumentParser(description="Let a small AVSyncD learn one clip by heart.")
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="the clip, and what was sampled with and without its sound"
    )
    parser.add_argument("--added", action="store_true", help="train what AVSyncD adds alone")
    arguments = parser.parse_args()
    everything = not arguments.added
    latents, sound_1S = made_clip()
    given = given_of(sound_1S)
    batch = Batch(latents.expand(COPIES, -1, -1, -1, -1), repeated(given, COPIES))
    whole, losses = learner_of(everything), [loss_of(learner_of(everything), latents, given)]
    half, apart = arguments.iterations // 2, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, arguments.iterations + 1):
            whole.learn([batch])
            if number == half:
                place = whole.save(Path(folder))
            if number == half + 20:
                resumed = learner_of(everything)
                resumed.resume(place)
                for _ in range(20):
                    resumed.learn([batch])
                pairs = zip(resumed.unet.state_dict().values(), whole.unet.state_dict().values(), strict=True)
                apart = max(float((one - other).abs().max()) for one, other in pairs)
            if number % max(1, arguments.iterations // 10) == 0:
                losses.append(loss_of(whole, latents, given))
                print(f"iteration {number}: loss {losses[-1]:.4f}", flush=True)
    silent = Given(given.text_BKD, given.null_text_BKD, given.null_sound_BFVD, given.null_sound_BFVD)
    found, without = sampled(whole, latents, given), sampled(whole, latents, silent)
    still = latents[:, :, :1].expand_as(latents)
    figures = {
        "iterations": arguments.iterations,
        "everything is trained": everything,
        "loss before": losses[0],
        "loss after": losses[-1],
        "sampled, dB": psnr_db(found, latents),
        "sampled without sound, dB": psnr_db(without, latents),
        "untrained, dB": psnr_db(sampled(learner_of(everything), latents, given), latents),
        "still, dB": psnr_db(still, latents),
        "resumed, largest difference": apart,
    }
    append_record("avsyncd_overfit", {**figures, "losses": losses})
    print_table(["figure", "value"], [[name, f"{value:.4g}"] for name, value in figures.items()])
    if arguments.sheet:
        cv2.imwrite(str(arguments.sheet), sheet(latents, found, without))
    return 0


if __name__ == "__main__":
    run_main(main)
