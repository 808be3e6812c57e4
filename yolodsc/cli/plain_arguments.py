"""Command lines of known options with plain values, read without Typer.

Typer's import and its model of a subcommand take a quarter of the start of ``yolodsc detect``. What this reader does not accept is
left to Typer: help, aliases, other spellings, mistakes, and subcommands that declare their options with Typer.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from inspect import Parameter, signature
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from yolodsc.cli.declarations import Declaration
from yolodsc.cli.plain_values import Kind, plain
from yolodsc.values import Value


class _Field(NamedTuple):
    """A parameter of a subcommand: the group that it belongs to, if any, its name, declaration, kind and default."""

    group: str | None
    name: str
    declaration: Declaration
    kind: Kind
    default: Any


def plain_call(arguments: Sequence[str], commands: Collection[str]) -> Callable[[], int] | None:
    """The call of a subcommand that a command line stands for; None if Typer has to read it."""
    if not arguments or arguments[0] not in commands:
        return None
    command = getattr(import_module(f"yolodsc.cli.{arguments[0]}"), arguments[0])
    groups = _groups(command)
    fields = _fields(command, groups)
    given = None if fields is None else _given(arguments[1:], fields)
    if fields is None or given is None:
        return None
    values: dict[str | None, dict[str, Any]] = {group: {} for group in (None, *groups)}
    for field in fields:
        value = plain(field.kind, given[field.name]) if field.name in given else field.default
        if value is NotImplemented:
            return None
        values[field.group][field.name] = value
    return partial(command, **{name: kind(**values[name]) for name, kind in groups.items()}, **values[None])


def _groups(command: Callable[..., int]) -> dict[str, Any]:
    """The groups of options by parameter."""
    hints = get_type_hints(command, include_extras=True)
    return {name: hint for name, hint in hints.items() if name != "return" and isinstance(hint, type) and _is_group(hint)}


def _is_group(kind: type[Any]) -> bool:
    return issubclass(kind, Value) or hasattr(kind, "__dataclass_fields__")


def _fields(command: Callable[..., int], groups: Mapping[str, Any]) -> list[_Field] | None:
    """All parameters; None if one is not declared by a `Declaration`."""
    hints = get_type_hints(command, include_extras=True)
    fields = []
    for group, name, hint, default in _parameters(command, groups, hints):
        kind = _kind(hint)
        if kind is None or default is Parameter.empty:
            return None
        fields.append(_Field(group, name, get_args(hint)[1], kind, default))
    return fields


def _parameters(
    command: Callable[..., int], groups: Mapping[str, Any], hints: Mapping[str, Any]
) -> Iterator[tuple[str | None, str, Any, Any]]:
    """Group, name, annotation and default of every parameter."""
    for name, parameter in signature(command).parameters.items():
        if name not in groups:
            yield None, name, hints[name], parameter.default
            continue
        of_group = get_type_hints(groups[name], include_extras=True)
        for inner, described in signature(groups[name]).parameters.items():
            yield name, inner, of_group[inner], described.default


def _kind(hint: Any) -> Kind | None:
    """The kind of ``Annotated[T | None, Declaration]``; None for other annotations."""
    declared, declaration, *_ = get_args(hint) or (None, None)
    if not isinstance(declaration, Declaration):
        return None
    types = (
        [declared] if get_origin(declared) is list else [one for one in get_args(declared) or (declared,) if one is not type(None)]
    )
    return Kind(types[0], declaration.min, declaration.max) if len(types) == 1 else None


def _given(arguments: Sequence[str], fields: Sequence[_Field]) -> dict[str, Any] | None:
    """Texts, flags and the list of arguments by parameter; None if a word is unusual or an option is given twice."""
    flags: dict[str, tuple[_Field, str | bool]] = {
        name: (field, value) for field in fields if field.kind.type is bool for name, value in _flags(field)
    }
    options = {name: field for field in fields if field.kind.type is not bool for name in _options(field)}
    listed = next((field for field in fields if field.declaration.argument), None)
    given: dict[str, Any] = {}
    words = iter(arguments)
    for word in words:
        name, equals, text = word.partition("=")
        if word == "-" or not word.startswith("-"):
            if listed is None:
                return None
            given.setdefault(listed.name, []).append(word)
            continue
        field, value = flags.get(word) or (options.get(name), text if equals else next(words, "--"))
        if field is None or field.name in given or (not equals and _looks_like_option(value)):
            return None
        given[field.name] = value
    return given


def _looks_like_option(value: str | bool) -> bool:
    return isinstance(value, str) and value != "-" and value.startswith("-")


def _flags(field: _Field) -> Iterator[tuple[str, bool]]:
    """Spellings of a flag and what they mean."""
    default = f"--{_dashed(field)}/--no-{_dashed(field)}"
    for name in field.declaration.names or (default,):
        positive, _, negative = name.partition("/")
        yield positive, True
        if negative:
            yield negative, False


def _options(field: _Field) -> tuple[str, ...]:
    """Spellings of an option with a value."""
    return () if field.declaration.argument else field.declaration.names or (f"--{_dashed(field)}",)


def _dashed(field: _Field) -> str:
    return field.name.replace("_", "-")
