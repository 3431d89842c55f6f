"""What people may not sign, and what may not be released or passed on: refused by name, and nothing of it is recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from release_dossier.trust.keys import generate, load_signer
from tests.thread.test_attacks import revoking, second_root, serve, world_of
from tests.thread.test_gate import allowed
from tests.town import START, TESTS, Town

NEVER = TESTS + '\n[[rules.requirement]]\nid = "tests"\nwaivable = false\n'


def entries(town: Town) -> int:
    return int(town.dossier("log", "checkpoint")["size"])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """Ann has signed as release manager; bob holds a role that allows nothing; nobody may waive the tests."""
    town = Town(tmp_path_factory.mktemp("town"), settings=NEVER)
    (town.root / "bob").write_bytes(generate()[0])
    (town.root / "bob").chmod(0o600)
    (town.root / "bob.pub").write_text(load_signer(town.root / "bob").public + "\n")
    town.change_trust("--person", "bob", "--role", "guest", "--public", str(town.root / "bob.pub"))
    town.git("rebase", "-q", "main")
    town.approve(town.assembled(), "release-manager")
    return town


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("waive DOSSIER nothing --service shop --reason known --until LATER", "waiver.unknown"),
        ("waive DOSSIER scope --service shop --reason known --until EARLIER", "waiver.past"),
        ("waive DOSSIER tests --service shop --reason known --until LATER", "waiver.never"),
        ("waive DOSSIER scope --service shop --reason known --until LATER KEY-OF-BOB", "people.other-key"),
        ("approve DOSSIER --role rule-owner KEY-OF-BOB", "people.other-key"),
        ("approve DOSSIER --role release-manager BOB", "people.role"),
        ("reject DOSSIER --reason no KEY-OF-BOB", "people.other-key"),
        ("withdraw APPROVAL --reason no BOB", "people.not-yours"),
        ("withdraw DOSSIER --reason no BOB", "people.role"),
        ("withdraw EVIDENCE --reason no BOB", "people.role"),
        ("withdraw CHANGE --reason no", "people.not-withdrawable"),
        ("erase ARTIFACT --reason no BOB", "erase.role"),
        ("release DOSSIER --service other", "release.unknown-service"),
        ("export CHANGE -o FILE", "look.not-a-dossier"),
        ("approve APPROVAL --role release-manager", "digest.unknown"),
        ("reject EVIDENCE --reason no", "digest.unknown"),
        ("waive CHANGE scope --service shop --reason known --until LATER", "digest.unknown"),
    ],
)
def test_what_may_not_be_signed_or_passed_on(town: Town, command: str, code: str) -> None:
    """Another's key or statement, a role one does not hold, a waiver nobody may give, a service that is not there."""
    log = {e.type: e.digest for e in world_of(town).store.entries()}
    artifact = town.dossier("show", log["evidence"])["predicate"]["artifacts"][0]["digest"]
    words = {
        **{word.upper(): [digest] for word, digest in log.items()},
        "ARTIFACT": [artifact],
        "LATER": [town.moment(days=1)],
        "EARLIER": [town.moment(days=-1)],
        "FILE": [str(town.root / "x")],
        "BOB": ["--as", "bob", "--key", str(town.root / "bob")],
        "KEY-OF-BOB": ["--as", "ann", "--key", str(town.root / "bob")],
    }
    args = [x for word in command.split() for x in words.get(word, [word])]
    if args[0] not in ("release", "export") and "--as" not in args:
        args += ["--as", "ann", "--key", str(town.key)]
    before = entries(town)
    assert town.refused(*args)["code"] == code
    assert entries(town) == before + (args[0] == "release")  # what is released is decided anew first
    assert not (town.root / "x").exists()


@pytest.mark.parametrize(
    "command",
    [
        "gate DECISION",
        "release DECISION",
        "rules explain tests DECISION",
        "approve DECISION --role ops --as ann --key KEY",
        "reject DECISION --reason no --as ann --key KEY",
        "waive DECISION scope --service shop --reason no --until LATER --as ann --key KEY",
        "replay DOSSIER",
    ],
)
def test_a_digest_of_something_else_is_refused_and_no_fault_of_the_store(town: Town, command: str) -> None:
    """The last line of a denial is the decision's digest: taken for the dossier's it is refused (20), and the dossier's is named."""
    decision = town.gate()
    words = {"DECISION": decision["digest"], "DOSSIER": decision["dossier"], "KEY": str(town.key), "LATER": town.moment(days=1)}
    before = entries(town)
    refusal = town.refused(*(words.get(w, w) for w in command.split()))
    found, expected = ("a dossier", "the digest of a decision") if "replay" in command else ("a decision", "the digest of a dossier")
    assert (refusal["code"], refusal["found"], refusal["expected"]) == ("digest.unknown", found, expected)
    assert refusal["help"] == ("dossier list" if "replay" in command else f"it is about dossier {decision['dossier'][:19]}")
    assert entries(town) == before


def test_a_key_that_was_given_up_signs_nothing(tmp_path: Path) -> None:
    """Neither by the command nor with a signature made elsewhere."""
    town = Town(tmp_path)
    zoe = second_root(town)
    digest = town.assembled()
    chain, ann = world_of(town).trust_chain, load_signer(town.key).key_id
    serve(town, revoking(town, chain, ann, zoe, (START - timedelta(days=1)).isoformat()))
    before = entries(town)
    for args in (("approve", digest, "--role", "release-manager"), ("reject", digest, "--reason", "no")):
        assert town.refused(*args, "--as", "ann", "--key", str(town.key))["code"] == "people.revoked-key"
    assert entries(town) == before


def test_a_version_is_released_once(tmp_path: Path) -> None:
    """Another change under the version of a release is refused, whatever it says."""
    town = Town(tmp_path)
    allowed(town)
    town.dossier("release")
    town.write("app/pay.py", "def pay(x):\n    return int(x) + 1\n")
    town.commit("one credit more")
    town.open("--service", "shop=0.1.0")
    town.dossier("collect")
    digest = town.dossier("assemble")["dossier"]["digest"]
    town.approve(digest, "release-manager")
    assert town.refused("release")["code"] == "release.version-taken"


def test_a_bundle_is_not_written_over_a_folder(town: Town) -> None:
    """Not over the one this is called in either, whose path has no name."""
    dossier = town.assembled()
    for place in (".", str(town.root)):
        assert town.refused("export", dossier, "-o", place, code=30)["code"] == "export.unwritable"
    assert not [f for f in town.repo.iterdir() if "~" in f.name]


def test_what_is_written_goes_where_it_was_sent(town: Town) -> None:
    """Into a pipe and through a link: neither is replaced by a file of its name."""
    dossier = town.assembled()
    pipe, link, far = (town.root / name for name in ("pipe", "link", "far"))
    os.mkfifo(pipe)
    far.write_text("old")
    link.symlink_to(far)
    with ThreadPoolExecutor(1) as reading:
        came = reading.submit(pipe.read_bytes)
        for place in (pipe, link):
            town.dossier("export", dossier, "-o", str(place))
        assert far.read_bytes() == came.result()
    assert link.is_symlink()
    assert pipe.is_fifo()


def test_a_full_disk_is_named_by_its_file(town: Town) -> None:
    """Also where the system does not say which file it was: what was decided stands, and the next run says the rest."""
    dossier = town.assembled()
    full = town.repo / ".dossier" / "rework.md"
    full.unlink(missing_ok=True)
    full.symlink_to("/dev/full")
    said = town.refused("gate", dossier, code=30)
    assert (said["at"], said["found"]) == (str(full), "No space left on device")
    full.unlink()
    town.gate(dossier)


def test_a_folder_that_was_removed_is_named(town: Town) -> None:
    """Where a command is called from may be gone: that is the place, not the file system."""
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" -m release_dossier list --json'
    done = subprocess.run(["sh", "-c", script, sys.executable], cwd=town.root, env=town.env, capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)["error"]["at"]) == (30, "the current directory")
