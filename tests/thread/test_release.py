"""Release, posture, and the one file that is passed on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from release_dossier import bundle
from release_dossier.bundle import tag_names, unpack
from release_dossier.release import tag_message
from release_dossier.store.crash import POINTS
from release_dossier.store.files import new_key
from release_dossier.trust.keys import ED25519, load_signer
from release_dossier.trust.sshsig import armor_signature
from tests import needs
from tests.thread.test_gate import allowed
from tests.town import ISSUE, TESTS, Town


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_release_once(town: Town) -> None:
    """A signed tag with the dossier in it, a record, an entry; a second run says so and doubles nothing."""
    digest = allowed(town)
    made = town.dossier("release")["release"]
    assert (made["tag"], made["dossier"], made["fresh"]) == ("v0.1.0", digest, True)
    assert digest in town.git("cat-file", "tag", "v0.1.0")
    size = town.dossier("log", "checkpoint")["size"]
    again = town.dossier("release")["release"]
    assert (again["fresh"], again["digest"]) == (False, made["digest"])
    releases = [e for e in (town.repo / ".dossier/log/entries.ndjson").read_text().splitlines() if json.loads(e)["type"] == "release"]
    assert len(releases) == 1
    assert town.dossier("log", "checkpoint")["size"] == size + 1  # the second decision, no second release


@needs.ssh_keygen
def test_tag_verifies_with_git(town: Town) -> None:
    """git itself accepts the tag's signature against the keys of the trust document."""
    allowed(town)
    town.dossier("release")
    signers = town.root / "signers"
    producers = town.dossier("trust", "show")["trust"]["producers"]
    signers.write_text("".join(f"{p['id']} {k['public']}\n" for p in producers for k in p["keys"]))
    town.git("-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={signers}", "verify-tag", "v0.1.0")


def test_denied_makes_nothing(town: Town) -> None:
    """A denied dossier has no tag, no record."""
    town.assembled()
    assert town.dossier("release", ok=(10,))["decision"]["outcome"] == "DENY"
    assert town.git("tag") == ""


def test_another_tag_of_that_name(town: Town) -> None:
    """A tag that is there for something else is refused, here and at the remote."""
    allowed(town)
    town.git("tag", "v0.1.0", "main")
    assert town.refused("release")["code"] == "release.tag-exists"


def pushed(town: Town) -> Path:
    """The bare repository its main branch was pushed to, and that it takes for its remote."""
    remote = town.root / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    town.git("remote", "add", "origin", str(remote))
    pin = town.repo / ".dossier" / "project.json"
    pin.write_text(pin.read_text().replace('"remote":""', '"remote":"origin"'))
    town.git("push", "-q", "origin", "main")
    return remote


def test_another_tag_at_the_remote(town: Town) -> None:
    """The remote's tags are asked; one of that name is refused, and a remote that does not answer is said to be unreachable."""
    pushed(town)
    allowed(town)
    town.git("tag", "v0.1.0", "main")
    town.git("push", "-q", "origin", "v0.1.0")
    town.git("tag", "-d", "v0.1.0")
    assert town.refused("release")["code"] == "release.tag-exists"
    town.git("remote", "set-url", "origin", str(town.root / "gone.git"))
    assert town.refused("release", code=30)["code"] == "release.remote"


def test_a_push_the_remote_refuses_says_why(town: Town) -> None:
    """In the remote's own words; a tag that another process pushed meanwhile is pushed."""
    remote = pushed(town)
    digest = allowed(town)
    hook = remote / "hooks" / "pre-receive"
    hook.write_text('#!/bin/sh\necho "tags are made by the robot" >&2\nexit 1\n')
    hook.chmod(0o755)
    said = town.refused("release", digest, "--push", code=30)
    assert (said["code"], said["found"][:34]) == ("release.remote", "remote: tags are made by the robot")
    hook.write_text('#!/bin/sh\nread -r old new ref\necho "$new" > "$ref"\n')
    assert town.dossier("release", digest, "--push")["release"]["pushed"]
    there = subprocess.run(["git", "rev-parse", "v0.1.0"], cwd=remote, capture_output=True, text=True).stdout.strip()
    assert there == town.git("rev-parse", "v0.1.0")


def test_a_tag_that_cannot_be_written_is_no_refusal(town: Town) -> None:
    """A full disk, or a file in the folder's place: unavailable; once there is room the same command goes on."""
    allowed(town)
    tags = town.repo / ".git" / "refs" / "tags"
    tags.rmdir()
    tags.write_text("")
    said = town.refused("release", code=30)
    assert (said["code"], said["at"]) == ("release.unwritable", "refs/tags/v0.1.0")
    tags.unlink()
    assert town.dossier("release")["release"]["fresh"]


def test_of_two_clones_that_release_at_once_one_is_told(town: Town) -> None:
    """Both saw no tag at the remote. Whoever pushes last is told that another clone was first, each time, and how to go on from there."""
    remote = pushed(town)
    digest = allowed(town)
    made = town.dossier("release", digest)["release"]["digest"]
    town.git("tag", "other", "main", "-m", "another clone's")
    town.git("push", "-q", str(remote), "refs/tags/other:refs/tags/v0.1.0")
    for _ in range(2):
        said = town.refused("release", digest, "--push")
        assert (said["code"], said["at"]) == ("release.tag-exists", "origin refs/tags/v0.1.0")
        assert said["found"] == f"{town.git('rev-parse', 'other')[:12]}, another tag: another clone released it first"
        assert f"dossier withdraw {made[:19]}" in said["help"]
    town.dossier("withdraw", made, "--as", "ann", "--key", str(town.key), "--reason", "another clone was first")
    town.open("--service", "shop=0.2.0")
    town.dossier("collect")
    again = town.dossier("assemble")["dossier"]["digest"]
    town.approve(again, "release-manager")
    assert town.dossier("release", again, "--push")["release"]["tag"] == "v0.2.0"


def test_squash_that_changes_nothing_keeps_its_evidence(town: Town) -> None:
    """A release goes on any commit whose fingerprints equal the dossier's; on another it names what moved."""
    allowed(town)
    town.git("switch", "-q", "main")
    town.git("merge", "-q", "--squash", "fix/rounding")
    squashed = town.commit("round (#1)")
    town.git("switch", "-q", "fix/rounding")
    town.write("app/other.py", "1\n")
    other = town.commit("other")
    town.git("reset", "-q", "--hard", "HEAD~1")
    refusal = town.refused("release", "--commit", other)
    assert (refusal["code"], "app/other.py" in refusal["found"]) == ("release.moved", True)
    assert town.dossier("release", "--commit", squashed)["release"]["commit"] == squashed


def test_what_moved_is_what_the_service_ships(tmp_path: Path) -> None:
    """A commit that differs is refused by the files of that service, not by its neighbour's."""
    town = Town(tmp_path)
    two = '[[service]]\nname = "web"\npaths = ["web/**"]\ncriticality = "internal"\nowners = ["@ann"]\ntag = "web/v{version}"\n'
    for branch in ("main", "fix/rounding"):
        town.git("switch", "-q", branch)
        if branch == "main":
            town.write("dossier.toml", town.read("dossier.toml").replace('paths = ["**"]', 'paths = ["app/**"]') + two)
            town.commit("two services")
    town.git("rebase", "-q", "main")
    town.write("web/index.html", "hello")
    town.commit("a page")
    (tmp_path / "issue.md").write_text(ISSUE.replace("- `web/**`", "- `docs/**`").replace("- `app/pay.py`", "- `app/**`\n- `web/**`"))
    digest = town.assembled()
    town.approve(digest, *sorted({a["role"] for a in town.gate()["approvals"]}))
    refused = town.refused("release", "--service", "web", "--commit", "main")
    assert (refused["code"], refused["found"]) == ("release.moved", "web differs: web/index.html")


def test_a_released_dossier_takes_no_more_signatures(town: Town) -> None:
    """They would move nothing; the same one again is the one there is, and what was said can be taken back."""
    digest = allowed(town)
    who = ("--as", "ann", "--key", str(town.key))
    approve = ("approve", digest, "--role", "release-manager", *who)
    before = town.dossier(*approve)
    release = town.dossier("release")["release"]["digest"]
    assert town.dossier(*approve) == before
    for act in (("approve", digest, "--role", "ops", *who), ("reject", digest, "--reason", "late", *who)):
        refusal = town.refused(*act)
        assert (refusal["code"], release[:19] in refusal["help"]) == ("people.closed", True)
    town.dossier("withdraw", release, "--reason", "late", *who)


NO_WEAKER = """
[[rules.requirement]]
id = "protected-rules"
title = "The protected branch asks nothing more by now"
kind = "criteria"
source = "finding"
remedy = "merge the protected branch"
why = "a stricter rule was made for a reason"
"""


def test_a_stricter_rule_after_the_dossier_stops_its_release(tmp_path: Path) -> None:
    """Asked again when it is released, not only when it was assembled; where no rule requires it, it is shown and no more."""
    for own, code in ((NO_WEAKER, "release.rules-moved"), ("", None)):
        town = Town(tmp_path / (code or "free"), settings=TESTS + own)
        allowed(town)
        town.git("switch", "-q", "main")
        town.write("dossier.toml", town.read("dossier.toml") + '\n[[rules.requirement]]\nid = "tests"\nminimum_count = 3\n')
        town.commit("three tests at least")
        town.git("switch", "-q", "fix/rounding")
        if code is None:
            town.dossier("release")
            continue
        refusal = town.refused("release")
        assert (refusal["code"], refusal["found"]) == (code, "shop/tests minimum_count: 1 → 3 (stricter)")
        assert town.git("tag") == ""


RELEASE_POINTS = [
    p for p in POINTS if p.startswith("release.") or p in ("store.document", "store.entry-torn", "store.entry", "store.checkpoint")
]


@pytest.mark.parametrize("point", RELEASE_POINTS)
def test_killed_release_ends_with_one_of_each(town: Town, point: str) -> None:
    """Killed at any point and run again: exactly one tag, one record, one entry."""
    allowed(town)
    command = [sys.executable, "-m", "release_dossier", "-C", str(town.repo), "release", "--json"]
    # The clock of a process of its own is the machine's: the town's day must not make it stale.
    killed = subprocess.run(command, env={**town.env, "DOSSIER_KILL_AT": point}, capture_output=True, text=True)
    if killed.returncode == 10:
        pytest.fail(f"denied in a process of its own: {killed.stdout[:400]}")
    assert killed.returncode == -signal.SIGKILL, killed
    town.dossier("release")
    assert town.git("tag").split() == ["v0.1.0"]
    entries = [json.loads(e) for e in (town.repo / ".dossier/log/entries.ndjson").read_text().splitlines()]
    assert len([e for e in entries if e["type"] == "release"]) == 1
    assert len({e["digest"] for e in entries}) == len(entries)
    town.dossier("log", "audit")


@pytest.mark.parametrize("command", [("collect",), ("assemble",), ("approve",)])
@pytest.mark.parametrize("point", [p for p in POINTS if p.startswith(("store.", "collect."))])
def test_killed_step_loses_and_doubles_nothing(town: Town, command: tuple[str, ...], point: str) -> None:
    """Killed at every commit point of collect, assemble and approve: the next run ends where an undisturbed one would."""
    town.open()
    words = list(command)
    if command != ("collect",):
        town.dossier("collect")
    if command == ("approve",):
        digest = town.dossier("assemble")["dossier"]["digest"]
        role = town.gate()["approvals"][0]["role"]
        words += [digest, "--as", "ann", "--role", role, "--key", str(town.key)]
    env = {**town.env, "DOSSIER_KILL_AT": point}
    p = subprocess.run(
        [sys.executable, "-m", "release_dossier", "-C", str(town.repo), *words, "--json"], env=env, capture_output=True, text=True
    )
    assert p.returncode in (-signal.SIGKILL, 0), p
    before = {e["digest"] for e in _entries(town)}
    town.dossier(*words)
    after = _entries(town)
    assert before <= {e["digest"] for e in after}
    assert len({e["digest"] for e in after}) == len(after)
    if command == ("collect",):
        attempts = town.dossier("assemble")["dossier"]["evidence"]
        assert [a["attempt"] for a in attempts] == list(range(1, len(attempts) + 1))
        assert attempts[-1]["verdict"] == "pass"
    town.dossier("log", "audit")


def _entries(town: Town) -> list[dict[str, str]]:
    lines = (town.repo / ".dossier/log/entries.ndjson").read_bytes().split(b"\n")[:-1]
    return [json.loads(e) for e in lines]


def test_posture(town: Town) -> None:
    """Released but not observed, then where it was recorded, then expired when its evidence is. Looking back, nothing later is there."""
    before = town.moment()
    allowed(town)
    town.dossier("release")
    (line,) = town.dossier("posture")["posture"]
    assert (line["observed"], line["standing"], line["label"]) == ("released, not observed", "valid", "self-approved")
    between = town.moment()
    town.dossier(
        "deployed", "--service", "shop", "--environment", "production", "--version", "0.1.0", "--observed", "https://shop.invalid/version"
    )
    (line,) = town.dossier("posture")["posture"]
    assert (line["environment"], line["observed"]) == ("production", "https://shop.invalid/version")
    assert town.dossier("posture", "--at", before) == {"posture": [], "hypothetical": True}
    assert town.dossier("posture", "--at", between)["posture"][0]["observed"] == "released, not observed"
    after = town.moment(days=400)
    late = town.dossier("posture", "--at", after)
    assert (late["hypothetical"], late["posture"][0]["standing"].split()[0]) == (True, "expired")
    assert town.run("posture", "--at", after)[1].splitlines()[-1] == f"hypothetical: as it would stand at {after}"
    town.dossier("deployed", "--service", "shop", "--environment", "staging", "--version", "9.9.9")
    tag = ["deployed", "--service", "shop", "--environment", "staging", "--version", "9.9.9", "--image", "shop:9.9.9"]
    assert (town.refused(*tag)["code"], town.refused(*tag)["at"]) == ("deploy.image", "--image")
    assert any("unproven" in p["standing"] for p in town.dossier("posture")["posture"])


def test_an_unproven_version_is_asked_the_same(tmp_path: Path) -> None:
    """What runs without a release behind it is still held to its service's objectives, and says what watches it."""
    objective = '[[objective]]\nname = "answers"\nservice = "shop"\ntarget = "99 % answered"\nstatus = "proposed"\nalerts = ["ShopDown"]\n'
    town = Town(tmp_path, settings=f"{TESTS}\n{objective}")
    town.dossier("deployed", "--service", "shop", "--environment", "staging", "--version", "9.9.9")
    (line,) = town.dossier("posture")["posture"]
    assert line["standing"].startswith("unproven")
    assert (line["slos"], line["alerts"]) == ([{"name": "answers", "target": "99 % answered", "status": "proposed"}], ["ShopDown"])


def test_withdrawn_release_shows(town: Town) -> None:
    """Taking back a release after the fact shows in the posture and in its bundle."""
    digest = allowed(town)
    town.dossier("release")
    said = town.run("withdraw", digest, "--as", "ann", "--key", str(town.key), "--reason", "found a bug")[1]
    assert said.splitlines()[-1] == "next: dossier posture"
    assert town.dossier("posture")["posture"][0]["standing"] == "withdrawn: found a bug"
    bundle = town.root / "x.dossier"
    town.dossier("export", digest, "-o", str(bundle))
    assert town.dossier("verify", str(bundle), ok=(10,))["standing"] == "withdrawn: found a bug"


def test_attack_a_reason_that_writes_lines_of_its_own(town: Town) -> None:
    """What somebody wrote stays on the line it belongs to: it cannot look like a word of the command that shows it."""
    digest = allowed(town)
    town.dossier("release")
    forged = "sound · allowed · 71 checks, 0 failed"
    said = town.run("withdraw", digest, "--as", "ann", "--key", str(town.key), "--reason", f"x\n{forged}")[1]
    bundle = town.root / "x.dossier"
    town.dossier("export", digest, "-o", str(bundle))
    code, verified, _ = town.run("verify", str(bundle))
    assert code == 10
    for words in (said, verified, town.run("posture")[1], town.run("release")[1]):
        assert forged in words
        assert forged not in words.splitlines()


def test_bundle_verifies_elsewhere(town: Town, tmp_path: Path) -> None:
    """The file and a trust document are enough; another project's trust, or none, is 40; the same log gives the same bytes."""
    digest = allowed(town)
    town.dossier("release")
    a, b = town.root / "a.dossier", town.root / "b.dossier"
    town.dossier("export", digest, "-o", str(a))
    town.later(days=1)
    town.dossier("export", digest, "-o", str(b))
    assert a.read_bytes() == b.read_bytes()
    trust = tmp_path / "trust.json"
    trust.write_bytes((town.repo / "dossier.trust.json").read_bytes())
    found = town.dossier("verify", str(a), "--trust", str(trust))
    assert (found["verified"], found["standing"]) == (True, "allowed")
    other = Town(tmp_path / "other", founded_anew=True)
    assert other.dossier("verify", str(a), ok=(40,))["verified"] is False
    only = town.dossier("verify", str(a), "--integrity-only")
    assert (only["verified"], only["trust"]) == (True, "none")


@pytest.mark.parametrize("version", [f"1.0.0+build.{'7' * 40}.{'a' * 40}", "1.0.0/rc"])
def test_whatever_a_version_is_called_its_release_is_passed_on(town: Town, version: str) -> None:
    """A tag too long for a name in a tar, or one with a slash, lies in the bundle all the same, which has a file of its own by default."""
    town.open("--service", f"shop={version}")
    town.dossier("collect")
    digest = town.dossier("assemble")["dossier"]["digest"]
    town.approve(digest, *sorted({a["role"] for a in town.gate()["approvals"]}))
    tag = town.dossier("release")["release"]["tag"]
    file = town.repo / town.dossier("export", digest)["file"]
    assert file.parent == town.repo
    assert town.dossier("verify", str(file))["standing"] == "allowed"
    raw = unpack(file)[tag_names([tag])[tag]]
    assert raw == town.git("cat-file", "tag", tag).encode() + b"\n"


def test_tags_that_differ_in_a_slash_lie_in_files_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three services, released in no order of their names; the trains of two are called app/v… and app-v…: the bundle holds every tag.
    One made before these two were told apart, when one took the other's place, still verifies; one that lacks a tag's file does not."""
    town = Town(tmp_path)
    one = '[[service]]\nname = "{0}"\npaths = ["app/**"]\ncriticality = "internal"\nowners = ["@ann"]\ntag = "{0}-v{{version}}"\n'
    others = one.format("web") + one.format("app")
    town.git("switch", "-q", "main")
    settings = (
        town.read("dossier.toml").replace('paths = ["**"]', 'paths = ["app/**"]').replace('tag = "v{version}"', 'tag = "app/v{version}"')
    )
    town.write("dossier.toml", settings + others)
    town.commit("three services")
    town.git("switch", "-q", "fix/rounding")
    town.git("rebase", "-q", "main")
    digest = town.assembled()
    town.approve(digest, *sorted({a["role"] for a in town.gate()["approvals"]}))
    for name in ("web", "shop", "app"):
        town.dossier("release", digest, "--service", name)
    file = tmp_path / "three.dossier"
    town.dossier("export", digest, "-o", str(file))
    assert town.dossier("verify", str(file))["standing"] == "allowed"
    assert town.dossier("verify", "app/v0.1.0") == town.dossier("verify", str(file))
    held = unpack(file)
    kept = [raw for name, raw in held.items() if name.startswith("tags/")]
    assert sorted(kept) == sorted(town.git("cat-file", "tag", tag).encode() + b"\n" for tag in ("app/v0.1.0", "app-v0.1.0", "web-v0.1.0"))
    before = {"web-v0.1.0": "tags/web-v0.1.0", "app/v0.1.0": "tags/app-v0.1.0", "app-v0.1.0": "tags/app-v0.1.0"}
    for called, standing in ((before, "allowed"), ({**before, "app/v0.1.0": "tags/other"}, "")):
        with monkeypatch.context() as then:
            then.setattr(bundle, "tag_names", lambda tags, there=(), called=called: called)
            town.dossier("export", digest, "-o", str(file))
        found = town.dossier("verify", str(file), ok=(0,) if standing else (40,))
        assert found["verified"] is bool(standing)


def test_one_changed_bit_is_found_and_named(town: Town) -> None:
    """Bits all over the file: each change is found, exit 40, with a check that fails or a place that is named."""
    import random

    digest = town.assembled()
    town.gate()
    file = town.root / "a.dossier"
    town.dossier("export", digest, "-o", str(file))
    raw = file.read_bytes()
    assert b"Payments are whole credits." in raw
    for at in random.Random(7).sample(range(len(raw)), 40):
        changed = bytearray(raw)
        changed[at] ^= 1 << (at % 8)
        file.write_bytes(changed)
        answer = town.dossier("verify", str(file), ok=(40,))
        assert "error" in answer or any(c["state"] == "fail" and c["detail"] for c in answer["checks"]), at


def test_denied_bundle_is_ten(town: Town) -> None:
    """A sound denial is sound: verified, exit 10."""
    digest = town.assembled()
    town.gate()
    file = town.root / "a.dossier"
    town.dossier("export", digest, "-o", str(file))
    found = town.dossier("verify", str(file), ok=(10,))
    assert (found["verified"], found["standing"]) == (True, "denied")


def test_tar_bomb_and_other_files(town: Town) -> None:
    """What is no bundle is refused or broken, never unpacked: a bomb, an empty file, a text."""
    import io
    import tarfile

    bomb = io.BytesIO()
    with tarfile.open(fileobj=bomb, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo("bundle.json")
        info.size = 8 * 1024**3 - 1
        bomb.write(info.tobuf(tarfile.USTAR_FORMAT))
    up = io.BytesIO()
    with tarfile.open(fileobj=up, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("../evil"), io.BytesIO())
    for raw in (bomb.getvalue(), up.getvalue(), b"", b"hello", bytes(10240)):
        file = town.root / "bad.dossier"
        file.write_bytes(raw)
        code, out, err = town.run("verify", str(file), "--json")
        assert code in (20, 40), (raw[:20], out)
        assert "Traceback" not in err


def test_look(town: Town) -> None:
    """list, show and compare say where things stand; what was taken back since is said wherever the release is."""
    digest = allowed(town)
    assert town.dossier("list")["changes"][0]["dossier"] == digest
    release = town.dossier("release")["release"]["digest"]
    (line,) = town.dossier("list")["changes"]
    assert (line["state"], line["released"], line["unmet"]) == ("ALLOW", ["shop@0.1.0"], [])
    shown = town.dossier("show", digest[:20])
    assert (shown["type"], "runner" in shown["signed_by"]) == ("dossier", True)
    assert town.dossier("compare", "v0.1.0", digest)["evidence"] == []
    assert town.refused("show", "sha256:0000")["code"] == "digest.short"
    assert town.refused("show", "00000000")["code"] == "digest.unknown"
    back = town.run("withdraw", release, "--as", "ann", "--key", str(town.key), "--reason", "wrong sums")[1]
    assert back.splitlines()[-1] == "next: dossier posture"
    assert town.dossier("list")["changes"][0]["labels"] == ["self-approved", "shop@0.1.0 withdrawn"]
    assert town.run("list")[1].startswith("↩ withdrawn ")
    assert town.run("release")[1].splitlines()[0].endswith(" · self-approved · withdrawn since: wrong sums")


def test_compare_says_which_of_the_two_lacks_a_figure(town: Town) -> None:
    """What a does not hold is said of a, not of every release there ever was: b is one."""
    town.open()
    empty = town.dossier("assemble")["dossier"]["digest"]
    digest = allowed(town)
    town.dossier("release")
    facts = town.dossier("compare", empty, digest)["facts"]
    assert {(f["before"], f["comparable"]) for f in facts} == {(None, "a does not say")}
    assert "(not compared: a does not say)" in town.run("compare", empty, "v0.1.0")[1]


def test_a_dossier_nobody_decided_yet_is_listed(town: Town) -> None:
    """It is there, and what comes next is the gate."""
    digest = town.assembled()
    (line,) = town.dossier("list")["changes"]
    assert (line["state"], line["dossier"]) == ("undecided", digest)


def test_drift_against_the_last_release(town: Town) -> None:
    """The next dossier sets each fact beside the one that was released."""
    allowed(town)
    town.dossier("release")
    town.git("switch", "-q", "main")
    town.git("merge", "-q", "--ff-only", "fix/rounding")
    town.git("switch", "-qc", "fix/more")
    town.write("app/pay.py", "def pay(x):\n    return round(x)\n")
    town.write("results.xml", town.read("results.xml").replace('<testcase classname="t" name="b"/>', ""))
    town.commit("less")
    (town.root / "issue.md").write_text((town.root / "issue.md").read_text().replace("- `app/pay.py`", "- `app/pay.py`\n- `results.xml`"))
    town.open()
    town.dossier("collect")
    drift = {d["fact"]: d for d in town.dossier("assemble")["dossier"]["drift"]}
    assert any(d["before"] == 2 and d["after"] == 1 and d["baseline"] == "0.1.0" for d in drift.values()), drift


def test_a_change_assembled_again_after_its_release_is_not_another_release(town: Town) -> None:
    """`run` after the release makes a new dossier; `list` still says released, and `release` says it was released already."""
    allowed(town)
    made = town.dossier("release")["release"]
    town.later(minutes=1)
    town.dossier("run", ok=(0, 10))
    (line,) = town.dossier("list")["changes"]
    assert line["released"] == ["shop@0.1.0"]
    assert "✓ released" in town.run("list")[1]
    again = town.dossier("release")["release"]
    assert (again["dossier"], again["tag"]) == (made["dossier"], made["tag"])
    assert town.git("tag").split() == [made["tag"]]


def test_the_tag_says_what_it_is_for(town: Town) -> None:
    """The objective stands in the tag's message, before the trailers."""
    allowed(town)
    tag = town.dossier("release")["release"]["tag"]
    assert "\n\nPayments are whole credits.\n\nDossier: sha256:" in town.git("cat-file", "tag", tag)


def test_a_release_does_not_change_the_dossier_it_was_made_of(town: Town) -> None:
    """Run again after its release, a change has the same dossier and stands: a version is not compared with itself."""
    digest = allowed(town)
    town.dossier("release")
    again = town.dossier("run")["decision"]
    assert (again["dossier"], again["outcome"]) == (digest, "ALLOW")


def test_what_is_not_released_is_compared_by_name_too(town: Town) -> None:
    """service@version names the newest dossier of it until one is released; an earlier round goes by its digest behind the name."""
    first = town.assembled()
    town.write("app/pay.py", "def pay(x):\n    return int(x) + 0\n")
    town.commit("again")
    second = town.assembled()
    named = town.dossier("compare", f"shop@0.1.0:{first[7:15]}", "shop@0.1.0")
    assert (named["a"], named["b"]) == (first, second)
    assert first != second
    assert town.refused("compare", "shop@9.9.9", second)["code"] == "look.no-release"


@pytest.mark.parametrize(
    ("command", "code", "word"),
    [
        (("show", "v9.9.9"), "look.no-release", "a tag"),
        (("compare", "v9.9.9", "v1.0.0"), "look.no-release", "a tag"),
        (("payload", "v9.9.9", "--audience", "customer"), "look.no-release", "a tag"),
        (("verify", "release.txt"), "bundle.unreadable", "a bundle"),
        (("collect", "tests", "--change", "nobodys"), "change.none", "an opened change"),
        (("trust", "propose", "--person", "zoe", "--public", "zoe.pub", "--key", "ann"), "key.missing", "a public key"),
        (("payload", "--check", "payload.json", "--opening", "opening.json"), "evidence.no-file", "a file"),
    ],
)
def test_a_name_of_nothing_is_not_called_a_bad_digest(town: Town, command: tuple[str, ...], code: str, word: str) -> None:
    """Where a tag, a file or a branch would do, the refusal says so."""
    found = town.refused(*command)
    assert found["code"] == code
    assert word in found["expected"]


def planted(town: Town, key: Path, dossier: str, decision: str) -> None:
    """A tag of the next release's name, as an interrupted run would have left it, signed with `key`."""
    message = tag_message("shop", "0.1.0", dossier, decision, "Audited by everybody.", "")
    body = f"object {town.git('rev-parse', 'HEAD')}\ntype commit\ntag v0.1.0\ntagger x <x@x> 1 +0000\n\n{message}".encode()
    raw = body + armor_signature(load_signer(key), body, namespace="git").encode()
    made = subprocess.run(["git", "hash-object", "-t", "tag", "-w", "--stdin"], input=raw, cwd=town.repo, env=town.env, capture_output=True)
    town.git("update-ref", "refs/tags/v0.1.0", made.stdout.decode().strip())


def test_only_the_tag_of_an_interrupted_run_is_taken_over(town: Town) -> None:
    """A tag made beforehand is refused when no machine that counts signed it, or the decision it names did not allow this dossier."""
    digest = town.assembled()
    denied = town.gate()["digest"]
    town.approve(digest, "release-manager")
    machine = town.repo / ".dossier/keys/producer"
    new_key(town.root / "bob", ED25519)
    town.change_trust("--person", "bob", "--role", "nothing", "--public", str(town.root / "bob.pub"))
    for key, decision, words in (
        (town.key, town.gate()["digest"], "signed by no producer's key that counts"),
        (town.root / "bob", town.gate()["digest"], "signed by no producer's key that counts"),
        (machine, denied, "naming no decision that allowed this dossier"),
        (machine, "sha256:" + "0" * 64, "naming no decision that allowed this dossier"),
    ):
        planted(town, key, digest, decision)
        refused = town.refused("release")
        assert (refused["code"], refused["at"]) == ("release.tag-exists", "refs/tags/v0.1.0")
        assert words in refused["found"]
    planted(town, machine, digest, town.gate()["digest"])
    assert town.dossier("release")["release"]["tag_object"] == town.git("rev-parse", "v0.1.0")


def test_waivers_in_a_row_are_counted_again_at_the_release(tmp_path: Path) -> None:
    """Dossiers assembled side by side know nothing of each other's waivers; what is released second is refused all the same."""
    town = Town(tmp_path)
    town.git("switch", "-q", "main")
    town.write("dossier.toml", town.read("dossier.toml") + '\n[[rules.requirement]]\nid = "tests"\nwaivers_in_row = 1\n')
    town.write("results.xml", town.read("results.xml").replace('name="b"/>', 'name="b"><failure/></testcase>'))
    town.commit("one failure")
    made = []
    for n in (1, 2):
        town.git("switch", "-q", "-c", f"fix/{n}", "main")
        town.write("app/pay.py", f"def pay(x):\n    return int(x) + {n}\n")
        town.commit(f"round {n}")
        town.open("--service", f"shop=0.{n}.0")
        town.dossier("collect", ok=(0, 10))
        made.append(town.dossier("assemble")["dossier"]["digest"])
    for n, digest in enumerate(made, 1):
        town.git("switch", "-q", f"fix/{n}")
        waiver = ("--service", "shop", "--as", "ann", "--key", str(town.key), "--reason", "known", "--until", town.moment(days=1))
        town.dossier("waive", digest, "tests", *waiver)
        town.approve(digest, "release-manager")
        if n == 1:
            town.dossier("release", digest)
    refused = town.refused("release", made[1])
    assert (refused["code"], refused["help"]) == ("release.moved", "dossier assemble")
    assert "tests was waived in 1 release in a row (0.1.0)" in refused["found"]
    assert town.git("tag").split() == ["v0.1.0"]


def test_what_a_release_stood_on_and_was_taken_back_shows(tmp_path: Path) -> None:
    """The waiver or the evidence a release went out on, taken back afterwards, shows in the posture with its reason."""
    town = Town(tmp_path / "waiver")
    town.git("switch", "-q", "main")
    town.write("results.xml", town.read("results.xml").replace('name="b"/>', 'name="b"><failure/></testcase>'))
    town.commit("one failure")
    town.git("switch", "-q", "fix/rounding")
    town.git("rebase", "-q", "main")
    digest = town.assembled()
    ann = ("--as", "ann", "--key", str(town.key))
    words = ("--service", "shop", "--reason", "known", "--until", town.moment(days=1))
    waiver = town.dossier("waive", digest, "tests", *words, *ann)["waiver"]["digest"]
    town.approve(digest, "release-manager")
    town.dossier("release")
    assert town.dossier("posture")["posture"][0]["standing"] == "valid"
    town.dossier("withdraw", waiver, "--reason", "worse than known", *ann)
    assert town.dossier("posture")["posture"][0]["standing"] == "withdrawn: the waiver of tests was taken back: worse than known"
    town = Town(tmp_path / "evidence")
    evidence = town.dossier("show", allowed(town))["predicate"]["evidence"][-1]["digest"]
    town.dossier("release")
    town.dossier("withdraw", evidence, "--reason", "a broken harness", "--as", "ann", "--key", str(town.key))
    assert town.dossier("posture")["posture"][0]["standing"] == "withdrawn: the evidence of tests was taken back: a broken harness"
