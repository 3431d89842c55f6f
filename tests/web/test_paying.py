"""Who would be paid differently: the pages say what `dossier ledger compare` says over the same ledger and rules, or why they cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from release_dossier.cli import main
from release_dossier.errors import Refused
from release_dossier.web import paying
from release_dossier.web.place import Place

BETWEEN = {"a": "trading@3.6.0", "b": "trading@3.8.1"}


def payouts(place: Place, version: str) -> dict[str, Any]:
    """The newest payouts evidence of a version."""
    place.catalog.refresh()
    found = [place.catalog.read(e).statement.predicate for e in place.catalog.entries("type = 'evidence' order by n")]
    return [e for e in found if e["kind"] == "payouts" and e["written_by"] == version][-1]


def test_the_page_says_what_the_command_says(client: TestClient, demo: Path) -> None:
    """The newer release's ledger, each user's credits by the older release's rules and by its own."""
    captures = demo / "captures"
    ledger, one, two = captures / "v3.8.1/ledger.sqlite", captures / "after-770/rules.json", captures / "v3.8.1/rules.json"
    with CliRunner().isolation() as (out, *_):
        assert main.run(["ledger", "compare", str(ledger), "--ruleset", str(one), "--other-ruleset", str(two), "--json"]) == 10
        said = msgspec.json.decode(out.getvalue())
    assert said["users_differ"] > 0
    page, text = (client.get(path, params=BETWEEN).text for path in ("/compare", "/compare.md"))
    assert f"{said['users_differ']} of {said['of_users']} users would have other credits" in page
    for u in said["users"]:
        assert f"- {u['user']}: {u['a']} → {u['b']} credits ({int(u['difference']):+d})" in text


def test_the_same_rules_pay_nobody_differently(client: TestClient) -> None:
    """3.8.1 changed no rule of 3.8.0."""
    assert "Nobody: both pay by the same rules" in client.get("/compare", params={"a": "trading@3.8.0", "b": "trading@3.8.1"}).text


def test_rules_are_those_of_the_version_where_no_file_is_stored(place: Place) -> None:
    """Evidence that names a release, or none: the release's own rules."""
    e = payouts(place, "3.8.1")
    bare = {**e, "artifacts": [a for a in e["artifacts"] if a["name"] != "rules.json"]}
    found = paying.paid_differently(place, None, bare, ("3.6.0", "3.8.1"), "it")
    assert (found.rules, found.why) == (("3.6.0", "3.8.1"), "")
    assert found.users_differ > 0
    assert found.command == "dossier ledger compare LEDGER --ruleset 3.6.0 --other-ruleset 3.8.1"


def test_what_cannot_be_replayed_says_why(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ledger, one too large for a page, a version nobody has rules of: each with the command that would do it."""
    e, versions = payouts(place, "3.8.1"), ("3.6.0", "3.8.1")
    none = paying.paid_differently(place, None, {**e, "artifacts": []}, versions, "it")
    assert (none.why, none.users_differ) == ("no ledger is stored with its evidence", 0)
    unknown = paying.paid_differently(place, None, e, ("9.9.9", "3.8.1"), "it")
    assert unknown.why.startswith("9.9.9")
    monkeypatch.setattr(paying, "PAGE_LEDGER_BYTES_MAX", 10)
    large = paying.paid_differently(place, e, e, versions, "it")
    assert "too large to replay for a page" in large.why
    assert large.command.startswith("dossier ledger compare LEDGER")


def test_a_changed_ledger_is_not_replayed(copied: Callable[[], Path], environ: dict[str, str], place: Place) -> None:
    """Its digest is held against its bytes first."""
    e = payouts(place, "3.8.1")
    root = copied() / "socialpredict"
    mine = Place(root, environ, place.clock, lambda: 0.0)
    ledger = next(a for a in e["artifacts"] if a["name"] == "ledger.sqlite")
    file = mine.tail.artifact_file(ledger["digest"])
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert paying.paid_differently(mine, None, e, ("3.6.0", "3.8.1"), "it").why.startswith("sha256:")
    with pytest.raises(Refused) as refused:
        paying.account(mine, {**e, "artifacts": []}, "bob")
    assert refused.value.code == "page.unknown"
