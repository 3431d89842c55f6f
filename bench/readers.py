"""Readers on large files: MB per second of processor time and peak memory of a process that reads one, beside the format's usual tool over
the same file, where it is installed. `bench/readers.py gigabyte` reads 1 GiB of go test -json and of k6's stream instead: at most 300 MiB,
or it ends with 1.

Files are made here, of the shapes the tools write. Peers do less: jq parses and counts, ours refuses a key that is there twice, follows
every test to its end and keeps percentiles; that, in Python beside C, is why it is slower.
"""

from __future__ import annotations

import gzip
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
MIB = 1024 * 1024
MEMORY_MIB_MAX = 300
READ = """
import sys
from pathlib import Path
from release_dossier.evidence.readers import read
from release_dossier.sources.files import open_evidence
with open_evidence(Path(sys.argv[1])) as f:
    r = read(f, format=sys.argv[2], exit_status=0)
assert r.looked_at > 0, r
print(r.verdict, r.looked_at)
"""


def go_test() -> Iterator[str]:
    n = 0
    while True:
        package, n = f"shop/p{n // 50}", n + 1
        if n % 50 == 1:
            yield json.dumps({"Time": "2026-11-23T01:16:11.512345678Z", "Action": "start", "Package": package}) + "\n"
        said = [("output", {"Output": f"    pay_test.go:{i}: step {i} of case {n}\n"}) for i in range(12)]  # a test of a large suite logs
        for action, more in (("run", {}), *said, ("pass", {"Elapsed": 0.01})):
            event = {"Time": "2026-11-23T01:16:11.512345678Z", "Action": action, "Package": package, "Test": f"TestPay/case_{n}"}
            yield json.dumps(event | more) + "\n"
        if n % 50 == 0:
            yield json.dumps({"Time": "2026-11-23T01:16:12Z", "Action": "pass", "Package": package, "Elapsed": 1.2}) + "\n"


def k6() -> Iterator[str]:
    n = 0
    while True:
        n += 1
        tags = {
            "expected_response": "true",
            "method": "POST",
            "name": "http://localhost:8080/v0/bet",
            "scenario": "default",
            "status": "201",
        }
        for metric, value in (("http_reqs", 1), ("http_req_duration", 3 + n * 7919 % 10_000 / 100), ("http_req_failed", 0)):
            point = {"time": "2026-11-20T10:00:00.123456789Z", "value": value, "tags": tags}
            yield json.dumps({"metric": metric, "type": "Point", "data": point}) + "\n"


def junit() -> Iterator[str]:
    yield '<?xml version="1.0"?><testsuites>'
    n = 0
    while True:
        n += 1
        cases = "".join(f'<testcase classname="shop.pay.T{n}" name="rounds case {i} of many" time="0.012"/>' for i in range(100))
        yield f'<testsuite name="s{n}" tests="100" failures="0">{cases}</testsuite>\n'


def jmeter() -> Iterator[str]:
    yield "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,sentBytes,grpThreads\n"
    n = 0
    while True:
        n += 1
        yield f"{1_763_632_800_000 + n},{3 + n * 7919 % 900},POST /v0/bet,201,Created,Users 1-{n % 50},text,true,,512,300,50\n"


def go_cover() -> Iterator[str]:
    yield "mode: atomic\n"
    n = 0
    while True:
        n += 1
        yield f"shop/internal/domain/p{n // 400}/f{n // 40}.go:{n % 40 * 5 + 1}.20,{n % 40 * 5 + 4}.3 3 {n % 3}\n"


def go_bench() -> Iterator[str]:
    yield "goos: linux\ngoarch: amd64\npkg: shop/pay\n"
    n = 0
    while True:
        n += 1
        yield f"BenchmarkSettle/bets={n % 200}-2 \t{100 + n % 7}\t{103940 + n % 999} ns/op\t6817 B/op\t44 allocs/op\n"


def collapsed() -> Iterator[str]:
    n = 0
    while True:
        n += 1
        yield ";".join(f"frame_{(n * k) % 997}" for k in range(1, 12)) + f" {n % 9 + 1}\n"


def sarif() -> Iterator[str]:
    yield '{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"lint"}},"invocations":[{"executionSuccessful":true}],"results":['
    n = 0
    while True:
        n += 1
        place = {"physicalLocation": {"artifactLocation": {"uri": f"a/f{n}.go"}, "region": {"startLine": n % 900 + 1}}}
        yield ("," if n > 1 else "") + json.dumps(
            {"ruleId": f"R{n % 40}", "level": "note", "message": {"text": f"finding {n}"}, "locations": [place]}
        )


def cyclonedx() -> Iterator[str]:
    yield '{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":['
    n = 0
    while True:
        n += 1
        licence = [{"license": {"id": "MIT"}}]
        part = {
            "type": "library",
            "bom-ref": f"r{n}",
            "name": f"part-{n}",
            "version": "1.2.3",
            "purl": f"pkg:npm/part-{n}@1.2.3",
            "licenses": licence,
        }
        yield ("," if n > 1 else "") + json.dumps(part)


def pprof() -> Iterator[bytes]:
    """A CPU profile in one piece: 200,000 samples of ten frames over 2,000 functions, packed as Go packs it."""

    def varint(n: int) -> bytes:
        out = bytearray()
        while n > 127:
            out.append(n & 127 | 128)
            n >>= 7
        return bytes([*out, n])

    def number(field: int, n: int) -> bytes:
        return varint(field << 3) + varint(n)

    def part(field: int, content: bytes) -> bytes:
        return varint(field << 3 | 2) + varint(len(content)) + content

    words = ["", "samples", "count", "cpu", "nanoseconds", "main.go", *(f"shop/p{i // 40}.Frame{i}" for i in range(2_000))]
    out = bytearray(part(1, number(1, 1) + number(2, 2)) + part(1, number(1, 3) + number(2, 4)))
    for n in range(200_000):
        stack = b"".join(varint(1 + (n * k) % 2_000) for k in range(1, 11))
        out += part(2, part(1, stack) + part(2, varint(1) + varint(10_000_000)))
    for i in range(1, 2_001):
        out += part(4, number(1, i) + number(3, 4096 + i) + part(4, number(1, i) + number(2, i % 900)))
        out += part(5, number(1, i) + number(2, 5 + i) + number(3, 5 + i) + number(4, 5))
    out += b"".join(part(6, w.encode()) for w in words) + part(11, number(1, 3) + number(2, 4)) + number(12, 10_000_000)
    yield gzip.compress(bytes(out), 6)


def rules() -> Iterator[str]:
    yield "groups:\n- name: shop\n  rules:\n"
    n = 0
    while True:
        n += 1
        yield (
            f'  - alert: ShopLate{n}\n    expr: histogram_quantile(0.95, sum by (le) (rate(http_bucket{{shard="{n}"}}[5m]))) > 0.3\n'
            f"    for: 5m\n    labels: {{severity: page, service: shop}}\n    annotations: {{runbook_url: https://example.invalid/{n}}}\n"
        )


JQ_LINES, JQ_WHOLE = "reduce inputs as $x (0; . + 1)", "[.. | objects] | length"
Case = tuple[str, Callable[[], Iterator[str | bytes]], str, int, list[tuple[str, list[str]]]]
# format · its lines · what closes it · MiB · peers: a name, and a command with FILE
CASES: tuple[Case, ...] = (
    (
        "go-test-json",
        go_test,
        "",
        32,
        [("jq", ["jq", "-n", JQ_LINES, "FILE"]), ("gotestsum", ["gotestsum", "--raw-command", "--", "cat", "FILE"])],
    ),
    ("k6-stream", k6, "", 32, [("jq", ["jq", "-n", JQ_LINES, "FILE"])]),
    (
        "junit",
        junit,
        "</testsuites>",
        16,
        [("junitparser", [sys.executable, "-c", "import sys,junitparser;len(list(junitparser.JUnitXml.fromfile(sys.argv[1])))", "FILE"])],
    ),
    ("jmeter-csv", jmeter, "", 32, [("awk", ["awk", "-F,", "{n++; s+=$2} END {print s/n}", "FILE"])]),
    ("go-cover", go_cover, "", 16, []),
    ("go-bench", go_bench, "", 8, [("benchstat", ["benchstat", "FILE"])]),
    ("collapsed-stacks", collapsed, "", 16, []),
    ("pprof", pprof, "", 1, [("go tool pprof", ["go", "tool", "pprof", "-top", "-nodecount=5", "FILE"])]),
    ("prometheus-rules", rules, "", 1, [("promtool", ["promtool", "check", "rules", "FILE"])]),
    ("sarif", sarif, "]}]}", 16, [("jq", ["jq", JQ_WHOLE, "FILE"])]),
    ("cyclonedx", cyclonedx, "]}", 16, [("jq", ["jq", JQ_WHOLE, "FILE"])]),
)


def made(case: Case, file: Path, mib: int) -> int:
    """Write the file; its size in bytes."""
    size, piece = 0, b""
    with file.open("wb") as f:
        for made_next in case[1]():
            piece = made_next if isinstance(made_next, bytes) else made_next.encode()
            size += f.write(piece)
            if size >= mib * MIB:
                break
        if case[0] == "go-test-json":  # the last package ends too
            f.write("".join(_ends(piece)).encode())
        f.write(case[2].encode())
    return file.stat().st_size


def _ends(last: bytes) -> Iterator[str]:
    event = json.loads(last)
    if event.get("Test") and event["Action"] != "pass":
        yield json.dumps(event | {"Action": "pass"}) + "\n"
    yield json.dumps({"Time": event["Time"], "Action": "pass", "Package": event["Package"]}) + "\n"


def measured(command: list[str]) -> tuple[float, float, int, str]:
    """(seconds, peak MiB, exit status, what it said) of a process."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = used.ru_utime + used.ru_stime  # what other processes of a shared machine take is not in it
        out.seek(0)
        return seconds, used.ru_maxrss / 1024, child.returncode, out.read(300).decode("utf-8", "replace")


def bench(case: Case, folder: Path, mib: int) -> list[dict[str, object]]:
    """Ours, then each peer that is installed, over one file."""
    file = folder / case[0]
    size = made(case, file, mib) / 1e6
    commands = [("ours", [sys.executable, "-c", READ, str(file), case[0]])]
    commands += [(name, [str(file) if x == "FILE" else x for x in command]) for name, command in case[4] if shutil.which(command[0])]
    out = []
    for name, command in commands:
        seconds, memory, status, said = measured(command)
        if name == "ours" and status:
            sys.exit(f"{case[0]}: {said}")
        if not status:
            figures = {"name": f"{case[0]} {name}", "value": round(size / seconds, 2), "unit": "MB per processor second"}
            figures |= {"memory_mib": round(memory, 1), "file_mb": round(size, 1)}
            print(f"{case[0]:18} {name:12} {size / seconds:9.1f} MB/s {memory:8.0f} MiB   {size:7.0f} MB", flush=True)
            out.append(figures)
    file.unlink()
    return out


def main() -> int:
    whole = sys.argv[1:] == ["gigabyte"]
    figures: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as d:
        for case in CASES:
            if not whole:
                figures += bench(case, Path(d), case[3])
            elif case[0] in ("go-test-json", "k6-stream"):
                figures += bench((*case[:4], []), Path(d), 1024)
    RESULTS.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
    (RESULTS / f"readers{'-gigabyte' if whole else ''}.json").write_text(
        json.dumps({"machine": machine, "figures": figures}, indent=1) + "\n"
    )
    over = [f for f in figures if whole and float(str(f["memory_mib"])) > MEMORY_MIB_MAX]
    for f in over:
        print(f"{f['name']}: {f['memory_mib']} MiB, {MEMORY_MIB_MAX} are allowed")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
