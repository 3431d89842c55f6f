"""Keys and the trust document: make a key, propose the next version. A proposal counts once it stands on the protected branch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from release_dossier.digest import canonical
from release_dossier.errors import Corrupt, Refused
from release_dossier.project import TRUST_FILE
from release_dossier.sources.ssh import public_of, sign_with_ssh
from release_dossier.steps.world import World, rfc3339
from release_dossier.store.files import new_key, replace_file
from release_dossier.trust.document import (
    Person,
    Producer,
    Revocation,
    TrustDocument,
    append_version,
    follow_unsigned,
    next_version,
    parse_chain,
)
from release_dossier.trust.dsse import Envelope, pae, parse_envelope, seal
from release_dossier.trust.keys import ED25519, Key, key_of_public
from release_dossier.trust.statement import PAYLOAD_TYPE, Statement, parse_statement

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change. Empty fields change nothing."""

    person: str | None
    name: str
    roles: tuple[str, ...]
    producer: str | None
    public: Path | None
    revoke: str | None
    threshold: int | None
    reason: str
    emails: tuple[str, ...] = ()
    producer_roles: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


def make_key(world: World, name: str) -> dict[str, str]:
    """A key under `.dossier/keys`, refused where one of that name is.

    Raises:
        Refused: `key.name`, `key.exists`.
    """
    if not _NAME.match(name):
        raise Refused("key.name", at="NAME", found=repr(name), expected="lower-case letters, digits, . _ -")
    file = world.home / "keys" / name
    if file.exists():
        new_key(file)  # its public line, where a kill took it
        raise Refused("key.exists", at=str(file), found="a key", expected="none: a key is never overwritten")
    new_key(file, ED25519)
    return {"file": str(file), "id": key_of_public(public_of(file, world.environ)).id}


def keys(world: World) -> list[dict[str, Any]]:
    """Every listed key, whose it is, whether it is revoked, and whether its private part lies under `.dossier/keys`."""
    folder = world.home / "keys"
    here = {key_of_public(f.read_text()).id for f in sorted(folder.glob("*.pub"))} if folder.is_dir() else set()
    out = []
    for holder, kind, held in (
        *((p.id, "person", p.keys) for p in world.trust.document.people),
        *((p.id, "producer", p.keys) for p in world.trust.document.producers),
    ):
        out += [
            {"holder": holder, "kind": kind, "id": k.id, "here": k.id in here, "revoked": world.trust.revoked_at(k.id) or ""} for k in held
        ]
    return out


def propose(world: World, wish: Proposal, key_files: Sequence[Path], draft: Path | None = None) -> dict[str, Any]:
    """Append the next version, signed with every key given, to the working tree's trust file.

    With `draft`, what lacks signatures yet waits in that file; where one lies there, the keys sign that, and nothing more is changed.

    Raises:
        Refused: `trust.nothing`, `trust.no-key`, `trust.unknown-key`, `trust.behind`, `trust.ahead`, `trust.threshold`, `trust.draft`.
    """
    file = world.repo.root / TRUST_FILE
    held = file.read_bytes()
    _is_newest(world, held)
    old = world.trust.document
    new = _changed(old, wish, world)
    lies = read_draft(world, draft) if draft is not None and draft.exists() else None
    if (new == old) == (lies is None):
        expected = "--person, --producer, --revoke or --threshold" if lies is None else "--key alone: the draft says what it changes"
        raise Refused("trust.nothing", at="options", found="no change" if lies is None else "a change", expected=expected)
    statement = lies[1] if lies else next_version(
        world.trust,
        threshold=new.threshold,
        people=new.people,
        producers=new.producers,
        revocations=new.revocations,
        created_at=rfc3339(world.now),
    )  # fmt: skip
    envelope = lies[0] if lies else parse_envelope(seal(statement, (world.signer(),)), TRUST_FILE)
    signed = list(envelope.typed_signatures)
    for key in key_files:
        key_id = key_of_public(public_of(key, world.environ)).id
        signed = [s for s in signed if s[1] != key_id]
        signed.append(("sshsig", key_id, sign_with_ssh(key, pae(PAYLOAD_TYPE, statement.raw), world.environ)))
    raw = canonical(msgspec.structs.replace(envelope, typed_signatures=tuple(signed)).as_json())
    version = {"version": statement.predicate["version"], "digest": statement.digest}
    try:
        fresh = append_version(held, raw)
    except Corrupt as e:
        if e.code != "trust.threshold":
            raise
        if draft is None:  # what lay there holds: it is the proposal that does not
            help = "--key FILE, once for each who signs; --draft FILE, where others sign elsewhere"
            raise Refused("trust.threshold", at=e.at, found=e.found, expected=e.expected, help=help) from e
        replace_file(draft, raw)
        return {**version, "file": str(draft), "waits": e.found}
    with world.store.lock():
        if file.read_bytes() != held:  # else a revocation somebody else wrote down would be gone
            found, expected = "a proposal written while this one was signed", "the file as it was read"
            raise Refused("trust.ahead", at=TRUST_FILE, found=found, expected=expected, help="commit that one, then the same command again")
        replace_file(file, fresh)
    return {**version, "file": TRUST_FILE}


def read_draft(world: World, file: Path) -> tuple[Envelope, Statement, TrustDocument]:
    """A version that waits for signatures, whoever brought it: it must follow the newest that counts.

    Raises:
        Refused: `trust.draft`, and what is wrong with an envelope, a statement or a trust document.
    """
    if not file.is_file():
        raise Refused("trust.draft", at=str(file), found="no such file", expected="a draft", help="dossier trust propose --draft FILE")
    envelope = parse_envelope(file.read_bytes(), str(file))
    statement = parse_statement(envelope.payload, str(file))
    try:
        return envelope, statement, follow_unsigned(world.trust, statement, str(file))
    except Corrupt as e:
        help = "propose it again over the version that counts now"
        raise Refused("trust.draft", at=e.at, found=e.found, expected=e.expected, help=help) from e


def _is_newest(world: World, held: bytes) -> None:
    """What lies in the working tree is what counts: a version is proposed on top of that, and what else is wrong with it is asked then.

    Raises:
        Refused: `trust.behind`, `trust.ahead`.
    """
    lies = parse_chain(held, TRUST_FILE, world.trust.project)
    here, due = lies.document.version, f"version {world.trust.document.version}, which {world.protected_name()} has"
    branch, remote = world.pin.protected_branch, world.pin.remote
    if here < world.trust.document.version:
        help = f"git switch {branch}{' && git pull' if remote else ''}"
        raise Refused("trust.behind", at=TRUST_FILE, found=f"version {here}, on this branch", expected=due, help=help)
    if here > world.trust.document.version and world.trust.digest in lies.line:
        found, help = "that lies there uncommitted", f"commit it, or take it back: git checkout HEAD -- {TRUST_FILE}"
        if world.repo.file_at("HEAD", TRUST_FILE) == held:
            pushed = remote and world.repo.branch() == branch
            found, help = "committed on this branch only", f"bring it to {world.protected_name()} first"
            help += f": git push {remote} {branch}" if pushed else ""
        raise Refused("trust.ahead", at=TRUST_FILE, found=f"version {here}, a proposal {found}", expected=due, help=help)


def _listed(line: str) -> Key:
    """The key of a public line. What a browser needs to find a passkey again stands in the comment, as `passkey:CREDENTIAL`."""
    key = key_of_public(line)
    comment = line.split()[2] if len(line.split()) == 3 else ""
    found = re.fullmatch(r"passkey:([A-Za-z0-9_-]{1,1400})", comment)
    return msgspec.structs.replace(key, credential=found[1]) if found else key


def _changed(old: TrustDocument, wish: Proposal, world: World) -> TrustDocument:
    if wish.public and not wish.public.is_file():
        raise Refused("key.missing", at=str(wish.public), found="no such file", expected="a public key", help="dossier key new NAME")
    key = _listed(wish.public.read_text("utf-8", "replace")) if wish.public else None
    people, producers, revocations = list(old.people), list(old.producers), list(old.revocations)
    if wish.person:
        before = next((p for p in people if p.id == wish.person), None)
        held = (*(before.keys if before else ()), *((key,) if key and not (before and key in before.keys) else ()))
        if not held:
            raise Refused(
                "trust.no-key", at="--public", found="no key for a new person", expected="their public key", help="dossier key new NAME"
            )
        roles = wish.roles or (before.roles if before else ())
        emails = wish.emails or (before.emails if before else ())
        odd = next((e for e in wish.emails if not _ADDRESS.fullmatch(e)), None)
        if odd is not None:
            raise Refused("trust.email", at="--email", found=repr(odd), expected="an address as git shows it, as ann@work.example")
        person = Person(wish.person, wish.name or (before.name if before else wish.person), roles, held, emails)
        people = [p for p in people if p.id != wish.person] + [person]
    if wish.producer:
        earlier = next((p for p in producers if p.id == wish.producer), None)
        held = (*(earlier.keys if earlier else ()), *((key,) if key and not (earlier and key in earlier.keys) else ()))
        if not held:
            raise Refused(
                "trust.no-key", at="--public", found="no key for a new producer", expected="its public key", help="dossier key new NAME"
            )
        may = wish.kinds or (earlier.kinds if earlier else ())
        held_roles = wish.producer_roles or (earlier.roles if earlier else ())
        producers = [p for p in producers if p.id != wish.producer] + [Producer(wish.producer, held, may, held_roles)]
    if wish.revoke:
        if wish.revoke not in old.public_keys():
            raise Refused(
                "trust.unknown-key",
                at="--revoke",
                found=f"{wish.revoke}, which nobody holds",
                expected="a listed key",
                help="dossier key list",
            )
        revocations.append(Revocation(wish.revoke, world.stamp(), wish.reason or "no reason given"))
    return msgspec.structs.replace(
        old,
        people=tuple(people),
        producers=tuple(producers),
        revocations=tuple(revocations),
        threshold=wish.threshold or old.threshold,
    )
