"""The laws over a whole project: whatever is taken away, nothing denied becomes allowed; the same input gives the same bytes."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from release_dossier.rules.requirement import EDITION
from release_dossier.steps.bundle import verify
from tests.thread.test_gate import FAILING
from tests.town import TESTS, Town

GOLDEN = Path(__file__).parent / "golden"
BROUGHT = TESTS + '\n[[evidence]]\nname = "more"\nkind = "tests"\nformat = "junit"\n'


@pytest.fixture(scope="module")
def denied(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A project whose tests failed once and passed once, approved all the same: denied for good at this fingerprint."""
    town = Town(tmp_path_factory.mktemp("denied"), settings=BROUGHT)
    town.write("results.xml", FAILING)
    town.commit("break")
    town.open()
    town.dossier("collect")
    good = town.root / "good.xml"
    good.write_text(FAILING.replace("<failure", "<system-out").replace("</failure", "</system-out"))
    town.dossier("collect", "tests", "--from", str(good), "--observed-at", town.moment(minutes=-1))
    digest = town.dossier("assemble")["dossier"]["digest"]
    town.approve(digest, *sorted({a["role"] for a in town.gate()["approvals"]}))
    assert town.gate()["outcome"] == "DENY"
    return town


def pieces(town: Town) -> list[Path]:
    """Every file the state is made of, but the pin and the keys."""
    home = town.repo / ".dossier"
    return sorted(
        p for p in home.rglob("*") if p.is_file() and p.parent.name not in ("keys", "tmp") and p.name not in ("project.json", "lock")
    )


def test_no_missing_file_allows(denied: Town) -> None:
    """Documents, artifacts, the log, its checkpoint: each taken away in turn, alone; never exit 0, never a trace."""
    for file in pieces(denied):
        kept = file.read_bytes()
        file.unlink()
        code, _, err = denied.run("gate", "--json")
        assert code != 0, file
        assert "Traceback" not in err
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(kept)
    assert denied.gate()["outcome"] == "DENY"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_no_set_of_missing_or_changed_pieces_allows(denied: Town, data: st.DataObject) -> None:
    """Any files gone and any log lines dropped together, then assembled and decided again: never an ALLOW at this fingerprint."""
    home = denied.repo / ".dossier"
    copy = denied.root / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(home, copy)
    witness = denied.git("rev-parse", "refs/dossier/log").strip()
    try:
        for file in data.draw(st.lists(st.sampled_from(pieces(denied)), max_size=4, unique=True)):
            file.unlink()
        log = home / "log" / "entries.ndjson"
        if log.exists():
            lines = log.read_bytes().splitlines(keepends=True)
            keep = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
            log.write_bytes(b"".join(line for line, k in zip(lines, keep, strict=True) if k or data.draw(st.integers(0, 3)) > 0))
        for command in (("assemble",), ("gate",)):
            code, _, err = denied.run(*command, "--json")
            assert "Traceback" not in err
            assert command == ("assemble",) or code != 0
    finally:
        shutil.rmtree(home)
        shutil.copytree(copy, home)
        denied.git("update-ref", "refs/dossier/log", witness)


def test_removing_a_log_from_its_end_never_allows(denied: Town) -> None:
    """A log cut at any entry, its checkpoint with it: the copy in the repository remembers."""
    home = denied.repo / ".dossier"
    kept = (home / "log" / "entries.ndjson").read_bytes()
    checkpoint = (home / "log" / "checkpoint").read_bytes()
    lines = kept.splitlines(keepends=True)
    for n in range(len(lines)):
        (home / "log" / "entries.ndjson").write_bytes(b"".join(lines[:n]))
        (home / "log" / "checkpoint").unlink()
        assert denied.run("gate", "--json")[0] != 0
        (home / "log" / "entries.ndjson").write_bytes(kept)
        (home / "log" / "checkpoint").write_bytes(checkpoint)
    assert denied.gate()["outcome"] == "DENY"


@pytest.mark.parametrize("name", sorted(p.name for p in GOLDEN.glob("*.dossier")))
def test_golden_decisions_are_recomputed(name: str) -> None:
    """Bundles kept for ever: on every interpreter and release their decision comes out bit for bit, and stands as it did."""
    expected = json.loads((GOLDEN / f"{name}.json").read_text())
    trust = (GOLDEN / f"{name}.trust.json").read_bytes()
    now = datetime.fromisoformat(expected["at"])
    found = verify(GOLDEN / name, trust, integrity_only=False, now=now.astimezone(UTC))
    assert (found.verified, found.standing) == (True, expected["standing"]), [c for c in found.checks if c.state != "pass"]
    assert next(c.detail for c in found.checks if c.name == "decision") == "recomputed bit for bit"


def test_there_are_golden_decisions() -> None:
    """An allowed and a denied one at least, and of every edition; those of the first are named by their standing alone."""
    standings = {json.loads(p.read_text())["standing"] for p in GOLDEN.glob("*.dossier.json")}
    assert standings >= {"allowed", "denied"}
    assert {p.name.split("-")[1] for p in GOLDEN.glob("edition-*.dossier")} == {str(n) for n in range(2, EDITION + 1)}
