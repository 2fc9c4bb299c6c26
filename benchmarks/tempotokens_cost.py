"""What TempoTokens needs at the published size, counted on the meta device, and how near such a count comes to a real computation.

    python -m benchmarks.tempotokens_cost

For the second part a smaller UNet, of the published kind of blocks, predicts once on this machine's processor, and the growth of the
process's memory is compared with the count.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from benchmarks.counted_and_measured import beside_a_real_one
from benchmarks.record import append_record, print_table
from benchmarks.tempotokens_full import TEXT, UNET, VAE
from engine.core.errors import run_main
from training.diffusion import stable_diffusion
from training.diffusion.cost import GIB, FusedAttention, weight_bytes
from training.diffusion.recomputation import recompute
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.audio_mapper import AudioMapper, MapperConfig
from training.diffusion.tempotokens.denoising import Sampling, guided
from training.diffusion.tempotokens.frame_contexts import Prompt
from training.diffusion.tempotokens.frame_unet import FrameUNet
from training.diffusion.tempotokens.learning_cost import piece_cost
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
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
"""The processor copies what its convolutions are given; a graphics card need not be there to count for it."""
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
        step = unet_cost(unet, settings, FRAMES, size, WORDS, CUDA)
        decoding = decoder_cost(vae, together, size, CUDA)
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


def one_prediction() -> dict[str, float]:
    """Return counted and measured memory and time of one prediction of the smaller UNet."""
    unet = FrameUNet(published.unet_from(SMALLER)).eval()
    config = unet.unet.config
    latents = torch.randn(1, config.in_channels, FRAMES, SMALLER_SIDE, SMALLER_SIDE)
    given = torch.randn(FRAMES, WORDS, config.cross_attention_dim)
    return beside_a_real_one(
        lambda: guided(unet, latents, torch.tensor(500), (given, given[:1]), BASE.sampling),
        lambda: unet_cost(unet.to("meta"), BASE, FRAMES, (SMALLER_SIDE, SMALLER_SIDE), WORDS, CPU),
    )


def learning_at_published_size() -> list[dict[str, object]]:
    """Return the memory of training a mapper on pieces of 384x256, with and without computing activations again."""
    found = []
    for recomputes in (True, False):
        with torch.device("meta"):
            unet = FrameUNet(published.unet_from(UNET))
        if recomputes:
            recompute(unet.layers(), FusedAttention)
        text_encoder = stable_diffusion.text_encoder_from(TEXT).to("meta")
        mapper, prompt = (
            AudioMapper(MapperConfig()).to("meta"),
            Prompt(torch.zeros(WORDS, dtype=torch.long), slice(1, 7), ""),
        )
        cost = piece_cost(unet, text_encoder, mapper, prompt, (32, 48, 48), CUDA)
        found.append(
            {"recompute": recomputes, "weights_gib": cost.weight_bytes / GIB, "beside_gib": cost.peak_bytes / GIB}
        )
    return found


def main() -> int:
    real = one_prediction()
    print_table(list(real), [list(real.values())])
    rows = at_published_size()
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    learning = learning_at_published_size()
    print_table(list(learning[0]), [list(row.values()) for row in learning])
    append_record("tempotokens_cost", {"beside_a_real_one": real, "published_size": rows, "learning": learning})
    return 0


if __name__ == "__main__":
    run_main(main)
