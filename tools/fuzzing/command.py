"""The command line of ``tools/fuzz``."""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.fuzzing.families import DEFECTS, NAMES
from tools.fuzzing.supervisor import fuzz
from tools.fuzzing.target import corpus


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 where nothing was found, 1 where something was, 2 where the fuzzer itself does not run."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(NAMES))
        return 0
    if options.target not in (*NAMES, *DEFECTS.names):
        print(f"tools/fuzz: {options.target}: expected a target, one of {' '.join(NAMES)}", file=sys.stderr)
        return 2
    seed = random.SystemRandom().getrandbits(31) if options.seed is None else options.seed
    out = options.out or Path(tempfile.mkdtemp(prefix="yolodsc-fuzz-found-"))
    files = options.replay or corpus(options.target)
    missing = next((path for path in files if not path.is_file()), None)
    if missing is not None:
        print(f"tools/fuzz: {missing}: no such file", file=sys.stderr)
        return 2
    outcome = fuzz(options.target, files, out, seconds=0 if options.replay else 60 * options.minutes, seed=seed)
    if outcome.broken:
        print(f"tools/fuzz: {outcome.broken}", file=sys.stderr)
        return 2
    for path in (*outcome.crashes, *outcome.hangs, *outcome.uncaught):
        print(path)
    print(outcome.line(options.target, seed))
    return 0 if outcome.clean else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/fuzz", description="Fuzz one reader of yolodsc.")
    parser.add_argument("target", nargs="?", metavar="TARGET", help="one of --list")
    parser.add_argument("--list", action="store_true", help="print the targets")
    parser.add_argument("--minutes", type=float, default=10, metavar="N", help="how long (10)")
    parser.add_argument("--seed", type=int, metavar="S", help="of all random choices; printed at the end")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where failing cases go; a temporary folder unless given")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="run these cases only")
    return parser
