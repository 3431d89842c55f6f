"""Documents are executed: every command, code and page that is documented exists, and what exists is documented."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from release_dossier.cli.main import COMMANDS, dossier

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_generated_pages_are_what_the_code_says() -> None:
    """`make docs` would change nothing."""
    done = subprocess.run([sys.executable, str(ROOT / "tools/docs.py"), "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def _docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tools_docs", ROOT / "tools/docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_refusal_has_its_cause_and_remedy() -> None:
    """Each code the program can raise is documented, each documented one is raised, and each says with which exit code it ends."""
    docs = _docs()
    assert docs.unlike() == []
    assert set(docs.tables()) <= set(docs.raised())


@pytest.mark.parametrize(
    "line",
    ['raise Refused("trust.brand-new", at="a", found="b", expected="c")', 'code = "trust.brand-new" if late else "log.gap"'],
)
def test_a_code_nobody_documented_is_found(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it reaches its raise."""
    docs = _docs()
    (tmp_path / "new.py").write_text(line)
    files = [*docs.sources(), tmp_path / "new.py"]
    monkeypatch.setattr(docs, "sources", lambda: files)
    assert docs.unlike() == ["trust.brand-new: raised, but in no refusals.py"]


def test_a_code_that_is_gone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A documented code that nothing raises is an error too."""
    docs = _docs()
    known = {**docs.tables(), "trust.long-gone": ("a", "b")}
    monkeypatch.setattr(docs, "tables", lambda: known)
    assert docs.unlike() == ["trust.long-gone: in a refusals.py, but raised nowhere"]


def test_every_refusal_is_provoked_by_a_test() -> None:
    """A code that no test names may be raised by nothing that can happen, or say something that is not so."""
    tests = "\n".join(f.read_text() for f in (ROOT / "tests").glob("*/*.py")).replace("\\.", ".")
    named = set(re.findall(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*", tests)) | {"usage"}
    assert sorted(set(_docs().tables()) - named) == []


def test_every_command_is_documented() -> None:
    """Each command stands in some page, not only in its own help."""
    text = "\n".join(p.read_text() for p in [*PAGES, ROOT / "CHANGELOG.md"])
    for name in COMMANDS:
        assert re.search(rf"(`|dossier ){name}\b", text), name


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


def test_every_attack_in_the_threat_model_is_played() -> None:
    """Each row of the table ends in a test there is, and every test called an attack has its row."""
    text = (ROOT / "docs/threat-model.md").read_text()
    named = set(re.findall(r"`(test_\w+)` \|$", text, re.MULTILINE))
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| attacker")]
    assert len(rows) == len(re.findall(r"`test_\w+` \|$", text, re.MULTILINE))
    there = {
        name for file in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert not named - there
    assert not {name for name in there if name.startswith("test_attack_")} - named


def test_readme_is_short() -> None:
    """A README of at most 120 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_decision_records_are_numbered() -> None:
    """docs/adr is numbered without gaps, and each says what was rejected."""
    records = sorted((ROOT / "docs/adr").glob("*.md"))
    assert [int(r.name[:4]) for r in records] == list(range(1, len(records) + 1))
    for r in records:
        assert "Rejected" in r.read_text(), r.name
