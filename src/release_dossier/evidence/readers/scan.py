"""What a scanner for known vulnerabilities found, as every reader of one gives it, and what is said of it.

1. Looked at are packages whose vulnerabilities were asked for, of all that were found; a scanner that saw none is `missing`, however
   green.
2. A finding is open unless a VEX (`asked.vex`, a list of documents) says that this package is not affected or fixed, with a reason;
   `product` among the expectations is what our own product is called there. Open and at least as severe as `fail_on` (low, medium, high,
   critical; low unless told otherwise) fails. A severity nobody knows counts as if it were the worst.
3. One that the code does not reach, as the scanner itself showed, is counted and not open.
4. A database older than `database_age_max_days` (7 unless told otherwise) when the scan ran, or none, leaves everything open. When a scan
   ran stands in the file, or in `asked.at`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from release_dossier.evidence.readers import vex
from release_dossier.evidence.readers.given import Given, moment, whole, wrong_shape
from release_dossier.evidence.reading import Fact, Reading, example, first

SEVERITIES = ("unknown", "critical", "high", "medium", "low")  # worst first
_WORDS = {"moderate": "medium", "important": "high", "negligible": "low", "info": "low", "none": "low"}
_AGE_DAYS_MAX = 7


class Finding(msgspec.Struct, frozen=True):
    """One vulnerability in one package. `names` are the package's purls, or its name where there is none."""

    ids: frozenset[str]
    id: str
    package: str
    version: str
    severity: str
    names: tuple[str, ...]
    fixed: str = ""
    where: str = ""
    reached: bool = True


class Scan:
    """What a file says. `packages` None: it does not say how many there were. `skipped` of them were not looked at."""

    def __init__(self, tool: str, version: str = "") -> None:
        self.tool, self.tool_version = tool, version
        self.packages: int | None = None
        self.skipped: list[str] = []
        self.findings: list[Finding] = []
        self.database: str | None = None  # when it was last updated
        self.no_database = ""
        self.broken: list[str] = []
        self.limits: list[str] = []
        self.cut = ""
        self.observed_at: str | None = None


def severity(text: Any) -> str:
    """One of SEVERITIES, of a word in any case."""
    found = str(text).lower() if isinstance(text, str) else ""
    found = _WORDS.get(found, found)
    return found if found in SEVERITIES else "unknown"


def of_score(score: Any) -> str:
    """One of SEVERITIES, of a CVSS base score."""
    try:
        value = float(score)
    except (TypeError, ValueError):
        return "unknown"
    if not 0 <= value <= 10:
        return "unknown"
    return "critical" if value >= 9 else "high" if value >= 7 else "medium" if value >= 4 else "low"


def reading(format: str, scan: Scan, given: Given) -> Reading:
    """What it says, see the module."""
    fail_on = given.expectations.get("fail_on", "low")
    if fail_on not in SEVERITIES[1:]:
        wrong_shape("expectations.fail_on", fail_on, ", ".join(SEVERITIES[1:]))
    open_, hushed = _open(scan, given)
    failing = [f for f in open_ if SEVERITIES.index(f.severity) <= SEVERITIES.index(fail_on)]
    failing.sort(key=lambda f: (SEVERITIES.index(f.severity), f.package, f.id))
    bad = [example(_words(f), f.where or f.names[0], severity=f.severity) for f in failing]
    age, stale = _age(scan, given)
    counts = {s: sum(f.severity == s for f in open_) for s in SEVERITIES}
    facts = {
        "vulnerabilities": Fact(len(scan.findings), "findings"),
        "vulnerabilities_open": Fact(len(open_), "findings"),
        "vulnerabilities_withdrawn": Fact(hushed, "findings"),
        "vulnerabilities_unreached": Fact(sum(not f.reached for f in scan.findings), "findings"),
        "fixable": Fact(sum(bool(f.fixed) for f in open_), "findings"),
        **{s: Fact(n, "findings") for s, n in counts.items()},
    }
    if age is not None:
        facts["database_age"] = Fact(age, "days")
    looked_at = max(0, (scan.packages or 0) - len(scan.skipped))
    if scan.packages is not None:
        facts["packages"] = Fact(scan.packages, "packages")
    cause = scan.cut or stale or (f"{len(scan.broken)} records could not be read, the first: {scan.broken[0]}" if scan.broken else "")
    if scan.packages is None:
        looked_at = len({(f.package, f.version) for f in scan.findings})
        cause = cause or "how many packages it looked at is not in it"
    verdict: Any = "fail" if bad else "missing" if looked_at == 0 and scan.packages is not None else "inconclusive" if cause else "pass"
    if verdict == "missing":
        cause = scan.no_database or "it looked at no package"
    limits = [*scan.limits, *(f"not looked at: {s}" for s in scan.skipped[:10])]
    if scan.database is None and not scan.no_database:
        limits.append("how old its database was is not in this file")
    return Reading(
        kind="vulnerabilities",
        format=format,
        verdict=verdict,
        looked_at=looked_at,
        of=None if scan.packages is None or (scan.cut and verdict != "fail") else scan.packages,
        cause="" if verdict in ("pass", "fail") else cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=facts,
        limits=tuple(limits),
        tool=scan.tool,
        tool_version=scan.tool_version,
        observed_at=scan.observed_at,
    )


def _words(f: Finding) -> str:
    package = f"{f.package} {f.version}".strip()
    return f"{f.id} ({f.severity}) in {package}" + (f", fixed in {f.fixed}" if f.fixed else ", no fix known")


def _open(scan: Scan, given: Given) -> tuple[list[Finding], int]:
    """(findings that stand, how many a VEX withdrew). The last statement about a finding counts."""
    documents = given.asked.get("vex")
    if documents is not None and not isinstance(documents, list):
        wrong_shape("asked.vex", type(documents).__name__, "a list of VEX documents")
    said = sorted((s for d in documents or () for s in vex.statements(d)), key=lambda s: s.at)
    product = given.expectations.get("product", "")
    seen: set[tuple[str, str, str]] = set()
    out: list[Finding] = []
    hushed = 0
    for f in scan.findings:
        key = (f.id, f.package, f.version)
        if not f.reached or key in seen:
            continue
        seen.add(key)
        last = next((s for s in reversed(said) if vex.applies(s, f.ids, f.names, product)), None)
        if last is not None and last.status in ("not_affected", "fixed"):
            hushed += 1
            scan.limits.append(
                f"{f.id} in {f.package}: {last.status.replace('_', ' ')}, says a VEX" + (f": {last.why}" if last.why else "")
            )
        else:
            out.append(f)
    del scan.limits[20:]
    return out, hushed


def _age(scan: Scan, given: Given) -> tuple[int | None, str]:
    """(days between the database and the scan, why that leaves everything open)."""
    if scan.no_database:
        return None, scan.no_database
    most = whole(given.expectations.get("database_age_max_days", str(_AGE_DAYS_MAX)))
    if most is None:
        wrong_shape("expectations.database_age_max_days", given.expectations["database_age_max_days"], "whole days")
    ran = scan.observed_at or moment(given.asked.get("at"))
    if scan.database is None or ran is None:
        return None, ""
    days = (datetime.fromisoformat(ran) - datetime.fromisoformat(scan.database)).days
    return max(days, 0), f"its database was {days} days old, {most} are allowed" if days > most else ""


def names(purl: str, package: str) -> tuple[str, ...]:
    """What a VEX may call the package."""
    return (purl, package) if purl else (package,)
