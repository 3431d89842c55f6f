"""`dossier doctor`: what is missing is named with what to do about it, and what is there is not complained of."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from release_dossier.evidence.kinds import kind
from release_dossier.evidence.readers.plugged import kinds_plugged
from tests.town import TESTS, Town


def checks(town: Town) -> dict[str, tuple[str, str]]:
    """name → (state, help) of every check."""
    return {c["name"]: (c["state"], c["help"]) for c in town.dossier("doctor", ok=(0, 10))["checks"]}


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_a_project_in_order(town: Town) -> None:
    """Nothing fails; the roles nobody has are a warning with its remedy."""
    found = checks(town)
    assert [name for name, (state, _) in found.items() if state == "fail"] == []
    assert found["evidence plan"][0] == "pass"
    assert not [name for name in found if name.startswith("owners of")]


def test_owners_nobody_knows(town: Town) -> None:
    """A name from CODEOWNERS may be nobody here: found before an approval is waited for in vain."""
    town.git("switch", "-q", "main")
    town.write("dossier.toml", town.read("dossier.toml").replace('owners = ["@ann"]', 'owners = ["@zoe"]'))
    town.commit("another owner")
    assert checks(town)["owners of shop"] == ("warn", "name another in dossier.toml, or dossier trust propose")


def test_a_planned_tool_that_is_not_here(tmp_path: Path) -> None:
    """Said before the evidence is collected."""
    town = Town(tmp_path, settings=TESTS.replace('"cat"', '"no-such-tool"'))
    assert checks(town)["evidence tests"] == ("warn", "install no-such-tool")


def test_settings_not_on_the_protected_branch(tmp_path: Path) -> None:
    """Not adopted is not ready: nothing would be allowed."""
    assert checks(Town(tmp_path, adopted=False))["protected branch"][0] == "fail"


def test_a_producer_key_nobody_listed(town: Town) -> None:
    """Another is made in its place, which the trust document does not know yet."""
    (town.repo / ".dossier" / "keys" / "producer").unlink()
    assert checks(town)["producer key"][0] == "fail"


KIND = """
[[kind]]
name = "screens"
unit = "screens"
proves = "that somebody looked"
does_not_prove = "that they saw"
schema = { type = "object" }
passes = "doc.ok == true"
looked_at = "size(doc.screens)"
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"doc.ok == true"', '"doc.ok = = true"', "kind screens passes"),
        ('"size(doc.screens)"', '"size("', "kind screens looked_at"),
        ('{ type = "object" }', '{ type = "thing" }', "kind screens schema"),
        ('"that they saw"', '"that they saw"\nage_max = "soon"', "kind screens age_max"),
    ],
)
def test_a_kind_of_its_own_that_cannot_be_read(tmp_path: Path, old: str, new: str, words: str) -> None:
    """An expression or a schema that is none is named with its place before anything is collected; a sound one is not spoken of."""
    assert "kind screens" not in checks(Town(tmp_path / "sound", settings=TESTS + KIND))
    assert old in KIND
    town = Town(tmp_path / "broken", settings=TESTS + KIND.replace(old, new))
    found = {c["name"]: c for c in town.dossier("doctor", ok=(0, 10))["checks"]}["kind screens"]
    assert found["state"] == "fail"
    assert words in found["detail"]


def test_a_plan_of_a_kind_there_is_not(tmp_path: Path) -> None:
    """Said with the command that lists them."""
    town = Town(tmp_path, settings=TESTS + TESTS.replace('"tests"', '"screens"'))
    assert checks(town)["evidence screens"] == ("fail", "dossier evidence kinds")


@pytest.mark.parametrize("there", [True, False])
def test_a_trusted_root_that_is_not_committed(tmp_path: Path, there: bool) -> None:
    """Without it nobody's attestation could be believed."""
    who = '\n[[keyless]]\nname = "ci"\nidentity = "https://ci.example/*"\nissuer = "https://ci.example"\nroot = "root.json"\n'
    town = Town(tmp_path, settings=TESTS + who)
    if there:
        town.git("switch", "-q", "main")
        town.write("root.json", "{}")
        town.commit("root")
    assert ("keyless ci" in checks(town)) is not there


def test_a_kind_a_plugged_reader_brings_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan of it is planned as any other."""
    plugged = sys.modules[kinds_plugged.__module__]
    monkeypatch.setattr(plugged, "kinds_plugged", lambda: (msgspec.structs.replace(kind("tests"), name="screens"),))
    town = Town(tmp_path, settings=TESTS + TESTS.replace('"tests"', '"screens"'))
    assert "evidence screens" not in checks(town)


def test_a_key_in_a_state_that_lies_elsewhere(town: Town, tmp_path: Path) -> None:
    """The command names the file of the public key where it is, blanks quoted, so that it can be typed as it stands."""
    home = tmp_path / "state of b"
    town.env |= {"DOSSIER_HOME": str(home), "DOSSIER_PROTECTED_BRANCH": "main"}
    town.run("doctor")
    state, help = checks(town)["producer key"]
    assert state == "fail"
    words = shlex.split(help)
    assert Path(words[words.index("--public") + 1]) == home / "keys" / "producer.pub"
    assert (home / "keys" / "producer.pub").is_file()


def test_a_log_the_repository_remembers_longer(town: Town) -> None:
    """A store put back to an earlier copy stops every other command: doctor says so, too."""
    town.assembled()
    shutil.copytree(town.repo / ".dossier", town.root / "copy")
    town.gate()
    shutil.rmtree(town.repo / ".dossier")
    shutil.copytree(town.root / "copy", town.repo / ".dossier")
    found = {c["name"]: c for c in town.dossier("doctor", ok=(10,))["checks"]}["log"]
    assert (found["state"], found["detail"].partition(":")[0]) == ("fail", "log.rolled-back")


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("schema = 1", "schema = 2", "protected branch"),
        ('criticality = "', 'pack = "./rules/none.toml"\ncriticality = "', "rules"),
    ],
)
def test_settings_that_cannot_be_used_are_a_check_that_fails(town: Town, old: str, new: str, name: str) -> None:
    """Whatever is wrong with the settings or packs in force, doctor looks at the rest, too, and says what to do."""
    town.git("switch", "-q", "main")
    text = town.read("dossier.toml")
    assert old in text
    town.write("dossier.toml", text.replace(old, new, 1))
    town.commit("settings nobody can use")
    found = checks(town)
    assert found[name][0] == "fail"
    assert found[name][1]
    assert "log" in found


def test_a_producer_key_that_is_gone(town: Town) -> None:
    """The step makes one where it was, as typed."""
    town.assembled()
    (town.repo / ".dossier/keys/producer").unlink()
    subprocess.run(shlex.split(checks(town)["producer key"][1]), check=True, capture_output=True)
    assert "--producer NAME" in checks(town)["producer key"][1]
