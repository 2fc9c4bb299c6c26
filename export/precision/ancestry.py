"""The nodes that a tensor of a graph is computed from. A node is named by its first output, which is unique in a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import onnx


class Ancestry:
    """The nodes of a graph by their outputs and by their inputs."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._producers = {name: node for node in graph.node for name in node.output}
        self._consumers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._consumers.setdefault(name, []).append(node)

    def before(self, names: Iterable[str], passable: Callable[[onnx.NodeProto], bool]) -> set[str]:
        """Return the nodes that `names` are computed from, as far back as all on the way are passable."""
        found, waiting = set[str](), list(names)
        while waiting:
            node = self._producers.get(waiting.pop())
            if node is not None and node.output[0] not in found and passable(node):
                found.add(node.output[0])
                waiting.extend(node.input)
        return found

    def after(self, name: str, passable: Callable[[onnx.NodeProto], bool]) -> set[str]:
        """Return the nodes that the tensor `name` goes into, as far on as all on the way are passable."""
        found, waiting = set[str](), [name]
        while waiting:
            for node in self._consumers.get(waiting.pop(), []):
                if node.output[0] not in found and passable(node):
                    found.add(node.output[0])
                    waiting.extend(node.output)
        return found

    def front_end(self) -> set[str]:
        """Return the nodes that the output `features` is computed from."""
        return self.before(["features"], lambda node: True)

    def after_last_convolutions(self) -> set[str]:
        """Return the nodes between the convolutions that give the frame its colours and the output `frame`."""
        return self.before(["frame"], lambda node: node.op_type != "Conv")
