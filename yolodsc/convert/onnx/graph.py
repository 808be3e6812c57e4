"""The ONNX graph under construction: nodes in order and constants by name, as plain values independent of the onnx library.

Every feature map is (N, C, H, W). `Graph.reshape` keeps N, so that a graph accepts any batch size.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array

INPUT = "picture"
"""Name of the model's input."""

FLOAT, DOUBLE, BFLOAT16 = 1, 11, 16
"""Element types of Cast (onnx.proto: TensorProto.DataType)."""

Constant = Array | NDArray[np.integer[Any]]


@dataclass(slots=True)
class Node:
    """One ONNX operation; `Graph.rename` may change the name of the output."""

    operation: str
    inputs: list[str]
    output: str
    attributes: dict[str, Any]


@dataclass(slots=True)
class Graph:
    """Nodes and constants; ``layer`` is the prefix of new names."""

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Constant] = field(default_factory=dict)
    layer: str = INPUT

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        output = f"{self.layer}/{operation}_{len(self.nodes)}"
        self.nodes.append(Node(operation, list(inputs), output, attributes))
        return output

    def constant(self, array: Constant, name: str | None = None) -> str:
        """Add a constant and return its name, which is numbered unless ``name`` is given."""
        label = f"{self.layer}/{name or f'constant_{len(self.constants)}'}"
        self.constants[label] = array
        return label

    def number(self, value: float) -> str:
        """Add a float32 scalar and return its name."""
        return self.constant(np.array(value, np.float32))

    def indices(self, values: Sequence[int]) -> str:
        """Add a list of integers and return its name."""
        return self.constant(np.array(values, np.int64))

    def reshape(self, x: str, *shape: int) -> str:
        """``x`` as (N, *shape)."""
        return self.add("Reshape", x, self.indices([0, *shape]))

    def transpose(self, x: str, *order: int) -> str:
        """``x`` with its axes in another order."""
        return self.add("Transpose", x, perm=list(order))

    def slice(self, x: str, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], steps: Sequence[int] = ()) -> str:
        """The part of ``x`` from ``starts`` to ``ends`` along ``axes``."""
        lists = [starts, ends, axes, *([steps] if steps else [])]
        return self.add("Slice", x, *map(self.indices, lists))

    def pad(self, x: str, before: Sequence[int], after: Sequence[int], value: float = 0.0) -> str:
        """``x`` padded with ``before`` and ``after`` elements of ``value`` along every axis, N included."""
        return self.add("Pad", x, self.indices([*before, *after]), self.number(value), mode="constant")

    def rename(self, old: str, new: str) -> None:
        """Rename the output of the last node."""
        if self.nodes and self.nodes[-1].output == old:
            self.nodes[-1].output = new
