"""`python -m release_dossier` is `dossier`."""

from release_dossier.cli.main import main

if __name__ == "__main__":
    main()
