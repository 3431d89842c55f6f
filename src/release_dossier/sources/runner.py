"""Planned commands, run at one commit in a fresh worktree, as far from keys as this machine allows.

1. The worktree is a clone of the one commit, in a folder of its own; nothing in it points back to the project.
2. The environment holds PATH, LANG, TZ, an empty HOME, and what the plan names. No agent, no home, no `.dossier/`.
3. Where the kernel allows (`namespace`), a mount namespace hides the project's state and the usual places of keys and
   tokens, even by absolute path. Where it does not (`process`), such a path could be read: the statement says which it was.
   The network is not closed in either.
4. Output is captured to files and bounded; the time limit ends the whole process group.
5. HEAD and the tracked files are compared before and after.
6. Nothing of it stays: what a run that was killed left goes with the next.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from release_dossier.errors import DossierError, shown
from release_dossier.limits import OUTPUT_BYTES_MAX
from release_dossier.project import Plan
from release_dossier.sources.git import Repository

_ROOM = "dossier-room-"
_ROOM_SECONDS = 60  # seconds after which a room that nobody holds is nobody's: one just made is not locked yet
# Below a user's home.
PLACES_OF_KEYS = (
    *(".ssh", ".gnupg", ".aws", ".azure", ".docker", ".kube", ".config/gh", ".config/gcloud"),
    *(".netrc", ".git-credentials", ".pypirc", ".npmrc"),
)
# Processes outside are hidden too: their /proc/<pid>/root would lead around the mounts.
_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
# $1 says how many places to hide follow; after them comes the command.
_ENTER = (
    'n=$1; shift; while [ "$n" -gt 0 ]; do p=$1; shift; n=$((n - 1)); '
    'if [ -d "$p" ]; then mount -t tmpfs tmpfs "$p" || exit 125; else mount --bind /dev/null "$p" || exit 125; fi; done'
)
_UPLOAD = "git -c uploadpack.allowAnySHA1InWant=true -c uploadpack.allowReachableSHA1InWant=true upload-pack"


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What happened. `exit_status` is None where the command never ran or was ended by us; `trouble` says why in words, and
    `infrastructure` whether that was outside what the command looks at. Files live in the worktree until it is left."""

    exit_status: int | None
    trouble: str
    infrastructure: bool
    isolation: str
    worktree: Path
    stdout: Path
    log: Path
    seconds: float


@contextmanager
def run_plan(
    repo: Repository, commit: str, plan: Plan, *, hide: Sequence[Path], environ: Mapping[str, str], watch: Callable[[float], None]
) -> Iterator[Ran]:
    """Run `plan` at `commit`; the worktree lives until the block ends. `watch(seconds)` is called a few times a second."""
    with _room() as room:
        (room / "home").mkdir()
        tree = Repository(room / "tree", {"PATH": environ.get("PATH", os.defpath), "HOME": str(room / "home"), "LC_ALL": "C"})
        try:
            _check_out(repo, tree, commit)
        except DossierError as e:
            yield _not_run(room, tree, f"{commit[:12]} could not be checked out: {e.found}")
        else:
            yield _run_all(tree, plan, room, hide, environ, watch)


def _not_run(room: Path, tree: Repository, trouble: str) -> Ran:
    return Ran(
        exit_status=None, trouble=trouble, infrastructure=True, isolation="none",
        worktree=tree.root, stdout=room / "stdout", log=room / "output.log", seconds=0.0,
    )  # fmt: skip


@contextmanager
def _room() -> Iterator[Path]:
    """A folder that is locked for as long as this process lives and then gone. Those whose process was killed are removed."""
    room = Path(tempfile.mkdtemp(prefix=_ROOM))
    held = os.open(room, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        for other in room.parent.glob(f"{_ROOM}*"):
            if other != room:
                _remove_abandoned(other)
        yield room
    finally:
        _remove(room, held)
        os.close(held)


def _remove_abandoned(room: Path) -> None:
    with suppress(OSError):
        fd = os.open(room, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            found = os.fstat(fd)
            if found.st_uid == os.getuid() and time.time() - found.st_mtime > _ROOM_SECONDS:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(room, fd)
        finally:
            os.close(fd)


def _remove(room: Path, fd: int) -> None:
    """All of it, folders too that a tool left without the right to write, as Go its modules."""
    with suppress(OSError):
        for *_, folder in os.fwalk(".", dir_fd=fd):
            os.fchmod(folder, 0o700)
    shutil.rmtree(room, ignore_errors=True)


def isolation_here(environ: Mapping[str, str]) -> str:
    """`namespace` where an unprivileged mount namespace works on this machine, else `process`."""
    return "namespace" if _namespace_works(environ) else "process"


def _check_out(repo: Repository, tree: Repository, commit: str) -> None:
    tree.root.mkdir()
    tree.run("init", "--quiet", f"--object-format={'sha256' if len(commit) == 64 else 'sha1'}")
    fetch = ("-c", "protocol.file.allow=always", "fetch", "--quiet", "--depth=1", "--no-tags")
    tree.run(*fetch, f"--upload-pack={_UPLOAD}", str(repo.root), commit)
    tree.run("checkout", "--quiet", "--detach", commit)
    (tree.root / ".git" / "FETCH_HEAD").unlink(missing_ok=True)  # holds the path of the project


def _run_all(
    tree: Repository, plan: Plan, room: Path, hide: Sequence[Path], environ: Mapping[str, str], watch: Callable[[float], None]
) -> Ran:
    isolation = isolation_here(environ)
    began = time.monotonic()
    deadline = began + plan.timeout_s
    log, stdout = room / "output.log", room / "stdout"
    stdout.touch()

    def done(status: int | None, trouble: str, infrastructure: bool = False) -> Ran:
        return Ran(
            exit_status=status, trouble=trouble, infrastructure=infrastructure, isolation=isolation,
            worktree=tree.root, stdout=stdout, log=log, seconds=time.monotonic() - began,
        )  # fmt: skip

    env = {"PATH": tree.env["PATH"], "HOME": str(room / "home"), "TZ": "UTC", "LANG": "C.UTF-8", "TMPDIR": str(room / "home")}
    env |= {name: environ[name] for name in plan.env if name in environ}
    before = (tree.resolve("HEAD"), tree.modified())
    for command in (*plan.prepare, plan.run):
        last = command is plan.run
        argv = _inside(isolation, command, hide, environ)
        out = stdout if last else log
        try:
            status, why = _one(argv, tree.root, env, out, log, began, deadline, watch)
        except FileNotFoundError:
            return done(None, f"{command[0]} is not installed here", infrastructure=True)
        if why:
            return done(None, why, infrastructure=True)
        if status in (126, 127) and shutil.which(command[0], path=env["PATH"]) is None:
            return done(None, f"{command[0]} is not installed here", infrastructure=True)
        if not last and status != 0:
            return done(None, f"prepare `{' '.join(command)}` ended with {status}{last_words(log)}", infrastructure=True)
    if (tree.resolve("HEAD"), tree.modified()) != before:
        moved = ", ".join(tree.modified()[:3]) or "HEAD"
        return done(status, f"the run changed tracked files of its own worktree ({moved}): what it looked at is not what would ship")
    return done(status, "")


def _one(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    out: Path,
    log: Path,
    began: float,
    deadline: float,
    watch: Callable[[float], None],
) -> tuple[int, str]:
    """Exit status and, where we ended it, why. `began` and `deadline` are monotonic seconds."""
    with out.open("ab") as o, log.open("ab") as e:
        p = subprocess.Popen(argv, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=o, stderr=e, start_new_session=True)
        why = ""
        try:
            while p.poll() is None:
                if time.monotonic() > deadline:
                    why = "the time limit of its plan ended it"
                elif out.stat().st_size + log.stat().st_size > OUTPUT_BYTES_MAX:
                    why = f"it wrote more than {OUTPUT_BYTES_MAX} bytes"
                if why:
                    break
                watch(time.monotonic() - began)
                _wait(p, 0.05)
        finally:
            _end(p)
    return p.returncode, why


def last_words(log: Path) -> str:
    """`: ` and the last line that says anything in a captured output, fit for a terminal; empty where there is none."""
    with log.open("rb") as f:
        f.seek(max(0, log.stat().st_size - 4096))
        lines = f.read().decode("utf-8", "replace").splitlines()
    line = next((x.strip() for x in reversed(lines) if x.strip()), "")
    return f": {shown(line)}" if line else ""


def _wait(p: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        p.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _end(p: subprocess.Popen[bytes]) -> None:
    """End what is left of the process group, children included."""
    with suppress(ProcessLookupError):
        os.killpg(p.pid, signal.SIGKILL)
    p.wait()


def _inside(isolation: str, command: Sequence[str], hide: Sequence[Path], environ: Mapping[str, str]) -> list[str]:
    """The command as run: itself, or behind a wrapper that hides every place that exists, links followed."""
    if isolation != "namespace":
        return list(command)
    home = Path(environ["HOME"]) if environ.get("HOME") else None
    places = [*hide, *((home / p for p in PLACES_OF_KEYS) if home else ())]
    if environ.get("SSH_AUTH_SOCK"):
        places.append(Path(environ["SSH_AUTH_SOCK"]))
    # A folder hides what is below it, and then nothing is there to be mounted over any more: deepest first.
    hidden = sorted({str(p.resolve()) for p in places if p.exists()}, reverse=True)
    return [*_NAMESPACE, "sh", "-c", f"{_ENTER}; {_leave()}", "sh", str(len(hidden)), *hidden, *command]


def _leave() -> str:
    """Into a second, lesser namespace: there the mounts over the keys are locked and cannot be taken off again."""
    return f'exec unshare --user --mount --map-user={os.getuid()} --map-group={os.getgid()} "$@"'


def _namespace_works(environ: Mapping[str, str]) -> bool:
    try:
        with tempfile.TemporaryDirectory() as d:
            probe = [*_NAMESPACE, "sh", "-c", f'mount -t tmpfs tmpfs "$1" || exit 1; shift; {_leave()}', "sh", d, "true"]
            return subprocess.run(probe, env={"PATH": environ.get("PATH", os.defpath)}, capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
