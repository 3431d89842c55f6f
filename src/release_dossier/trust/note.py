"""Signed notes (C2SP signed-note): a text, an empty line, and a line per signature; and the verifier keys that read them.

1. Name and key hash together choose the key. A line of another name or hash is passed over; one of ours that fails spoils it.
2. Four kinds of signature are in use, told apart by a number in front of the key: Ed25519 (1), ECDSA (2), cosignatures of a witness (4),
   RFC 6962 tree heads (5). What a signature is over depends on the kind, so none of one kind passes for another.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from release_dossier.errors import Corrupt, Refused
from release_dossier.trust.keys import ED25519, P256, PublicKey, Signer, parse_public, parse_spki, public_of_point

NOTE_CHARS_MAX = 1_000_000  # characters of a signed note: the bound C2SP signed-note allows a verifier
NOTE_SIGNATURES_MAX = 100  # lines; C2SP signed-note asks verifiers to bear 16 at least
PLAIN_ED25519, PLAIN_ECDSA, COSIGNATURE, TREE_HEAD = 1, 2, 4, 5
_TEXT = re.compile(rb"[\x00-\x09\x0b-\x1f]")

Signature = tuple[str, bytes, bytes]  # name, key hash of four bytes, what follows it


class NoteKey(msgspec.Struct, frozen=True):
    """A verifier key: whose, which kind of signature it makes, and the key."""

    name: str
    kind: int
    public: PublicKey

    @property
    def hash(self) -> bytes:
        """How a signature line names it."""
        if self.kind == PLAIN_ECDSA:
            return hashlib.sha256(self.public.spki()).digest()[:4]
        if self.kind == TREE_HEAD:
            body = hashlib.sha256(self.public.spki()).digest()
        else:
            body = self.public.blob[-32:]
        return hashlib.sha256(self.name.encode() + b"\n" + bytes((self.kind,)) + body).digest()[:4]

    @property
    def vkey(self) -> str:
        """`NAME+HASH+BASE64`, as other logs and witnesses are told about it."""
        body = self.public.blob[-32:] if self.public.type == ED25519 else self.public.spki()
        return f"{self.name}+{self.hash.hex()}+{base64.b64encode(bytes((self.kind,)) + body).decode()}"


def note_key(name: str, public: PublicKey, cosigner: bool = False) -> NoteKey:
    """The key `public` signs notes with as `name`; as a witness with `cosigner`.

    Raises:
        Refused: `key.unsupported`, for keys notes have no kind for.
    """
    if public.type == ED25519:
        return NoteKey(name, COSIGNATURE if cosigner else PLAIN_ED25519, public)
    if public.type == P256 and not cosigner:
        return NoteKey(name, PLAIN_ECDSA, public)
    raise Refused("key.unsupported", at="log key", found=public.type, expected=ED25519 if cosigner else f"{ED25519} or {P256}")


def parse_vkey(text: str, at: str = "verifier key") -> NoteKey:
    """A verifier key, `NAME+HASH+BASE64`, whole and with the hash it should have.

    Raises:
        Refused: `note.vkey`; `key.*` for a key of a sort that is not supported.
    """
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or not is_note_name(parts[0]) or not re.fullmatch(r"[0-9a-f]{8}", parts[1]):
        raise Refused("note.vkey", at=at, found=repr(text[:60]), expected="NAME+8 hexadecimal digits+BASE64")
    try:
        raw = base64.b64decode(parts[2], validate=True)
    except ValueError as e:
        raise Refused("note.vkey", at=at, found=repr(parts[2][:40]), expected="base64") from e
    kind, body = raw[0] if raw else 0, raw[1:]
    if kind in (PLAIN_ED25519, COSIGNATURE) and len(body) == 32:
        public = public_of_point(body)
    elif kind in (PLAIN_ECDSA, TREE_HEAD):
        public = parse_spki(body, at)
        if public.type not in (P256, "ecdsa-sha2-nistp384"):
            raise Refused("key.unsupported", at=at, found=public.type, expected="ECDSA on P-256 or P-384")
    else:
        raise Refused("note.vkey", at=at, found=f"kind {kind} with {len(body)} bytes", expected="kind 1, 2, 4 or 5 and its key")
    key = NoteKey(parts[0], kind, public)
    if key.hash.hex() != parts[1] or base64.b64encode(raw).decode() != parts[2]:
        raise Refused("note.vkey", at=at, found=f"hash {parts[1]}", expected=f"the key's own, {key.hash.hex()}")
    return key


def is_note_name(name: str) -> bool:
    """Whether a key may be called so: not empty, no blank of Unicode, no plus."""
    return "+" not in name and name.split() == [name]


def parse_note(raw: bytes, at: str) -> tuple[bytes, tuple[Signature, ...]]:
    """The text of a C2SP signed note, newline at its end included, and its signatures: (name, key hash, signature).

    Raises:
        Corrupt: `log.note`.
    """
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as e:
        raise Corrupt("log.note", at=at, found="bytes that are not UTF-8", expected="a signed note") from e
    cut = raw.rfind(b"\n\n")
    if len(raw) > NOTE_CHARS_MAX or cut < 0 or not raw.endswith(b"\n") or _TEXT.search(raw):
        raise Corrupt("log.note", at=at, found=repr(raw[:60]), expected="a signed note: text, an empty line, signatures")
    return raw[: cut + 1], parse_signature_lines(raw[cut + 2 :], at)


def parse_signature_lines(raw: bytes, at: str) -> tuple[Signature, ...]:
    """The signature lines of a note, as a witness sends them too.

    Raises:
        Corrupt: `log.note`.
    """
    signatures = []
    for line in raw.decode("utf-8", "replace").split("\n")[:-1]:
        words = line.split(" ")
        if len(words) != 3 or words[0] != "\u2014" or not is_note_name(words[1]):
            raise Corrupt("log.note", at=at, found=repr(line[:60]), expected="a line: — NAME BASE64")
        try:
            data = base64.b64decode(words[2], validate=True)
        except ValueError as e:
            raise Corrupt("log.note", at=at, found=repr(line[:60]), expected="a signature in base64") from e
        if len(data) < 5 or base64.b64encode(data).decode() != words[2]:
            raise Corrupt("log.note", at=at, found=repr(line[:60]), expected="a signature in base64")
        signatures.append((words[1], data[:4], data[4:]))
    if not 1 <= len(signatures) <= NOTE_SIGNATURES_MAX:
        raise Corrupt("log.note", at=at, found=f"{len(signatures)} signatures", expected=f"1 to {NOTE_SIGNATURES_MAX}")
    return tuple(signatures)


def signature_line(key: NoteKey, signature: bytes) -> bytes:
    """One signature as a line of a note."""
    return f"\u2014 {key.name} {base64.b64encode(key.hash + signature).decode()}\n".encode()


def note_line(name: str, text: bytes, signer: Signer) -> bytes:
    """The signature line of `signer`, called `name`, over `text`."""
    return signature_line(_signs_as(name, signer.public), signer.sign(text))


@lru_cache(maxsize=16)
def _signs_as(name: str, public: str) -> NoteKey:
    return note_key(name, parse_public(public, "signer"))


def note_key_hash(name: str, public: PublicKey) -> bytes:
    """How a note names a key.

    Raises:
        Refused: `key.unsupported`, for keys notes have no kind for.
    """
    return note_key(name, public).hash


def cosign(name: str, text: bytes, signer: Signer, posix_s: int) -> bytes:
    """The line of a witness called `name` that saw the checkpoint `text` at `posix_s`, seconds since 1970 (C2SP tlog-cosignature).

    Raises:
        Refused: `key.unsupported`: witnesses sign with Ed25519.
    """
    key = note_key(name, parse_public(signer.public, "witness key"), cosigner=True)
    return signature_line(key, posix_s.to_bytes(8, "big") + signer.sign(_cosigned(text, posix_s)))


def signed_by(text: bytes, signatures: Sequence[Signature], key: NoteKey) -> bool:
    """Whether `key` signed the note: it did so at least once, and no line that bears its name and hash fails (rule 1)."""
    mine = [s for name, due, s in signatures if name == key.name and due == key.hash]
    return bool(mine) and all(_verifies(text, s, key) for s in mine)


def cosigned_at(signatures: Sequence[Signature], key: NoteKey) -> int | None:
    """When a witness says it saw the checkpoint, seconds since 1970; asks nothing about the signature."""
    return next((int.from_bytes(s[:8], "big") for n, h, s in signatures if (n, h) == (key.name, key.hash) and len(s) == 72), None)


def note_signers(text: bytes, signatures: Sequence[Signature], name: str, keys: Iterable[PublicKey]) -> frozenset[str]:
    """Ids of those of `keys` that signed the note `text` as `name`. Lines of other names and keys are passed over."""
    plain = [note_key(name, public) for public in keys if public.type in (ED25519, P256)]
    return frozenset(k.public.id for k in plain if signed_by(text, signatures, k))


def _verifies(text: bytes, signature: bytes, key: NoteKey) -> bool:
    if key.kind == COSIGNATURE:
        posix_s = int.from_bytes(signature[:8], "big")
        return len(signature) == 72 and posix_s < 1 << 63 and key.public.verifies(signature[8:], _cosigned(text, posix_s))
    if key.kind == TREE_HEAD:
        return _tree_head_verifies(text, signature, key.public)
    return key.public.verifies(signature, text)


def _cosigned(text: bytes, posix_s: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % posix_s + text


def _tree_head_verifies(text: bytes, signature: bytes, public: PublicKey) -> bool:
    """RFC 6962 §3.5 in a note (C2SP static-ct-api): time in milliseconds, then `DigitallySigned` of SHA-256 (4) with ECDSA (3)."""
    lines = text.split(b"\n")
    length = int.from_bytes(signature[10:12], "big")
    if len(signature) != 12 + length or signature[8:10] != b"\x04\x03" or len(lines) != 4 or not re.fullmatch(rb"[0-9]{1,19}", lines[1]):
        return False
    try:
        root = base64.b64decode(lines[2], validate=True)
    except ValueError:
        return False
    head = tree_head(int(lines[1]), int.from_bytes(signature[:8], "big"), root)
    return len(root) == 32 and head is not None and public.verifies(signature[12:], head)


def tree_head(size: int, at_ms: int, root: bytes) -> bytes | None:
    """`TreeHeadSignature` of RFC 6962 §3.5: the bytes a log's key is over. None for numbers it has no room for."""
    if not (0 <= size < 1 << 64 and 0 <= at_ms < 1 << 64):
        return None
    return b"\0\1" + at_ms.to_bytes(8, "big") + size.to_bytes(8, "big") + root
