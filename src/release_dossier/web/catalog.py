"""The read model: lists and filters without reading documents.

Documents are the truth, tables are an index. `index.sqlite` in the state folder holds one row a log entry, one a piece of evidence and one
a round (`rounds.py`), and how far the log was read. It may be deleted at any time: the next start folds the log again.

1. `refresh` costs one stat when nothing happened. Else it reads what the log gained, verifies chain, numbers and root under the signed
   checkpoint, folds each statement, and commits: rows and position together, so a crash leaves an index that is behind, never wrong.
2. A statement that cannot be read makes its round `unreadable`, whatever came after it, and hides no other.
3. All rounds are kept in memory too, with a bit mask for each value of each facet: a filter is an `and` of integers of as many bits as
   there are releases, a count is their number of ones. 10,000 releases are about 20 MB, 300,000 pieces of evidence stay on disk.
4. Several processes may share the file: whoever takes SQLite's write lock folds, the others load what changed.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from release_dossier.errors import Corrupt, DossierError, Refused
from release_dossier.limits import DIGEST_PREFIX_MIN
from release_dossier.store.tail import Tail
from release_dossier.trust.dsse import Envelope, reread_envelope, valid_keys
from release_dossier.trust.log import Checkpoint, Entry, Frontier, leaf_of
from release_dossier.trust.merkle import Tree
from release_dossier.trust.statement import Statement, reread_statement
from release_dossier.web import rounds as fold
from release_dossier.web.rounds import Round

SHAPE = "3"  # of the tables below: another one is folded anew
_TAIL_BYTES = 16 * 1024 * 1024  # bytes of the log folded in one transaction
_STATEMENTS_KEPT = 64  # statements kept taken apart; a release page reads about five, and the next page the same ones
_TABLES = """
create table if not exists position(one integer primary key check (one = 1), shape text, project text, size integer, offset integer,
  frontier blob, last blob);
create table if not exists entries(n integer primary key, at text, type text, digest blob, envelope blob, change blob, key text,
  prev blob, salt text);
create table if not exists nodes(level integer, i integer, hash blob, primary key(level, i)) without rowid;
create unique index if not exists entries_digest on entries(digest);
create index if not exists entries_change on entries(change, n);
create index if not exists entries_type on entries(type, n);
create table if not exists evidence(n integer primary key, digest blob, change blob, name text, kind text, service text, environment text,
  verdict text, attempt integer, producer text, imported_by text, looked_at integer, of integer, observed_at text, expires_at text);
create index if not exists evidence_change on evidence(change, n);
create index if not exists evidence_kind on evidence(kind, verdict, n);
create index if not exists evidence_service on evidence(service, name, n);
create table if not exists rounds(change blob, service text, n integer, updated integer, body blob, primary key(change, service));
create index if not exists rounds_updated on rounds(updated);
create table if not exists facts(change blob, service text, n integer, body blob, primary key(change, service)) without rowid;
create table if not exists about(digest blob primary key, change blob) without rowid;
"""


class Read(msgspec.Struct, frozen=True):
    """A statement as it stands: its log entry, its envelope, and the keys whose signatures verify under the trust it was read with."""

    entry: Entry
    envelope: Envelope
    statement: Statement
    keys: frozenset[str]


class Catalog:
    """The index of one project. `keys` gives the public keys (id → line) of its newest trust document whenever they are needed, `machines`
    those of them that sign the log."""

    def __init__(
        self, tail: Tail, file: Path | None, keys: Callable[[], Mapping[str, str]], machines: Callable[[], Mapping[str, str]]
    ) -> None:
        self._tail, self._keys, self._machines = tail, keys, machines
        self._turn = threading.RLock()
        self._db = _open(file, tail.project)
        weakref.finalize(self, self._db.close)
        self._stamp: tuple[int, int, int, int] | None = None
        self._loaded = -1  # newest `updated` of the rounds in memory
        self._kept: OrderedDict[tuple[str, int], Read] = OrderedDict()
        self.checkpoint: Checkpoint | None = None
        self.size = 0
        self.rounds: dict[tuple[str, str], Round] = {}
        self.edition = 0  # grows with every change to `rounds`: what is derived from them is kept under it

    # Keeping up

    def refresh(self) -> int:
        """Catch up with the log; returns the number of entries there are.

        Raises:
            Corrupt: `log.*`: the log does not continue what was read before, or is not what the checkpoint signs.
        """
        stamp = self._tail.stamp()
        if stamp == self._stamp:
            return self.size
        with self._turn:
            checkpoint = self._tail.checkpoint(self._machines())
            if checkpoint is not None:
                while self._advance(checkpoint):
                    pass
                self._load()
            self._stamp, self.checkpoint = stamp, checkpoint
            return self.size

    def behind(self) -> int:
        """How many entries the next `refresh` folds.

        Raises:
            Corrupt: `log.*`.
        """
        checkpoint = self._tail.checkpoint(self._machines())
        return checkpoint.size - int(self.rows("select size from position")[0][0]) if checkpoint else 0

    def _advance(self, checkpoint: Checkpoint) -> bool:
        """Fold one stretch of the log; False when the index is as long as the checkpoint says."""
        with self._db:
            self._db.execute("begin immediate")
            size, offset, kept, raw = self._db.execute("select size, offset, frontier, last from position").fetchone()
            frontier = Frontier.resumed(size, kept)
            last = msgspec.json.decode(raw, type=Entry) if raw else None
            if size >= checkpoint.size:
                _hold(checkpoint, frontier)
                self.size = size
                return False
            entries, _ = self._tail.after(offset, last, _TAIL_BYTES)
            entries = entries[: checkpoint.size - size]
            if not entries:
                raise Corrupt("log.rolled-back", at="log", found=f"{size} entries", expected=f"the {checkpoint.size} the checkpoint says")
            nodes: list[tuple[int, int, bytes]] = []
            for entry in entries:
                line = entry.line()
                frontier.append(leaf_of(line), lambda *node: nodes.append(node))
                offset += len(line) + 1
            if frontier.size == checkpoint.size:
                _hold(checkpoint, frontier)  # before anything is folded from it
            self._db.executemany("insert into nodes values (?, ?, ?)", nodes)
            for entry in entries:
                self.enter(entry)
                self._fold(entry)
            self._db.execute(
                "update position set size = ?, offset = ?, frontier = ?, last = ?",
                (frontier.size, offset, frontier.kept(), entries[-1].line()),
            )
            self.size = frontier.size
            return frontier.size < checkpoint.size

    def enter(self, e: Entry) -> None:
        """The row of a log entry."""
        self._db.execute(
            "insert into entries values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (e.n, e.at, e.type, raw(e.digest), raw(e.envelope), raw(e.change), e.key, raw(e.prev), e.salt),
        )

    def _fold(self, entry: Entry) -> None:
        if entry.type in ("started", "trust", "bundle"):
            return
        try:
            self.take(entry, self.read(entry).statement.predicate)
        except (DossierError, KeyError, TypeError, ValueError, msgspec.ValidationError) as e:
            self._unreadable(entry, str(e))

    def take(self, e: Entry, p: Mapping[str, Any]) -> None:
        """Fold one statement, whose predicate is `p`."""
        match e.type:
            case "change":
                self._about(e.digest, e.digest)
                for r in fold.opened(e.digest, e.n, e.at, p):
                    self._put(r)
            case "evidence":
                self._evidence(e, p)
            case "dossier":
                self._about(e.digest, p["change_digest"])
                self._each(p["change_digest"], lambda r: fold.assembled(r, e.digest, e.n, e.at))
                self._facts(e, p)
            case "decision":
                dossier = self.read(self.entry(p["dossier"])).statement.predicate
                self._about(e.digest, dossier["change_digest"])
                self._each(dossier["change_digest"], lambda r: fold.decided(r, e.digest, e.n, e.at, p, dossier))
            case "release":
                change = self._change_of(p["dossier"])
                self._about(e.digest, change)
                self._each(change, lambda r: fold.released(r, e.digest, e.n, e.at, p) if r.service == p["service"] else r)
            case "approval" | "rejection" | "waiver":
                change = self._change_of(p["dossier"])
                self._about(e.digest, change)
                self._each(change, lambda r: fold.spoken(r, e.type, p["person"], e.n, e.at))
            case "withdrawal":
                target = p["statement"]
                self._about(e.digest, change := self._change_of(target))
                self._each(change, lambda r: fold.taken_back(fold.spoken(r, "withdrawal", p["person"], e.n, e.at), target, e.n, e.at))

    def _evidence(self, e: Entry, p: Mapping[str, Any]) -> None:
        self._about(e.digest, p["change"])
        made = p["producer"]
        row = (e.n, raw(e.digest), raw(p["change"]), p["name"], p["kind"], p["service"], p["environment"], p["verdict"], p["attempt"])
        more = (made["id"], made["imported_by"], p["looked_at"], p["of"], p["observed_at"], p["expires_at"])
        self._db.execute("insert into evidence values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row + more)

    def _facts(self, e: Entry, p: Mapping[str, Any]) -> None:
        """Of each service, the facts of the newest attempt of each evidence: what the pictures of drift are drawn from."""
        by_service: dict[str, dict[str, Any]] = {s["name"]: {} for s in p["change"]["services"]}
        for a in p["evidence"]:
            if a["digest"] and a["service"] in by_service:
                by_service[a["service"]][a["name"]] = {"facts": a["facts"], "environment": a["environment"], "digest": a["digest"]}
        for service, facts in by_service.items():
            body = msgspec.json.encode(facts)
            self._db.execute("insert or replace into facts values (?, ?, ?, ?)", (raw(p["change_digest"]), service, e.n, body))

    def _unreadable(self, e: Entry, why: str) -> None:
        change = e.digest if e.type == "change" else e.change
        detail = f"{e.type} of log entry {e.n}: {why}"
        mine = self._of(change)
        for r in mine or [Round(change=change, service="", n=e.n, updated=e.n, opened_at=e.at, branch=e.key)]:
            self._put(msgspec.structs.replace(r, status="unreadable", detail=detail, updated=e.n, updated_at=e.at))

    def _put(self, r: Round) -> None:
        row = (raw(r.change), r.service, r.n, r.updated, msgspec.json.encode(r))
        self._db.execute("insert or replace into rounds values (?, ?, ?, ?, ?)", row)

    def _each(self, change: str, becomes: Callable[[Round], Round]) -> None:
        for r in self._of(change):
            made = becomes(r)
            lost = r.status == "unreadable" and made.status != "withdrawn"  # what was said later mends nothing
            self._put(msgspec.structs.replace(made, status=r.status, detail=r.detail) if lost else made)

    def _of(self, change: str) -> list[Round]:
        found = self._db.execute("select body from rounds where change = ?", (raw(change),)).fetchall()
        return [_round.decode(body) for (body,) in found]

    def _about(self, digest: str, change: str) -> None:
        self._db.execute("insert or replace into about values (?, ?)", (raw(digest), raw(change)))

    def _change_of(self, digest: str) -> str:
        found = self._db.execute("select change from about where digest = ?", (raw(digest),)).fetchone()
        return word(found[0]) if found else digest

    def _load(self) -> None:
        """The rounds that changed since they were loaded."""
        fresh = self._db.execute("select updated, body from rounds where updated > ? order by n", (self._loaded,)).fetchall()
        for updated, body in fresh:
            r = _round.decode(body)
            self.rounds[r.change, r.service] = r
            self._loaded = max(self._loaded, updated)
        self.edition += bool(fresh)

    # Reading

    def entry(self, digest: str) -> Entry:
        """The log entry of a statement.

        Raises:
            Refused: `digest.unknown`.
        """
        found = self.entries("digest = ?", (raw(digest),))
        if not found:
            raise Refused("digest.unknown", at="digest", found=digest, expected="the digest of something in the log", help="dossier list")
        return found[0]

    def entries(self, where: str, values: Iterable[Any] = (), most: int = -1) -> list[Entry]:
        """Log entries by a condition over the columns of `entries`, written here in this program and never by a caller outside."""
        with self._turn:
            found = self._db.execute(f"select * from entries where {where} limit ?", (*values, most)).fetchall()
        return [
            Entry(at=at, change=word(c), digest=word(d), envelope=word(env), key=key, n=n, prev=word(prev), salt=salt, type=kind)
            for n, at, kind, d, env, c, key, prev, salt in found
        ]

    def rows(self, sql: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query over the tables above."""
        with self._turn:
            return self._db.execute(sql, tuple(values)).fetchall()

    def find(self, prefix: str) -> Entry:
        """The entry of the one statement whose digest begins so, `sha256:` in front or not.

        Raises:
            Refused: `digest.short`, `digest.syntax`, `digest.unknown`, `digest.ambiguous`.
        """
        digits = prefix.removeprefix("sha256:")
        if len(digits) > 64 or not set(digits) <= set("0123456789abcdef"):
            raise Refused("digest.syntax", at="digest", found=prefix, expected="hexadecimal digits, sha256: in front or not")
        if len(digits) < DIGEST_PREFIX_MIN:
            raise Refused("digest.short", at="digest", found=f"{len(digits)} digits", expected=f"{DIGEST_PREFIX_MIN} or more")
        low, high = bytes.fromhex(digits.ljust(64, "0")), bytes.fromhex(digits.ljust(64, "f"))
        found = self.entries("digest between ? and ?", (low, high), 6)
        if len(found) > 1:
            words = ", ".join(f"{e.digest[:23]}… ({e.type})" for e in found[:5])
            raise Refused("digest.ambiguous", at="digest", found=f"{prefix}: {words}", expected="enough digits to name one")
        if not found:
            raise Refused("digest.unknown", at="digest", found=prefix, expected="the digest of something in the log", help="dossier list")
        return found[0]

    def read(self, entry: Entry) -> Read:
        """The statement of an entry, its envelope hashed, its signatures verified.

        Raises:
            Corrupt: `store.*`, `statement.*`. Nothing of an altered document is shown as if it were whole.
        """
        keys = self._keys()
        known = self._kept.get((entry.digest, id(keys)))
        if known is not None:
            return known
        at = f"document {entry.digest}"
        envelope = reread_envelope(self._tail.document(entry), at)
        statement = reread_statement(envelope.payload, entry.digest, at)
        if (statement.word, statement.project) != (entry.type, self._tail.project):
            found = f"a {statement.word} of project {statement.project[:19]}"
            raise Corrupt("statement.unexpected", at=at, found=found, expected=f"a {entry.type} of this project")
        made = Read(entry, envelope, statement, valid_keys(envelope, keys, at))
        with self._turn:
            self._kept[entry.digest, id(keys)] = made
            if len(self._kept) > _STATEMENTS_KEPT:
                self._kept.popitem(last=False)
        return made

    def proof(self, entry: Entry) -> tuple[bytes, ...]:
        """RFC 6962 path from an entry's leaf to the root over all entries there are."""
        return _KeptTree(self, self.size).inclusion(entry.n)

    def rounds_of(self, change: str) -> list[Round]:
        """The rounds of a change in memory."""
        return [r for (c, _), r in self.rounds.items() if c == change]


class _KeptTree(Tree):
    """The tree whose perfect subtrees stand in the table `nodes`."""

    def __init__(self, catalog: Catalog, size: int) -> None:
        self.size, self._catalog = size, catalog

    def node(self, height: int, n: int) -> bytes:
        found = self._catalog.rows("select hash from nodes where level = ? and i = ?", (height, n))
        if not found:
            gap = f"no subtree {n} of height {height}"
            raise Corrupt("log.gap", at="index.sqlite", found=gap, expected="one for every stretch of the log")
        return bytes(found[0][0])


def raw(digest: str) -> bytes:
    """`sha256:<hex>` as 32 bytes; another word as it is, empty as nothing."""
    return bytes.fromhex(digest[7:]) if digest.startswith("sha256:") else digest.encode()


def word(stored: bytes) -> str:
    """What `raw` was given."""
    return f"sha256:{stored.hex()}" if len(stored) == 32 else stored.decode()


_round = msgspec.json.Decoder(Round)


def _hold(checkpoint: Checkpoint, frontier: Frontier) -> None:
    if checkpoint.size < frontier.size:
        found = f"a checkpoint over {checkpoint.size} entries"
        raise Corrupt("log.rolled-back", at="log", found=found, expected=f"the {frontier.size} that were read before")
    if checkpoint.root != frontier.root():
        raise Corrupt("log.fork", at="log", found="other entries than the checkpoint signs", expected="those it was signed over")


def _open(file: Path | None, project: str) -> sqlite3.Connection:
    """The index file; where none can be written, one in memory."""
    if file is not None:
        try:
            return _prepare(sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=30), project)
        except sqlite3.DatabaseError:
            # Not a database, or a folder that cannot be written: an index is made again, never repaired.
            try:
                for name in ("", "-wal", "-shm"):
                    Path(f"{file}{name}").unlink(missing_ok=True)
                return _prepare(sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=30), project)
            except (sqlite3.DatabaseError, OSError):
                pass
    return _prepare(sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None), project)


def _prepare(db: sqlite3.Connection, project: str) -> sqlite3.Connection:
    try:
        return _laid_out(db, project)
    except sqlite3.DatabaseError:
        db.close()
        raise


def _laid_out(db: sqlite3.Connection, project: str) -> sqlite3.Connection:
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = normal")  # a power cut takes the newest rows and their position together; they are folded again
    found = db.execute("select 1 from sqlite_master where name = 'position'").fetchone()
    same = found and db.execute("select shape = ? and project = ? from position", (SHAPE, project)).fetchone()
    if found and not (same and same[0]):
        for (name,) in db.execute("select name from sqlite_master where type = 'table'").fetchall():
            db.execute(f"drop table {name}")
    db.executescript(_TABLES)
    db.execute("insert or ignore into position values (1, ?, ?, 0, 0, x'', x'')", (SHAPE, project))
    return db
