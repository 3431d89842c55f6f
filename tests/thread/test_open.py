"""Opening a change: what is bound, what is frozen, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import needs
from tests.town import ISSUE, JUNIT, TESTS, Town


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_change_says_what_is_proposed(town: Town) -> None:
    """Objective, scope, files, services with version and fingerprint, authors and owner stand in the change."""
    c = town.open()
    assert (c["objective"], c["files"], c["owner"], c["branch"]) == ("Payments are whole credits.", ["app/pay.py"], "ann", "fix/rounding")
    assert (c["scope"]["verdict"], c["outside_scope"]) == ("pass", [])
    assert [(s["name"], s["version"]) for s in c["services"]] == [("shop", "0.1.0")]
    assert c["services"][0]["fingerprint"].startswith("sha256:")
    assert c["adopted"] is True
    assert c["risks"][0]["owner"] == "@ann"


def test_opening_again_changes_nothing(town: Town) -> None:
    """The same change opened twice is one entry with one digest."""
    first = town.open()
    size = town.dossier("log", "checkpoint")["size"]
    assert town.open()["digest"] == first["digest"]
    assert town.dossier("log", "checkpoint")["size"] == size


def test_version_follows_the_tag_train(town: Town) -> None:
    """The next patch of the newest tag, unless the call says another."""
    town.git("tag", "v1.2.9", "main")
    town.git("tag", "v1.2.10", "main")
    assert town.open()["services"][0]["version"] == "1.2.11"
    assert town.open("--service", "shop=2.0.0")["services"][0]["version"] == "2.0.0"


def test_a_build_file_newer_than_the_tags_names_the_version(town: Town) -> None:
    """package.json at the head counts once it is past the newest tag; the tag train goes on where it lags behind."""
    town.write("package.json", '{"version": "1.2.0"}')
    town.commit("version")
    assert town.open()["services"][0]["version"] == "1.2.0"
    town.git("tag", "v1.2.0", "main")
    assert town.open()["services"][0]["version"] == "1.2.1"


def test_run_names_the_version_and_says_it_is_a_guess(town: Town) -> None:
    """Before anything is signed, and not where the version was named."""
    issue = str(town.root / "issue.md")
    assert "shop → 0.1.0; the version is a guess, --service shop=VERSION names another" in town.run("run", "--issue", issue)[2]
    named = town.run("run", "--issue", issue, "--service", "shop=2.0.0")[2]
    assert "shop → 2.0.0" in named
    assert "a guess" not in named


def test_an_owner_called_by_name_is_told_the_id(town: Town) -> None:
    """People know their names; the refusal gives what --owner takes."""
    assert town.refused("open", "--issue", str(town.root / "issue.md"), "--owner", "Ann")["help"] == "--owner ann"


def test_a_guessed_version_is_said_to_be_one(town: Town) -> None:
    """One that was named is not."""
    guess = "guess      shop: its build file's, else the patch after its newest tag"
    issue = str(town.root / "issue.md")
    assert guess in town.run("open", "--issue", issue)[1]
    assert guess not in town.run("open", "--issue", issue, "--service", "shop=2.0.0")[1]


def test_a_mistyped_command_is_answered_with_the_one_meant(town: Town) -> None:
    """And one that is like none is not."""
    assert "Did you mean collect?" in town.run("colect")[2]
    assert "Did you mean" not in town.run("xyzzy")[2]


@needs.ssh_keygen
def test_signed_commits_bind_their_author(town: Town) -> None:
    """Git's names are free text: only a commit signed with a listed key is bound to a person."""
    assert [a["person"] for a in town.open()["authors"]] == [None]
    town.git("-c", "gpg.format=ssh", "-c", f"user.signingkey={town.key}", "commit", "-q", "--amend", "-S", "--no-edit")
    assert [a["person"] for a in town.open()["authors"]] == ["ann"]


def test_head_of_another_branch(town: Town) -> None:
    """A branch that is not checked out can be opened by name."""
    town.git("switch", "-q", "main")
    assert town.open("--head", "fix/rounding")["branch"] == "fix/rounding"


def refuse(town: Town, code: str, *args: str) -> None:
    assert town.refused("open", "--issue", str(town.root / "issue.md"), *args)["code"] == code


def test_a_tag_called_like_the_branch_is_not_it(town: Town) -> None:
    """The branch is opened that `--head` names, and the one that is checked out keeps its name, whatever tags there are."""
    head = town.git("rev-parse", "HEAD")
    town.git("tag", "fix/rounding", "main")
    assert town.open("--head", "fix/rounding")["head"] == head
    assert town.open()["branch"] == "fix/rounding"


def test_a_shallow_clone_is_told_to_fetch(town: Town) -> None:
    """Where history is cut off before the branch left the protected one, the help is to fetch it."""
    place = town.root / "shallow"
    town.git("clone", "-q", "--depth", "1", "--no-single-branch", f"file://{town.repo}", str(place))
    town.repo = place
    town.git("remote", "set-head", "origin", "main")
    refused = town.refused("open", "--issue", str(town.root / "issue.md"))
    assert (refused["code"], refused["help"]) == ("change.no-merge-base", "git fetch --unshallow")
    town.git("fetch", "-q", "--unshallow")
    assert town.open()["branch"] == "fix/rounding"


def test_detached_head(town: Town) -> None:
    """A commit without a branch has no owner."""
    town.git("switch", "-q", "--detach")
    refuse(town, "change.detached")
    for command in ("collect", "assemble", "gate", "run"):
        assert town.refused(command)["code"] == "change.detached"


def test_uncommitted(town: Town) -> None:
    """What is not committed is not what would ship."""
    town.write("app/pay.py", "changed\n")
    refuse(town, "change.uncommitted")


def test_untracked_files_warn(town: Town) -> None:
    """An untracked file is no reason to stop, and is named."""
    town.write("notes.txt", "x\n")
    code, _, err = town.run("open", "--issue", str(town.root / "issue.md"), "--json")
    assert code == 0
    assert "untracked: notes.txt" in err


def test_unknown_refs(town: Town) -> None:
    """A head or base that does not exist, and a head that is no branch, are refused."""
    refuse(town, "git.unknown-ref", "--head", "nowhere")
    refuse(town, "git.unknown-ref", "--base", "nowhere")
    refuse(town, "change.head-not-a-branch", "--head", town.git("rev-parse", "HEAD"))


def test_unknown_owner_and_none(town: Town) -> None:
    """The owner is a person of the trust document."""
    refuse(town, "change.owner-unknown", "--owner", "mallory")
    assert town.refused("open", "--issue", str(town.root / "issue.md"), "--owner", "Ann")["help"] == "--owner ann"
    (town.root / "issue.md").write_text(ISSUE.replace("## Owner\nann\n", ""))
    refuse(town, "change.no-owner")


def test_no_common_history(town: Town) -> None:
    """A branch that did not come from the protected one cannot be opened."""
    town.git("switch", "-q", "--orphan", "island")
    town.git("checkout", "-q", "main", "--", "dossier.toml", "dossier.trust.json")
    town.write("x.py", "1\n")
    town.commit("island")
    refuse(town, "change.no-merge-base")


def test_nothing_changed(town: Town) -> None:
    """On the protected branch itself there is no change."""
    town.git("switch", "-q", "main")
    refuse(town, "change.empty")


def test_unknown_service(town: Town) -> None:
    """A version for a service that does not exist is refused with those that do."""
    refuse(town, "change.unknown-service", "--service", "web=1.0.0")
    assert town.refused("open", "--issue", str(town.root / "issue.md"), "--service", "web", code=2)["code"] == "usage.service"


def test_attack_base_of_the_authors_choice(town: Town) -> None:
    """`--base` at a later commit would hide files and rules; it may only agree with where the branch left the protected one."""
    middle = town.git("rev-parse", "HEAD")
    town.write("web/x.js", "1\n")
    town.commit("more")
    refuse(town, "change.base-not-protected", "--base", middle)
    assert town.open("--base", "main")["files"] == ["app/pay.py", "web/x.js"]


def test_attack_weaker_rules_in_the_branch(town: Town) -> None:
    """Rules and services come from the merge-base: what the branch writes into dossier.toml is shown and not in force."""
    before = town.open()
    town.write("dossier.toml", town.read("dossier.toml").replace('criticality = "internal"', 'criticality = "user-facing"'))
    town.commit("other rules")
    after = town.open()
    assert after["services"][0]["criticality"] == "internal"
    assert after["criteria_digest"] == before["criteria_digest"]
    assert any("user-facing" in line for line in after["rule_changes"])


def test_attack_owner_added_in_the_branch(town: Town, tmp_path: Path) -> None:
    """A trust document changed in the branch, here to one that mallory signed, makes nobody a person."""
    mallory = Town(tmp_path / "mallory", founded_anew=True)
    town.write("dossier.trust.json", mallory.read("dossier.trust.json").replace("ann", "mal"))
    town.write("dossier.toml", mallory.read("dossier.toml"))
    town.commit("mallory")
    refuse(town, "change.owner-unknown", "--owner", "mal")
    shown = town.dossier("trust", "show")["trust"]
    assert ([p["id"] for p in shown["people"]], shown["project"]) == (["ann"], town.dossier("trust", "show")["trust"]["digest"])


def test_bootstrap(tmp_path: Path) -> None:
    """A project that does not stand on its protected branch is opened in bootstrap, and says so."""
    town = Town(tmp_path, adopted=False)
    code, _, err = town.run("open", "--issue", str(town.root / "issue.md"), "--json")
    assert code == 0
    assert "bootstrap" in err


def test_github_event(town: Town, tmp_path: Path) -> None:
    """GitHub's JSON opens the same change as the Markdown in it."""
    import json

    event = tmp_path / "event.json"
    event.write_text(
        json.dumps({"pull_request": {"number": 4, "title": "Round", "body": ISSUE, "html_url": "https://github.com/a/b/pull/4"}})
    )
    c = town.dossier("open", "--issue", str(event))["change"]
    assert (c["issue"]["number"], c["objective"]) == (4, "Payments are whole credits.")


def test_plain_settings_are_enough(tmp_path: Path) -> None:
    """The settings init proposes open a change as they are."""
    assert Town(tmp_path, settings="").open()["services"][0]["name"] == "shop"
    assert TESTS


def test_no_issue_is_said_so(town: Town) -> None:
    """`open` without an issue names what is missing."""
    code, _, err = town.run("open")
    assert code == 2
    assert "no issue" in err


def test_a_name_that_is_no_utf8_stands_in_the_change(town: Town) -> None:
    """A file of before UTF-8 is opened like any other, its odd bytes written out; where it is in the way it is named, in JSON too."""
    file = os.fsencode(town.repo) + b"/app/caf\xe9.py"
    Path(os.fsdecode(file)).write_text("x = 1\n")
    assert town.open()["files"] == ["app/pay.py"]
    town.commit("an old name")
    assert town.open()["files"] == ["app/caf\\udce9.py", "app/pay.py"]
    town.dossier("collect")
    assert "app/caf\\udce9.py" in town.dossier("assemble")["dossier"]["change"]["scope"]["inside"]
    Path(os.fsdecode(file)).write_text("x = 2\n")
    refused = town.refused("open", "--issue", str(town.root / "issue.md"))
    assert (refused["code"], refused["at"]) == ("change.uncommitted", "app/caf\ufffd.py")
    town.git("checkout", "-q", ".")
    brought = Path(os.fsdecode(os.fsencode(town.root) + b"/r\xe9sultats.xml"))
    brought.write_text(JUNIT)
    (evidence,) = town.dossier("collect", "tests", "--from", str(brought))["evidence"]
    assert evidence["artifacts"][0]["name"] == "r\\udce9sultats.xml"


def test_a_retrospective_without_a_base_says_so(tmp_path: Path) -> None:
    """The first tag is looked at from the beginning: no empty place where a commit would stand."""
    town = Town(tmp_path)
    town.git("tag", "v0.0.1", "main")
    assert ", from the beginning; " in town.run("open", "--retrospective", "v0.0.1", "--owner", "ann")[1]
