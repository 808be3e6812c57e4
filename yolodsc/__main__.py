"""``python -m yolodsc`` and the console script."""

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    from yolodsc.cli import run

    for stream in (sys.stdout, sys.stderr):  # names from files may hold what the terminal's encoding lacks
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
