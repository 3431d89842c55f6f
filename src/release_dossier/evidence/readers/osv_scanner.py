"""OSV-Scanner's JSON. Unless it is told `--all-packages` it lists only packages with something in them, and not how many it looked at."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import scan
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "osv-scanner"


def recognises(head: bytes) -> bool:
    """Results with a source, or none and its own configuration."""
    top = outline(head)
    return top.get("results") == "[" and (top.get("results[].source") == "{" or "experimental_config" in top or "image_metadata" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every vulnerability of every package.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    d = mapping(whole_json(stream), "file")
    if not isinstance(d.get("results"), list):
        wrong_shape("results", d.get("results"), "a list of sources")
    s = scan.Scan("osv-scanner")
    s.packages = 0
    clean = 0
    for i, source in enumerate(objects(d["results"], "results")):
        place = word(mapping(source.get("source"), f"results[{i}].source").get("path"))
        for j, p in enumerate(objects(source.get("packages"), f"results[{i}].packages")):
            s.packages += 1
            clean += not _package(s, p, place, f"results[{i}].packages[{j}]")
    if s.packages and not clean:
        s.packages = None
        s.limits.append("without --all-packages it names only packages in which it found something")
    return scan.reading(NAME, s, given)


def _package(s: scan.Scan, p: dict[str, Any], place: str, at: str) -> int:
    about = mapping(p.get("package"), f"{at}.package")
    name, version = word(about.get("name")), word(about.get("version"))
    groups = objects(p.get("groups"), f"{at}.groups")
    scores = {word(x): g.get("max_severity") for g in groups for x in g.get("ids") or ()}
    analysed = [mapping(g.get("experimentalAnalysis"), f"{at}.groups.experimentalAnalysis") for g in groups]
    unreached = {x for g in analysed for x, said in g.items() if isinstance(said, dict) and said.get("called") is False}
    found = objects(p.get("vulnerabilities"), f"{at}.vulnerabilities")
    for v in found:
        aliases = v.get("aliases")
        ids = frozenset({word(v.get("id")), *(word(a) for a in (aliases if isinstance(aliases, list) else []))} - {""})
        said = mapping(v.get("database_specific"), f"{at}.database_specific").get("severity")
        by_score = scan.of_score(scores.get(word(v.get("id"))))
        worst = by_score if by_score != "unknown" else scan.severity(said)
        ecosystem = {"go": "golang"}.get(word(about.get("ecosystem")).lower(), word(about.get("ecosystem")).lower())
        purl = f"pkg:{ecosystem}/{name}@{version}" if ecosystem else ""
        reached = word(v.get("id")) not in unreached
        s.findings.append(
            scan.Finding(ids, word(v.get("id")), name, version, worst, scan.names(purl, name), _fixed(v, name), place, reached)
        )
    against = p.get("license_violations")
    for licence in against if isinstance(against, list) else ():
        rule = f"licence {word(licence) or 'unknown'} is not among those allowed"
        s.findings.append(scan.Finding(frozenset({rule}), rule, name, version, "unknown", scan.names("", name), "", place))
    return len(found) + bool(against)


def _fixed(v: dict[str, Any], name: str) -> str:
    for affected in objects(v.get("affected"), "affected"):
        if word(mapping(affected.get("package"), "affected.package").get("name")) == name:
            for r in objects(affected.get("ranges"), "affected.ranges"):
                for e in objects(r.get("events"), "affected.ranges.events"):
                    if word(e.get("fixed")):
                        return word(e["fixed"])
    return ""
