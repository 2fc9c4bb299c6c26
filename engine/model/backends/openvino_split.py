"""Cuts a model in two, what hears and what draws, so that the first can compute in float32 and the second in bfloat16.

OpenVINO's hint is for a whole model. In bfloat16 the logarithm of a quiet band is wrong by as much as the sound that it stands
for, and the picture follows it; with the cut, pictures of the shipped model are 20 dB closer, at the same speed.
"""

# Much of openvino is without types.
# pyright: basic

from __future__ import annotations

import importlib
from typing import Any, NamedTuple


class SplitModel(NamedTuple):
    """Two models; outputs 1, 2, … of the first, after `features`, are the last inputs of the second."""

    hearing: Any
    drawing: Any
    crossings: int


def cut_behind_hearing(library: Any, model: Any) -> SplitModel | None:
    """Take `model`, which is used up, apart behind its features; None, and nothing done, where they come from more than the sound."""
    operations = importlib.import_module("openvino.opset13")
    features = _node(model.outputs, "features")
    audio = _node(model.inputs, "audio")
    heard = _ancestors(features)
    sources = [node for node in heard.values() if node.get_type_name() == "Parameter"]
    if [node.get_friendly_name() for node in sources] != [audio.get_friendly_name()]:
        return None
    crossings = [
        (output, leaving)
        for node in heard.values()
        if node.get_type_name() not in ("Constant", "Result")
        for output in node.outputs()
        if (leaving := [i for i in output.get_target_inputs() if i.get_node().get_friendly_name() not in heard])
    ]
    if any(output.get_node().get_friendly_name() == audio.get_friendly_name() for output, _ in crossings):
        return None
    entries: list[Any] = []
    for output, leaving in crossings:
        entries.append(operations.parameter(output.get_shape(), output.get_element_type()))
        for target in leaving:
            target.replace_source_output(entries[-1].output(0))
    results = [node for node in model.get_results() if node.get_friendly_name() != features.get_friendly_name()]
    inputs = [node for node in model.get_parameters() if node.get_friendly_name() != audio.get_friendly_name()]
    exits = [operations.result(output) for output, _ in crossings]
    return SplitModel(
        library.Model([features, *exits], [audio], "hearing"),
        library.Model(results, [*inputs, *entries], "drawing"),
        len(crossings),
    )


def _node(ports: Any, name: str) -> Any:
    return next(port for port in ports if name in port.get_names()).get_node()


def _ancestors(node: Any) -> dict[str, Any]:
    """Return a node and all that it depends on, by name."""
    found: dict[str, Any] = {}
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current.get_friendly_name() not in found:
            found[current.get_friendly_name()] = current
            waiting += [entry.get_source_output().get_node() for entry in current.inputs()]
    return found
