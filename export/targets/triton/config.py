"""The server's configuration of a model, computed from the model card.

The messages are those of model_config.proto in triton-inference-server/common. Two properties of the server decide the form:
its ONNX Runtime backend makes batches only of models whose first axis is open, and ours are fixed, so max_batch_size is 0;
and a sequence keeps its implicit state between requests, so the server holds the state of each show.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.model.card import NEXT_SUFFIX, ModelCard, StateSpec, TensorInfo

Device = Literal["auto", "cpu", "gpu"]

SEQUENCES = 16
"""Shows at once by default; further ones wait until one ends."""
IDLE_S = 30.0
"""A show without a request for this long has ended. The server's own default, one second, would end a show at a pause."""
MODEL_FILE = "model.onnx"

_DATA_TYPES = {"float32": "TYPE_FP32", "uint8": "TYPE_UINT8"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """How the server runs the model."""

    sequences: int = SEQUENCES
    idle_s: float = IDLE_S
    device: Device = "auto"
    threads: int = 0
    """Threads of one step on the processor; 0 leaves it to the server."""


def model_name(card: ModelCard) -> str:
    """Return the card's name without the characters that a folder or a configuration cannot have."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", card.name).strip("-.") or "model"


def served_inputs(card: ModelCard) -> tuple[TensorInfo, ...]:
    """List the inputs of a request: all but the states. A scalar has an axis of 1, as the server wants it."""
    states = {spec.name for spec in card.states}
    return tuple(
        TensorInfo(name=info.name, shape=info.shape or (1,), dtype=info.dtype)
        for info in card.input_tensors()
        if info.name not in states
    )


def served_outputs(card: ModelCard) -> tuple[TensorInfo, ...]:
    """List the outputs of a response: all but the states."""
    states = {spec.name + NEXT_SUFFIX for spec in card.states}
    return tuple(info for info in card.output_tensors() if info.name not in states)


def initial_state_files(card: ModelCard) -> dict[str, bytes]:
    """Return the files of the folder initial_state: the states that do not begin at zero, little-endian, row by row."""
    not_zero = [spec for spec in card.states if spec.initial != 0.0]
    return {spec.name: np.full(_batched_shape(card, spec), spec.initial, "<f4").tobytes() for spec in not_zero}


def config_text(card: ModelCard, service: Service) -> str:
    """Return config.pbtxt."""
    return "\n".join(
        [
            f'name: "{model_name(card)}"',
            'backend: "onnxruntime"',
            f'default_model_filename: "{MODEL_FILE}"',
            "# The model has fixed shapes: the server makes no batches of requests.",
            "max_batch_size: 0",
            *_listed("input", [_tensor(info) for info in served_inputs(card)]),
            *_listed("output", [_tensor(info) for info in served_outputs(card)]),
            *_sequences(card, service),
            *_where(service),
            "",
        ]
    )


def _sequences(card: ModelCard, service: Service) -> list[str]:
    states = [_state(card, spec) for spec in card.states]
    return [
        "# A sequence is a show: the server keeps its states from request to request and begins with initial_state.",
        "sequence_batching {",
        f"  max_sequence_idle_microseconds: {round(service.idle_s * 1e6)}",
        "  # One instance steps all shows in turn. With `direct` every show would need an instance of its own.",
        f"  oldest {{ max_candidate_sequences: {service.sequences} }}",
        *(f"  {line}" for line in _listed("state", states)),
        "}",
    ]


def _state(card: ModelCard, spec: StateSpec) -> str:
    kind = f"data_type: {_DATA_TYPES[spec.dtype]} dims: {_dims(_batched_shape(card, spec))}"
    begins = f'data_file: "{spec.name}"' if spec.initial != 0.0 else "zero_data: true"
    return (
        f'input_name: "{spec.name}" output_name: "{spec.name}{NEXT_SUFFIX}" {kind} '
        f'initial_state [ {{ name: "{spec.name}" {kind} {begins} }} ]'
    )


def _batched_shape(card: ModelCard, spec: StateSpec) -> tuple[int, ...]:
    """Return the shape of a state with the batch axis, where there is one."""
    return next(info.shape for info in card.input_tensors() if info.name == spec.name)


def _where(service: Service) -> list[str]:
    lines: list[str] = []
    if service.device != "auto":
        lines.append(f"instance_group [ {{ count: 1 kind: KIND_{service.device.upper()} }} ]")
    if service.threads:
        lines.append(f'parameters {{ key: "intra_op_thread_count" value: {{ string_value: "{service.threads}" }} }}')
    return lines


def _tensor(info: TensorInfo) -> str:
    return f'name: "{info.name}" data_type: {_DATA_TYPES[info.dtype]} dims: {_dims(info.shape)}'


def _dims(shape: tuple[int, ...]) -> str:
    return f"[ {', '.join(map(str, shape))} ]"


def _listed(field: str, messages: list[str]) -> list[str]:
    return [
        f"{field} [",
        *(f"  {{ {text} }}{',' if n < len(messages) else ''}" for n, text in enumerate(messages, 1)),
        "]",
    ]
