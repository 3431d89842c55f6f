"""Grype's JSON: matches, what it ignored, and its database. How many packages it looked at is not in it: `packages` among the expectations
says so where the bill of materials is known."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import scan
from release_dossier.evidence.readers.given import Given, mapping, moment, objects, whole, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "grype"


def recognises(head: bytes) -> bool:
    """Matches, and not a list of artifacts."""
    top = outline(head)
    return top.get("matches") == "[" and ("matches[].vulnerability" in top or "descriptor" in top or "source" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every match.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    d = mapping(whole_json(stream), "file")
    if not isinstance(d.get("matches"), list):
        wrong_shape("matches", d.get("matches"), "a list of matches")
    about = mapping(d.get("descriptor"), "descriptor")
    s = scan.Scan("grype", word(about.get("version")))
    s.observed_at = moment(about.get("timestamp"))
    _database(s, about.get("db"))
    said = given.expectations.get("packages")
    s.packages = whole(said) if said is not None else None
    for i, m in enumerate(objects(d["matches"], "matches")):
        _match(s, m, f"matches[{i}]")
    ignored = objects(d.get("ignoredMatches"), "ignoredMatches")
    if ignored:
        s.limits.append(f"{len(ignored)} matches are ignored by its own rules")
    return scan.reading(NAME, s, given)


def _database(s: scan.Scan, db: Any) -> None:
    if not isinstance(db, dict):
        s.no_database = "it names no database"
        return
    status = mapping(db.get("status"), "descriptor.db.status")
    s.database = moment(status.get("built")) or moment(db.get("built"))
    fault = word(status.get("error")) or word(db.get("error"))
    if fault or s.database is None or status.get("valid") is False:
        s.no_database = f"its database was not fit: {fault or 'it does not say when it was built'}"


def _match(s: scan.Scan, m: dict[str, Any], at: str) -> None:
    v, a = mapping(m.get("vulnerability"), f"{at}.vulnerability"), mapping(m.get("artifact"), f"{at}.artifact")
    if not word(v.get("id")) or not word(a.get("name")):
        s.broken.append(f"{at}: no vulnerability.id or artifact.name")
        return
    related = {word(r.get("id")) for r in objects(m.get("relatedVulnerabilities"), f"{at}.relatedVulnerabilities")}
    versions = mapping(v.get("fix"), f"{at}.fix").get("versions")
    places = objects(a.get("locations"), f"{at}.locations")
    s.findings.append(
        scan.Finding(
            frozenset({v["id"], *related} - {""}),
            v["id"],
            a["name"],
            word(a.get("version")),
            scan.severity(v.get("severity")),
            scan.names(word(a.get("purl")), a["name"]),
            ", ".join(word(x) for x in versions) if isinstance(versions, list) else "",
            word(places[0].get("path")) if places else "",
        )
    )
