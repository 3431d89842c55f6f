"""Attestations of other tools: a DSSE envelope held against keys that were given, a Sigstore bundle against a trusted root that was given.

1. Nothing is fetched, and nothing in the file says whom to believe.
2. An envelope needs so many of the given keys as the threshold says, each counted once however often it signed.
3. With an artifact, it must be what was signed, or a subject of the statement that was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from release_dossier.digest import parse_json
from release_dossier.errors import Corrupt, Misuse, Refused
from release_dossier.trust import keyless
from release_dossier.trust.dsse import envelope_of, signers_of
from release_dossier.trust.keys import PublicKey, parse_pem, parse_public
from release_dossier.trust.statement import PAYLOAD_TYPE, Foreign, parse_intoto


def read_key(file: Path) -> PublicKey:
    """A public key or certificate in PEM, or an SSH public key.

    Raises:
        Refused: `key.*`, `attestation.unreadable`.
    """
    raw = read(file)
    return parse_pem(raw, str(file)) if raw.lstrip().startswith(b"-----") else parse_public(raw.decode("utf-8", "replace"), str(file))


def read(file: Path) -> bytes:
    """A file's content.

    Raises:
        Refused: `attestation.unreadable`.
    """
    try:
        return file.read_bytes()
    except OSError as e:
        raise Refused("attestation.unreadable", at=str(file), found=e.strerror or "an error", expected="a file to read") from e


def check_envelope(raw: bytes, at: str, keys: Sequence[PublicKey], threshold: int, artifact: bytes | None) -> dict[str, Any]:
    """What an envelope of any payload type says, when enough of `keys` signed it.

    Raises:
        Refused: `json.*`, `envelope.*`, `statement.*`. Corrupt: `attestation.threshold`, `attestation.subject`.
        Misuse: `attestation.keys`: the threshold cannot be met with the keys given.
    """
    known = {k.id: k for k in keys}
    if not 1 <= threshold <= len(known):
        raise Misuse(
            "attestation.keys", at="--threshold", found=f"{threshold} of {len(known)} keys", expected="1 or more, and as many --key"
        )
    value = parse_json(raw, at)
    kind = str(value.get("payloadType")) if isinstance(value, dict) else ""
    envelope = envelope_of(value, raw, at, kind)
    signed = signers_of(envelope, tuple(known.values()))
    if len(signed) < threshold:
        raise Corrupt("attestation.threshold", at=at, found=f"signatures of {len(signed)} of the keys given", expected=f"{threshold}")
    said = parse_intoto(envelope.payload, f"{at} payload") if kind == PAYLOAD_TYPE else None
    if artifact is not None:
        _about(said, artifact, at)
    return {"signed_by": sorted(signed), "payload_type": kind, **_said(said)}


def check_bundle(raw: bytes, at: str, root: bytes, artifact: bytes, *, key: PublicKey | None, identity: str, issuer: str) -> dict[str, Any]:
    """What a Sigstore bundle says, when it holds under the trusted root.

    Raises:
        As `trust.keyless`. Misuse: `attestation.whom`: neither a key nor an identity was given.
    """
    if key is not None:
        keyless.verify_keyed(raw, root, artifact, key, at)
        by = key.id
    elif identity and issuer:
        keyless.verify_keyless(raw, root, artifact, identity=identity, issuer=issuer, at=at)
        by = identity
    else:
        raise Misuse("attestation.whom", at=at, found="nobody to believe", expected="--key FILE, or --identity and --issuer")
    value = parse_json(raw, at)
    if "dsseEnvelope" not in value:
        return {"signed_by": [by], "payload_type": "", **_said(None)}
    envelope = envelope_of(value["dsseEnvelope"], b"", at, str(value["dsseEnvelope"].get("payloadType")))
    return {"signed_by": [by], "payload_type": envelope.payload_type, **_said(parse_intoto(envelope.payload, at))}


def _about(said: Foreign | None, artifact: bytes, at: str) -> None:
    digests = {"sha256": hashlib.sha256(artifact).hexdigest(), "sha512": hashlib.sha512(artifact).hexdigest()}
    subjects = said.subject if said is not None else ()
    if not any(s.digest.get(name) == digest for s in subjects for name, digest in digests.items()):
        raise Corrupt(
            "attestation.subject", at=at, found="a statement about something else", expected=f"subject sha256:{digests['sha256']}"
        )


def _said(said: Foreign | None) -> dict[str, Any]:
    if said is None:
        return {"predicate_type": "", "subject": []}
    return {"predicate_type": said.predicate_type, "subject": [{"name": s.name, "digest": dict(s.digest)} for s in said.subject]}
