"""What a load test says: what was asked of it, under which conditions, and with which errors."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence.readers import load, read
from release_dossier.evidence.reading import Reading
from tests.evidence.samples import FOLDER


def says(raw: Any, **more: Any) -> Reading:
    text = raw if isinstance(raw, str) else json.dumps(raw)
    return read(io.BytesIO(text.encode()), **more)


def k6(p95: float = 100.0, failed: float = 0.0, threshold: str = "", held: bool = True, of: str = "http_req_duration") -> dict[str, Any]:
    metrics: dict[str, Any] = {
        "http_req_duration": {"values": {"p(95)": p95, "med": p95 / 2, "max": p95 * 2}},
        "http_reqs": {"values": {"count": 1000, "rate": 50.0}},
        "http_req_failed": {"values": {"rate": failed}},
    }
    if threshold:
        metrics[of]["thresholds"] = {threshold: {"ok": held}}
    return {"metrics": metrics}


@pytest.mark.parametrize(
    ("raw", "expectations", "verdict"),
    [
        (k6(), {}, "inconclusive"),
        (k6(), {"budget": "p95 <= 100 ms"}, "pass"),
        (k6(), {"budget": "p95 < 0.1 s"}, "fail"),
        (k6(), {"budget": "p95 <= 0.1 s, throughput >= 50 /s"}, "pass"),
        (k6(), {"budget": "p99 <= 1 s"}, "inconclusive"),
        (k6(failed=0.02), {"budget": "p95 <= 100 ms"}, "inconclusive"),
        (k6(failed=0.02), {"budget": "p95 <= 100 ms, error_rate <= 2 %"}, "pass"),
        (k6(failed=0.02), {"budget": "error_rate < 2 %"}, "fail"),
        (k6(threshold="p(95)<500"), {}, "pass"),
        (k6(threshold="p(95)<50", held=False), {}, "fail"),
        (k6(threshold="p(95)<500"), {"load_generator": "shared"}, "inconclusive"),
        (k6(threshold="p(95)<50", held=False), {"load_generator": "on the same machine"}, "inconclusive"),
        (k6(failed=0.02, threshold="rate<0.01", held=False, of="http_req_failed"), {"load_generator": "shared"}, "fail"),
        (k6(), {"budget": "p95 <= 200 ms", "target_rate": "50"}, "pass"),
        (k6(), {"budget": "p95 <= 200 ms", "target_rate": "100"}, "inconclusive"),
    ],
)
def test_what_was_asked(raw: Any, expectations: dict[str, str], verdict: str) -> None:
    """Budgets and thresholds decide; errors nobody allowed leave a quick answer open; beside its generator a figure is no capacity."""
    r = says(raw, expectations=expectations)
    assert r.verdict == verdict
    assert (r.counterexamples_total > 0) is (verdict == "fail")
    assert bool(r.cause) is (verdict == "inconclusive")


BASE = says(k6(100.0), expectations={"load_generator": "shared", "machine": "2 vCPU"}).as_json()


@pytest.mark.parametrize(
    ("now", "expectations", "verdict"),
    [
        (k6(105.0), {"machine": "2 vCPU", "load_generator": "shared"}, "pass"),
        (k6(120.0), {"machine": "2 vCPU", "load_generator": "shared"}, "fail"),
        (k6(105.0), {"machine": "8 vCPU", "load_generator": "shared"}, "inconclusive"),
        (k6(105.0), {"machine": "2 vCPU"}, "inconclusive"),
        (k6(105.0), {"machine": "2 vCPU", "load_generator": "shared", "budget": "p95 <= 1 s"}, "inconclusive"),
    ],
)
def test_beside_a_base_measured_alike(now: Any, expectations: dict[str, str], verdict: str) -> None:
    """A comparison stands where both were measured alike, even where a budget does not; another size of machine is another topology."""
    more = {"slower_max_percent": "10"} | expectations
    assert says(now, asked={"base": BASE}, expectations=more).verdict == verdict
    assert says(now, expectations=more).verdict == "inconclusive"


@pytest.mark.parametrize("around", [{"cpu_percent_max": 99.0}, {"load_average": 9.5, "processors": 2}, {"load_generator": "shared"}])
def test_an_overloaded_host(around: dict[str, Any]) -> None:
    """Busy processors or a load above their number are not fit for absolute budgets."""
    raw, budget = k6(), {"budget": "p95 <= 1 s"}
    assert says(raw, expectations=budget).verdict == "pass"
    assert says(raw, expectations=budget, asked={"environment": around}).verdict == "inconclusive"


@pytest.mark.parametrize("budget", ["p95 <= 100", "p95 <= 1 %", "error_rate <= 5 ms", "throughput >= 5 s", "p95 = 5 ms", "speed <= 5 ms"])
def test_a_budget_without_a_unit(budget: str) -> None:
    """A budget says what, how it compares, how much and in which unit; anything else is refused."""
    with pytest.raises(Refused) as e:
        says(k6(), expectations={"budget": budget})
    assert e.value.at == "expectations.budget"


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("78.27ms", 78.27),
        ("55.33us", 0.05533),
        ("1.5s", 1500.0),
        ("83.33m", 4999800.0),
        ("1m2s", 62000.0),
        ("5µs", 0.005),
        ("2 secs", 2000.0),
    ],
)
def test_durations(text: str, ms: float) -> None:
    """Every unit becomes milliseconds; what is no duration is none, not zero."""
    assert load.milliseconds(text) == pytest.approx(ms)
    assert [load.milliseconds(x) for x in ("", "5", "N/A", "ms", "5 parsecs", "5ms and more")] == [None] * 6


FIGURES = {
    "gatling.json": {"latency_p50": 10, "latency_p95": 40, "latency_max": 300, "throughput": 10.0},
    "gatling-log.log": {"latency_p50": 42.0, "latency_max": 200.0},
    "hey.txt": {"latency_p95": 30.2, "latency_max": 91.1, "throughput": 166.1958, "error_rate": 0.01},
    "jmeter-csv.jtl": {"latency_p50": 51.5, "latency_max": 900.0, "throughput": 3.636364},
    "jmeter-xml.jtl": {"latency_p50": 61.0, "latency_max": 78.0},
    "k6-stream.ndjson": {"latency_p50": 13.625, "latency_p95": 363.875, "error_rate": 0.166666667, "throughput": 1.2},
    "locust.csv": {"latency_p95": 33.0, "latency_p99": 110.0, "throughput": 16.66, "error_rate": 0.003},
    "vegeta.json": {"latency_p95": 3.478629, "latency_max": 3.660505, "target_rate": 111.11, "error_rate": 0.002},
    "wrk.txt": {"latency_p50": 6.67, "latency_p99.9": 12.3, "throughput": 2000.28, "latency_max": 12.34},
}


@pytest.mark.parametrize("file", list(FIGURES))
def test_figures_keep_their_unit(file: str) -> None:
    """Nanoseconds, microseconds and seconds of the tools are milliseconds here; a rate is a second's."""
    r = says((FOLDER / file).read_text(), exit_status=0)
    assert {n: r.facts[n].value for n in FIGURES[file]} == pytest.approx(FIGURES[file])
    assert {f.unit for n, f in r.facts.items() if n.startswith("latency")} == {"ms"}


@pytest.mark.parametrize(
    ("raw", "file"), [(b"Requests/sec:   2000.28\nTransfer/sec:    676.18KB\n", "wrk.txt"), (b",Aggregated,1000", "locust.csv")]
)
def test_a_page_that_does_not_end(raw: bytes, file: str) -> None:
    """A page without the line that ends it was cut off, whatever stands in it."""
    text = (FOLDER / file).read_bytes()
    r = read(io.BytesIO(text[: text.index(raw)]), exit_status=0, expectations={"budget": "p50 <= 1 s, error_rate <= 1 %"})
    assert r.verdict in ("missing", "inconclusive")
    assert r.of is None or r.of == 0


def test_a_report_by_hand() -> None:
    """Which of its runs counts must be said; its result is the author's, its figure keeps its unit, and the machine is a condition."""
    raw = (FOLDER / "capacity-report.md").read_text()
    r = says(raw)
    assert (r.verdict, r.facts["runs"].value, r.facts["machine"].value) == (
        "inconclusive",
        4,
        "DigitalOcean Basic, DO-Regular, 1 CPU, 957 MiB",
    )
    r = says(raw, expectations={"run": "5m 35/sec"})
    assert (r.verdict, r.looked_at, r.of, r.facts["latency_p95"].value) == ("pass", 1, 1, 720.0)
    assert says(raw, expectations={"run": "9m"}).verdict == "inconclusive"


def test_many_values_in_bounded_memory() -> None:
    """Beyond what is kept one by one percentiles stay within a thousandth."""
    d = load.Distribution()
    for i in range(250_000):
        d.add(float((i * 7919) % 250_000))
    found = d.percentiles(50, 95, 99)
    assert d.exact is None
    assert len(d.steps) < 20_000
    assert found == pytest.approx({50: 125_000, 95: 237_500, 99: 247_500}, rel=0.0011)


def test_figures_carry_their_sample_size() -> None:
    """A percentile and a rate of errors say over how many requests; a throughput or a count is no average of anything."""
    facts = says(k6()).facts
    assert (facts["latency_p95"].samples, facts["error_rate"].samples) == (1000, 1000)
    assert (facts["throughput"].samples, facts["requests"].samples) == (None, None)
