"""Documents are executed: every command, code and page that is documented exists, and what exists is documented."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from release_dossier.cli.main import COMMANDS, dossier

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_generated_pages_are_what_the_code_says() -> None:
    """`make docs` would change nothing."""
    done = subprocess.run([sys.executable, str(ROOT / "tools/docs.py"), "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_named_command_exists() -> None:
    """A document that names `dossier x` names a command there is."""
    for page in PAGES:
        for block in re.findall(r"`dossier ([a-z]+)|^\$? *dossier ([a-z]+)", page.read_text(), re.MULTILINE):
            name = next(n for n in block if n)
            assert name in COMMANDS, f"{page.name}: dossier {name}"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_itself(name: str) -> None:
    """Each has a line in --help and a help of its own, and loads."""
    context = click.Context(dossier)
    command = dossier.get_command(context, name)
    assert command is not None
    assert command.help, name
    assert COMMANDS[name][2]


def test_links_lead_somewhere() -> None:
    """A relative link in a document names a file there is."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def test_readme_is_short() -> None:
    """A README of at most 120 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_decision_records_are_numbered() -> None:
    """docs/adr is numbered without gaps, and each says what was rejected."""
    records = sorted((ROOT / "docs/adr").glob("*.md"))
    assert [int(r.name[:4]) for r in records] == list(range(1, len(records) + 1))
    for r in records:
        assert "Rejected" in r.read_text(), r.name
