"""Files that a run writes: checks before any work begins, so that nothing is overwritten."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from yolodsc.cli.terminal import flush, note, standard_output
from yolodsc.errors import OptionError, YolodscError
from yolodsc.files import exists, is_file, is_folder, nearest, resolved, write_bytes

if TYPE_CHECKING:
    from yolodsc.network import Network

STANDARD_OUTPUT = "-"
"""Stands for standard output where an option names a file to write."""


def ensure_outputs_differ_from_inputs(
    outputs: Mapping[str, Path | None], inputs: Iterable[str | Path | None] | Callable[[Path], bool]
) -> None:
    """Raise an `OptionError` if a file to be written is also read in this run, or named by two options.

    Parameters
    ----------
    outputs
        Files by option.
    inputs
        Files that are read, or a function that says whether a file is read. They are resolved only if an output exists.
    """
    to_stream = [option for option, path in outputs.items() if path is not None and is_standard_output(path)]
    if len(to_stream) > 1:
        raise OptionError(f"{' and '.join(to_stream)} write to standard output; expected one of them")
    named = {option: path for option, path in outputs.items() if path is not None and option not in to_stream}
    paths = {option: path for option, path in named.items() if is_file(path) or not exists(path)}
    seen: set[Path] = set()
    for option, path in paths.items():
        target = resolved(path)
        if exists(path) and (inputs(path) if callable(inputs) else target in {resolved(name) for name in inputs if name}):
            raise OptionError(f"{option} {path}: is read in this run; expected another file")
        if target in seen:
            raise OptionError(f"{option} {path}: is written by another option; expected another file")
        seen.add(target)


def is_standard_output(path: Path | None) -> bool:
    """Whether an option names standard output, as ``-``."""
    return path is not None and str(path) == STANDARD_OUTPUT


def target(path: Path) -> "Path | TextIO":
    """What a writer takes: the path, or standard output for ``-``."""
    return standard_output() if is_standard_output(path) else path


def write_text(path: Path, text: str, *, error: type[YolodscError] = OptionError, quiet: bool = False) -> None:
    """Write a file and say so, or write to standard output for ``-``."""
    if not is_standard_output(path):
        write_bytes(path, text.encode(errors="surrogateescape"), error=error)
        return None if quiet else note(f"wrote {path}")
    standard_output().write(text if text.endswith("\n") else f"{text}\n")
    return flush()


def ensure_directory_possible(path: Path) -> None:
    """Raise an `OptionError` if a path neither is a directory nor can become one."""
    if not is_folder(ancestor := nearest(path)):
        raise OptionError(f"{path}: {ancestor} is a file; expected a directory")


def ensure_writable(out: Path, stem: str, *endings: str) -> None:
    """Raise an `OptionError` if writing a network, its names and files with more endings would overwrite a file."""
    ensure_directory_possible(out)
    for ending in ("cfg", "weights", "names", *endings):
        if exists(out / f"{stem}.{ending}"):
            raise OptionError(f"{out / stem}.{ending} is there already; expected another --out or --name")


def save_network(network: "Network", out: Path, stem: str, names: Path | None) -> None:
    """Write the files that `ensure_writable` has checked."""
    network.save(out / f"{stem}.cfg", out / f"{stem}.weights")
    if names is not None:
        shutil.copyfile(names, out / f"{stem}.names")
