"""From a step in torch to an ONNX graph."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import Any

import onnx
import torch

from export.targets.onnx.grid_sample import gathered
from export.verification.graph import FLOAT_FRAME_OUTPUT, StepGraph

OPSET = 18


def trace(graph: StepGraph, grid_sample: bool = False) -> onnx.ModelProto:
    """Export one step, with all weights in the file. The float frame is among the outputs, for parity.

    Without `grid_sample` that operator is written as gathers, which every runtime has.
    """
    # The exporter prints its progress, warns about its own internals and logs that torchvision is missing.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        # Annotated because torch's own annotation is incomplete.
        export: Any = torch.onnx.export  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        program = export(
            graph,
            graph.example_inputs(),
            dynamo=True,
            opset_version=OPSET,
            input_names=graph.input_names,
            output_names=graph.output_names,
            verbose=False,
            custom_translation_table=None if grid_sample else {torch.ops.aten.grid_sampler.default: gathered},
        )
    assert program is not None
    return without_traces(program.model_proto)


def without_traces(program: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the exporter's notes about its own run: stack traces with paths of this machine."""
    graph = program.graph
    for part in (program, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    return program


def remove_float_frame(program: onnx.ModelProto) -> None:
    """Remove the output that only parity needs, in place."""
    remaining = [output for output in program.graph.output if output.name != FLOAT_FRAME_OUTPUT]
    del program.graph.output[:]
    program.graph.output.extend(remaining)
