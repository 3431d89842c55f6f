"""Acme's smoke runner, version 1: `{"acme_smoke": 1, "pages": [{"url": …, "ok": …, "ms": …}], "planned": n}`.

It is no proof where fewer pages were tried than planned, or a page does not say whether it was fine.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers.given import Given, count, mapping, objects, whole_json, word, wrong_version
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Fact, Reading, example, first

NAME = "acme-smoke"


def recognises(head: bytes) -> bool:
    """Its mark and its list."""
    return {"acme_smoke", "pages"} <= outline(head).keys()


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every page.

    Raises:
        Refused: `evidence.version`, `evidence.shape`, `json.*`.
    """
    run = mapping(whole_json(stream), "file")
    if run.get("acme_smoke") != 1:
        wrong_version("acme_smoke", run.get("acme_smoke"), "1")
    pages = objects(run.get("pages"), "pages")
    planned = count(run.get("planned"))
    good = [p for p in pages if p.get("ok") is True]
    bad = [example(f"{word(p.get('url'))} was not fine", word(p.get("url"))) for p in pages if p.get("ok") is False]
    looked_at = len(good) + len(bad)
    of = max(planned, len(pages))
    verdict: Any = "fail" if bad else "missing" if looked_at == 0 else "inconclusive" if looked_at < of else "pass"
    cause = {"missing": "no page was tried", "inconclusive": f"{looked_at} of {of} pages were tried"}.get(verdict, "")
    return Reading(
        kind="tests",
        format=NAME,
        verdict=verdict,
        looked_at=looked_at,
        of=of,
        cause=cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={"tests": Fact(of, "tests"), "passed": Fact(len(good), "tests"), "failed": Fact(len(bad), "tests")},
        tool="acme-smoke",
        tool_version="1",
    )
