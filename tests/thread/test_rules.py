"""Rules as data, through the commands: what is in force, what is proposed, and criteria that move under a change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from release_dossier.steps.world import open_world
from release_dossier.trust.statement import state
from release_dossier.vouched import account_of
from tests import needs
from tests.thread.test_gate import FAILING, states
from tests.town import JUNIT, Town

STRICT = '\n[[rules.requirement]]\nid = "tests"\nminimum_count = 3\n'


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def requirement(town: Town, name: str = "tests") -> Any:
    return next(r for r in town.gate()["requirements"] if r["id"] == name)


def protect(town: Town, settings: str, message: str = "rules") -> None:
    """Change settings on the protected branch and come back."""
    town.git("switch", "-q", "main")
    town.write("dossier.toml", settings)
    town.commit(message)
    town.git("switch", "-q", "fix/rounding")


def test_rules_lint(town: Town) -> None:
    """A sound project lints clean; a fault ends with 10, says code, place, found and expected, and text and JSON say the same."""
    said = town.dossier("rules", "lint")
    assert (said["errors"], said["requirements"] > 0) == (0, True)
    wrong = '\n[[rules.requirement]]\nid = "lint"\ntitle = "t"\nkind = "static-analysis"\nremedy = "r"\nwhy = "w"\n'
    town.write("dossier.toml", town.read("dossier.toml") + wrong)
    said = town.dossier("rules", "lint", ok=(10,))
    assert ("unreachable", "shop/lint") in {(p["code"], p["at"]) for p in said["problems"]}
    code, out, _ = town.run("rules", "lint")
    assert (code, "unreachable" in out, "no [[evidence]] lint for shop" in out) == (10, True, True)
    assert town.dossier("rules", "lint", "--ref", "main")["errors"] == 0
    assert town.dossier("rules", "lint", "money", "socialpredict/trading")["errors"] == 0
    assert town.refused("rules", "lint", "no-such-pack")["code"] == "rules.pack"


def test_rules_test(town: Town) -> None:
    """The tables beside the packs run, and a project's own beside its settings; a case that comes out otherwise ends with 10."""
    assert town.dossier("rules", "test")["total"] > 5
    town.write("dossier.toml", town.read("dossier.toml") + STRICT)
    case = '[[case]]\nname = "two"\nrequirement = "tests"\nlooked_at = 2\nof = 2\nstate = "{}"\n'
    town.write("dossier.tests.toml", case.format("inconclusive"))
    assert town.dossier("rules", "test")["passed"] == town.dossier("rules", "test")["total"]
    town.write("dossier.tests.toml", case.format("pass"))
    said = town.dossier("rules", "test", ok=(10,))
    assert [c["found"] for c in said["cases"] if not c["ok"]] == ["inconclusive"]
    assert "expected pass" in town.run("rules", "test")[1]


def test_rules_simulate(town: Town) -> None:
    """A proposal over what was decided: which dossier, which requirement, from what to what, and nothing is stored."""
    digest = town.assembled()
    town.gate()
    size = town.dossier("log", "checkpoint")["size"]
    assert town.dossier("rules", "simulate")["changed"] == []
    town.write("dossier.toml", town.read("dossier.toml") + STRICT)
    said = town.dossier("rules", "simulate")
    assert (said["dossiers"], said["tightened"], said["loosened"]) == (1, 1, 0)
    (one,) = said["changed"]
    assert (one["dossier"], one["before"], one["after"]) == (digest, True, False)
    assert [(m["id"], m["before"], m["after"]) for m in one["moved"]] == [("tests", "pass", "inconclusive")]
    assert "met, would be denied" in town.run("rules", "simulate")[1]
    assert town.dossier("log", "checkpoint")["size"] == size


def test_a_proposal_that_asks_other_people(town: Town) -> None:
    """One more to sign, or one fewer, is a decision that would change: which role, how many of how many, whatever was signed over."""
    town.approve(town.assembled(), "release-manager")
    assert town.gate()["outcome"] == "ALLOW"
    pack = 'include = ["internal"]\n[[approval]]\nrole = "{}"\ncount = {}\n'
    for role, count, moved, after in (
        ("release-manager", 2, [("approval release-manager", "1 of 1", "1 of 2", "1 more to sign")], False),
        ("ops", 1, [("approval ops", "", "0 of 1", "1 more to sign"), ("approval release-manager", "1 of 1", "", "")], False),
        ("release-manager", 1, None, True),
    ):
        town.write("pack.toml", pack.format(role, count))
        town.write("proposal.toml", town.read("dossier.toml").replace('criticality = "internal"', 'pack = "./pack.toml"'))
        said = town.dossier("rules", "simulate", "--settings", "proposal.toml")
        assert said["tightened"] == int(not after)
        assert [[(m["id"], m["before"], m["after"], m["reason"]) for m in s["moved"]] for s in said["changed"]] == [moved] * int(not after)
    town.gate()
    town.write("pack.toml", pack.format("release-manager", 2))
    found = town.run("rules", "simulate", "--settings", "proposal.toml")[1]
    assert "shop 0.1.0: met, would be denied\n    shop/approval release-manager: 1 of 1 → 1 of 2; 1 more to sign" in found


def test_rules_explain_says_what_the_gate_says(town: Town) -> None:
    """A planned command that failed for good is not what turns it green; a warning is called one; a share hides no count."""
    asks = '\n[[rules.requirement]]\nid = "tests"\nretries = 1\nminimum_count = 2\nminimum_percent = 90\nseverity = "warn"\n'
    protect(town, town.read("dossier.toml") + asks)
    town.git("rebase", "-q", "main")
    town.write("results.xml", FAILING)
    town.commit("break")
    town.assembled()
    town.dossier("collect")
    town.dossier("assemble")
    said = town.dossier("rules", "explain", "tests", ok=(10,))
    assert said["asked"] == "at least 2 and 90 % of them looked at, 1 failure tolerated"
    assert said["to_green"][-1] == "mend it and commit, then: dossier run"
    assert said["severity"] == "warn"
    assert "(warns: it denies nothing)" in town.run("rules", "explain", "tests")[1]


def test_what_turns_an_error_green_does(tmp_path: Path) -> None:
    """An attempt by somebody the rule does not accept stays at its fingerprint: the step named is a commit, and it does it."""
    brought = '\n[[evidence]]\nname = "tests"\nkind = "tests"\nformat = "junit"\n'
    town = Town(tmp_path, settings=brought + '\n[[rules.requirement]]\nid = "tests"\nimporters = ["bob"]\n')
    file = tmp_path / "brought.xml"

    def bring(text: str) -> str:
        file.write_text(text)
        town.dossier("collect", "tests", "--from", str(file), "--observed-at", town.moment(minutes=-1))
        town.dossier("assemble")
        return str(states(town.gate())["tests"])

    town.open()
    assert bring(JUNIT) == "error"
    town.git("config", "user.name", "bob")
    town.git("config", "user.email", "bob@example.invalid")
    assert bring(JUNIT + "\n") == "error"
    assert "next: mend what is named there and commit, then: dossier run" in town.run("gate")[1]
    green = town.dossier("rules", "explain", "tests", ok=(10,))["to_green"]
    assert green[0].startswith("a new fingerprint, and evidence by whom the rule accepts")
    town.write("app/pay.py", "def pay(x):\n    return round(x)\n")
    town.commit("again")
    town.open()
    assert bring(JUNIT) == "pass"


def test_attempts_that_came_to_nothing_are_not_tried_again(tmp_path: Path) -> None:
    """Where their budget is spent, a pass at this fingerprint does not help: the step named is a commit, on the terminal and explained."""
    none = '\n[[rules.requirement]]\nid = "tests"\ninfrastructure_retries = 0\nminimum_count = 2\n'
    brought = '\n[[evidence]]\nname = "tests"\nkind = "tests"\nformat = "junit"\n'
    town = Town(tmp_path, settings=brought + none)
    town.open()
    for text in (JUNIT.replace('<testcase classname="t" name="b"/>', "").replace('tests="2"', 'tests="1"'), JUNIT):
        (tmp_path / "brought.xml").write_text(text)
        town.dossier("collect", "tests", "--from", str(tmp_path / "brought.xml"), "--observed-at", town.moment(minutes=-1))
    town.dossier("assemble")
    found = requirement(town)
    assert (found["state"], found["cause"]) == ("inconclusive", "infrastructure")
    assert "next: mend what came to nothing and commit, then: dossier run" in town.run("gate")[1]
    green = town.dossier("rules", "explain", "tests", ok=(10,))["to_green"]
    assert green[0].startswith("a new fingerprint: the attempts that may come to nothing")


def test_a_moment_to_come_is_waited_for(town: Town) -> None:
    """Under a clock that was set back, evidence is from the future, and looking again later is all there is to do."""
    town.open()
    town.dossier("collect")
    town.later(minutes=-6)
    town.dossier("assemble")
    assert "next: once that moment is past, then: dossier gate" in town.run("gate")[1]
    town.later(minutes=2)
    assert states(town.gate())["tests"] == "pass"


def test_a_proposal_without_the_service_would_deny(town: Town) -> None:
    """Who renames a service, or takes it out, reads that nothing is asked of what was decided about it: an empty gate allows nothing."""
    town.assembled()
    service = town.gate()["services"][0]["service"]
    assert f'name = "{service}"' in town.read("dossier.toml").splitlines()
    town.write("proposal.toml", town.read("dossier.toml").replace(f'"{service}"', '"renamed"'))
    said = town.dossier("rules", "simulate", "--settings", "proposal.toml")
    (one,) = said["changed"]
    assert (said["dossiers"], said["tightened"], one["before"], one["after"]) == (1, 1, True, False)
    assert {m["after"] for m in one["moved"]} == {""}
    assert "not asked" in town.run("rules", "simulate", "--settings", "proposal.toml")[1]


def test_rules_explain(town: Town) -> None:
    """One requirement on one dossier: the condition with its values, what was looked at, each attempt, and what would turn it green."""
    asks = '\n[[rules.requirement]]\nid = "tests"\ncondition = "facts.tests >= 3 && facts.failed == 0"\nminimum_percent = 100\nneeds = ['
    asks += '{ fact = "tests", type = "int", unit = "tests" }, { fact = "failed", type = "int", unit = "tests" }]\n'
    protect(town, town.read("dossier.toml") + asks)
    town.git("rebase", "-q", "main")
    town.assembled()
    said = town.dossier("rules", "explain", "tests", ok=(10,))
    assert (said["state"], said["cause"]) == ("fail", "condition")
    assert said["parts"] == [["2 >= 3", "does not hold"], ["0 == 0", "holds"]]
    assert said["values"]["tests"] == {"value": 2, "unit": "tests"}
    assert (said["looked_at"], said["of"], len(said["attempts"])) == (2, 2, 1)
    assert "a measurement in which `facts.tests >= 3`" in said["to_green"]
    assert said["origin"][-1] == "dossier.toml"
    assert "stale in" in said["countdown"]
    assert "2 >= 3  does not hold" in town.run("rules", "explain", "tests")[1]
    assert town.dossier("rules", "explain", "scope")["to_green"] == []
    assert town.refused("rules", "explain", "nothing")["code"] == "rules.unknown-requirement"
    refused = town.refused("rules", "explain", "tests", "--service", "nope")
    assert (refused["at"], refused["found"], refused["expected"]) == ("--service", "nope", "shop")


def test_rules_show(town: Town) -> None:
    """Every key of the effective set says which layer it comes from."""
    town.write("dossier.toml", town.read("dossier.toml") + STRICT)
    (tests,) = [r for r in town.dossier("rules", "show", "--service", "shop")["requirements"] if r["id"] == "tests"]
    assert (tests["lines"]["minimum_count"], tests["lines"]["title"], tests["lines"]["owner"]) == (
        "dossier.toml",
        "pack internal",
        "the service",
    )
    assert "minimum_count" in town.run("rules", "show")[1]
    assert town.refused("rules", "show", "--service", "none")["code"] == "rules.no-service"


def test_a_pack_of_the_repository(tmp_path: Path) -> None:
    """A service may be judged by a pack that lies in the repository, as the protected branch has it; changing it needs the rule owner."""
    town = Town(tmp_path, adopted=False)
    town.git("switch", "-q", "main")
    town.git("checkout", "fix/rounding", "--", "dossier.toml", "dossier.trust.json")
    pack = 'narrow = ["internal"]\n[[requirement]]\nid = "tests"\nminimum_count = {}\n'
    town.write("rules/shop.toml", pack.format(2))
    town.write("dossier.toml", town.read("dossier.toml").replace("criticality =", 'pack = "./rules/shop.toml"\ncriticality ='))
    town.commit("adopted, with a pack of its own")
    town.git("switch", "-qc", "fix/again")
    town.write("app/pay.py", "def pay(x):\n    return int(x) + 0\n")
    town.write("rules/shop.toml", pack.format(1))
    town.commit("round, and weaken the pack")
    town.assembled()
    decision = town.gate()
    assert states(decision)["tests"] == "pass"
    assert "rule-owner" in decision["quorum"]
    assert any("changes 2 lines" in n for n in decision["notes"])
    (town.repo / "rules" / "shop.toml").unlink()
    assert town.refused("rules", "lint")["code"] == "rules.pack"


def test_a_stricter_rule_since_is_shown(town: Town) -> None:
    """A rule that landed on the protected branch after the change opened is named in the decision, and is not in force for it."""
    town.assembled()
    protect(town, town.git("show", "main:dossier.toml") + "\n" + STRICT)
    town.dossier("assemble")
    decision = town.gate()
    assert states(decision)["tests"] == "pass"
    assert "the protected branch asks more since: shop/tests minimum_count: 1 → 3 (stricter)" in decision["notes"]


def test_money_requires_the_stricter_rule(tmp_path: Path) -> None:
    """Under the money pack a change that is behind the protected branch's rules is denied until it is opened again on top of them."""
    town = Town(tmp_path)
    money = town.read("dossier.toml").replace('criticality = "internal"', 'criticality = "money"')
    assert "money" in money
    protect(town, money)
    town.git("rebase", "-q", "main")
    town.assembled()
    assert states(town.gate())["protected-rules"] == "pass"
    protect(town, money + STRICT)
    town.dossier("assemble")
    assert states(town.gate())["protected-rules"] == "fail"
    town.git("rebase", "-q", "main")
    town.open()
    town.dossier("assemble")
    assert states(town.gate())["protected-rules"] == "pass"


def test_money_does_not_require_what_only_warns(tmp_path: Path) -> None:
    """A rule of the protected branch that begins to deny later, or never, is shown and denies nothing; from its day on it does."""
    town = Town(tmp_path)
    money = town.read("dossier.toml").replace('criticality = "internal"', 'criticality = "money"')
    protect(town, money)
    town.git("rebase", "-q", "main")
    town.assembled()
    day = town.moment(days=1)
    protect(town, f'{money}\n[[rules.requirement]]\nid = "tests"\nseverity = "warn"\nminimum_count = 3\n')
    town.dossier("assemble")
    assert states(town.gate())["protected-rules"] == "pass"
    new = '[[rules.requirement]]\nid = "soon"\ntitle = "t"\nkind = "tests"\nevidence = "tests"\nremedy = "r"\nwhy = "w"\n'
    protect(town, f'{money}\n{new}blocks_from = "{day}"\n')
    town.dossier("assemble")
    decision = town.gate()
    assert states(decision)["protected-rules"] == "pass"
    assert "the protected branch asks more since: shop/soon: new (stricter), which only warns" in decision["notes"]
    town.later(days=1)
    town.dossier("assemble")
    assert states(town.gate())["protected-rules"] == "fail"


def test_attack_rules_weakened_on_the_way(town: Town) -> None:
    """Opened under one rule, failed, the rule weakened on the protected branch, opened again: shown, and the rule owner has to sign."""
    protect(town, town.read("dossier.toml") + STRICT)
    town.git("rebase", "-q", "main")
    town.assembled()
    assert states(town.gate())["tests"] == "inconclusive"
    protect(town, town.git("show", "main:dossier.toml").replace("minimum_count = 3", "minimum_count = 1") + "\n")
    town.git("rebase", "-q", "main")
    town.open()
    digest = town.dossier("assemble")["dossier"]["digest"]
    decision = town.gate()
    moved = "the criteria moved since the change was first opened: shop/tests minimum_count: 3 → 1 (looser)"
    assert moved in decision["notes"]
    assert "rule-owner" in decision["quorum"]
    assert "rule-owner" in {r["role"] for r in seats(town, decision)}
    stale = requirement(town)
    assert (stale["state"], stale["cause"]) == ("stale", "rule")
    town.dossier("collect")
    digest = town.dossier("assemble")["dossier"]["digest"]
    assert states(town.gate())["tests"] == "pass"
    town.approve(digest, "release-manager")
    assert town.gate()["outcome"] == "DENY"
    town.approve(digest, "rule-owner")
    assert town.gate()["outcome"] == "ALLOW"


@pytest.mark.parametrize("how", ["a new title", "a new branch", "a new branch and commit", "fewer commits"])
def test_criteria_are_not_shed_by_a_new_name(town: Town, how: str) -> None:
    """What was first registered stays so under another title or branch, as long as the work is the same or goes on from it."""
    loose = town.read("dossier.toml")
    protect(town, loose + STRICT)
    town.git("rebase", "-q", "main")
    town.write("app/pay.py", "def pay(x):\n    return int(x) + 1 - 1\n")
    town.commit("round again")
    town.open()
    protect(town, loose + "\n")
    if how == "a new title":
        issue = town.root / "issue.md"
        issue.write_text(issue.read_text().replace("# Round payments", "# Round payments."))
        town.git("rebase", "-q", "main")
    elif how == "a new branch":
        town.git("branch", "-m", "fix/other")
        town.git("rebase", "-q", "main")
    else:
        town.git("branch", "-m", "fix/other")
        if how == "fewer commits":
            town.git("reset", "-q", "--hard", "HEAD~1")
        town.git("merge", "-q", "--no-edit", "main")
        town.write("app/pay.py", "def pay(x):\n    return int(x) + 2 - 2\n")
        town.commit("round anew")
    town.open()
    town.dossier("assemble")
    decision = town.gate()
    assert "the criteria moved since the change was first opened: shop/tests minimum_count: 3 → 1 (looser)" in decision["notes"]
    assert "rule-owner" in decision["quorum"]


def test_other_work_has_its_own_first_opening(town: Town) -> None:
    """Rules that were loosened between two changes with nothing in common move nothing for the second."""
    loose = town.read("dossier.toml")
    protect(town, loose + STRICT)
    town.git("rebase", "-q", "main")
    town.open()
    protect(town, loose + "\n")
    town.git("switch", "-q", "-c", "fix/other", "main")
    town.write("app/pay.py", "def pay(x):\n    return round(x)\n")
    town.commit("otherwise")
    town.open()
    town.dossier("assemble")
    assert not [n for n in town.gate()["notes"] if "first opened" in n]


WEB = """
[[service]]
name = "web"
paths = ["web/**"]
criticality = "internal"
owners = ["@ann"]
tag = "web-v{version}"
"""


def test_a_service_gone_from_the_protected_branch_hides_no_stricter_rule(town: Town) -> None:
    """It is a finding of its own, and what the protected branch asks of the others by now is found all the same."""
    both = town.read("dossier.toml") + WEB
    town.write("web/a.js", "1\n")
    town.commit("web")
    protect(town, both)
    town.git("rebase", "-q", "main")
    town.open()
    town.dossier("collect", ok=(0, 10))
    protect(town, both.replace('name = "web"', 'name = "webui"') + STRICT)
    found = {f["service"]: f for f in town.dossier("assemble")["dossier"]["findings"] if f["name"] == "protected-rules"}
    assert {s: f["verdict"] for s, f in found.items()} == {"shop": "fail", "web": "fail"}
    assert "minimum_count: 1 → 3" in found["shop"]["counterexamples"][0]["text"]
    assert found["web"]["counterexamples"][0]["text"] == "web is no service of it any more"


def test_a_second_result_of_one_attempt_replaces_nothing(town: Town) -> None:
    """Both stand in the dossier, and two results of one attempt are an error, whatever the later says."""
    failing = town.root / "bad.xml"
    failing.write_text(FAILING)
    town.open()
    town.dossier("collect", "tests", "--from", str(failing), ok=(0, 10))
    world = open_world(town.repo, town.env, town.now)
    entry = next(e for e in world.store.entries() if e.type == "evidence")
    first = world.statement(entry.digest, "evidence")
    better = {k: v for k, v in first.predicate.items() if k != "project"}
    better |= {"verdict": "pass", "cause": "", "counterexamples": [], "counterexamples_total": 0}
    world.record(state("evidence", world.trust.project, list(first.subject), better), change=entry.change, key=entry.key)
    evidence = town.dossier("assemble")["dossier"]["evidence"]
    assert [(e["attempt"], e["verdict"]) for e in evidence] == [(1, "fail"), (1, "pass")]
    judged = requirement(town)
    assert (judged["state"], judged["cause"]) == ("error", "gap")


def seats(town: Town, decision: Any) -> Any:
    """The rows of the matrix people sign in."""
    from release_dossier.web.views import matrix

    world = open_world(town.repo, town.env, town.now)
    dossier = world.statement(decision["dossier"], "dossier").predicate
    return matrix(dossier, decision, world.trust)["rows"]


def release_on_waiver(town: Town, n: int) -> Any:
    """Break the tests, waive them, and release; returns the last decision."""
    town.write("app/pay.py", f"def pay(x):\n    return int(x) + {n} - {n}\n")
    town.commit(f"round {n}")
    digest = town.assembled()
    words = ("--service", "shop", "--as", "ann", "--key", str(town.key), "--reason", f"known, #{n}", "--until", town.moment(days=1))
    town.dossier("waive", digest, "tests", *words)
    town.approve(digest, *sorted({a["role"] for a in town.gate()["approvals"]}))
    decision = town.gate()
    if decision["outcome"] == "ALLOW":
        town.dossier("release")
        town.git("switch", "-q", "main")
        town.git("merge", "-q", "--ff-only", "fix/rounding")
        town.git("switch", "-q", "fix/rounding")
    return decision


def test_waivers_in_a_row(town: Town) -> None:
    """Two releases may go out on a waiver of the same requirement, the third may not, and says which two did."""
    town.git("switch", "-q", "main")
    town.write("results.xml", FAILING)
    town.commit("break")
    town.git("switch", "-q", "fix/rounding")
    town.git("rebase", "-q", "main")
    assert [release_on_waiver(town, n)["outcome"] for n in (1, 2)] == ["ALLOW", "ALLOW"]
    third = release_on_waiver(town, 3)
    assert third["outcome"] == "DENY"
    reason = next(r for r in third["requirements"] if r["id"] == "tests")["reason"]
    assert "the last 2 releases (0.1.1, 0.1.0) went out on a waiver of it, and 2 in a row is the most" in reason


def test_attempts_are_chained(town: Town) -> None:
    """Every attempt in a dossier names the one before it, and the terms it was collected under."""
    town.open()
    town.dossier("collect")
    town.dossier("collect", "tests")
    first, second = town.dossier("assemble")["dossier"]["evidence"]
    assert (first["previous"], second["previous"]) == (None, first["started"])
    assert set(first["criteria"]) == {"tests"}


@needs.ssh_keygen
def test_co_authors(tmp_path: Path) -> None:
    """A co-author is an author: by a signer's word when their address is listed; an unsigned word binds nobody and still keeps them off."""
    town = Town(tmp_path)
    beside = "Co-authored-by: Bob <bob@example.invalid>\nco-authored-by: Ann <ANN@example.invalid>"
    town.git("commit", "-q", "--allow-empty", "-m", f"with help\n\n{beside}")
    authors = town.open()["authors"]
    by = {(a["name"], a["how"]): (a["person"], a["claims"]) for a in authors}
    assert by["Bob", "co-author"] == (None, "")
    assert by["Ann", "co-author"] == (None, "ann")
    town.git("config", "gpg.format", "ssh")
    town.git("config", "user.signingkey", str(town.key))
    town.git("rebase", "-q", "--exec", "git commit -q --amend --no-edit --allow-empty -S", "main")
    by = {(a["name"], a["how"]): (a["person"], a["claims"]) for a in town.open()["authors"]}
    assert by["Ann", "co-author"] == ("ann", "")
    assert by["Bob", "co-author"] == (None, "")


def github_says(folder: Path, commits: Sequence[str], **of_each: Any) -> str:
    """The file of what GitHub says of commits: each verified and by account 5, but for what is said otherwise of each."""
    said = {"commit": {"verification": {"verified": True}}, "author": {"id": 5}, "committer": {"id": 5}}
    file = folder / "commits.json"
    file.write_text(json.dumps([{"sha": c} | said | of_each for c in commits]))
    return str(file)


@needs.ssh_keygen
def test_authors_a_platform_vouches_for(tmp_path: Path) -> None:
    """The author's own verified signature, from an account that is listed, binds by the platform's word; a listed key goes before that."""
    town = Town(tmp_path)
    town.git("commit", "-q", "--allow-empty", "-m", "with help\n\nCo-authored-by: Ann <ann@example.invalid>")
    commits = town.git("rev-list", "main..HEAD").split()

    def opened(**of_each: Any) -> set[tuple[str, str | None]]:
        file = github_says(tmp_path, commits, **of_each)
        return {(a["how"], a["person"]) for a in town.open("--pull", file)["authors"]}

    assert opened() == {("author", None), ("co-author", None)}  # nobody lists the account
    addresses = ("--email", "ann@example.invalid", "--email", "5+octo@users.noreply.github.com")
    town.change_trust("--person", "ann", *addresses)
    assert opened() == {("platform", "ann"), ("co-author", "ann")}
    assert account_of("583231+ann_acme@users.noreply.github.com") == 583231
    assert account_of("octo@users.noreply.github.com") is None
    for unbound in (
        {"commit": {"verification": {"verified": False}}},
        {"commit": {}},
        {"author": {"id": 6}, "committer": {"id": 6}},
        {"committer": {"id": 6}},
        {"committer": None},
        {"author": None, "committer": None},
        {"author": {}, "committer": {}},
        {"sha": "0" * 40},
    ):
        assert opened(**unbound) == {("author", None), ("co-author", None)}, unbound
    notes = town.run("open", "--issue", str(town.root / "issue.md"), "--pull", str(tmp_path / "commits.json"))[2]
    assert "warning: --pull: GitHub verified 0 of the 2 commits that no listed key signed" in notes
    opened(author={"id": 6}, committer={"id": 6})
    notes = town.run("open", "--issue", str(town.root / "issue.md"), "--pull", str(tmp_path / "commits.json"))[2]
    assert "account 6 is listed for no one person: dossier trust propose --email 6+LOGIN@users.noreply.github.com" in notes
    for wrong in ({"author": "octo"}, {"commit": None}, {"sha": 5}):
        with pytest.raises(AssertionError, match=r"commits\.shape"):
            opened(**wrong)
    town.refused("open", "--issue", str(town.root / "issue.md"), "--pull", "nowhere.json")
    opened()
    town.dossier("collect")
    found = next(f for f in town.dossier("assemble")["dossier"]["findings"] if f["kind"] == "authorship")
    assert (found["verdict"], found["facts"]["commits_bound_by_platform"]["value"]) == ("pass", len(commits))
    assert (
        "Ann (bound by GitHub's word)"
        in town.run("open", "--issue", str(town.root / "issue.md"), "--pull", str(tmp_path / "commits.json"))[1]
    )


@needs.ssh_keygen
def test_attack_another_account_named_for_a_commit_of_ones_own(tmp_path: Path) -> None:
    """Neither a platform's word nor another's signature takes a listed address off a change: who it names may not approve. A commit that a
    revoked key signed stays unbound, whatever a platform says."""
    town = Town(tmp_path)
    commits = town.git("rev-list", "main..HEAD").split()
    file = github_says(tmp_path, commits)

    def authors() -> set[tuple[str, str | None, str]]:
        return {(a["how"], a["person"], a["claims"]) for a in town.open("--pull", file)["authors"]}

    hers = town.dossier("key", "new", "bea")["key"]
    bea = (
        "--person",
        "bea",
        "--name",
        "Bea",
        "--role",
        "ops",
        "--public",
        f"{hers['file']}.pub",
        "--email",
        "5+b@users.noreply.github.com",
    )
    town.change_trust(*bea)
    town.change_trust("--person", "ann", "--email", "ann@example.invalid")
    assert authors() == {("platform", "bea", "ann")}
    town.git("config", "gpg.format", "ssh")
    town.git("config", "user.signingkey", hers["file"])
    town.git("rebase", "-q", "--exec", "git commit -q --amend --no-edit --allow-empty -S", "main")
    assert authors() == {("author", "bea", "ann")}
    github_says(tmp_path, town.git("rev-list", "main..HEAD").split())
    town.change_trust("--revoke", hers["id"])
    assert authors() == {("author", None, "ann")}


def test_run_hears_a_platform_about_a_change_that_is_open(town: Town, tmp_path: Path) -> None:
    """`run --pull` opens the change again with what GitHub says; an account that two people list is neither's."""
    commits = town.git("rev-list", "main..HEAD").split()
    file = github_says(tmp_path, commits)

    account = ("--email", "5+octo@users.noreply.github.com")

    def authors() -> set[tuple[str, str | None]]:
        town.dossier("run", "--pull", file, ok=(10,))
        return {(a["how"], a["person"]) for a in town.dossier("assemble")["dossier"]["change"]["authors"]}

    town.change_trust("--person", "ann", *account)
    town.open()
    assert authors() == {("platform", "ann")}
    hers = town.dossier("key", "new", "bea")["key"]["file"]
    town.change_trust("--person", "bea", "--name", "Bea", "--role", "ops", "--public", f"{hers}.pub", *account)
    assert authors() == {("author", None)}


@pytest.mark.parametrize("what", ["release", "dossier", "decision", "approval"])
def test_withdrawn_after_release(town: Town, what: str) -> None:
    """What a release stands on, taken back after it shipped: the posture says so, with who and why, and verifying its bundle is no pass."""
    digest = town.assembled()
    role = town.gate()["approvals"][0]["role"]
    words = ("--as", "ann", "--key", str(town.key))
    approval = town.dossier("approve", digest, "--role", role, *words)["approval"]["digest"]
    decision = town.gate()["digest"]
    release = town.dossier("release")["release"]
    assert town.dossier("posture")["posture"][0]["standing"] == "valid"
    names = {"dossier": digest, "approval": approval, "decision": release.get("decision", decision), "release": release.get("digest", "")}
    town.dossier("withdraw", names[what], "--reason", "wrong by a credit", *words)
    standing = town.dossier("posture", ok=(0, 10))["posture"][0]["standing"]
    assert standing.startswith("withdrawn: ")
    assert "wrong by a credit" in standing
    assert ("the approval of ann" in standing) == (what == "approval")


def test_a_passkey_signs_what_was_drafted(town: Town) -> None:
    """Words drafted here and signed in a browser are recorded when they verify; the same words again are one statement."""
    from datetime import timedelta

    from release_dossier.errors import Refused
    from release_dossier.steps.people import draft_approval, record_signed
    from release_dossier.steps.world import open_world
    from release_dossier.trust.webauthn import key_of_credential
    from tests.trust.test_webauthn import SITE, Authenticator

    drawer = Authenticator()
    key = key_of_credential(drawer.cose, SITE, b"credential")
    (town.root / "passkey.pub").write_text(key.public + "\n")
    town.git("switch", "-q", "main")
    town.dossier("trust", "propose", "--person", "ann", "--public", str(town.root / "passkey.pub"), "--key", str(town.key))
    town.commit("a passkey for ann")
    town.git("switch", "-q", "fix/rounding")
    town.git("rebase", "-q", "main")
    digest = town.assembled()
    role = town.gate()["approvals"][0]["role"]
    world = open_world(town.repo, town.env, town.tick())
    draft = draft_approval(world, digest, "ann", role, "", town.now + timedelta(days=1))
    with pytest.raises(Refused, match=r"people\.unsigned"):
        record_signed(world, draft, ("webauthn", key.id, drawer.assertion(draft.message + b"!")))
    with pytest.raises(Refused, match=r"people\.unsigned"):
        record_signed(world, draft, ("webauthn", key.id, Authenticator().assertion(draft.message)))
    made, _ = record_signed(world, draft, ("webauthn", key.id, drawer.assertion(draft.message)))
    assert town.gate()["outcome"] == "ALLOW"
    again = draft_approval(open_world(town.repo, town.env, town.tick()), digest, "ann", role, "", town.now + timedelta(days=1))
    assert again.recorded == made
