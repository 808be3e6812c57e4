"""``yolodsc evaluate --compare``: two evaluations that were written as JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from yolodsc.cli.groups import options_given
from yolodsc.cli.tables.evaluation import comparison_lines
from yolodsc.cli.terminal import note, say
from yolodsc.errors import OptionError
from yolodsc.evaluation import EvaluationFile, load_json

USED = ("--rule", "--report")
"""Options that have an effect on a comparison."""


def ensure_unused(groups: Sequence[Any], *more: str) -> None:
    """Raise an `OptionError` for options that have no effect on the comparison of two files: ``more``, and those of groups."""
    if given := [*more, *(name for group in groups for name in options_given(group) if name not in USED)]:
        raise OptionError(f"--compare reads two files and has no use for {', '.join(given)}; expected --rule, --report or neither")


def compared(first: EvaluationFile, second: EvaluationFile, *, a: str, b: str) -> dict[str, Any]:
    """What a page shows of two runs."""
    from yolodsc.evaluation import compare, comparison_content

    return comparison_content(compare(first, second), rule=first.matches.rule, images=len(first.images), a=a, b=b)


def compare_files(a: Path, b: Path, *, rule: str | None, report: Path | None, quiet: bool) -> int:
    """Print the comparison of two files, and write its page; returns the exit status."""
    from yolodsc.evaluation import compare, comparison_page, read_evaluation, write_page

    first, second = (read_evaluation(load_json(path), file=path) for path in (a, b))
    if rule is not None and rule != first.matches.rule:
        raise OptionError(
            f"--rule {rule}: {a} holds the matches of {first.matches.rule}; expected files written with --rule {rule}"
        )
    if not quiet:
        differences = compare(first, second)
        say(*comparison_lines(differences, rule=first.matches.rule, images=len(first.images), a=str(a), b=str(b)))
    if report is not None:
        names = {"a": a.stem, "b": b.stem} if a.stem != b.stem else {"a": str(a), "b": str(b)}
        written = write_page(report, comparison_page(compared(first, second, **names)))
        if not quiet:
            note(f"wrote {written}")
    return 0
