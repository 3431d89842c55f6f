"""k6's summary: `--summary-export` (thresholds say whether they were crossed), `handleSummary` (they say whether they held), and
`--new-machine-readable-summary`, which holds no thresholds: its exit status says that one was crossed, and nothing that any was asked for.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.errors import Refused
from release_dossier.evidence.readers import load
from release_dossier.evidence.readers.given import Given, count, mapping, objects, whole_json, word
from release_dossier.evidence.reading import Reading

NAME = "k6-summary"
_CROSSED = 99  # k6's exit status when a threshold was crossed


def recognises(head: bytes) -> bool:
    """An object with k6's metrics."""
    return (
        head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
        and b'"metrics"' in head
        and (b'"iterations"' in head or b'"http_req' in head or b'"vus' in head)
    )


def read(stream: IO[bytes], given: Given) -> Reading:
    """Thresholds as k6 judged them, figures with their units. No threshold: nothing was asked, so nothing is proved.

    Raises:
        Refused: `k6.shape`, `json.*` (NaN and numbers beyond a double among them).
    """
    report = whole_json(stream)
    metrics = report.get("metrics") if isinstance(report, dict) else None
    if metrics is None and isinstance(report, dict) and (listed := _listed(report)) is not None:
        metrics = listed
    if not isinstance(metrics, dict) or not all(isinstance(m, dict) for m in metrics.values()):
        raise Refused("k6.shape", at="metrics", found=type(metrics).__name__, expected="k6's metrics by name")
    duration, failed, checks, sent = (_values(metrics.get(n, {})) for n in ("http_req_duration", "http_req_failed", "checks", "http_reqs"))
    run = load.Run("k6")
    grpc = _values(metrics.get("grpc_req_duration", {}))
    if not sent and not duration and grpc:
        duration, sent = grpc, _values(metrics.get("iterations", {}))
        run.limits.append("calls of gRPC, counted as iterations")
    run.promised = [(name, words, held) for name, m in sorted(metrics.items()) for words, held in _thresholds(m)]
    if "metrics" not in report and given.exit_status == _CROSSED:
        run.promised.append(("thresholds", "one of those k6 judged, by its exit status", False))
    run.figures = {
        "latency_p50": (duration.get("med", duration.get("p(50)")), "ms"),
        "latency_p95": (duration.get("p(95)"), "ms"),
        "latency_max": (duration.get("max"), "ms"),
        "error_rate": (failed.get("value", failed.get("rate")), "ratio"),
        "checks_rate": (checks.get("value", checks.get("rate")), "ratio"),
        "requests": (sent.get("count"), "requests"),
        "throughput": (sent.get("rate"), "1/s"),
        "latency_p90": (duration.get("p(90)"), "ms"),
        "latency_p99": (duration.get("p(99)"), "ms"),
        "latency_mean": (duration.get("avg"), "ms"),
    }
    run.requests = count(sent.get("count"))
    run.dropped = count(_values(metrics.get("dropped_iterations", {})).get("count"))
    run.limits = [
        "percentiles as k6 computed them, over all requests of the run",
        "where load generator and server ran is not in this file",
    ]
    return load.reading(NAME, run, given)


def _listed(report: dict[str, Any]) -> dict[str, Any] | None:
    """The metrics of the newer summary, named as in the older ones."""
    results = mapping(report.get("results"), "results")
    if not isinstance(results.get("metrics"), list):
        return None
    out: dict[str, Any] = {}
    for m in objects(results["metrics"], "results.metrics"):
        values = {f"p({k[1:]})" if k[:1] == "p" and k[1:].isdecimal() else k: v for k, v in mapping(m.get("values"), "values").items()}
        out[word(m.get("name"))] = {"values": values}
    seconds = mapping(report.get("config"), "config").get("duration")
    sent = out.get("http_reqs", {}).get("values", {})
    if isinstance(seconds, (int, float)) and seconds > 0 and isinstance(sent.get("count"), (int, float)):
        sent["rate"] = round(sent["count"] / seconds, 6)
    for m in objects(mapping(results.get("checks"), "results.checks").get("metrics"), "results.checks.metrics"):
        if m.get("name") == "checks_succeeded":
            out["checks"] = {"values": mapping(m.get("values"), "values")}
    return out


def _values(metric: Any) -> dict[str, Any]:
    if not isinstance(metric, dict):
        return {}
    inner = metric.get("values")
    return inner if isinstance(inner, dict) else metric


def _thresholds(metric: dict[str, Any]) -> list[tuple[str, bool]]:
    """(expression, held). The older shape says true where a threshold was crossed; anything else is taken as crossed."""
    found = metric.get("thresholds", {})
    if not isinstance(found, dict):
        raise Refused("k6.shape", at="thresholds", found=type(found).__name__, expected="an object of expressions")
    return [(str(k), v.get("ok") is True if isinstance(v, dict) else v is False) for k, v in sorted(found.items())]
