"""What two processes do in test_training_run.py: torchrun -m tests.training.diffusion.shared_learning FOLDER [--resume]."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from benchmarks.tempotokens_tiny import write_tiny_weights
from engine.core.errors import run_main
from tests.training.clips import noise, numbered_frames, write_clip
from tests.training.diffusion.avsyncd.published_folder import write_folder, write_still_unet
from training.core import distributed
from training.diffusion.avsyncd.train import main as train_avsyncd
from training.diffusion.tempotokens.train import main as train_tempotokens

AVSYNCD = """
{{width: 16, height: 16, clips_per_batch: 1, batches: 2, iterations: {iterations}, checkpoint_every: 2, learning: {{learning_rate: 0.001}}}}
"""
TEMPOTOKENS = """
{{width: 32, height: 16, pieces_per_batch: 2, iterations: {iterations}, checkpoint_every: 2, hidden_size: 24, learning: {{learning_rate: 0.001}}}}
"""


def write_given(folder: Path) -> None:
    """Weights of both families and a clip."""
    write_folder(folder / "avsyncd_weights")
    write_still_unet(folder / "avsyncd_weights")
    write_tiny_weights(folder / "tempotokens_weights")
    clips = folder / "data" / "videos" / "dog_barking"
    clips.mkdir(parents=True)
    for name, seed in (("a", 0), ("b", 1)):
        write_clip(clips / f"{name}.mp4", numbered_frames(50, 48, 32), noise(2.5, seed))
    (folder / "data" / "train.txt").write_text("dog_barking/a.mp4\ndog_barking/b.mp4\n")
    # Before there are two processes: one would read what the other is writing.
    for name, text in (("avsyncd", AVSYNCD), ("tempotokens", TEMPOTOKENS)):
        for iterations in (2, 4):
            _config(folder, name, iterations).write_text(text.format(iterations=iterations))


def train_both(folder: Path, runs: Path, iterations: int, *flags: str) -> int:
    """Train both families in `runs`."""
    common = ["--device", "cpu", *flags]
    words = [
        [
            "--weights",
            str(folder / f"{name}_weights"),
            "--run-folder",
            str(runs / name),
            "--config",
            str(_config(folder, name, iterations)),
        ]
        for name in ("avsyncd", "tempotokens")
    ]
    code = train_avsyncd(["--data", str(folder / "data"), *words[0], *common])
    return code or train_tempotokens([str(folder / "data" / "videos" / "dog_barking"), *words[1], *common])


def _config(folder: Path, name: str, iterations: int) -> Path:
    return folder / f"{name}-{iterations}.yaml"


if __name__ == "__main__":
    torch.set_num_threads(1)
    given = Path(sys.argv[1])
    run_main(distributed.together(lambda: train_both(given, given / "two", 4, "--resume")))
