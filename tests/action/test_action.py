"""The GitHub Action's own steps, run as a runner would: shell by shell, with its files and environment, on a recorded event, in a clone
as the checkout action leaves it."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import needs
from tests.thread.test_rules import github_says
from tests.town import ISSUE, Town

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT.parent / "shared/conformance/01-github-webhooks/octokit__webhooks/api.github.com/pull_request/opened.payload.json"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = ACTION["runs"]["steps"]
PAGE = ROOT / "docs" / "pull-request.md"


class Runner:
    """What a runner gives the steps of a composite action: a clone at the merge of the pull request, files, variables."""

    def __init__(self, town: Town, body: str, *, head_ref: str = "fix/rounding", event: dict[str, Any] | None = None) -> None:
        self.town = town
        self.temp = town.root / "temp"
        self.temp.mkdir()
        self.clone = town.root / "clone"
        self.event = event or {"action": "opened", "repository": {}, "pull_request": {"number": 1, "title": "Round payments", "head": {}}}
        self.event["repository"]["default_branch"] = "main"
        self.event["pull_request"]["body"] = body
        self.event["pull_request"]["head"] |= {"ref": head_ref, "sha": town.git("rev-parse", "fix/rounding")}
        (self.temp / "event.json").write_text(json.dumps(self.event))
        self.summary = self.temp / "summary.md"
        self.summary.touch()
        self.outputs: dict[str, dict[str, str]] = {}
        self.status: dict[str, int] = {}
        self.said = ""
        self._check_out()

    def _check_out(self) -> None:
        """As actions/checkout with fetch-depth 0: every branch of origin as a remote branch, HEAD on a merge that has no name."""
        self.clone.mkdir()
        merge = ("-c", "user.name=GitHub", "-c", "user.email=noreply@example.invalid", "merge", "-q", "--no-ff", "-m", "Merge")
        for command in (
            ("init", "-q", "-b", "unborn"),
            ("remote", "add", "origin", str(self.town.repo)),
            ("fetch", "-q", "origin"),
            ("checkout", "-q", "--detach", "origin/main"),
            (*merge, "origin/fix/rounding"),
        ):
            subprocess.run(["git", *command], cwd=self.clone, env=self.town.env, check=True)

    def play(self, **inputs: str) -> int:
        """Every step with a shell, in order. Returns what the job would end with: the last step's status."""
        given = {k: str(v.get("default", "")) for k, v in ACTION["inputs"].items()} | {k.replace("_", "-"): v for k, v in inputs.items()}
        status = 0
        for n, step in enumerate(STEPS):
            name = step.get("id", str(n))
            always = step.get("if") == "always()"
            if "run" not in step or (status and not always) or not (always or self._holds(step.get("if"), given)):
                continue
            out = self.temp / f"{name}.out"
            out.touch()
            env = {
                **self.town.env,
                "GITHUB_ACTION_PATH": str(ROOT),
                "GITHUB_EVENT_PATH": str(self.temp / "event.json"),
                "GITHUB_OUTPUT": str(out),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "RUNNER_TEMP": str(self.temp),
            }
            env |= {k: self._value(str(v), given) for k, v in step.get("env", {}).items()}
            if name == "install":  # the environment the tests run in is what it would make
                self.outputs[name] = {"dossier": str(Path(sys.executable).parent / "dossier")}
                continue
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            done = subprocess.run(command, cwd=self.clone, env=env, capture_output=True, text=True)
            self.said += done.stdout + done.stderr
            self.outputs[name] = dict(line.split("=", 1) for line in out.read_text().splitlines() if "=" in line)
            status = self.status[name] = done.returncode
        return status

    def _value(self, text: str, inputs: dict[str, str]) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda m: self._look(m[1], inputs), text)

    def _look(self, expression: str, inputs: dict[str, str]) -> str:
        steps = {k: {"outputs": v} for k, v in self.outputs.items()}
        at: Any = {"github": {"event": self.event, "repository": "octo-org/shop"}, "inputs": inputs, "steps": steps}
        for word in expression.split("."):
            at = at.get(word, "") if isinstance(at, dict) else ""
        return str(at)

    def _holds(self, condition: str | None, inputs: dict[str, str]) -> bool:
        if condition is None:
            return True
        left, _, right = condition.partition(" != ")
        assert right == "''", condition
        return self._look(left, inputs) != ""


def recorded() -> dict[str, Any]:
    """GitHub's own event of an opened pull request."""
    if not RECORDED.exists():
        pytest.skip("needs ../shared: GitHub's recorded events")
    return dict(json.loads(RECORDED.read_text()))


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


@pytest.mark.conformance
def test_a_pull_request_is_opened_collected_and_denied(town: Town) -> None:
    """On GitHub's recorded event, with our text and commit: an unapproved change ends in DENY, with a summary and a bundle."""
    runner = Runner(town, ISSUE, event=recorded())
    producer = (town.repo / ".dossier/keys/producer").read_text()
    assert runner.play(producer_key=producer) == 10, runner.said
    assert runner.outputs["run"]["outcome"] == "DENY"
    assert "| ✓ pass | tests | shop | 2 of 2 |" in runner.summary.read_text()
    assert "bootstrap" not in runner.summary.read_text()
    bundle = Path(runner.outputs["bundle"]["file"])
    assert bundle.stat().st_size > 1000
    assert not list(runner.temp.rglob("keys")), "the key does not stay"
    (town.root / "trust.json").write_text(trust_of(town))
    verified = subprocess.run(
        [runner.outputs["install"]["dossier"], "verify", str(bundle), "--trust", str(town.root / "trust.json"), "--json"],
        cwd=town.root, env=town.env, capture_output=True, text=True,
    )  # fmt: skip
    assert verified.returncode == 10, verified.stdout + verified.stderr


def trust_of(town: Town) -> str:
    """The trust document on the protected branch."""
    from release_dossier.project import TRUST_FILE

    return town.git("show", f"main:{TRUST_FILE}") + "\n"


def test_without_a_listed_key_it_is_denied_without_a_bundle(town: Town) -> None:
    """As in a pull request from a fork: evidence of a key nobody lists counts for nothing, and the job says why there is no bundle."""
    runner = Runner(town, ISSUE)
    assert runner.play() == 10, runner.said
    assert "bundle" in runner.said
    assert "file" not in runner.outputs["bundle"]
    assert "✓ pass | tests" not in runner.summary.read_text()


GH = """#!/bin/sh
[ "$*" = "api --paginate repos/octo-org/shop/pulls/1/commits" ] && [ "$GH_TOKEN" = t0ken ] || { echo "not found" >&2; exit 1; }
cat "$(dirname "$0")/commits.json"
"""


@needs.ssh_keygen
@pytest.mark.parametrize(("token", "person", "warned"), [("t0ken", "ann", False), ("other", None, True), ("", None, False)])
def test_github_says_who_made_the_commits(town: Town, token: str, person: str | None, warned: bool) -> None:
    """With a token the author is bound by GitHub's word; where it does not answer, a warning says so; no later step has the token."""
    town.change_trust("--person", "ann", "--email", "5+octo@users.noreply.github.com")
    town.git("rebase", "-q", "main")
    runner = Runner(town, ISSUE)
    tools = town.root / "tools"
    tools.mkdir()
    (tools / "gh").write_text(GH)
    (tools / "gh").chmod(0o755)
    github_says(tools, town.git("rev-list", "main..fix/rounding").split())
    town.env["PATH"] = f"{tools}:{town.env['PATH']}"
    assert runner.play(github_token=token) == 10, runner.said
    lines = (Path(runner.outputs["state"]["home"]) / "documents" / "000000.ndjson").read_text().splitlines()
    statements = [json.loads(base64.b64decode(json.loads(line)["payload"])) for line in lines]
    (change,) = (s["predicate"] for s in statements if s["predicateType"].endswith("/change/v1"))
    assert {a["person"] for a in change["authors"]} == {person}
    assert ("::warning::GitHub did not say" in runner.said) is warned
    assert [s["id"] for s in STEPS if "github-token" in json.dumps(s.get("env", {}))] == ["commits"]


def test_a_pull_request_without_scope_is_refused(town: Town) -> None:
    """A text without objective is refused with its code in the summary, and the job fails as the command does."""
    runner = Runner(town, "just a change")
    assert runner.play() == 20, runner.said
    assert runner.outputs["run"]["outcome"] == "REFUSED"
    assert "issue.no-objective" in runner.summary.read_text().replace("\\", "")


def test_text_of_an_event_never_reaches_a_shell(town: Town) -> None:
    """Backticks and dollars in a pull request's text and branch run nothing, and stand as text in the summary."""
    evil = ISSUE.replace("Payments are", "`touch pwned` $(touch pwned) <script>")
    runner = Runner(town, evil, head_ref="a$(touch pwned)")
    runner.play(owner="ann$(touch pwned)", services="x=`touch pwned`")
    assert not list(town.root.rglob("pwned"))
    assert "<script>" not in runner.summary.read_text()
    assert not any("${{" in s["run"] for s in STEPS if "run" in s), "expressions come in through env"


def test_a_pull_request_cannot_name_its_own_protected_branch(town: Town) -> None:
    """A branch whose dossier.toml protects the branch itself, with rules of its own, is judged by the default branch's."""
    text = town.read("dossier.toml")
    assert 'protected_branch = "main"' in text
    weak = text.replace('protected_branch = "main"', 'protected_branch = "fix/rounding"').replace('kind = "tests"', 'kind = "coverage"')
    town.write("dossier.toml", weak)
    town.commit("mine")
    runner = Runner(town, ISSUE + "\n")
    assert runner.play(producer_key=(town.repo / ".dossier/keys/producer").read_text()) == 10, runner.said
    pin = json.loads((Path(runner.outputs["state"]["home"]) / "project.json").read_text())
    assert pin["protected_branch"] == "main"
    assert runner.outputs["run"]["outcome"] == "DENY"


def test_a_head_named_like_the_protected_branch_does_not_become_it(town: Town) -> None:
    """A fork's `main` is judged against ours."""
    runner = Runner(town, ISSUE, head_ref="main")
    assert runner.play(producer_key=(town.repo / ".dossier/keys/producer").read_text()) == 10, runner.said
    git = ("git", "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads")
    heads = dict(
        line.split() for line in subprocess.run(git, cwd=runner.clone, capture_output=True, text=True, check=True).stdout.splitlines()
    )
    assert heads["refs/heads/main"] == town.git("rev-parse", "main")
    assert heads["refs/heads/pull-1/main"] == town.git("rev-parse", "fix/rounding")


def test_a_project_not_on_the_default_branch_is_refused(tmp_path: Path) -> None:
    """What only the pull request brings allows nothing."""
    town = Town(tmp_path, adopted=False)
    runner = Runner(town, ISSUE)
    assert runner.play() == 20, runner.said
    assert "no dossier.toml on the default branch" in runner.summary.read_text()


def test_a_clone_without_history_is_refused(town: Town) -> None:
    """A head that was not fetched is said to be missing, with what to set."""
    runner = Runner(town, ISSUE)
    runner.event["pull_request"]["head"]["sha"] = "0" * 39 + "1"
    assert runner.play() == 20, runner.said
    assert "fetch-depth: 0" in runner.summary.read_text()
    assert runner.outputs["run"]["outcome"] == "REFUSED"


def test_a_long_summary_says_what_was_cut(tmp_path: Path) -> None:
    """What does not fit is cut as a whole, and the number of bytes that are gone is said."""
    decision = {"outcome": "DENY", "dossier": "sha256:0", "requirements": []}
    (tmp_path / "a.json").write_text(json.dumps({"decision": decision}))
    (tmp_path / "rework.md").write_text("x" * 2_000_000)
    command = [sys.executable, str(ROOT / "tools/summary.py"), str(tmp_path / "a.json"), str(tmp_path / "rework.md")]
    out = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}).stdout
    assert len(out.encode()) < 1_000_000
    assert "bytes were cut here" in out


def test_what_others_run_is_pinned() -> None:
    """Every action used is named by a full commit."""
    used = [s["uses"] for s in STEPS if "uses" in s]
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", u) for u in used)


def test_the_workflow_on_the_page_is_sound(tmp_path: Path) -> None:
    """actionlint takes the page's workflow, with this action's own inputs; and does not take it with one that is misspelled."""
    tool = shutil.which("actionlint") or shutil.which(str(ROOT / ".ci-tools/bin/actionlint"))
    if tool is None:
        pytest.skip("needs actionlint: go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12")
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    shutil.copy(ROOT / "action.yml", tmp_path)
    page = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert page
    text = page[1].replace("OWNER/release-dossier@COMMIT", "./")
    (workflows / "dossier.yml").write_text(page[1].replace("OWNER/release-dossier@COMMIT", "example/release-dossier@" + "0" * 40))
    zizmor = [str(Path(sys.executable).parent / "zizmor"), "--offline", "-q", "."]
    done = subprocess.run(zizmor, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for there, ok in ((text, True), (text.replace("          owner:", "          owners:"), False)):
        (workflows / "dossier.yml").write_text(there)
        done = subprocess.run([tool, "-shellcheck=", "-pyflakes="], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode == 0) is ok, done.stdout
