"""`demo --history`: all 27 tags, marked retrospective, never allowed, no baseline; what was not captured is missing, not invented."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from release_dossier.cli import main
from release_dossier.demo.history import captured_commits, captured_tags
from release_dossier.steps.world import World, open_world
from tests.town import START, Town

LEDGERS = {"v2.1.0", "v3.0.1", "v3.2.0", "v3.5.2", "v3.6.0", "v3.7.1", "v3.8.0", "v3.8.1"}


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], World]:
    """What `demo --history` says, and its project opened."""
    root = tmp_path_factory.mktemp("history") / "d"
    with CliRunner().isolation() as streams:
        assert main.run(["demo", "--history", "--keep", str(root), "--json"]) == 0
        said = json.loads(streams[0].getvalue())
    environ = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_GLOBAL": "/dev/null"}
    return said, open_world(Path(said["project"]), environ, START)


def dossiers(world: World) -> dict[str, dict[str, Any]]:
    entries = [e for e in world.store.entries() if e.type == "dossier"]
    return {e.key.removeprefix("refs/tags/"): dict(world.statement(e.digest, "dossier").predicate) for e in entries}


def test_every_tag_has_a_retrospective_dossier_that_is_not_allowed(looked: tuple[dict[str, Any], World]) -> None:
    """27 of 27, each says what it is and why it is denied."""
    said, world = looked
    assert [x["tag"] for x in said["history"]] == [t["tag"] for t in captured_tags()]
    assert len(said["history"]) == 27
    for x in said["history"]:
        decision = world.statement(x["decision"], "decision").predicate
        assert decision["outcome"] == "DENY"
        assert decision["notes"][0].startswith("retrospective:")
    assert {d["change"]["mode"] for d in dossiers(world).values()} == {"retrospective"}


def test_they_are_no_baseline_and_stand_nowhere(looked: tuple[dict[str, Any], World]) -> None:
    """Nothing is released, so nothing is compared with them, and the posture is empty."""
    from release_dossier.steps.deploy import posture

    _, world = looked
    assert [e for e in world.store.entries() if e.type in ("release", "deployment", "approval", "waiver")] == []
    drift = [d for dossier in dossiers(world).values() for d in dossier["drift"]]
    assert drift
    assert {d["baseline"] for d in drift} == {""}
    assert {d["before"] for d in drift} == {None}
    assert posture(world, world.now) == ()


def test_what_was_not_captured_is_missing(looked: tuple[dict[str, Any], World]) -> None:
    """Evidence stands only where something of that very release was captured, and names what is absent elsewhere."""
    said, world = looked
    found = dossiers(world)
    with_ledger = {tag for tag, d in found.items() if any(a["kind"] == "ledger-invariants" for a in d["evidence"])}
    assert with_ledger == LEDGERS
    assert {tag for tag, d in found.items() if not d["evidence"]} == set(found) - LEDGERS
    for tag, d in found.items():
        held = {(a["service"], a["name"]) for a in d["evidence"]}
        absent = {(a["service"], a["name"]) for a in d["absent"]}
        assert {("trading", "payouts"), ("trading", "tests"), ("frontend", "tests-frontend")} <= held | absent, tag
        assert not held & absent
        assert all(a["written_by"] == tag.removeprefix("v") and a["imported_by"] for a in d["evidence"])
    states = {x["tag"]: x["states"] for x in said["history"]}
    assert "pass" not in states["v1.0.0"]
    assert states["v3.8.1"]["fail"] == 2  # double submits are live, and a test against a database fails (which only warns)


def test_a_failing_suite_that_nobody_ran_is_a_failure(looked: tuple[dict[str, Any], World]) -> None:
    """v3.8.0 shipped with 8 of 13 front end tests failing; its dossier says so."""
    _, world = looked
    attempt = next(a for a in dossiers(world)["v3.8.0"]["evidence"] if a["name"] == "tests-frontend")
    assert (attempt["verdict"], attempt["counterexamples_total"]) == ("fail", 8)


def test_the_history_is_the_captured_one(looked: tuple[dict[str, Any], World]) -> None:
    """Every commit with its parents, date, message and changed paths; every tag of its kind; no author is made up."""
    _, world = looked
    repo = world.repo
    commits = {c["commit"]: c for c in captured_commits()}
    real: dict[str, str] = {}
    for line in repo.text("log", "--format=%H%x00%B%x01", "v3.8.1").split("\x01"):
        ours, _, message = line.strip().partition("\0")
        if ours:
            real[ours] = message.rpartition("Stands for ")[2].split()[0]
    assert set(real.values()) <= set(commits)
    for t in captured_tags():
        ours = repo.resolve(f"refs/tags/{t['tag']}")
        assert repo.text("cat-file", "-t", f"refs/tags/{t['tag']}") == ("commit" if t["type"] == "lightweight" else "tag")
        assert t["commit"] in repo.text("log", "-1", "--format=%B", ours)
    sample = commits["3d978faac6b3391d5b6a9af4aa37a283d48699a7"]
    assert set(repo.changed("v3.8.0", "v3.8.1")) == {f["path"] for f in sample["files"]}
    assert repo.text("log", "-1", "--format=%aI %an", "v3.8.1") == f"{sample['authorDate']} {sample['author']}"
    assert "not captured" in (repo.file_at("v3.8.1", sample["files"][0]["path"]) or b"").decode()


def test_a_retrospective_of_ones_own(tmp_path: Path) -> None:
    """`open --retrospective` reads the criteria of today, scopes nothing, takes no signature, and is never released."""
    town = Town(tmp_path)
    town.git("tag", "v0.1.0", "main")
    town.git("tag", "-a", "-m", "two", "v0.2.0", "fix/rounding")
    change = town.dossier("open", "--retrospective", "v0.2.0", "--owner", "ann")["change"]
    assert (change["mode"], change["files"], change["in_scope"]) == ("retrospective", ["app/pay.py"], [])
    assert change["services"][0]["version"] == "0.2.0"
    assert change["base"] == town.git("rev-parse", "v0.1.0^{commit}")
    assert town.dossier("open", "--retrospective", "v0.2.0", "--owner", "ann")["change"]["digest"] == change["digest"]
    town.dossier("collect", "--change", "refs/tags/v0.2.0")
    digest = town.dossier("assemble", "--change", change["digest"][:20])["dossier"]["digest"]
    service = change["services"][0]["name"]
    who = ("--as", "ann", "--key", str(town.key))
    words = ("--reason", "r", "--until", town.moment(days=1))
    scope = ("waive", digest, "scope", "--service", service, *who, *words)
    for act in (("approve", digest, "--role", "release-manager", *who), ("reject", digest, "--reason", "r", *who), scope):
        assert town.refused(*act)["code"] == "people.closed"
    assert town.gate(digest)["outcome"] == "DENY"
    town.dossier("release", digest, ok=(10,))
    assert town.git("tag").split() == ["v0.1.0", "v0.2.0"]


def test_refusals_of_looking_back(tmp_path: Path) -> None:
    """No such tag, a tag of no train, no settings on the protected branch, both ways of opening at once."""
    town = Town(tmp_path)
    assert town.refused("open", "--retrospective", "v9.9.9", "--owner", "ann")["code"] == "git.unknown-ref"
    town.git("tag", "nightly", "main")
    assert town.refused("open", "--retrospective", "nightly", "--owner", "ann")["code"] == "change.no-service"
    assert town.refused("open", "--retrospective", "nightly", "--issue", "x", code=2)["code"] == "usage.open"
    assert town.refused("open", code=2)["code"] == "usage.open"
    first = Town(tmp_path / "early", adopted=False)
    first.git("tag", "v0.1.0")
    assert first.refused("open", "--retrospective", "v0.1.0", "--owner", "ann")["code"] == "change.no-settings"
