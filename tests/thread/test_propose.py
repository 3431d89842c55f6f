"""`dossier trust propose`: what a version changes, and that what it does not name stays."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from release_dossier.steps import trust
from release_dossier.trust.document import append_version, next_version, parse_chain
from release_dossier.trust.dsse import seal
from release_dossier.trust.keys import load_signer
from tests.thread.test_attacks import world_of
from tests.thread.test_clone import cloned
from tests.town import Town


def propose(town: Town, *args: str) -> Any:
    """The document of the version proposed and committed."""
    town.git("switch", "-q", "main")
    town.dossier("trust", "propose", *args, "--key", str(town.key))
    town.commit("trust")
    return town.dossier("trust", "show")["trust"]


def test_roles_and_kinds_of_a_producer_and_addresses_of_a_person(tmp_path: Path) -> None:
    """A producer gets roles and kinds and keeps them when a second key is added; addresses of a person can be listed."""
    town = Town(tmp_path)
    one, two = (f"{town.dossier('key', 'new', name)['key']['file']}.pub" for name in ("lab", "lab2"))
    said = ("--producer-role", "load-lab", "--kind", "latency", "--kind", "benchmarks")
    lab = next(p for p in propose(town, "--producer", "lab", "--public", one, *said)["producers"] if p["id"] == "lab")
    assert (lab["roles"], lab["kinds"]) == (["load-lab"], ["latency", "benchmarks"])
    lab = next(p for p in propose(town, "--producer", "lab", "--public", two)["producers"] if p["id"] == "lab")
    assert (lab["roles"], lab["kinds"], len(lab["keys"])) == (["load-lab"], ["latency", "benchmarks"], 2)
    ann = next(p for p in propose(town, "--person", "ann", "--email", "ann@work.example")["people"] if p["id"] == "ann")
    assert ann["emails"] == ["ann@work.example"]
    for odd in ("nonsense", "a@b@c", "<ann@work.example>"):
        refusal = town.refused("trust", "propose", "--person", "ann", "--email", odd, "--key", str(town.key))
        assert (refusal["code"], refusal["found"]) == ("trust.email", repr(odd))
    town.git("switch", "-q", "fix/rounding")
    refusal = town.refused("trust", "propose", "--person", "ann", "--email", "a@work.example", "--key", str(town.key))
    assert (refusal["code"], refusal["found"], refusal["help"]) == ("trust.behind", "version 1, on this branch", "git switch main")
    town.git("switch", "-q", "main")
    assert " as load-lab" in town.run("trust", "show")[1]


def test_the_step_that_is_named_makes_it_count(tmp_path: Path) -> None:
    """Typed as it stands, from a branch of its own or the protected one, it brings the new version to where it counts."""
    town = Town(tmp_path)
    town.git("rebase", "-q", "main")
    for version, mail in ((2, "a"), (3, "b")):
        words = town.run("trust", "propose", "--person", "ann", "--email", f"{mail}@work.example", "--key", str(town.key))[1]
        step = words.splitlines()[-1].removeprefix("next: ")
        subprocess.run(step, shell=True, cwd=town.repo, env=town.env, check=True, capture_output=True)
        assert town.dossier("trust", "show")["trust"]["version"] == version
    assert "git switch" not in step


def test_a_key_that_may_not_change_it_is_refused(tmp_path: Path) -> None:
    """A slip of whoever proposes is no fault of the document: refused, and what lies there stays."""
    town = Town(tmp_path)
    town.git("switch", "-q", "main")
    zoe = town.dossier("key", "new", "zoe")["key"]["file"]
    before = town.read("dossier.trust.json")
    refusal = town.refused("trust", "propose", "--person", "ann", "--email", "a@work.example", "--key", zoe)
    assert (refusal["code"], refusal["found"]) == ("trust.threshold", "0 of 1 people of version 1 (nobody)")
    assert refusal["help"] == "--key FILE, once for each who signs; --draft FILE, where others sign elsewhere"
    assert town.read("dossier.trust.json") == before


def test_a_second_proposal_before_the_first_counts(tmp_path: Path) -> None:
    """The first, uncommitted or on a branch of its own, is named as what it is; taken back or brought there, the second goes through.
    A file with another line of versions stays an accusation."""
    town = Town(tmp_path)
    town.git("switch", "-q", "main")
    one, two = (("trust", "propose", "--person", "ann", "--email", f"{x}@work.example", "--key", str(town.key)) for x in "ab")
    town.dossier(*one)
    other = town.read("dossier.trust.json").encode()
    refusal = town.refused(*two)
    assert (refusal["code"], refusal["at"]) == ("trust.ahead", "dossier.trust.json")
    assert (refusal["found"], refusal["expected"]) == (
        "version 2, a proposal that lies there uncommitted",
        "version 1, which main has",
    )
    assert refusal["help"] == "commit it, or take it back: git checkout HEAD -- dossier.trust.json"
    alone = ("trust", "propose", "--threshold", "9", "--key", str(town.key))
    assert town.refused(*alone)["code"] == "trust.ahead"  # and not what the version that does not count yet lacks
    town.git("add", "dossier.trust.json")
    assert town.refused(*two)["found"] == refusal["found"]
    town.git("checkout", "HEAD", "--", "dossier.trust.json")
    town.dossier(*two)
    town.git("switch", "-qc", "trust")
    town.commit("trust")
    refusal = town.refused(*one)
    assert (refusal["code"], refusal["found"]) == ("trust.ahead", "version 2, a proposal committed on this branch only")
    town.git("switch", "-q", "main")
    town.git("merge", "-q", "trust")
    town.dossier(*one)
    fresh = next_version(parse_chain(other, "chain"), created_at=town.now.isoformat())
    town.write("dossier.trust.json", append_version(other, seal(fresh, [load_signer(town.key)])).decode())
    assert town.refused(*one, code=40)["code"] == "trust.chain"


def test_what_a_new_key_says_to_do_next_can_be_done(tmp_path: Path) -> None:
    """The command it prints, with a role and one's own key in place of the capitals."""
    town = Town(tmp_path)
    _, out, _ = town.run("key", "new", "zoe")
    words = shlex.split(out.rpartition("next: dossier ")[2])
    town.dossier(*[{"ROLE": "ops", "YOURS": str(town.key)}.get(w, w) for w in words])


def test_of_two_proposals_at_once_none_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody revokes a key while another waits at a passphrase: that one is refused, and the revocation stands where it was written."""
    town = Town(tmp_path)
    mine = town.dossier("key", "new", "lab")["key"]
    town.git("switch", "-q", "main")
    first = trust.sign_with_ssh

    def sign(key: Path, *rest: Any) -> str:
        with monkeypatch.context() as alone:
            alone.setattr(trust, "sign_with_ssh", first)
            town.dossier("trust", "propose", "--revoke", load_signer(town.repo / ".dossier/keys/producer").key_id, "--key", str(town.key))
        return first(key, *rest)

    monkeypatch.setattr(trust, "sign_with_ssh", sign)
    wish = ("--producer", "lab", "--public", f"{mine['file']}.pub")
    said = town.refused("trust", "propose", *wish, "--key", str(town.key))
    assert (said["code"], said["found"]) == ("trust.ahead", "a proposal written while this one was signed")
    chain = parse_chain(town.read("dossier.trust.json").encode(), "trust", world_of(town).trust.project)
    assert (chain.document.version, len(chain.document.revocations)) == (2, 1)


def test_two_sign_at_machines_of_their_own(tmp_path: Path) -> None:
    """A version that needs two people waits in a file, is shown, and is signed by the second in a clone that never sees the first's key.
    A draft brought late, changed or made up changes nothing."""
    town = Town(tmp_path)
    bo, zoe = (town.dossier("key", "new", name)["key"]["file"] for name in ("bo", "zoe"))
    propose(town, "--person", "bo", "--role", "trust-root", "--public", f"{bo}.pub")
    draft, before = tmp_path / "two of us.draft", town.read("dossier.trust.json")
    two = ("trust", "propose", "--draft", str(draft))
    made = town.dossier(*two, "--threshold", "2", "--key", str(town.key))["trust"]
    assert (made["version"], made["file"], made["waits"]) == (3, str(draft), "1 of 2 people of version 3 (ann)")
    assert town.read("dossier.trust.json") == before
    first = draft.read_bytes()
    assert town.dossier(*two, "--key", zoe)["trust"]["waits"] == made["waits"], "whoever is no trust-root signs in vain"
    assert town.refused(*two, "--person", "bo", "--role", "ops", "--key", bo)["code"] == "trust.nothing"
    words = town.run("trust", "show", "--draft", str(draft))[1].splitlines()
    assert words[1:3] == [f"{sign} a change needs {n} of the people with role trust-root" for sign, n in (("-", 1), ("+", 2))]
    assert words[-1] == f"next: dossier trust propose --draft '{draft}' --key YOURS"

    draft.write_bytes(first)
    elsewhere = cloned(town, "-b", "main")
    assert "waits" not in elsewhere.dossier(*two, "--key", bo)["trust"]
    town.write("dossier.trust.json", elsewhere.read("dossier.trust.json"))
    town.commit("trust")
    shown = town.dossier("trust", "show")["trust"]
    assert (shown["version"], shown["threshold"], shown["digest"]) == (3, 2, made["digest"])
    refusal = town.refused(*two, "--key", bo)
    assert (refusal["code"], refusal["found"][:9], refusal["expected"][:9]) == ("trust.draft", "version 3", "version 4")
    assert town.refused("trust", "show", "--draft", str(tmp_path / "none"))["code"] == "trust.draft"
    draft.write_text("{}")
    assert town.refused(*two, "--key", bo)["code"].startswith("envelope.")
