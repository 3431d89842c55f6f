"""govulncheck's JSON: objects one after the other, for its configuration, the modules it looked at, advisories and findings.

It shows whether the code calls what is vulnerable: a finding without a function in it is in a module that is there and not called, where
the scan went down to functions. It ends with 0 whatever it finds, and can end anywhere.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers import scan
from release_dossier.evidence.readers.given import Given, json_objects, mapping, moment, objects, word
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "govulncheck"


def recognises(head: bytes) -> bool:
    """Its configuration comes first."""
    top = outline(head)
    return "config" in top and ("config.scanner_name" in top or "config.protocol_version" in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every finding.

    Raises:
        Refused: `evidence.shape`, `evidence.line-too-long`.
    """
    s = scan.Scan("govulncheck")
    advisories: dict[str, dict[str, Any]] = {}
    found: dict[tuple[str, str], tuple[bool, dict[str, Any], str]] = {}
    config: dict[str, Any] = {}
    try:
        for message in json_objects(stream):
            if "config" in message:
                config = mapping(message["config"], "config")
            elif "SBOM" in message:
                modules = objects(mapping(message["SBOM"], "SBOM").get("modules"), "SBOM.modules")
                s.packages = (s.packages or 0) + len(modules)
            elif "osv" in message:
                advisory = mapping(message["osv"], "osv")
                advisories[word(advisory.get("id"))] = advisory
            elif "finding" in message:
                _finding(mapping(message["finding"], "finding"), found)
    except Refused as e:
        s.cut = f"{e.at}: {e.found}: it was cut off or is damaged"
    s.tool_version = word(config.get("scanner_version")).removeprefix("v")
    s.database = moment(config.get("db_last_modified"))
    if not word(config.get("db")):
        s.no_database = "it names no database"
    to_functions = word(config.get("scan_level")) in ("symbol", "")
    for (osv, module), (reached, frame, fixed) in found.items():
        advisory = advisories.get(osv, {})
        aliases = advisory.get("aliases")
        ids = frozenset({osv, *(word(a) for a in (aliases if isinstance(aliases, list) else []))} - {""})
        version = word(frame.get("version"))
        purl = f"pkg:golang/{module}" + (f"@{version}" if version else "")
        s.findings.append(
            scan.Finding(ids, osv, module, version, "unknown", scan.names(purl, module), fixed, _where(frame), reached or not to_functions)
        )
    s.limits.append("Go's database gives no severities: each counts as if it were the worst")
    if given.exit_status is None:
        s.cut = s.cut or "the exit status did not come with it: it may have been cut off"
    return scan.reading(NAME, s, given)


def _finding(f: dict[str, Any], found: dict[tuple[str, str], tuple[bool, dict[str, Any], str]]) -> None:
    """Keep the finding that goes furthest: module, package, function."""
    trace = objects(f.get("trace"), "finding.trace")
    top = trace[0] if trace else {}
    key = (word(f.get("osv")), word(top.get("module")))
    reached = bool(word(top.get("function")))
    if key not in found or (reached and not found[key][0]):
        caller = next((t for t in reversed(trace) if t.get("position")), top)
        found[key] = (
            reached,
            {**top, "position": caller.get("position"), "caller": word(caller.get("function"))},
            word(f.get("fixed_version")),
        )


def _where(frame: dict[str, Any]) -> str:
    position = frame.get("position")
    if not isinstance(position, dict):
        return word(frame.get("package")) or word(frame.get("module"))
    return f"{word(position.get('filename'))}:{position.get('line', '')}".rstrip(":")
