"""Benchmarks, profiles and what the database says: samples, spread, stacks and waits, each with its unit."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from release_dossier.evidence.readers import read
from release_dossier.evidence.reading import Reading
from tests.evidence.samples import FOLDER

SHARED = Path(__file__).resolve().parents[3] / "shared"


def says(raw: Any, **more: Any) -> Reading:
    data = raw if isinstance(raw, bytes) else raw.encode() if isinstance(raw, str) else json.dumps(raw).encode()
    return read(io.BytesIO(data), **({"exit_status": 0} | more))


def bench(*values: float, name: str = "BenchmarkSettle-2", unit: str = "ns/op", end: str = "PASS\n") -> str:
    return "pkg: shop\n" + "".join(f"{name} \t 100\t {v} {unit}\t 5 B/op\n" for v in values) + end


@pytest.mark.parametrize(
    ("raw", "more", "want"),
    [
        (bench(100, 110), {}, ("pass", 1, 1)),
        (bench(100) + bench(120), {}, ("pass", 1, 1)),
        (bench(100, end=""), {}, ("inconclusive", 1, None)),
        (bench(100, end="FAIL\n"), {}, ("fail", 1, 2)),
        (bench(100) + "BenchmarkOther \t", {}, ("inconclusive", 1, None)),
        (bench(100), {"exit_status": None}, ("inconclusive", 1, None)),
        (bench(100), {"expectations": {"samples_minimum": "2"}}, ("inconclusive", 1, 1)),
        (bench(100, 101), {"expectations": {"samples_minimum": "2"}}, ("pass", 1, 1)),
    ],
)
def test_go_benchmarks(raw: str, more: dict[str, Any], want: tuple[Any, ...]) -> None:
    """A run says PASS or FAIL at its end; runs put together are samples of the same benchmarks; one sample says nothing of chance."""
    r = says(raw, **more)
    assert (r.verdict, r.looked_at, r.of) == want


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (bench(100, 102), "pass"),
        (bench(130, 131), "fail"),
        (bench(95, 140), "inconclusive"),
        (bench(130), "inconclusive"),
        (bench(130, 131, name="BenchmarkOther"), "inconclusive"),
        (bench(150, 151, unit="MB/s"), "pass"),
    ],
)
def test_beside_the_base(now: str, verdict: str) -> None:
    """Slower is what lies apart from the base and is more than allowed; what overlaps, or is one sample, tells nothing."""
    unit = "MB/s" if "MB/s" in now else "ns/op"
    base = bench(100, 101, unit=unit).encode()
    r = says(now, base=base, expectations={"slower_max_percent": "10"})
    assert r.verdict == verdict
    assert says(
        bench(100, 101, unit=unit), base=bench(130, 131, unit=unit).encode(), expectations={"slower_max_percent": "10"}
    ).verdict == ("fail" if unit == "MB/s" else "pass")


def test_samples_and_spread() -> None:
    """The median with its samples, and the spread in percent of it, by benchmark and unit."""
    r = says(bench(100, 110, 130))
    fact = r.facts["median:shop.BenchmarkSettle-2:ns/op"]
    assert (fact.value, fact.unit, fact.samples) == (110.0, "ns/op", 3)
    assert r.facts["spread:shop.BenchmarkSettle-2:ns/op"].value == 27.273
    assert (r.facts["samples"].value, r.facts["samples_min"].value) == (3, 3)


@pytest.mark.parametrize(
    ("row", "verdict", "looked_at"),
    [
        ("A-2,1,2%,1,2%,~,p=1.000 n=6", "pass", 1),
        ("A-2,1,50%,1,2%,~,p=0.900 n=6", "inconclusive", 0),
        ("A-2,1,2%,2,2%,+90.00%,p=0.002 n=6", "fail", 1),
        ("A-2,1,2%,2,2%,+3.00%,p=0.002 n=6", "pass", 1),
        ("A-2,1,2%,2,2%,-90.00%,p=0.002 n=6", "pass", 1),
        ("A-2,1,∞,1,∞,~,p=1.000 n=1", "inconclusive", 0),
    ],
)
def test_benchstat(row: str, verdict: str, looked_at: int) -> None:
    """A tilde with wide intervals tells nothing; one within the tolerance says that nothing changed; worse beyond it fails."""
    r = says(f",old,,new,,,\n,sec/op,CI,sec/op,CI,vs base,P\n{row}\n")
    assert (r.verdict, r.looked_at, r.of) == (verdict, looked_at, 1)
    assert says(f",old,,new,,,\n,B/s,CI,B/s,CI,vs base,P\nA,1,2%,2,2%,-90.00%,p=0.002 n=6\n").verdict == "fail"  # noqa: F541


def test_benchstat_as_a_table() -> None:
    """The table says what the CSV says."""
    head = "      │   old.txt   │   new.txt        │\n      │   sec/op    │   sec/op   vs base │\n"
    row = "Settle-2   1.530m ±  8%   3.165m ± 3%  +106.86% (p=0.002 n=6)\nOther-2   1.530m ±  1%   1.531m ± 1%  ~ (p=0.589 n=6)\n"
    r = says(head + row)
    assert (r.verdict, r.looked_at, r.of, r.counterexamples[0].where) == ("fail", 2, 2, "Settle-2")


def test_what_failed_did_not_measure() -> None:
    """A command that ended badly, and a benchmark without a result, fail."""
    d = json.loads((FOLDER / "hyperfine.json").read_text())
    d["results"][0]["exit_codes"][1] = 3
    assert says(d).verdict == "fail"
    d = json.loads((FOLDER / "benchmark-dotnet.json").read_text())
    d["Benchmarks"][0]["Statistics"] = None
    r = says(d)
    assert (r.verdict, r.looked_at, r.of) == ("fail", 0, 1)


def test_a_profile_by_function_and_service() -> None:
    """Flat is the innermost frame, cum all of them once; a sample is the service's whose file stands innermost."""
    services = {"services": {"pay-out": ["backend/settle.go"], "web": ["backend/main.go"]}}
    r = says((FOLDER / "speedscope.json").read_bytes(), asked=services)
    assert {n: r.facts[n].value for n in ("total", "flat:settle", "flat:main", "cum:main", "cum:settle")} == {
        "total": 14,
        "flat:settle": 10,
        "flat:main": 4,
        "cum:main": 14,
        "cum:settle": 10,
    }
    assert (r.facts["share_pay_out"].value, r.facts["share_web"].value) == (0.714286, 0.285714)
    r = says("a;a;b 3\na 2\n")
    assert (r.facts["cum:a"].value, r.facts["flat:b"].value, r.facts["total"].value) == (5, 3, 5)


def test_a_go_profile() -> None:
    """What `go tool pprof -top` says of the same file."""
    r = says((FOLDER / "pprof.pb.gz").read_bytes())
    assert (r.facts["total"].value, r.facts["total"].unit, r.facts["sampled"].value) == (390112, "nanoseconds", "delay")
    assert (r.facts["flat:runtime.unlock"].value, r.observed_at) == (383133, "2026-11-23T01:11:10.000Z")


@pytest.mark.parametrize("raw", ["", "a 1\n", "a;b 0\n", '{"$schema": "speedscope", "shared": {"frames": []}, "profiles": []}'])
def test_nothing_sampled(raw: str) -> None:
    """A profile without a sample looked at nothing."""
    if raw:
        r = says(raw, format="collapsed-stacks" if raw[0] == "a" else "speedscope")
        assert (r.verdict in ("missing", "inconclusive"), r.counterexamples) == (True, ())


@pytest.mark.conformance
def test_published_profiles() -> None:
    """The older forms, scaled, sum up to what pprof itself made of them."""
    folder = SHARED / "conformance/07-evidence/profiles/google__pprof/profile/testdata"
    if not folder.exists():
        pytest.skip("needs ../shared: published profiles")
    seen = 0
    for golden in sorted(folder.glob("*.string")):
        file = golden.with_suffix("")
        if not file.exists():
            continue
        body = golden.read_text().partition("Samples:")[2].partition("Locations")[0]
        values = [m for line in body.splitlines() if (m := re.match(r"\s+(\d+)(?:\s+(\d+))?: ", line))]
        total = sum(int(m[2] or m[1]) for m in values)
        assert says(file.read_bytes()).facts["total"].value == total, file.name
        seen += 1
    assert seen >= 9


def test_what_statements_cost() -> None:
    """By statement with its calls, and on each table it names; a statement over two lines is one row."""
    r = says((FOLDER / "pg-stat-statements.csv").read_bytes())
    assert (r.verdict, r.facts["time"].value, r.facts["time"].unit) == ("pass", 5610.75, "ms")
    assert (r.facts["time_of:101"].value, r.facts["time_of:101"].samples) == (5400.25, 1200)
    assert {n: f.value for n, f in r.facts.items() if n.startswith("time_on:")} == {"time_on:bets": 5490.25, "time_on:users": 120.5}


def test_who_waited() -> None:
    """Locks that are not granted wait, by table and by what for; a session waits when it is active and has an event."""
    r = says((FOLDER / "pg-waits.ndjson").read_bytes())
    assert {n: r.facts[n].value for n in ("sessions", "waiting", "moments", "waits_on:users", "waits_for:tuple:ExclusiveLock")} == {
        "sessions": 3,
        "waiting": 2,
        "moments": 2,
        "waits_on:users": 1,
        "waits_for:tuple:ExclusiveLock": 1,
    }
    one = {"pid": 1, "state": "active", "wait_event_type": "Lock", "wait_event": "tuple", "query": "update users set x = 1"}
    r = says([one, one | {"state": "idle"}, one | {"wait_event": None}])
    assert (r.facts["waiting"].value, r.facts["waits_on:users"].value) == (1, 1)


def test_tables_in_use() -> None:
    """What was read and written, scanned and is dead, by table."""
    r = says((FOLDER / "pg-stat-user-tables.json").read_bytes())
    assert {n: r.facts[n].value for n in ("tables", "rows", "read:bets", "written:users", "dead:users", "scans:bets")} == {
        "tables": 2,
        "rows": 12040,
        "read:bets": 120600,
        "written:users": 600,
        "dead:users": 25,
        "scans:bets": 10,
    }
