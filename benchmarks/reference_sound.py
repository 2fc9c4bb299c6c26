"""Let the original and an imported generator hear the same sound file, and compare their frames.

    python -m benchmarks.reference_sound SOUND.wav … --reference CHECKOUT [--rates 16000 64000]

CHECKOUT is a copy of the original Listen and Move code (valillon/listen-and-move-gan): its own converter reads the file and makes
features, its own generator makes frames. Here the file goes the way of a clip: decoded, resampled to the model's rate, cut into
windows, front end, generator. Both have the same random weights and the same noise. The converter reads files and resamples with
torchaudio; where that is missing, this project's own reader and soxr do it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import io
import sys
import types
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from benchmarks.record import append_record, print_table
from benchmarks.reference_parity import GivenNoise, original_generator, randomise
from training.core.front_end import FrontEndConfig
from training.data.clip_sound import read_sound, read_track, resampled
from training.data.windows import WindowTiming, sound_windows
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.listen_and_move.original_weights import convert
from training.families.model_config import ModelConfig

Kind = Literal["mel", "lms", "mfcc"]
SIZE, BASE, FPS, STEPS = 64, 256, 20, 64
FLAGS: dict[str, Any] = {
    "sound_route": "rnngen",
    "motion_layers": 3,
    "cond_gen": True,
    "vid_pred": "dir",
    "architecture": "residual",
}
RATES_HZ = (16000, 24000, 48000, 64000)
LIMIT = 1e-3


class _Resample:
    def __init__(self, source_hz: int, target_hz: int) -> None:
        self._rates = source_hz, target_hz

    def __call__(self, sound_S: Tensor) -> Tensor:
        return torch.from_numpy(resampled(sound_S.numpy(), *self._rates))


def converter_module(checkout: Path) -> Any:
    """Import the original's converter, with a stand-in for torchaudio where that is missing."""
    sys.path.insert(0, str(checkout))
    if "torchaudio" not in sys.modules and importlib.util.find_spec("torchaudio") is None:
        stand_in = types.ModuleType("torchaudio")

        def load(file: str, **_: Any) -> tuple[Tensor, int]:
            sound_S, rate_hz = read_track(Path(file))
            return torch.from_numpy(sound_S)[None], rate_hz

        vars(stand_in).update(load=load, transforms=types.SimpleNamespace(Resample=_Resample))
        sys.modules["torchaudio"] = stand_in
    return importlib.import_module("converter")


@torch.no_grad()
def hear_alike(reference: Any, spread: float, features: int) -> None:
    """Scale the weights that take sound to the spread of its features, as training does, so that no layer saturates."""
    reference.motion.layers[0].weight_ih[:, -features:].div_(spread)
    reference.generator.format_layer[1].module[0].conv.weight[:, -features:].div_(spread)
    for condition in reference.generator.conditions:
        condition[0].weight.div_(spread)


@torch.no_grad()
def compare(checkout: Path, file: Path, kind: Kind, rate_hz: int) -> tuple[float, float]:
    """Return the largest differences of features, relative to their spread, and of frames in [-1, 1]."""
    with contextlib.redirect_stdout(io.StringIO()):
        converter = converter_module(checkout).AudioConverter(feat_type=kind)
        expected_TF = torch.stack(converter.file2features(str(file), FPS, verbose=False))[:STEPS]
    front_end = FrontEndConfig(kind=kind, sample_rate_hz=rate_hz)
    settings = ListenAndMoveConfig(channels_base=BASE)
    config = ModelConfig(name=kind, fps=FPS, image_size=SIZE, front_end=front_end, generator=settings)
    reference = original_generator(
        checkout, SIZE, FLAGS | {"channels_base": BASE, "dim_audio_feat": front_end.feature_count}
    )
    randomise(reference, 3)
    spread = float(expected_TF.square().mean().sqrt())
    hear_alike(reference, spread, front_end.feature_count)
    model = convert(reference.state_dict(), config)
    # The original's first frame hears the sound around its beginning: the window before ours.
    windows_TW = sound_windows(read_sound(file, rate_hz), -1, len(expected_TF), WindowTiming.of(model))
    noise = model.draw_noise(1, len(expected_TF), torch.Generator().manual_seed(6))
    frames, features, _ = model.clip(torch.from_numpy(windows_TW)[None], noise, model.initial_state(1))
    given, largest = GivenNoise(reference), 0.0
    reference.eval().reset_eval()
    for k in range(len(expected_TF)):
        given.give(model, {name: values[:, k : k + 1] for name, values in noise.items()})
        frame = reference(expected_TF[None, k : k + 1])[0, 0]
        largest = max(largest, float((frames[0, k] - frame).abs().max()))
    return float((features[0] - expected_TF).abs().max()) / spread, largest


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sounds", nargs="+", type=Path, metavar="SOUND.wav")
    parser.add_argument("--reference", type=Path, required=True, metavar="CHECKOUT")
    parser.add_argument(
        "--rates", nargs="+", type=int, default=RATES_HZ, metavar="HZ", help="sample rates of our model"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[list[object]] = []
    for file in arguments.sounds:
        file_hz = read_track(file)[1]
        for kind in get_args(Kind):
            for rate_hz in arguments.rates:
                features, frames = compare(arguments.reference, file, kind, rate_hz)
                rows.append([file.name, file_hz, kind, rate_hz, f"{features:.1e}", f"{frames:.1e}"])
    resampler = "torchaudio" if getattr(sys.modules["torchaudio"], "__file__", None) else "soxr"
    headings = ["file", "file Hz", "kind", "model Hz", "features", "frames"]
    print_table(headings, rows)
    append_record("reference_sound", {"resampler": resampler, "steps": STEPS, "headings": headings, "rows": rows})


if __name__ == "__main__":
    main()
