"""Does the command that trains TempoTokens' mapper teach it what a sound means, to a UNet that knows nothing of sound?

    python -m benchmarks.tempotokens_mapper FOLDER [--iterations N] [--curve FILE.png]

FOLDER is that of benchmarks.tempotokens_trained. `training.diffusion.tempotokens.train` trains a mapper in FOLDER/run on FOLDER/clips, and the
newest one is copied to FOLDER/scene: render with --mapper scene. Then the squared error of the predicted noise on sounds that it was not
trained on: with their own sound, with another's and with a mapper that is not trained, the floors, and with the words that the UNet was
trained with, the ceiling. A run that is stopped and goes on is held against one that is not, weight by weight.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.record import append_record, print_table
from benchmarks.swelling_scene import RATE_HZ, SIDE, made_sound
from benchmarks.tempotokens_trained import FPS, SEGMENT_S, Scene, drawn, levels_of
from engine.core.errors import run_main
from training.diffusion.beats import Beats
from training.diffusion.iterations import checkpoints, number_of
from training.diffusion.state_dicts import read_weights
from training.diffusion.tempotokens import published, train
from training.diffusion.tempotokens.audio_mapper import AudioMapper
from training.diffusion.tempotokens.frame_unet import FrameUNet
from training.diffusion.tempotokens.mapper_training import WEIGHTS, noise_loss
from training.diffusion.training_run import LOSSES

NAME, SHORT, HELD, TIMES = "scene", 20, 24, 4
"""The mapper's folder, iterations of the run that is stopped, held-out sounds, and draws of noise for each."""
HIDDEN, CPU, KIND = 64, torch.device("cpu"), torch.float32

# B batch, F frames, S samples, N tokens of the sound, I their channels, L words and D channels of a context


def trained(folder: Path, run: Path, iterations: int) -> Path:
    """Run the command to that iteration, on from where a run is, and return its newest checkpoint."""
    form = {"width": SIDE, "height": SIDE, "fps": FPS, "hidden_size": HIDDEN, "checkpoint_every": 100}
    config = {**form, "iterations": iterations, "recompute": False, "learning": {"learning_rate": 1e-3}}
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.yaml").write_text(json.dumps(config))
    words = [str(folder / "clips"), "--weights", str(folder), "--run-folder", str(run), "--device", "cpu"]
    train.main([*words, "--config", str(run / "config.yaml"), *(["--resume"] if checkpoints(run) else [])])
    return checkpoints(run)[-1]


def largest_difference(folder: Path) -> float:
    """Return how far a run that is stopped in the middle and goes on ends from one that is not stopped."""
    with tempfile.TemporaryDirectory() as scratch:
        whole = trained(folder, Path(scratch, "whole"), SHORT)
        trained(folder, Path(scratch, "stopped"), SHORT // 2)
        resumed = trained(folder, Path(scratch, "stopped"), SHORT)
        one, other = (read_weights(place / WEIGHTS) for place in (whole, resumed))
    return max(float((one[name] - other[name]).abs().max()) for name in one)


class Held:
    """Sounds that nobody was trained on."""

    def __init__(self, folder: Path) -> None:
        self.scene = Scene(folder)
        self._unet = FrameUNet(published.open_unet(folder / published.UNET, CPU, KIND))
        self._shares_T = published.scheduler_of(folder / published.SCHEDULER).alphas_cumprod
        sounds_BS = np.stack([made_sound(np.random.default_rng([50, number]), SEGMENT_S) for number in range(HELD)])
        assert sounds_BS.shape[1] == SEGMENT_S * RATE_HZ
        beats: Beats = published.open_beats(folder / published.BEATS_FILE, CPU)
        with torch.no_grad():
            self.features_BNI = beats(torch.from_numpy(sounds_BS))
        self.levels_BF = levels_of(sounds_BS)

    @torch.no_grad()
    def error(self, given_BFLD: Tensor) -> float:
        """Return the mean squared error of the noise with contexts of all sounds, over draws that are always the same."""
        latents, total = self.scene.latents(self.levels_BF), 0.0
        with torch.random.fork_rng():
            torch.manual_seed(7)
            for _ in range(TIMES):
                total += noise_loss(self._unet, self._shares_T, latents, given_BFLD, drawn(latents)).item()
        return total / TIMES

    @torch.no_grad()
    def heard(self, mapper: AudioMapper) -> Tensor:
        """Return the contexts [B, F, L, D] that a mapper makes of the sounds."""
        with torch.random.fork_rng():
            torch.manual_seed(8)
            return torch.stack([self.scene.contexts_of(pseudo_FPC) for pseudo_FPC in mapper(self.features_BNI)])


def untrained(trained_mapper: AudioMapper) -> AudioMapper:
    """Return a mapper of the same shape that has learned nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(9)
        return AudioMapper(trained_mapper.config)


def course(held: Held, places: list[Path]) -> list[dict[str, float]]:
    """Return the errors of a mapper before it is trained and at each checkpoint, with the sounds' own order and another one."""
    mappers = {number_of(place): published.open_mapper(place / WEIGHTS, CPU) for place in places}
    found = []
    for iteration, mapper in {0: untrained(mappers[number_of(places[-1])]), **mappers}.items():
        own_BFLD = held.heard(mapper)
        found.append(
            {
                "iteration": iteration,
                "own sound": held.error(own_BFLD),
                "another's sound": held.error(own_BFLD.roll(1, 0)),
            }
        )
        print("  ".join(f"{name} {value:.4g}" for name, value in found[-1].items()), flush=True)
    return found


def draw_curve(found: list[dict[str, float]], floor: float, ceiling: float, path: Path) -> None:
    """Write the errors over the iterations, between those that words of another's level and of the own level have."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, panel = pyplot.subplots(figsize=(7, 3.4), layout="constrained")
    iterations = [point["iteration"] for point in found]
    for name, colour in (("another's sound", "C7"), ("own sound", "C1")):
        panel.plot(iterations, [point[name] for point in found], color=colour, marker="o", label=f"mapper, {name}")
    panel.axhline(floor, color="0.7", linestyle=":", label="words of another's level")
    panel.axhline(ceiling, color="C2", linestyle=":", label="words of the level")
    panel.set(xlabel="iterations of the mapper", ylabel="squared error of the noise", ylim=(0.0, None))
    panel.grid(color="0.9")
    panel.legend(fontsize=8)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description="Train a mapper by the command, and measure what it has learned.")
    parser.add_argument("folder", type=Path, help="folder of benchmarks.tempotokens_trained")
    parser.add_argument("--iterations", type=int, default=600)
    parser.add_argument("--curve", type=Path, metavar="FILE.png", help="the errors over the iterations")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    newest = trained(folder, folder / "run", arguments.iterations)
    (folder / NAME).mkdir(exist_ok=True)
    shutil.copy(newest / WEIGHTS, folder / NAME)
    losses = [json.loads(line)["loss"] for line in (folder / "run" / LOSSES).read_text().splitlines()]
    held = Held(folder)
    words_BFLD = held.scene.contexts(held.levels_BF)
    found = course(held, checkpoints(folder / "run"))
    figures = {
        "iterations": len(losses),
        # An iteration's own loss depends on its time steps more than on the mapper.
        "held out, not trained": found[0]["own sound"],
        "held out, own sound": found[-1]["own sound"],
        "held out, another's sound": found[-1]["another's sound"],
        "held out, words of the level": held.error(words_BFLD),
        "held out, words of another's level": held.error(words_BFLD.roll(1, 0)),
        "resumed, largest difference": largest_difference(folder),
    }
    append_record("tempotokens_mapper", {**figures, "course": found, "losses": losses})
    print_table(["figure", "value"], [[name, f"{value:.4g}"] for name, value in figures.items()])
    if arguments.curve:
        ends = (figures[f"held out, words of {whose} level"] for whose in ("another's", "the"))
        draw_curve(found, *ends, arguments.curve)
    return 0


if __name__ == "__main__":
    run_main(main)
