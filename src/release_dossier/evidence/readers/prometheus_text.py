"""Prometheus' text exposition (0.0.4) and OpenMetrics: one scrape. `series` declares which names must be in it.

The text can end anywhere: only `# EOF` of OpenMetrics, or the exit status of what fetched it, says that it is whole.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import IO, Any

from release_dossier.evidence.readers.given import Given, Lines
from release_dossier.evidence.reading import Fact, Reading, example, first

NAME = "prometheus-text"
_META = re.compile(rb'# (?:HELP|TYPE|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:.]*|"(?:[^"\\]|\\.)*")(?: (.*))?\Z')
_NAMED = re.compile(
    rb'\A([a-zA-Z_:][a-zA-Z0-9_:]*|(?=\{[ \t]*"))(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?[ \t]+(\S+)(?:[ \t]+(-?[0-9.eE+]+))?(?:[ \t]+#.*)?\Z'
)
_NAME_INSIDE = re.compile(rb'\{[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*[,}]')  # a name of any UTF-8 stands among the labels (Prometheus 3)
_BEGIN = re.compile(rb'\A(?:#[^\n]*\n|\s)*# (?:HELP|TYPE) ["a-zA-Z_:]', re.MULTILINE)


def recognises(head: bytes) -> bool:
    """It begins with comments, one of which gives a name its help or type."""
    return _BEGIN.match(head) is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every sample, by line."""
    families: set[bytes] = set()
    seen: set[bytes] = set()
    names: set[str] = set()
    samples = strange = types = 0
    whole = False
    bad = []
    text = Lines(stream)
    for number, line in text:
        if line.startswith(b"#"):
            whole = line.strip() == b"# EOF"
            meta = _META.match(line.rstrip())
            if meta:
                families.add(meta[1])
                types += line.startswith(b"# TYPE")
            continue
        if whole:
            bad.append(example("a sample behind # EOF", f"line {number}"))
        found = _NAMED.match(line.strip())
        inside = _NAME_INSIDE.match(found[2] or b"") if found and not found[1] else None
        value = _number(found[3]) if found and (found[1] or inside) else None
        if found is None or value is None:
            bad.append(example(f"no sample: {line[:80].decode('utf-8', 'replace')}", f"line {number}"))
            continue
        which = found[1] + (found[2] or b"")
        if which in seen and found[4] is None:
            bad.append(example(f"{which[:120].decode('utf-8', 'replace')} is there twice", f"line {number}"))
        seen.add(which)
        names.add((inside[1] if inside else found[1]).decode("utf-8", "replace"))
        samples += 1
        strange += not isfinite(value)
    wanted = given.declared("series")
    gone = [n for n in wanted if n not in names]
    bad += [example(f"series {n} is declared and not there", n) for n in gone]
    doubt = "" if whole else text.doubt(given.exit_status)
    verdict: Any = "fail" if bad else "missing" if not samples else "inconclusive" if doubt else "pass"
    cause = {"missing": "no sample", "inconclusive": doubt}.get(verdict, "")
    if verdict == "pass" and not wanted:
        verdict, cause = "inconclusive", "which series should be there is not declared"
    return Reading(
        kind="observability",
        format=NAME,
        verdict=verdict,
        looked_at=len(wanted) - len(gone) if wanted else samples,
        of=len(wanted) or None if not doubt or bad else None,
        cause=cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={
            "samples": Fact(samples, "samples"),
            "samples_nan": Fact(strange, "samples"),
            "series": Fact(len(names), "series"),
            "families": Fact(types, "families"),
        },
        limits=("one scrape: what a value was before is not in it",),
        tool="prometheus client",
    )


def _number(text: bytes) -> float | None:
    try:
        return None if b"_" in text else float(text)
    except ValueError:
        return None
