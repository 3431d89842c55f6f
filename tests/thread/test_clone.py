"""A clone that has pinned nothing: whose word counts there, and who cannot make it his own."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from release_dossier.steps.world import open_world
from tests import needs
from tests.town import TESTS, Town

MINE = 'protected_branch = "fix/rounding"'


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def cloned(town: Town, *args: str) -> Town:
    """The same town at work in a fresh clone of its repository: branches by name, no `.dossier/`."""
    place = town.root / "clone"
    subprocess.run(["git", "clone", "-q", *args, str(town.repo), str(place)], env=town.env, check=True, capture_output=True)
    other = object.__new__(Town)
    other.__dict__ = {**town.__dict__, "repo": place}
    return other


def pin(town: Town) -> dict[str, object]:
    return dict(json.loads((town.repo / ".dossier/project.json").read_text()))


def weaken(town: Town) -> None:
    """The branch protects itself, asks for another kind of evidence, and stays checked out."""
    text = town.read("dossier.toml")
    assert 'protected_branch = "main"' in text
    town.write("dossier.toml", text.replace('protected_branch = "main"', MINE).replace('criticality = "internal"', 'criticality = "none"'))
    town.commit("mine")


def test_attack_a_branch_that_names_itself_as_protected(town: Town) -> None:
    """In a fresh clone with the branch checked out, the remote's default branch says what is protected, and its rules are in force."""
    town.git("switch", "-q", "main")
    bare = town.root / "hub.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(town.repo), str(bare)], env=town.env, check=True)
    town.git("switch", "-q", "fix/rounding")
    weaken(town)
    town.git("push", "-q", str(bare), "fix/rounding")
    original, town.repo = town.repo, bare
    clone = cloned(town, "-b", "fix/rounding")
    town.repo = original
    assert MINE in clone.read("dossier.toml")
    change = clone.open()
    assert pin(clone)["protected_branch"] == "main"
    assert (change["base"], change["services"][0]["criticality"]) == (town.git("rev-parse", "main"), "internal")


def test_attack_in_a_clone_whose_remote_says_no_default_branch(town: Town) -> None:
    """Nothing is guessed from the working tree: it is refused until a person names the branch."""
    weaken(town)
    clone = cloned(town)
    clone.git("switch", "-q", "fix/rounding")
    clone.git("remote", "set-head", "origin", "--delete")
    assert clone.refused("trust", "show")["code"] == "project.unpinned"
    assert not (clone.repo / ".dossier").exists()
    clone.env = {**clone.env, "DOSSIER_PROTECTED_BRANCH": "main"}
    assert clone.open()["services"][0]["criticality"] == "internal"
    clone.env = town.env
    assert (pin(clone)["protected_branch"], clone.open()["base"]) == ("main", town.git("rev-parse", "main"))


def test_attack_a_repository_without_remote_and_without_pin(town: Town) -> None:
    """A copied working tree has no remote to ask: refused, with the variable to set, which must name a branch that is there."""
    weaken(town)
    shutil.rmtree(town.repo / ".dossier")
    refusal = town.refused("trust", "show")
    assert (refusal["code"], "DOSSIER_PROTECTED_BRANCH" in refusal["help"]) == ("project.unpinned", True)
    town.env["DOSSIER_PROTECTED_BRANCH"] = "no-such"
    assert town.refused("trust", "show")["found"] == "no branch no-such"
    town.env["DOSSIER_PROTECTED_BRANCH"] = "main"
    town.dossier("trust", "show")
    assert pin(town)["protected_branch"] == "main"


def test_attack_a_branch_that_brings_its_own_state(town: Town) -> None:
    """A committed `.dossier/project.json` would pin for everybody who clones: found, whatever the case of its name."""
    weaken(town)
    forged = json.dumps({**pin(town), "protected_branch": "fix/rounding"})
    for name in (".dossier", ".Dossier"):
        town.write("kept/project.json", forged)
        town.git("update-index", "--add", "--cacheinfo", f"100644,{town.git('hash-object', '-w', 'kept/project.json')},{name}/project.json")
        town.git("commit", "-qm", "state")
        refusal = town.refused("trust", "show", code=40)
        assert (refusal["code"], refusal["found"]) == ("project.state-tracked", "files git tracks")
        town.git("rm", "-q", "--cached", f"{name}/project.json")
    town.dossier("trust", "show")
    town.write("pins/project.json", forged)
    town.git("add", "pins")
    (town.repo / "link").symlink_to(town.repo / "pins")
    town.env["DOSSIER_HOME"] = "link"
    assert town.refused("-C", str(town.repo), "trust", "show", code=40)["at"] == "pins"


def test_state_elsewhere_is_the_same_from_every_folder(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative DOSSIER_HOME is below the project's top, not below wherever a command is called: no second log begins there."""
    (town.repo / ".dossier").rename(town.root / "state")
    town.env["DOSSIER_HOME"] = "../state"
    town.open()
    for place in (town.repo, town.repo / "app"):
        monkeypatch.chdir(place)
        assert len(open_world(place, town.env, town.now).store.entries()) == 1
    assert sorted(f.name for f in town.repo.iterdir()) == [".git", "app", "dossier.toml", "dossier.trust.json", "results.xml"]


def test_before_adoption_nothing_is_pinned(tmp_path: Path) -> None:
    """A clone of a project that does not stand on the default branch is in bootstrap, and pins nothing that a branch brought."""
    town = Town(tmp_path, adopted=False)
    town.git("switch", "-q", "main")
    clone = cloned(town)
    clone.git("switch", "-q", "fix/rounding")
    code, _, err = clone.run("open", "--issue", str(town.root / "issue.md"), "--json")
    assert (code, "bootstrap" in err) == (0, True)
    assert not (clone.repo / ".dossier/project.json").exists()
    clone.dossier("collect")
    digest = clone.dossier("assemble")["dossier"]["digest"]
    decision = clone.gate(digest)
    assert (decision["outcome"], "bootstrap" in json.dumps(decision)) == ("DENY", True)


@needs.namespaces
@pytest.mark.parametrize("place", ["keys", "a place with spaces", "linked"])
def test_attack_a_planned_test_reads_the_key_the_pipeline_named(tmp_path: Path, place: str) -> None:
    """DOSSIER_PRODUCER_KEY, git's own configuration and the state are hidden wherever they lie, links and blanks in their names or not."""
    root = tmp_path / "town of ann"
    root.mkdir()
    town = Town(root, settings="")
    key = tmp_path / place / "producer"
    key.parent.mkdir()
    real = tmp_path / "real" if place == "linked" else key
    shutil.move(town.repo / ".dossier/keys/producer", real)
    if place == "linked":
        key.symlink_to(real)
    town.env["DOSSIER_PRODUCER_KEY"] = str(key)
    town.git("config", "http.extraheader", "AUTHORIZATION: PRIVATE")
    places = (key, real, town.repo / ".git/config", town.repo / ".dossier/keys/ann", Path(f"/proc/self/root{key}"))
    script = "; ".join((*(f"cat '{p}'" for p in places), f"umount '{real}'; cat '{real}'", "echo over"))
    run = json.dumps(["sh", "-c", f"({script}) >&2; cat results.xml"])
    town.git("switch", "-q", "main")
    town.write("dossier.toml", town.read("dossier.toml") + TESTS.replace('["cat", "results.xml"]', run))
    town.commit("a plan that looks")
    town.git("switch", "-q", "fix/rounding")
    town.git("rebase", "-q", "main")
    town.open()
    found = town.dossier("collect")["evidence"][0]
    assert (found["isolation"], found["verdict"]) == ("namespace", "pass")
    seen = next(f.read_text() for f in (town.repo / ".dossier").rglob("*") if f.is_file() and f.read_bytes().endswith(b"over\n"))
    assert "PRIVATE" not in seen
    assert key.exists()
    assert "PRIVATE" in key.read_text(), "outside it is still there"


def test_a_step_with_a_path_can_be_typed_as_it_stands(tmp_path: Path) -> None:
    """A blank in a path is quoted: another worktree of the repository finds the state of the first by the words of its refusal."""
    root = tmp_path / "our team"
    root.mkdir()
    town = Town(root)
    other = tmp_path / "other"
    town.git("worktree", "add", "-q", "--detach", str(other), "main")
    here, town.repo = town.repo, other
    step = town.refused("list")["help"]
    said = subprocess.run(f'{step} && printf %s "$DOSSIER_HOME"', shell=True, env=town.env, capture_output=True, text=True, check=True)
    assert said.stdout == str(here / ".dossier")
    town.env["DOSSIER_HOME"] = said.stdout
    assert town.dossier("list") == {"changes": []}
    town.repo = here
    file = root / "a b.dossier"
    last = town.run("export", town.assembled(), "-o", str(file))[1].splitlines()[-1]
    assert shlex.split(last) == ["next:", "dossier", "verify", str(file)]


@pytest.mark.parametrize("adopted", [True, False])
@pytest.mark.parametrize("home", ["", "build/state"])
def test_the_key_a_clone_makes_is_not_committed(tmp_path: Path, adopted: bool, home: str) -> None:
    """Whatever command comes first in a clone: git passes over its state, private key included, wherever in the tree it lies."""
    town = Town(tmp_path, adopted=adopted)
    clone = cloned(town, "-b", "fix/rounding")
    clone.git("remote", "set-head", "origin", "main")
    clone.env = town.env | ({"DOSSIER_HOME": home} if home else {})
    for _ in range(2):
        clone.dossier("list")
    assert (clone.repo / (home or ".dossier") / "keys/producer").is_file()
    assert clone.git("status", "--porcelain", "--untracked-files=all") == ""
