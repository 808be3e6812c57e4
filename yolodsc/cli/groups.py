"""Groups of options: a parameter whose type is a dataclass stands for one option for each of its fields."""

from collections.abc import Callable
from copy import copy
from dataclasses import fields, is_dataclass
from inspect import Parameter, signature
from typing import Annotated, Any, get_args, get_type_hints

from yolodsc.cli.declarations import Declaration

GROUP_TITLES = {
    "NetworkOptions": "Network",
    "ComparedNetworkOptions": "Network",
    "ClassOptions": "Network",
    "LoadingOptions": "Network",
    "SubjectOptions": "Network",
    "SelectionOptions": "Detection",
    "DetectionOptions": "Detection",
    "RunningOptions": "Speed",
    "OnnxOptions": "ONNX",
    "OutputOptions": "Output",
    "ReportOptions": "Output",
    "JournalOptions": "Output",
    "AuditOptions": "Output",
    "ParquetOptions": "Output",
    "ClusterOptions": "Cluster",
    "StreamingClusterOptions": "Cluster",
    "ClipOptions": "Videos, cameras and streams",
    "GroundTruthOptions": "Ground truth",
    "ScoringOptions": "Scoring",
    "MethodOptions": "Method",
    "PrecisionOptions": "Method",
    "GoalOptions": "Goal",
    "LabelOptions": "Labelled images",
    "StartOptions": "Networks and images",
    "OptimizerOptions": "Optimizer",
    "LossOptions": "Loss",
    "AugmentationOptions": "Augmentation",
}
"""Titles in the help, by dataclass; options of several may share one."""


def expand_groups(command: Callable[..., int]) -> Callable[..., int]:
    """The command with a parameter for each field, as Typer reads it; fields are passed on as values of their dataclass."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters: list[Parameter] = []
    for parameter in signature(command).parameters.values():
        kind = hints[parameter.name]
        if isinstance(kind, type) and is_dataclass(kind):
            groups[parameter.name] = kind
            parameters += _fields(kind)
        else:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=_for_typer(kind, None)))

    def expanded(**values: Any) -> int:
        grouped = {name: kind(**{field.name: values.pop(field.name) for field in fields(kind)}) for name, kind in groups.items()}
        return command(**grouped, **values)

    expanded.__name__, expanded.__doc__ = command.__name__, command.__doc__
    expanded.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
    return expanded


def options_given(group: Any) -> list[str]:
    """The options of a group whose values differ from the defaults."""
    hints, defaults = get_type_hints(type(group), include_extras=True), signature(type(group)).parameters
    changed = [field.name for field in fields(group) if getattr(group, field.name) != defaults[field.name].default]
    return [_spelling(name, get_args(hints[name])[1]) for name in changed]


def _spelling(name: str, info: Any) -> str:
    """The option of a field: the one that Typer is given, which keeps the first as its default, or the one made of the name."""
    names = info.names if isinstance(info, Declaration) else (info.default, *(info.param_decls or ()))
    given = [word for word in names if isinstance(word, str) and word.startswith("--")]
    return given[0].split("/")[0] if given else f"--{name.replace('_', '-')}"


def _fields(kind: type[Any]) -> list[Parameter]:
    """Fields of a dataclass as parameters: their types, names and defaults."""
    hints = get_type_hints(kind, include_extras=True)
    defaults = signature(kind).parameters
    title = GROUP_TITLES.get(kind.__name__)
    return [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=defaults[field.name].default,
            annotation=_for_typer(hints[field.name], title),
        )
        for field in fields(kind)
    ]


def _for_typer(annotation: Any, title: str | None) -> Any:
    """The annotation as Typer reads it, with the title under which the help lists the option, unless it has one."""
    declared, info, *others = get_args(annotation) or (None, None)
    if isinstance(info, Declaration):
        return Annotated[(declared, info.for_typer(title), *others)]
    if title is None or info is None or info.rich_help_panel is not None:
        return annotation
    titled = copy(info)
    titled.rich_help_panel = title
    return Annotated[(declared, titled, *others)]
