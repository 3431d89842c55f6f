"""npm audit's JSON: version 2 (a package with its advisories and those it passes on) and version 1 (advisories)."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import scan
from release_dossier.evidence.readers.given import Given, mapping, objects, whole, whole_json, word, wrong_shape, wrong_version
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "npm-audit"


def recognises(head: bytes) -> bool:
    """Its version, its advisories, or why it could not look."""
    top = outline(head)
    return (
        "auditReportVersion" in top
        or ("advisories" in top and ("muted" in top or "actions[].resolves" in top))
        or ("error.summary" in top and ("error.code" in top or "statusCode" in top))
    )


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every advisory in every package. One that is only passed on by another package counts there.

    Raises:
        Refused: `evidence.version`, `evidence.shape`, `json.*`.
    """
    d = mapping(whole_json(stream), "file")
    s = scan.Scan("npm audit")
    about = mapping(d.get("metadata"), "metadata")
    if "error" in d:
        s.packages, s.no_database = 0, f"it could not look: {word(mapping(d['error'], 'error').get('summary')) or word(d.get('message'))}"
    elif "auditReportVersion" in d:
        if d["auditReportVersion"] != 2:
            wrong_version("auditReportVersion", d["auditReportVersion"], "2")
        s.packages = whole(mapping(about.get("dependencies"), "metadata.dependencies").get("total"))
        for name, v in mapping(d.get("vulnerabilities"), "vulnerabilities").items():
            _package(s, name, mapping(v, f"vulnerabilities.{name}"))
    else:
        s.packages = whole(about.get("totalDependencies"))
        for key, a in mapping(d.get("advisories"), "advisories").items():
            _advisory(s, mapping(a, f"advisories.{key}"))
    said = whole(mapping(about.get("vulnerabilities"), "metadata.vulnerabilities").get("total"))
    if said and not s.findings:
        s.broken.append(f"its sum says {said} vulnerabilities and it shows none")
    return scan.reading(NAME, s, given)


def _package(s: scan.Scan, name: str, v: dict[str, Any]) -> None:
    via = v.get("via")
    if not isinstance(via, list):
        wrong_shape(f"vulnerabilities.{name}.via", via, "a list")
    fix = v.get("fixAvailable")
    fixed = (
        f"{word(fix.get('name'))} {word(fix.get('version'))}".strip() if isinstance(fix, dict) else "a newer version" if fix is True else ""
    )
    for a in via:
        if isinstance(a, dict):
            ids = frozenset({str(a.get("source", "")), word(a.get("url")).rpartition("/")[2]} - {""})
            identity = word(a.get("url")).rpartition("/")[2] or str(a.get("source", ""))
            nodes = v.get("nodes")
            where = word(nodes[0]) if isinstance(nodes, list) and nodes else ""
            found = scan.Finding(ids, identity, name, "", scan.severity(a.get("severity")), (f"pkg:npm/{name}", name), fixed, where)
            s.findings.append(found)


def _advisory(s: scan.Scan, a: dict[str, Any]) -> None:
    name = word(a.get("module_name"))
    cves = a.get("cves")
    ids = frozenset(
        {str(a.get("id", "")), word(a.get("github_advisory_id")), *(word(c) for c in (cves if isinstance(cves, list) else []))} - {""}
    )
    identity = word(a.get("github_advisory_id")) or str(a.get("id", ""))
    versions = [word(f.get("version")) for f in objects(a.get("findings"), "findings")] or [""]
    for version in dict.fromkeys(versions):
        fixed = word(a.get("patched_versions")).replace("<0.0.0", "")
        names = (f"pkg:npm/{name}@{version}", name)
        s.findings.append(scan.Finding(ids, identity, name, version, scan.severity(a.get("severity")), names, fixed))
