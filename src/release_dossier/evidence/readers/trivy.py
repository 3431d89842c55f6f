"""Trivy's JSON, version 2: results a target, with vulnerabilities and, when it is told `--list-all-pkgs`, every package. Secrets and failed
checks of configuration in the same file are findings too: a scan that found a key is not green.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import scan
from release_dossier.evidence.readers.given import Given, mapping, moment, objects, whole_json, word, wrong_version
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "trivy"
_LOOKS = ("os-pkgs", "lang-pkgs", "")


def recognises(head: bytes) -> bool:
    """Its schema's version and what it looked at."""
    top = outline(head)
    return "SchemaVersion" in top and ("ArtifactName" in top or "ArtifactType" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every vulnerability of every target.

    Raises:
        Refused: `evidence.version`, `evidence.shape`, `json.*`.
    """
    d = mapping(whole_json(stream), "file")
    if d.get("SchemaVersion") != 2:
        wrong_version("SchemaVersion", d.get("SchemaVersion"), "2")
    s = scan.Scan("trivy", word(mapping(d.get("Trivy"), "Trivy").get("Version")))
    s.observed_at = moment(d.get("CreatedAt"))
    listed = 0
    targets = [r for r in objects(d.get("Results"), "Results") if word(r.get("Class")) in _LOOKS]
    for i, r in enumerate(targets):
        listed += len(objects(r.get("Packages"), f"Results[{i}].Packages"))
        for j, v in enumerate(objects(r.get("Vulnerabilities"), f"Results[{i}].Vulnerabilities")):
            _vulnerability(s, v, word(r.get("Target")), f"Results[{i}].Vulnerabilities[{j}]")
    for i, r in enumerate(objects(d.get("Results"), "Results")):
        target = word(r.get("Target"))
        others = [(x, "RuleID") for x in objects(r.get("Secrets"), f"Results[{i}].Secrets")]
        others += [
            (x, "ID")
            for x in objects(r.get("Misconfigurations"), f"Results[{i}].Misconfigurations")
            if x.get("Status") not in ("PASS", "EXCEPTION")
        ]
        for x, named in others:
            rule = word(x.get(named)) or word(x.get("Title")) or "unnamed"
            s.findings.append(scan.Finding(frozenset({rule}), rule, target, "", scan.severity(x.get("Severity")), (target,), "", target))
    s.packages = listed or (None if s.findings or targets else 0)
    if not listed and targets:
        s.limits.append("without --list-all-pkgs it does not say how many packages it looked at")
    return scan.reading(NAME, s, given)


def _vulnerability(s: scan.Scan, v: dict[str, Any], target: str, at: str) -> None:
    name, identity = word(v.get("PkgName")), word(v.get("VulnerabilityID"))
    if not name or not identity:
        s.broken.append(f"{at}: no PkgName or VulnerabilityID")
        return
    purl = word(mapping(v.get("PkgIdentifier"), f"{at}.PkgIdentifier").get("PURL"))
    vendors = v.get("VendorIDs")
    ids = frozenset({identity, *(word(x) for x in (vendors if isinstance(vendors, list) else []))} - {""})
    s.findings.append(
        scan.Finding(
            ids,
            identity,
            name,
            word(v.get("InstalledVersion")),
            scan.severity(v.get("Severity")),
            scan.names(purl, name),
            word(v.get("FixedVersion")),
            word(v.get("PkgPath")) or target,
        )
    )
