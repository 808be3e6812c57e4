"""Converts plain values of options, so that a command starts without the converter of Typer.

Typer >= 0.24 converts values with Pydantic, whose import takes 80 ms, a sixth of the start of ``yolodsc detect``. Here omitted
options, texts, paths and numbers in their usual form are converted; Typer converts and refuses everything else.
"""

from collections.abc import Callable
from enum import Enum, EnumType
from functools import partial
from inspect import signature
from math import isnan
from typing import Annotated, Any, cast, get_args, get_origin

from typer.core import TyperCommand
from typer.models import ParameterInfo

from yolodsc.cli.plain_values import NUMBERS, Kind, plain
from yolodsc.errors import OptionError


class PlainHelp:
    """A command whose ``--help`` is False where it is not given, which takes no conversion; None would be converted."""

    def get_help_option(self, ctx: Any) -> Any:
        """The option ``--help``; its spellings come from a set, whose order differs from run to run."""
        base: Any = super()
        option = base.get_help_option(ctx)
        if option is not None:
            option.opts.sort(key=len)
        if option is not None and not isinstance(option.process_value, partial):
            option.process_value = partial(_flag, option.process_value)
        return option


class Command(PlainHelp, TyperCommand):
    """A command of Typer that starts without Typer's converter."""


def with_plain_conversion(command: Any, function: Callable[..., int]) -> Any:
    """The command that Typer made of a function, with a conversion of plain values before Typer's own."""
    kinds = {parameter.name: _kind(parameter.annotation) for parameter in signature(function).parameters.values()}
    for parameter in command.params:
        kind = kinds.get(parameter.name)
        if kind is not None and (kind.type in NUMBERS or _choices(kind)):
            named = parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar or parameter.name
            parameter.process_value = partial(_explained, named, kind, parameter.process_value)
        if kind is not None and not parameter.required and parameter.callback is None:
            parameter.process_value = partial(_processed, kind, parameter.process_value)
    return command


def _kind(annotation: Any) -> Kind | None:
    """The kind of ``Annotated[T | None, typer.Option(...)]``; None for other annotations and types with a parser of their own."""
    if get_origin(annotation) is not Annotated:
        return None
    declared, info, *_ = get_args(annotation)
    types = [member for member in get_args(declared) or (declared,) if member is not type(None)]
    listed = get_origin(declared) is list
    if not isinstance(info, ParameterInfo) or info.parser or getattr(info, "click_type", None) or listed or len(types) != 1:
        return None
    checked = info.exists or info.writable or info.resolve_path or info.allow_dash or not (info.file_okay and info.dir_okay)
    return Kind(list[str] if types == [list[str]] else types[0], info.min, info.max, checked)


def _flag(by_typer: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """The value of a flag."""
    return by_typer(context, False if value is None else value)


def _processed(kind: Kind, by_typer: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """The value of a parameter, converted here if it is plain."""
    converted = plain(kind, value)
    return by_typer(context, value) if converted is NotImplemented else converted


def _explained(option: str, kind: Kind, by_typer: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """The number or choice that Typer reads; an `OptionError` says what was found and what is expected."""
    try:
        read = by_typer(context, value)
    except Exception as error:
        if value is None or not hasattr(error, "format_message"):  # an option without value, or no usage error
            raise
        read = None
    if value is not None and (read is None or (isinstance(read, float) and isnan(read))):  # NaN passes Typer's comparisons
        raise OptionError(f"{option} {value}: expected {_expected(kind)}")
    return read


def _choices(kind: Kind) -> list[str]:
    """The values of an enumeration; none of other types."""
    return [str(member.value) for member in cast(type[Enum], kind.type)] if isinstance(kind.type, EnumType) else []


def _expected(kind: Kind) -> str:
    """Which numbers or choices an option takes."""
    if choices := _choices(kind):
        return f"one of {', '.join(choices)}"
    noun, (low, high) = "a whole number" if kind.type is int else "a number", (kind.min, kind.max)
    if low is not None and high is not None:
        return f"{noun} from {low:g} to {high:g}"
    return noun if low is None and high is None else f"{noun} of at least {low:g}" if high is None else f"{noun} up to {high:g}"
