"""Several people with keys of their own: what a denial asks of whom, as commands that work."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from release_dossier.steps.people import Draft, draft_approval, draft_rejection, draft_waiver, draft_withdrawal
from release_dossier.steps.people import sign as sign_draft
from release_dossier.steps.world import World, open_world
from tests.town import JUNIT, Town

PACK = """
[[requirement]]
id = "tests"
title = "tests pass"
kind = "tests"
remedy = "dossier collect tests"
why = "so it goes"

[[approval]]
role = "reviewer"
count = 2

[[approval]]
role = "owner"
"""


def team(root: Path, owners: str, people: dict[str, str]) -> Town:
    """A town whose change ann wrote; `people` hold a role each, and their key is the file of their name beside it."""
    town = Town(root)
    town.git("switch", "-q", "main")
    text = town.read("dossier.toml").replace('mode = "solo"', 'mode = "team"').replace('owners = ["@ann"]', f"owners = [{owners}]")
    town.write("dossier.toml", text.replace('criticality = "internal"', 'pack = "./pack.toml"'))
    town.write("pack.toml", PACK)
    town.commit("a team")
    for person, role in people.items():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(root / person)], check=True)
        town.dossier("trust", "propose", "--person", person, "--role", role, "--public", f"{root / person}.pub", "--key", str(town.key))
        town.commit(f"{person} is one of us")
    town.git("switch", "-q", "fix/rounding")
    town.git("rebase", "-q", "main")
    return town


def sign(town: Town, digest: str, person: str, role: str) -> None:
    town.dossier("approve", digest, "--as", person, "--role", role, "--key", str(town.root / person))


def said(town: Town) -> str:
    """The last words of a denial, before the decision's digest."""
    code, out, _ = town.run("gate")
    assert code == 10
    return out.splitlines()[-2]


def test_whoever_can_still_sign_is_asked(tmp_path: Path) -> None:
    """An owner or a reviewer who is the only one left stands in the command; where nobody is left it says so, and how to be more."""
    town = team(tmp_path, '"@ann", "@bob"', {"bob": "reviewer", "cyd": "reviewer"})
    digest = town.assembled()
    assert "--as bob --role owner --key FILE" in said(town)
    sign(town, digest, "bob", "owner")
    assert "--as PERSON --role reviewer" in said(town)
    sign(town, digest, "bob", "reviewer")
    assert "--as cyd --role reviewer" in said(town)
    sign(town, digest, "cyd", "reviewer")
    assert town.gate()["outcome"] == "ALLOW"


@pytest.mark.parametrize(
    ("owners", "people", "words"),
    [
        ('"@ann"', {}, "next: name another owner of shop in dossier.toml on the protected branch, rebase on it, then: dossier run"),
        ('"@ann", "@pay"', {}, "next: dossier trust propose --person WHO --role pay --public THEIRS.pub --key FILE"),
        (
            '"@pay"',
            {"bob": "pay"},
            "nobody in the trust document may sign as reviewer: whoever wrote a change does not approve it. "
            "next: dossier trust propose --person bob --role pay --role reviewer --key FILE",
        ),
        (
            '"@bob"',
            {"bob": "reviewer"},
            "nobody else in the trust document may sign as reviewer: one person counts once. "
            "next: dossier trust propose --person WHO --role reviewer ",
        ),
    ],
)
def test_where_nobody_is_left_to_sign(tmp_path: Path, owners: str, people: dict[str, str], words: str) -> None:
    town = team(tmp_path, owners, people)
    digest = town.assembled()
    for person, role in people.items():
        sign(town, digest, person, "owner")
        if role == "reviewer":
            sign(town, digest, person, role)
    assert words in said(town)
    assert words.partition("next: ")[2] in town.read(".dossier/rework.md")


def test_a_role_more_takes_none_away(tmp_path: Path) -> None:
    """The command printed for the one person there is keeps every role they have; the help says that what is not named is taken away."""
    town = Town(tmp_path)
    town.git("switch", "-q", "main")
    town.write("dossier.toml", town.read("dossier.toml").replace('criticality = "internal"', 'pack = "./pack.toml"'))
    town.write("pack.toml", PACK.replace("reviewer", "auditor").replace("count = 2", "count = 1"))
    town.commit("an auditor")
    town.git("switch", "-q", "fix/rounding")
    town.git("rebase", "-q", "main")
    town.approve(town.assembled(), "owner")
    held = town.dossier("trust", "show")["trust"]["people"][0]["roles"]
    command = said(town).partition("next: dossier trust propose ")[2].removesuffix(" --key FILE")
    assert command.startswith("--person ann --role ")
    town.change_trust(*command.split())
    assert town.dossier("trust", "show")["trust"]["people"][0]["roles"] == [*held, "auditor"]
    assert "all of them: those not named are taken away" in " ".join(town.run("trust", "propose", "--help")[1].split())


def test_a_no_names_the_command_that_takes_it_back(tmp_path: Path) -> None:
    """The denial, the rework note and the rejection itself print a command that works; the list says who said no, not that all is met."""
    town = team(tmp_path, '"@bob"', {"bob": "reviewer", "cyd": "reviewer"})
    digest = town.assembled()
    for person, role in (("bob", "owner"), ("bob", "reviewer"), ("cyd", "reviewer")):
        sign(town, digest, person, role)
    _, out, _ = town.run("reject", digest, "--as", "cyd", "--key", str(tmp_path / "cyd"), "--reason", "not yet")
    mine = out.partition("to take it back: dossier ")[2]
    command = said(town).partition("next: dossier ")[2].partition(".")[0]
    assert f"`dossier {command}`" in town.read(".dossier/rework.md")
    assert command.replace("FILE", str(tmp_path / "cyd")) == mine.strip()
    assert "rejected by cyd: not yet" in town.run("list")[1]
    assert town.run(*mine.split())[0] == 0
    assert town.gate()["outcome"] == "ALLOW"
    assert "everything met" in town.run("list")[1]


def test_taking_back_ones_own_word_is_a_command_to_copy(tmp_path: Path) -> None:
    """An approval says how it is taken back; who names the dossier in its place is told which statement of theirs is meant."""
    town = team(tmp_path, '"@bob"', {"bob": "reviewer"})
    digest = town.assembled()
    key = str(tmp_path / "bob")
    _, out, _ = town.run("approve", digest, "--as", "bob", "--role", "reviewer", "--key", key)
    back = next(line for line in out.splitlines() if line.startswith("to take it back: dossier ")).removeprefix("to take it back: dossier ")
    refused = town.refused("withdraw", digest, "--as", "bob", "--key", key, "--reason", "no")
    assert refused["help"].split()[2] == back.split()[1]
    assert town.run(*back.split())[0] == 0
    reasons = [x["reason"] for t in town.gate()["approvals"] for x in t["refused"]]
    assert reasons == ["withdrawn: WORDS"]


@pytest.mark.parametrize(
    ("email", "env"),
    [
        ("Bob@Work.example", {}),
        ("42+bobby@users.noreply.github.com", {"GITHUB_ACTOR": "bobby", "GITHUB_ACTOR_ID": "42"}),
    ],
)
def test_who_brings_a_file_is_known_by_account_and_address(tmp_path: Path, email: str, env: dict[str, str]) -> None:
    """A name that is not a person's id does not part who brought proof from who approves it."""
    town = team(tmp_path, '"@bob"', {"bob": "reviewer"})
    town.change_trust("--person", "bob", "--email", email)
    town.git("config", "user.name", "Robert B.")
    town.git("config", "user.email", "bob@work.example")
    town.env |= env
    town.open()
    town.write(".git/results.xml", JUNIT)
    (evidence,) = town.dossier("collect", "tests", "--from", str(town.repo / ".git/results.xml"))["evidence"]
    assert evidence["producer"]["imported_by"] == "bob"


def test_a_waiver_by_who_may_not_is_refused_before_it_is_signed(tmp_path: Path) -> None:
    """Words that could never count are not taken for a waiver; an owner's are, by a team as well."""
    town = team(tmp_path, '"@pay"', {"bob": "reviewer", "cyd": "pay"})
    digest = town.assembled()
    words = "waive", digest, "tests", "--service", "shop", "--reason", "known", "--until", town.moment(days=1)
    refused = town.refused(*words, "--as", "bob", "--key", str(tmp_path / "bob"))
    assert (refused["code"], refused["expected"]) == ("people.role", "an owner of shop (@pay) or a person with risk-owner")
    assert town.dossier(*words, "--as", "cyd", "--key", str(tmp_path / "cyd"))["waiver"]["person"] == "cyd"


def test_a_withdrawn_dossier_names_the_way_to_another(tmp_path: Path) -> None:
    """A withdrawal of a dossier is for good; new evidence makes another dossier."""
    town = Town(tmp_path)
    digest = town.assembled()
    town.approve(digest, "release-manager")
    town.dossier("withdraw", digest, "--as", "ann", "--key", str(town.key), "--reason", "too early")
    assert said(town).endswith("next: dossier collect && dossier assemble && dossier gate")
    town.dossier("collect")
    again = town.dossier("assemble")["dossier"]["digest"]
    town.approve(again, "release-manager")
    assert town.gate()["outcome"] == "ALLOW"


def test_the_list_says_what_a_change_waits_for_and_how_it_came_about(tmp_path: Path) -> None:
    """`everything met` is for an ALLOW; before it, who is to sign. A release of one's own and a waiver stay labelled."""
    town = Town(tmp_path)
    digest = town.assembled()
    town.gate()
    assert "release-manager to sign" in town.run("list")[1]
    town.approve(digest, "release-manager")
    town.gate()
    assert "everything met · self-approved" in town.run("list")[1]
    town.dossier("release")
    assert "shop@0.1.0 · self-approved" in town.run("list")[1]


@pytest.mark.parametrize("word", ["approval", "rejection", "waiver", "withdrawal"])
def test_the_same_word_signed_twice_at_once_is_one(tmp_path: Path, word: str) -> None:
    """Two processes that draft the same before either records it end with one statement, so that taking it back takes back all of it."""
    town = Town(tmp_path)
    digest = town.assembled()
    until = town.now + timedelta(days=1)

    def draft() -> tuple[World, Draft]:
        world = open_world(town.repo, town.env, town.tick())
        return world, {
            "approval": lambda: draft_approval(world, digest, "ann", "release-manager", "", until),
            "rejection": lambda: draft_rejection(world, digest, "ann", "no "),
            "waiver": lambda: draft_waiver(world, digest, "tests", "shop", "ann", "why", until),
            "withdrawal": lambda: draft_withdrawal(world, digest, "ann", "back"),
        }[word]()

    drafts = [draft(), draft()]
    first, second, third = (sign_draft(world, made, town.key)[0] for world, made in (*drafts, draft()))
    assert first == second == third
    assert [e.type for e in drafts[0][0].store.entries()].count(word) == 1


def test_a_signature_that_could_never_count_is_not_made(tmp_path: Path) -> None:
    """Whoever wrote the change is told before signing, in a team; nothing is recorded, and another person's signature is taken."""
    town = team(tmp_path, '"@ann", "@bob"', {"bob": "reviewer"})
    digest = town.assembled()
    before = town.read(".dossier/log/entries.ndjson")
    for args in (("owner",), ("owner", "--until", town.moment(days=1))):
        r = town.refused("approve", digest, "--as", "ann", "--role", *args, "--key", str(town.key))
        assert (r["code"], r["at"], r["found"]) == ("people.own-work", "--as", "ann, who owns or wrote the change")
    assert town.read(".dossier/log/entries.ndjson") == before
    assert not any(t["counted"] or t["refused"] for t in town.gate()["approvals"])
    sign(town, digest, "bob", "owner")
