"""Every reader over every file there is, held against what is known of the files: `make readers`, `make readers DIR=folder`.

1. A folder with a MANIFEST.tsv (path, format, … , exit status, truth) says what its files hold: verdicts, and totals in words.
   `TRUTHS` says which words are which figure of a reading.
2. Of the published suites, a file with a `*.results.json` beside it has the totals named there; one that is broken on purpose,
   as its name or folder says, must not pass.
3. No file may take a reader down, hold it longer than `SECONDS_MAX`, or be read greener than it is. A reader may be more careful
   than the truth where the tool failed.

The page docs/readers.md is written when no folder is named; exit 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from release_dossier.errors import DossierError
from release_dossier.evidence.readers import NAMES, read
from release_dossier.evidence.reading import Reading
from release_dossier.sources.files import open_evidence

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
SECONDS_MAX = 30.0  # a shared machine; the largest file here is 8 MB
SUITES = ("07-evidence", "08-rules-slo", "12-domain", "03-attestations", "01-github-webhooks")
ENDINGS = {  # what a pipeline could have produced; the rest of a suite is documents, sources and expected outputs
    "json", "jsonl", "ndjson", "xml", "sarif", "out", "jtl", "csv", "wrk", "log", "txt", "yaml", "yml", "spdx", "info", "gz", "xz", "pb",
    "prom", "cpu", "heap", "contention", "growth", "tap", "intoto", "sigstore", "rules", "test", "prof", "topproto", "speedscope",
}  # fmt: skip
BROKEN = re.compile(r"corrupt|(?:^|[/_.-])invalid(?:[/_.-]|$)|_fail/bundle|non-xml|empty\.xml")

# format (of the MANIFEST) · what its truth says · the figure of a reading: `of`, `looked_at`, `examples` or a fact
TRUTHS: tuple[tuple[str, str, str], ...] = (
    (r"^go test|^JUnit|^vitest/jest", r"(\d+) (?:tests run|testcase elements|assertions)", "of"),
    (r"^go test|^JUnit", r"(\d+) skip\b", "skipped"),
    (r"^go test|^JUnit", r": .*?(\d+) fail\b", "failed"),
    (r"^vitest/jest", r"(\d+) failed", "failed"),
    (r"^Go cover", r"(\d+) of \d+ statements", "statements_covered"),
    (r"^Go cover", r"of (\d+) statements", "statements"),
    (r"^Cobertura", r"lines covered (\d+)", "lines_covered"),
    (r"^Cobertura", r"lines covered \d+ of (\d+)", "lines"),
    (r"^lcov", r"DA lines (\d+)", "lines"),
    (r"^lcov", r"DA lines \d+, hit (\d+)", "lines_covered"),
    (r"^lcov", r"branches (\d+)", "branches"),
    (r"^Clover", r"'statements': '(\d+)'", "statements"),
    (r"^Clover", r"'coveredstatements': '(\d+)'", "statements_covered"),
    (r"^istanbul json-summary", r'"lines":\{"total":(\d+)', "lines"),
    (r"^istanbul json-summary", r'"lines":\{"total":\d+,"covered":(\d+)', "lines_covered"),
    (r"^istanbul json-summary", r'"branches":\{"total":\d+,"covered":(\d+)', "branches_covered"),
    (r"^SARIF", r"results (\d+)", "results"),
    (r"^SARIF", r"of these suppressed (\d+)", "suppressed"),
    (r"^SARIF", r"by level.* error=(\d+)|by level error=(\d+)", "errors"),
    (r"^go vet", r"(\d+) findings", "results"),
    (r"^CycloneDX", r"(\d+) components", "components"),
    (r"^CycloneDX", r"with licence (\d+)", "components_licensed"),
    (r"^SPDX.*JSON", r"(\d+) packages", "components"),
    (r"^SPDX.*JSON", r"(\d+) with declared licence", "components_licensed"),
    (r"^SPDX.*tag-value", r"(\d+) PackageName", "components"),
    (r"^syft JSON", r"(\d+) artifacts", "components"),
    (r"^Go benchmark", r"(\d+) result lines", "samples"),
    (r"^Go benchmark", r"(\d+) benchmarks", "benchmarks"),
    (r"^benchstat", r"(\d+) (?:comparison )?rows", "rows"),
    (r"^ESLint JSON", r"errors (\d+)", "errors"),
    (r"^ESLint JSON", r"warnings (\d+)", "warnings"),
    (r"^Checkstyle", r"(\d+) error elements", "results"),
    (r"^(?:golangci-lint|gosec) JSON", r"(\d+) issues", "results"),
    (r"^semgrep JSON", r"(\d+) results", "results"),
    (r"^staticcheck JSON", r"(\d+) lines", "results"),
    (r"^(?:zizmor|actionlint) JSON", r"([1-9]\d*) findings", "results"),
    (r"^zizmor JSON", r"High=(\d+)", "errors"),
    (r"^Alertmanager API v2 /alerts", r"(\d+) active alerts", "firing"),
    (r"^Alertmanager API v2 /groups", r"(\d+) groups", "groups"),
    (r"^Alertmanager API v2 /groups", r"(\d+) alerts", "firing"),
    (r"^NDJSON of Alertmanager", r"(\d+) notifications", "notifications"),
    (r"^NDJSON of Alertmanager", r"firing (\d+)", "notifications_firing"),
    (r"^NDJSON of Alertmanager", r"resolved (\d+)", "notifications_resolved"),
    (r"^Prometheus HTTP API v1 /alerts", r"(\d+) alerts:", "active"),
    (r"^Prometheus HTTP API v1 /rules", r"(\d+) groups", "groups"),
    (r"^Prometheus HTTP API v1 /rules", r"(\d+) rules:", "rules"),
    (r"^Prometheus HTTP API v1 /rules", r"(\d+) recording", "recording_rules"),
    (r"^Prometheus HTTP API v1 /targets", r"(\d+) targets", "targets"),
    (r"^Prometheus HTTP API v1 query", r"(\d+) series", "series"),
    (r"^Prometheus HTTP API v1 query", r"(\d+) samples", "samples"),
    (r"^Prometheus HTTP API v1 query", r"NaN samples ([1-9]\d*)", "samples_nan"),
    (r"^Prometheus text exposition", r"(\d+) samples", "samples"),
    (r"^Prometheus text exposition", r"(\d+) TYPE lines", "families"),
    (r"^promtool", r"(\d+) rules in", "rules"),
    (r"^promtool", r"(\d+) files", "files"),
    (r"^OpenSLO", r"(\d+) documents", "documents"),
    (r"^OpenAPI", r"(\d+) paths", "paths"),
    (r"^OpenAPI", r"(\d+) schemas", "schemas"),
    (r"^OpenAPI", r"(\d+) operations", "operations-operations_other"),  # HEAD, OPTIONS and TRACE are not among those counted there
    (r"^oasdiff JSON", r"\b([1-9]\d*) entries", "entries"),
    (r"^oasdiff JSON", r"level 3 \(ERR\) ([1-9]\d*)", "breaking"),
    (r"^oasdiff JSON", r"level 2 \(WARN\) ([1-9]\d*)", "risky"),
    (r"^oasdiff JSON", r"distinct ids ([1-9]\d*)", "rules"),
    (r"^oasdiff JSON", r"distinct operations ([1-9]\d*)", "places"),
    (r"^oasdiff JSON", r"paths.added=(\d+)", "paths_added"),
    (r"^oasdiff JSON", r"paths.modified=(\d+)", "paths_modified"),
    (r"^Sigstore bundle|^in-toto link|^JSON", r"(\d+) signature\(s\)|signatures (\d+)", "signatures"),
    (r"^in-toto link", r"materials (\d+)", "materials"),
    (r"^in-toto link", r"products (\d+)", "products"),
    (r"^SLSA", r"(\d+) resolvedDependencies", "materials"),
    (r"^OTLP", r"(\d+) spans", "spans"),
    (r"^OTLP", r"in (\d+) traces", "traces"),
    (r"^OTLP", r"status ERROR (\d+)", "spans_failed"),
)


@dataclass
class Row:
    """What became of the files of one format."""

    files: int = 0
    read: int = 0
    refused: int = 0
    verdicts: int = 0
    verdicts_right: int = 0
    totals: int = 0
    totals_equal: int = 0
    broken: int = 0
    broken_refused: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Case:
    """One file, and what is known of it. `totals` by figure; `careful`: its tool failed or was cut, so more careful than known is right."""

    file: Path
    name: str
    group: str
    exit_status: int | None = None
    verdict: str | None = None
    totals: dict[str, float] = field(default_factory=dict)
    careful: bool = False
    broken: bool = False
    lint: str = ""  # `good` or `bad`: what the tool of the format itself says of a file of rules
    expectations: dict[str, str] = field(default_factory=dict)


def figure(reading: Reading, name: str) -> Any:
    """`of`, `looked_at`, `examples`, the fact of that name, or one less another (`a-b`); None where there is none."""
    if name == "examples":
        return reading.counterexamples_total
    if name in ("of", "looked_at"):
        return getattr(reading, name)
    if "-" in name:
        a, b = (figure(reading, each) for each in name.split("-"))
        return a - b if a is not None and b is not None else None
    fact = reading.facts.get(name)
    return fact.value if fact else None


def captured(folder: Path) -> Iterator[Case]:
    """The files of a MANIFEST.tsv."""
    for line in (folder / "MANIFEST.tsv").read_text().splitlines()[1:]:
        path, group, *_, status, truth = (f := line.split("\t"))[0], f[1], f[7].strip(), f[8]
        if not (folder / path).exists():
            continue
        known = re.match(r"(PASS|FAIL|INCONCLUSIVE)", truth)
        totals = {}
        for of, words, name in TRUTHS:
            found = re.search(words, truth) if re.search(of, group) else None
            if found:
                totals[name] = float(next(g for g in found.groups() if g is not None))
        yield Case(
            file=folder / path,
            name=path,
            group=group.partition(" (")[0].partition(",")[0],
            exit_status=int(status) if status.isdigit() else None,
            verdict=known[1].lower() if known else None,
            totals=totals,
            careful="broken-" in path or bool(known and known[1] == "PASS" and status not in ("", "0")),
        )


def published(suite: Path) -> Iterator[Case]:
    """The files of a conformance suite, grouped by its folder."""
    for file in sorted(suite.rglob("*")):
        name = file.relative_to(suite).as_posix()
        if not file.is_file() or file.suffix.lstrip(".").lower() not in ENDINGS or file.name.endswith(".results.json"):
            continue
        case = Case(file=file, name=name, group=f"{suite.name}/{name.split('/')[0]}", broken=BROKEN.search(name) is not None)
        beside = file.with_suffix(".results.json")
        if beside.exists() and file.suffix == ".xml":
            stats = json.loads(beside.read_text())["stats"]
            # A run whose parts are more than the whole counted elements, not tests: then what it says of tests is the truth.
            per = "runs" if stats["runs_succ"] >= 0 else "tests"
            failed, skipped = stats[f"{per}_fail"] + stats[f"{per}_error"], stats[f"{per}_skip"]
            case.totals = {"of": stats["runs"], "skipped": skipped, "failed": failed}
            case.verdict = "fail" if case.totals["failed"] else "pass" if stats["runs_succ"] else "missing"
        if suite.name.startswith("08"):
            linted(case)
        yield case


# What promtool, oslo and sloth refuse, by the names their own tests give it; `features.yml` stands only with features switched on.
RULES_BAD = re.compile(
    r"\.bad\.|rules-bad|bad-rules-syntax\.yml|invalid_rules|rules_extrafields|inputs/validate/|in-invalid-version|features\.yml"
)


def linted(case: Case) -> None:
    """What is known of a file of rules or objectives: whether its own tool takes it, and how many rules another parser counts in it."""
    import yaml

    text = case.file.read_text(errors="replace")
    if not re.search(r"^groups:|kind: PrometheusRule$|^slos:|kind: PrometheusServiceLevel|openslo", text, re.MULTILINE):
        return
    case.lint = "bad" if RULES_BAD.search(case.name) else "good"
    if case.file.name.startswith("legacy_"):
        case.expectations = {"name_validation": "legacy"}
    if not re.search(r"^groups:|kind: PrometheusRule$", text, re.MULTILINE):
        return
    with contextlib.suppress(yaml.YAMLError):
        case.totals = {"rules": float(sum(_rules(doc) for doc in yaml.safe_load_all(text)))}


def _rules(value: Any) -> int:
    """Rules in a document, counted by another parser."""
    if isinstance(value, list):
        return sum(_rules(v) for v in value)
    if not isinstance(value, dict):
        return 0
    own = len(value.get("rules") or ()) if "name" in value and isinstance(value.get("rules"), list) else 0
    return own + sum(_rules(v) for k, v in value.items() if k in ("groups", "spec", "items"))


def right(want: str, got: str, careful: bool) -> bool:
    """More careful is right where the tool failed, or where nothing can be told; greener never is."""
    refusing = got in ("inconclusive", "missing", "refused")
    return got == want or (want == "inconclusive" and refusing) or (careful and (refusing or got == "fail"))


def judge(case: Case, row: Row) -> None:
    """Read the file and enter into `row` what became of it."""
    row.files += 1
    began = time.monotonic()
    reading = None
    try:
        with open_evidence(case.file) as stream:
            reading = read(stream, exit_status=case.exit_status, expectations=case.expectations)
    except DossierError:
        row.refused += 1
    except Exception as e:  # noqa: BLE001 - that a reader falls is what is looked for
        row.wrong.append(f"{case.name}: {type(e).__name__}: {e}")
        return
    row.read += reading is not None
    seconds = time.monotonic() - began
    if seconds > SECONDS_MAX:
        row.wrong.append(f"{case.name}: {seconds:.0f} s")
    verdict = reading.verdict if reading else "refused"
    if case.broken:
        row.broken += 1
        row.broken_refused += verdict != "pass"
        if verdict == "pass":
            row.wrong.append(f"{case.name}: broken on purpose, and read as pass")
    if case.lint:
        row.verdicts += 1
        good = (verdict in ("fail", "refused")) == (case.lint == "bad")
        row.verdicts_right += good
        if not good:
            row.wrong.append(f"{case.name}: {verdict}, and its own tool says {case.lint}")
    if case.verdict:
        row.verdicts += 1
        good = right(case.verdict, verdict, case.careful)
        row.verdicts_right += good
        if not good:
            row.wrong.append(f"{case.name}: {verdict} instead of {case.verdict}")
    if case.totals:
        row.totals += 1
        unequal = {n: figure(reading, n) if reading else None for n, v in case.totals.items() if not reading or figure(reading, n) != v}
        row.totals_equal += not unequal
        if unequal:
            words = ", ".join(f"{n} {got} instead of {case.totals[n]:g}" for n, got in unequal.items())
            row.wrong.append(f"{case.name}: {words if reading else 'refused, and its totals are known'}")


def table(rows: dict[str, Row]) -> list[str]:
    """The rows as Markdown, with their sum."""
    out = ["| format | files | read | refused | verdicts right | totals equal | broken, not passed |", "|---|--:|--:|--:|--:|--:|--:|"]
    total = Row()
    for name, r in sorted(rows.items()):
        out.append(_line(name, r))
        for key in ("files", "read", "refused", "verdicts", "verdicts_right", "totals", "totals_equal", "broken", "broken_refused"):
            setattr(total, key, getattr(total, key) + getattr(r, key))
    return [*out, _line("**all**", total)]


def _line(name: str, r: Row) -> str:
    shares = (_share(r.verdicts_right, r.verdicts), _share(r.totals_equal, r.totals), _share(r.broken_refused, r.broken))
    return f"| {name} | {r.files} | {r.read} | {r.refused} | {' | '.join(shares)} |"


def _share(n: int, of: int) -> str:
    return f"{n}/{of}" if of else ""


def run(cases: Iterator[Case]) -> dict[str, Row]:
    """Judge each case, by group."""
    rows: dict[str, Row] = {}
    for case in cases:
        judge(case, rows.setdefault(case.group, Row()))
    return rows


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("dir", nargs="?", type=Path, help="a folder with a MANIFEST.tsv; default: everything in ../shared")
    folder = p.parse_args().dir
    parts: list[tuple[str, dict[str, Row]]] = []
    home = folder or SHARED / "socialpredict" / "artifacts"
    if not (home / "MANIFEST.tsv").exists():
        sys.exit(f"needs a MANIFEST.tsv in {home}")
    parts.append(("Files of real releases", run(captured(home))))
    if folder is None:
        for suite in SUITES:
            if (SHARED / "conformance" / suite).exists():
                parts.append((f"Published: {suite}", run(published(SHARED / "conformance" / suite))))
    wrong = [w for _, rows in parts for r in rows.values() for w in r.wrong]
    lines = [
        "# What the readers read",
        "",
        "Made by `make readers`, from a run. A file that is no evidence is refused, and so is one that is broken; a refusal names its",
        "code, place, what was found and what was expected. A verdict is right when it is the known one, or more careful where the tool",
        "itself failed. Totals are equal when every figure that the truth names is the reading's.",
        "`make readers DIR=folder` does the same for another folder with such a MANIFEST.tsv.",
        "",
        f"Formats: {', '.join(f'`{n}`' for n in NAMES)}.",
        "",
    ]
    for title, rows in parts:
        lines += [f"## {title}", "", *table(rows), ""]
    lines += ["## Not right", "", *(f"- {w}" for w in wrong or ["nothing"]), ""]
    text = "\n".join(lines)
    print(text)
    if folder is None:
        (ROOT / "docs" / "readers.md").write_text(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
