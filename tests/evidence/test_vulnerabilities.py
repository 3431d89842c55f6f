"""Scanners: what they looked at, what stands, what a VEX withdraws, and how old their database was."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence.readers import read, vex
from release_dossier.evidence.reading import Reading
from tests.evidence.samples import FOLDER


def says(raw: Any, **more: Any) -> Reading:
    text = raw if isinstance(raw, str) else json.dumps(raw)
    return read(io.BytesIO(text.encode()), **more)


def sample(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


PIP = sample("pip-audit.json")


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        ({"dependencies": [{"name": "a", "version": "1", "vulns": []}], "fixes": []}, ("pass", 1, 1)),
        ({"dependencies": [], "fixes": []}, ("missing", 0, 0)),
        ({"dependencies": [{"name": "a", "skip_reason": "not on PyPI"}], "fixes": []}, ("missing", 0, 1)),
        (PIP, ("fail", 2, 3)),
        ({"results": [], "experimental_config": {}}, ("missing", 0, 0)),
        ({"SchemaVersion": 2, "ArtifactName": "x", "Results": []}, ("missing", 0, 0)),
        ({"SchemaVersion": 2, "ArtifactName": "x", "Results": [{"Target": "go.mod", "Class": "lang-pkgs"}]}, ("inconclusive", 0, None)),
        ({"matches": [], "descriptor": {"name": "grype", "db": {"status": {"built": "2026-11-20T00:00:00Z"}}}}, ("inconclusive", 0, None)),
        ({"error": {"code": "ENOLOCK", "summary": "This command requires an existing lockfile."}}, ("missing", 0, 0)),
    ],
)
def test_what_was_looked_at(raw: Any, want: tuple[Any, ...]) -> None:
    """A scanner that scanned nothing is missing, whatever its exit status; what it skipped was not looked at."""
    r = says(raw)
    assert (r.verdict, r.looked_at, r.of) == want
    assert bool(r.cause) is (want[0] not in ("pass", "fail"))


def govulncheck(*frames: dict[str, str], config: dict[str, Any] | None = None, modules: int = 2) -> str:
    about = {"scanner_name": "govulncheck", "db": "https://vuln.go.dev", "db_last_modified": "2026-11-20T00:00:00Z", "scan_level": "symbol"}
    out: list[Any] = [{"config": about | (config or {})}, {"SBOM": {"modules": [{"path": f"m{i}"} for i in range(modules)]}}]
    out += [{"finding": {"osv": "GO-1", "fixed_version": "v2", "trace": [{"module": "m1", "version": "v1", **f}]}} for f in frames]
    return "".join(json.dumps(x, indent=2) + "\n" for x in out)


@pytest.mark.parametrize(
    ("raw", "more", "want"),
    [
        (govulncheck(), {}, ("pass", 2, 2)),
        (govulncheck({}), {}, ("pass", 2, 2)),
        (govulncheck({}, {"package": "p"}), {}, ("pass", 2, 2)),
        (govulncheck({}, {"package": "p", "function": "F"}), {}, ("fail", 2, 2)),
        (govulncheck({}, config={"scan_level": "module"}), {}, ("fail", 2, 2)),
        (govulncheck(modules=0), {}, ("missing", 0, 0)),
        (govulncheck(config={"db": ""}), {}, ("inconclusive", 2, 2)),
        (govulncheck(), {"asked": {"at": "2026-11-29T00:00:00Z"}}, ("inconclusive", 2, 2)),
        (govulncheck(), {"asked": {"at": "2026-11-24T00:00:00Z"}}, ("pass", 2, 2)),
        (govulncheck(), {"exit_status": None}, ("inconclusive", 2, None)),
        (govulncheck() + '{\n  "finding": {\n', {}, ("inconclusive", 2, None)),
    ],
)
def test_govulncheck(raw: str, more: dict[str, Any], want: tuple[Any, ...]) -> None:
    """Called is open, there and not called is counted; an old, absent or cut scan leaves it open."""
    r = says(raw, **({"exit_status": 0} | more))
    assert (r.verdict, r.looked_at, r.of) == want


def openvex(
    status: str, product: Any = "pkg:pypi/jinja2@3.1.2", at: str = "2026-11-20T09:00:00Z", vuln: str = "CVE-2026-3333"
) -> dict[str, Any]:
    why = {"justification": "vulnerable_code_not_present"} if status == "not_affected" else {}
    products = [product] if isinstance(product, dict) else [{"@id": product}]
    said = {"vulnerability": {"name": vuln}, "status": status, "products": products, "timestamp": at, **why}
    return {"@context": "https://openvex.dev/ns/v0.2.0", "statements": [said]}


APP = {"@id": "pkg:oci/shop", "subcomponents": [{"@id": "pkg:pypi/jinja2"}]}


@pytest.mark.parametrize(
    ("documents", "product", "verdict"),
    [
        ([], "", "fail"),
        ([openvex("not_affected")], "", "pass"),
        ([openvex("fixed")], "", "pass"),
        ([openvex("affected")], "", "fail"),
        ([openvex("under_investigation")], "", "fail"),
        ([openvex("not_affected", "pkg:pypi/jinja2")], "", "pass"),
        ([openvex("not_affected", "pkg:pypi/jinja2@3.1.3")], "", "fail"),
        ([openvex("not_affected", "pkg:pypi/jinja")], "", "fail"),
        ([openvex("not_affected", vuln="CVE-1")], "", "fail"),
        ([openvex("not_affected", "pkg:oci/shop")], "pkg:oci/shop", "pass"),
        ([openvex("not_affected", "pkg:oci/shop")], "pkg:oci/other", "fail"),
        ([openvex("not_affected", APP)], "pkg:oci/shop", "pass"),
        ([openvex("not_affected", APP)], "pkg:oci/other", "fail"),
        ([openvex("not_affected"), openvex("affected", at="2026-11-21T09:00:00Z")], "", "fail"),
        ([openvex("affected"), openvex("not_affected", at="2026-11-21T09:00:00Z")], "", "pass"),
    ],
)
def test_a_vex_is_applied(documents: list[Any], product: str, verdict: str) -> None:
    """To the vulnerability and package it names, or as a part of our product; the latest statement counts; another's says nothing."""
    r = says(PIP, asked={"vex": documents}, expectations={"product": product})
    assert r.verdict == verdict
    assert r.facts["vulnerabilities_withdrawn"].value == (verdict == "pass")
    assert (any("says a VEX" in x for x in r.limits)) is (verdict == "pass")


def test_the_three_kinds_of_vex() -> None:
    """OpenVEX, CSAF and CycloneDX say the same of the same package; none of them alone is a scan."""
    scan = (FOLDER / "grype.json").read_text()
    for name in ("openvex.json", "csaf.json", "cyclonedx-vex.json"):
        expectations = {"packages": "33", "product": "pkg:golang/socialpredict"}
        assert says(scan, expectations=expectations).verdict == "fail"
        assert says(scan, expectations=expectations, asked={"vex": [sample(name)]}).verdict == "pass", name
        assert says(sample(name)).verdict == "inconclusive"


@pytest.mark.parametrize(
    "document",
    [
        {"@context": "https://openvex.dev/ns/v0.2.0", "statements": [{"vulnerability": "CVE-1", "status": "fine"}]},
        {},
        openvex("affected") | {"statements": 3},
    ],
)
def test_a_vex_that_is_none(document: Any) -> None:
    """A status that is none, or no VEX at all, is refused: passing over it would hide what it says."""
    with pytest.raises(Refused):
        vex.statements(document)


def test_not_affected_needs_a_reason() -> None:
    """Without a justification nobody is told why, and it is refused."""
    bad = openvex("not_affected")
    del bad["statements"][0]["justification"]
    with pytest.raises(Refused) as e:
        says(PIP, asked={"vex": [bad]})
    assert e.value.at == "statements[0].justification"


@pytest.mark.parametrize(("built", "verdict"), [("2026-11-19T00:00:00Z", "pass"), ("2026-11-12T00:00:00Z", "inconclusive")])
def test_an_old_database(built: str, verdict: str) -> None:
    """Seven days, unless the plan says otherwise, between the database and the scan."""
    d = sample("grype.json")
    d["descriptor"]["db"]["status"]["built"] = built
    r = says(d, expectations={"packages": "33", "fail_on": "high"})
    assert (r.verdict, r.facts["database_age"].unit) == (verdict, "days")
    assert says(d, expectations={"packages": "33", "fail_on": "high", "database_age_max_days": "30"}).verdict == "pass"


@pytest.mark.parametrize(("fail_on", "verdict"), [("low", "fail"), ("medium", "fail"), ("high", "pass"), ("critical", "pass")])
def test_severities(fail_on: str, verdict: str) -> None:
    """What is at least as severe as asked for fails, the score deciding; all of it is counted."""
    r = says(sample("osv-scanner.json"), expectations={"fail_on": fail_on})
    assert (r.verdict, r.facts["medium"].value, r.facts["vulnerabilities_open"].value) == (verdict, 1, 1)


def test_a_severity_nobody_knows() -> None:
    """It counts as if it were the worst."""
    assert says(PIP, expectations={"fail_on": "critical"}).verdict == "fail"
