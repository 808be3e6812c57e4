"""From layers to operations: what is fused with what, and the layout of each output.

The planner visits the layers once, in order. A layer that is part of a fused operation is emitted with it. `rules` maps each type
of layer to the function that plans it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from yolodsc.engine.plan.builder import Plan, PlanBuilder
from yolodsc.engine.plan.graph import LayerGraph
from yolodsc.engine.plan.precision import planned_precision
from yolodsc.engine.plan.rules import emit, keeps_lanes, reads_blocks
from yolodsc.jit import Isa, narrowed
from yolodsc.network import Network

if TYPE_CHECKING:
    from yolodsc.precision import Precision, Quantization


def planned(
    network: Network, outputs: Sequence[int], isa: Isa, precision: "Precision" = "f32", quantization: "Quantization | None" = None
) -> Plan:
    """The plan of a network for one instruction set; its tensors have neither halos nor offsets yet."""
    graph = LayerGraph(network, outputs, quantization.scales if quantization else ())
    short = narrowed(isa)
    preference = None if precision == "f32" else (lambda narrow: short if narrow or quantization else isa)
    lanes = graph.lanes(isa, keeps_lanes, preference)
    builder = PlanBuilder(graph, isa, lanes, planned_precision(graph, isa, precision, quantization, reads_blocks))
    for index in graph.needed:
        if index not in builder.emitted and not graph.deferred(index):
            emit(builder, network.layers[index])
    planars = {index: builder.planar(graph.origin(index)) for index in outputs}
    return Plan(tuple(builder.operations), planars)
