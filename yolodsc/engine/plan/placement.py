"""From a plan to a placed plan: tensors get their halos, then their offsets in the arena."""

from msgspec.structs import replace

from yolodsc.engine.plan.arena import Lifetimes, lay_out, lifetimes_of
from yolodsc.engine.plan.builder import Plan
from yolodsc.engine.plan.halos import resolved_halos
from yolodsc.engine.plan.layout import MAX_BYTES
from yolodsc.errors import EngineError
from yolodsc.values import Value


class PlacedPlan(Value):
    """A plan whose buffers have addresses in an arena of ``arena`` bytes."""

    plan: Plan
    arena: int


def placed(plan: Plan, *, file: str) -> PlacedPlan:
    """Resolve halos and lay out the arena; an `EngineError` that names ``file`` if no tagged address can reach its end."""
    with_halos = plan.with_buffers({tensor: replace(tensor, halo=halo) for tensor, halo in resolved_halos(plan.operations).items()})
    layout = lay_out(lifetimes(with_halos))
    if layout.size >= MAX_BYTES:
        raise EngineError(f"{file}: tensors and their padding take {layout.size} bytes; expected less than {MAX_BYTES}")
    offsets = {buffer: replace(buffer, offset=offset) for buffer, offset in layout.offsets.items()}
    return PlacedPlan(with_halos.with_buffers(offsets), layout.size)


def lifetimes(plan: Plan) -> Lifetimes:
    """Lifetimes of the plan's buffers; outputs live to the end."""
    uses = [(operation.reads, operation.writes) for operation in plan.operations]
    return lifetimes_of([*uses, (tuple(plan.outputs.values()), ())])
