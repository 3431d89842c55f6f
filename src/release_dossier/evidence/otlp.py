"""What OpenTelemetry's export requests hold, as JSON or protobuf: spans, data points and log records, counted by service.

The protobuf is read field by field over the bytes (opentelemetry/proto/collector/*/v1): lengths are checked, groups and unknown fields are
passed over, and nothing is built that is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from release_dossier.errors import Refused

STATUS_ERROR = 2  # of a span: opentelemetry.proto.trace.v1.Status.StatusCode
_DEPTH_MAX = 16


class Telemetry:
    """Counts so far. `seconds` are durations of root spans by service, for facts; at most `ROOTS_MAX` are kept."""

    ROOTS_MAX = 100_000

    def __init__(self) -> None:
        self.spans = self.failed = self.roots = self.points = self.logs = self.broken = 0
        self.traces: set[bytes] = set()
        self.services: dict[str, int] = {}
        self.failures: dict[str, int] = {}
        self.roots_ms: list[float] = []
        self.commits: set[str] = set()
        self.last_ns = 0

    def resource(self, attributes: Mapping[str, str]) -> str:
        """Note what a resource says of itself; its service."""
        service = attributes.get("service.name", "unnamed")
        commit = attributes.get("vcs.ref.head.revision") or attributes.get("service.commit") or ""
        if commit:
            self.commits.add(commit)
        return service

    def span(self, service: str, trace: bytes, parent: bool, name: str, start_ns: int, end_ns: int, status: int) -> None:
        """Note one span."""
        self.spans += 1
        self.traces.add(trace)
        self.services[service] = self.services.get(service, 0) + 1
        self.last_ns = max(self.last_ns, end_ns)
        if status == STATUS_ERROR:
            self.failed += 1
            self.failures[name] = self.failures.get(name, 0) + 1
        if not parent:
            self.roots += 1
            if 0 < start_ns <= end_ns and len(self.roots_ms) < self.ROOTS_MAX:
                self.roots_ms.append((end_ns - start_ns) / 1e6)

    def other(self, service: str, *, points: int = 0, logs: int = 0) -> None:
        """Note data points or log records."""
        self.points += points
        self.logs += logs
        if points or logs:
            self.services[service] = self.services.get(service, 0) + points + logs


def from_json(request: Mapping[str, Any], t: Telemetry) -> None:
    """One export request of any signal. Parts of another shape count as broken."""
    for each in _objects(request.get("resourceSpans"), t):
        service = t.resource(_attributes(_table(each.get("resource")).get("attributes")))
        for scope in _objects(each.get("scopeSpans"), t):
            for s in _objects(scope.get("spans"), t):
                status = _table(s.get("status")).get("code", 0)
                code = STATUS_ERROR if status in (STATUS_ERROR, "STATUS_CODE_ERROR") else 0
                trace = s.get("traceId")
                if not isinstance(trace, str) or not trace:
                    t.broken += 1
                    continue
                name = s.get("name") if isinstance(s.get("name"), str) else ""
                ends = (_whole(s.get("startTimeUnixNano")), _whole(s.get("endTimeUnixNano")))
                t.span(service, trace.encode(), bool(s.get("parentSpanId")), str(name), *ends, code)
    for key, scopes, items in (("resourceMetrics", "scopeMetrics", "metrics"), ("resourceLogs", "scopeLogs", "logRecords")):
        for each in _objects(request.get(key), t):
            service = t.resource(_attributes(_table(each.get("resource")).get("attributes")))
            for scope in _objects(each.get(scopes), t):
                found = _objects(scope.get(items), t)
                if items == "logRecords":
                    t.other(service, logs=len(found))
                else:
                    t.other(service, points=sum(_points(m) for m in found))


def _points(metric: Mapping[str, Any]) -> int:
    parts = (metric.get(k) for k in ("sum", "gauge", "histogram", "exponentialHistogram", "summary"))
    return sum(len(p["dataPoints"]) for p in parts if isinstance(p, dict) and isinstance(p.get("dataPoints"), list))


def _attributes(value: Any) -> dict[str, str]:
    out = {}
    for each in value if isinstance(value, list) else ():
        said = _table(_table(each).get("value")).get("stringValue")
        if isinstance(said, str):
            out[str(_table(each).get("key"))] = said
    return out


def _objects(value: Any, t: Telemetry) -> list[Mapping[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list):
        t.broken += 1
        return []
    good: list[Mapping[str, Any]] = [v for v in value if isinstance(v, dict)]
    t.broken += len(value) - len(good)
    return good


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, (int, str)) and str(value).isdigit() and len(str(value)) < 20 else 0


def from_protobuf(raw: bytes, t: Telemetry, at: str = "file") -> None:
    """An ExportTraceServiceRequest, ExportMetricsServiceRequest or ExportLogsServiceRequest: all three are a list of resources with their
    scopes; which it is, the innermost parts tell.

    Raises:
        Refused: `otlp.protobuf`, naming the byte.
    """
    for number, kind, value in _fields(raw, at):
        if number != 1 or kind != 2:
            raise Refused("otlp.protobuf", at=at, found=f"field {number}", expected="resource spans, metrics or logs")
        service = "unnamed"
        scopes: list[bytes] = []
        for n, k, part in _fields(value, f"{at} resource"):
            if n == 1 and k == 2:
                pairs = (_pair(p, at) for i, j, p in _fields(part, f"{at} resource") if i == 1 and j == 2)
                service = t.resource(dict(pairs))
            elif n == 2 and k == 2:
                scopes.append(part)
        for scope in scopes:
            for n, k, item in _fields(scope, f"{at} scope"):
                if n == 2 and k == 2:
                    _item(item, service, t, f"{at} item")


def _item(item: bytes, service: str, t: Telemetry, at: str) -> None:
    """A span has a trace id in its first field, a metric its name; a log record begins with times."""
    fields = list(_fields(item, at))
    first = next((v for n, k, v in fields if n == 1), None)
    ids = next((v for n, k, v in fields if n == 2 and k == 2), b"")
    if isinstance(first, bytes) and len(first) == 16 and len(ids) == 8:
        _span(fields, service, t, at)
    elif isinstance(first, bytes):
        points = 0
        for n, k, data in fields:
            if n in (5, 7, 9, 10, 11) and k == 2:
                points += sum(i == 1 and j == 2 for i, j, _ in _fields(data, at))
        t.other(service, points=points)
    else:
        t.other(service, logs=1)


def _span(fields: list[tuple[int, int, Any]], service: str, t: Telemetry, at: str) -> None:
    said: dict[int, Any] = {n: v for n, k, v in fields}
    status = 0
    if isinstance(said.get(15), bytes):
        status = next((v for n, k, v in _fields(said[15], at) if n == 3 and k == 0), 0)
    name = said.get(5, b"")
    t.span(
        service,
        said[1],
        bool(said.get(4)),
        name.decode("utf-8", "replace") if isinstance(name, bytes) else "",
        said.get(7, 0) if isinstance(said.get(7, 0), int) else 0,
        said.get(8, 0) if isinstance(said.get(8, 0), int) else 0,
        status,
    )


def _pair(raw: bytes, at: str) -> tuple[str, str]:
    """A KeyValue whose value is text; others have none."""
    key = value = ""
    for n, k, part in _fields(raw, at):
        if n == 1 and k == 2:
            key = part.decode("utf-8", "replace")
        elif n == 2 and k == 2:
            value = next((v.decode("utf-8", "replace") for i, j, v in _fields(part, at) if i == 1 and j == 2), "")
    return key, value


def _fields(raw: bytes, at: str) -> Iterator[tuple[int, int, Any]]:
    """(number, wire type, value) of each field: whole numbers for 0, 1 and 5, bytes for 2."""
    i, end = 0, len(raw)
    while i < end:
        tag, i = _varint(raw, i, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value: Any
            value, i = _varint(raw, i, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, i = int.from_bytes(raw[i : i + size], "little"), i + size
        elif kind == 2:
            size, i = _varint(raw, i, at)
            value, i = raw[i : i + size], i + size
        else:
            raise Refused("otlp.protobuf", at=f"{at} byte {i}", found=f"wire type {kind}", expected="0, 1, 2 or 5")
        if i > end or number == 0:
            raise Refused("otlp.protobuf", at=f"{at} byte {min(i, end)}", found="a field beyond the end", expected="a whole message")
        yield number, kind, value


def _varint(raw: bytes, i: int, at: str) -> tuple[int, int]:
    value = shift = 0
    while i < len(raw) and shift < 70:
        byte = raw[i]
        value |= (byte & 0x7F) << shift
        i, shift = i + 1, shift + 7
        if byte < 0x80:
            return value, i
    raise Refused("otlp.protobuf", at=f"{at} byte {i}", found="a number without its end", expected="a whole message")
