"""Spellings of Darknet, Ultralytics and YOLOv5 for options of this command line; hidden, so that old habits work."""

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches

from yolodsc.errors import OptionError

COMMAND_ALIASES = {"predict": "detect", "val": "evaluate"}
"""Ultralytics' names of subcommands."""

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "-thresh": ("--thresh",),
    "--conf": ("--thresh",),
    "--conf-thres": ("--thresh",),
    "--conf-thresh": ("--thresh",),
    "--confidence": ("--thresh",),
    "-nms": ("--nms",),
    "-nms_thresh": ("--nms",),
    "--nms-thresh": ("--nms",),
    "--iou": ("--iou", "--nms"),
    "--iou-thres": ("--nms",),
    "-iou_thresh": ("--iou",),
    "--imgsz": ("--size",),
    "--img-size": ("--size",),
    "--img": ("--size",),
    "-letter_box": ("--letterbox",),
    "-out": ("--json",),
    "--output": ("--save", "--out"),
    "-out_filename": ("--save",),
    "--batch-size": ("--batch",),
    "--lr0": ("--lr",),
    "--workers": ("--streams", "--threads"),
    "--name-file": ("--names",),
}
"""Alias, and the options that it may stand for: the first that a subcommand has."""

WITH_VALUE = {"-save_labels": "--txt DIR", "--save-txt": "--txt DIR", "--save-crop": "--crops DIR", "--save-json": "--json F"}
"""Flags of others for what needs a value here."""

POSITIONAL = frozenset({"--source", "-i", "--input"})
"""Options of others for what is an argument here, if the subcommand has arguments."""

IGNORED: Mapping[str, int] = {
    "-ext_output": 0,
    "-dont_show": 0,
    "-nogpu": 0,
    "-clear": 0,
    "-map": 0,
    "-gpus": 1,
    "-benchmark_layers": 0,
    "--device": 1,
    "--exist-ok": 0,
    "--view-img": 0,
    "--verbose": 0,
}
"""Options of others that change nothing here, and the number of their values."""


def respelled(arguments: Sequence[str], known: Collection[str], *, positional: bool, report: Callable[[str], None]) -> list[str]:
    """Return the arguments with the options of this command line in place of their aliases.

    Parameters
    ----------
    known
        The options of the subcommand.
    positional
        Whether the subcommand has arguments.
    report
        Called with a remark about each ignored option.
    """
    out: list[str] = []
    remaining = list(arguments)
    while remaining:
        word = remaining.pop(0)
        name, equals, value = word.partition("=")
        if word == "--":
            return [*out, word, *remaining]
        if not name.startswith("-") or name in known or name == "-":
            out.append(word)
        elif name in IGNORED:
            del remaining[: IGNORED[name] * (not equals)]
            report(f"{name}: ignored; it changes nothing here")
        elif positional and name in POSITIONAL:
            out += [value] if equals else []
        else:
            out.append(f"{_option(name, known) or name}{equals}{value}")
    return out


def unknown(name: str, known: Collection[str], *, command: str) -> OptionError:
    """The error for an option that the subcommand does not have, with the nearest that it has."""
    near = WITH_VALUE.get(name) or nearest(name, known)
    hint = f"did you mean {near}?" if near else f"'yolodsc {command} -h' lists all options"
    return OptionError(f"{name}: no such option of yolodsc {command}; {hint}")


def with_pairs(arguments: Sequence[str], options: Collection[str]) -> list[str]:
    """Repeat an option before its second value: ``--student CFG WEIGHTS`` becomes ``--student CFG --student WEIGHTS``."""
    out: list[str] = []
    for number, word in enumerate(arguments):
        if (
            number > 1
            and arguments[number - 2] in options
            and not word.startswith("-")
            and not arguments[number - 1].startswith("-")
        ):
            out.append(arguments[number - 2])
        out.append(word)
    return out


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known option or subcommand that resembles a name most, aliases included."""
    candidates = {**{option: option for option in known}, **_targets(known)}
    bare = name.lstrip("-").replace("_", "-").lower()
    by_word = {candidate.lstrip("-").replace("_", "-"): option for candidate, option in candidates.items()}
    found = get_close_matches(bare, list(by_word), n=1, cutoff=0.6)
    return by_word[found[0]] if found else None


def _targets(known: Collection[str]) -> dict[str, str]:
    """Aliases that stand for a known option."""
    return {alias: option for alias in SPELLINGS if (option := _option(alias, known))}


def _option(name: str, known: Collection[str]) -> str | None:
    """The known option that an alias stands for, also with ``_`` for ``-``; None without one."""
    for form in (name, name.replace("_", "-")):
        if form in known:
            return form
        for option in SPELLINGS.get(form, ()):
            if option in known:
                return option
    return None
