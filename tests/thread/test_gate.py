"""From evidence to a decision: what allows, what denies, and that both can be recomputed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from release_dossier.steps import collect
from release_dossier.steps.init import init
from release_dossier.trust.keys import key_of_public
from tests.store.conftest_store import exchange
from tests.town import JUNIT, Town

FAILING = JUNIT.replace('name="b"/>', 'name="b"><failure message="off by one credit"/></testcase>')


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def states(decision: Any) -> dict[str, str]:
    return {r["id"]: r["state"] for r in decision["requirements"]}


def allowed(town: Town) -> str:
    """Take the change to an ALLOW; returns the dossier."""
    digest = town.assembled()
    roles = sorted({a["role"] for a in town.gate()["approvals"]})
    town.approve(digest, *roles)
    decision = town.gate()
    assert decision["outcome"] == "ALLOW", decision
    return digest


def test_evidence_and_approval_allow(town: Town) -> None:
    """A stranger's repository with passing tests and one approval is allowed, labelled self-approved."""
    digest = town.assembled()
    before = town.gate()
    assert (before["outcome"], states(before)["tests"]) == ("DENY", "pass")
    town.approve(digest, *sorted({a["role"] for a in before["approvals"]}))
    after = town.gate()
    assert after["outcome"] == "ALLOW"
    assert "self-approved" in " ".join(after["notes"])


def test_what_is_missing_is_a_command_to_copy(town: Town) -> None:
    """With one person to sign and their key at hand, the command a denial names works as it stands, in the note too."""
    town.assembled()
    code, out, _ = town.run("gate")
    command = next(line for line in out.splitlines() if "signatures are missing" in line).partition("next: dossier ")[2]
    assert f"dossier {command}`" in town.read(".dossier/rework.md")
    assert (code, town.run(*command.split())[0]) == (10, 0)
    assert town.run("gate")[0] == 0


def test_a_failure_for_good_is_mended_not_run_again(town: Town) -> None:
    """Where no failure is tolerated the next thing is a commit, on the terminal and in the note; what is only missing is collected."""
    town.open()
    town.dossier("assemble")
    assert "next: dossier collect tests " in town.run("gate")[1]
    town.write("results.xml", FAILING)
    town.commit("off by one")
    town.assembled()
    assert "next: mend it and commit, then: dossier run " in town.run("gate")[1]
    assert "- [ ] mend it and commit, then: dossier run — @ann" in town.read(".dossier/rework.md")


def test_a_team_of_one_is_told_so_and_how_to_be_two(tmp_path: Path) -> None:
    """Whoever wrote a change cannot sign it in a team: a denial does not ask them to, but says who is missing and how to name them; init
    says so before the first commit, doctor as long as it is so. Named, that person is who the next denial asks."""
    town = Town(tmp_path)
    for branch in ("main", "fix/rounding"):
        town.git("switch", "-q", branch)
        town.write("dossier.toml", town.read("dossier.toml").replace('mode = "solo"', 'mode = "team"'))
        town.commit("team")
    town.git("rebase", "-q", "main")
    town.assembled()
    propose = "dossier trust propose --person WHO --role release-manager --public THEIRS.pub --key FILE"
    why = "nobody in the trust document may sign as release-manager: whoever wrote a change does not approve it"
    assert f"{why}. next: {propose}" in town.run("gate")[1]
    assert f"`{propose}`" in town.read(".dossier/rework.md")
    people = next(c for c in town.dossier("doctor", ok=(0, 10))["checks"] if c["name"] == "people")
    assert (people["state"], people["help"]) == ("warn", propose)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "bea")], check=True)
    town.change_trust("--person", "bea", "--name", "Bea", "--role", "release-manager", "--public", str(tmp_path / "bea.pub"))
    assert "--as bea --role release-manager --key FILE" in town.run("gate")[1]
    people = next(c for c in town.dossier("doctor")["checks"] if c["name"] == "people")
    assert (people["state"], people["detail"]) == ("pass", "2 people")


def test_init_tells_a_team_that_it_needs_a_second_person(tmp_path: Path) -> None:
    """Where several people commit, the command that names another is printed before the commit to make; where one does, it is not."""
    town = Town(tmp_path, adopted=False)
    for name in ("dossier.toml", "dossier.trust.json"):
        town.git("rm", "-q", name)
    town.git("commit", "-qm", "without")
    alone = town.dossier("init")["next"]
    for name in ("dossier.toml", "dossier.trust.json"):
        (town.repo / name).unlink()
    town.git("-c", "user.email=bea@example.invalid", "commit", "-q", "--allow-empty", "-m", "bea")
    several = town.dossier("init")["next"]
    (more,) = [x for x in several if x not in alone]
    assert "dossier trust propose --person WHO --role release-manager --public THEIRS.pub --key .dossier/keys/ann" in more


def test_init_finds_the_signing_key_under_the_home_it_was_given(tmp_path: Path) -> None:
    """`~` of git's `user.signingkey` is the home of the environment, as git itself reads it, not of whoever runs the process."""
    town = Town(tmp_path, adopted=False)
    for name in ("dossier.toml", "dossier.trust.json"):
        (town.repo / name).unlink()
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / "mine")], check=True)
    town.git("config", "gpg.format", "ssh")
    town.git("config", "user.signingkey", "~/mine.pub")
    made = init(town.repo, {**town.env, "HOME": str(home)}, town.now, None)
    assert (made.key, made.new_key) == (key_of_public((home / "mine.pub").read_text()).id, "")


def test_nothing_collected_is_denied(town: Town) -> None:
    """With no evidence at all every evidence requirement is missing, whoever signs."""
    town.open()
    digest = town.dossier("assemble")["dossier"]["digest"]
    decision = town.gate()
    town.approve(digest, *sorted({a["role"] for a in decision["approvals"]}))
    decision = town.gate()
    assert (decision["outcome"], states(decision)["tests"]) == ("DENY", "missing")


def test_denial_writes_rework(town: Town) -> None:
    """A denial says what is wrong, whose it is, what to do, on the terminal and in .dossier/rework.md."""
    town.write("results.xml", FAILING)
    town.commit("break")
    town.assembled()
    code, out, _ = town.run("gate")
    assert code == 10
    assert "DENY" in out
    assert "off by one credit" in out
    assert "off by one credit" in (town.repo / ".dossier" / "rework.md").read_text()


def test_attack_a_later_pass_over_an_earlier_fail(tmp_path: Path) -> None:
    """Running until it is green does not help: the failure stands until the fingerprint changes or somebody waives it."""
    flaky = 'run = ["sh", "-c", "test -e /tmp/none && cat results.xml || cat results.xml"]'
    town = Town(tmp_path, settings=f'\n[[evidence]]\nname = "tests"\nkind = "tests"\n{flaky}\nformat = "junit"\n')
    town.write("results.xml", FAILING)
    town.commit("break")
    town.open()
    town.dossier("collect", "tests")
    good = town.root / "good.xml"
    good.write_text(JUNIT)
    town.dossier("collect", "tests", "--from", str(good), "--observed-at", town.moment(minutes=-1))
    digest = town.dossier("assemble")["dossier"]["digest"]
    decision = town.gate()
    assert states(decision)["tests"] != "pass"
    town.approve(digest, *sorted({a["role"] for a in decision["approvals"]}))
    assert town.gate()["outcome"] == "DENY"


def test_a_new_dossier_lapses_approvals(town: Town) -> None:
    """What was signed is the digest: another dossier has no approvals, and says why."""
    allowed(town)
    town.write("app/pay.py", "def pay(x):\n    return round(x)\n")
    town.commit("again")
    town.assembled()
    decision = town.gate()
    assert decision["outcome"] == "DENY"
    assert "dossier" in json.dumps(decision["approvals"])


def test_evidence_that_comes_later_changes_no_dossier_there_is(town: Town) -> None:
    """What was closed and signed is decided as before; only a set closed since knows of the failure."""
    digest = allowed(town)
    brought = town.root / "brought.xml"
    brought.write_text(FAILING)
    town.dossier("collect", "tests", "--from", str(brought), "--observed-at", town.moment(minutes=-1))
    assert town.gate(digest)["outcome"] == "ALLOW"
    fresh = town.dossier("assemble")["dossier"]["digest"]
    assert (town.gate(fresh)["outcome"], states(town.gate(fresh))["tests"]) == ("DENY", "fail")
    assert town.gate(digest)["outcome"] == "ALLOW"


def test_rejection_blocks_until_withdrawn(town: Town) -> None:
    """One no denies; taking it back allows again."""
    digest = allowed(town)
    no = town.dossier("reject", digest, "--as", "ann", "--key", str(town.key), "--reason", "not on a Friday")["rejection"]
    blocked = town.gate()
    assert blocked["outcome"] == "DENY"
    assert "not on a Friday" in json.dumps(blocked)
    town.dossier("withdraw", no["digest"], "--as", "ann", "--key", str(town.key), "--reason", "it is Monday")
    assert town.gate()["outcome"] == "ALLOW"


def test_withdrawn_approval_no_longer_counts(town: Town) -> None:
    """An approval taken back counts for nothing."""
    digest = town.assembled()
    role = town.gate()["approvals"][0]["role"]
    mine = town.dossier("approve", digest, "--as", "ann", "--role", role, "--key", str(town.key))["approval"]
    town.dossier("withdraw", mine["digest"], "--as", "ann", "--key", str(town.key), "--reason", "read it again")
    assert town.gate()["outcome"] == "DENY"


def test_waiver_lets_through_and_never_looks_green(town: Town) -> None:
    """A waived requirement keeps what it was; when the waiver ends it reverts."""
    town.write("results.xml", FAILING)
    town.commit("break")
    digest = town.assembled()
    words = ("--service", "shop", "--as", "ann", "--key", str(town.key), "--reason", "known, #7", "--until", town.moment(days=1))
    town.dossier("waive", digest, "tests", *words)
    waived = next(r for r in town.gate()["requirements"] if r["id"] == "tests")
    assert (waived["state"], waived["waived_from"]) == ("waived", "fail")
    late = town.dossier("gate", "--at", town.moment(days=1, hours=1), ok=(10,))["decision"]
    assert states(late)["tests"] == "fail"


def test_stale_evidence(town: Town) -> None:
    """Old evidence is stale with its reason, and collecting again makes it fresh."""
    town.assembled()
    town.later(days=400)
    old = next(r for r in town.gate()["requirements"] if r["id"] == "tests")
    assert old["state"] == "stale"
    assert "limit" in old["reason"]


def test_clock_two_hours_ahead(town: Town) -> None:
    """Evidence from a machine whose clock runs ahead is an error, not fresher than fresh."""
    town.open()
    town.later(hours=2)
    town.dossier("collect")
    town.later(hours=-2)
    town.dossier("assemble")
    assert states(town.gate())["tests"] == "error"


def test_hypothetical_is_never_stored(town: Town) -> None:
    """`--at` asks what if: the answer is marked, has no digest, and leaves no entry."""
    town.assembled()
    size = town.dossier("log", "checkpoint")["size"]
    answer = town.dossier("gate", "--at", town.moment(days=1), ok=(10,))["decision"]
    assert (answer["hypothetical"], answer["digest"]) == (True, "")
    assert town.dossier("log", "checkpoint")["size"] == size


def test_what_if_points_at_no_note_of_another_decision(town: Town) -> None:
    """Nothing is written for a hypothetical denial, so it does not send anybody to read it; nor is there a time outside the calendar."""
    town.assembled()
    out = town.run("gate", "--at", town.moment(days=30))[1]
    assert "next: dossier run" in out
    assert "rework.md" not in out
    assert town.refused("gate", "--at", "0001-01-01T00:00:00+14:00")["code"] == "time.syntax"


def test_an_approval_that_would_have_ended_is_refused(town: Town) -> None:
    digest = town.assembled()
    args = "--as", "ann", "--role", "release-manager", "--key", str(town.key)
    assert town.refused("approve", digest, *args, "--until", town.moment(days=-1))["code"] == "people.past"


def test_replay_is_bit_equal(town: Town) -> None:
    """A stored decision is recomputed to the same bytes, also after more has happened."""
    digest = town.assembled()
    decision = town.gate()
    town.approve(digest, *sorted({a["role"] for a in decision["approvals"]}))
    town.gate()
    town.later(days=900)
    assert town.dossier("replay", decision["digest"]) == {"equal": True, "differences": [], "decision": decision["digest"]}


@pytest.mark.parametrize("env", [{"TZ": "Pacific/Kiritimati"}, {"LC_ALL": "C"}, {"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "4242"}])
def test_replay_under_other_circumstances(town: Town, env: dict[str, str]) -> None:
    """Timezone, locale and hash seed change no byte of a decision."""
    town.assembled()
    decision = town.gate()
    command = [sys.executable, "-m", "release_dossier", "-C", str(town.repo), "replay", decision["digest"], "--json"]
    done = subprocess.run(command, env={**os.environ, **town.env, **env}, capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)["equal"]) == (0, True), done


def test_attack_rolled_back_log(town: Town) -> None:
    """A store put back to an earlier copy is found by the checkpoint in the repository."""
    town.assembled()
    copy = town.root / "copy"
    shutil.copytree(town.repo / ".dossier", copy)
    town.gate()
    town.dossier("collect")
    shutil.rmtree(town.repo / ".dossier")
    shutil.copytree(copy, town.repo / ".dossier")
    assert town.refused("gate", code=40)["code"] == "log.rolled-back"


@pytest.mark.parametrize("command", ["collect", "assemble", "log publish"])
def test_attack_a_rolled_back_log_does_not_overwrite_what_is_remembered_of_it(town: Town, command: str) -> None:
    """No command replaces the kept checkpoint by that of a log which forgot something: a rejection, here."""
    town.open()
    town.dossier("collect")
    shutil.copytree(town.repo / ".dossier", town.root / "copy")
    digest = town.dossier("assemble")["dossier"]["digest"]
    town.dossier("reject", digest, "--as", "ann", "--key", str(town.key), "--reason", "not this one")
    shutil.rmtree(town.repo / ".dossier")
    shutil.copytree(town.root / "copy", town.repo / ".dossier")
    kept = town.git("rev-parse", "refs/dossier/log")
    assert town.refused(*command.split(), code=40)["code"] == "log.rolled-back"
    assert town.git("rev-parse", "refs/dossier/log") == kept


def test_the_head_of_another_machine_s_log_is_named_as_that(town: Town) -> None:
    """A second machine with a state of its own, which fetched the head of the first one's log, is told whose it is; a head it signed
    itself is not explained away."""
    town.assembled()
    shutil.move(town.repo / ".dossier", town.root / "first")
    town.env |= {"DOSSIER_HOME": str(town.root / "second"), "DOSSIER_PROTECTED_BRANCH": "main"}
    town.run("doctor")
    key = ("--key", str(town.root / "first/keys/ann"))
    town.change_trust("--producer", "laptop", "--public", str(town.root / "second/keys/producer.pub"), *key)
    refused = town.refused("log", "audit", code=40)
    assert (refused["code"], refused["help"].partition(" ")[0]) == ("log.rolled-back", "runner")
    town.env["DOSSIER_HOME"] = str(town.root / "first")
    assert town.run("log", "audit")[0] == 0


def test_a_lock_that_a_killed_git_left_is_named(town: Town) -> None:
    """The head cannot be kept: unavailable, with the file to remove; the next run goes on."""
    town.assembled()
    town.gate()
    lock = town.repo / ".git/refs/dossier/log.lock"
    lock.touch()
    refused = town.refused("gate", code=30)
    assert (refused["code"], str(lock) in refused["help"]) == ("log.unwritable", True)
    lock.unlink()
    assert town.gate()["outcome"] == "DENY"


def test_another_worktree_is_told_where_the_log_is(town: Town) -> None:
    """Two worktrees share the repository's memory of one log: the second is told to use the first one's state, and can."""
    town.assembled()
    town.git("worktree", "add", "-q", str(town.root / "second"), "-b", "fix/second", "main")
    second = object.__new__(Town)
    second.__dict__ = {**town.__dict__, "repo": town.root / "second"}
    here = f"export DOSSIER_HOME={town.repo / '.dossier'}"
    assert second.refused("list")["help"] == here
    second.env = {**town.env, "DOSSIER_PROTECTED_BRANCH": "main"}
    second.write("app/pay.py", "def pay(x):\n    return round(x)\n")
    second.commit("round")
    second.open()
    refused = second.refused("collect", code=40)
    name, _, place = refused["help"].removeprefix("export ").partition("=")
    assert (refused["code"], name) == ("log.rolled-back", "DOSSIER_HOME")
    second.env[name] = place
    second.assembled()
    assert states(second.gate())["tests"] == "pass"


def test_bootstrap_never_allows(tmp_path: Path) -> None:
    """Settings that stand on no protected branch allow nothing, whoever signs."""
    town = Town(tmp_path, adopted=False)
    digest = town.assembled()
    decision = town.gate()
    town.approve(digest, *sorted({a["role"] for a in decision["approvals"]}))
    decision = town.gate()
    assert decision["outcome"] == "DENY"
    assert "bootstrap" in " ".join(decision["notes"])


def test_attack_statements_of_a_fork(town: Town, tmp_path: Path) -> None:
    """Evidence and approvals signed in another project with the same files count for nothing here."""
    import shutil

    other = Town(tmp_path / "fork", founded_anew=True)
    digest = allowed(other)
    assert digest.startswith("sha256:")
    town.open()
    shutil.rmtree(town.repo / ".dossier" / "documents")
    shutil.rmtree(town.repo / ".dossier" / "log")
    shutil.copytree(other.repo / ".dossier" / "documents", town.repo / ".dossier" / "documents")
    shutil.copytree(other.repo / ".dossier" / "log", town.repo / ".dossier" / "log")
    assert town.run("gate", "--json")[0] == 40


@pytest.mark.parametrize("type_", ["started", "evidence", "dossier", "change"])
def test_attack_a_deleted_document(town: Town, type_: str) -> None:
    """Every document the log names is asked for: one that is gone stops everything."""
    allowed(town)
    entry = next(
        json.loads(x) for x in (town.repo / ".dossier/log/entries.ndjson").read_text().splitlines() if json.loads(x)["type"] == type_
    )
    exchange(town.repo / ".dossier", entry["n"], b"")
    assert town.run("gate", "--json")[0] == 40


def test_attack_a_dropped_log_entry(town: Town) -> None:
    """A line taken out of the log is a gap, wherever it was."""
    allowed(town)
    log = town.repo / ".dossier/log/entries.ndjson"
    lines = log.read_text().splitlines(keepends=True)
    for i in range(len(lines)):
        log.write_text("".join(lines[:i] + lines[i + 1 :]))
        assert town.run("gate", "--json")[0] == 40, i


def test_rework_then_run_is_enough(town: Town) -> None:
    """What a denial says to do: mend, commit, `dossier run`. The same issue is judged at the new head, and only that one."""
    town.write("results.xml", FAILING)
    town.commit("break")
    town.open()
    town.dossier("collect")
    town.dossier("assemble")
    assert states(town.gate())["tests"] == "fail"
    town.write("results.xml", JUNIT)
    head = town.commit("mend")
    answer = town.dossier("run", ok=(0, 10))
    assert states(answer["decision"])["tests"] == "pass"
    assert "the same issue at the new head" in answer["stages"][0]["detail"]
    first, second = town.dossier("list")["changes"]
    assert (first["objective"], first["services"], first["owner"]) == (second["objective"], second["services"], second["owner"])
    assert town.dossier("show", first["change"])["predicate"]["head"] == head
    again = town.dossier("run", ok=(0, 10))
    assert "stands" in again["stages"][0]["detail"]
    assert len(town.dossier("list")["changes"]) == 2


def test_evidence_that_took_long_is_not_of_the_future(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dossier run` decides after what it collected, however long that took."""
    run = collect._run

    def slowly(*args: Any) -> Any:
        town.later(minutes=20)
        return run(*args)

    monkeypatch.setattr(collect, "_run", slowly)
    decision = town.dossier("run", "--issue", str(town.root / "issue.md"), ok=(0, 10))["decision"]
    assert states(decision)["tests"] == "pass"
    evidence = town.dossier("show", next(r["evidence"][0] for r in decision["requirements"] if r["id"] == "tests"))
    assert evidence["logged_at"] == evidence["predicate"]["recorded_at"]


def test_a_message_of_several_lines_stays_readable(tmp_path: Path) -> None:
    """A test's words over several lines become one line, without signs for what cannot be shown."""
    town = Town(tmp_path)
    town.write(
        "results.xml", JUNIT.replace('name="b"/>', 'name="b"><failure message="assert 4 == 0&#10;  +  where 4 = add(2, 2)"/></testcase>')
    )
    town.commit("break")
    town.open()
    town.dossier("collect")
    town.dossier("assemble")
    _, out, _ = town.run("gate")
    assert "assert 4 == 0 +  where 4 = add(2, 2)" in out
    assert "\ufffd" not in out
