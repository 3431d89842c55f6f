"""Beginning a project: nothing that is there is overwritten, and an init that was killed is begun anew."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from release_dossier.steps import init as module
from tests.town import Town


class Killed(BaseException):
    """What SIGKILL is to a process: nothing is cleaned up behind it."""


@pytest.fixture
def bare(tmp_path: Path) -> Town:
    """A repository before `dossier init`, whose owner excludes a file by a name that is no UTF-8."""
    town = Town(tmp_path, adopted=False)
    town.git("switch", "-q", "main")
    town.git("branch", "-qD", "fix/rounding")
    for file in (town.repo / ".dossier").rglob("*"):
        if file.is_file():
            file.unlink()
    (town.repo / ".git" / "info" / "exclude").write_bytes(b"caf\xe9")
    return town


def _dies_at(n: int, work: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    """`work`, whose n-th call ends the process before or after it did anything."""
    calls = iter(range(n + 100))

    def call(*args: Any, **kwargs: Any) -> Any:
        dies = next(calls) == n
        if dies and not after:
            raise Killed
        done = work(*args, **kwargs)
        if dies:
            raise Killed
        return done

    return call


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("name", "n"), [("write_pin", 0), ("replace_file", 0), ("replace_file", 1), ("_producer", 0), ("_person_key", 0)])
def test_an_init_that_was_killed_is_begun_anew(bare: Town, monkeypatch: pytest.MonkeyPatch, name: str, n: int, after: bool) -> None:
    """Wherever it was killed, the next init ends with one project, the keys that were made, and what git excluded before."""
    with monkeypatch.context() as m:
        m.setattr(module, name, _dies_at(n, getattr(module, name), after=after))
        with pytest.raises(Killed):
            bare.run("init")
    if (name, n, after) == ("replace_file", 1, True):  # its settings are there: it was done
        assert bare.refused("init")["code"] == "init.exists"
    else:
        bare.dossier("init")
    checks = {c["name"]: c["state"] for c in bare.dossier("doctor", ok=(10,))["checks"]}
    assert (checks["project"], checks["producer key"], checks["log"]) == ("pass", "pass", "pass")
    assert (bare.repo / ".git" / "info" / "exclude").read_bytes() == b"caf\xe9\n/.dossier/\n"
    assert bare.git("status", "--porcelain") == "?? dossier.toml\n?? dossier.trust.json"
    assert sorted(f.name for f in (bare.repo / ".dossier" / "keys").iterdir()) == ["ann", "ann.pub", "producer", "producer.pub"]


def test_a_key_whose_public_line_a_kill_took_gets_it_again(bare: Town) -> None:
    """By init as by `key new`, which refuses all the same."""
    bare.dossier("init")
    line = (bare.repo / ".dossier" / "keys" / "ann.pub").read_text()
    for name in (".dossier/keys/ann.pub", "dossier.toml"):
        (bare.repo / name).unlink()
    (bare.repo / "dossier.trust.json").unlink()
    bare.dossier("init")
    assert (bare.repo / ".dossier" / "keys" / "ann.pub").read_text() == line
    (bare.repo / ".dossier" / "keys" / "ann.pub").unlink()
    assert bare.refused("key", "new", "ann")["code"] == "key.exists"
    assert (bare.repo / ".dossier" / "keys" / "ann.pub").read_text() == line


def test_a_branch_from_before_adoption_begins_no_second_project(tmp_path: Path) -> None:
    """Its tree has neither file, the protected branch has both: init names it, and what is pinned stays."""
    town = Town(tmp_path)
    pin = (town.repo / ".dossier" / "project.json").read_bytes()
    town.git("switch", "-qc", "old", "main~1")
    said = town.refused("init")
    assert (said["code"], said["at"], said["help"]) == ("init.exists", "main", "git merge main")
    assert (town.repo / ".dossier" / "project.json").read_bytes() == pin
    assert not (town.repo / "dossier.toml").exists()


def test_a_log_is_never_left_to_another_project(tmp_path: Path) -> None:
    """Before adoption the files may be thrown away; what was recorded under them is not taken over, and not lost."""
    town = Town(tmp_path, adopted=False)
    town.open()
    town.git("rm", "-q", "dossier.toml", "dossier.trust.json")
    said = town.refused("init")
    assert (said["code"], said["found"], said["help"].split()[0]) == ("init.exists", "the log of a project", "mv")


def test_a_trust_document_of_its_own_is_never_replaced(bare: Town) -> None:
    """One that git knows, or that this folder does not pin, is not what a killed init left."""
    bare.dossier("init")
    (bare.repo / "dossier.toml").unlink()
    (bare.repo / ".dossier" / "project.json").unlink()
    assert bare.refused("init")["at"].endswith("dossier.trust.json")


def test_what_is_written_over_is_whole_at_every_moment(tmp_path: Path) -> None:
    """Ten processes that write the same file at once: each succeeds, whoever reads finds one of the contents, and nothing is left."""
    file = tmp_path / "pin"
    file.write_bytes(b"0" * 4096)
    script = "import sys; from pathlib import Path; from release_dossier.store.files import replace_file\n"
    script += "for _ in range(40): replace_file(Path(sys.argv[1]), sys.argv[2].encode() * 4096)"
    running = [subprocess.Popen([sys.executable, "-c", script, str(file), str(n)]) for n in range(10)]
    while any(p.poll() is None for p in running):
        raw = file.read_bytes()
        assert len(raw) == 4096
        assert len(set(raw)) == 1
    assert [p.returncode for p in running] == [0] * 10
    assert [f.name for f in tmp_path.iterdir()] == ["pin"]
