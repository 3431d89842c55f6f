"""pip-audit's JSON. It ends with 0 when it audited nothing: what it skipped was not looked at."""

from __future__ import annotations

from typing import IO

from release_dossier.evidence.readers import scan
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "pip-audit"


def recognises(head: bytes) -> bool:
    """Dependencies with vulnerabilities, or with the reason they were skipped."""
    top = outline(head)
    listed = top.get("dependencies") == "[" and (
        "dependencies[].vulns" in top or "dependencies[].skip_reason" in top or ("fixes" in top and "dependencies[].name" not in top)
    )
    return listed or (top.get("") == "[" and "[].vulns" in top and "[].version" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every vulnerability of every dependency. The older shape is the list alone.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    d = whole_json(stream)
    listed = objects(d if isinstance(d, list) else mapping(d, "file").get("dependencies"), "dependencies")
    s = scan.Scan("pip-audit")
    s.packages = len(listed)
    for i, p in enumerate(listed):
        name, version = word(p.get("name")), word(p.get("version"))
        if word(p.get("skip_reason")) or "vulns" not in p:
            s.skipped.append(f"{name}: {word(p.get('skip_reason')) or 'nothing says that it was looked up'}")
            continue
        if not isinstance(p["vulns"], list):
            wrong_shape(f"dependencies[{i}].vulns", p["vulns"], "a list")
        for v in objects(p["vulns"], f"dependencies[{i}].vulns"):
            aliases, fixes = v.get("aliases"), v.get("fix_versions")
            ids = frozenset({word(v.get("id")), *(word(a) for a in (aliases if isinstance(aliases, list) else []))} - {""})
            fixed = ", ".join(word(x) for x in fixes) if isinstance(fixes, list) else ""
            purl = f"pkg:pypi/{name.lower()}@{version}"
            s.findings.append(scan.Finding(ids, word(v.get("id")), name, version, "unknown", scan.names(purl, name), fixed, ""))
    s.limits.append("it gives no severities: each counts as if it were the worst")
    return scan.reading(NAME, s, given)
