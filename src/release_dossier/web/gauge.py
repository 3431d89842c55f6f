"""What the server counts of itself, and how it says so: Prometheus text, a log line a request, OpenTelemetry spans when configured."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds; a list is asked to take 15 ms, a page 30
SPANS_MAX = 2_048  # spans kept while the collector does not answer; more are dropped and counted
_SPANS_AT_ONCE = 256


class Gauge:
    """Counters and one histogram by route. Thread-safe; nothing in it names a person, a token or a query."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._requests: dict[tuple[str, str, int], int] = {}
        self._seconds: dict[str, list[float]] = {}
        self.counts: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}

    def saw(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request, answered."""
        with self._turn:
            key = (method, route, status)
            self._requests[key] = self._requests.get(key, 0) + 1
            row = self._seconds.setdefault(route, [0.0] * (len(BUCKETS_S) + 2))
            for i, bound in enumerate(BUCKETS_S):
                row[i] += seconds <= bound
            row[-2] += 1
            row[-1] += seconds

    def count(self, name: str, by: int = 1, **labels: str) -> None:
        """Something else that is counted."""
        with self._turn:
            key = (name, tuple(sorted(labels.items())))
            self.counts[key] = self.counts.get(key, 0) + by

    def text(self, now: Mapping[str, float]) -> str:
        """Prometheus text format 0.0.4. `now` are values of this moment: name → value."""
        out = ["# TYPE dossier_requests_total counter"]
        with self._turn:
            for (method, route, status), n in sorted(self._requests.items()):
                labels = _labels((("method", method), ("route", route), ("status", str(status))))
                out.append(f"dossier_requests_total{labels} {n}")
            out.append("# TYPE dossier_request_seconds histogram")
            for route, row in sorted(self._seconds.items()):
                for bound, below in zip(BUCKETS_S, row, strict=False):
                    out.append(f"dossier_request_seconds_bucket{_labels((('route', route), ('le', str(bound))))} {below:.0f}")
                out.append(f"dossier_request_seconds_bucket{_labels((('route', route), ('le', '+Inf')))} {row[-2]:.0f}")
                out.append(f"dossier_request_seconds_count{_labels((('route', route),))} {row[-2]:.0f}")
                out.append(f"dossier_request_seconds_sum{_labels((('route', route),))} {row[-1]:.6f}")
            seen = ""
            for (name, pairs), n in sorted(self.counts.items()):
                if name != seen:
                    out.append(f"# TYPE dossier_{name}_total counter")
                    seen = name
                out.append(f"dossier_{name}_total{_labels(pairs)} {n}")
        for name, value in sorted(now.items()):
            out += [f"# TYPE dossier_{name} gauge", f"dossier_{name} {value:g}"]
        return "\n".join(out) + "\n"


def _labels(pairs: tuple[tuple[str, str], ...]) -> str:
    if not pairs:
        return ""
    quoted = [f'{k}="' + v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"' for k, v in pairs]
    return "{" + ",".join(quoted) + "}"


class Tracer:
    """Spans to an OpenTelemetry collector (OTLP over HTTP, JSON), from its own thread. What is not delivered is dropped, and counted."""

    def __init__(self, post: Callable[[bytes], None], dropped: Callable[[int], None], version: str) -> None:
        self._post, self._dropped, self._version = post, dropped, version
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(SPANS_MAX)
        self._thread = threading.Thread(target=self._run, daemon=True, name="spans")
        self._thread.start()

    def span(self, trace: str, parent: str, span: str, name: str, start_ns: int, end_ns: int, said: Mapping[str, str | int]) -> None:
        """One finished span."""
        value: dict[str, Any] = {
            "traceId": trace,
            "spanId": span,
            "name": name,
            "kind": 2,
            "startTimeUnixNano": str(start_ns),
            "endTimeUnixNano": str(end_ns),
            "attributes": [
                {"key": k, "value": {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v}} for k, v in said.items()
            ],
            "status": {"code": 2} if int(said.get("http.response.status_code", 0)) >= 500 else {},
        }
        if parent:
            value["parentSpanId"] = parent
        try:
            self._queue.put_nowait(value)
        except queue.Full:
            self._dropped(1)

    def close(self) -> None:
        """Deliver what is left."""
        self._queue.put(None)
        self._thread.join(5)

    def _run(self) -> None:
        ended = False
        while not ended:
            batch = [self._queue.get()]
            while len(batch) < _SPANS_AT_ONCE and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            ended = None in batch
            spans = [s for s in batch if s is not None]
            if spans:
                try:
                    self._post(json.dumps(self._export(spans)).encode())
                except Exception:  # noqa: BLE001 - whatever a collector does, requests are not held up by it
                    self._dropped(len(spans))

    def _export(self, spans: list[dict[str, Any]]) -> dict[str, Any]:
        name = [{"key": "service.name", "value": {"stringValue": "release-dossier"}}]
        scope = {"name": "release_dossier.web", "version": self._version}
        return {"resourceSpans": [{"resource": {"attributes": name}, "scopeSpans": [{"scope": scope, "spans": spans}]}]}
