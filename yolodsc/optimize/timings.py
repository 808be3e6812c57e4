"""Times of forms in the directory of a search, so that a search that goes on makes the same plans."""

from pathlib import Path
from typing import Annotated, get_args

import msgspec
from msgspec import Meta

from yolodsc.decompose import FactorizationChoice, FormCosts, Method
from yolodsc.errors import OptionError
from yolodsc.files import exists, text_of, write_bytes
from yolodsc.schemas import Finite, Index, Positive, checked, dump_json, parse_json, refuse
from yolodsc.values import Value


class TimedForm(Value):
    """One form of one layer and its time; fields as those of `FactorizationChoice`."""

    layer: Index
    method: str
    rank: Annotated[int, Meta(ge=1, le=2**20)]
    outer: Annotated[int, Meta(ge=0, le=2**20)]
    milliseconds: Finite


class TimedForms(Value):
    """All forms in one precision, and the time of everything else."""

    rest: Positive
    forms: list[TimedForm]


def write_timings(path: Path, costs: dict[str, FormCosts]) -> None:
    """Write the times by precision."""
    content = {
        precision: TimedForms(
            found.rest,
            [TimedForm(i, c.method, c.rank, c.outer, ms) for i, forms in found.layers.items() for c, ms in forms.items()],
        )
        for precision, found in costs.items()
    }
    text = dump_json(msgspec.to_builtins(content), file=path, error=OptionError, indent=1)
    write_bytes(path, text.encode(), error=OptionError)


def read_timings(path: Path) -> dict[str, FormCosts] | None:
    """The times by precision; None if there is no such file. An `OptionError` if it holds something else."""
    if not exists(path):
        return None
    content = parse_json(text_of(path, error=OptionError), file=path, error=OptionError)
    found = checked(content, dict[str, TimedForms], file=path, error=OptionError)
    return {precision: _costs(forms, path) for precision, forms in found.items()}


def _costs(found: TimedForms, path: Path) -> FormCosts:
    layers: dict[int, dict[FactorizationChoice, float]] = {}
    methods = {name: name for name in get_args(Method)}
    for number, form in enumerate(found.forms):
        if form.method not in methods:
            refuse(f"$.forms[{number}].method", form.method, "a method of decomposition", file=path, error=OptionError)
        choice = FactorizationChoice(methods[form.method], form.rank, form.outer)
        layers.setdefault(form.layer, {})[choice] = form.milliseconds
    return FormCosts(layers, found.rest)
