"""``python -m yolodsc`` and the console script."""

import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command line and exit with its status."""
    from yolodsc.cli import run

    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # names from files may hold what the terminal's encoding lacks
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
