"""Documents are executed: every command, code and page that is documented exists, and what exists is documented."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
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


def _commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by the words that call it."""
    context = click.Context(command)
    if not isinstance(command, click.Group):
        yield " ".join(words), command
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from _commands(inner, (*words, name))


LEAVES = dict(_commands(dossier))


@pytest.mark.parametrize("name", list(LEAVES))
def test_help_shows_an_example_that_can_be_called(name: str) -> None:
    """One line in `--help`, with arguments and options the command takes."""
    command = LEAVES[name]
    example = (command.epilog or "").removeprefix("Example: ")
    words = shlex.split(example)[1:]
    assert example.startswith(f"dossier {name}"), example
    command.make_context(name, words[len(name.split()) :])


@pytest.mark.parametrize("name", list(LEAVES))
def test_every_option_says_what_it_is(name: str) -> None:
    """Each has its words in `--help`, and each command answers with `--json`."""
    options = [o for o in LEAVES[name].params if isinstance(o, click.Option)]
    assert [o.opts[-1] for o in options if not o.help] == []
    assert any("--json" in o.opts for o in options)


def test_every_option_of_a_plan_is_documented() -> None:
    """What a reader asks of a plan's `options` stands in docs/dossier-toml.md."""
    asked = r"""(?:declared\(|_short\(|expectations(?:\.get\(|\[)|plan\.options(?:\.get\(|\[))"([a-z_]+)\""""
    names = {n for f in (ROOT / "src/release_dossier").rglob("*.py") for n in re.findall(asked, f.read_text())}
    listed = {n for names in _docs().OPTIONS for n in names.split(", ")}
    assert len(names) > 30
    assert names - listed == set()


def test_every_room_is_on_the_map() -> None:
    """docs/ARCHITECTURE.md names each file and folder of the package."""
    named = set(re.findall(r"`([a-z_]+)/?`", (ROOT / "docs/ARCHITECTURE.md").read_text()))
    rooms = {p.stem for p in (ROOT / "src/release_dossier").iterdir() if not p.stem.startswith("__") and p.name != "py.typed"}
    assert rooms - named == set()


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


def test_make_help_lists_what_make_can_do() -> None:
    """Every target with words of its own, whatever its name."""
    told = {line.split(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if re.match(r"\S+:.*## ", line)}
    said = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told == {line.split()[0] for line in said.splitlines()}
    assert "ledger-checks" in told


def test_readme_is_short() -> None:
    """A README of at most 120 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_decision_records_are_numbered() -> None:
    """docs/adr is numbered without gaps, and each says what was rejected."""
    records = sorted((ROOT / "docs/adr").glob("*.md"))
    assert [int(r.name[:4]) for r in records] == list(range(1, len(records) + 1))
    for r in records:
        assert "Rejected" in r.read_text(), r.name
