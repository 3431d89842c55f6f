"""Twenty rules over a hundred pieces of evidence, beside cel-go in the same run.

Both begin with a parsed document, moments included (the first run parses ours). cel-go asks, for each rule, every piece of evidence whether
it is the rule's and within its limit. Ours is the whole judgement: whose word it is, its three times, its age, how much was looked at,
attempts and budgets, and the condition. `folded` is the conditions alone, once facts are checked.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from cold import go, keep

from release_dossier.approval import Voices
from release_dossier.gate import decide, judge, shelve
from release_dossier.rules.cel import ask, bind
from release_dossier.rules.packs import thaw
from tests.gate.test_traps import large
from tests.gate.town import CHECKPOINT, DIGEST, NOW, trust

RULES, RUNS = 20, 400
FOLDED_LIMIT_US = 100
HERE = Path(__file__).resolve().parent


def median_ms(run: Callable[[], object]) -> float:
    """The middle of many runs, in milliseconds."""
    run()
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        run()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def evidence() -> list[dict[str, object]]:
    """The hundred pieces as other engines take them."""
    return [
        {"name": a.name, "verdict": a.verdict, "looked_at": a.looked_at, "facts": {k: f.value for k, f in a.facts.items()}}
        for a in large().evidence
    ]


def peer(folder: Path) -> dict[str, float] | None:
    """cel-go's figures on this machine now; None where there is no Go, or its modules cannot be had."""
    if not go(["build", "-o", str(folder / "cel-go"), "."], cwd=HERE / "cel-go"):
        return None
    rules = [f"evidence.all(e, e.name != 'r{i}' || (e.verdict == 'pass' && e.looked_at > 0 && e.facts.p95 <= 300.0))" for i in range(RULES)]
    (folder / "doc.json").write_text(json.dumps({"evidence": evidence(), "rules": rules}))
    done = subprocess.run([str(folder / "cel-go"), str(folder / "doc.json")], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    dossier, by, voices = large(), trust(), Voices((), (), (), {}, ())
    rules = thaw(dossier.rules).requirements

    def judged() -> None:
        shelf = shelve(dossier)
        assert all(judge(r, dossier, voices, by, NOW, shelf).state == "pass" for r in rules)

    def decided() -> None:
        decide(dossier, DIGEST, (), by, NOW, witness="w", checkpoint=CHECKPOINT, hypothetical=False)

    newest = {a.name: a for a in dossier.evidence}
    folded = [(r.condition, bind(r.needs, newest[r.evidence].facts)[2]) for r in rules]

    def asked() -> None:
        assert all(ask(condition, facts, 10, 10, "pass")[0] == "pass" for condition, facts in folded)

    with tempfile.TemporaryDirectory() as d:
        other = peer(Path(d))
    mine, whole, only = median_ms(judged), median_ms(decided), median_ms(asked) * 1000
    figures: list[dict[str, object]] = [
        {"name": "20 rules over 100 evidence, judged, median", "value": mine, "unit": "ms", "limit": other["median_ms"] if other else None},
        {"name": "the whole decision", "value": whole, "unit": "ms"},
        {"name": "20 conditions, facts folded", "value": only, "unit": "us", "limit": FOLDED_LIMIT_US},
    ]
    if other:
        figures.append({"name": "cel-go, the same rules, median", "value": other["median_ms"], "unit": "ms"})
    else:
        print("cel-go was not looked at: it needs Go 1.24 and its module proxy")
    keep("rules", figures)


if __name__ == "__main__":
    main()
