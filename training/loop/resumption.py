"""Resuming a run, with unchanged settings wherever they shape the result, and starting a new run from its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.errors import TrainingError
from training.core.front_end import FrontEndConfig
from training.core.run_state import under
from training.core.strict import differing_keys
from training.data.config import ClipConfig
from training.data.footage import footage_sha256
from training.loop.checkpoint import Checkpoint, load_weights
from training.loop.config import TrainConfig, with_overrides
from training.loop.run_folder import run_of
from training.loop.trainer import Trainer
from training.loop.upscaling import is_larger, may_differ, upscaled_weights

MAY_CHANGE = (
    "total_iterations",
    "minutes",
    "intervals",
    "samples",
    "threads",
    "device",
    "deterministic",
    "model.name",
    "clip.title",
    "clip.source",
    "clip.licence",
)
"""Settings that may change when a run is resumed: length, intervals, samples, device and titles."""


def as_begun(wanted: TrainConfig, saved: TrainConfig, *, resumed: bool = True) -> TrainConfig:
    """Return `wanted` with what a run of the version before had and its configuration cannot name.

    Such a run has no tuning part, and hears its spectra at its own sample rate. Settings that are not the defaults stay.
    """
    begun: dict[str, Any] = {}
    if resumed and not saved.clip.tuning_share and wanted.clip.tuning_share == ClipConfig().tuning_share:
        begun["clip.tuning_share"] = 0.0
    front_ends = [getattr(config.model, "front_end", None) for config in (wanted, saved)]
    if None not in front_ends:
        wanted_hz, saved_hz = (front_end.spectrum_rate_hz for front_end in front_ends)
        if wanted_hz == FrontEndConfig().spectrum_rate_hz != saved_hz:
            begun["model.front_end.spectrum_rate_hz"] = saved_hz
    return TrainConfig.from_dict(with_overrides(wanted.to_dict(), begun)) if begun else wanted


def check_resumable(checkpoint: Checkpoint, wanted: TrainConfig) -> None:
    """Refuse to resume with other settings that shape the result, or with another clip.

    A clip may lie elsewhere if its content is the same. Raises TrainingError with each key, its old and its new value.
    """
    saved = checkpoint.config
    differing = [f"{key} {old!r} -> {new!r}" for key, old, new in changes(saved, wanted) if not _may_change(key)]
    if checkpoint.clip_sha256:
        if footage_sha256(wanted.clip) != checkpoint.clip_sha256:
            differing.append(f"the content of the clip {wanted.clip.path}")
    elif saved.clip.paths() != wanted.clip.paths():
        differing.append(f"clip.path {saved.clip.path!r} -> {wanted.clip.path!r}")
    if differing:
        run = run_of(checkpoint.folder)
        raise TrainingError(
            f"{checkpoint.folder} was trained with other settings: {', '.join(differing)}; leave them as they were, "
            f"or start a new run from its weights with --from {run} --run-folder NEW."
        )


def changes(saved: TrainConfig, wanted: TrainConfig) -> list[tuple[str, Any, Any]]:
    """List the dotted keys in which two configurations differ, with both values."""
    one, other = saved.to_dict(), wanted.to_dict()
    return [(key, _at(one, key), _at(other, key)) for key in differing_keys(one, other)]


def start_from(trainer: Trainer, source: Checkpoint) -> list[str]:
    """Put the averaged weights of `source` into a new trainer, and those of its other networks that fit.

    Optimisers, schedule, random numbers and iteration stay fresh. A model with a larger frame is upscaled from the smaller one.
    Returns a sentence for each network that did not fit. Raises TrainingError when the generator does not fit.
    """
    weights = _fitted(source, trainer.config)
    for model in (trainer.model, trainer.average):
        load_weights(model, weights, source.folder)
    fresh: list[str] = []
    for name, network in trainer.networks.items():
        if not _take(network, under(name, source.training)):
            fresh.append(f"the {name.replace('_', ' ')} starts fresh: {source.folder} has none that fits.")
    return fresh


def check_start(source: Checkpoint, wanted: TrainConfig) -> None:
    """Refuse weights of a model of another shape. Raises TrainingError with each key, its old and its new value."""
    before, now = source.config.model, wanted.model
    larger = is_larger(now, before)
    allowed = {f"model.{key}" for key in (may_differ(before) if larger else ("name", "image_size"))}
    differing = [
        f"{key} {old!r} -> {new!r}"
        for key, old, new in changes(source.config, wanted)
        if key.startswith("model.") and key not in allowed
    ]
    if now.image_size != before.image_size and not larger:
        differing.append(f"model.image_size {before.image_size!r} -> {now.image_size!r}")
    if differing:
        raise TrainingError(
            f"The weights of {source.folder} do not fit: {', '.join(differing)}; leave these settings as they were "
            "(only model.image_size may become larger, in the same shape), or train without --from."
        )


def _fitted(source: Checkpoint, wanted: TrainConfig) -> Mapping[str, Tensor]:
    if source.config.model.image_size == wanted.model.image_size:
        return source.generator
    with torch.random.fork_rng(devices=[]):
        return upscaled_weights(source, wanted.model)[0]


def _take(module: nn.Module, weights: Mapping[str, Tensor]) -> bool:
    own = module.state_dict()
    if {name: value.shape for name, value in weights.items()} != {name: value.shape for name, value in own.items()}:
        return False
    module.load_state_dict(dict(weights))
    return True


def _may_change(key: str) -> bool:
    return key in ("clip.path", "clip.more") or any(key == name or key.startswith(f"{name}.") for name in MAY_CHANGE)


def _at(values: Mapping[str, Any], dotted: str) -> Any:
    found: Any = values
    for part in dotted.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
