"""Signed statements: DSSE envelopes, Sigstore bundles, GitHub's attestations, witness collections; one, a list, or one a line.

Whom to believe comes with the file: keys (`--key FILE`, or the project's trust document), and identities that a certificate names, each
with the trusted root that says so (`--root FILE`, or `[[keyless]]` of the project). See `evidence.attestation` for what counts.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import IO, Any

from msgspec import json

from release_dossier.digest import parse_json
from release_dossier.errors import Corrupt, Refused
from release_dossier.evidence import attestation
from release_dossier.evidence.attestation import Claim, Signed
from release_dossier.evidence.readers.given import Given, lines, record, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Counterexample, Reading, example
from release_dossier.limits import DOCUMENT_BYTES_MAX
from release_dossier.trust.dsse import envelope_of, signature_by
from release_dossier.trust.keyless import Believed, verify_statement
from release_dossier.trust.keys import PublicKey

NAME = "attestation"
_BUNDLE = "application/vnd.dev.sigstore.bundle"


def recognises(head: bytes) -> bool:
    """An envelope, a bundle, or a list of them."""
    keys = outline(head)
    if keys.get("mediaType", "").startswith(_BUNDLE) or keys.get("[].mediaType", "").startswith(_BUNDLE):
        return True
    if {"verificationMaterial", "[].verificationMaterial", "attestations[].bundle"} & keys.keys():
        return True
    # A payload can fill the whole head: base64 of `{"` begins like this.
    return any(f"{p}payloadType" in keys or keys.get(f"{p}payload", "").startswith("eyJ") for p in ("", "[]."))


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every statement and who signed it.

    Raises:
        Refused: `evidence.shape`, `json.*`, `sigstore.root`. Unavailable: `sigstore.not-installed`.
    """
    keys, _ = attestation.keys_of(given.keys)
    signed: list[Signed] = []
    wrong: list[Counterexample] = []
    unread = 0
    for at, value in _records(stream):
        if value is None:
            unread += 1
            continue
        try:
            signed.append(_one(value, at, keys, given.keyless))
        except (Refused, Corrupt) as e:
            if e.code == "sigstore.root":  # it came beside the file, which says nothing wrong
                raise
            wrong.append(example(f"{at}: {e.found}, expected {e.expected}", e.at))
    return attestation.reading(NAME, signed, given, wrong=wrong, unread=unread)


def _records(stream: IO[bytes]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """(place, envelope or bundle): one JSON value, or one a line."""
    raw = stream.read(DOCUMENT_BYTES_MAX + 1)
    try:
        value = parse_json(raw, "file")
    except Refused as e:
        rows = [line for line in raw.splitlines() if line.strip()]
        if len(rows) < 2 or record(rows[0]) is None:
            raise e
        stream.seek(0)
        for number, line in lines(stream):
            yield f"line {number}", record(line)
        return
    if isinstance(value, dict) and isinstance(value.get("attestations"), list):
        value = [a.get("bundle") if isinstance(a, dict) else None for a in value["attestations"]]
    for i, each in enumerate(value if isinstance(value, list) else [value]):
        yield f"statement {i + 1}", each if isinstance(each, dict) else None


def _one(value: dict[str, Any], at: str, keys: list[tuple[str, PublicKey]], keyless: Sequence[Believed]) -> Signed:
    """A claim with its signers.

    Raises:
        Refused: `envelope.*`, `evidence.shape`, `json.*`: it is no envelope, or holds no statement.
        Corrupt: `sigstore.verification`: a bundle says that somebody believed made it, and it does not hold.
    """
    certificate = attestation.certificate_of(value)
    who = attestation.identity(certificate) if certificate else ""
    message = value.get("messageSignature")
    if isinstance(message, dict):
        digest = message.get("messageDigest")
        said = word(digest.get("digest")) if isinstance(digest, dict) else ""
        try:
            name = base64.b64decode(said, validate=True).hex()
        except ValueError:
            name = ""
        return Signed(
            claim=Claim(at=at, type="message signature", subjects=(("file", f"sha256:{name}"),)), signatures=1, by=(), identity=who
        )
    inner = value.get("dsseEnvelope") if "mediaType" in value else value
    if not isinstance(inner, dict):
        wrong_shape(f"{at} dsseEnvelope", inner, "a DSSE envelope")
    envelope = envelope_of(inner, b"", at, word(inner.get("payloadType")))
    statement = parse_json(envelope.payload, f"{at} payload")
    if not isinstance(statement, dict):
        wrong_shape(f"{at} payload", statement, "a statement")
    public = [k for _, k in keys]
    found = [signature_by(envelope, i, public) for i in range(len(envelope.signatures))]
    by = tuple(dict.fromkeys(name for name, k in keys if any(f is not None and f.id == k.id for f in found)))
    named = [b for b in keyless if who and b.names(who)]
    for b in named:
        if verify_statement(json.encode(value), b.root, identity=who, issuer=b.issuer, at=at) != envelope.payload:
            raise Corrupt("sigstore.verification", at=at, found="another statement", expected="the one that was verified")
    by += tuple(f"{b.name} ({who})" for b in named)
    return Signed(claim=attestation.claim(statement, at), signatures=len(envelope.signatures), by=by, identity=who)
