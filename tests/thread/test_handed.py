"""What collecting hands a reader beside the file: the base's file, the commit, whom the project trusts, what its objectives declare, and
kinds of its own."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from release_dossier.steps.world import producer_key_path
from release_dossier.trust.dsse import pae
from release_dossier.trust.keys import load_signer
from tests.town import TESTS, Town

SETTINGS = (
    TESTS
    + """
[[evidence]]
name = "contract"
kind = "api-contract"
run = ["cat", "api.json"]
options = { base = "api.json" }
[[evidence]]
name = "alerts"
kind = "alert-coverage"
run = ["cat", "rules.yml"]
[[evidence]]
name = "batch"
kind = "settlement"
run = ["cat", "batch.json"]
[[evidence]]
name = "build"
kind = "provenance"
[[evidence]]
name = "looked"
kind = "review"
[[objective]]
name = "availability"
service = "shop"
target = "99.9 %"
alerts = ["Down"]
failure_modes = ["outage"]
[[kind]]
name = "settlement"
unit = "payouts"
proves = "every payout was booked"
does_not_prove = "that there are no others"
passes = "doc.booked == doc.planned"
looked_at = "doc.booked"
of = "doc.planned"
schema = { type = "object", required = ["booked", "planned"] }
"""
)


def api(*paths: str) -> str:
    responses = {"responses": {"200": {"description": "ok"}}}
    return json.dumps({"openapi": "3.0.3", "info": {"title": "shop", "version": "1"}, "paths": {p: {"get": responses} for p in paths}})


@pytest.fixture
def town(tmp_path: Path) -> Town:
    t = Town(tmp_path, settings=SETTINGS)
    t.git("switch", "-q", "main")
    t.write("api.json", api("/pay", "/refund"))
    t.write("rules.yml", "groups:\n- name: g\n  rules:\n  - {alert: Down, expr: up == 0, labels: {owner: ops}}\n")
    t.write("batch.json", '{"booked": 3, "planned": 3}')
    t.write("CODEOWNERS", "app/ @dana\n")
    t.commit("what is looked at")
    t.git("switch", "-q", "fix/rounding")
    t.git("rebase", "-q", "main")
    t.write("api.json", api("/pay"))
    t.write("CODEOWNERS", "app/ @bob\n")
    t.commit("one path less")
    t.open()
    return t


def collected(town: Town, *args: str) -> Any:
    (e,) = town.dossier("collect", *args)["evidence"]
    return e


def test_the_base_is_the_merge_base(town: Town) -> None:
    """A description is compared with the one the branch began from."""
    e = collected(town, "contract")
    assert (e["verdict"], e["counterexamples"][0]["text"]) == ("fail", "GET /refund: the operation is gone")


def test_objectives_declare_what_should_be_watched(town: Town) -> None:
    """Alerts and failure modes of the project's objectives are what a file of rules is held against."""
    e = collected(town, "alerts")
    assert (e["looked_at"], e["of"]) == (1, 1)
    assert (e["facts"]["failure_modes"]["value"], e["facts"]["failure_modes_covered"]["value"]) == (1, 1)


def test_a_kind_of_its_own_is_collected(town: Town) -> None:
    """Its evidence is signed like any other, fresh for as long as its kind says."""
    e = collected(town, "batch")
    assert (e["kind"], e["format"], e["verdict"], e["looked_at"], e["age_max_s"]) == ("settlement", "custom", "pass", 3, 14 * 86400)


def test_signers_are_the_project_s_own(town: Town, tmp_path: Path) -> None:
    """A statement signed by a producer of the trust document counts, for the commit at the head and no other."""
    signer = load_signer(producer_key_path(town.repo / ".dossier", town.env))
    for commit, verdict in ((town.git("rev-parse", "HEAD"), "pass"), ("f" * 40, "fail")):
        build = {"buildDefinition": {"resolvedDependencies": [{"uri": "git+https://x/shop", "digest": {"gitCommit": commit}}]}}
        subject = [{"name": "shop", "digest": {"sha256": "0" * 64}}]
        statement = {"_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": "https://slsa.dev/provenance/v1"}
        body = json.dumps(statement | {"predicate": build}).encode()
        kind = "application/vnd.in-toto+json"
        signature = base64.b64encode(signer.sign(pae(kind, body))).decode()
        file = tmp_path / f"{verdict}.json"
        file.write_text(json.dumps({"payload": base64.b64encode(body).decode(), "payloadType": kind, "signatures": [{"sig": signature}]}))
        e = collected(town, "build", "--from", str(file), "--observed-at", town.moment(hours=-1))
        assert (e["verdict"], e["facts"]["signed_by"]["value"]) == (verdict, "runner")


def test_owners_are_those_of_the_base(town: Town, tmp_path: Path) -> None:
    """A branch cannot name itself the owner of what it changes."""
    head = town.git("rev-parse", "HEAD")
    review = {"author": {"login": "bob"}, "state": "APPROVED", "submittedAt": "2026-01-01T00:00:00Z", "commit": {"oid": head}}
    pull = {"author": {"login": "ann"}, "headRefOid": head, "reviews": [review], "statusCheckRollup": [], "files": [{"path": "app/pay.py"}]}
    file = tmp_path / "pull.json"
    file.write_text(json.dumps(pull))
    e = collected(town, "looked", "--from", str(file), "--observed-at", town.moment(hours=-1))
    assert (e["verdict"], e["cause"]) == ("inconclusive", "no owner approved app/pay.py")
