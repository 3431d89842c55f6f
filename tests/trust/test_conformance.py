"""What other people publish to try such code with: `make conformance` as a test."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "conformance"
SCORER = ROOT / "tools" / "conformance.py"


def scored(folder: Path) -> dict[str, dict[str, object]]:
    done = subprocess.run([sys.executable, str(SCORER), str(folder)], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stderr == "", done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.conformance
def test_all_we_claim_of_the_published_suites() -> None:
    """Every suite is there, none has a failure, and the page says the same numbers."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/conformance")
    scores = scored(SHARED)
    page = (ROOT / "docs" / "conformance.md").read_text()
    assert {
        "dsse-signatures",
        "sigstore-bundles",
        "json-test-suite",
        "merkle-proofs",
        "notes-and-checkpoints",
        "wycheproof",
    } <= scores.keys()
    for name, score in scores.items():
        assert score["failures"] == [] or name == "cel", name  # tests/rules holds which case of CEL that is
        assert f"| {name} | {score['passed']:,} | {score['total']:,} |" in page, f"{name}: make conformance"


@pytest.mark.conformance
def test_any_part_of_the_suites_is_scored(tmp_path: Path) -> None:
    """A folder with some of the files is scored by what it has; what its cases need of the other half is found there."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/conformance")
    wanted = ("03-attestations/derived/dsse_expectations.dev.jsonl", "05-tlog/transparency-dev__tessera/testdata/log/checkpoint.5")
    for name in wanted:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SHARED / name, tmp_path / name)
    scores = scored(tmp_path)
    assert scores.keys() == {"dsse-signatures", "tiled-logs"}
    assert all(s["failures"] == [] and s["total"] for s in scores.values())


def test_a_wrong_answer_and_a_crash_are_failures(tmp_path: Path) -> None:
    """A case whose truth is not ours is listed with both answers; one that breaks the scorer is a failure of that case alone."""
    place = tmp_path / "05-tlog" / "x" / "testdata" / "inclusion" / "0"
    place.mkdir(parents=True)
    good = {"leafIdx": 0, "treeSize": 1, "root": "AAAA", "leafHash": "AAAA", "proof": None, "wantErr": False}
    (place / "wrong.json").write_text(json.dumps(good))
    (place / "crash.json").write_text(json.dumps({**good, "root": 7}))
    (place / "right.json").write_text(json.dumps({**good, "wantErr": True}))
    (tmp_path / "03-attestations" / "derived").mkdir(parents=True)
    (tmp_path / "03-attestations" / "derived" / "dsse_expectations.x.jsonl").write_text("no JSON")
    scores = scored(tmp_path)
    assert scores["dsse-signatures"]["passed"] == 0
    assert scores["dsse-signatures"]["total"] == 1
    score = scores["merkle-proofs"]
    assert (score["passed"], score["total"]) == (1, 3)
    words = {f["case"]: f["found"] for f in score["failures"]}  # type: ignore[attr-defined]
    assert words["inclusion 0/wrong"] == "False"
    assert words["inclusion 0/crash"].startswith("crash: ")
