"""Writing an ONNX model file: trace, compare with torch, change the precision, add the card."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

from engine.model.card import ModelCard, Provenance
from engine.model.file import graph_sha256, sealed
from engine.model.training_sound import TrainingSound
from export.precision.choice import Precision, check_drift, drift_of, in_precision
from export.precision.half_storage import round_weights, store_in_half
from export.targets.card import check_streams, model_card
from export.targets.layers import add_textures, stored_layers
from export.targets.model_file import write_own_model
from export.targets.onnx.trace import remove_float_frame, trace
from export.verification.control_effects import chosen_controls
from export.verification.graph import StepGraph
from export.verification.parity import check_parity, measure_parity
from training.core.rate import at_rate
from training.core.streaming import StreamingModel
from training.families.registry import family

DRIFT_STEPS = (1, 64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """How a model file is written. The defaults give the plain float32 file without a batch."""

    half: bool = False
    """Round the weights to 16 bits and store them so; the graph computes in 32."""
    precision: Precision = "float32"
    calibration_sound: Path | None = None
    """Of int8: the sound that its ranges are measured on."""
    passes: tuple[str, ...] = ()
    """Names of graph rewrites (docs/inference.md)."""
    grid_sample: bool = False
    """Leave GridSample one operator: faster in OpenVINO, and refused by onnx-cuda. Without it the file plays everywhere."""
    batch: int = 1
    fps: int | None = None
    """Steps a second; None: as trained."""
    drift_steps: tuple[int, ...] = DRIFT_STEPS
    drift_sound: Path | None = None
    all_controls: bool = False
    """Keep the controls too that move the frames too little to be seen."""


def export_model(
    model: StreamingModel,
    provenance: Provenance,
    path: Path,
    form: Form | None = None,
    training_sound: TrainingSound | None = None,
) -> ModelCard:
    """Write `path` and return its card.

    Raises ModelFileError when the model does not stream, parity fails or the file cannot be written, TrainingError for
    an unknown rewrite or a calibration sound that cannot be used.

    With `half` the weights of `model` are rounded to 16 bits, in place; parity is with the rounded model, without rewrites. So are
    textures that are stored with a loss (export/targets/layers.py).
    """
    form = form or Form()
    check_streams(model, path)
    if form.half:
        round_weights(model)
    layers, stored = stored_layers(model)
    # int8 is for the kind of sound that its ranges were measured on, and is judged on it.
    sound = form.drift_sound or form.calibration_sound
    controls, measured_effects = chosen_controls(model.eval(), sound, form.all_controls)
    plain = StepGraph(at_rate(model, form.fps), form.batch, controls)
    rewritten = copy.deepcopy(model)
    passes = family(model.family).rewrites.apply(rewritten, form.passes)
    program = trace(StepGraph(at_rate(rewritten.eval(), form.fps), form.batch, controls), form.grid_sample)
    measured = measure_parity(plain, program.SerializeToString())
    check_parity(measured, path, plain, passes)
    program, calibration = in_precision(program, plain, form.precision, form.calibration_sound)
    if form.half:
        store_in_half(program)
    # A bfloat16 file computes in float32 here: its runtime rounds, and export.verify measures it there.
    drift = () if form.precision == "bfloat16" else drift_of(program, plain, sound, form.drift_steps)
    check_drift(drift, form.precision, path)
    remove_float_frame(program)
    add_textures(program, stored)
    card = replace(
        model_card(plain, provenance, measured.recorded, layers),
        precision=form.precision,
        calibration=calibration,
        passes=passes,
        drift=drift,
        control_effects=measured_effects,
        training_sound=training_sound,
        trained_fps=0.0 if plain.model is model else float(model.fps),
    )
    content = sealed(program.SerializeToString(), card)
    write_own_model(content, path)
    return replace(card, graph_sha256=graph_sha256(content))
