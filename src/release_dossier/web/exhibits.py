"""Artifacts to look at in place. Pure: bytes in, a table, bars, code or text out; nothing in them is run, fetched or believed.

Whatever cannot be read as what it says is shown as text, and whatever is no text is named and left for download. What looks like a secret
is withheld first, so that no cut leaves half of one; then all text is bounded and stripped of control characters; the page escapes it.
"""

from __future__ import annotations

import io
import json
import lzma
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from release_dossier.digest import parse_json
from release_dossier.errors import DossierError, shown
from release_dossier.evidence.readers.given import local, xml_events
from release_dossier.evidence.secrets import WINDOW_CHARS, find, key_of, withhold

VIEW_BYTES_MAX = 16 * 1024 * 1024  # bytes of an artifact that is read to be shown; more is only downloaded
TEXT_BYTES_MAX = 64 * 1024  # bytes of text shown of one that is no table
ROWS_MAX = 250  # rows of a table shown; what is bad comes first
_CELL_CHARS = 400


class Exhibit(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of an artifact. `form` is `table`, `bars`, `text`, `ledger` or `bytes`. Rows are cells; the first is a state word."""

    form: str
    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    total: int = 0
    bars: tuple[tuple[str, float, str], ...] = ()
    text: str = ""
    cut: bool = False
    withheld: int = 0


def exhibit(raw: bytes, name: str, format: str) -> Exhibit:
    """`raw` as what its evidence says it is (`format`), else as what it looks like."""
    if len(raw) > VIEW_BYTES_MAX:
        return Exhibit(form="bytes", title=f"{len(raw)} bytes: too much to show here")
    if raw.startswith(b"SQLite format 3\0"):
        return Exhibit(form="ledger", title="A database")
    return _fit_to_show(_made(raw, name, format), raw)


def _made(raw: bytes, name: str, format: str) -> Exhibit:
    if raw.startswith(b"\xfd7zXZ\0"):
        raw, name = _unpacked(raw), name.removesuffix(".xz")
    for known, make in _FORMS.items():
        if format == known:
            try:
                return make(raw)
            except (DossierError, ValueError, TypeError, KeyError, AttributeError):
                break
    return _text(raw, name)


def _fit_to_show(made: Exhibit, raw: bytes) -> Exhibit:
    """Without what looks like a secret, which is marked as the reading of `raw` marks it; then bounded, and without control characters."""
    withheld = 0

    def clean(text: str) -> str:
        nonlocal withheld
        if not find(text):  # the key is a digest of the whole artifact
            return text
        kept, gone = withhold(text, key_of(io.BytesIO(raw)))
        withheld += len(gone)
        return kept

    rows = tuple(tuple(shown(clean(c), _CELL_CHARS) for c in r) for r in made.rows)
    text = clean(made.text)
    printable = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text[:TEXT_BYTES_MAX])
    return msgspec.structs.replace(made, rows=rows, text=printable, cut=made.cut or len(text) > TEXT_BYTES_MAX, withheld=withheld)


def _unpacked(raw: bytes) -> bytes:
    """The beginning of an xz file, a little more than is shown."""
    try:
        return lzma.LZMADecompressor().decompress(raw, TEXT_BYTES_MAX * 2)
    except lzma.LZMAError:
        return raw


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Exhibit:
    order = {"error": 0, "fail": 1, "inconclusive": 2, "stale": 3, "missing": 4, "pass": 5}
    every = sorted(rows, key=lambda r: order.get(r[0], 9))
    return Exhibit(form="table", title=title, columns=columns, rows=tuple(every[:ROWS_MAX]), total=len(every))


def _junit(raw: bytes) -> Exhibit:
    return _table("Test results", ("", "Test", "Seconds", "What it said"), _junit_rows(raw))


def _junit_rows(raw: bytes) -> Iterator[tuple[str, ...]]:
    for what, element in xml_events(io.BytesIO(raw)):
        if what != "end" or local(element.tag) != "testcase":
            continue
        inside = {local(c.tag): c for c in element}
        bad = next((inside[t] for t in ("failure", "error", "rerunFailure") if t in inside), None)
        skip = inside.get("skipped")
        state = "fail" if bad is not None else "missing" if skip is not None else "pass"
        told = bad if bad is not None else skip
        said = " ".join(x for x in ((told.get("message") or "", told.text or "") if told is not None else ()) if x)
        name = " › ".join(x for x in (element.get("classname"), element.get("name")) if x)
        yield state, name, element.get("time") or "", said


def _go_test(raw: bytes) -> Exhibit:
    ended: dict[tuple[str, str], dict[str, Any]] = {}
    said: dict[tuple[str, str], str] = {}
    for line in raw.splitlines():
        try:
            event = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue
        if not isinstance(event, dict) or not event.get("Test"):
            continue
        key = str(event.get("Package", "")), str(event["Test"])
        if event.get("Action") in ("pass", "fail", "skip"):
            ended[key] = event
        elif event.get("Action") == "output" and len(said.get(key, "")) < _CELL_CHARS:
            said[key] = said.get(key, "") + str(event.get("Output", "")).strip() + " "
        else:
            ended.setdefault(key, event)
    states = {"pass": "pass", "fail": "fail", "skip": "missing"}
    rows = []
    for key, event in ended.items():
        state = states.get(str(event.get("Action")), "inconclusive")
        rows.append((state, key[1], f"{event.get('Elapsed', '')}", key[0] if state == "pass" else f"{key[0]} {said.get(key, '')}"))
    return _table("Test results", ("", "Test", "Seconds", "Package, and what it said"), rows)


def _k6(raw: bytes) -> Exhibit:
    metrics = _json(raw)["metrics"]
    took = metrics["http_req_duration"]
    took = took.get("values", took)
    wanted = ("min", "med", "avg", "p(90)", "p(95)", "p(99)", "max")
    bars = tuple((k, float(took[k]), f"{float(took[k]):.1f} ms") for k in wanted if isinstance(took.get(k), int | float))
    rows = []
    for name, m in sorted(metrics.items()):
        values = m.get("values", m)
        words = ", ".join(f"{k} {v:.4g}" for k, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool))
        limits = m.get("thresholds") or {}
        broken = [t for t, ok in limits.items() if (ok is True or (isinstance(ok, dict) and ok.get("ok") is False))]
        state = "fail" if broken else "pass" if limits else ""
        rows.append((state, str(name), words, ", ".join(limits)))
    table = _table("Latency of requests, by share", ("", "Measure", "Values", "Thresholds"), rows)
    return msgspec.structs.replace(table, form="bars", bars=bars)


def _sarif(raw: bytes) -> Exhibit:
    rows = []
    for run in _json(raw).get("runs", ()):
        for r in run.get("results", ()):
            place = (r.get("locations") or [{}])[0].get("physicalLocation", {})
            file = str(place.get("artifactLocation", {}).get("uri", "no file"))
            line = place.get("region", {}).get("startLine", "")
            level = str(r.get("level", "warning"))
            state = {"error": "fail", "warning": "stale", "note": "missing", "none": "pass"}.get(level, "stale")
            rows.append((state, f"{file}:{line}" if line else file, str(r.get("ruleId", "")), str(r.get("message", {}).get("text", ""))))
    return _table("Findings by file and line", ("", "Place", "Rule", "Message"), sorted(rows, key=lambda r: r[1]))


def _scenarios(raw: bytes) -> Exhibit:
    rows = []
    for s in _json(raw):
        moved = ", ".join(f"{k} {v}" for k, v in (s.get("balance_changes") or {}).items())
        statuses = ", ".join(f"{n} × {code}" for code, n in (s.get("statuses") or {}).items())
        rows.append(("", str(s["scenario"]), str(s.get("what", "")), f"{statuses}; {moved}" if moved else statuses))
    return _table("Scenarios", ("", "Scenario", "What was sent", "Answers, and what moved"), rows)


def _json(raw: bytes) -> Any:
    """Read strictly and bounded, as everything from outside."""
    return parse_json(raw, "artifact", VIEW_BYTES_MAX)


def _text(raw: bytes, name: str) -> Exhibit:
    head = raw[: TEXT_BYTES_MAX + WINDOW_CHARS]  # a secret that begins in what is shown may end after it
    try:
        text = head.decode("utf-8", "strict" if len(raw) <= len(head) else "ignore")
    except UnicodeDecodeError:
        return Exhibit(form="bytes", title=f"{len(raw)} bytes that are no text")
    title = "Text"
    if name.endswith((".json", ".sarif")) and len(raw) <= TEXT_BYTES_MAX * 4:
        with suppress(DossierError):
            text, title = json.dumps(_json(raw), indent=2, ensure_ascii=False), "JSON"
    return Exhibit(form="text", title=title, text=text, cut=len(raw) > TEXT_BYTES_MAX)


_FORMS: dict[str, Callable[[bytes], Exhibit]] = {
    "junit": _junit,
    "go-test-json": _go_test,
    "k6-summary": _k6,
    "sarif": _sarif,
    "replay-scenarios": _scenarios,
}
