"""Measure the time of one iteration on this machine, with everything else that runs on it."""

from __future__ import annotations

import math
import time

import numpy as np
import torch

from training.data.video import Clip
from training.data.windows import TRAINING_SHARE
from training.loop.config import TrainConfig
from training.loop.trainer import build_trainer

WARM_UP_ITERATIONS = 1
MEASURED_ITERATIONS = 4
NOISE_LEVEL = 0.1


def seconds_per_iteration(config: TrainConfig) -> float:
    """Train a few iterations on noise and return the shortest, which other load disturbs least. Raises TrainingError as `Trainer`."""
    if config.threads:
        torch.set_num_threads(config.threads)
    trainer = build_trainer(config, noise_clip(config))
    times_s: list[float] = []
    for _ in range(WARM_UP_ITERATIONS + MEASURED_ITERATIONS):
        started_s = time.perf_counter()
        trainer.step()
        if trainer.device.type == "cuda":
            torch.cuda.synchronize()
        times_s.append(time.perf_counter() - started_s)
    return min(times_s[WARM_UP_ITERATIONS:])


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
