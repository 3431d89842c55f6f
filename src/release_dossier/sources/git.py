"""git as a subprocess: reads a repository and makes its tag. Never reads its user's hooks, pagers, prompts or aliases."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from release_dossier.errors import Refused, Unavailable, naming
from release_dossier.fingerprint import TreeFile
from release_dossier.limits import GIT_SECONDS_MAX
from release_dossier.sources.standing import Standing
from release_dossier.trust.sshsig import verify_armored

_QUIET = (
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.quotePath=false",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "color.ui=false",
    "-c",
    "log.showSignature=false",
    "-c",
    "advice.graftFileDeprecated=false",  # git says that of a graft file it is told to pass over, before what it has to say
)


_READ = ("cat-file", "--batch")
_WRITE = ("hash-object", "-w", "--no-filters", "--stdin-paths")
_MOVE = ("update-ref", "--stdin")


# Wider than `git interpret-trailers`: on any line of the message, indented or folded, whatever blanks and line ends stand around it.
_CO_AUTHOR = re.compile(r"^[^\S\n]*co-authored-by[^\S\n]*:([^<\n]*(?:\n[ \t][^<\n]*)*)<([^>\n]*)>", re.IGNORECASE | re.MULTILINE)


_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")


class Commit(msgspec.Struct, frozen=True):
    """A commit's author as git's free text, and the SSH key its signature verified with (None: unsigned, or no listed key).

    `co_authors` are the names and addresses of its `Co-authored-by` lines, free text as well.
    """

    id: str
    name: str
    email: str
    key: str | None
    co_authors: tuple[tuple[str, str], ...] = ()


class Repository(msgspec.Struct, frozen=True):
    """A working tree. `env` is the environment commands see; nothing else of the process leaks in."""

    root: Path
    env: Mapping[str, str]
    _stand_by: dict[tuple[str, ...], Standing] = msgspec.field(default_factory=dict)
    _starting: threading.Lock = msgspec.field(default_factory=threading.Lock)

    def run(self, *args: str, ok: Sequence[int] = (0,), stdin: bytes | None = None) -> bytes:
        """Standard output of `git args`.

        Raises:
            Refused: `git.failed`, with git's own words.
            Unavailable: `git.missing` or `git.timeout`.
        """
        return self.result(*args, ok=ok, stdin=stdin).stdout

    def result(self, *args: str, ok: Sequence[int] = (0,), stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """As `run`, with the exit status."""
        feed: dict[str, object] = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        try:
            r: subprocess.CompletedProcess[bytes] = subprocess.run(  # type: ignore[call-overload]
                ["git", *_QUIET, *args], cwd=self.root, env=self._environment(), capture_output=True, timeout=GIT_SECONDS_MAX, **feed
            )
        except FileNotFoundError as e:
            raise _missing() from e
        except subprocess.TimeoutExpired as e:
            raise Unavailable("git.timeout", at=f"git {args[0]}", found=f"no answer in {GIT_SECONDS_MAX} s", expected="an answer") from e
        if r.returncode not in ok:
            words = (r.stderr or r.stdout).decode("utf-8", "replace").strip()
            raise Refused("git.failed", at=f"git {' '.join(args[:3])}", found=words or f"exit {r.returncode}", expected="git to succeed")
        return r

    def keep(self, ref: str, content: bytes, folder: Path | None = None) -> None:
        """`ref` holds a blob of `content`, and nothing else. It goes through a file in `folder`, whose name begins with our process id.

        Raises:
            As `run`; then the ref stands where it stood.
        """
        mover = self._standing(_MOVE)  # starts while the blob is written
        with naming(folder or "TMPDIR"), tempfile.NamedTemporaryFile(dir=folder and folder.absolute(), prefix=f"{os.getpid()}-") as file:
            file.write(content)
            file.flush()
            blob = self._standing(_WRITE).ask(_quoted(os.fsencode(file.name)) + b"\n", _line)
        mover.ask(b"start\nupdate %b %b\ncommit\n" % (ref.encode(), blob), lambda said: said.endswith(b"commit: ok\n") or None)

    def blobs(self, names: Sequence[str]) -> tuple[bytes, ...]:
        """What each ref or object name stands for as a blob, empty where it stands for none."""
        found = self._standing(_READ).ask("".join(n + "\n" for n in names).encode(), lambda said: _objects(said, len(names)))
        return tuple(content if kind == b"blob" else b"" for kind, content in found)

    def _standing(self, command: tuple[str, ...]) -> Standing:
        """`git command`, which answers for as long as this repository is open; it is started once."""
        with self._starting:
            found = self._stand_by.get(command)
            if found is None or not found.alive():
                try:
                    found = Standing(f"git {command[0]}", ["git", *_QUIET, *command], self.root, self._environment(), GIT_SECONDS_MAX)
                except FileNotFoundError as e:
                    raise _missing() from e
                self._stand_by[command] = found
            return found

    def _environment(self) -> dict[str, str]:
        """Objects and parents are those their names stand for: no `refs/replace`, no grafts."""
        quiet = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
        return {**self.env, **quiet, "GIT_NO_REPLACE_OBJECTS": "1", "GIT_GRAFT_FILE": os.devnull}

    def text(self, *args: str) -> str:
        """Standard output as text without the last newline."""
        return self.run(*args).decode("utf-8", "surrogateescape").rstrip("\n")

    def resolve(self, ref: str, what: str = "ref") -> str:
        """Full name of the commit `ref` stands for.

        Raises:
            Refused: `git.unknown-ref`.
        """
        r = self.result("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", ok=(0, 1, 128))
        if r.returncode:
            raise Refused("git.unknown-ref", at=what, found=repr(ref), expected="a branch, tag or commit of this repository")
        return r.stdout.decode().strip()

    def exists(self, ref: str) -> bool:
        """Whether `ref` names a commit."""
        return self.result("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", ok=(0, 1, 128)).returncode == 0

    def branch(self) -> str | None:
        """The branch that is checked out, None when HEAD is detached.

        Raises:
            Refused: `git.ref-name`.
        """
        r = self.result("symbolic-ref", "--quiet", "HEAD", ok=(0, 1))  # in full: git shortens to heads/NAME where a tag is called so too
        return _ref(r.stdout).removeprefix("refs/heads/") or None

    def common_folder(self) -> Path:
        """Where git keeps objects and configuration, shared by every working tree of this repository."""
        return (self.root / self.text("rev-parse", "--git-common-dir")).resolve()

    def tracked(self, path: str) -> bool:
        """Whether a branch brings `path`, or anything below it, in whatever case."""
        return bool(self.run("ls-files", "-z", "--", f":(icase){path}"))

    def remotes(self) -> tuple[str, ...]:
        """Names of the remotes."""
        return tuple(self.text("remote").split())

    def default_branch(self, remote: str) -> str | None:
        """The branch `remote` checks out by itself, as it was when this clone last asked; None where it never did."""
        head = f"refs/remotes/{remote}/"
        r = self.result("symbolic-ref", "--quiet", f"{head}HEAD", ok=(0, 1))
        return _ref(r.stdout).removeprefix(head) or None

    def merge_base(self, a: str, b: str) -> str | None:
        """The best common ancestor, None when there is none."""
        r = self.result("merge-base", a, b, ok=(0, 1))
        return r.stdout.decode().strip() or None

    def tag_before(self, commit: str) -> str:
        """The commit of the nearest tag among the ancestors of `commit`, empty when there is none."""
        r = self.result("describe", "--tags", "--abbrev=0", f"{commit}^", ok=(0, 128))
        return "" if r.returncode else self.resolve(f"refs/tags/{r.stdout.decode('utf-8', 'surrogateescape').strip()}")

    def file_at(self, commit: str, path: str) -> bytes | None:
        """Content of `path` at `commit`, None when it is not there."""
        r = self.result("cat-file", "blob", f"{commit}:{path}", ok=(0, 128))
        return r.stdout if r.returncode == 0 else None

    def tree(self, commit: str) -> str:
        """Object name of the commit's tree."""
        return self.text("rev-parse", f"{commit}^{{tree}}")

    def changed(self, base: str, head: str) -> tuple[str, ...]:
        """Paths that differ; a rename shows as both names."""
        raw = self.run("diff", "--name-only", "--no-renames", "-z", base, head, "--")
        return tuple(sorted(p.decode("utf-8", "surrogateescape") for p in raw.split(b"\0") if p))

    def changed_lines(self, base: str, head: str) -> dict[str, list[list[int]]]:
        """Path → spans `[first, last]` of lines that `head` has and `base` has not. A path git has to quote is left out."""
        raw = self.run(
            "-c",
            "core.quotePath=false",
            "diff",
            "--unified=0",
            "--no-renames",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            base,
            head,
            "--",
        )
        out: dict[str, list[list[int]]] = {}
        path, in_head = "", True
        for line in raw.decode("utf-8", "replace").split("\n"):
            if line.startswith("diff --git "):
                path, in_head = "", True
            elif in_head and line.startswith("+++ b/"):
                path = line[6:].rstrip("\t")
            elif found := _HUNK.match(line):
                in_head = False
                first, count = int(found[1]), int(found[2] or 1)
                if path and count:
                    out.setdefault(path, []).append([first, first + count - 1])
        return out

    def modified(self) -> tuple[str, ...]:
        """Tracked files that differ from HEAD, staged or not."""
        raw = self.run("status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames")
        return tuple(sorted(p[3:].decode("utf-8", "surrogateescape") for p in raw.split(b"\0") if p))

    def untracked(self) -> tuple[str, ...]:
        """Files git neither tracks nor ignores."""
        raw = self.run("ls-files", "--others", "--exclude-standard", "-z")
        return tuple(sorted(p.decode("utf-8", "surrogateescape") for p in raw.split(b"\0") if p))

    def files(self, commit: str) -> tuple[TreeFile, ...]:
        """Every file of the tree with the SHA-256 of its content, read through one `cat-file --batch`."""
        entries = []
        for line in self.run("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
            if line:
                head, path = line.split(b"\t", 1)
                mode, kind, name = head.decode().split(" ")
                entries.append((mode, kind, name, path.decode("utf-8", "surrogateescape")))
        blobs = [e for e in entries if e[1] == "blob"]
        out = [TreeFile(m, p, hashlib.sha256(n.encode()).hexdigest()) for m, k, n, p in entries if k != "blob"]
        env = self._environment()
        with subprocess.Popen(
            ["git", "cat-file", "--batch", "--buffer"], cwd=self.root, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as batch:
            assert batch.stdin is not None
            assert batch.stdout is not None
            writer = threading.Thread(target=_feed, args=(batch.stdin, [e[2] for e in blobs]), daemon=True)
            writer.start()
            for mode, _, name, file in blobs:
                header = batch.stdout.readline().split()
                if len(header) != 3:
                    raise Unavailable(
                        "git.object-missing",
                        at=f"{commit[:12]}:{file}",
                        found=f"no object {name}",
                        expected="a complete clone",
                        help="git fetch --unshallow",
                    )
                out.append(TreeFile(mode, file, _hash(batch.stdout, int(header[2]))))
                batch.stdout.read(1)
            writer.join()
        return tuple(out)

    def commits(self, base: str, head: str, keys: Mapping[str, str]) -> tuple[Commit, ...]:
        """Commits of `base..head`, newest first, each with the one of `keys` (id → public line) that really signed it; all of `head`
        where `base` is empty.

        Signatures are verified here, not by git: neither its configuration nor `ssh-keygen` has a say.
        """
        names = self.text("rev-list", *([f"{base}..{head}"] if base else [head]), "--").split()
        raw = self.run("cat-file", "--batch", "--buffer", stdin="".join(n + "\n" for n in names).encode())
        found = _objects(raw, len(names))
        assert found is not None, "git cat-file answers each name"
        return tuple(read_commit(name, content, keys) for name, (_, content) in zip(names, found, strict=True))


def _quoted(path: bytes) -> bytes:
    """As git reads a path on a line of its own, whatever is in it."""
    return b'"%b"' % path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")


def _missing() -> Unavailable:
    return Unavailable("git.missing", at="PATH", found="no git", expected="git 2.34 or newer", help="install git")


def _ref(said: bytes) -> str:
    """A ref as git names it. Documents name branches, and hold text alone."""
    try:
        return said.decode().strip()
    except UnicodeDecodeError as e:
        raise Refused("git.ref-name", at="branch", found=repr(said.strip()), expected="a name in UTF-8", help="git branch -m NAME") from e


def _line(said: bytes) -> bytes | None:
    return said.rstrip(b"\n") if said.endswith(b"\n") else None


def _objects(said: bytes, count: int) -> list[tuple[bytes, bytes]] | None:
    """`count` answers of `cat-file --batch`, as sort and content; None where they are not all there."""
    found, at = [], 0
    for _ in range(count):
        end = said.find(b"\n", at)
        if end < 0:
            return None
        words = said[at:end].split(b" ")  # a name and what it is: `missing`, or sort and size
        at = end + 1
        if len(words) == 3:
            size = int(words[2])
            if len(said) <= at + size:
                return None
            found.append((words[1], said[at : at + size]))
            at += size + 1
        else:
            found.append((words[-1], b""))
    return found


def read_commit(name: str, raw: bytes, keys: Mapping[str, str]) -> Commit:
    """A commit object taken apart: its author, and the key of `keys` whose SSH signature covers everything else in it."""
    head, blank, message = raw.partition(b"\n\n")
    signing = b"gpgsig-sha256" if len(name) == 64 else b"gpgsig"  # the other one is over the same commit in the other hash
    kept: list[bytes] = []
    author, encoding, signature, inside = b"", "utf-8", b"", b""
    for line in head.split(b"\n"):
        word, _, rest = line.partition(b" ")
        if line.startswith(b" "):
            word = inside
        inside = word
        if word == signing:
            signature += rest + b"\n"
        if word in (b"gpgsig", b"gpgsig-sha256"):  # a commit signs itself without its signatures
            continue
        kept.append(line)
        if word == b"author" and not author:
            author = rest
        elif word == b"encoding":
            encoding = rest.decode("ascii", "replace")
    who, _, mail = author.partition(b" <")
    try:
        key = verify_armored(signature.decode("ascii"), b"\n".join(kept) + blank + message, "git", keys, name) if signature else None
    except (Refused, UnicodeDecodeError):  # OpenPGP, X.509, or an algorithm not accepted: nobody's here
        key = None
    beside = dict.fromkeys((" ".join(m[1].split()), m[2].strip()) for m in _CO_AUTHOR.finditer(_decoded(message, encoding)))
    return Commit(name, _decoded(who, encoding), _decoded(mail.partition(b">")[0], encoding), key, tuple(beside))


def _decoded(text: bytes, encoding: str) -> str:
    """Text in the encoding its commit names; in UTF-8 where that is none, or gives what no document can hold."""
    try:
        words = text.decode(encoding, "replace")
        words.encode()  # `utf-7` and the like make lone surrogates
    except (LookupError, ValueError):  # `idna` and `undefined` know no `replace`
        words = text.decode("utf-8", "replace")
    return words


def find_repository(start: Path, env: Mapping[str, str]) -> Repository:
    """The working tree `start` lies in.

    Raises:
        Refused: `git.no-repository`, `git.not-owned`, `git.failed`.
    """
    r = Repository(start, env).result("rev-parse", "--show-toplevel", ok=(0, 128))
    words = r.stderr.decode("utf-8", "replace").strip()
    if "dubious ownership" in words or "unsafe repository" in words:
        trusting = f"git config --global --add safe.directory {shlex.quote(str(start))}"
        raise Refused("git.not-owned", at=str(start), found=words.split("\n")[0], expected="a repository git works in", help=trusting)
    if r.returncode and "work tree" in words:
        raise Refused("git.no-repository", at=str(start), found="a repository without a working tree", expected="a git working tree")
    if r.returncode and "not a git repository" not in words:
        raise Refused("git.failed", at=str(start), found=words, expected="git to succeed")
    if r.returncode:
        raise Refused(
            "git.no-repository", at=str(start), found="no git repository here or above", expected="a git working tree", help="git init"
        )
    return Repository(Path(os.fsdecode(r.stdout.rstrip(b"\n"))), env)


def _feed(pipe: IO[bytes], names: list[str]) -> None:
    pipe.write("".join(n + "\n" for n in names).encode())
    pipe.close()


def _hash(stream: IO[bytes], size: int) -> str:
    h = hashlib.sha256()
    while size:
        part = stream.read(min(size, 1 << 20))
        if not part:
            raise Unavailable("git.object-missing", at="git cat-file", found="the end", expected=f"{size} more bytes")
        h.update(part)
        size -= len(part)
    return h.hexdigest()
