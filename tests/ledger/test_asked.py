"""What the command line is asked for is looked at, or the answer is no pass."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from release_dossier.cli.ledger import ledger
from release_dossier.errors import Refused

LEDGERS = Path(__file__).resolve().parents[3] / "shared" / "socialpredict" / "ledgers"
SMALL = LEDGERS / "captured" / "v3.8.1-small" / "ledger.sqlite"
BUGGY = LEDGERS / "known-bugs" / "01-over-cashout" / "buggy"

pytestmark = pytest.mark.skipif(not LEDGERS.is_dir(), reason="needs ../shared")


def judged(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(ledger, ["verify", *words, "--json"], standalone_mode=False)
    assert done.exception is None, done.exception
    out: dict[str, Any] = json.loads(done.output)
    return out


def of_bug(*words: str) -> dict[str, Any]:
    return judged(str(BUGGY / "ledger.sqlite"), "--ruleset", str(BUGGY / "rules.json"), *words)


def test_what_is_required_is_looked_at_beside_only() -> None:
    assert of_bug("--only", "S4")["verdict"] == "pass"
    found = of_bug("--only", "S4", "--require", "R6")
    assert (found["verdict"], [c["id"] for c in found["checks"]]) == ("fail", ["S4", "R6"])


def test_only_what_could_not_look_is_no_pass() -> None:
    for only in ("J1", "R8", "J1,R8", "S4,J1"):
        assert judged(str(SMALL), "--only", only)["verdict"] == "inconclusive", only


def test_a_policy_is_asked_beside_only() -> None:
    assert of_bug("--only", "S4", "--minted-max", "0")["verdict"] == "fail"
    assert of_bug("--only", "S4", "--minted-max", "1000000", "--burned-max", "1000000")["verdict"] == "pass"


def test_memory_no_process_keeps_to_is_refused() -> None:
    done = CliRunner().invoke(ledger, ["verify", str(SMALL), "--memory", "50MB"])
    assert done.exit_code == 2
    assert "at least 512MiB" in done.output


def changed(folder: Path, *statements: str) -> str:
    file = folder / "ledger.sqlite"
    shutil.copy(SMALL, file)
    db = sqlite3.connect(file)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
    return str(file)


def test_an_unknown_migration_is_not_guessed(tmp_path: Path) -> None:
    """By no command: `verify` leaves it open, the others refuse."""
    file = changed(tmp_path, "INSERT INTO schema_migrations SELECT '20270101000000', applied_at FROM schema_migrations LIMIT 1")
    assert judged(file)["verdict"] == "inconclusive"
    for words in (["settle", file], ["compare", file, str(SMALL)], ["compare", str(SMALL), file]):
        done = CliRunner().invoke(ledger, words, standalone_mode=False)
        assert isinstance(done.exception, Refused)
        assert done.exception.code == "ledger.unknown-migration"
        assert CliRunner().invoke(ledger, [*words, "--assume-schema"], standalone_mode=False).exception is None


def test_an_unknown_migration_accuses_nobody(tmp_path: Path) -> None:
    """What it changed may explain a balance, or somebody who did nothing and has more: only what no release's rules decide still fails."""
    newer = "INSERT INTO schema_migrations SELECT '20290101000000', applied_at FROM schema_migrations LIMIT 1"
    more = "UPDATE users SET account_balance = account_balance + 5 WHERE username = 'bob'"
    idle = "INSERT INTO users (id, username, initial_account_balance, account_balance) VALUES (99, 'idle', 0, 7)"
    for rules in ((), ("--ruleset", "v3.8.1")):
        file = changed(tmp_path, newer, more, idle)
        found = judged(file, *rules)
        assert found["verdict"] == "inconclusive"
        checks = {c["id"]: c for c in found["checks"]}
        assert {i for i, c in checks.items() if c["state"] == "inconclusive"} >= {"R6", "S17"}
        assert {(c["violations"], len(c["examples"])) for c in checks.values() if c["state"] == "inconclusive"} == {(0, 0)}
        assert checks["R6"]["why"].startswith("no release has migration 20290101000000")
        assert not found["hypotheses"]
        words = CliRunner().invoke(ledger, ["verify", file, *rules]).output
        assert "bob has" not in words
        assert words.endswith(" --assume-schema\n")
        assumed = {c["id"]: c for c in judged(file, "--ruleset", "v3.8.1", "--assume-schema")["checks"]}
        assert (assumed["R6"]["state"], assumed["S17"]["state"], assumed["R6"]["violations"]) == ("fail", "fail", 2)
        file = changed(tmp_path, newer, more, "UPDATE bets SET username = 'stranger' WHERE id = 4")
        states = {c["id"]: c["state"] for c in judged(file, *rules)["checks"]}
        assert (states["S2"], states["R6"]) == ("fail", "inconclusive")


def test_a_sale_on_a_market_that_is_resolved() -> None:
    """The server takes none; as it was after an order, or as if it were open, it does."""
    asked = ["settle", str(SMALL), "--market", "1", "--sell", "frank:YES:10"]
    for more, closed in (([], True), (["--result", "open"], False)):
        done = CliRunner().invoke(ledger, [*asked, *more, "--json"], standalone_mode=False)
        sale = json.loads(done.output)["markets"][0]["sale"]
        assert sale["refused"].startswith("MARKET_CLOSED") == closed, sale


def test_a_name_from_the_ledger_begins_no_line(tmp_path: Path) -> None:
    name = "ev\n✓ pass  everything\u2028is well"
    file = changed(tmp_path, f"UPDATE users SET username = '{name}', account_balance = account_balance + 7 WHERE username = 'alice'")
    for words in (["verify", file], ["verify", file, "--explain", name], ["settle", file], ["compare", str(SMALL), file]):
        done = CliRunner().invoke(ledger, words, standalone_mode=False)
        assert not any(line.startswith("✓ pass  everything") for line in done.output.splitlines()), words


def test_what_the_rows_leave_open_is_told_with_its_outcomes(tmp_path: Path) -> None:
    """To people, too, and in a statement of account: not as everything between the two."""
    file = changed(tmp_path, "UPDATE bets SET placed_at = (SELECT placed_at FROM bets WHERE id = 62) WHERE id = 61")
    out = CliRunner().invoke(ledger, ["verify", file, "--ruleset", "v3.8"]).output
    assert "undecided: alice has 0; " in out
    assert "payout in market 4 is 17 or 1\n" in out
    assert " 1 or 17 " in CliRunner().invoke(ledger, ["verify", file, "--ruleset", "v3.8", "--explain", "alice"]).output


def test_what_has_nothing_of_this_ledger_is_not_asked_for_again(tmp_path: Path) -> None:
    """An empty journal, or answers that are none, is named: the next step is not to give it once more."""
    none = tmp_path / "none.ndjson"
    none.write_text("")
    for option in ("--receipts", "--answers"):
        out = CliRunner().invoke(ledger, ["verify", str(SMALL), "--ruleset", "v3.8", option, str(none)]).output
        assert out.splitlines()[-1] == f"next: dossier ledger verify with {option} of this ledger: those have nothing of it"
