"""The halo of each tensor, from what all operations declare.

An operation declares the halo that it needs around each of its tensors, and the views whose tensors it reads with one row stride.
The tensors of such a view have one halo; so have all tensors that such views connect.
"""

from collections.abc import Sequence

from yolodsc.engine.operations.operation import Operation
from yolodsc.engine.plan.layout import Halo, Tensor


def resolved_halos(operations: Sequence[Operation]) -> dict[Tensor, Halo]:
    """The halo of each tensor that needs one."""
    parent: dict[Tensor, Tensor] = {}

    def root(tensor: Tensor) -> Tensor:
        while (above := parent.get(tensor, tensor)) is not tensor:
            tensor = above
        return tensor

    for operation in operations:
        for view in operation.strided_views():
            first, *others = view.tensors
            for other in others:
                if (a := root(first)) is not (b := root(other)):
                    parent[b] = a
    halos: dict[Tensor, Halo] = {}
    declared = [(tensor, halo) for operation in operations for tensor, halo in operation.halos()]
    for tensor, halo in declared:
        halos[root(tensor)] = halos.get(root(tensor), Halo()) | halo
    tensors = dict.fromkeys([*(tensor for tensor, _ in declared), *parent, *parent.values()])
    return {tensor: halos[root(tensor)] for tensor in tensors if root(tensor) in halos}
