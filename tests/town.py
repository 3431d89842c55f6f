"""A small town: a git repository, people with real SSH keys, and the real `dossier`, run in this process on a clock the test holds.

`town.dossier(...)` runs a command as a user would and returns its JSON; `town.refused(...)` returns the refusal. Nothing of this
machine's git or SSH configuration reaches it.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
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

    def __init__(self, root: Path, *, adopted: bool = True, settings: str = TESTS) -> None:
        self.root, self.repo = root, root / "shop"
        self.now = START
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": START.isoformat(),
            "GIT_COMMITTER_DATE": START.isoformat(),
        }
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
        (root / "issue.md").write_text(ISSUE)

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
        self.now += timedelta(**amount)

    def tick(self) -> datetime:
        self.now += timedelta(milliseconds=10)
        return self.now

    def run(self, *args: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of `dossier args`."""
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

    def open(self, *args: str) -> Any:
        return self.dossier("open", "--issue", str(self.root / "issue.md"), *args)["change"]

    def assembled(self) -> str:
        """Open, collect, assemble; the dossier's digest."""
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
