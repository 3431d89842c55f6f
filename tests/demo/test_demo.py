"""The demo tells the truth: real captures, the user's own commands, and the end the README promises."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from release_dossier.cli.demo import _play
from release_dossier.demo.history import look_back, write_history
from release_dossier.demo.place import Place
from release_dossier.demo.story import Stage
from release_dossier.errors import DossierError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What `dossier demo` prints, and the folder it played in."""
    place = tmp_path_factory.mktemp("demo") / "d"
    command = [sys.executable, "-m", "release_dossier", "demo", "--keep", str(place)]
    env = {"PATH": os.environ["PATH"], "HOME": str(place.parent), "NO_COLOR": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout, place


def test_git_and_python_are_enough(tmp_path: Path) -> None:
    """On a machine without ssh-keygen the demo goes the same way to the same end."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "sh", "env"):
        where = shutil.which(name)
        assert where is not None
        (programs / name).symlink_to(where)
    command = [sys.executable, "-m", "release_dossier", "demo", "--keep", str(tmp_path / "d"), "--json"]
    done = subprocess.run(command, env={"PATH": str(programs), "HOME": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["decision"]["outcome"] == "ALLOW"


def test_the_bug_is_denied_to_the_credit(played: tuple[str, Path]) -> None:
    """User, market and credits of a bug that shipped, as the ledger's own truth has them."""
    out, _ = played
    for user, credits in {"erin": 197, "frank": 69, "bob": 61, "dave": 28, "alice": 5}.items():
        assert f"{user} has {credits} credits too many" in out
    assert re.search(r"sold \d+ shares in market \d+", out)


def test_it_ends_in_an_honest_allow(played: tuple[str, Path]) -> None:
    """What is live in 3.8.1 passes only through a waiver with a name and an end, and the posture shows it."""
    out, place = played
    assert "~ waived     replay-protection (was fail): dee until 2026-12-23" in out
    assert "released trading 3.8.1: tag v3.8.1" in out
    assert "sound · allowed" in out
    tags = subprocess.run(["git", "tag"], cwd=place / "socialpredict", capture_output=True, text=True, check=True).stdout.split()
    assert tags == ["v3.5.2", "v3.8.0", "v3.8.1"]


def test_skipped_is_not_green(played: tuple[str, Path]) -> None:
    """1553 passing tests of 1557 are inconclusive until each skip is named; the ones behind them fail."""
    out, _ = played
    assert "1553 of 1557 looked at, 100 % asked for" in out
    assert "TestResolveMarketDistributesAllBetVolumePostgres" in out


def test_the_bundle_verifies_in_a_process_of_its_own(played: tuple[str, Path]) -> None:
    """Elsewhere, with only the trust document: sound; allowed at its time, expired today."""
    _, place = played
    trust = place / "trust.json"
    trust.write_bytes((place / "socialpredict" / "dossier.trust.json").read_bytes())
    command = [sys.executable, "-m", "release_dossier", "verify", str(place / "trading-3.8.1.dossier"), "--trust", str(trust), "--json"]
    env = {"PATH": os.environ["PATH"], "HOME": str(place)}
    then = subprocess.run([*command, "--at", "2026-11-23T12:00:00Z"], cwd=place, env=env, capture_output=True, text=True)
    assert (then.returncode, json.loads(then.stdout)["standing"]) == (0, "allowed")
    late = subprocess.run([*command, "--at", "2031-01-01T00:00:00Z"], cwd=place, env=env, capture_output=True, text=True)
    assert (late.returncode, json.loads(late.stdout)["standing"].split()[0]) == (10, "expired")


def test_the_readme_shows_what_it_prints(played: tuple[str, Path]) -> None:
    """The transcript in the README is the demo's, but for digests."""
    out, _ = played
    block = re.search(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    here = {_plain(line) for line in out.splitlines()}
    for line in block[1].splitlines():
        assert _plain(line) in here or not line.strip(), line


def _plain(line: str) -> str:
    return re.sub(r"sha256:[0-9a-f]+", "sha256:", line).rstrip()


class Told(Stage):
    """A stage whose every command answers what it is told to."""

    answer: Any = None

    def dossier(self, *args: str) -> Any:
        return self.answer

    def bring(self, *args: str) -> None:
        return


def test_an_end_the_story_does_not_tell_stops_it(tmp_path: Path) -> None:
    """A command that fails, a decision that comes out otherwise and a history that git does not take: each is said, none is told over."""
    place = Place(tmp_path, {"PATH": os.environ["PATH"], "GIT_CEILING_DIRECTORIES": str(tmp_path)})
    place.repo.mkdir()
    end = {"outcome": "ALLOW", "digest": "d", "requirements": [{"id": "tests", "state": "fail"}, {"id": "sbom", "state": "pass"}]}
    told = {"decision": end, "dossier": {"digest": "d"}}
    stage = Told(place, lambda args: (0, None), print, datetime(2026, 11, 24, tzinfo=UTC), answer=told)

    def refusal(call: Callable[[], object]) -> tuple[int, str, str, str, str]:
        with pytest.raises(DossierError) as e:
            call()
        return e.value.exit_code, e.value.code, e.value.at, e.value.found, e.value.expected

    assert refusal(lambda: stage.gate("act one")) == (40, "demo.other-outcome", "act one", "ALLOW: tests fail", "DENY")
    assert refusal(lambda: next(look_back(stage))) == (40, "demo.other-outcome", "v0.0.1", "ALLOW", "DENY: the criteria came later")
    found = refusal(lambda: write_history(place))
    assert found == (40, "demo.history", "git fast-import", found[3], "the captured history")
    assert "not a git repository" in found[3]
    command = ["verify", str(tmp_path / "none.dossier")]
    stopped = shlex.join(["dossier", *command])
    assert refusal(lambda: _play(command, True)) == (30, "demo.stopped", stopped, "exit 20", "exit 0 or 10")
