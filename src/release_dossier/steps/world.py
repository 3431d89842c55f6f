"""The project a command works on: repository, state, people and clock, opened once per command.

1. The project is the nearest `dossier.toml` upwards; it stands at the top of its git working tree.
2. Its state is `.dossier/` beside it, or `DOSSIER_HOME`. `project.json` in it pins the identity and the protected branch.
3. Settings come from the commit the change forked from on the protected branch, never from the branch under judgement (law 6).
4. People and keys come from the newest trust document on the protected branch, and never from one that does not follow the newest seen.
5. What the store says counts where a machine that the trust document lists signed it, or this one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any, TypeVar

import msgspec

from release_dossier.aside import spread
from release_dossier.change import Change
from release_dossier.digest import canonical, parse_json, sha256
from release_dossier.errors import Corrupt, DossierError, Refused, naming
from release_dossier.moment import stamp
from release_dossier.ports import Store
from release_dossier.project import SETTINGS_FILE, TRUST_FILE, Settings, parse_settings
from release_dossier.sources.git import Repository, find_repository
from release_dossier.store.files import FileStore, replace_file
from release_dossier.trust.document import Trust, parse_chain
from release_dossier.trust.dsse import Envelope, reread_envelope, seal, valid_keys
from release_dossier.trust.keys import Signer, load_signer
from release_dossier.trust.statement import Statement, reread_statement

T = TypeVar("T")
rfc3339 = stamp
LOG_REF = "refs/dossier/log"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
PROTECTED_BRANCH = "DOSSIER_PROTECTED_BRANCH"  # names the branch an unpinned clone begins at


class Pin(msgspec.Struct, frozen=True):
    """What this machine holds fast: the project's identity, its protected branch and remote, the newest trust version seen and its digest
    (empty: it is version 1, which is the identity)."""

    project: str
    protected_branch: str
    remote: str
    trust_version: int = 1
    trust_digest: str = ""


class World(msgspec.Struct, frozen=True):
    """A project at work. `now` is read once, at the edge; `environ` is handed in, never read below it."""

    repo: Repository
    home: Path
    store: Store
    pin: Pin
    trust: Trust
    trust_chain: bytes
    now: datetime
    environ: Mapping[str, str]
    # Envelope bytes → what is in them, and what verifying them under this trust gave: the same bytes under the same keys verify the same.
    parsed: dict[bytes, tuple[Envelope, Statement]] = msgspec.field(default_factory=dict)
    verified: dict[bytes, tuple[Statement, frozenset[str]]] = msgspec.field(default_factory=dict)
    # (digest of a statement, struct) → its predicate as that struct: what has a digest does not change.
    predicates: dict[tuple[str, type], Any] = msgspec.field(default_factory=dict)
    signers: list[Signer] = msgspec.field(default_factory=list)

    def stamp(self) -> str:
        """`now` as documents write it: RFC 3339, UTC, milliseconds."""
        return rfc3339(self.now)

    def signer(self) -> Signer:
        """The key this machine signs with as a producer, read once."""
        if not self.signers:
            self.signers.append(load_signer(producer_key_path(self.home, self.environ)))
        return self.signers[0]

    def record(self, statement: Statement, *, change: str, key: str = "", typed: tuple[tuple[str, str, str], ...] = ()) -> str:
        """Sign `statement` as this machine, store it and enter it in the log; the same statement twice is one entry. Returns its digest."""
        envelope = seal(statement, (self.signer(),), typed)
        self.store.put(envelope, type=statement.word, change=change, key=key, at=self.stamp())
        return statement.digest

    def statement(self, digest: str, word: str) -> Statement:
        """A stored statement, recorded by a machine that may (rule 5).

        Raises:
            Corrupt: `statement.unsigned` when no such machine's signature verifies, `statement.unexpected` when it is of another kind or
                project.
        """
        return self.signed(digest, word)[0]

    def signed(self, digest: str, word: str) -> tuple[Statement, frozenset[str]]:
        """A stored statement and every key whose signature over it verifies."""
        return self.signed_all([(digest, word)])[0]

    def signed_all(self, documents: Sequence[tuple[str, str]]) -> list[tuple[Statement, frozenset[str]]]:
        """As `signed`, for many at once, each given as (digest, word): signatures are verified on every core."""
        raws = self.store.envelopes([digest for digest, _ in documents])
        fresh = [(raw, digest) for raw, (digest, _) in zip(raws, documents, strict=True) if raw not in self.verified]
        envelopes = [self._parsed(raw, digest) for raw, digest in fresh]
        keys, machines = self.trust.public_keys(), self.trust.machine_keys().keys()
        valid = spread(envelopes, lambda e: valid_keys(e[0], keys, e[1].digest))
        for (raw, digest), (envelope, statement), signers in zip(fresh, envelopes, valid, strict=True):
            if machines.isdisjoint(signers) and not self._signed_here(envelope):
                found = "no valid signature of a machine the trust document lists"
                raise Corrupt("statement.unsigned", at=f"document {digest}", found=found, expected="one by the machine that recorded it")
            self.verified[raw] = statement, signers
        out = []
        for raw, (digest, word) in zip(raws, documents, strict=True):
            statement, signers = self.verified[raw]
            if (statement.word, statement.project, statement.digest) != (word, self.trust.project, digest):
                found = f"a {statement.word} of project {statement.project[:19]}"
                raise Corrupt("statement.unexpected", at=f"document {digest}", found=found, expected=f"a {word} of this project")
            out.append((statement, signers))
        return out

    def _signed_here(self, envelope: Envelope) -> bool:
        """Whether this machine recorded it: one that nobody lists yet works too, and the gate says what its evidence is worth."""
        try:
            mine = self.signer()
        except DossierError:
            return False
        return bool(valid_keys(envelope, {mine.key_id: mine.public}, "document"))

    def read(self, statement: Statement, kind: type[T]) -> T:
        """The predicate of a statement that came from here, as `kind`."""
        known = self.predicates.get((statement.digest, kind))
        if known is None:
            known = self.predicates[statement.digest, kind] = msgspec.convert(statement.predicate, kind)
        return known

    def said(self, digest: str, word: str, kind: type[T]) -> T:
        """What a statement says, verified once for as long as this world is open."""
        known = self.predicates.get((digest, kind))
        found: T = known if known is not None else self.read(self.statement(digest, word), kind)
        return found

    def _parsed(self, raw: bytes, digest: str) -> tuple[Envelope, Statement]:
        seen = self.parsed.get(raw)
        if seen is None:
            envelope = reread_envelope(raw, f"document {digest}")
            seen = self.parsed[raw] = envelope, reread_statement(envelope.payload, digest, f"document {digest}")
        return seen

    def trust_at(self, digest: str) -> Trust:
        """The version of the trust document with this digest."""
        return parse_chain(self.trust_chain, TRUST_FILE, self.pin.project, digest)

    def protected_ref(self) -> str:
        """The ref the protected branch is read from: the remote's when there is one, else the local branch."""
        return protected_ref(self.repo, self.pin)

    def protected_name(self) -> str:
        """The protected branch as people call it, `origin/main` where the remote's counts."""
        return self.protected_ref().removeprefix("refs/heads/").removeprefix("refs/remotes/")

    def settings_at(self, commit: str) -> tuple[Settings, bytes] | None:
        """Settings as they stand at `commit`, and their bytes; None where there are none."""
        known = self.predicates.get((commit, Settings))  # a commit does not change; a name may stand for another one
        if known is None:
            raw = self.repo.file_at(commit, SETTINGS_FILE)
            if raw is None:
                return None
            whole = _COMMIT.fullmatch(commit)
            known = parse_settings(raw, f"{SETTINGS_FILE} at {commit[:12] if whole else commit}"), raw
            if whole:
                self.predicates[commit, Settings] = known
        found: tuple[Settings, bytes] = known
        return found

    def branch(self) -> str:
        """The branch that is checked out.

        Raises:
            Refused: `change.detached`.
        """
        found = self.repo.branch()
        if found is None:
            raise Refused("change.detached", at="HEAD", found="a commit without a branch", expected="a branch", help="git switch -c NAME")
        return found

    def find(self, prefix: str, word: str) -> str:
        """The digest of the one statement of this word that a prefix of 8 or more hexadecimal digits names.

        Raises:
            Refused: `digest.*`.
        """
        digest = self.store.find(prefix)
        is_a = next(e.type for e in self.store.entries() if e.digest == digest)
        if is_a != word:
            about = str(self.statement(digest, is_a).predicate.get("dossier", "")) if word == "dossier" else ""
            help = f"it is about dossier {about[:19]}" if about else "dossier list"
            raise Refused("digest.unknown", at=prefix, found=f"a {is_a}", expected=f"the digest of a {word}", help=help)
        return digest

    def open_change(self, named: str | None = None) -> tuple[str, Change]:
        """The change last opened on the branch `named`, or with that digest; on the branch that is checked out where none is named.

        Raises:
            Refused: `change.none`, `change.detached`, `digest.*`.
        """
        branch = named or self.branch()
        entry = next((e for e in reversed(self.store.entries()) if e.type == "change" and e.key == branch), None)
        if entry is None and named is not None and re.fullmatch(r"(sha256:)?[0-9a-f]*", named):
            digest = self.find(named, "change")
            entry = next(e for e in self.store.entries() if e.digest == digest)
        if entry is None:
            raise Refused(
                "change.none", at=f"branch {branch}", found="no open change", expected="an opened change", help="dossier open --issue FILE"
            )
        return entry.digest, self.change(entry.digest)

    def change(self, digest: str) -> Change:
        """The change with this digest."""
        return self.read(self.statement(digest, "change"), Change)


def instant(text: str, at: str) -> datetime:
    """A moment from RFC 3339 text.

    Raises:
        Refused: `time.syntax` for anything without date, time and offset.
    """
    try:
        t = datetime.fromisoformat(text)
    except ValueError as e:
        raise Refused("time.syntax", at=at, found=repr(text), expected="RFC 3339, as in 2026-11-24T09:00:00Z") from e
    if t.tzinfo is None:
        raise Refused("time.syntax", at=at, found=repr(text), expected="a time with its offset, as in 2026-11-24T09:00:00Z")
    try:
        return t.astimezone(UTC)
    except OverflowError as e:
        raise Refused("time.syntax", at=at, found=repr(text), expected="a time between the years 1 and 9999 in UTC") from e


def find_root(start: Path, environ: Mapping[str, str]) -> Repository:
    """The working tree of the nearest `dossier.toml` upwards.

    Raises:
        Refused: `project.none` or `project.not-at-top`.
    """
    here = next((d for d in (start, *start.parents) if (d / SETTINGS_FILE).is_file()), None)
    if here is None:
        raise Refused("project.none", at=str(start), found=f"no {SETTINGS_FILE} here or above", expected="a project", help="dossier init")
    repo = find_repository(here, git_environment(environ))
    if repo.root.resolve() != here.resolve():
        raise Refused(
            "project.not-at-top", at=str(here / SETTINGS_FILE), found="a folder below the top", expected=f"it to stand in {repo.root}"
        )
    return repo


def git_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What git may see: where programs and its user's configuration are, and the agent it signs with."""
    keep = ("PATH", "HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "SSH_AUTH_SOCK", "TMPDIR")
    return {k: environ[k] for k in keep if k in environ}


def state_folder(root: Path, environ: Mapping[str, str]) -> Path:
    """Where the project's state lives: the same from every folder of it."""
    return root / (environ.get("DOSSIER_HOME") or ".dossier")


def producer_key_path(home: Path, environ: Mapping[str, str]) -> Path:
    """The file of this machine's producer key; a pipeline names its own with DOSSIER_PRODUCER_KEY."""
    return Path(environ["DOSSIER_PRODUCER_KEY"]) if environ.get("DOSSIER_PRODUCER_KEY") else home / "keys" / "producer"


def protected_ref(repo: Repository, pin: Pin) -> str:
    """See `World.protected_ref`."""
    remote = f"refs/remotes/{pin.remote}/{pin.protected_branch}"
    return remote if pin.remote and repo.exists(remote) else f"refs/heads/{pin.protected_branch}"


def file_store(home: Path, trust: Trust, environ: Mapping[str, str]) -> Store:
    """The store in a state folder, as whoever may sign for this machine opens it."""
    return FileStore(home, trust.project, signer_path=producer_key_path(home, environ), public_keys=trust.machine_keys())


def open_world(
    start: Path, environ: Mapping[str, str], now: datetime, store_of: Callable[[Path, Trust, Mapping[str, str]], Store] = file_store
) -> World:
    """Open the project `start` lies in.

    A clone that has no state yet pins what the default branch of its remote says (`_trunk`), and makes its own producer key.

    Args:
        store_of: what opens the store; a server that only reads pages opens it when something is written.

    Raises:
        Refused: `project.*`, `settings.*`. Corrupt: `trust.*`, `log.*`. Unavailable: the state folder cannot be used.
    """
    repo = find_root(start, environ)
    home = state_folder(repo.root, environ)
    pin = _pin(repo, home, environ)
    chain, at = _trust_chain(repo, pin)
    trust = parse_chain(chain, at, pin.project)
    if trust.document.version < pin.trust_version:
        found = f"version {trust.document.version}"
        raise Corrupt("trust.rolled-back", at=at, found=found, expected=f"version {pin.trust_version} or newer, which was seen before")
    seen = pin.trust_digest or pin.project
    if seen not in trust.line:
        found = f"version {trust.document.version} {trust.digest}"
        raise Corrupt(
            "trust.forked", at=at, found=found, expected=f"one that follows version {pin.trust_version} {seen}, which was seen before"
        )
    if trust.digest != seen:
        write_pin(home, msgspec.structs.replace(pin, trust_version=trust.document.version, trust_digest=trust.digest))
    return World(repo, home, store_of(home, trust, environ), pin, trust, chain, now, environ)


def write_pin(home: Path, pin: Pin) -> None:
    """Hold `pin` fast: replaced as a whole, so that a crash leaves the old one or the new one."""
    home.mkdir(parents=True, exist_ok=True)
    replace_file(home / "project.json", canonical(msgspec.to_builtins(pin)) + b"\n")


def keep_out_of_git(repo: Repository, home: Path) -> None:
    """Name the state folder in git's exclude file, where it lies in the working tree: it holds this machine's key."""
    here = Path(os.path.abspath(home))
    if not here.is_relative_to(repo.root):
        return
    line = f"/{here.relative_to(repo.root).as_posix()}/".encode("utf-8", "surrogateescape")
    exclude = repo.root / repo.text("rev-parse", "--git-path", "info/exclude")
    with naming(exclude):
        exclude.parent.mkdir(parents=True, exist_ok=True)
        old = exclude.read_bytes() if exclude.exists() else b""
        if line not in old.splitlines():
            with exclude.open("ab") as f:
                f.write((b"" if not old or old.endswith(b"\n") else b"\n") + line + b"\n")


def read_pin(home: Path) -> Pin | None:
    """What is held fast; None where nothing is.

    Raises:
        Corrupt: `project.pin`.
    """
    file = home / "project.json"
    if not file.is_file():
        return None
    try:
        return msgspec.convert(parse_json(file.read_bytes(), str(file)), Pin)
    except msgspec.ValidationError as e:
        raise Corrupt("project.pin", at=str(file), found=str(e), expected="the pin dossier init wrote") from e


def _pin(repo: Repository, home: Path, environ: Mapping[str, str]) -> Pin:
    """What was pinned here, else what the trunk of the remote says. A working tree is a branch under judgement: it is never asked whom
    to trust. Before adoption nothing is pinned, and nothing can be allowed."""
    if (home / "project.json").is_file():
        _not_brought(repo, home)
    pinned = read_pin(home)
    if pinned is not None:
        return pinned
    trunk = _trunk(repo, home, environ)
    keep_out_of_git(repo, home)
    raw = repo.file_at(protected_ref(repo, trunk), SETTINGS_FILE)
    if raw is None:
        return msgspec.structs.replace(trunk, project=parse_settings((repo.root / SETTINGS_FILE).read_bytes()).project.trust)
    table = parse_settings(raw, f"{SETTINGS_FILE} on {trunk.protected_branch}").project
    pin = Pin(table.trust, table.protected_branch, table.remote if table.remote in repo.remotes() else trunk.remote)
    write_pin(home, pin)
    return pin


def _not_brought(repo: Repository, home: Path) -> None:
    """Refuse state that a branch brings along, by its own name or through a link."""
    root = repo.root.resolve()
    for place in dict.fromkeys((home.absolute().parent.resolve() / home.name, home.resolve())):
        if place.is_relative_to(root) and repo.tracked(name := place.relative_to(root).as_posix()):
            help = f"git rm -r --cached {quote(name)}"
            raise Corrupt("project.state-tracked", at=name, found="files git tracks", expected="state that no branch brings", help=help)


def _trunk(repo: Repository, home: Path, environ: Mapping[str, str]) -> Pin:
    """The branch an unpinned clone begins at: the one DOSSIER_PROTECTED_BRANCH names, else the default branch of its remote.

    Raises:
        Refused: `project.unpinned` when neither says, or says a branch that is not here.
    """
    remotes = repo.remotes()
    remote = "origin" if "origin" in remotes else remotes[0] if len(remotes) == 1 else ""
    branch = environ.get(PROTECTED_BRANCH) or (repo.default_branch(remote) if remote else None)
    trunk = Pin("", branch or "", remote)
    if branch and repo.exists(protected_ref(repo, trunk)):
        return trunk
    found = (
        f"no branch {branch}"
        if branch
        else f"a clone that pins none, and {f'whose remote {remote}' if remote else 'no remote that'} says none"
    )
    help = f"git remote set-head {remote} --auto, or {PROTECTED_BRANCH}=BRANCH" if remote else f"{PROTECTED_BRANCH}=BRANCH dossier doctor"
    help = other_worktree(repo, home) or help
    raise Refused(
        "project.unpinned", at="the protected branch", found=found, expected="the branch that decides whose word counts", help=help
    )


def other_worktree(repo: Repository, home: Path) -> str:
    """How to take the state of the first worktree, when this is another one of its repository with a state of its own; else empty."""
    first = repo.common_folder().parent / ".dossier"
    return f"export DOSSIER_HOME={quote(str(first))}" if first.is_dir() and first != home.resolve() else ""


def _trust_chain(repo: Repository, pin: Pin) -> tuple[bytes, str]:
    """The trust file and where it was read: on the protected branch; before adoption in the working tree."""
    ref = protected_ref(repo, pin)
    raw = repo.file_at(ref, TRUST_FILE) if repo.exists(ref) else None
    if raw is not None:
        return raw, f"{TRUST_FILE} on {pin.protected_branch}"
    file = repo.root / TRUST_FILE
    if not file.is_file():
        raise Refused("trust.none", at=TRUST_FILE, found="no such file", expected="the trust document dossier init wrote")
    return file.read_bytes(), TRUST_FILE


def settings_digest(raw: bytes) -> str:
    """How a change names the settings it was frozen with."""
    return sha256(raw)
