"""One sample of each format: cut small from files real tools wrote, or written as the tool's documentation shows it.

`exit` is what must come with a format that can end anywhere. `flip` turns what is good in it into what is not: the verdict turns too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).with_name("samples")


class Sample(NamedTuple):
    """See the module. `verdict` is the sample's own, with `exit` and `asked`; `delimited`: cut anywhere, it can be told from whole."""

    format: str
    file: str
    kind: str
    looked_at: int
    flip: tuple[bytes, bytes] | None
    delimited: bool = True
    exit: int | None = None
    expectations: dict[str, str] = {}  # noqa: RUF012
    asked: dict[str, Any] = {}  # noqa: RUF012
    verdict: str = "pass"

    def raw(self) -> bytes:
        return (FOLDER / self.file).read_bytes()


HALF = {"minimum_percent": "40"}
JINJA = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "statements": [
        {"vulnerability": "CVE-2026-3333", "status": "fixed", "products": ["pkg:pypi/jinja2@3.1.2"], "timestamp": "2026-11-20T09:00:00Z"}
    ],
}
ERRORS = {"fail_on": "error"}
HIGH = {"fail_on": "high"}
LOAD = {"budget": "p95 <= 1 s, error_rate <= 1 %"}
SAMPLES: tuple[Sample, ...] = (
    Sample(
        "capacity-report",
        "capacity-report.md",
        "latency",
        1,
        (b"| Pass | `2100/2100`", b"| Fail | `2100/2100`"),
        False,
        None,
        {"run": "1m 35/sec"},
    ),
    Sample("clover", "clover.xml", "coverage", 2, (b'coveredstatements="2"', b'coveredstatements="3"')),
    Sample("cobertura", "cobertura.xml", "coverage", 2, (b'number="1" hits="3"', b'number="1" hits="0"'), expectations=HALF),
    Sample("coverage-py", "coverage-py.json", "coverage", 4, (b'"num_statements": 6', b'"num_statements": 7')),
    Sample("dotnet-xml", "dotnet-xml.xml", "tests", 2, (b'result="Pass"', b'result="Fail"')),
    Sample("gatling", "gatling.json", "latency", 600, (b'"ko": 2', b'"ko": 9'), expectations=LOAD),
    Sample("gatling-log", "gatling-log.log", "latency", 3, (b"\tOK\t", b"\tKO\t"), False, 0, LOAD),
    Sample("go-cover", "go-cover.out", "coverage", 38, (b" 1\n", b" x\n"), False, 0),
    Sample("hey", "hey.txt", "latency", 200, (b"[503]\t2 ", b"[503]\t9 "), False, 0, LOAD),
    Sample("istanbul-summary", "istanbul-summary.json", "coverage", 6, (b'"covered": 6', b'"covered": 7')),
    Sample("jacoco", "jacoco.xml", "coverage", 2, (b'ci="3"', b'ci="0"'), expectations=HALF),
    Sample("jmeter-csv", "jmeter-csv.jtl", "latency", 4, (b"text,true,,512", b"text,false,,512"), False, 0, LOAD),
    Sample("jmeter-xml", "jmeter-xml.jtl", "latency", 3, (b"<failure>false", b"<failure>true"), expectations=LOAD),
    Sample("k6-stream", "k6-stream.ndjson", "latency", 6, (b"p(95)<500", b"p(95)<100"), False, 0),
    Sample("lcov", "lcov.info", "coverage", 35, (b"LH:2", b"LH:3"), False, 0),
    Sample("cyclonedx", "cyclonedx.json", "sbom", 6, (b'"type": "library"', b'"type": "thing"')),
    Sample("cyclonedx-xml", "cyclonedx-xml.xml", "sbom", 4, (b'<component bom-ref="pkg', b'<component type="x" bom-ref="pkg')),
    Sample("load-dossier", "load-dossier.json", "latency", 75001, (b'"decision": "pass"', b'"decision": "fail"')),
    Sample("locust", "locust.csv", "latency", 1000, (b"400,3,", b"400,9,"), expectations=LOAD),
    Sample("spdx", "spdx.json", "sbom", 6, (b'"downloadLocation"', b'"downloadPlace"')),
    Sample("spdx-tag-value", "spdx-tag-value.spdx", "sbom", 3, (b"PackageDownloadLocation", b"PackageDownloadPlace"), False, 0),
    Sample("spdx3", "spdx3.json", "sbom", 2, (b'"name": "github.com', b'"nome": "github.com')),
    Sample("syft-json", "syft-json.json", "sbom", 5, (b'"name": "github.com', b'"nome": "github.com')),
    Sample("vegeta", "vegeta.json", "latency", 1000, (b'"success": 0.998', b'"success": 0.9'), expectations=LOAD),
    Sample(
        "wrk",
        "wrk.txt",
        "latency",
        60018,
        (b"responses: 12", b"responses: 1200"),
        expectations=LOAD | {"budget": "p99 <= 1 s, error_rate <= 1 %"},
    ),
    Sample("csaf", "csaf.json", "vulnerabilities", 1, (b"known_not_affected", b"known_affected"), verdict="inconclusive"),
    Sample("cyclonedx-vex", "cyclonedx-vex.json", "vulnerabilities", 1, (b"not_affected", b"exploitable"), verdict="inconclusive"),
    Sample("govulncheck", "govulncheck.json", "vulnerabilities", 3, (b'x/net/html"', b'x/net/html", "function": "Parse"'), False, 0),
    Sample("grype", "grype.json", "vulnerabilities", 33, (b'"Low"', b'"Critical"'), expectations=HIGH | {"packages": "33"}),
    Sample(
        "npm-audit",
        "npm-audit.json",
        "vulnerabilities",
        472,
        (b'"severity": "low",\n          "cwe"', b'"severity": "high",\n          "cwe"'),
        expectations=HIGH,
    ),
    Sample("openvex", "openvex.json", "vulnerabilities", 1, (b"not_affected", b"affected"), verdict="inconclusive"),
    Sample("osv-scanner", "osv-scanner.json", "vulnerabilities", 3, (b'"5.3"', b'"9.3"'), expectations=HIGH),
    Sample("pip-audit", "pip-audit.json", "vulnerabilities", 2, None, asked={"vex": [JINJA]}),
    Sample("trivy", "trivy.json", "vulnerabilities", 2, (b'"LOW"', b'"HIGH"'), expectations=HIGH),
    Sample("actionlint", "actionlint.json", "static-analysis", 1, None, verdict="fail"),
    Sample("bandit", "bandit.json", "static-analysis", 1, (b'"issue_severity": "LOW"', b'"issue_severity": "HIGH"'), expectations=ERRORS),
    Sample("checkstyle", "checkstyle.xml", "static-analysis", 1, (b'"warning"', b'"error"'), expectations=ERRORS),
    Sample("eslint", "eslint.json", "static-analysis", 1, (b'"severity": 1', b'"severity": 2'), expectations=ERRORS),
    Sample("golangci-lint", "golangci-lint.json", "static-analysis", 1, (b'"warning"', b'"error"'), expectations=ERRORS),
    Sample("gosec", "gosec.json", "static-analysis", 1, (b'"LOW"', b'"HIGH"'), expectations=ERRORS),
    Sample("semgrep", "semgrep.json", "static-analysis", 1, (b'"INFO"', b'"ERROR"'), expectations=ERRORS),
    Sample("staticcheck", "staticcheck.ndjson", "static-analysis", 1, (b'"warning"', b'"error"'), False, 0, ERRORS),
    Sample("zizmor", "zizmor.json", "static-analysis", 1, (b'"severity": "Low"', b'"severity": "High"'), expectations=ERRORS),
    Sample("benchmark-dotnet", "benchmark-dotnet.json", "benchmarks", 1, (b'"Statistics": {', b'"Statistics": null, "Was": {')),
    Sample("benchstat", "benchstat.csv", "benchmarks", 9, (b"~,p=1.000", b"+90.00%,p=0.002"), False, 0),
    Sample("go-bench", "go-bench.txt", "benchmarks", 2, (b"PASS", b"FAIL"), False, 0),
    Sample("hyperfine", "hyperfine.json", "benchmarks", 1, (b'"exit_codes": [\n    0', b'"exit_codes": [\n    1')),
    Sample("jmh", "jmh.json", "benchmarks", 1, (b'"scoreUnit"', b'"scoreIn"')),
    Sample("pytest-benchmark", "pytest-benchmark.json", "benchmarks", 1, (b'"rounds": 40', b'"rounds": 0')),
    Sample("collapsed-stacks", "collapsed-stacks.txt", "profile", 3, (b"settle 12", b"settle twelve"), False, 0),
    Sample("pprof", "pprof.pb.gz", "profile", 15, None),
    Sample("pprof-cpu", "pprof-cpu.prof", "profile", 2, None, False),
    Sample("pprof-text", "pprof-text.heap", "profile", 2, (b"[     1:", b"[     x:"), False),
    Sample("speedscope", "speedscope.json", "profile", 3, (b'"type": "C"', b'"type": "O"')),
    Sample("pg-stat-statements", "pg-stat-statements.csv", "database", 3, (b",600,90,", b",600,much,"), False, 0),
    Sample("pg-stat-user-tables", "pg-stat-user-tables.json", "database", 2, (b'"n_live_tup": 40', b'"n_live_tup": null')),
    Sample("pg-waits", "pg-waits.ndjson", "database", 3, (b'"granted": true', b'"granted": 7'), False, 0),
    Sample("ctrf", "ctrf.json", "tests", 2, (b'"passed": 2', b'"passed": 1')),
    Sample("fire-drill", "fire-drill.ndjson", "alert-coverage", 1, None, expectations={"alerts": "ShopDown"}),
    Sample(
        "go-test-json",
        "go-test-json.ndjson",
        "tests",
        1,
        (b'"pass", "Package": "shop/pay", "Test"', b'"fail", "Package": "shop/pay", "Test"'),
        False,
        0,
    ),
    Sample("go-vet-json", "go-vet-json.json", "static-analysis", 3, None, False, 0),
    Sample(
        "junit",
        "junit.xml",
        "tests",
        2,
        (b'<testcase classname="tests.pay" name="rounds" time="0.01"/>', b'<testcase name="rounds"><failure/></testcase>'),
    ),
    Sample("k6-summary", "k6-summary.json", "latency", 856, (b'"rate<0.05": false', b'"rate<0.05": true')),
    Sample("promtool", "promtool.txt", "alert-coverage", 9, (b"SUCCESS: 7 rules found", b"FAILED: no rules"), False, 0),
    Sample("pytest-json", "pytest-json.json", "tests", 2, (b'"outcome": "passed"', b'"outcome": "failed"')),
    Sample("replay-scenarios", "replay-scenarios.json", "replay-protection", 2, (b'"201": 1', b'"201": 2')),
    Sample("sarif", "sarif.sarif", "static-analysis", 1, (b'"level": "note",\n     "message"', b'"level": "error",\n     "message"')),
    Sample("tap", "tap.tap", "tests", 2, (b"ok 1", b"not ok 1"), False),
    Sample("vitest-json", "vitest-json.json", "tests", 2, (b'"numFailedTests": 0', b'"numFailedTests": 1')),
)
