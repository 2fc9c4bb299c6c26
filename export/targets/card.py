"""The model card of a trained model."""

from __future__ import annotations

from pathlib import Path

from engine.core.errors import ModelFileError
from engine.model.card import ModelCard, Parity, Provenance
from engine.model.layers import LayersSpec
from export.verification.graph import StepGraph
from training.core.streaming import StreamingModel


def model_card(graph: StepGraph, provenance: Provenance, parity: Parity, layers: LayersSpec | None = None) -> ModelCard:
    """Return the card of a float32 file of `graph`, without rewrites and without a checksum."""
    model, signature = graph.model, graph.signature
    return ModelCard(
        name=model.name,
        family=model.family,
        sample_rate_hz=model.sample_rate_hz,
        window_samples=signature.window_samples,
        hop_samples=model.hop_samples,
        look_ahead_s=model.look_ahead_samples / model.sample_rate_hz,
        height=model.frame_size.height,
        width=model.frame_size.width,
        feature_bands=model.feature_count,
        states=signature.states,
        noises=signature.noises,
        controls=signature.controls,
        pictures=signature.pictures,
        outputs=graph.fields,
        layers=layers,
        batch=signature.batch,
        parity=parity,
        provenance=provenance,
    )


def check_streams(model: StreamingModel, path: Path) -> None:
    """Raise ModelFileError for a generator that cannot take a single step."""
    if not model.streams:
        raise ModelFileError(
            f"{path} was not written: '{model.name}' plays whole sequences, not steps: {model.offline_reason}."
        )
