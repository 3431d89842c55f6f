"""Collecting: what is recorded, of what, and what every attempt leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.evidence.test_provenance import ACTIONS, BEACON, BUILT_FROM, BUNDLES, CONFORMANCE, public_good
from tests.thread.test_gate import states
from tests.town import JUNIT, TESTS, Town

FAILING = '<testsuite name="s" tests="1"><testcase classname="t" name="a"><failure message="2 is not 3"/></testcase></testsuite>\n'
BROUGHT = TESTS + '\n[[evidence]]\nname = "brought"\nkind = "tests"\nformat = "junit"\n'


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path, settings=BROUGHT)


def test_a_run_is_recorded(town: Town) -> None:
    """Verdict, looked-at, times, command, exit status, isolation and artifacts of a run stand in its statement."""
    town.open()
    (e,) = town.dossier("collect")["evidence"]
    assert (e["verdict"], e["looked_at"], e["of"], e["attempt"]) == ("pass", 2, 2, 1)
    assert (e["command"], e["exit_status"]) == (["cat", "results.xml"], 0)
    assert e["isolation"] in ("namespace", "process")
    assert e["observed_at"] <= e["collected_at"] <= e["recorded_at"]
    assert e["producer"]["id"] == "runner"
    assert e["artifacts"][0]["bytes"] == len(JUNIT)


def test_every_attempt_stays(town: Town) -> None:
    """Attempts are numbered and chained, and a second one hides nothing of the first."""
    town.open()
    first = town.dossier("collect", "tests")["evidence"][0]
    second = town.dossier("collect", "tests")["evidence"][0]
    assert (first["attempt"], second["attempt"]) == (1, 2)
    town.dossier("assemble")
    d = town.dossier("assemble")["dossier"]
    assert [a["attempt"] for a in d["evidence"]] == [1, 2]


def test_opening_again_does_not_reset_attempts(town: Town) -> None:
    """Another issue text about the same fingerprint is another change, but not a fresh budget."""
    town.open()
    town.dossier("collect", "tests")
    (town.root / "issue.md").write_text((town.root / "issue.md").read_text().replace("whole credits", "whole credits only"))
    town.open()
    assert town.dossier("collect", "tests")["evidence"][0]["attempt"] == 2


def test_import_says_who_brought_it(town: Town) -> None:
    """A file that is brought names the one who brought it, and where its time comes from."""
    town.open()
    file = town.root / "brought.xml"
    file.write_text(FAILING)
    (e,) = town.dossier("collect", "brought", "--from", str(file), "--observed-at", town.moment(hours=-1))["evidence"]
    assert (e["verdict"], e["isolation"], e["producer"]["imported_by"]) == ("fail", "none", "ann")
    assert "2 is not 3" in e["counterexamples"][0]["text"]


def test_show_says_what_evidence_says_before_how_it_is_written(town: Town) -> None:
    """For people: the verdict with its counterexample, facts with units, who brought it, until when; never raw JSON."""
    town.open()
    file = town.root / "brought.xml"
    file.write_text(FAILING)
    (e,) = town.dossier("collect", "brought", "--from", str(file), "--observed-at", town.moment(hours=-1))["evidence"]
    _, out, _ = town.run("show", e["digest"])
    assert "✗ fail  brought · shop · attempt 1 · 1 of 1 looked at\n    " in out
    assert "2 is not 3" in out
    assert "brought by ann" in out
    assert '"predicate"' not in out
    assert town.dossier("show", e["digest"])["predicate"]["verdict"] == "fail"
    digest = town.dossier("assemble")["dossier"]["digest"]
    assert "\nundecided\n" in town.run("show", digest)[1]
    town.gate()
    assert "\nDENY  shop" in town.run("show", digest)[1]


def test_unknown_name_and_missing_file(town: Town) -> None:
    """A name nobody planned, a name without a file, a file without a name, a file that is not there: each its refusal."""
    town.open()
    assert town.refused("collect", "nothing")["code"] == "collect.unknown-name"
    assert town.refused("collect", "brought")["code"] == "collect.no-command"
    assert town.refused("collect", "--from", "x")["code"] == "collect.no-name"
    out = town.dossier("collect", "brought", "--from", str(town.root / "none.xml"), ok=(20,))
    assert out["refused"][0]["code"] == "collect.no-file"


def test_a_refused_file_is_no_evidence_but_the_attempt_counts(town: Town) -> None:
    """A file that cannot be read is refused, and the attempt it began stands in the log."""
    town.open()
    file = town.root / "bad.xml"
    file.write_text("<testsuite")
    out = town.dossier("collect", "brought", "--from", str(file), ok=(0, 20))
    dossier = town.dossier("assemble")["dossier"]
    verdicts = {a["verdict"] for a in dossier["evidence"] if a["name"] == "brought"}
    assert out["refused"] or verdicts <= {"inconclusive", "missing"}
    assert "pass" not in verdicts


def test_killed_attempt_counts_and_is_said(tmp_path: Path) -> None:
    """A run that never came back stands in the dossier as an attempt that never ended."""
    town = Town(tmp_path)
    town.open()
    env = {**town.env, "DOSSIER_KILL_AT": "collect.started"}
    p = subprocess.run([sys.executable, "-m", "release_dossier", "-C", str(town.repo), "collect"], env=env, capture_output=True)
    assert p.returncode == -signal.SIGKILL
    code, _, err = town.run("collect", "--json")
    assert code == 0
    assert "attempt 1 never ended" in err
    attempts = town.dossier("assemble")["dossier"]["evidence"]
    assert [(a["attempt"], a["digest"] is None, a["verdict"]) for a in attempts] == [(1, True, "inconclusive"), (2, False, "pass")]
    tried = [line for line in town.run("rules", "explain", "tests")[1].splitlines() if line.startswith("  attempt ")]
    assert tried[0] == f"  attempt 1  inconclusive, begun {attempts[0]['observed_at']} and never ended"
    assert tried[1].endswith(" by runner")


def test_missing_tool_is_inconclusive(tmp_path: Path) -> None:
    """A tool that is not installed is nobody's pass and nobody's failure."""
    town = Town(tmp_path, settings=TESTS.replace('"cat"', '"no-such-tool"'))
    town.open()
    (e,) = town.dossier("collect")["evidence"]
    assert (e["verdict"], e["infrastructure"], e["cause"]) == ("inconclusive", True, "no-such-tool is not installed here")


def test_output_through_a_link_is_not_read(tmp_path: Path) -> None:
    """A planned output that is a link out of the worktree is not followed."""
    settings = TESTS.replace('["cat", "results.xml"]', '["ln", "-s", "/etc/passwd", "out.xml"]') + 'output = "out.xml"\n'
    town = Town(tmp_path, settings=settings)
    town.open()
    (e,) = town.dossier("collect")["evidence"]
    assert e["verdict"] == "inconclusive"
    assert all("passwd" not in a["name"] for a in e["artifacts"])
    assert "root:" not in str(e)


def test_assemble_twice_is_one_dossier(town: Town) -> None:
    """The same log gives the same bytes, whenever it is closed; what is absent stands in it by name."""
    town.open()
    town.dossier("collect")
    first = town.dossier("assemble")["dossier"]
    town.later(hours=3)
    again = town.dossier("assemble")["dossier"]
    assert first["digest"] == again["digest"]
    assert [a["name"] for a in first["absent"]] == ["brought"]


@pytest.mark.conformance
def test_attestations_are_believed_of_identities_the_protected_branch_names(tmp_path: Path) -> None:
    """With the trusted root of the commit the criteria are from; what the branch under judgement adds or changes counts for nothing."""
    if not CONFORMANCE.exists():
        pytest.skip("needs ../shared: published attestations")
    planned = '\n[[evidence]]\nname = "built"\nkind = "provenance"\n'
    who = f'\n[[keyless]]\nname = "ci"\nidentity = "{BEACON}*"\nissuer = "{ACTIONS}"\nroot = "trusted_root.json"\n'
    bundle = str(BUNDLES / "happy-path-intoto-in-dsse-v3/bundle.sigstore.json")

    def verified(town: Town, *, ok: int = 0) -> Any:
        out = town.dossier("collect", "built", "--from", bundle, ok=(ok,))
        return out["evidence"][0] if ok == 0 else out["refused"][0]

    town = Town(tmp_path / "named", settings=TESTS + planned + who)
    town.open()
    assert verified(town, ok=20)["code"] == "collect.no-root"
    town.git("switch", "-q", "main")
    (town.repo / "trusted_root.json").write_bytes(public_good())
    town.commit("whom to believe")
    town.git("switch", "-q", "fix/rounding")
    town.git("rebase", "-q", "main")
    town.write("trusted_root.json", "{}")
    town.commit("another root")
    town.open()
    found = verified(town)
    assert (found["verdict"], found["facts"]["statements_verified"]["value"]) == ("fail", 1)
    assert f"built from {BUILT_FROM}" in found["counterexamples"][0]["text"]

    other = Town(tmp_path / "unnamed", settings=TESTS + planned)
    other.write("dossier.toml", other.read("dossier.toml") + who)
    (other.repo / "trusted_root.json").write_bytes(public_good())
    other.commit("believe mine")
    other.open()
    assert verified(other)["facts"]["statements_verified"]["value"] == 0


def test_a_moment_to_come_is_refused_before_an_attempt_begins(tmp_path: Path) -> None:
    """A mistyped year would make the requirement an error for good; a moment beyond the calendar is no moment. Neither counts."""
    town = Town(tmp_path)
    town.open()
    file = town.repo / ".git/results.xml"
    file.write_text(JUNIT)
    for moment, code in (
        (town.moment(days=365), "collect.future"),
        ("9999-12-31T23:59:59Z", "collect.future"),
        ("9999-12-31T23:59:59-01:00", "time.syntax"),
        ("0001-01-01T00:00:00+01:00", "time.syntax"),
    ):
        assert town.refused("collect", "tests", "--from", str(file), "--observed-at", moment)["code"] == code
    (evidence,) = town.dossier("collect", "tests", "--from", str(file), "--observed-at", town.moment(minutes=1))["evidence"]
    assert evidence["attempt"] == 1


def test_a_file_that_says_a_moment_to_come_is_refused_before_an_attempt_begins(town: Town) -> None:
    """Unpacked in another time zone, or written by a clock that was ahead: it would be an error for good. What it was is said by hand."""
    town.open()
    file = town.root / "results.xml"
    file.write_text(JUNIT)
    ahead = (town.now + timedelta(hours=2)).timestamp()
    os.utime(file, (ahead, ahead))
    (refused,) = town.dossier("collect", "tests", "--from", str(file), ok=(20,))["refused"]
    assert refused["code"] == "collect.future"
    assert refused["found"].endswith("when the file was last modified")
    assert "started" not in town.read(".dossier/log/entries.ndjson")
    town.dossier("collect", "tests", "--from", str(file), "--observed-at", town.moment(minutes=-1))
    town.dossier("assemble")
    assert states(town.gate())["tests"] == "pass"


def test_a_clock_that_goes_back_while_tests_run(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between their end and its recording: observed when it was recorded, and not after that, which would be an error for good."""
    town.open()
    readings = [0]

    def tick() -> datetime:
        readings[0] += 1
        if readings[0] == back:
            town.later(days=-1)
        return Town.tick(town)

    for back in range(2, 6):
        readings[0] = 0
        with monkeypatch.context() as m:
            m.setattr(town, "tick", tick)
            town.dossier("collect")
        (e,) = [a for a in town.dossier("assemble")["dossier"]["evidence"] if a["attempt"] == back - 1]
        assert e["observed_at"] <= e["collected_at"] <= e["recorded_at"], back
        town.later(days=1)
    assert readings[0] >= back - 1


def test_a_file_that_is_refused_is_no_attempt(town: Town) -> None:
    """Whoever brings the wrong file three times is told so, and the right one then passes as the first attempt."""
    town.open()
    wrong, other = town.root / "wrong.xml", town.root / "lcov.info"
    wrong.write_text('{"not": "xml"}')
    other.write_text("SF:app/pay.py\nDA:1,1\nLF:1\nLH:1\nend_of_record\n")
    for file in (wrong, other) * 2:
        assert town.dossier("collect", "tests", "--from", str(file), ok=(20,))["refused"]
    assert "started" not in town.read(".dossier/log/entries.ndjson")
    evidence = town.dossier("collect", "tests", "--from", str(town.repo / "results.xml"))["evidence"]
    assert [(e["verdict"], e["attempt"]) for e in evidence] == [("pass", 1)]


def test_a_commit_that_cannot_be_checked_out_is_an_attempt_that_ended(town: Town) -> None:
    """A blob is gone: the attempt came to nothing, says why in git's words, and is not one that never ended."""
    town.open()
    blob = town.git("rev-parse", "HEAD:results.xml")
    lost = town.repo / ".git" / "objects" / blob[:2] / blob[2:]
    kept = lost.read_bytes()
    lost.unlink()
    [e] = town.dossier("collect", "tests")["evidence"]
    assert (e["verdict"], e["attempt"]) == ("inconclusive", 1)
    said = town.dossier("show", e["digest"])["predicate"]
    assert said["infrastructure"]
    assert "could not be checked out: " in said["cause"]
    lost.write_bytes(kept)
    code, _, err = town.run("collect", "tests")
    assert (code, "never ended" in err) == (0, False)
    assert town.gate(town.dossier("assemble")["dossier"]["digest"])["requirements"][0]["state"] == "pass"


@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_run_that_is_told_to_end_takes_its_command_with_it(tmp_path: Path, word: signal.Signals) -> None:
    """As a cancelled CI job or a closed terminal says it: nothing planned works on behind it, and it ends as the signal says."""
    alive = tmp_path / "alive"
    town = Town(
        tmp_path, settings=TESTS.replace('["cat", "results.xml"]', f'["sh", "-c", "while :; do echo >> {alive}; sleep 0.05; done"]')
    )
    town.open()
    heard = "signal.default_int_handler" if word is signal.SIGINT else "signal.SIG_DFL"  # pytest may have been started with it ignored
    begin = f"import signal; signal.signal({word:d}, {heard}); from release_dossier.__main__ import main; main()"
    command = [sys.executable, "-c", begin, "-C", str(town.repo), "collect"]
    running = subprocess.Popen(command, env=town.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not alive.exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    running.send_signal(word)
    _, told = running.communicate(timeout=60)
    assert running.returncode == (130 if word is signal.SIGINT else -word)
    assert "stopped; what was recorded before stands" in told
    size = alive.stat().st_size
    time.sleep(0.5)
    assert alive.stat().st_size == size
