"""Compare this project's TempoTokens with the original code, part by part, on the same random tiny weights.

    git clone https://github.com/guyyariv/TempoTokens CHECKOUT
    pip install einops
    python -m benchmarks.tempotokens_parity --reference CHECKOUT [--kaldi FILE]

FILE is torchaudio's src/torchaudio/compliance/kaldi.py, which needs nothing of torchaudio; without it both use this project's filter
bank. Printed and recorded are the largest differences of the filter bank, the audio encoder, the mapper, the contexts, one prediction
of the UNet, and the latents of four steps, each from what the part before gave here, then of all together from the sound on; then how many names and shapes of the published size are equal. The text encoder is 1024
wide, as the original's code demands, and has two layers.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks import tempotokens_full as full
from benchmarks.record import append_record, print_table
from benchmarks.tempotokens_original import PATCHES, Original, loaded, original, shapes_of, text_config
from benchmarks.tempotokens_reference import save_reference, without_private
from benchmarks.tempotokens_tiny import BEATS, SCHEDULER, TEXT, UNET, VAE, draw_weights, write_tokenizer
from engine.core.errors import run_main
from training.diffusion import stable_diffusion
from training.diffusion.beats import Beats, BeatsConfig
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.audio_mapper import AudioMapper, MapperConfig
from training.diffusion.tempotokens.denoising import Sampling, denoise, primes_up_to
from training.diffusion.tempotokens.frame_contexts import contexts, read_prompt
from training.diffusion.tempotokens.frame_unet import FrameUNet

STEPS, GUIDANCE, FRAMES, WIDTH, WORDS = 4, 25.0, 24, 1024, 49408
PSEUDO = "<temp> <local1> <local2> <local3> <local4> <class>"
TEXT_SHOWN = "a drummer on a stage"
LIMITS = {"sampling": 1e-3, "looped sampling": 1e-3, "from sound to latents": 1e-3}
LARGEST = "largest latent"
LIMIT = 1e-4
Differences = dict[str, float]


def sound() -> Tensor:
    """Return 2 s of tones and noise [1, S] at 16 kHz, in which nothing is silent."""
    random = torch.Generator().manual_seed(0)
    times_S = torch.arange(32000) / 16000
    tones_S = 0.3 * torch.sin(2 * torch.pi * 220 * times_S) * torch.sin(2 * torch.pi * 1.5 * times_S)
    return (tones_S + 0.05 * torch.randn(32000, generator=random))[None]


class Ours:
    """This project's networks with random weights, and the words."""

    def __init__(self, folder: Path) -> None:
        wide = {**TEXT, "vocab_size": WORDS, "hidden_size": WIDTH, "num_attention_heads": 16}
        wide |= {"bos_token_id": WORDS - 2, "eos_token_id": WORDS - 1}
        self.unet_config = {**UNET, "cross_attention_dim": WIDTH}
        self.text_config = wide
        self.beats = draw_weights(Beats(BeatsConfig.of_file(BEATS)), 1)
        shape = MapperConfig(input_size=self.beats.config.feature_size, hidden_size=48, output_size=WIDTH)
        self.mapper = draw_weights(AudioMapper(shape), 2)
        self.text = draw_weights(stable_diffusion.text_encoder_from(wide), 3)
        self.unet = FrameUNet(draw_weights(published.unet_from(self.unet_config), 4))
        self.scheduler = published.scheduler_from(SCHEDULER)
        write_tokenizer(folder, WORDS)
        self.tokenizer = stable_diffusion.tokenizer_of(folder)


class Theirs:
    """The original's networks with the same weights."""

    def __init__(self, code: Original, ours: Ours, folder: Path) -> None:
        config = code.beats.BEATsConfig({**BEATS, "finetuned_model": False})
        self.beats = loaded(code.beats.BEATs(config), ours.beats)
        self.mapper = loaded(code.embedder.TempEmbedder(ours.mapper.config.input_size, 48, WIDTH), ours.mapper)
        self.text = loaded(
            code.text.CLIPTextModel(text_config(ours.text_config)), ours.text, renamed=stable_diffusion.TEXT_PREFIX
        )
        self.unet = loaded(code.unet.UNet3DConditionModel(**without_private(ours.unet_config)), ours.unet.unet)
        tokenizer = stable_diffusion.tokenizer_of(folder)
        for word in PSEUDO.split():
            tokenizer.add_tokens(word)
        self.text.resize_token_embeddings(len(tokenizer))
        self.pipe = code.pipeline.TextToVideoSDPipeline(
            vae=draw_weights(stable_diffusion.vae_from(VAE), 5),
            text_encoder=self.text,
            tokenizer=tokenizer,
            unet=self.unet,
            scheduler=published.scheduler_from(SCHEDULER),
        )
        self.pipe.set_progress_bar_config(disable=True)
        self.inference = code.inference


def apart(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape, (one.shape, other.shape)
    return float((one - other).abs().max())


@torch.no_grad()
def compare(ours: Ours, theirs: Theirs) -> Differences:
    """Return the largest difference of each part. Each part gets what the part before gave here, so none hides another."""
    heard = sound()
    bands = ours.beats.filter_bank(heard)
    features = ours.beats.encode(bands)
    found = {
        "filter bank": apart(bands, theirs.beats.preprocess(heard)),
        "audio encoder": apart(features, theirs.beats.extract_features(heard)[1]),
    }
    torch.manual_seed(6)
    pseudo = ours.mapper(features)
    torch.manual_seed(6)
    their_tokens = theirs.mapper(features)
    token, *windows, pooled = their_tokens
    expected = torch.stack([token, *windows, pooled[:, None].expand_as(token)], dim=2)
    found["mapper"] = apart(pseudo, expected)
    given = {}
    for name, text in (("contexts", ""), ("contexts with text", TEXT_SHOWN)):
        prompt = read_prompt(ours.tokenizer, text, True)
        given[text] = contexts(ours.text, prompt, pseudo[0])
        their_contexts = theirs.pipe._encode_prompt(
            pooled, token, list(windows), [f"{text} {PSEUDO}".strip()], torch.device("cpu"), 1, True
        )
        empty = contexts(ours.text, read_prompt(ours.tokenizer, "", False))
        found[name] = apart(torch.cat([empty.expand(FRAMES, -1, -1), given[text]]), their_contexts)
    random = torch.Generator().manual_seed(7)
    latents = torch.randn(1, 4, FRAMES, 8, 8, generator=random)
    found["UNet"] = apart(
        ours.unet(latents, torch.tensor(501), given[""][None]),
        theirs.unet(latents, torch.tensor(501), encoder_hidden_states=given[""]).sample,
    )
    found["sampling"] = apart(*sampled(ours, theirs, (given[""], empty), their_tokens))
    found["looped sampling"] = apart(*looped(ours, theirs, their_tokens))
    # Both from the sound on, each with its own encoder.
    torch.manual_seed(6)
    own = their_latents(theirs, theirs.mapper(theirs.beats.extract_features(heard)[1]), PSEUDO, False)
    found["from sound to latents"] = apart(sampled(ours, theirs, (given[""], empty), their_tokens)[0], own)
    found[LARGEST] = float(own.abs().max())
    return found


def their_latents(theirs: Theirs, tokens: tuple[Tensor, ...], prompt: str, rotate: bool) -> Tensor:
    """Run the original's denoising. Its first draw is the noise; the shifts are numpy's."""
    token, *windows, pooled = tokens
    torch.manual_seed(8)
    np.random.seed(9)
    return theirs.inference.diffuse(
        pipe=theirs.pipe,
        latents=torch.zeros(1, 4, FRAMES, 8, 8),
        init_weight=0,
        prompt=[prompt],
        negative_prompt=None,
        prompt_embeds=None,
        negative_prompt_embeds=None,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        window_size=FRAMES,
        rotate=rotate,
        temporal_token=token,
        audio_token=pooled,
        local_windows=windows,
    )


def our_noise() -> Tensor:
    torch.manual_seed(8)
    return torch.randn_like(torch.zeros(1, 4, FRAMES, 8, 8))


def sampled(
    ours: Ours, theirs: Theirs, given: tuple[Tensor, Tensor], tokens: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    sampling = Sampling(STEPS, GUIDANCE)
    return denoise(ours.unet, ours.scheduler, our_noise(), given, sampling), their_latents(
        theirs, tokens, PSEUDO, False
    )


def looped(ours: Ours, theirs: Theirs, tokens: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Compare a loop of a text: only where all frames have one context does the original's rotation leave each frame its own."""
    given = contexts(ours.text, read_prompt(ours.tokenizer, TEXT_SHOWN, False))
    empty = contexts(ours.text, read_prompt(ours.tokenizer, "", False))
    np.random.seed(9)
    shifts = [int(shift) for shift in np.random.permutation(primes_up_to(FRAMES))]
    sampling = replace(Sampling(STEPS, GUIDANCE), loop=True)
    found = denoise(ours.unet, ours.scheduler, our_noise(), (given, empty), sampling, shifts)
    return found, their_latents(theirs, tokens, TEXT_SHOWN, True)


def key_maps(code: Original) -> dict[str, tuple[int, int]]:
    """Return, of each network at the published size, how many of the original's tensors this project has alike, and how many there are."""
    pairs = {
        "audio encoder": lambda: code.beats.BEATs(code.beats.BEATsConfig({**full.BEATS, "finetuned_model": False})),
        "mapper": code.embedder.TempEmbedder,
        "text encoder": lambda: code.text.CLIPTextModel(text_config(full.TEXT)),
        "UNet": lambda: code.unet.UNet3DConditionModel(**full.UNET),
    }
    found = {}
    ours = full.shapes()
    for part, make in pairs.items():
        # BEATs draws its first weights by way of the processor.
        there = shapes_of(make, "cpu" if part == "audio encoder" else "meta")
        theirs = {name: shape for name, shape in there.items() if not name.endswith("position_ids")}
        assert set(ours[part]) == set(theirs), (part, set(ours[part]) ^ set(theirs))
        found[part] = (sum(ours[part][name] == shape for name, shape in theirs.items()), len(theirs))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare TempoTokens with the original.")
    parser.add_argument("--reference", type=Path, required=True, metavar="CHECKOUT")
    parser.add_argument("--kaldi", type=Path, metavar="FILE", help="torchaudio's compliance/kaldi.py")
    parser.add_argument("--save", type=Path, metavar="FILE.npz", help="keep what the original gave, for the tests")
    arguments = parser.parse_args()
    code = original(arguments.reference, arguments.kaldi)
    print("given to the original:", *PATCHES, sep="\n  ")
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(Path(folder))
        found = compare(ours, Theirs(code, ours, Path(folder)))
    limits = {part: LIMITS.get(part, LIMIT) for part in found if part != LARGEST}
    rows = [[part, f"{found[part]:.1e}", f"{limit:.0e}"] for part, limit in limits.items()]
    print_table(["part", "largest difference", "at most"], rows)
    print(f"latents go up to {found[LARGEST]:.0f}")
    maps = key_maps(code)
    print_table(["network", "equal", "tensors"], [[part, *counts] for part, counts in maps.items()])
    if arguments.save:
        save_reference(code, arguments.save)
    append_record(
        "tempotokens_parity",
        {**found, "equal names and shapes": {part: f"{equal} of {count}" for part, (equal, count) in maps.items()}},
    )
    return 0 if all(found[part] <= limit for part, limit in limits.items()) else 1


if __name__ == "__main__":
    run_main(main)
