"""vegeta's report, as JSON (`-type=json`, times in nanoseconds) or as text."""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.evidence.readers import load
from release_dossier.evidence.readers.given import Given, Lines, count, mapping, moment, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "vegeta"
_LINE = re.compile(r"(Requests|Duration|Latencies|Success|Status Codes)\s+\[([^\]]*)\]\s+(.*)\Z")
_NAMES = {
    "50": "latency_p50",
    "50th": "latency_p50",
    "90": "latency_p90",
    "90th": "latency_p90",
    "95": "latency_p95",
    "95th": "latency_p95",
}
_NAMES |= {"99": "latency_p99", "99th": "latency_p99", "max": "latency_max", "mean": "latency_mean"}


def recognises(head: bytes) -> bool:
    """Latencies and what succeeded."""
    top = outline(head)
    return ("latencies" in top and "success" in top) or re.match(rb"\s*Requests\s+\[total, rate", head) is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """The figures of the report.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    run = load.Run("vegeta")
    start = stream.read(64).lstrip()
    stream.seek(0)
    if start[:1] == b"{":
        _json(mapping(whole_json(stream), "file"), run)
    else:
        _text(stream, run)
    run.limits.append("percentiles as vegeta computed them")
    return load.reading(NAME, run, given)


def _json(d: dict[str, Any], run: load.Run) -> None:
    run.requests = count(d.get("requests"))
    success = d.get("success")
    if isinstance(success, bool) or not isinstance(success, (int, float)) or not 0 <= success <= 1:
        wrong_shape("success", str(success), "a ratio")
    run.failed = round((1 - success) * run.requests)
    for key, name in _NAMES.items():
        value = mapping(d.get("latencies"), "latencies").get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            run.figures[name] = (value * load.MILLISECONDS["ns"], "ms")
    run.figures["throughput"] = (d.get("throughput"), "1/s")
    run.figures["target_rate"] = (d.get("rate"), "1/s")
    run.observed_at = moment(d.get("end")) or moment(d.get("latest"))
    codes = mapping(d.get("status_codes"), "status_codes")
    run.errors = [(count(n), f"answers with status {code}", "") for code, n in codes.items() if not code.startswith(("2", "3"))]
    if sum(count(n) for n in codes.values()) != run.requests:
        run.broken.append("its status codes do not add up to its requests")
    errors = d.get("errors")
    run.limits += [f"error: {word(e)[:200]}" for e in (errors if isinstance(errors, list) else [])[:5]]


def _text(stream: IO[bytes], run: load.Run) -> None:
    lines = Lines(stream)
    seen: list[str] = []
    for number, raw in lines:
        found = _LINE.match(raw.decode("utf-8", "replace").strip())
        if found is None:
            continue
        if found[1] in seen:
            run.broken.append(f"line {number}: a second report")
            continue
        seen.append(found[1])
        names, values = [x.strip() for x in found[2].split(",")], [x.strip() for x in found[3].split(",")]
        if found[1] == "Requests" and len(values) == 3:
            numbers = [float(v) if re.fullmatch(r"\d+(?:\.\d+)?", v) else None for v in values]
            run.requests = count(numbers[0])
            run.figures |= {"target_rate": (numbers[1], "1/s"), "throughput": (numbers[2], "1/s")}
        elif found[1] == "Latencies":
            run.figures |= {_NAMES[n]: (load.milliseconds(v), "ms") for n, v in zip(names, values, strict=False) if n in _NAMES}
        elif found[1] == "Success" and re.fullmatch(r"\d+(?:\.\d+)?%", found[3]):
            run.failed = round((1 - float(found[3][:-1]) / 100) * run.requests)
        elif found[1] == "Status Codes":
            codes = [c.split(":") for c in found[3].split() if re.fullmatch(r"\d+:\d+", c)]
            run.errors = [(int(n), f"answers with status {code}", "") for code, n in codes if not code.startswith(("2", "3"))]
            if sum(int(n) for _, n in codes) != run.requests:
                run.broken.append("its status codes do not add up to its requests")
    missing = [n for n in ("Requests", "Latencies", "Success", "Status Codes") if n not in seen]
    run.cut = (
        f"it has no {missing[0]}: it was cut off"
        if missing or run.failed is None
        else ""
        if lines.ended
        else "its last line does not end: it was cut off"
    )
