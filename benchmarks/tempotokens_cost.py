"""What TempoTokens needs at the published size, counted on the meta device, and how near such a count comes to a real computation.

    python -m benchmarks.tempotokens_cost

For the second part a smaller UNet, of the published kind of blocks, predicts once on this machine's processor, and the growth of the
process's memory is compared with the count.
"""

from __future__ import annotations

import resource
import time
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.record import append_record, print_table
from benchmarks.tempotokens_full import UNET, VAE
from engine.core.errors import run_main
from training.diffusion import stable_diffusion
from training.diffusion.cost import GIB, counted, operations_per_s, weight_bytes
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.denoising import Sampling, guided
from training.diffusion.tempotokens.frame_unet import FrameUNet
from training.diffusion.tempotokens.planning import decoder_cost, unet_cost
from training.diffusion.tempotokens.settings import Settings

BASE = Settings("sound", "", "", "vggsound", 12, Sampling())
CASES = {
    "384x384, float16": (BASE, 384, torch.float16, 8),
    "384x384, float16, --save-memory": (replace(BASE, sampling=Sampling(halves_apart=True)), 384, torch.float16, 1),
    "384x384, float32": (BASE, 384, torch.float32, 8),
    "384x384, float16, --window-frames 12": (replace(BASE, sampling=Sampling(window_frames=12)), 384, torch.float16, 8),
    "256x256, float16": (BASE, 256, torch.float16, 8),
}
FRAMES, WORDS, SCALE = 24, 77, 8
SMALLER = UNET | {
    "block_out_channels": [320, 640],
    "down_block_types": ["CrossAttnDownBlock3D", "DownBlock3D"],
    "up_block_types": ["UpBlock3D", "CrossAttnUpBlock3D"],
}
SMALLER_SIDE = 24


def at_published_size() -> list[dict[str, object]]:
    """Return, for each case, weights, memory beside them and work of a clip of 24 frames in 25 steps."""
    found = []
    for name, (settings, side, kind, together) in CASES.items():
        with torch.device("meta"):
            unet = FrameUNet(published.unet_from(UNET)).to(kind)
            vae = stable_diffusion.vae_from(VAE).to(kind)
        size = (side // SCALE, side // SCALE)
        step = unet_cost(unet, settings, FRAMES, size, WORDS)
        decoding = decoder_cost(vae, together, size)
        windows = settings.sampling.windows_per_step(FRAMES)
        found.append(
            {
                "case": name,
                "weights_gib": weight_bytes(unet, vae, bytes_each=kind.itemsize) / GIB,
                "beside_gib": max(step.peak_bytes, decoding.peak_bytes) / GIB,
                "step_gib": step.peak_bytes / GIB,
                "decoding_gib": decoding.peak_bytes / GIB,
                "tflop": (25 * windows * step.operations + -(-FRAMES // together) * decoding.operations) / 1e12,
            }
        )
    return found


@torch.no_grad()
def beside_a_real_one() -> dict[str, float]:
    """Return counted and measured memory and time of one prediction of the smaller UNet."""
    unet = FrameUNet(published.unet_from(SMALLER)).eval()
    config = unet.unet.config
    latents = torch.randn(1, config.in_channels, FRAMES, SMALLER_SIDE, SMALLER_SIDE)
    given = torch.randn(FRAMES, WORDS, config.cross_attention_dim)
    before = _resident_bytes()
    begun_s = time.perf_counter()
    guided(unet, latents, torch.tensor(500), (given, given[:1]), BASE.sampling)
    took_s = time.perf_counter() - begun_s
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    meta = unet.to("meta")
    cost = counted(
        lambda: guided(
            meta,
            latents.to("meta"),
            torch.tensor(500, device="meta"),
            (given.to("meta"), given[:1].to("meta")),
            BASE.sampling,
        )
    )
    speed = operations_per_s(torch.device("cpu"), torch.float32)
    return {
        "counted_gib": cost.peak_bytes / GIB,
        "measured_gib": grown / GIB,
        "counted_s": cost.operations / speed,
        "measured_s": took_s,
    }


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def main() -> int:
    real = beside_a_real_one()
    print_table(list(real), [list(real.values())])
    rows = at_published_size()
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    append_record("tempotokens_cost", {"beside_a_real_one": real, "published_size": rows})
    return 0


if __name__ == "__main__":
    run_main(main)
