"""`go vet -json`: one JSON object a package, `{package: {analyzer: [finding]}}`, with `#` lines between. It ends with 0 whatever it finds.

An analyzer that could not run says `error` in place of its findings. The stream can end between two objects: its exit status must come
along.
"""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.digest import parse_json
from release_dossier.errors import Refused
from release_dossier.evidence.readers.given import Given, Lines, mapping, objects, word
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first
from release_dossier.limits import EVIDENCE_LINE_BYTES_MAX

NAME = "go-vet-json"
_COMMENT = re.compile(rb"\A(?:#[^\n]*\n|\s+)+")
_ALONE = re.compile(rb"\A\{\}\s*(?:\{\}|#|\{\s*\"|\Z)")


def recognises(head: bytes) -> bool:
    """Behind `#` lines an object of a package, with analyzers and positions; or several objects, the first empty."""
    said = head.startswith(b"# ")
    body = _COMMENT.sub(b"", head, count=1) if head[:1] in b"# \t\r\n" else head
    if _ALONE.match(body) is not None:
        return said or body.count(b"{}") > 1 or b'"posn"' in body
    top = outline(body)
    return top.get("") == "{" and b'"posn"' in body and b'"message"' in body and (said or "version" not in top)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every finding of every analyzer.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    bad: list[Counterexample] = []
    broken: list[Counterexample] = []
    packages = named = 0
    read = Lines(stream)
    for number, raw in _objects(read):
        packages += 1
        for package, analyzers in mapping(parse_json(raw, f"object ending at line {number}", EVIDENCE_LINE_BYTES_MAX), "object").items():
            named += 1
            for analyzer, findings in mapping(analyzers, package).items():
                if isinstance(findings, dict):
                    broken.append(example(f"{analyzer} could not look at {package}: {word(findings.get('error'))}", package))
                    continue
                for f in objects(findings, f"{package}.{analyzer}"):
                    bad.append(example(f"{analyzer}: {word(f.get('message'))}", word(f.get("posn"))))
    cause = read.doubt(given.exit_status)
    if broken and not cause:
        cause = broken[0].text
    verdict: Any = "fail" if bad else "missing" if packages == 0 else "inconclusive" if cause else "pass"
    return Reading(
        kind="static-analysis",
        format=NAME,
        verdict=verdict,
        looked_at=packages,
        of=packages if given.exit_status is not None else None,
        cause="" if verdict == "fail" else cause or ("no package was looked at" if verdict == "missing" else ""),
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={"results": Fact(len(bad), "results"), "packages": Fact(packages, "packages")},
        limits=tuple(b.text for b in broken[:10]),
        tool="go vet",
    )


def _objects(read: Lines) -> Any:
    """(line, bytes) of each object. vet ends each with a brace at the margin, or writes `{}`."""
    held: list[bytes] = []
    size = number = 0
    for number, line in read:
        if not held and line.lstrip().startswith(b"#"):
            continue
        held.append(line)
        size += len(line)
        if size > EVIDENCE_LINE_BYTES_MAX:
            raise Refused(
                "evidence.line-too-long", at=f"line {number}", found="a longer object", expected=f"at most {EVIDENCE_LINE_BYTES_MAX} bytes"
            )
        if line.startswith(b"}") or (len(held) == 1 and line.rstrip().endswith(b"}")):
            yield number, b"\n".join(held)
            held, size = [], 0
    if held:
        yield number, b"\n".join(held)
