"""``python -m yolodsc`` and the console script."""

import gc
import sys

ALLOCATIONS = 20_000
"""Objects between two collections of garbage; a start creates 100,000 and no garbage."""


def main() -> None:
    """Run the command line and exit with its status."""
    gc.set_threshold(ALLOCATIONS)
    try:
        from yolodsc.cli import signals, streams

        signals.install()
        streams.prepare()
        from yolodsc.cli import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt as interrupt:  # before or after the run, which handles its own
        status = 128 + getattr(interrupt, "number", 2)
    except MemoryError:
        status = 2
        print("yolodsc: out of memory at the start; expected more memory", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
