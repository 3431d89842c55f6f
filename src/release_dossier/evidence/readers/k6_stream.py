"""k6's stream (`--out json`): a line a metric and a line a point. It can end anywhere, and holds thresholds nobody has judged yet.

Thresholds over all points of a metric (`p(95)<500`, `rate<0.01`, `avg`, `med`, `max`, `min`, `count`) are judged here; one over a part of
them (`http_req_duration{name:login}`) is not, and is said to be open.
"""

from __future__ import annotations

import re
from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers import load
from release_dossier.evidence.readers.given import Given, Lines, moment, record, word
from release_dossier.evidence.reading import Reading

NAME = "k6-stream"
_THRESHOLD = re.compile(r"\s*(p\((\d+(?:\.\d+)?)\)|rate|avg|med|max|min|count|value)\s*(<=|>=|<|>|===?|!=)\s*(-?\d+(?:\.\d+)?)\s*\Z")
_METRICS_MAX = 200  # names of metrics whose points are kept; a script has a few dozen


def recognises(head: bytes) -> bool:
    """The first line is a metric or a point."""
    first = record(head.lstrip().partition(b"\n")[0])
    return first is not None and first.get("type") in ("Metric", "Point") and "metric" in first and "data" in first


class _Seen:
    def __init__(self) -> None:
        self.points: dict[str, load.Distribution] = {}
        self.low: dict[str, float] = {}
        self.thresholds: dict[str, list[str]] = {}
        self.counters: set[str] = set()
        self.first = self.last = ""
        self.broken: list[str] = []
        self.failed: dict[tuple[str, str], int] = {}


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every point of every metric.

    Raises:
        Refused: `evidence.line-too-long`, `evidence.shape` for more metrics than any script has.
    """
    seen = _Seen()
    lines = Lines(stream)
    for number, line in lines:
        _line(number, line, seen)
    run = load.Run("k6")
    run.cut = lines.doubt(given.exit_status)
    run.broken = seen.broken
    run.observed_at = moment(seen.last)
    duration = seen.points.get("http_req_duration", load.Distribution())
    failed, checks, sent = (seen.points.get(n) for n in ("http_req_failed", "checks", "http_reqs"))
    run.requests = int(sent.total) if sent else duration.count
    run.failed = int(failed.total) if failed else None
    run.dropped = int(seen.points["dropped_iterations"].total) if "dropped_iterations" in seen.points else 0
    run.measured(duration)
    if checks and checks.count:
        run.figures["checks_rate"] = (round(checks.total / checks.count, 9), "ratio")
    seconds = _seconds(seen)
    if seconds > 0:
        run.figures["throughput"] = (round(run.requests / seconds, 6), "1/s")
    for metric, words in sorted(seen.thresholds.items()):
        for text in words:
            held = _held(text, seen.points.get(metric), seen.low.get(metric, 0.0), seconds if metric in seen.counters else None)
            if held is None:
                run.broken.append(f"threshold {metric}: {text} is not judged here")
            else:
                run.promised.append((metric, text, held))
    run.errors = [(n, f"failed with {status or 'no answer'}", name) for (name, status), n in seen.failed.items()]
    return load.reading(NAME, run, given)


def _line(number: int, line: bytes, seen: _Seen) -> None:
    event = record(line)
    metric, data = (event.get("metric"), event.get("data")) if event else (None, None)
    if event is None or not isinstance(metric, str) or not isinstance(data, dict):
        seen.broken.append(f"line {number}: {line[:60]!r}")
        return
    if event.get("type") == "Metric":
        if data.get("type") == "counter":
            seen.counters.add(metric)
        subs = data.get("submetrics")
        for name, of in (
            (metric, data),
            *((word(s.get("name")), s) for s in (subs if isinstance(subs, list) else ()) if isinstance(s, dict)),
        ):
            words = of.get("thresholds")
            known = seen.thresholds.setdefault(name, [])
            said = [str(w.get("threshold") if isinstance(w, dict) else w) for w in words] if isinstance(words, list) else []
            known += [w for w in said if w not in known]
        return
    value = data.get("value")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (metric.startswith("http_req") and value < 0):
        seen.broken.append(f"line {number}: {metric} is {value!r}")
        return
    if metric not in seen.points:
        if len(seen.points) >= _METRICS_MAX:
            raise Refused("evidence.shape", at=f"line {number}", found="more metrics", expected=f"at most {_METRICS_MAX}")
        seen.points[metric] = load.Distribution()
        seen.low[metric] = float(value)
    seen.points[metric].add(float(value))
    seen.low[metric] = min(seen.low[metric], float(value))
    time = data.get("time")
    if isinstance(time, str):
        seen.first = seen.first or time
        seen.last = time
    if metric == "http_req_failed" and value:
        tags: Any = data.get("tags")
        tags = tags if isinstance(tags, dict) else {}
        key = (word(tags.get("name"))[:200], word(tags.get("status")))
        if key in seen.failed or len(seen.failed) < 1_000:
            seen.failed[key] = seen.failed.get(key, 0) + 1


def _seconds(seen: _Seen) -> float:
    from datetime import datetime

    first, last = moment(seen.first), moment(seen.last)
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds() if first and last else 0.0


def _held(text: str, d: load.Distribution | None, low: float, seconds: float | None) -> bool | None:
    """Whether a threshold held; None where that cannot be said here. `seconds` of the run are for counters, whose rate is one a second."""
    found = _THRESHOLD.match(text)
    if found is None or d is None or not d.count:
        return None
    kind = found[1]
    value: float | None
    if kind.startswith("p("):
        value = d.percentiles(float(found[2]))[float(found[2])] if float(found[2]) <= 100 else None
    elif kind == "rate" and seconds is not None:
        # k6 knows how long the run was, and we only when its first and last points were: near the limit, nobody can say.
        value = d.total / seconds if seconds > 0 and abs(d.total / seconds - float(found[4])) > 0.1 * float(found[4]) else None
    else:
        known = {"rate": d.total / d.count, "avg": d.total / d.count, "max": d.max, "min": low, "count": d.total}
        value = d.percentiles(50)[50] if kind == "med" else known.get(kind)
    if value is None:
        return None
    limit = float(found[4])
    by_sign = {"<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit, "!=": value != limit}
    return by_sign.get(found[3], value == limit)
