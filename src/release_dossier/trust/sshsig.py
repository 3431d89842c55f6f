"""SSH signatures (OpenSSH PROTOCOL.sshsig, version 1): what people sign with the key they already have.

1. The namespace is part of what is signed, so a signature made for git or a file never counts as an approval.
2. What is signed is the hash of the message with magic, namespace and hash name in front, never the message alone.
3. The signature brings its public key; it counts only when that key is one of those given.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from release_dossier.errors import Refused
from release_dossier.trust import wire
from release_dossier.trust.keys import ED25519, RSA, PublicKey, Signer, ecdsa_with, parse_blob, parse_public

NAMESPACE = "release-dossier"
ARMOR_CHARS_MAX = 16 * 1024  # characters; a signature by RSA with 16,384 bits takes 6,200
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG"
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


def armor_signature(signer: Signer, message: bytes, namespace: str = NAMESPACE) -> str:
    """`message` signed by a key at hand, as `ssh-keygen -Y sign` would print it."""
    public = parse_public(signer.public, "signer")
    signature = signer.sign_ssh(_signed_bytes(namespace, "sha512", message))
    body = _MAGIC + (1).to_bytes(4, "big") + wire.text(public.blob) + wire.text(namespace.encode()) + wire.text(b"") + wire.text(b"sha512")
    text = base64.b64encode(body + wire.text(signature)).decode()
    return "\n".join([_BEGIN, *(text[i : i + 70] for i in range(0, len(text), 70)), _END]) + "\n"


def verify_armored(armored: str, message: bytes, namespace: str, public_keys: Mapping[str, str], at: str = "SSH signature") -> str | None:
    """The id of the key in `public_keys` (id → public line) that signed `message` for `namespace`; None when none of them did.

    Raises:
        Refused: `sshsig.syntax` for text that is no SSH signature, `key.unsupported` for hardware keys and old algorithms.
    """
    public, said, hash_name, signature = _parse(armored, at)
    known = public_keys.get(public.id)
    if known is None or parse_public(known, at).blob != public.blob or said != namespace.encode():
        return None
    return public.id if blob_verifies(public, signature, _signed_bytes(namespace, hash_name, message), at) else None


def _signed_bytes(namespace: str, hash_name: str, message: bytes) -> bytes:
    digest = _HASHES[hash_name](message).digest()
    return _MAGIC + wire.text(namespace.encode()) + wire.text(b"") + wire.text(hash_name.encode()) + wire.text(digest)


def _parse(armored: str, at: str) -> tuple[PublicKey, bytes, str, bytes]:
    """Public key, namespace, name of the hash and signature blob. One spelling only: what is left over is refused."""
    lines = armored.removesuffix("\n").split("\n")
    if len(armored) > ARMOR_CHARS_MAX or len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise Refused("sshsig.syntax", at=at, found=repr(armored[:40]), expected=f"{_BEGIN} … {_END}")
    text = "".join(lines[1:-1])
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as e:
        raise Refused("sshsig.syntax", at=at, found="text that is not base64", expected="base64") from e
    r = wire.Reader(raw, "sshsig.syntax", at)
    if base64.b64encode(raw).decode() != text or r.take(6) != _MAGIC or r.take(4) != b"\0\0\0\1":
        raise Refused("sshsig.syntax", at=at, found="another format or version", expected="SSHSIG version 1")
    blob, namespace, reserved, hash_name, signature = r.text(), r.text(), r.text(), r.text().decode("ascii", "replace"), r.text()
    r.end()
    if hash_name not in _HASHES or reserved:
        raise Refused("sshsig.syntax", at=at, found=f"hash {hash_name}", expected=", ".join(_HASHES))
    return parse_blob(blob, at), namespace, hash_name, signature


def blob_verifies(public: PublicKey, signature: bytes, signed: bytes, at: str) -> bool:
    """Whether a signature in SSH's wire form, its algorithm in front, is `public`'s over `signed`. The algorithm must be one of the key's:
    `ssh-rsa` with SHA-1 is none.

    Raises:
        Refused: `sshsig.syntax`, `key.unsupported`.
    """
    r = wire.Reader(signature, "sshsig.syntax", at)
    algorithm, blob = r.text().decode("ascii", "replace"), r.text()
    r.end()
    if public.site:
        raise Refused("key.unsupported", at=at, found="a passkey", expected="an SSH key: a passkey signs in the browser")
    if public.type == ED25519:
        return algorithm == ED25519 and public.verifies(blob, signed)
    from cryptography.exceptions import InvalidSignature

    try:
        if public.type == RSA:
            from cryptography.hazmat.primitives import hashes
            from cryptography.hazmat.primitives.asymmetric import padding

            if algorithm not in ("rsa-sha2-512", "rsa-sha2-256"):
                raise Refused("key.unsupported", at=at, found=algorithm, expected="rsa-sha2-512 or rsa-sha2-256")
            public.key.verify(blob, signed, padding.PKCS1v15(), hashes.SHA512() if algorithm.endswith("512") else hashes.SHA256())
        elif algorithm != public.type:
            return False
        else:
            from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

            pair = wire.Reader(blob, "sshsig.syntax", at)
            der = encode_dss_signature(pair.integer(), pair.integer())
            pair.end()
            public.key.verify(der, signed, ecdsa_with(public.type))
    except (InvalidSignature, ValueError):
        return False
    return True
