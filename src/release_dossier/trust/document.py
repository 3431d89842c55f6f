"""The trust document: people, producers, roles, keys and revocations, as a chain of signed versions.

1. Version 1 is the project's identity: its digest is `project` in every later statement. It names itself by no project
   (`project` is the empty word `self`), because nothing can hold its own digest.
2. Version n+1 names the digest of version n and is signed by the threshold of version n and by its own threshold, counted in people:
   one person with two keys is one person.
3. The newest version whose chain holds decides, also about signatures made under earlier ones.
4. A revoked key counts for nothing signed after `at`; what it signed before counts only with a log entry from before.
"""

from __future__ import annotations

import msgspec


class Key(msgspec.Struct, frozen=True):
    """A public key. `id` is `SHA256:<base64>` as ssh-keygen prints it, `public` one `ssh-… AAAA…` line without comment."""

    id: str
    public: str


class Person(msgspec.Struct, frozen=True):
    """A person: roles by name, SSH keys, and the e-mail addresses git may show for them (free text, binds nothing by itself)."""

    id: str
    name: str
    roles: tuple[str, ...]
    keys: tuple[Key, ...]
    emails: tuple[str, ...] = ()


class Producer(msgspec.Struct, frozen=True):
    """A machine or process that signs statements. `kinds` it may produce; empty means any."""

    id: str
    keys: tuple[Key, ...]
    kinds: tuple[str, ...] = ()


class Revocation(msgspec.Struct, frozen=True):
    """From `at` (RFC 3339 UTC) on the key counts for nothing."""

    key: str
    at: str
    reason: str


class TrustDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One version. `threshold` is how many people of role `trust-root` must sign a change of this document."""

    version: int
    previous: str | None
    project_name: str
    threshold: int
    people: tuple[Person, ...]
    producers: tuple[Producer, ...]
    revocations: tuple[Revocation, ...]
    created_at: str


class Trust(msgspec.Struct, frozen=True):
    """A verified chain: identity of the project (digest of version 1), digest of the newest version, and that version."""

    project: str
    digest: str
    document: TrustDocument

    def person_of_key(self, key: str) -> Person | None:
        """The person who holds `key` in the newest version, revoked or not."""
        return next((p for p in self.document.people if any(k.id == key for k in p.keys)), None)

    def person(self, person_id: str) -> Person | None:
        """The person with this id."""
        return next((p for p in self.document.people if p.id == person_id), None)

    def producer_of_key(self, key: str) -> Producer | None:
        """The producer that holds `key` in the newest version, revoked or not."""
        return next((p for p in self.document.producers if any(k.id == key for k in p.keys)), None)

    def revoked_at(self, key: str) -> str | None:
        """When `key` was revoked, None if it was not."""
        return next((r.at for r in self.document.revocations if r.key == key), None)

    def public_keys(self) -> dict[str, str]:
        """Key id → public line, of every person and producer."""
        held = [p.keys for p in self.document.people] + [p.keys for p in self.document.producers]
        return {key.id: key.public for keys in held for key in keys}
