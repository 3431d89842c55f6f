"""The GitHub Action's own steps, run as a runner would: shell by shell, with its files and environment, on a recorded event."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.town import ISSUE, Town

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
RECORDED = SHARED / "conformance/01-github-webhooks/octokit__webhooks/api.github.com/pull_request/opened.payload.json"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {s["id"]: s for s in ACTION["runs"]["steps"] if "id" in s}


class Runner:
    """What a runner gives its steps."""

    def __init__(self, town: Town, event: dict[str, Any], room: Path) -> None:
        self.town, self.room = town, room
        (room / "event.json").write_text(json.dumps(event))
        self.outputs: dict[str, dict[str, str]] = {"install": {"dossier": str(Path(sys.executable).parent / "dossier")}}
        self.summary = room / "summary.md"
        self.summary.touch()

    def step(self, name: str, **inputs: str) -> int:
        """Run a step's shell; its outputs are kept. Returns its exit status."""
        step = STEPS[name]
        out = self.room / f"{name}.out"
        out.touch()
        env = {
            **self.town.env,
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_EVENT_PATH": str(self.room / "event.json"),
            "GITHUB_OUTPUT": str(out),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_HEAD_REF": "fix/rounding",
            "TMPDIR": str(self.room),
        }
        env |= {k: self._value(str(v), inputs) for k, v in step.get("env", {}).items()}
        done = subprocess.run(["bash", "-c", step["run"]], cwd=self.town.repo, env=env, capture_output=True, text=True)
        self.outputs[name] = dict(line.split("=", 1) for line in out.read_text().splitlines() if "=" in line)
        self.last = done.stdout + done.stderr
        return done.returncode

    def _value(self, expression: str, inputs: dict[str, str]) -> str:
        words = expression.removeprefix("${{ ").removesuffix(" }}").split(".")
        return inputs.get(words[1], "") if words[0] == "inputs" else self.outputs[words[1]].get(words[3], "")


def event(body: str) -> dict[str, Any]:
    """A recorded pull-request event where there is one, else its skeleton; with this text."""
    value = json.loads(RECORDED.read_text()) if RECORDED.exists() else {"action": "opened", "pull_request": {"number": 1, "title": "t"}}
    value["pull_request"]["body"] = body
    value.pop("issue", None)
    return dict(value)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_a_pull_request_is_opened_collected_and_denied(town: Town, tmp_path: Path) -> None:
    """The change comes from the event's own text; an unapproved one ends in DENY, with a summary and a bundle."""
    runner = Runner(town, event(ISSUE), tmp_path)
    producer = (town.repo / ".dossier/keys/producer").read_text()
    town.git("switch", "-q", "--detach")
    assert runner.step("run", **{"producer-key": producer}) == 0, runner.last
    assert (runner.outputs["run"]["outcome"], runner.outputs["run"]["status"]) == ("DENY", "10")
    assert "| ✓ pass | tests | shop | 2 of 2 |" in runner.summary.read_text()
    assert runner.step("bundle", **{"producer-key": producer}) == 0, runner.last
    assert Path(runner.outputs["bundle"]["file"]).stat().st_size > 1000
    assert not list(tmp_path.rglob("tmp.*/producer")), "the key does not stay"


def test_a_pull_request_without_scope_is_refused(town: Town, tmp_path: Path) -> None:
    """A text without objective is refused with its code in the summary, and the job fails as the command does."""
    runner = Runner(town, event("just a change"), tmp_path)
    assert runner.step("run") == 0, runner.last
    assert (runner.outputs["run"]["outcome"], runner.outputs["run"]["status"]) == ("REFUSED", "20")
    assert "issue.no\\-objective" in runner.summary.read_text() or "issue.no-objective" in runner.summary.read_text()


def test_text_of_an_event_never_reaches_a_shell(town: Town, tmp_path: Path) -> None:
    """Backticks and dollars in a pull request's text run nothing, and stand as text in the summary."""
    runner = Runner(town, event(ISSUE.replace("Payments are", "`touch pwned` $(touch pwned) <script>")), tmp_path)
    assert runner.step("run") == 0, runner.last
    assert not (town.repo / "pwned").exists()
    assert "<script>" not in runner.summary.read_text()
    used = [s["run"] for s in ACTION["runs"]["steps"] if "run" in s]
    assert not any("${{" in text for text in used), "expressions come in through env"


@pytest.mark.conformance
def test_a_recorded_event_is_read() -> None:
    """The event the other tests use is GitHub's own."""
    if not RECORDED.exists():
        pytest.skip("needs ../shared: GitHub's recorded events")
    assert json.loads(RECORDED.read_text())["pull_request"]["number"]


def test_a_long_summary_says_what_was_cut(tmp_path: Path) -> None:
    """What does not fit is cut as a whole, and the number of bytes that are gone is said."""
    decision = {"outcome": "DENY", "dossier": "sha256:0", "requirements": []}
    (tmp_path / "a.json").write_text(json.dumps({"decision": decision}))
    (tmp_path / "rework.md").write_text("x" * 2_000_000)
    command = [sys.executable, str(ROOT / "tools/summary.py"), str(tmp_path / "a.json"), str(tmp_path / "rework.md")]
    out = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}).stdout
    assert len(out.encode()) < 1_000_000
    assert "bytes were cut here" in out
