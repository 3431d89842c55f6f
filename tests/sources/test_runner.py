"""Planned commands: what they see, what they cannot reach, and what is said of them afterwards."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from release_dossier.project import Plan
from release_dossier.sources.git import Repository
from release_dossier.sources.runner import Ran, _room, run_plan
from tests import needs

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A repository with one committed file."""
    root = tmp_path / "shop"
    root.mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    for args in (["init", "-q", "-b", "main"], ["config", "user.name", "Ann"], ["config", "user.email", "ann@example.invalid"]):
        subprocess.run(["git", *args], cwd=root, env=env, check=True)
    (root / "a.txt").write_text("one\n")
    for args in (["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run(["git", *args], cwd=root, env=env, check=True)
    return Repository(root, env)


def ran(
    repo: Repository, *run: str, look: Callable[[Ran], object] = lambda r: r, environ: dict[str, str] | None = None, **plan: object
) -> object:
    """Run one command and look at what it left before the worktree goes."""
    p = Plan(name="t", kind="tests", run=run, **plan)  # type: ignore[arg-type]
    hide = [repo.root / ".dossier"]
    with run_plan(repo, repo.resolve("HEAD"), p, hide=hide, environ=environ or ENVIRON, watch=lambda s: None) as r:
        return look(r)


def out(r: Ran) -> tuple[int | None, str]:
    return r.exit_status, r.stdout.read_text(errors="replace")


def test_runs_at_the_commit_in_a_worktree_of_its_own(repo: Repository) -> None:
    """It sees the committed content, not what lies in the working tree, and leaves nothing behind."""
    (repo.root / "a.txt").write_text("two\n")
    status, text = ran(repo, "cat", "a.txt", look=out)  # type: ignore[misc]
    assert (status, text) == (0, "one\n")
    where = ran(repo, "pwd", look=lambda r: r.worktree)
    assert isinstance(where, Path)
    assert not where.exists()


def test_runs_where_git_names_objects_by_sha256(tmp_path: Path) -> None:
    """Whatever git makes by default, the worktree names objects as the repository does."""
    for names in ("sha1", "sha256"):
        (tmp_path / names).mkdir()
        repo = Repository(tmp_path / names, ENVIRON | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_DEFAULT_HASH": names})
        repo.run("init", "-q")
        (repo.root / "x").write_text("here\n")
        repo.run("add", "x")
        repo.run("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x")
        assert ran(repo, "cat", "x", look=out) == (0, "here\n")


def test_what_killed_runs_left_is_removed(repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A room that nobody holds goes, with folders nobody may write to; one of a run, one just made and a link stay."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, running, young = (tmp_path / f"dossier-room-{n}" for n in ("left", "running", "young"))
    for room in (left, running, young):
        (room / "home" / "go").mkdir(parents=True)
        (room / "home" / "go" / "a.go").write_text("package a\n")
        (room / "home" / "go").chmod(0o555)
    (tmp_path / "kept").mkdir()
    (tmp_path / "dossier-room-link").symlink_to(tmp_path / "kept")
    for room in (left, running, tmp_path / "kept"):
        os.utime(room, (0, 0))
    held = os.open(running, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    ran(repo, "true")
    os.close(held)
    assert sorted(f.name[13:] for f in tmp_path.glob("dossier-room-*")) == ["link", "running", "young"]
    assert (tmp_path / "kept").is_dir()


def test_folders_without_the_right_to_write_are_removed_by_their_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Go leaves its modules in the run's home. Tried as a user who is not root, whom rights do not hold."""
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    me = os.geteuid()
    os.seteuid(me or 65534)
    try:
        with _room() as room:
            (room / "home" / "go").mkdir(parents=True)
            (room / "home" / "go" / "a.go").write_text("package a")
            (room / "home" / "go").chmod(0o555)
    finally:
        os.seteuid(me)
    assert not room.exists()


def test_environment_is_clean(repo: Repository) -> None:
    """No agent, no token, no home of the user: only what the plan names comes through."""
    environ = {**ENVIRON, "SSH_AUTH_SOCK": "/run/agent", "GITHUB_TOKEN": "t0ken", "GOFLAGS": "-x"}
    _, text = ran(repo, "env", look=out, environ=environ, env=("GOFLAGS",))  # type: ignore[misc]
    assert "t0ken" not in text
    assert "SSH_AUTH_SOCK" not in text
    assert "GOFLAGS=-x" in text
    assert "HIDE=" not in text


@needs.namespaces
def test_a_planned_test_that_tries_to_read_the_key_finds_nothing(repo: Repository) -> None:
    """By absolute path, by taking the mount off, by another process's root, by git's own pointers: the key is not there."""
    key = repo.root / ".dossier" / "keys" / "producer"
    key.parent.mkdir(parents=True)
    key.write_text("PRIVATE")
    tries = (
        f"cat {key}",
        f"umount {repo.root}/.dossier",
        f"cat {key}",
        f"cat /proc/*/root{key}",
        "grep -r PRIVATE .git",
        f"grep -r PRIVATE {repo.root}",
    )
    script = "; ".join((*tries, "echo over"))
    _, text = ran(repo, "sh", "-c", script, look=out)  # type: ignore[misc]
    assert "PRIVATE" not in text
    assert text.endswith("over\n")
    assert ran(repo, "true", look=lambda r: r.isolation) == "namespace"


def test_nothing_in_the_worktree_points_back(repo: Repository) -> None:
    """The worktree's own git knows no remote and no path of the project."""
    _, text = ran(repo, "sh", "-c", "git remote; grep -rl . .git | xargs cat", look=out)  # type: ignore[misc]
    assert str(repo.root) not in text


def test_failing_command(repo: Repository) -> None:
    """A failing command is a result, not trouble."""
    r = ran(repo, "sh", "-c", "exit 3")
    assert isinstance(r, Ran)
    assert (r.exit_status, r.trouble, r.infrastructure) == (3, "", False)


def test_missing_tool_is_infrastructure(repo: Repository) -> None:
    """A tool that is not installed says nothing about the change."""
    r = ran(repo, "no-such-tool-anywhere")
    assert isinstance(r, Ran)
    assert (r.infrastructure, r.trouble) == (True, "no-such-tool-anywhere is not installed here")


def test_prepare_that_fails(repo: Repository) -> None:
    """When preparing fails the command does not run, and it says which step it was."""
    r = ran(
        repo, "touch", "ran", prepare=(("sh", "-c", "exit 5"),), look=lambda r: (r.trouble, r.infrastructure, (r.worktree / "ran").exists())
    )
    assert r == ("prepare `sh -c exit 5` ended with 5", True, False)


def test_prepare_that_fails_says_its_last_words(repo: Repository) -> None:
    """The last line a failed preparation said is in the reason, without terminal escapes."""
    said = ("sh", "-c", "echo first; printf 'no such \\033[31mpackage\\n\\n'; exit 5")
    trouble = ran(repo, "true", prepare=(said,), look=lambda r: r.trouble)
    assert isinstance(trouble, str)
    assert trouble.endswith("ended with 5: no such package")


def test_time_limit_ends_the_whole_group(repo: Repository, tmp_path: Path) -> None:
    """At its limit the command and its children end: nobody holds the pipe any more that they were given."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    r = ran(repo, "sh", "-c", f"exec > {pipe}; echo begun; sleep 300 & sleep 300", timeout_s=2)
    assert isinstance(r, Ran)
    assert (r.exit_status, r.infrastructure, r.trouble) == (None, True, "the time limit of its plan ended it")
    assert r.seconds < 100
    with open(held, "rb", closefd=True) as said:
        os.set_blocking(held, True)
        assert said.read() == b"begun\n"


def test_run_that_changes_its_own_sources(repo: Repository) -> None:
    """A run that edits tracked files looked at something else than what would ship, and is said to have."""
    r = ran(repo, "sh", "-c", "echo two > a.txt")
    assert isinstance(r, Ran)
    assert "changed tracked files" in r.trouble
    assert not r.infrastructure
