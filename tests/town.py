"""A small town: a git repository, people with real SSH keys, and the real `dossier`, run in this process on a clock the test holds.

`town.dossier(...)` runs a command as a user would and returns its JSON; `town.refused(...)` returns the refusal. Nothing of this
machine's git or SSH configuration reaches it.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

from click.testing import CliRunner

from release_dossier.cli import edge, main

ISSUE = """# Round payments

## Objective
Payments are whole credits.

## In scope
- `app/pay.py`

## Out of scope
- `web/**`

## Affected features
- `app/**`

## Risks
- R1 (high, @ann): rounding

## Owner
ann
"""
# Just before now, so that commands run in a process of their own, on the machine's clock, fit in.
START = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=30)  # noqa: TID251
TESTS = """
[[evidence]]
name = "tests"
kind = "tests"
run = ["cat", "results.xml"]
format = "junit"
"""
JUNIT = '<testsuite name="s" tests="2"><testcase classname="t" name="a"/><testcase classname="t" name="b"/></testsuite>\n'


class Town:
    """A project called shop, owned by ann, whose tests are a committed JUnit file that a planned command prints."""

    _one_at_a_time = threading.Lock()  # a server reads the clock from several threads

    def __init__(self, root: Path, *, adopted: bool = True, settings: str = TESTS, founded_anew: bool = False) -> None:
        """Towns with the same settings are copies of one, with the same keys and trust, unless `founded_anew`."""
        self.root, self.repo = root, root / "shop"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": START.isoformat(),
            "GIT_COMMITTER_DATE": START.isoformat(),
        }
        self.now = START
        self._founded_as = None if founded_anew else (adopted, settings)
        if self._founded_as is None:
            self._found(adopted, settings)
        else:
            self._become(_founded(*self._founded_as))

    def _become(self, pattern: Town) -> None:
        """A copy of `pattern`, at its time."""
        shutil.rmtree(self.repo, ignore_errors=True)
        shutil.copytree(pattern.root, self.root, symlinks=True, dirs_exist_ok=True)
        self.now = pattern.now

    def _is_like(self, pattern: Town) -> bool:
        """Whether nothing was done here since it became a copy of `pattern`."""
        same = {**pattern.env, "HOME": str(self.root)} == self.env and pattern.now == self.now
        issues = ((t.root / "issue.md").read_text() for t in (self, pattern))
        return same and _files(self.repo) == _files(pattern.repo) and len(set(issues)) == 1

    def _found(self, adopted: bool, settings: str) -> None:
        (self.repo / "app").mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ann")
        self.git("config", "user.email", "ann@example.invalid")
        self.write("app/pay.py", "def pay(x):\n    return x\n")
        self.write("results.xml", JUNIT)
        self.commit("start")
        self.dossier("init")
        self.write("dossier.toml", self.read("dossier.toml") + settings)
        if adopted:
            self.commit("dossier project")
        self.git("switch", "-qc", "fix/rounding")
        if not adopted:
            self.commit("dossier project")
        self.write("app/pay.py", "def pay(x):\n    return int(x)\n")
        self.commit("round")
        (self.root / "issue.md").write_text(ISSUE)

    @property
    def key(self) -> Path:
        """Ann's private key."""
        return self.repo / ".dossier" / "keys" / "ann"

    def read(self, name: str) -> str:
        return (self.repo / name).read_text()

    def write(self, name: str, text: str) -> None:
        file = self.repo / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def git(self, *args: str) -> str:
        return subprocess.run(["git", *args], cwd=self.repo, env=self.env, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD")

    def later(self, **amount: float) -> None:
        """Let time pass."""
        with self._one_at_a_time:
            self.now += timedelta(**amount)

    def tick(self) -> datetime:
        with self._one_at_a_time:
            self.now += timedelta(milliseconds=10)
            return self.now

    def run(self, *args: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of `dossier args`."""
        for before, file in pairwise(args):
            if before == "--from" and os.path.isfile(file) and self.now.timestamp() < os.stat(file).st_mtime <= time.time():
                os.utime(file, (self.now.timestamp(),) * 2)  # what a test just wrote was there, however long ago its town began
        runner = CliRunner()
        world = mock.patch.dict(os.environ, self.env, clear=True)
        with world, mock.patch.object(edge, "clock", self.tick), runner.isolation() as streams:
            before = os.getcwd()
            try:
                code = main.run(["-C", str(self.repo), *args])
            finally:
                os.chdir(before)
            out, err = streams[0].getvalue(), streams[1].getvalue()
        return code, out.decode(), err.decode()

    def dossier(self, *args: str, ok: tuple[int, ...] = (0,)) -> Any:
        """The JSON of `dossier args`, which must end with one of `ok`."""
        code, out, err = self.run(*args, "--json")
        assert code in ok, (code, out, err)
        return json.loads(out)

    def refused(self, *args: str, code: int = 20) -> Any:
        """The refusal of `dossier args`."""
        return self.dossier(*args, ok=(code,))["error"]

    def change_trust(self, *args: str) -> None:
        """A new version of the trust document on main, proposed with Ann's key; back on the branch afterwards."""
        self.git("switch", "-q", "main")
        self.dossier("trust", "propose", *args, *(() if "--key" in args else ("--key", str(self.key))))
        self.commit("trust")
        self.git("switch", "-q", "fix/rounding")

    def open(self, *args: str) -> Any:
        return self.dossier("open", "--issue", str(self.root / "issue.md"), *args)["change"]

    def assembled(self) -> str:
        """Open, collect, assemble; the dossier's digest. A town as it was founded becomes a copy of one that was taken this far."""
        if self._founded_as is not None and self._is_like(_founded(*self._founded_as)):
            pattern, digest = _assembled(*self._founded_as)
            self._become(pattern)
            return digest
        return self._assembled_here()

    def _assembled_here(self) -> str:
        self.open()
        self.dossier("collect")
        return str(self.dossier("assemble")["dossier"]["digest"])

    def approve(self, digest: str, *roles: str) -> None:
        for role in roles:
            self.dossier("approve", digest, "--as", "ann", "--role", role, "--key", str(self.key))

    def moment(self, **amount: float) -> str:
        """The town's time plus `amount`, as RFC 3339."""
        return (self.now + timedelta(**amount)).isoformat()

    def gate(self, *args: str) -> Any:
        return self.dossier("gate", *args, ok=(0, 10))["decision"]


@lru_cache(maxsize=64)
def _founded(adopted: bool, settings: str) -> Town:
    return Town(Path(tempfile.mkdtemp(dir=_patterns())) / "town", adopted=adopted, settings=settings, founded_anew=True)


@lru_cache(maxsize=64)
def _assembled(adopted: bool, settings: str) -> tuple[Town, str]:
    town = Town(Path(tempfile.mkdtemp(dir=_patterns())) / "town", adopted=adopted, settings=settings)
    return town, town._assembled_here()


@lru_cache(maxsize=1)
def _patterns() -> str:
    """Where the towns lie that others are copies of, until this process ends."""
    folder = tempfile.mkdtemp(prefix="towns-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _files(root: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file; a copy has those of what it was copied from."""
    stats = {str(p.relative_to(root)): p.lstat() for p in root.rglob("*")}
    return {name: (s.st_size, s.st_mtime_ns) for name, s in stats.items() if not stat.S_ISDIR(s.st_mode)}
