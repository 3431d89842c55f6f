"""Sigstore bundles other tools made, verified offline with a trusted root that was given.

1. With a certificate: Sigstore's own library (extra `keyless`) judges chain, time, SCT, log entry and identity. Nothing is signed so here.
2. With a key that is managed: checked here. The signature is the key's; the entry in the log says the same signature, key and content: what
   the signature is over, of an envelope in an entry of kind `dsse` its payload; the entry is in the tree of a checkpoint that a log of the
   trusted root signed while that was its key, and a promise that came with it is that log's too. What the bundle says beside that, digest
   and kind, must be so.
3. What is verified is a file or, for an in-toto statement, a file that is one of its subjects.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from release_dossier.digest import canonical, parse_json
from release_dossier.errors import Corrupt, Refused, Unavailable
from release_dossier.moment import moment
from release_dossier.trust.dsse import envelope_of, pae, signature_by
from release_dossier.trust.keys import ED25519, PublicKey, parse_pem, parse_spki
from release_dossier.trust.merkle import leaf_hash, verify_inclusion
from release_dossier.trust.note import PLAIN_ECDSA, PLAIN_ED25519, NoteKey, parse_note, signed_by
from release_dossier.trust.statement import parse_intoto

BUNDLE_BYTES_MAX = 16 * 1024 * 1024  # bytes; with a large statement inside they take some hundred kilobytes
MEDIA_TYPES = (
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
)


class Believed(msgspec.Struct, frozen=True):
    """Whose bundles to believe: `identity` as certificates name it, of which a `*` at the end stands for any rest, vouched for by `issuer`,
    judged with the trusted root in the bytes `root`."""

    name: str
    identity: str
    issuer: str
    root: bytes

    def names(self, identity: str) -> bool:
        """Whether this is who a certificate names."""
        return identity.startswith(self.identity[:-1]) if self.identity.endswith("*") else identity == self.identity


def verify_keyless(bundle: bytes, root: bytes, artifact: bytes, *, identity: str, issuer: str, at: str = "Sigstore bundle") -> None:
    """`artifact` was signed, as `bundle` says, by `identity` of `issuer`; judged with the trusted root `root` and nothing from outside.

    Raises:
        Refused: `json.*`, `sigstore.bundle`, `sigstore.root`: it is no such file. Unavailable: `sigstore.not-installed`.
        Corrupt: `sigstore.verification`: it is one, and does not hold.
    """
    if "dsseEnvelope" in _bundle(bundle, at):
        _is_subject(verify_statement(bundle, root, identity=identity, issuer=issuer, at=at), artifact, at)
    else:
        _judged(bundle, root, identity, issuer, at, lambda verifier, parsed, who: verifier.verify_artifact(artifact, parsed, who))


def verify_statement(bundle: bytes, root: bytes, *, identity: str, issuer: str, at: str = "Sigstore bundle") -> bytes:
    """The statement in `bundle`, as `identity` of `issuer` signed it. What it is about is not looked at.

    Raises:
        As `verify_keyless`.
    """
    _bundle(bundle, at)
    payload: bytes = _judged(bundle, root, identity, issuer, at, lambda verifier, parsed, who: verifier.verify_dsse(parsed, who)[1])
    return payload


def _judged(bundle: bytes, root: bytes, identity: str, issuer: str, at: str, verify: Callable[[Any, Any, Any], Any]) -> Any:
    verifier = _verifier(root)
    from sigstore.models import Bundle
    from sigstore.verify import policy

    try:
        return verify(verifier, Bundle.from_json(bundle), policy.Identity(identity=identity, issuer=issuer))
    except Exception as e:  # whatever the library throws at a hostile file, the bundle does not hold
        raise Corrupt("sigstore.verification", at=at, found=_first_line(e), expected=f"a bundle signed by {identity}") from e


@lru_cache(maxsize=4)
def _verifier(root: bytes) -> Any:
    try:
        from sigstore.errors import Error
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier
        from sigstore_models.trustroot import v1 as trustroot_v1
    except ImportError as e:
        raise Unavailable(
            "sigstore.not-installed", at="extra keyless", found=str(e), expected="sigstore", help="pip install 'release-dossier[keyless]'"
        ) from e
    try:
        return Verifier(trusted_root=TrustedRoot(trustroot_v1.TrustedRoot.from_json(root)))
    except (Error, ValueError, AttributeError) as e:
        raise Refused("sigstore.root", at="trusted root", found=_first_line(e), expected="a Sigstore trusted root") from e


def verify_keyed(bundle: bytes, root: bytes, artifact: bytes, key: PublicKey, at: str = "Sigstore bundle") -> None:
    """`artifact` was signed, as `bundle` says, by `key`, and a log of the trusted root `root` holds that (rule 2).

    Raises:
        Refused: `json.*`, `sigstore.bundle`, `sigstore.root`. Corrupt: `sigstore.verification`.
    """
    value = _bundle(bundle, at)
    logs = _log_keys(root)
    try:
        entry = _entry(value, at)
        _entry_says(entry, *_signed(value, artifact, key, at), key, at)
        _entry_in_log(entry, logs, at)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as e:
        raise Refused("sigstore.bundle", at=at, found=f"{type(e).__name__} {e}", expected="a Sigstore bundle") from e


def _bundle(raw: bytes, at: str) -> dict[str, Any]:
    value = parse_json(raw, at, BUNDLE_BYTES_MAX)
    if not isinstance(value, dict) or value.get("mediaType") not in MEDIA_TYPES:
        found = str(value.get("mediaType")) if isinstance(value, dict) else type(value).__name__
        raise Refused("sigstore.bundle", at=f"{at} mediaType", found=found, expected=MEDIA_TYPES[-1])
    envelope = value.get("dsseEnvelope")
    if envelope is not None and value.get("messageSignature") is not None:
        raise Refused("sigstore.bundle", at=at, found="an envelope and a message's signature", expected="one of them (bundle format)")
    signatures = envelope.get("signatures") if isinstance(envelope, dict) else None
    if envelope is not None and (not isinstance(signatures, list) or len(signatures) != 1):
        raise Refused("sigstore.bundle", at=f"{at} dsseEnvelope", found="not one signature", expected="exactly one (bundle format)")
    return value


class _Log(msgspec.Struct, frozen=True):
    """A log's key, and the moments it is good from and until, both included."""

    id: bytes
    public: PublicKey
    start: str | None
    end: str | None


def _log_keys(root: bytes) -> tuple[_Log, ...]:
    value = parse_json(root, "trusted root", BUNDLE_BYTES_MAX)
    out = []
    try:
        for log in value["tlogs"]:
            key = parse_spki(base64.b64decode(log["publicKey"]["rawBytes"], validate=True), "trusted root")
            valid = log["publicKey"].get("validFor") or {}
            out.append(_Log(base64.b64decode(log["logId"]["keyId"], validate=True), key, valid.get("start"), valid.get("end")))
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise Refused("sigstore.root", at="trusted root", found=f"{type(e).__name__} {e}", expected="a Sigstore trusted root") from e
    return tuple(out)


def _entry(value: dict[str, Any], at: str) -> dict[str, Any]:
    entries = value["verificationMaterial"]["tlogEntries"]
    if "publicKey" not in value["verificationMaterial"] or len(entries) != 1:
        raise Refused("sigstore.bundle", at=at, found=f"{len(entries)} log entries", expected="a public key and one log entry")
    entry: dict[str, Any] = entries[0]
    return entry


def _signed(value: dict[str, Any], artifact: bytes, key: PublicKey, at: str) -> tuple[bytes, bytes, bytes | None]:
    """The signature in the bundle, which is `key`'s; what it is over: `artifact`, or an envelope's encoding, and its payload."""
    if "dsseEnvelope" in value:
        envelope = envelope_of(value["dsseEnvelope"], b"", at, str(value["dsseEnvelope"].get("payloadType")))
        if signature_by(envelope, 0, (key,)) is None:
            raise _no(at, "the envelope's signature does not verify")
        _is_subject(envelope.payload, artifact, at)
        return envelope.signatures[0][1], pae(envelope.payload_type, envelope.payload), envelope.payload
    signature = base64.b64decode(value["messageSignature"]["signature"], validate=True)
    said = value["messageSignature"].get("messageDigest")
    if said is not None and base64.b64decode(said["digest"], validate=True).hex() != _hash(said["algorithm"], artifact):
        raise _no(at, "the digest it names is of something else")
    if not key.verifies(signature, artifact):
        raise _no(at, "the signature does not verify")
    return signature, artifact, None


def _is_subject(payload: bytes, artifact: bytes, at: str) -> None:
    """`artifact` is one of the subjects of the statement in `payload`."""
    digests = {"sha256": hashlib.sha256(artifact).hexdigest(), "sha512": hashlib.sha512(artifact).hexdigest()}
    subjects = parse_intoto(payload, at).subject
    if not any(s.digest.get(name) == digest for s in subjects for name, digest in digests.items()):
        raise _no(at, f"the statement is about {len(subjects)} subjects, none of which is this file")


def _entry_says(entry: dict[str, Any], signature: bytes, signed: bytes, payload: bytes | None, key: PublicKey, at: str) -> None:
    """What the log holds is this signature by this key over this content."""
    body = parse_json(base64.b64decode(entry["canonicalizedBody"], validate=True), f"{at} log entry")
    kind = f"{body['kind']} {body['apiVersion']}"
    shown = entry.get("kindVersion")
    if shown is not None and f"{shown['kind']} {shown['version']}" != kind:
        raise _no(at, f"a log entry of kind {kind} under another name")
    spec, content = body["spec"], signed
    if kind == "hashedrekord 0.0.1":
        said, by = spec["signature"]["content"], spec["signature"]["publicKey"]["content"]
        hash_name, digest = spec["data"]["hash"]["algorithm"], spec["data"]["hash"]["value"]
    elif kind == "hashedrekord 0.0.2":
        spec = spec["hashedRekordV002"]
        said, by = spec["signature"]["content"], spec["signature"]["verifier"]["publicKey"]["rawBytes"]
        hash_name, digest = spec["data"]["algorithm"], base64.b64decode(spec["data"]["digest"], validate=True).hex()
    elif kind == "dsse 0.0.1" and payload is not None:
        (only,) = spec["signatures"]
        said, by, content = only["signature"], only["verifier"], payload
        hash_name, digest = spec["payloadHash"]["algorithm"], spec["payloadHash"]["value"]
    else:
        raise _no(at, f"a log entry of kind {kind}")
    raw = base64.b64decode(by)
    held = parse_spki(raw, at) if kind == "hashedrekord 0.0.2" else parse_pem(raw, at)
    if (base64.b64decode(said), digest) != (signature, _hash(hash_name, content)) or held.id != key.id:
        raise _no(at, "the log holds another signature, key or content")


def _hash(name: str, content: bytes) -> str | None:
    """The hash of this name in hexadecimal, as entries of older logs call it or bundles and newer logs do; None for another."""
    called = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}.get(name, name)
    return hashlib.new(called, content).hexdigest() if called in ("sha256", "sha384", "sha512") else None


def _entry_in_log(entry: dict[str, Any], logs: tuple[_Log, ...], at: str) -> None:
    """The entry is under a checkpoint of a known log, and a promise of inclusion is that log's."""
    proof = entry.get("inclusionProof") or {}
    if not proof.get("checkpoint"):
        raise _no(at, "no proof, with a checkpoint, that the log holds the entry")
    text, signatures = parse_note(proof["checkpoint"]["envelope"].encode(), f"{at} checkpoint")
    lines = text.split(b"\n")
    size, root = int(proof["treeSize"]), base64.b64decode(proof["rootHash"], validate=True)
    if len(lines) < 4 or lines[1] != b"%d" % size or lines[2] != base64.b64encode(root):
        raise _no(at, "the checkpoint is of another tree than the proof")
    body = base64.b64decode(entry["canonicalizedBody"], validate=True)
    path = [base64.b64decode(h, validate=True) for h in proof["hashes"]]
    if not verify_inclusion(leaf_hash(body), int(proof["logIndex"]), size, path, root):
        raise _no(at, "the entry is not in the tree of the checkpoint")
    log_id = base64.b64decode(entry["logId"]["keyId"], validate=True)
    log = next((log for log in logs if log.id == log_id), None)
    if log is None:
        raise _no(at, "a log the trusted root does not know")
    made_s = int(entry.get("integratedTime") or 0)  # newer logs say none
    if made_s and not _within(made_s, log):
        raise _no(at, "an entry of another time than the log's key is good for")
    kind = PLAIN_ED25519 if log.public.type == ED25519 else PLAIN_ECDSA
    if not any(signed_by(text, signatures, NoteKey(name, kind, log.public)) for name, _, _ in signatures):
        raise _no(at, "the checkpoint is not signed by the log")
    promise = (entry.get("inclusionPromise") or {}).get("signedEntryTimestamp")
    if promise is not None:
        said = {
            "body": entry["canonicalizedBody"],
            "integratedTime": int(entry["integratedTime"]),
            "logID": log_id.hex(),
            "logIndex": int(entry["logIndex"]),
        }
        if not log.public.verifies(base64.b64decode(promise, validate=True), canonical(said)):
            raise _no(at, "the promise of inclusion is not signed by the log")


def _within(posix_s: int, log: _Log) -> bool:
    start, end = (None if text is None else moment(text) for text in (log.start, log.end))
    if (log.start is not None and start is None) or (log.end is not None and end is None):
        raise Refused("sigstore.root", at="trusted root validFor", found=f"{log.start} to {log.end}", expected="RFC 3339")
    return (start is None or start.timestamp() <= posix_s) and (end is None or posix_s <= end.timestamp())


def _no(at: str, found: str) -> Corrupt:
    return Corrupt("sigstore.verification", at=at, found=found, expected="a bundle that holds")


def _first_line(e: Exception) -> str:
    return (str(e).strip().splitlines() or [type(e).__name__])[0]
