"""The embedded store: plain files in one folder. Restoring it is copying the folder.

    documents/000000.ndjson   envelopes in the order of the log, 256 to a file (`documents.py`)
    artifacts/ab/<hex>        content, by its digest
    log/journal.ndjson        what was put last, durable before the files above and below are (`journal.py`)
    log/entries.ndjson        one line per statement, appended
    log/checkpoint            signed size and root, written over
    log/lock                  held by the one writer; its process id inside
    keys/                     private keys, 0600, folder 0700
    tmp/                      files that have no name yet; elsewhere those begin with a process id and `~`

One write reaches the disk for a statement: its line in the journal. What a process that was killed right after it had left to do is done
by the next opening; what a power cut takes of the files written since is put back from there.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from release_dossier.digest import DIGEST, sha256
from release_dossier.disk import lock_within, sync, write_all
from release_dossier.errors import Corrupt, Refused, Unavailable, naming
from release_dossier.limits import ARTIFACT_BYTES_MAX, JOURNAL_BYTES_MAX
from release_dossier.ports import LOCK_SECONDS_MAX, Put
from release_dossier.store.crash import armed, reach
from release_dossier.store.documents import Documents
from release_dossier.store.index import Index, salts
from release_dossier.store.journal import Journal, Record
from release_dossier.trust.dsse import parse_envelope, valid_keys
from release_dossier.trust.keys import ED25519, Signer, generate, load_signer
from release_dossier.trust.log import (
    Checkpoint,
    Entry,
    checkpoint_signers,
    leaf_of,
    make_checkpoint,
    origin_of,
    parse_checkpoint,
    parse_entries,
    parse_entry,
    whole_lines,
)

_FOLDERS = ("documents", "artifacts", "log", "keys", "tmp")
_CHUNK_BYTES = 1024 * 1024
_CHECKPOINT_BYTES_MAX = 16 * 1024  # ours are some 220
_AGAIN_SECONDS = (0.001, 0.02)  # between readings of a checkpoint that does not hold: it may be being written
_unnamed = itertools.count()
_Stamp = tuple[int, int, int, int]


class FileStore:
    """`ports.Store` in the folder `home`, for the project with identity `project`.

    `signer_path` is the key that signs checkpoints; where it lies in `home/keys` and is missing, it is made.
    `public_keys` (id → public line) are other keys whose checkpoints are believed: machines that share the folder by turns.

    Opening repairs what a killed run left and says so in `recovered`. A folder that cannot be written can be opened and read
    when it is whole.

    Raises:
        Refused: `key.*`. Unavailable: `store.*`. Corrupt: `log.*`, `store.*`.
    """

    def __init__(self, home: Path, project: str, *, signer_path: Path | None = None, public_keys: Mapping[str, str] | None = None) -> None:
        self.home, self.project = home, project
        self.signer_path = signer_path or home / "keys" / "producer"
        self.public_keys = dict(public_keys or {})
        self.recovered: tuple[str, ...] = ()
        self._log, self._checkpoint_file = home / "log" / "entries.ndjson", home / "log" / "checkpoint"
        self._lock_file = home / "log" / "lock"
        self._signer: Signer | None = None
        self._turn = threading.RLock()
        self._depth = 0
        self._index, self._stamp = Index(), (0, 0, 0, 0)
        self._known: tuple[bytes, Checkpoint] | None = None
        self._journal, self._journal_size = Journal(home / "log" / "journal.ndjson"), -1
        self._beside = (0, 0)  # the log the journal was opened beside: device and inode
        self._documents = Documents(home)
        self._open()

    # Reading

    def entries(self) -> tuple[Entry, ...]:
        """See `ports.Store.entries`."""
        return self._read().entries()

    def checkpoint(self) -> bytes:
        """See `ports.Store.checkpoint`."""
        index = self._read()
        raw, checkpoint = self._read_checkpoint()
        if checkpoint.size < index.frontier.size:
            # The writer is between entry and checkpoint, or was killed there.
            with self.lock():
                self._repair()
                raw, _ = self._read_checkpoint()
        return raw

    def document(self, digest: str) -> bytes:
        """See `ports.Store.document`."""
        return self.envelopes((digest,))[0]

    def envelopes(self, digests: Sequence[str]) -> list[bytes]:
        """See `ports.Store.envelopes`."""
        index = self._read()
        try:
            return self._documents.read([index.entry_of(d) for d in digests])
        except OSError as e:
            raise _unavailable(e, Path(self._documents.folder)) from e

    def root(self, size: int) -> bytes:
        """See `ports.Store.root`."""
        return self._read().root(size)

    def find(self, prefix: str) -> str:
        """See `ports.Store.find`."""
        return self._read().find(prefix)

    def artifact(self, digest: str) -> bytes:
        """See `ports.Store.artifact`."""
        file = self._place(digest)
        try:
            raw = file.read_bytes()
        except FileNotFoundError as e:
            self._read().hold_not_erased(digest)
            raise Corrupt("store.missing-artifact", at=str(file), found="no such file", expected=digest) from e
        except OSError as e:
            raise _unavailable(e, file) from e
        found = "sha256:" + hashlib.sha256(raw).hexdigest()
        if found != digest:
            raise Corrupt("store.altered-artifact", at=str(file), found=found, expected=digest)
        return raw

    # Writing

    def put(self, envelope: bytes, *, type: str, change: str, key: str, at: str) -> Entry:
        """See `ports.Store.put`."""
        with self.lock():
            index = self._repair()
            entry = index.following(envelope, type=type, change=change, key=key, at=at, salt=salts(1)[0])
            if index.get(entry.digest) is None:
                self._put_fresh(index, [(entry, envelope)])
            return entry

    def put_all(self, items: Sequence[Put]) -> list[Entry]:
        """See `ports.Store.put_all`."""
        with self.lock():
            index = self._repair()
            entries = index.following_all(items, salts(len(items)))
            named = dict[str, tuple[Entry, bytes]]()
            for item, entry in zip(items, entries, strict=True):
                if index.get(entry.digest) is None:
                    named.setdefault(entry.digest, (entry, item.envelope))
            if named:
                self._put_fresh(index, list(named.values()))
            return entries

    def _put_fresh(self, index: Index, fresh: Sequence[tuple[Entry, bytes]]) -> None:
        """Entries that follow the log, with their envelopes: durable as one line of the journal, then as files."""
        raw = self._checkpoint_over(index, [e for e, _ in fresh])
        lines = [(entry.line().decode(), envelope.decode()) for entry, envelope in fresh]
        try:
            if not self._journal_size:
                self._journal.begin()
            before, size = self._journal.append(Record(raw.decode(), *lines[-1], tuple(lines[:-1])))
        except OSError as e:
            raise _unavailable(e, Path(self._journal.file)) from e
        reach("store.journal")
        try:
            self._enter(fresh)
        except Unavailable:
            with suppress(OSError):  # where this fails too, the next opening enters it
                self._journal.cut(before)
            raise
        self._place_checkpoint(raw)
        self._journal_size = size
        if size > JOURNAL_BYTES_MAX:
            self._settle()

    def _enter(self, fresh: Sequence[tuple[Entry, bytes]]) -> None:
        """The files of what stands in the journal, but the checkpoint."""
        self._put_documents(fresh[0][0].n, [envelope for _, envelope in fresh], self._index.last())
        reach("store.document")
        self._append([e for e, _ in fresh])
        reach("store.entry")

    def _put_documents(self, first: int, envelopes: Sequence[bytes], last: Entry | None) -> None:
        try:
            self._documents.append(first, envelopes, last)
        except OSError as e:
            raise _unavailable(e, Path(self._documents.folder)) from e

    def _checkpoint_over(self, index: Index, fresh: Sequence[Entry]) -> bytes:
        after = index.frontier.copy()
        for entry in fresh:
            after.append(leaf_of(entry.line()))
        return make_checkpoint(self.project, after.size, after.root(), self._sign_with())

    def _place_checkpoint(self, raw: bytes) -> None:
        """Written over where the old one is as long: ext4 starts writing out a file that takes another's name, for longer than all the rest
        of a statement takes. Whoever reads in that moment reads again."""
        try:
            placed = _write_over(self._checkpoint_file, raw)
        except OSError:
            placed = False
        if not placed:
            self._write(self._checkpoint_file, raw, durable=False)
        self._known = raw, parse_checkpoint(raw)
        reach("store.checkpoint")

    def put_artifact(self, source: Path | bytes) -> str:
        """See `ports.Store.put_artifact`."""
        fresh = self._fresh()
        try:
            if isinstance(source, bytes):
                digest = _spill(iter((source,)), fresh)
            else:
                digest = _spill(_chunks(source), fresh)
            file = self._place(digest)
            reach("store.artifact-written")
            if file.exists():
                # Whoever wrote it first may not have finished making its name durable.
                fresh.unlink()
            else:
                self._name(fresh, file)
            sync(file.parent)
        except OSError as e:
            fresh.unlink(missing_ok=True)
            raise _unavailable(e, fresh) from e
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        reach("store.artifact")
        return digest

    def erase_artifact(self, digest: str) -> None:
        """See `ports.Store.erase_artifact`."""
        file = self._place(digest)
        try:
            file.unlink(missing_ok=True)
            if file.parent.is_dir():
                sync(file.parent)
        except OSError as e:
            raise _unavailable(e, file) from e

    @contextmanager
    def lock(self, wait_s: float = LOCK_SECONDS_MAX) -> Iterator[None]:
        """See `ports.Store.lock`."""
        if not self._turn.acquire(timeout=wait_s):
            found = "another thread of this process holds it"
            raise Unavailable("store.locked", at=str(self._lock_file), found=found, expected=f"it free within {wait_s:g} s")
        try:
            fd = None if self._depth else self._acquire(wait_s)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if fd is not None:
                    os.close(fd)
        finally:
            self._turn.release()

    # Opening and repairing

    def _open(self) -> None:
        new = not self._checkpoint_file.exists()
        try:
            if new:
                for name in _FOLDERS:
                    (self.home / name).mkdir(parents=True, exist_ok=True, mode=0o700 if name == "keys" else 0o777)
            done = self._sweep()
        except OSError as e:
            raise _unavailable(e, self.home) from e
        if new:
            with self.lock():
                if not self._checkpoint_file.exists():
                    self._found()
        done += self._put_back()
        index = self._read()
        late = self._log.stat().st_size > self._stamp[2] or self._read_checkpoint()[1].size < index.frontier.size
        if late or self._unfinished(index):
            with self.lock():
                done += self._repair_words()
        self.recovered = tuple(done)

    def _found(self) -> None:
        """A new log: empty, under a checkpoint of nothing. From now on a missing checkpoint means that somebody removed it."""
        if self._log.exists() and self._log.stat().st_size:
            raise Corrupt(
                "log.no-checkpoint", at=str(self._checkpoint_file), found="entries without a checkpoint", expected="a checkpoint over them"
            )
        try:
            self._log.touch()
            self._journal.begin()
            sync(self._log.parent)
        except OSError as e:
            raise _unavailable(e, self._log) from e
        self._sign(Index())

    def _sweep(self) -> list[str]:
        """Remove what killed processes left. Names begin with the process that made them; the living are left alone."""
        gone = 0
        for folder, mark in ((self.home / "tmp", "-"), (self.home / "keys", "~"), (self.home, "~")):
            for file in folder.iterdir() if folder.is_dir() else ():
                if _abandoned(file.name, mark):
                    with suppress(OSError):
                        file.unlink()
                        gone += 1
        return [f"removed {gone} unfinished file{'s' if gone > 1 else ''} of a run that was killed"] if gone else []

    def _repair(self) -> Index:
        """The index, after a torn line is cut off and a late checkpoint signed. Only with the lock."""
        self._repair_words()
        return self._index

    def _repair_words(self) -> list[str]:
        done: list[str] = []
        index = self._read()
        if self._beside != self._stamp[:2]:  # the folder was replaced meanwhile
            self._journal.forget()
            self._beside = self._stamp[:2]
        size = self._log.stat().st_size
        if size > self._stamp[2]:
            try:
                with self._log.open("r+b") as f:
                    f.truncate(self._stamp[2])
                    os.fsync(f.fileno())
            except OSError as e:
                raise _unavailable(e, self._log) from e
            done.append(f"cut off {size - self._stamp[2]} bytes of a log entry that was not finished")
            self._stamp = self._stat()
        checkpoint = self._read_checkpoint()[1]
        index.hold(checkpoint, str(self._log))
        size = self._journal.size()
        if self._journal_size != size and (left := self._unfinished(index)):
            entries = parse_entries(b"".join(r.entry.encode() + b"\n" for r in left), index.last())
            items = [(e, r.envelope.encode()) for e, r in zip(entries, left, strict=True)]
            self._recorded_here(items)
            self._enter(items)
            done += [f"entered log entry {e.n} ({e.type} {e.digest[:19]}…), which a killed run had written down" for e in entries]
        self._journal_size = size
        if checkpoint.size < index.frontier.size:
            late = index.entries()[checkpoint.size :]
            self._recorded_here(list(zip(late, self._documents.read(late), strict=True)))
            self._sign(index)
            last = index.last()
            assert last is not None
            done.append(f"signed the checkpoint for log entry {last.n} ({last.type} {last.digest[:19]}…), which a killed run had entered")
        return done

    def _recorded_here(self, items: Sequence[tuple[Entry, bytes]]) -> None:
        """That a machine which may sign the log recorded what a killed run left: a head is signed over nothing else. A store that was
        given no keys takes what lies in its folder.

        Raises:
            Corrupt: `log.unsigned`.
        """
        mine = self._sign_with()
        keys = {**self.public_keys, mine.key_id: mine.public}
        for entry, raw in items if self.public_keys else ():
            at = f"{self._log} entry {entry.n}"
            if not valid_keys(parse_envelope(raw, at), keys, at):
                found = f"a {entry.type} that no known machine signed"
                raise Corrupt("log.unsigned", at=at, found=found, expected="what a run that was killed had recorded")

    def _unfinished(self, index: Index) -> list[Record]:
        """What the journal holds and the log does not: a run that was killed had made it durable, and nothing after it happened."""
        return [r for r in self._journal.read()[1] if parse_entry(r.entry.encode()).n >= index.frontier.size]

    def _put_back(self) -> list[str]:
        """After another boot, what a power cut took of the files the journal holds. Reading a whole store needs no right to write."""
        same, records = self._journal.read()
        if same:
            return []
        lost = [r for r in records if not self._stands(r)]
        try:
            with self.lock():
                same, records = self._journal.read()
                if same:
                    return []  # another process was quicker
                lost = [r for r in records if not self._stands(r)]
                if records and (lost or self._log_differs(records)):
                    self._rewrite(records)
                    lost = lost or records[-1:]
                self._settle()
        except Unavailable:
            if lost or self._log_differs(records):
                raise
        return [f"put back {len(lost)} statement{'s' if len(lost) > 1 else ''} that a power cut took"] if lost else []

    def _stands(self, record: Record) -> bool:
        try:
            return self._documents.read([parse_entry(record.entry.encode())]) == [record.envelope.encode()]
        except (OSError, Corrupt):
            return False

    def _log_differs(self, records: list[Record]) -> bool:
        """Whether log or checkpoint are not what the journal says they became."""
        if not records:
            return False
        tail = b"".join(r.entry.encode() + b"\n" for r in records)
        try:
            return not self._log.read_bytes().endswith(tail) or self._checkpoint_file.read_bytes() != records[-1].checkpoint.encode()
        except OSError:
            return True

    def _rewrite(self, records: list[Record]) -> None:
        """Documents, entries and checkpoint as the journal has them. The log before its first record was durable, and is not touched."""
        at = str(self._log)
        entries = [parse_entry(r.entry.encode()) for r in records]
        kept = self._log.read_bytes().split(b"\n")[:-1] if self._log.exists() else []
        first = entries[0].n
        if len(kept) < first:
            raise Corrupt(
                "log.rolled-back", at=at, found=f"{len(kept)} entries", expected=f"the {first} that were there before the journal"
            )
        if len(kept) > first + len(records) and _is_entry(kept[first + len(records)]):
            raise Corrupt("log.fork", at=at, found="entries the journal does not have", expected=f"it to end with entry {entries[-1].n}")
        for n, record in enumerate(records, first):
            if n < len(kept) and kept[n] != record.entry.encode() and _is_entry(kept[n]):
                raise Corrupt("log.fork", at=f"{at} entry {n}", found="another entry than in the journal", expected="the same")
        for entry, record in zip(entries, records, strict=True):
            if sha256(record.envelope.encode()) != entry.envelope:
                raise Corrupt("log.journal", at=self._journal.file, found="another envelope", expected=f"that of entry {entry.n}")
        self._put_documents(first, [r.envelope.encode() for r in records], parse_entry(kept[first - 1]) if first else None)
        whole = b"".join(line + b"\n" for line in (*kept[:first], *(r.entry.encode() for r in records)))
        self._write(self._log, whole)
        self._write(self._checkpoint_file, records[-1].checkpoint.encode())

    def _settle(self) -> None:
        """Everything the journal holds is durable as files; it begins anew."""
        try:
            documents = {self._documents.file_of(parse_entry(r.entry.encode()).n) for r in self._journal.read()[1]}
            for place in (*sorted(documents), self._documents.folder, str(self._log), str(self._checkpoint_file), str(self._log.parent)):
                with suppress(FileNotFoundError):  # gone since: whoever asks for it is told
                    sync(place)
            self._journal.begin()
        except OSError as e:
            raise _unavailable(e, self._log) from e
        self._journal_size = self._journal.size()

    # The log

    def _read(self) -> Index:
        """The index, read again from the start when the file is not the one that was read. Costs one stat when nothing changed."""
        stamp = self._stat()
        if stamp == self._stamp and self._known is not None:
            return self._index
        # The checkpoint first: the log read after it can only be longer.
        _, checkpoint = self._read_checkpoint()
        try:
            raw = self._log.read_bytes()
        except OSError as e:
            raise _unavailable(e, self._log) from e
        index = Index(parse_entries(raw))
        index.hold(checkpoint, str(self._log))
        whole = whole_lines(raw)
        self._index = index
        # A torn line, or one that came while reading, leaves a stamp that the file does not have: it is read again.
        self._stamp = (*stamp[:2], whole, stamp[3])
        return index

    def _stat(self) -> _Stamp:
        try:
            s = self._log.stat()
        except FileNotFoundError as e:
            raise Corrupt("log.missing", at=str(self._log), found="no such file", expected="the log") from e
        except OSError as e:
            raise _unavailable(e, self._log) from e
        return (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns)

    def _read_checkpoint(self) -> tuple[bytes, Checkpoint]:
        """The newest checkpoint, its signature verified.

        Raises:
            Corrupt: `log.no-checkpoint`, `log.checkpoint`, `log.other-project`, `log.checkpoint-signer`.
        """
        raw = self._checkpoint_bytes()
        for wait in _AGAIN_SECONDS:
            try:
                return self._believed(raw)
            except Corrupt:
                time.sleep(wait)
                raw = self._checkpoint_bytes()
        return self._believed(raw)

    def _checkpoint_bytes(self) -> bytes:
        at = str(self._checkpoint_file)
        try:
            fd = os.open(at, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.read(fd, _CHECKPOINT_BYTES_MAX)
            finally:
                os.close(fd)
        except FileNotFoundError as e:
            raise Corrupt("log.no-checkpoint", at=at, found="no such file", expected="the checkpoint over the log") from e
        except OSError as e:
            raise _unavailable(e, self._checkpoint_file) from e

    def _believed(self, raw: bytes) -> tuple[bytes, Checkpoint]:
        at = str(self._checkpoint_file)
        if self._known is not None and self._known[0] == raw:
            return self._known
        checkpoint = parse_checkpoint(raw, at)
        if checkpoint.origin != origin_of(self.project):
            raise Corrupt("log.other-project", at=at, found=checkpoint.origin, expected=origin_of(self.project))
        # A reader may know the public keys and not be allowed to read the private one.
        if not checkpoint_signers(checkpoint, self.public_keys.values()):
            mine = self._sign_with()
            if not checkpoint_signers(checkpoint, (mine.public,)):
                raise Corrupt("log.checkpoint-signer", at=at, found="no valid signature of a known key", expected=f"one by {mine.key_id}")
        self._known = raw, checkpoint
        return self._known

    def _append(self, fresh: Sequence[Entry]) -> None:
        """The entries, in the file. When that fails the log is as long as before."""
        lines = b"".join(e.line() + b"\n" for e in fresh)
        before = self._stamp[2]
        try:
            fd = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            try:
                if armed("store.entry-torn"):
                    os.write(fd, lines[: len(lines) // 2])
                    reach("store.entry-torn")
                try:
                    write_all(fd, lines)
                except OSError:
                    # Without the line the statement did not happen, and may be put again.
                    with suppress(OSError):
                        os.ftruncate(fd, before)
                    raise
                s = os.fstat(fd)
            finally:
                os.close(fd)
        except OSError as e:
            self._known = None  # read everything again before the next word
            raise _unavailable(e, self._log) from e
        for entry in fresh:
            self._index.add(entry)
        self._stamp = (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns)

    def _sign(self, index: Index) -> None:
        self._place_checkpoint(make_checkpoint(self.project, index.frontier.size, index.frontier.root(), self._sign_with()))

    def _sign_with(self) -> Signer:
        if self._signer is None:
            if not self.signer_path.exists() and self.signer_path.parent == self.home / "keys":
                new_key(self.signer_path)
            self._signer = load_signer(self.signer_path)
        return self._signer

    # Files

    def _place(self, artifact: str) -> Path:
        if not DIGEST.match(artifact):
            raise Refused("digest.syntax", at="digest", found=artifact, expected="sha256: and 64 hexadecimal digits")
        digits = artifact.removeprefix("sha256:")
        return self.home / "artifacts" / digits[:2] / digits

    def _fresh(self) -> Path:
        return self.home / "tmp" / f"{os.getpid()}-{threading.get_ident()}-{next(_unnamed)}"

    def _write(self, file: Path, data: bytes, *, durable: bool = True) -> None:
        """`file` with `data` as its content, the whole of it or none."""
        fresh = self._fresh()
        try:
            _spill(iter((data,)), fresh, durable)
            self._name(fresh, file, durable)
            if durable:
                sync(file.parent)
        except OSError as e:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise _unavailable(e, file) from e

    def _name(self, fresh: Path, file: Path, durable: bool = True) -> None:
        try:
            fresh.rename(file)
        except FileNotFoundError:
            file.parent.mkdir(exist_ok=True)
            if durable:
                sync(file.parent.parent)
            fresh.rename(file)

    def _acquire(self, wait_s: float) -> int:
        try:
            fd = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as e:
            raise _unavailable(e, self._lock_file) from e
        try:
            held = lock_within(fd, wait_s)
        except OSError as e:
            os.close(fd)
            raise _unavailable(e, self._lock_file) from e
        if not held:
            holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            at, found = str(self._lock_file), f"process {holder} holds it"
            raise Unavailable("store.locked", at=at, found=found, expected=f"it free within {wait_s:g} s")
        with suppress(OSError):  # a full disk: the name of the holder is for people only
            os.pwrite(fd, f"{os.getpid():<19}\n".encode(), 0)
        return fd


def new_key(file: Path, kind: str = ED25519) -> None:
    """A new key in `file`, 0600, with its public line beside it. An existing key stays as it is, and gets the line it lacks.

    The private part is complete before it has its name, and a second process that makes one at the same time keeps the first.

    Raises:
        Unavailable: `store.*`. Refused: `key.*`: what is there is no key.
    """
    beside = file.with_name(f"{file.name}.pub")
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            make_once(file, generate(kind)[0])
        if not beside.exists():
            replace_file(beside, load_signer(file).public.encode() + b"\n")
    except OSError as e:
        raise _unavailable(e, file) from e


def make_once(file: Path, data: bytes) -> None:
    """A secret `file` with `data` as its content, durable; where one is, or comes first, that one stays.

    Raises:
        OSError: naming `file`; nothing is left.
    """
    with _named_later(file) as fresh:
        _fill(fresh, data, 0o600)
        with suppress(FileExistsError):
            os.link(fresh, file)
        fresh.unlink()
        sync(file.parent)


def replace_file(file: Path, data: bytes) -> None:
    """`file` with `data` as its content: durable, and the whole of it or none, whoever does the same at the same time. A link is replaced.

    Raises:
        OSError: naming `file`; nothing is left.
    """
    with _named_later(file) as fresh:
        _fill(fresh, data, 0o666)
        fresh.replace(file)
        sync(file.parent)


def write_out(file: Path, data: bytes) -> None:
    """`data` where a person wants it: a file as by `replace_file`, behind a link too; a device or pipe is written to.

    Raises:
        OSError: naming `file`.
    """
    if file.exists() and not file.is_file():
        with naming(file):
            file.write_bytes(data)
    else:
        replace_file(file.resolve(), data)


@contextmanager
def _named_later(file: Path) -> Iterator[Path]:
    """A name beside `file` for what shall become it. Those that killed processes left are removed."""
    fresh = file.parent / f"{os.getpid()}~{next(_unnamed)}~{file.name}"
    try:
        for left in file.parent.iterdir():
            if left.name.endswith(f"~{file.name}") and _abandoned(left.name, "~"):
                left.unlink(missing_ok=True)
        yield fresh
    except OSError as e:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise OSError(e.errno, e.strerror, str(file)) from e


def _fill(file: Path, data: bytes, mode: int) -> None:
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def _spill(chunks: Iterator[bytes], file: Path, durable: bool = True) -> str:
    """Write `chunks` to a new file. Returns their digest."""
    h = hashlib.sha256()
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        for chunk in chunks:
            h.update(chunk)
            write_all(fd, chunk)
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)
    return "sha256:" + h.hexdigest()


def read_artifact(source: Path) -> bytes:
    """A file's content as an artifact.

    Raises:
        Refused: `artifact.*`.
    """
    return b"".join(_chunks(source))


def _chunks(source: Path) -> Iterator[bytes]:
    """A file's content. Links are refused: what they point to may be anything by the time it is read."""
    try:
        fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as e:
        words = "a symbolic link" if e.errno == errno.ELOOP else e.strerror or "an error"
        raise Refused("artifact.unreadable", at=str(source), found=words, expected="a file") from e
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Refused("artifact.not-a-file", at=str(source), found="a folder, device or pipe", expected="a file")
    with os.fdopen(fd, "rb") as f:
        total = 0
        while chunk := f.read(_CHUNK_BYTES):
            total += len(chunk)
            if total > ARTIFACT_BYTES_MAX:
                raise Refused(
                    "artifact.too-large",
                    at=str(source),
                    found=f"over {ARTIFACT_BYTES_MAX} bytes",
                    expected=f"at most {ARTIFACT_BYTES_MAX} bytes",
                )
            yield chunk


def _write_over(file: Path, data: bytes) -> bool:
    """The content of `file` in one call that no kill divides. False where there is none of that length."""
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return os.fstat(fd).st_size == len(data) and os.write(fd, data) == len(data)
    finally:
        os.close(fd)


def _is_entry(line: bytes) -> bool:
    try:
        parse_entry(line)
    except Corrupt:
        return False
    return True


def _abandoned(name: str, mark: str) -> bool:
    """Whether a file of such a name belongs to a process that is no more."""
    pid, found, _ = name.partition(mark)
    return bool(found) and pid.isdecimal() and pid.isascii() and not _alive(int(pid))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _unavailable(e: OSError, file: Path) -> Unavailable:
    where = str(e.filename or file)
    words = e.strerror or type(e).__name__
    if e.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable("store.full", at=where, found=words, expected="room to write", help="df -h .")
    if e.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return Unavailable("store.read-only", at=where, found=words, expected="a folder this user may write", help="dossier doctor")
    return Unavailable("store.file-system", at=where, found=words, expected="a working file system", help="dossier doctor")
