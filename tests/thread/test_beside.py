"""What stands beside a file: the lines a change touches, whose paths are whose, a VEX from the repository, the last release's own file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.town import TESTS, Town

PLANS = """
[[evidence]]
name = "coverage"
kind = "coverage"

[[evidence]]
name = "sbom"
kind = "sbom"

[[evidence]]
name = "vulnerabilities"
kind = "vulnerabilities"
options = { vex = "vex.json" }
"""
COVERED = {
    "meta": {"format": 3, "version": "7.6.1"},
    "files": {"/ci/shop/app/pay.py": {"executed_lines": [1], "missing_lines": [2], "summary": {"num_statements": 2}}},
    "totals": {"covered_lines": 1, "num_statements": 2},
}
AUDIT = {"dependencies": [{"name": "jinja2", "version": "3.1.2", "vulns": [{"id": "CVE-1", "fix_versions": []}]}], "fixes": []}
VEX = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "statements": [{"vulnerability": "CVE-1", "status": "fixed", "products": ["pkg:pypi/jinja2"], "timestamp": "2026-11-20T09:00:00Z"}],
}


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path, settings=TESTS + PLANS)


def brought(town: Town, name: str, raw: Any, ok: tuple[int, ...] = (0,)) -> Any:
    file = town.root / f"{name}.json"
    file.write_text(json.dumps(raw))
    digest = town.dossier("collect", name, "--from", str(file), "--exit", "0", ok=ok)["evidence"][0]["digest"]
    return town.dossier("show", digest)


def predicate(shown: Any) -> Any:
    return shown.get("predicate") or shown["statement"]["predicate"]


def test_the_lines_a_change_touches(town: Town) -> None:
    """Git says which lines changed and which paths are whose: the second line changed and did not run."""
    town.open()
    e = predicate(brought(town, "coverage", COVERED))
    facts = {n: f["value"] for n, f in e["facts"].items()}
    assert (facts["changed_lines"], facts["changed_lines_covered"], facts["covered_shop"]) == (1, 0, 0.5)
    assert "changed and not run: app/pay.py:2" in e["limits"]


def test_a_vex_of_the_repository(town: Town) -> None:
    """It counts as it stands at the head of the change; without it the plan says what is missing."""
    town.open()
    refused = town.dossier("collect", "vulnerabilities", "--from", str(_file(town, AUDIT)), ok=(20,))["refused"]
    assert "collect.no-vex" in json.dumps(refused)
    town.write("vex.json", json.dumps(VEX))
    town.commit("vex")
    town.open()
    e = predicate(brought(town, "vulnerabilities", AUDIT))
    assert (e["verdict"], e["facts"]["vulnerabilities_withdrawn"]["value"]) == ("pass", 1)


def _file(town: Town, raw: Any) -> Path:
    file = town.root / "audit.json"
    file.write_text(json.dumps(raw))
    return file


def bom(*parts: str) -> Any:
    listed = [{"type": "library", "name": p.split("@")[0], "version": p.split("@")[1], "purl": f"pkg:npm/{p}"} for p in parts]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": listed}


def test_beside_the_last_release(town: Town) -> None:
    """What came, went and changed since the bill of materials the last release was released with; another format is said to differ."""
    town.open()
    town.dossier("collect", "tests")
    assert "added" not in predicate(brought(town, "sbom", bom("a@1", "b@1")))["facts"]
    digest = town.dossier("assemble")["dossier"]["digest"]
    town.approve(digest, "release-manager")
    town.gate()
    town.dossier("release")
    town.git("switch", "-q", "main")
    town.git("merge", "-q", "--ff-only", "fix/rounding")
    town.git("switch", "-qc", "fix/more")
    town.write("app/pay.py", "def pay(x):\n    return int(x) + 0\n")
    town.commit("more")
    town.open()
    facts = predicate(brought(town, "sbom", bom("a@2", "c@1")))["facts"]
    assert {n: facts[n]["value"] for n in ("added", "removed", "changed")} == {
        "added": "npm/c 1",
        "removed": "npm/b",
        "changed": "npm/a 1 → 2",
    }
    spdx = json.loads((Path(__file__).parents[1] / "evidence/samples/spdx.json").read_text())
    assert any(x.startswith("not compared with the last release") for x in predicate(brought(town, "sbom", spdx))["limits"])
