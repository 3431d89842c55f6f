"""The log towards others: proofs, publishing the head, asking witnesses, following a log from the head seen last.

1. The head is kept in the repository, `refs/dossier/log`; cosigned by witnesses, `refs/dossier/witnessed`. Neither is in the store, so a
   store rolled back alone does not extend them.
2. Whoever follows a log keeps the checkpoint seen last. A log that does not extend it has forked: both checkpoints are kept, because
   together they are the proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from release_dossier.errors import Corrupt, Refused, Unavailable
from release_dossier.sources.logs import ask, reader_of
from release_dossier.sources.witness import ask_witness
from release_dossier.steps.decide import (
    WITNESSED_REF,
    check_witness,
    hold,
    kept_checkpoint,
    publish_checkpoint,
    witnesses_of,
)
from release_dossier.steps.look import digest_named, release_of
from release_dossier.steps.world import LOG_REF, World
from release_dossier.store.files import replace_file
from release_dossier.store.tiles import published, write_tiles
from release_dossier.trust.log import Checkpoint, Tree, leaves_of, parse_checkpoint, root_of
from release_dossier.trust.note import NoteKey, signed_by
from release_dossier.trust.proof import write_proof
from release_dossier.trust.tiles import entries_in, root_at, vouched
from release_dossier.trust.witness import cosigners, origin_hash


class WitnessSays(msgspec.Struct, frozen=True):
    """What became of asking one witness: `cosigned`, or why not."""

    name: str
    state: str
    detail: str


def prove_entry(world: World, name: str) -> dict[str, Any]:
    """That one statement is in the log: RFC 6962 path in hex, and the whole proof as C2SP tlog-proof, the entry's line as its extra.

    `name` begins its digest; a tag or `service@version` is the record of that release.
    """
    release = release_of(world, name)
    digest = digest_named(world, name) if release is None else release.digest
    entries, note = world.store.entries(), world.store.checkpoint()
    entries = entries[: parse_checkpoint(note).size]
    entry = next(e for e in entries if e.digest == digest)
    path = Tree(leaves_of(entries)).inclusion(entry.n)
    return {
        "digest": digest,
        "type": entry.type,
        "index": entry.n,
        "size": len(entries),
        "root": root_of(entries),
        "path": [h.hex() for h in path],
        "line": entry.line().decode(),
        "proof": write_proof(entry.n, path, note, entry.line()).decode(),
    }


def prove_extension(world: World, since: int) -> dict[str, Any]:
    """That the log extends what it was when it had `since` entries: RFC 6962 consistency path in hex.

    Raises:
        Refused: `log.size`.
    """
    entries = world.store.entries()
    if not 0 < since <= len(entries):
        raise Refused("log.size", at="--since", found=str(since), expected=f"1 to {len(entries)}")
    path = Tree(leaves_of(entries)).consistency(since)
    roots = {"old_root": root_of(entries[:since]), "root": root_of(entries)}
    return {"old_size": since, "size": len(entries), **roots, "path": [h.hex() for h in path]}


def publish(world: World, to: Path | None, witnesses: Sequence[tuple[str, NoteKey]] = ()) -> dict[str, Any]:
    """Keep the head where the store does not reach: in the repository, cosigned by witnesses, and as static files in `to`.

    `witnesses` are asked beside those the settings name. One that does not answer is reported; the others are asked all the same.

    Raises:
        Corrupt: `log.rolled-back`, `log.fork`, `log.other-project`: the repository, `to` or a witness has seen another log.
            `witness.cosignature`, `log.note`: what a witness answered is no cosignature. Of a witness it is raised last: what the others
            cosigned is kept.
    """
    if to is not None and (there := published(to)):
        hold(world, there, str(to / "checkpoint"))
    note = world.store.checkpoint()
    size = parse_checkpoint(note).size
    entries = world.store.entries()[:size]
    publish_checkpoint(world)
    asked, cosigned_note, said = (*witnesses_of(world), *witnesses), note, []
    tree = Tree(leaves_of(entries))
    kept = kept_checkpoint(world).witnessed
    faults: list[Corrupt] = []
    for url, key in asked:
        try:
            before = parse_checkpoint(kept).size if kept and key.name in cosigners(kept, (key,)) else 0
            line = ask_witness(ask, url, key, note, tree, min(before, size))[len(note) :]
            cosigned_note += line
            said.append(WitnessSays(key.name, "cosigned", f"at {size} entries"))
        except Unavailable as e:
            said.append(WitnessSays(key.name, "absent", str(e)))
        except Corrupt as e:
            faults.append(e)
    if cosigned_note != note:
        world.repo.keep(WITNESSED_REF, cosigned_note, world.home / "tmp")
    if faults:
        raise faults[0]
    files = write_tiles(to, entries, cosigned_note) if to is not None else 0
    out = {"ref": LOG_REF, "size": size, "root": root_of(entries), "witnesses": [msgspec.to_builtins(w) for w in said]}
    return out | ({"folder": str(to), "files": files} if to is not None else {})


def follow(place: str, key: NoteKey, seen: Path) -> dict[str, Any]:
    """Follow the log served at `place` from the checkpoint in `seen`, which is replaced by the new one when everything holds.

    Raises:
        Corrupt: `log.checkpoint-signer`, `log.rolled-back`, `log.fork`, `tile.*`, naming what was seen and what is said now; the
            checkpoint that does not fit is kept beside `seen`. Unavailable: `log.unreachable`: the log could not be looked at.
    """
    fetch = reader_of(place)
    note = fetch("checkpoint")
    new = parse_checkpoint(note, f"{place} checkpoint")
    if not signed_by(new.text, new.signatures, key):
        raise Corrupt("log.checkpoint-signer", at=place, found="no signature of its key", expected=f"one by {key.name}")
    old = parse_checkpoint(seen.read_bytes(), str(seen)) if seen.is_file() else None
    try:
        _extends(old, new, place)
        shown = vouched(fetch, new.size, new.root)
        if old is not None and root_at(shown, old.size, new.size) != old.root:
            raise Corrupt("log.fork", at=place, found=_words(new), expected=f"it to extend {_words(old)}, which was seen before")
        read = sum(1 for _ in entries_in(shown, new.size, old.size if old else 0))
    except Corrupt:
        if old is not None:
            _keep(seen.with_name(f"{seen.name}.fork"), note)
        raise
    _keep(seen, note)
    return {"origin": new.origin, "size": new.size, "root": "sha256:" + new.root.hex(), "seen": old.size if old else None, "read": read}


def seen_file(home: Path, origin: str) -> Path:
    """Where the last checkpoint of another log is kept."""
    return home / "log" / "seen" / origin_hash(origin)


def _extends(old: Checkpoint | None, new: Checkpoint, place: str) -> None:
    if old is None:
        return
    if old.origin != new.origin:
        raise Corrupt("log.other-project", at=place, found=new.origin, expected=old.origin)
    if old.size > new.size:
        raise Corrupt("log.rolled-back", at=place, found=_words(new), expected=f"at least {_words(old)}, which was seen before")
    if old.size == new.size and old.root != new.root:
        raise Corrupt("log.fork", at=place, found=_words(new), expected=f"{_words(old)}, which was seen before")


def _words(c: Checkpoint) -> str:
    return f"{c.size} entries with root sha256:{c.root.hex()[:16]}…"


def _keep(file: Path, note: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, note)
    except OSError as e:
        raise Unavailable("log.unwritable", at=str(file), found=e.strerror or "an error", expected="a place for the checkpoint seen") from e


def audit(world: World) -> dict[str, Any]:
    """Read our own log from its start: numbering, chain, documents, checkpoint, and the checkpoints kept elsewhere.

    Raises:
        Corrupt: what does not hold.
    """
    entries = world.store.entries()
    for e in entries:
        world.store.document(e.digest)
    witness = check_witness(world, kept_checkpoint(world))
    return {"size": len(entries), "root": root_of(entries), "witness": witness}
