"""Let a small TempoTokens learn one clip by heart: does the loss fall, and do the frames follow?

    python -m benchmarks.tempotokens_overfit [--minutes N] [--iterations N] [--sheet FILE.png]

TempoTokens trains its mapper alone, beside a text-to-video model that knows its scene. That one's weights cannot be had here, so first a small
UNet learns the made scene of swelling_scene.py for some minutes, on ever new clips, with a mapper that is thrown away. Then a fresh mapper
learns one clip that was not among them, as published: everything else stays as it is. Pixels stand in the place of latents, and the audio
encoder has random weights. Printed and recorded: the loss before and after, and how near sampled frames come to the clip, with the
mapper before and after, against the clip's mean frame. The run is stopped in the middle and goes on from its checkpoint beside one that is not stopped; the
largest difference of the mapper's weights is printed too.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.record import append_record, print_table
from benchmarks.swelling_scene import frames, levels, made_sound
from benchmarks.tempotokens_tiny import BEATS, SCHEDULER, TEXT, UNET, draw_weights, write_tokenizer
from engine.core.errors import run_main
from training.diffusion import stable_diffusion
from training.diffusion.beats import Beats, BeatsConfig
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.audio_mapper import AudioMapper, MapperConfig
from training.diffusion.tempotokens.denoising import Sampling, denoise
from training.diffusion.tempotokens.frame_contexts import contexts, read_prompt
from training.diffusion.tempotokens.frame_unet import FrameUNet
from training.diffusion.tempotokens.mapper_training import Frozen, Learning, MapperTraining, Piece, draw, mapper_loss
from training.diffusion.tempotokens.settings import SEGMENT_FRAMES

SIDE, FPS, SEGMENT_S, PIECES, STEPS = 8, 12, 2.0, 4, 25
COLOUR = np.array([235.0, 150.0, 50.0])
HIDDEN_SIZE, UNET_RATE, MAPPER_RATE, GRADIENT_LIMIT = 64, 1e-3, 2e-3, 1.0
RESUMED_ITERATIONS = 20


@torch.no_grad()
def made_piece(beats: Beats, random: np.random.Generator) -> Piece:
    """Return a clip whose pixels, in [-1, 1], are its latents, the fourth channel of which is empty."""
    sound_S = made_sound(random, SEGMENT_S)
    level_F = levels(sound_S, FPS)[:SEGMENT_FRAMES]
    small = [cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for frame in frames(level_F, COLOUR)]
    pixels_3FHW = torch.from_numpy(np.stack(small)).permute(3, 0, 1, 2) / 127.5 - 1.0
    latents = functional.pad(pixels_3FHW, (0, 0, 0, 0, 0, 0, 0, 1))[None]
    return Piece(latents, beats(torch.from_numpy(sound_S)[None]))


def frozen_parts() -> Frozen:
    """Return the UNet, which learns the scene first, and the text encoder."""
    torch.manual_seed(1)
    unet = FrameUNet(published.unet_from(UNET))
    text = draw_weights(stable_diffusion.text_encoder_from(TEXT), 3).requires_grad_(False)
    with tempfile.TemporaryDirectory() as folder:
        write_tokenizer(Path(folder), TEXT["vocab_size"])
        prompt = read_prompt(stable_diffusion.tokenizer_of(Path(folder)), "", True)
    return Frozen(unet, text, prompt, published.scheduler_from(SCHEDULER).alphas_cumprod)


def fresh_mapper(beats: Beats, seed: int) -> AudioMapper:
    torch.manual_seed(seed)
    return AudioMapper(MapperConfig(beats.config.feature_size, HIDDEN_SIZE, TEXT["hidden_size"], pooling_dropout=0.0))


def learn_scene(frozen: Frozen, beats: Beats, minutes: float) -> None:
    """Let the UNet learn the scene, with a mapper that is thrown away."""
    random, draws = np.random.default_rng(5), torch.Generator().manual_seed(5)
    mapper = fresh_mapper(beats, 5)
    parameters = [*frozen.unet.parameters(), *mapper.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=UNET_RATE)
    begun_s, iteration, mean = time.monotonic(), 0, 1.0
    while (spent := (time.monotonic() - begun_s) / 60.0) < minutes:
        optimiser.param_groups[0]["lr"] = UNET_RATE * (1.0 if spent < 0.7 * minutes else 0.2)
        optimiser.zero_grad()
        for _ in range(PIECES):
            piece = made_piece(beats, random)
            loss = mapper_loss(frozen, mapper, piece, draw(piece, frozen, draws), 0.0) / PIECES
            loss.backward()
            mean += 0.005 * (PIECES * loss.item() - mean)
        torch.nn.utils.clip_grad_norm_(parameters, GRADIENT_LIMIT)
        optimiser.step()
        iteration += 1
        if iteration % 100 == 0:
            print(f"scene, {spent:.1f} min, iteration {iteration}: loss {mean:.4f}", flush=True)
    frozen.unet.requires_grad_(False).eval()


@torch.no_grad()
def loss_of(frozen: Frozen, mapper: AudioMapper, piece: Piece, count: int = 32) -> float:
    """Return the loss over draws that are always the same."""
    random = torch.Generator().manual_seed(7)
    found = [mapper_loss(frozen, mapper, piece, draw(piece, frozen, random), 0.0).item() for _ in range(count)]
    return sum(found) / count


@torch.no_grad()
def sampled(frozen: Frozen, mapper: AudioMapper, piece: Piece) -> Tensor:
    given_FLD = contexts(frozen.text_encoder, frozen.prompt, mapper(piece.features_1NI)[0])
    noise = torch.randn(piece.latents_1CFHW.shape, generator=torch.Generator().manual_seed(9))
    scheduler = published.scheduler_from(SCHEDULER)
    sampling = Sampling(steps=STEPS, guidance=1.0)
    return denoise(frozen.unet, scheduler, noise, (given_FLD, given_FLD[:1]), sampling)


def psnr_db(found: Tensor, clip: Tensor) -> float:
    apart = (found[:, :3].clamp(-1, 1) - clip[:, :3]).square().mean().item()
    return 10.0 * math.log10(4.0 / apart)


def sheet(*clips: Tensor) -> np.ndarray:
    """Return clips below each other, 8 times as large, BGR."""
    rows = [torch.cat(list(clip[0, :3].clamp(-1, 1).transpose(0, 1)), dim=2) for clip in clips]
    image = ((torch.cat(rows, dim=1).permute(1, 2, 0) + 1.0) * 127.5).byte().numpy()[:, :, ::-1]
    return cv2.resize(np.ascontiguousarray(image), None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)


def largest_difference(one: AudioMapper, other: AudioMapper) -> float:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((mine - theirs).abs().max()) for mine, theirs in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description="Let a small TempoTokens learn one clip by heart.")
    parser.add_argument("--minutes", type=float, default=6.0, help="for the UNet to learn the scene")
    parser.add_argument("--iterations", type=int, default=400, help="of the mapper")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="the clip; sampled after, and before")
    arguments = parser.parse_args()
    beats, frozen = draw_weights(Beats(BeatsConfig.of_file(BEATS)), 4), frozen_parts()
    assert isinstance(beats, Beats)
    learn_scene(frozen, beats, arguments.minutes)
    piece = made_piece(beats, np.random.default_rng(77))
    learning = Learning(learning_rate=MAPPER_RATE)
    whole = MapperTraining(frozen, fresh_mapper(beats, 8), learning)
    before, losses, half, apart = (
        sampled(frozen, whole.mapper, piece),
        [loss_of(frozen, whole.mapper, piece)],
        arguments.iterations // 2,
        0.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, arguments.iterations + 1):
            whole.learn([piece] * 2)
            if number == half:
                place = whole.save(Path(folder))
            if number == half + RESUMED_ITERATIONS:
                resumed = MapperTraining(frozen, fresh_mapper(beats, 8), learning)
                resumed.resume(place)
                for _ in range(RESUMED_ITERATIONS):
                    resumed.learn([piece] * 2)
                apart = largest_difference(resumed.mapper, whole.mapper)
            if number % max(1, arguments.iterations // 10) == 0:
                losses.append(loss_of(frozen, whole.mapper, piece))
                print(f"iteration {number}: loss {losses[-1]:.4f}", flush=True)
    found, clip = sampled(frozen, whole.mapper, piece), piece.latents_1CFHW
    figures = {
        "minutes of the scene": arguments.minutes,
        "iterations": arguments.iterations,
        "loss before": losses[0],
        "loss after": losses[-1],
        "sampled, dB": psnr_db(found, clip),
        "sampled before, dB": psnr_db(before, clip),
        "mean frame, dB": psnr_db(clip.mean(dim=2, keepdim=True).expand_as(clip), clip),
        "resumed, largest difference": apart,
    }
    append_record("tempotokens_overfit", {**figures, "losses": losses})
    print_table(["figure", "value"], [[name, f"{value:.4g}"] for name, value in figures.items()])
    if arguments.sheet:
        cv2.imwrite(str(arguments.sheet), sheet(clip, found, before))
    return 0


if __name__ == "__main__":
    run_main(main)
