"""What AVSyncD needs at the published size, counted on the meta device, and how near such a count comes to a real computation.

    python -m benchmarks.avsyncd_cost

For the second part a smaller UNet of the same blocks computes one step on this machine's processor, and the growth of the process's
memory and the time are compared with the count.
"""

from __future__ import annotations

import torch

from benchmarks.avsyncd_cases import drawn
from benchmarks.counted_and_measured import beside_a_real_one
from benchmarks.record import append_record, print_table
from engine.core.errors import run_main
from training.diffusion.avsyncd.config import FRAMES, UNetConfig
from training.diffusion.avsyncd.family import SEEN_TOKENS, TEXT_TOKENS, step_cost
from training.diffusion.avsyncd.learner import LearningConfig
from training.diffusion.avsyncd.learning_cost import batch_cost
from training.diffusion.avsyncd.sampling import Guidance
from training.diffusion.avsyncd.transformer import Conditions
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.cost import GIB, FusedAttention, weight_bytes
from training.diffusion.recomputation import recompute

SIZES = {"256x256": (32, 32), "256x128": (16, 32), "512x512": (64, 64)}
"""Of frames, with rows and columns of their latents."""
STEPS = 51
"""Calls of the UNet by PNDM in 50 steps."""
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
"""The processor copies what its convolutions are given; a graphics card need not be there to count for it."""
SMALLER, SMALLER_SIDE = UNetConfig(channels=(320, 640), layers=1), 64


def at_published_size() -> list[dict[str, object]]:
    """Return memory and work of the UNet for one chunk of 12 frames, in float16, with the published guidance."""
    with torch.device("meta"):
        unet = VideoUNet(UNetConfig()).to(torch.float16)
    weights_gib = weight_bytes(unet, bytes_each=2) / GIB
    found = []
    for name, sides in SIZES.items():
        latents = torch.empty(1, 4, FRAMES, *sides, device="meta", dtype=torch.float16)
        step = step_cost(unet, latents, CUDA)
        calls = STEPS * Guidance().branches
        found.append(
            {
                "frames": name,
                "weights_gib": weights_gib,
                "beside_gib": step.peak_bytes / GIB,
                "step_tflop": step.operations / 1e12,
                "chunk_tflop": calls * step.operations / 1e12,
            }
        )
    return found


def one_step() -> dict[str, float]:
    """Return counted and measured memory and time of one step of the smaller UNet."""
    unet = VideoUNet(SMALLER).eval()
    latents = drawn("latents", 1, 4, FRAMES, SMALLER_SIDE, SMALLER_SIDE)
    conditions = Conditions(
        drawn("text", 1, TEXT_TOKENS, SMALLER.text_size), drawn("sound", 1, FRAMES, SEEN_TOKENS, SMALLER.sound_size)
    )
    return beside_a_real_one(
        lambda: unet(latents, torch.tensor(500), conditions),
        lambda: step_cost(unet.to("meta"), latents.to("meta"), CPU),
    )


def learning_at_published_size() -> list[dict[str, object]]:
    """Return the memory of training on batches of 4 clips of 256x256, with and without computing activations again."""
    found = []
    for recomputes in (True, False):
        with torch.device("meta"):
            unet = VideoUNet(UNetConfig())
        if recomputes:
            recompute(unet.layers(), FusedAttention)
        cost = batch_cost(unet, (4, *SIZES["256x256"]), LearningConfig(), CUDA)
        found.append(
            {
                "recompute": recomputes,
                "weights_gib": cost.weight_bytes / GIB,
                "optimiser_gib": cost.optimiser_bytes / GIB,
                "beside_gib": cost.peak_bytes / GIB,
            }
        )
    return found


def main() -> int:
    real = one_step()
    print_table(list(real), [list(real.values())])
    rows = at_published_size()
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    learning = learning_at_published_size()
    print_table(list(learning[0]), [list(row.values()) for row in learning])
    append_record("avsyncd_cost", {"beside_a_real_one": real, "published_size": rows, "learning": learning})
    return 0


if __name__ == "__main__":
    run_main(main)
