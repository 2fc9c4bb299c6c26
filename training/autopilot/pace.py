"""Measure the time of one iteration on this machine, with everything else that runs on it."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from training.autopilot.time_budget import read_clocks, share_since
from training.data.video import Clip
from training.data.windows import TRAINING_SHARE
from training.loop.config import TrainConfig
from training.loop.trainer import build_trainer

WARM_UP_ITERATIONS = 1
MEASURED_ITERATIONS = 4
NOISE_LEVEL = 0.1


class Pace(NamedTuple):
    """How fast this machine trains a configuration, with everything else that runs on it."""

    iteration_s: float
    share: float
    """Of a processor, 0 to 1, that one thread gets."""


def measured_pace(config: TrainConfig) -> Pace:
    """Train a few iterations on noise. The median counts: what else runs now will most likely go on. Raises TrainingError as `Trainer`."""
    if config.threads:
        torch.set_num_threads(config.threads)
    # Nothing of the run's own files is read.
    config = replace(config, clip=replace(config.clip, path="", more=()))
    trainer = build_trainer(config, noise_clip(config))
    times_s: list[float] = []
    began = read_clocks()
    for number in range(WARM_UP_ITERATIONS + MEASURED_ITERATIONS):
        if number == WARM_UP_ITERATIONS:
            began = read_clocks()
        started_s = time.perf_counter()
        trainer.step()
        if trainer.device.type == "cuda":
            torch.cuda.synchronize()
        times_s.append(time.perf_counter() - started_s)
    return Pace(statistics.median(times_s[WARM_UP_ITERATIONS:]), share_since(began, read_clocks()))


def noise_clip(config: TrainConfig) -> Clip:
    """Return the shortest clip in the configuration's format; its content does not change the time."""
    random, clip_format = np.random.default_rng(0), config.clip_format()
    count = math.ceil(2 * config.sequence_frames / TRAINING_SHARE)
    if getattr(config.losses, "overfitting_target", 0.0) > 0 and config.clip.tuning_share > 0:
        count = max(count, math.ceil(config.sequence_frames / config.clip.tuning_share) + 1)
    hop_samples = clip_format.sample_rate_hz // clip_format.fps
    return Clip(
        frames_NHWC=random.integers(0, 256, (count, *clip_format.frame_size, 3), np.uint8),
        sound_S=(NOISE_LEVEL * random.standard_normal(count * hop_samples)).astype(np.float32),
        format=clip_format,
        file="noise",
    )
