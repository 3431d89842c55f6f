"""Every money fault there is, and what catches it: `make ledger-checks`; `make ledger-checks DIR=folder` only scores a folder of ledgers.

1. Each captured ledger of a known bug or mutant is judged from its rows alone, then with the journal, then with the answers. What first
   names every user to the credit is what it needs. What its truth calls clean must not fail.
2. The table goes into docs/ledger-checks.md between its marks. Exit 1 when a fault is missed or a clean ledger accused.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from release_dossier.ledger.checks import Check
from release_dossier.ledger.verify import Verified
from release_dossier.sources.ledgers import verify_ledger

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "socialpredict" / "ledgers"
PAGE = ROOT / "docs" / "ledger-checks.md"
MARKS = ("<!-- made by `make ledger-checks` -->", "<!-- end -->")
Row = tuple[str, str, str, str, str]  # bug, checks that fail on the rows alone, on everything, first example, what names all exactly


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=SHARED)
    folder: Path = parser.parse_args().folder
    if not folder.is_dir():
        sys.exit(f"no folder {folder}: the captured ledgers lie beside the checkout")
    captured, clean, wrong = captured_ledgers(folder)
    print(f"{len(captured)} faults found, {clean} clean ledgers not accused, {len(wrong)} wrong")
    if folder == SHARED:
        write(captured, clean)
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


def captured_ledgers(folder: Path) -> tuple[list[Row], int, list[str]]:
    """Rows of the faulty ones, how many clean ones were not accused, and what went wrong."""
    rows: list[Row] = []
    clean, wrong = 0, []
    for case in sorted(p.parent for p in folder.rglob("truth.json")):
        if not (case / "rules.json").exists():
            continue
        truth = json.loads((case / "truth.json").read_text())
        want = {v["check"].split("_")[0] for v in truth["violated"]}
        name = case.name if case.parent.name == "mutants" else case.parent.name if case.name == "buggy" else "/".join(case.parts[-2:])
        found, alone = None, ""
        for needs, v in ways(case):
            failed = {c.id: c for c in v.checks if c.state == "fail"}
            if not want and failed and needs != "answers":
                wrong.append(f"{name}: clean, and accused by {sorted(failed)}")
            alone = " ".join(failed) or "nothing" if needs == "ledger" else alone
            if want and want <= failed.keys() and found is None and users_right(truth, failed):
                found = (name, alone, " ".join(failed), first(failed), needs)
        if want and found is None:
            wrong.append(f"{name}: not found")
        elif found:
            rows.append(found)
        else:
            clean += 1
    return rows, clean, wrong


def ways(case: Path) -> Iterator[tuple[str, Verified]]:
    """Judged from rows, with the journal, with the answers too."""
    given: dict[str, str] = {}
    yield "ledger", verify_ledger(case / "ledger.sqlite", ruleset=str(case / "rules.json"))
    for words, key, file in (("receipts", "receipts", "journal.ndjson.xz"), ("answers", "answers", "answers.ndjson.xz")):
        if (case / file).exists():
            given[key] = str(case / file)
            yield words, verify_ledger(case / "ledger.sqlite", ruleset=str(case / "rules.json"), **given)  # type: ignore[arg-type]


def users_right(truth: Any, failed: dict[str, Check]) -> bool:
    """Whether the accused are the ones of the truth, to the credit."""
    users = next((v["users"] for v in truth["violated"] if v["check"].startswith("R6")), None)
    if users is None:
        return True
    return {e.user: int(e.difference) for e in failed["R6"].examples} == {u: v["credits"] for u, v in users.items()}


def first(failed: dict[str, Check]) -> str:
    """The first example of the check that says most: whose credits, else what row."""
    best = next((failed[i] for i in ("R6", "R8", "R1", "R4") if i in failed), None) or next(iter(failed.values()))
    return best.examples[0].why if best.examples else best.why


def write(rows: list[Row], clean: int) -> None:
    lines = [MARKS[0], "", "| bug | the rows alone fail | in all | first example | exact with |", "|---|---|---|---|---|"]
    lines += [f"| {bug} | {alone} | {checks} | {example.replace('|', '∣')} | {needs} |" for bug, alone, checks, example, needs in rows]
    lines += [
        "",
        f"{clean} ledgers of repaired builds and of bugs that no ledger shows were judged the same way, and none was accused.",
        "",
    ]
    page = PAGE.read_text()
    before, _, rest = page.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(before + "\n".join(lines) + MARKS[1] + after)


if __name__ == "__main__":
    sys.exit(main())
