"""Compare imported weights with the original implementation of Sound2Sight itself, over a roll-out.

    python -m benchmarks.sound2sight_parity --reference CHECKOUT

CHECKOUT is a copy of the original's code (merlresearch/Sound2Sight). Its modules get random weights, which are imported; both then
play the same frames, patches of sound and noise: n_past context frames, and their own frames after that. Printed and recorded are the
largest differences of the posterior, the prior, the predictor's code and the frame over all steps, and of the export in ONNX Runtime.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
import torch
from torch import Tensor

from benchmarks.record import append_record, print_table
from benchmarks.reference_parity import randomise
from engine.core.errors import run_main
from engine.model.card import NEXT_SUFFIX
from export.targets.onnx.trace import trace
from export.verification.graph import FLOAT_FRAME_OUTPUT, StepGraph
from export.verification.parity import session_options
from training.core.front_end import FrontEndConfig
from training.families.model_config import ModelConfig
from training.families.sound2sight.config import Sound2SightConfig
from training.families.sound2sight.generator import Generator, Memory
from training.families.sound2sight.model import NOISE, Sound2Sight, memory_of
from training.families.sound2sight.original_weights import convert

PAST, FRAMES, CODE, LATENT, HIDDEN = 5, 30, 128, 10, 256
CASES = {"M3SO 48": ("dcgan_48", 48, 1, "stft23x21"), "drums 64": ("drums_dcgan_64", 64, 3, "stft45x17")}
Differences = dict[str, float]
_runtime: Any = onnxruntime  # it ships no types


def original_modules(checkout: Path, images: str, colours: int) -> dict[str, Any]:
    """Build the original's modules under the names of its checkpoints, with random weights, on the processor."""
    sys.path.insert(0, str(checkout))
    # The original puts its states on a GPU.
    Tensor.cuda = lambda self, *words, **options: self  # type: ignore[method-assign, assignment]
    lstm, attention, shapes = (importlib.import_module(f"models.{name}") for name in ("lstm", "transformers", images))
    modules = {
        "encoder": shapes.encoder(CODE, colours),
        "decoder": shapes.decoder(CODE, colours),
        "audio_enc": shapes.encoder_audio_stft(CODE, 1),
        "frame_predictor": lstm.lstm(CODE + LATENT, CODE, HIDDEN, 2, 1),
        "prior": lstm.gaussian_lstm(2 * CODE, LATENT, HIDDEN, 1, 1),
        "posterior": lstm.gaussian_lstm(2 * CODE, LATENT, HIDDEN, 1, 1),
    }
    for name in ("audio_rnn", "video_rnn_prior", "video_rnn_posterior"):
        modules[name] = attention.transformer(CODE, CODE, HIDDEN, 1, 1, 128, 4)
    for number, module in enumerate(modules.values()):
        table = getattr(getattr(module, "pos_encoder", None), "pe", None)
        kept = None if table is None else table.clone()
        randomise(module, number)
        if kept is not None:
            module.pos_encoder.pe.copy_(kept)
        module.eval()
    return modules


@torch.no_grad()
def original_rollout(
    modules: dict[str, Any], frames: Tensor, patches: Tensor, noise: Tensor
) -> list[dict[str, Tensor]]:
    """Play the original: what it gives at each step, with z = mean + deviation · noise of the prior."""
    for name in ("frame_predictor", "prior", "posterior"):
        modules[name].hidden = modules[name].init_hidden()
    seen, targets, sounds, found, now, skip = [], [], [], [], frames[:1], None
    for i in range(1, FRAMES):
        code, maps = modules["encoder"](now)
        skip = maps if i <= PAST else skip
        seen.append(code)
        targets.append(modules["encoder"](frames[i : i + 1])[0])
        sounds.append(modules["audio_enc"](patches[i : i + 1])[0])
        sound = modules["audio_rnn"](torch.stack(sounds))[-1]
        target = modules["video_rnn_posterior"](torch.stack(targets))[-1]
        _, mean_q, log_q = modules["posterior"](torch.cat([target, sound], 1))
        past = modules["video_rnn_prior"](torch.stack(seen))[-1]
        _, mean_p, log_p = modules["prior"](torch.cat([past, sound], 1))
        latent = mean_p + torch.exp(0.5 * log_p) * noise[i : i + 1]
        predicted = modules["frame_predictor"](torch.cat([code, latent], 1))
        shown = modules["decoder"]([predicted, skip])
        found.append({"posterior": torch.cat([mean_q, log_q]), "prior": torch.cat([mean_p, log_p]), "code": predicted})
        found[-1]["frame"] = shown
        now = frames[i : i + 1] if i < PAST else shown
    return found


@torch.no_grad()
def own_rollout(
    generator: Generator, start: Memory, frames: Tensor, sounds: Tensor, noise: Tensor
) -> list[dict[str, Tensor]]:
    """Play the import, step by step with its caches."""
    memory, found, now, skips, targets = start, [], frames[:1], [], list[Tensor]()
    posterior_state = torch.zeros(1, *generator.posterior.layers.state_shape())
    for i in range(1, FRAMES):
        code, maps = generator.encoder(now)
        skips = maps if i <= PAST else skips
        targets.append(generator.encoder(frames[i : i + 1])[0])
        predicted, prior, memory = generator.predict(code, sounds[i : i + 1], noise[i : i + 1], memory)
        sound = generator.sound_attention(sounds[None, 1 : i + 1])[:, -1]
        target = generator.target_attention(torch.stack(targets, dim=1))[:, -1]
        posterior, posterior_state = generator.posterior(torch.cat([target, sound], 1), posterior_state)
        shown = generator.decode(predicted, skips, now)
        found.append({"posterior": torch.cat(list(posterior)), "prior": torch.cat(list(prior)), "code": predicted})
        found[-1]["frame"] = shown
        now = frames[i : i + 1] if i < PAST else shown
    return found


@torch.no_grad()
def exported_difference(model: Sound2Sight, steps: int = 200) -> Differences:
    """Return the largest differences of frame and states between torch and ONNX Runtime over carried steps."""
    graph = StepGraph(model)
    session = _runtime.InferenceSession(
        trace(graph).SerializeToString(), session_options(), providers=["CPUExecutionProvider"]
    )
    ours = dict(zip(graph.input_names, graph.example_inputs(), strict=True))
    theirs = {name: value.numpy() for name, value in ours.items()}
    random, apart = torch.Generator().manual_seed(3), {"exported frame": 0.0, "exported states": 0.0}
    for _ in range(steps):
        given = {
            "audio": 0.3 * torch.randn(model.window_samples, generator=random),
            NOISE: torch.randn(LATENT, generator=random),
        }
        ours |= given
        theirs |= {name: value.numpy() for name, value in given.items()}
        expected = dict(zip(graph.output_names, graph(*ours.values()), strict=True))
        came = dict(zip(graph.output_names, session.run(graph.output_names, theirs), strict=True))
        far = {
            name: float((expected[name] - torch.from_numpy(came[name])).abs().max()) for name in graph.output_names[2:]
        }
        apart["exported frame"] = max(apart["exported frame"], far.pop(FLOAT_FRAME_OUTPUT))
        apart["exported states"] = max(apart["exported states"], *far.values())
        for name in graph.state_names:
            ours[name], theirs[name] = expected[name + NEXT_SUFFIX], came[name + NEXT_SUFFIX]
    return apart


def compare(checkout: Path, case: str) -> Differences:
    """Return the largest difference of each part over the roll-out."""
    images, size, colours, sound = CASES[case]
    modules = original_modules(checkout, images, colours)
    weights = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    shape = Sound2SightConfig(colours=colours, context_frames=PAST, sound=sound)  # type: ignore[arg-type]
    front_end = FrontEndConfig(sample_rate_hz=4400, high_hz=2200.0)
    config = ModelConfig(family="sound2sight", fps=10, image_size=size, front_end=front_end, generator=shape)
    model = convert(weights, config)
    random = torch.Generator().manual_seed(1)
    frames = torch.rand(FRAMES, colours, size, size, generator=random)
    patches = torch.rand(FRAMES, 1, *model.generator.sound_encoder.shape, generator=random)
    noise = torch.randn(FRAMES, LATENT, generator=random)
    with torch.no_grad():
        sounds = model.generator.encode_sound(patches.flatten(1))
    theirs = original_rollout(modules, frames, patches, noise)
    ours = own_rollout(model.generator, memory_of(model.initial_state(1)), frames, sounds, noise)
    apart = {
        part: max(float((one[part] - other[part]).abs().max()) for one, other in zip(ours, theirs, strict=True))
        for part in ("posterior", "prior", "code", "frame")
    }
    return {**apart, **exported_difference(model)}


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare imported weights with the original Sound2Sight.")
    parser.add_argument("--reference", type=Path, required=True, metavar="CHECKOUT")
    checkout = parser.parse_args().reference
    rows: list[list[object]] = []
    for case in CASES:
        apart = compare(checkout, case)
        append_record("sound2sight_parity", {"case": case, "frames": FRAMES, "past": PAST, **apart})
        rows.append([case, *(f"{value:.1e}" for value in apart.values())])
    print_table(["case", *apart], rows)
    return 0


if __name__ == "__main__":
    run_main(main)
