"""Hierarchies of classes: the ``tree=`` files of YOLO9000 (``tree.c``)."""

from pathlib import Path

import numpy as np

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.errors import CfgError
from yolodsc.files import is_file, read_bytes
from yolodsc.values import Value


class ClassTree(Value):
    """Classes with their parents, which precede them; siblings are adjacent.

    Attributes
    ----------
    parents
        Index of each class's parent, -1 for a root.
    groups
        (start, stop) of each run of siblings; softmax runs over each.
    """

    parents: tuple[int, ...]
    groups: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.parents)

    def softmax(self, x: Array, *, temperature: float = 1.0) -> Array:
        """Softmax of (classes, …) within each group of siblings (``softmax_layer.c: softmax_tree``)."""
        return np.concatenate([softmax(x[start:stop], temperature=temperature) for start, stop in self.groups])

    def probabilities(self, conditional: Array) -> Array:
        """Absolute from conditional probabilities (classes, …): products down the tree (``hierarchy_predictions``)."""
        absolute: Array = conditional.copy()
        for child, parent in enumerate(self.parents):
            if parent >= 0:
                absolute[child] *= absolute[parent]
        return absolute


def softmax(x: Array, *, temperature: float = 1.0) -> Array:
    """Softmax over the first axis, the maximum subtracted (``blas.c: softmax``)."""
    scaled = x / np.float32(temperature)
    exponential = np.exp(scaled - scaled.max(axis=0))
    probabilities: Array = exponential / exponential.sum(axis=0)
    return probabilities


def tree_of(section: Section, *, classes: int) -> ClassTree | None:
    """The tree that a section names, or None.

    The path is relative to the working directory, as in Darknet, or else to the cfg file.
    """
    name = section.text("tree")
    if name is None:
        return None
    candidates = [Path(name), Path(section.file).parent / name, Path(section.file).parent.parent / name]
    path = next((path for path in candidates if is_file(path)), None)
    if path is None:
        raise section.error(f"tree={name}: no such file", key="tree")
    tree = read_tree(path)
    if len(tree) != classes:
        raise section.error(f"{path} has {len(tree)} classes; expected {classes}", key="tree")
    return tree


def read_tree(path: Path) -> ClassTree:
    """Lines of ``name parent`` (``tree.c: read_tree``)."""
    parents: list[int] = []
    for number, line in enumerate(read_bytes(path, error=CfgError).decode(errors="surrogateescape").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            parent = int(words[1])
        except (IndexError, ValueError):
            raise CfgError(f"{path}:{number}: {line[:40]!r}; expected a name and the index of its parent") from None
        if not -1 <= parent < len(parents):
            raise CfgError(f"{path}:{number}: parent {parent}; expected -1 to {len(parents) - 1}, an earlier class")
        parents.append(parent)
    if not parents:
        raise CfgError(f"{path}: no classes")
    starts = [i for i, parent in enumerate(parents) if i == 0 or parent != parents[i - 1]]
    return ClassTree(tuple(parents), tuple(zip(starts, [*starts[1:], len(parents)], strict=True)))
