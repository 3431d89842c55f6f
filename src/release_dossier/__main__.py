"""The `dossier` command, and `python -m release_dossier`: a Ctrl-C while it still imports what it runs ends it as any other does."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point; never returns."""
    try:
        from release_dossier.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
