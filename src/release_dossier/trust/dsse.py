"""DSSE 1.0.2 envelopes: bytes, what they are, and who signed them.

1. What is signed is the pre-authentication encoding of type and payload, never the JSON around it.
2. Machines sign in `signatures`, which any DSSE verifier reads. People sign the same bytes with their SSH keys (`sshsig`) or passkeys
   (`webauthn`); those stand in `typedSignatures` beside it, because each signs its own framing and would confuse a DSSE verifier.
3. The verified bytes are the parsed bytes: `payload` is decoded once, and both signature and parser get that object.
4. One base64 layer, one spelling: padding and unused bits are checked, so no bit of the text is free.
"""

from __future__ import annotations

import base64
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from release_dossier.digest import canonical, one_spelling, parse_json, read_as, sha256
from release_dossier.errors import Refused
from release_dossier.limits import DOCUMENT_BYTES_MAX
from release_dossier.trust.keys import PublicKey, Signer, parse_public
from release_dossier.trust.sshsig import NAMESPACE, verify_armored
from release_dossier.trust.statement import PAYLOAD_TYPE, Statement
from release_dossier.trust.webauthn import verify_assertion

__all__ = [
    "NAMESPACE",
    "PAYLOAD_TYPE",
    "Envelope",
    "envelope_of",
    "pae",
    "parse_envelope",
    "seal",
    "signature_by",
    "signers_of",
    "valid_keys",
]
SIGNATURES_MAX = 100  # of either sort on one envelope; a statement of ours has one or two, verifying each takes about 0.1 ms

TRIES_MAX = 256  # signatures without a key id times known keys; ours name their key, and the largest keys take milliseconds a try


class Envelope(msgspec.Struct, frozen=True):
    """An envelope as read. `signatures` are (key id, bytes), `typed_signatures` (type, key id, text); `raw` is what was read."""

    payload: bytes
    payload_type: str
    signatures: tuple[tuple[str, bytes], ...]
    typed_signatures: tuple[tuple[str, str, str], ...]
    raw: bytes

    @property
    def digest(self) -> str:
        """The digest of the statement inside: its identity, whoever signed it."""
        return sha256(self.payload)

    def as_json(self) -> dict[str, Any]:
        """The envelope as the object `seal` writes."""
        out: dict[str, Any] = {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": k, "sig": base64.b64encode(s).decode()} for k, s in self.signatures],
        }
        if self.typed_signatures:
            out["typedSignatures"] = [{"type": t, "keyid": k, "sig": s} for t, k, s in self.typed_signatures]
        return out


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding (DSSE protocol.md): the bytes every signature is over."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(statement: Statement, signers: Sequence[Signer], typed: Sequence[tuple[str, str, str]] = ()) -> bytes:
    """A canonical envelope of `statement`, signed by each of `signers`, with people's `typed` signatures (type, key id, text)."""
    message = pae(PAYLOAD_TYPE, statement.raw)
    signed = [_PlainSignature(s.sign(message), s.key_id) for s in signers]
    body = _Plain(statement.raw, PAYLOAD_TYPE, signed, [_Typed(*t) for t in typed])
    raw = msgspec.json.encode(body, order="sorted")
    return raw if one_spelling(raw) else canonical(msgspec.json.decode(raw))


def parse_envelope(raw: bytes, at: str, payload_type: str = PAYLOAD_TYPE) -> Envelope:
    """`raw` as an envelope around bytes of `payload_type`. Checks no signature: see `valid_keys`.

    Fields it does not know stay in `raw` and mean nothing.

    Raises:
        Refused: `json.*`, `envelope.*`.
    """
    # A payload of the largest document grows by a third in base64; signatures and field names are small beside that.
    bytes_max = DOCUMENT_BYTES_MAX // 3 * 4 + 1024 * 1024
    if len(raw) <= bytes_max and (plain := read_as(_decoder, raw)) is not None:
        _bound(plain, at, payload_type)
        return Envelope(plain.payload, payload_type, tuple((s.keyid, s.sig) for s in plain.signatures), _typed(plain), raw)
    return envelope_of(parse_json(raw, at, bytes_max), raw, at, payload_type)


def reread_envelope(raw: bytes, at: str) -> Envelope:
    """An envelope whose bytes have the digest a log entry names: they were parsed strictly when they entered, so this need not be.

    Raises:
        Refused: `envelope.*`.
    """
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError as e:
        raise Refused("envelope.shape", at=at, found=str(e), expected="a DSSE envelope: payload, payloadType, signatures") from e
    return envelope_of(value, raw, at)


def envelope_of(value: Any, raw: bytes, at: str, payload_type: str = PAYLOAD_TYPE) -> Envelope:
    """An envelope from JSON that is parsed already; `raw` is kept as its bytes.

    Raises:
        Refused: `envelope.*`.
    """
    try:
        body = msgspec.convert(value, _Body)
    except msgspec.ValidationError as e:
        raise Refused("envelope.shape", at=at, found=str(e), expected="a DSSE envelope: payload, payloadType, signatures") from e
    _bound(body, at, payload_type)
    payload = decode_base64(body.payload, f"{at} payload")
    signatures = tuple((s.keyid, decode_base64(s.sig, f"{at} signatures[{i}]")) for i, s in enumerate(body.signatures))
    return Envelope(payload, payload_type, signatures, _typed(body), raw)


def _bound(body: _Body | _Plain, at: str, payload_type: str) -> None:
    """Refuses another payload type, and no signatures or too many."""
    if body.payloadType != payload_type:
        raise Refused("envelope.payload-type", at=f"{at} payloadType", found=body.payloadType, expected=payload_type)
    if not body.signatures or max(len(body.signatures), len(body.typedSignatures)) > SIGNATURES_MAX:
        found = f"{len(body.signatures)} and {len(body.typedSignatures)} signatures"
        raise Refused("envelope.signatures", at=f"{at} signatures", found=found, expected=f"one to {SIGNATURES_MAX}")


def _typed(body: _Body | _Plain) -> tuple[tuple[str, str, str], ...]:
    return tuple((s.type, s.keyid, s.sig) for s in body.typedSignatures)


def valid_keys(envelope: Envelope, public_keys: Mapping[str, str], at: str) -> frozenset[str]:
    """Ids of the keys in `public_keys` (id → public line) whose signature over this envelope really verifies.

    A key id in an envelope is a hint: it chooses which key to try, and an absent one means all, where that is no more than `TRIES_MAX`
    tries; else such signatures do not count. A signature that is malformed, unknown or wrong simply does not count, so one bad signature
    never hides the others.
    """
    message = pae(envelope.payload_type, envelope.payload)
    nameless = sum(not hint for hint, _ in envelope.signatures)
    every = list(public_keys) if nameless * len(public_keys) <= TRIES_MAX else []
    valid = set()
    for hint, signature in envelope.signatures:
        tried = [hint] if hint in public_keys else [] if hint else every
        valid |= {k for k in tried if k not in valid and _verifies(k, public_keys[k], signature, message)}
    for kind, hint, text in envelope.typed_signatures:
        if hint not in valid and hint in public_keys and _verifies_typed(kind, hint, text, message, public_keys, at):
            valid.add(hint)
    return frozenset(valid)


def signature_by(envelope: Envelope, i: int, keys: Sequence[PublicKey]) -> PublicKey | None:
    """Which of `keys` made signature `i` of an envelope, whatever its key id says; None when none of them did.

    For envelopes of other tools, whose key ids follow other customs. Never raises.
    """
    message = pae(envelope.payload_type, envelope.payload)
    return next((k for k in keys if k.verifies(envelope.signatures[i][1], message)), None)


def signers_of(envelope: Envelope, keys: Sequence[PublicKey]) -> frozenset[str]:
    """Ids of those of `keys` that signed an envelope, each once however often it did: DSSE counts a threshold in these."""
    found = (signature_by(envelope, i, keys) for i in range(len(envelope.signatures)))
    return frozenset(k.id for k in found if k is not None)


def _verifies_typed(kind: str, hint: str, text: str, message: bytes, public_keys: Mapping[str, str], at: str) -> bool:
    known = _known(public_keys[hint])
    if known is None or known[0] != hint:
        return False
    try:
        match kind:
            case "sshsig":
                return verify_armored(text, message, NAMESPACE, public_keys, at) == hint
            case "webauthn":
                return verify_assertion(text, message, known[1], at)
    except Refused:
        return False
    return False


def _verifies(key_id: str, line: str, signature: bytes, message: bytes) -> bool:
    known = _known(line)
    return known is not None and known[0] == key_id and known[1].verifies(signature, message)


@lru_cache(maxsize=512)
def _known(line: str) -> tuple[str, PublicKey] | None:
    """The same few keys check every statement: taken apart once."""
    try:
        public = parse_public(line, "a known key")
    except Refused:
        return None
    return public.id, public


def decode_base64(text: str, at: str) -> bytes:
    """Base64, standard or URL-safe but not both, padded, with no unused bit set: one value has one spelling per alphabet.

    Raises:
        Refused: `envelope.base64`.
    """
    url_safe = "-" in text or "_" in text
    try:
        data = a2b_base64(text.translate(_STANDARD) if url_safe else text, strict_mode=True)
    except ValueError:
        data = None
    if data is not None and not (url_safe and ("+" in text or "/" in text)):
        end = data[len(data) // 3 * 3 :]  # one or two bytes, whose text has bits to spare
        spelled = b2a_base64(end, newline=False).decode()
        if text[len(data) // 3 * 4 :] == (spelled.translate(_URL_SAFE) if url_safe else spelled):
            return data
    raise Refused("envelope.base64", at=at, found=repr(text[:40]), expected="base64 with padding, in one alphabet")


_STANDARD, _URL_SAFE = str.maketrans("-_", "+/"), str.maketrans("+/", "-_")


class _Signature(msgspec.Struct):
    sig: str
    keyid: str = ""


class _Typed(msgspec.Struct):
    type: str
    keyid: str
    sig: str


class _Body(msgspec.Struct):
    payload: str
    payloadType: str
    signatures: list[_Signature]
    typedSignatures: list[_Typed] = []


class _PlainSignature(msgspec.Struct, omit_defaults=True):
    sig: bytes
    keyid: str = ""


class _Plain(msgspec.Struct, omit_defaults=True):
    """An envelope as `seal` writes it: base64 in the standard alphabet, which msgspec reads and writes for bytes."""

    payload: bytes
    payloadType: str
    signatures: list[_PlainSignature]
    typedSignatures: list[_Typed] = []


_decoder = msgspec.json.Decoder(_Plain)
