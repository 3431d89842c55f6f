"""Payload: what a dossier says to an audience, signed by this project.

1. What it is made from: the dossier, its newest decision, what people signed about it, and what was released from it. Read, never decided
   anew: a payload changes only when something was recorded.
2. The salt key is this project's own, made once, kept beside its producer key and never sent.
3. The signature is the producer's SSH signature over the payload's canonical bytes, so that `ssh-keygen -Y verify` is enough to check it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from release_dossier.digest import sha256
from release_dossier.payload import Mark, Opening, Payload, make_payload, open_at, payload_bytes
from release_dossier.steps.look import dossier_of
from release_dossier.steps.world import World
from release_dossier.store.files import make_once
from release_dossier.trust.sshsig import armor_signature

NAMESPACE = "release-dossier-payload"
_SIGNED = {"approval": "approvals", "rejection": "rejections", "waiver": "waivers", "withdrawal": "withdrawals"}


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A payload ready to leave: its canonical bytes, their digest and signature, and what is in it. `decision` is the whole one, for
    conditions that are asked before anything leaves."""

    payload: Payload
    raw: bytes
    digest: str
    signature: str
    included: tuple[Mark, ...]
    decision: dict[str, Any]


def payload_for(world: World, name: str, audience: str) -> Made:
    """What `audience` may see of the dossier a digest, release or tag names.

    Raises:
        Refused: `payload.audience`, `digest.*`, `look.not-a-dossier`.
    """
    digest, document = document_of(world, name)
    decision = document["decision"]
    made, included = make_payload(
        document,
        audience=audience,
        project=world.trust.project,
        dossier=digest,
        decision=decision["digest"] if decision else "",
        key=salt_key(world),
    )
    raw = payload_bytes(made)
    return Made(
        payload=made,
        raw=raw,
        digest=sha256(raw),
        signature=armor_signature(world.signer(), raw, NAMESPACE),
        included=included,
        decision=decision or {},
    )


def opening_of(world: World, name: str, audience: str, path: str) -> Opening:
    """What was held back at `path`, with the salt that proves it.

    Raises:
        Refused: `payload.not-withheld` and as `payload_for`.
    """
    digest, document = document_of(world, name)
    return open_at(document, path, audience=audience, dossier=digest, key=salt_key(world))


def document_of(world: World, name: str) -> tuple[str, dict[str, Any]]:
    """Everything recorded about a dossier, as one JSON object."""
    digest, dossier = dossier_of(world, name)
    builtins = msgspec.json.decode(msgspec.json.encode(dossier))  # lists, not tuples: as its JSON is
    document: dict[str, Any] = {
        "change": builtins.pop("change"),
        **builtins,
        "decision": None,
        "release": [],
        **{plural: [] for plural in _SIGNED.values()},
    }
    for entry in world.store.entries():
        if entry.type == "decision":
            predicate = world.statement(entry.digest, "decision").predicate
            if predicate["dossier"] == digest:
                document["decision"] = _plain(predicate, entry.digest)
        elif entry.type == "release" and entry.change == digest:
            document["release"].append(_plain(world.statement(entry.digest, "release").predicate, entry.digest))
        elif entry.type in _SIGNED:
            predicate = world.statement(entry.digest, entry.type).predicate
            if predicate.get("dossier") == digest or _about(document, str(predicate.get("statement"))):
                document[_SIGNED[entry.type]].append(_plain(predicate, entry.digest))
    return digest, document


def _plain(predicate: Mapping[str, Any], digest: str) -> dict[str, Any]:
    return {**msgspec.to_builtins(predicate), "digest": digest}


def _about(document: Mapping[str, Any], statement: str) -> bool:
    """Whether a withdrawal is of something this document holds."""
    held = [document["decision"] or {}, *document["release"], *(x for plural in _SIGNED.values() for x in document[plural])]
    return any(x.get("digest") == statement for x in held)


def salt_key(world: World) -> bytes:
    """The 32 secret bytes every salt of this project comes from; made where there are none. Without them nothing can be opened."""
    file = world.home / "keys" / "salt"
    with suppress(FileNotFoundError):
        return file.read_bytes()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_once(file, secrets.token_bytes(32))
    return file.read_bytes()  # what the first of two processes wrote
