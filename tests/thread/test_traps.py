"""Traps other people's tools fell into (see tests/gate/test_traps.py), as far as they need more than the gate: by their number."""

from __future__ import annotations

import io
import lzma
import re
import shutil
from pathlib import Path

import click
import pytest

from release_dossier.cli.main import COMMANDS, dossier
from release_dossier.digest import parse_json
from release_dossier.errors import Refused
from release_dossier.evidence.readers.plain import plain
from release_dossier.limits import JSON_DEPTH_MAX
from release_dossier.sources.outside import request
from tests.thread.test_gate import FAILING
from tests.town import Town

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_trap_04_a_gate_that_cannot_be_asked_is_closed(town: Town) -> None:
    """A gate that was unreachable let through elsewhere; here a store nobody can read ends with a reason and no pass."""
    digest = town.assembled()
    town.approve(digest, *sorted({a["role"] for a in town.gate()["approvals"]}))
    assert town.gate()["outcome"] == "ALLOW"
    home, aside = town.repo / ".dossier", town.root / "aside"
    for broken in ("gone", "a file", "no log"):
        home.rename(aside)
        if broken == "a file":
            home.write_text("")
        elif broken == "no log":
            home.mkdir()
            (home / "project.json").write_bytes((aside / "project.json").read_bytes())
        for command in (("gate", "--json"), ("release", "--json")):
            code, out, _ = town.run(*command)
            assert code in (20, 30, 40), (broken, out)
            assert '"expected"' in out
        assert town.git("tag") == ""
        if home.is_file():
            home.unlink()
        elif home.is_dir():
            shutil.rmtree(home)
        aside.rename(home)
    assert town.gate()["outcome"] == "ALLOW"


@pytest.mark.parametrize(
    "words",
    [
        ("gate", ""),
        ("gate", "--at", ""),
        ("gate", "--at="),
        ("open", "--issue", "issue.md", "--owner", ""),
        ("collect", "tests", "--from", ""),
        ("approve", "x", "--as", "ann", "--role", "", "--key", "k"),
        ("waive", "x", "tests", "--service", "", "--as", "ann", "--key", "k", "--reason", "r", "--until", "2030-01-01T00:00:00Z"),
        ("release", "--service", ""),
    ],
)
def test_trap_08_an_empty_value_is_a_mistake(town: Town, words: tuple[str, ...]) -> None:
    """An unset variable in a script recorded the opposite elsewhere; here an empty value is refused before anything is read."""
    code, _, err = town.run(*words)
    assert code == 2
    assert "an empty value" in err


def test_trap_13_what_comes_from_outside_is_bounded() -> None:
    """Addresses inside the house are refused, and depth, size and what a file unpacks to have limits that are written down."""
    for inside in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "100.64.0.1"):
        with pytest.raises(Refused, match=r"outside\.private"):
            request("GET", "https://example.com/hook", {}, resolver=lambda *_, a=inside: [a])
    with pytest.raises(Refused, match=r"json\.too-deep"):
        parse_json(b"[" * (JSON_DEPTH_MAX + 1) + b"]" * (JSON_DEPTH_MAX + 1), "deep")
    with pytest.raises(Refused, match=r"json\.too-large"):
        parse_json(b" " * 11, "large", 10)
    limits = (ROOT / "src/release_dossier/limits.py").read_text()
    assert all("# " in line for line in limits.splitlines() if re.match(r"[A-Z_]+_MAX = [^(]", line))


def test_trap_13_a_packed_file_is_not_unpacked_without_end() -> None:
    """A small file that unpacks to more than evidence may be is refused, not read on."""
    bomb = lzma.compress(b"<testsuite>" + b" " * 1_000_000 + b"</testsuite>")
    assert len(bomb) < 1_000
    with pytest.raises(Refused, match=r"evidence\."):
        plain(io.BytesIO(bomb), 100_000).read()


def test_trap_14_what_leaves_names_nobody(town: Town) -> None:
    """A public log leaked private names elsewhere; here what is kept outside of the store is a size, a root and a signature."""
    town.assembled()
    town.gate()
    kept = town.git("cat-file", "blob", "refs/dossier/log")
    for private in ("shop", "ann", "tests", "fix/rounding", "pay.py", "example.invalid"):
        assert private not in kept


def test_trap_21_every_act_is_a_command(town: Town) -> None:
    """Approving needed a hidden gesture elsewhere; here each act is a command with words, that asks nothing and needs no terminal."""
    for act in ("open", "collect", "assemble", "gate", "approve", "reject", "withdraw", "waive", "release", "deployed", "send", "rules"):
        command = dossier.get_command(click.Context(dossier), act)
        assert act in COMMANDS
        assert command is not None
        assert not [p for p in command.params if isinstance(p, click.Option) and p.prompt]
    digest = town.assembled()
    words = ("--as", "ann", "--key", str(town.key), "--reason", "r")
    no = town.dossier("reject", digest, *words)["rejection"]["digest"]
    assert town.dossier("withdraw", no, *words)["withdrawal"]["statement"] == no


def test_trap_22_only_a_change_is_news(town: Town) -> None:
    """Notices flapped with every evaluation elsewhere; here a decision says what the one before it was, and whether that changed."""
    digest = town.assembled()
    first = town.dossier("gate", ok=(10,))
    assert (first["before"], first["changed"]) == ({"digest": "", "outcome": ""}, True)
    again = town.dossier("gate", ok=(10,))
    assert (again["before"], again["changed"]) == ({"digest": first["decision"]["digest"], "outcome": "DENY"}, False)
    town.approve(digest, *sorted({a["role"] for a in again["decision"]["approvals"]}))
    allowed = town.dossier("gate")
    assert (allowed["before"]["outcome"], allowed["changed"]) == ("DENY", True)
    town.write("app/pay.py", "def pay(x):\n    return round(x)\n")
    town.commit("again")
    town.assembled()
    assert town.dossier("gate", ok=(10,))["before"]["outcome"] == "ALLOW"


def test_trap_09_a_clock_that_is_set_back(town: Town) -> None:
    """A verdict dated before its evidence was recorded elsewhere; here deciding on a clock that was set back is an error, not a pass."""
    town.assembled()
    town.later(hours=-2)
    assert {r["state"] for r in town.gate()["requirements"] if r["id"] == "tests"} == {"error"}


def test_trap_12_nothing_is_cut_off_silently_in_rework(town: Town) -> None:
    """What is shown says of how many, on the terminal and in the note."""
    town.write("results.xml", FAILING)
    town.commit("break")
    town.assembled()
    assert "off by one credit" in town.run("gate")[1]


def test_there_are_twenty_five_traps() -> None:
    """Each of the 25 has a test of its number and name."""
    found = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        found |= {int(n) for n in re.findall(r"^def test_trap_(\d\d)_\w+\(", file.read_text(), re.MULTILINE)}
    assert found == set(range(1, 26))
