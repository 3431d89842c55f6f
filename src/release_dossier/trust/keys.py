"""Keys: their names, their public lines, and the value that signs.

1. A key is named as `ssh-keygen -l` prints it: `SHA256:` and the unpadded base64 of SHA-256 over its public wire form.
   The DSSE libraries of in-toto name keys the same way, so one name serves people, machines and their tools.
2. A public key is one line, `type base64`, without comment. The type inside the wire form must be the type in front.
3. Ed25519, ECDSA P-256 and P-384, RSA from 2,048 bits. A passkey is OpenSSH's `sk-…` line whose application is the site it was made
   for: it signs WebAuthn assertions (trust/webauthn.py) and nothing else. Hardware keys for SSH itself (`ssh:…`) are refused.
4. Machines sign DSSE with Ed25519 unless they are given another key: one spelling of a signature, the same bytes every time, and
   the type C2SP checkpoints ask for. cosign from 2.6 checks such an envelope as it is (a test runs it).

Ed25519 is libsodium's: half the time of OpenSSL's here, it lets other threads run meanwhile, and it refuses keys of small order.
Everything else is `cryptography`'s. Imports are inside functions: a command that only looks must not pay for them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from shlex import quote
from typing import Any

import msgspec

from release_dossier.errors import Refused
from release_dossier.trust import wire

ED25519 = "ssh-ed25519"
P256 = "ecdsa-sha2-nistp256"
P384 = "ecdsa-sha2-nistp384"
RSA = "ssh-rsa"
KEY_TYPES = (ED25519, P256, P384, RSA)
SK_P256 = "sk-ecdsa-sha2-nistp256@openssh.com"
SK_ED25519 = "sk-ssh-ed25519@openssh.com"
PASSKEY_TYPES = (SK_P256, SK_ED25519)
_SITE = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z")
RSA_BITS_MIN = 2048  # bits; what NIST SP 800-131A still accepts
RSA_BITS_MAX = 16384  # bits; OpenSSH's own bound, above it verifying takes seconds
PUBLIC_LINE_CHARS_MAX = 8192  # characters; an RSA key of 16,384 bits takes 2,800
PRIVATE_BYTES_MAX = 64 * 1024  # bytes of a private key file
_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 §4: the DER in front of the 32 bytes of a point
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_PEM = re.compile(rb"-----BEGIN (PUBLIC KEY|CERTIFICATE)-----([A-Za-z0-9+/=\s]+)-----END \1-----")


class Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """A public key. `id` is `SHA256:<base64>` as ssh-keygen prints it, `public` one `ssh-… AAAA…` line without comment.

    `credential` is what a browser needs to find a passkey again (base64url), empty for other keys; it proves nothing.
    """

    id: str
    public: str
    credential: str = ""


class Signer(msgspec.Struct, frozen=True):
    """A private key at hand. `sign` makes a DSSE signature over bytes, `sign_ssh` the signature blob of an SSH signature."""

    key_id: str
    public: str
    sign: Callable[[bytes], bytes]
    sign_ssh: Callable[[bytes], bytes]

    def __repr__(self) -> str:
        return f"Signer({self.key_id})"


class PublicKey(msgspec.Struct, frozen=True):
    """A public key taken apart: its SSH type, its wire form, and the library's object (for Ed25519 the 32 bytes of the point).

    `site` is the WebAuthn relying party a passkey was made for, empty for other keys.
    """

    type: str
    blob: bytes
    key: Any
    site: str = ""

    @property
    def id(self) -> str:
        """`SHA256:…`"""
        return key_id_of_blob(self.blob)

    @property
    def line(self) -> str:
        """`type base64`"""
        return f"{self.type} {base64.b64encode(self.blob).decode()}"

    def spki(self) -> bytes:
        """SubjectPublicKeyInfo in DER."""
        if isinstance(self.key, bytes):
            return _ED25519_SPKI + self.key
        from cryptography.hazmat.primitives import serialization

        out: bytes = self.key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return out

    def pem(self) -> bytes:
        """SubjectPublicKeyInfo in PEM, as openssl and cosign read it."""
        text = base64.b64encode(self.spki()).decode()
        lines = [text[i : i + 64] for i in range(0, len(text), 64)]
        return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""]).encode()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is a DSSE signature of this key over `message`.

        Ed25519: 64 bytes. ECDSA: DER, or raw r||s as the DSSE specification's vector has it, with the curve's hash.
        RSA: PSS with SHA-256 and a salt of 32 bytes, or the longest there is room for, which is in-toto's.
        A passkey signs no DSSE. Never raises.
        """
        if self.site:
            return False
        if self.type == ED25519:
            return _ed25519_verifies(self.key, signature, message)
        if self.type != RSA:
            return _ecdsa_verifies(self, signature, message)
        longest = (self.key.key_size + 6) // 8 - 34  # RFC 8017 §9.1.1: what the hash and two bytes leave of the number of bits but one
        return any(pss_verifies(self, signature, message, salt_bytes) for salt_bytes in (32, longest))


def key_id_of_blob(blob: bytes) -> str:
    """The name of the key with this wire form."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def key_of_public(line: str, at: str = "public key") -> Key:
    """The key a public line names: comment dropped, checked whole.

    Raises:
        Refused: `key.*`.
    """
    public = parse_public(line, at)
    return Key(public.id, public.line)


def parse_public(line: str, at: str) -> PublicKey:
    """A public line, `type base64 [comment]`, taken apart.

    Raises:
        Refused: `key.public-syntax` for anything else, `key.unsupported` for hardware keys, other curves, DSA and short RSA.
    """
    words = line.split(None, 2)
    if len(line) > PUBLIC_LINE_CHARS_MAX or len(words) < 2:
        raise Refused("key.public-syntax", at=at, found=repr(line[:60]), expected="an SSH public key: its type and its base64")
    if words[0] not in (*KEY_TYPES, *PASSKEY_TYPES):
        raise Refused("key.unsupported", at=at, found=words[0], expected=", ".join(KEY_TYPES), help="ssh-keygen -t ed25519")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except ValueError as e:
        raise Refused("key.public-syntax", at=at, found=repr(words[1][:40]), expected="base64") from e
    public = parse_blob(blob, at)
    if public.type != words[0] or base64.b64encode(blob).decode() != words[1]:
        raise Refused("key.public-syntax", at=at, found=f"{words[0]} in front of {public.type}", expected="one type, said twice")
    return public


@lru_cache(maxsize=512)
def parse_blob(blob: bytes, at: str) -> PublicKey:
    """A public key from its wire form. Cached: the same few keys check every statement.

    Raises:
        Refused: `key.public-syntax`, `key.unsupported`.
    """
    r = wire.Reader(blob, "key.public-syntax", at)
    kind = r.text().decode("ascii", "replace")
    if kind not in (*KEY_TYPES, *PASSKEY_TYPES):
        raise Refused("key.unsupported", at=at, found=kind, expected=", ".join(KEY_TYPES), help="ssh-keygen -t ed25519")
    try:
        if kind in (ED25519, SK_ED25519):
            key: Any = r.text()
            if len(key) != 32:
                raise ValueError(f"{len(key)} bytes of a point, not 32")
        elif kind == RSA:
            key = _rsa(r, at)
        else:
            key = _point(r, P256 if kind == SK_P256 else kind, at)
    except ValueError as e:
        raise Refused("key.public-syntax", at=at, found=str(e), expected=f"a {kind} key") from e
    site = _site(r, at) if kind in PASSKEY_TYPES else ""
    r.end()
    return PublicKey(kind, blob, key, site)


def _site(r: wire.Reader, at: str) -> str:
    site = r.text().decode("ascii", "replace")
    if not _SITE.match(site):
        raise Refused(
            "key.unsupported", at=at, found=f"a hardware key for {site[:60]}", expected="a passkey: its application is a site's host name"
        )
    return site


def passkey(kind: str, point: bytes, site: str, credential: str = "") -> Key:
    """The key of a passkey made for `site`: `kind` of PASSKEY_TYPES, `point` its public point (uncompressed for P-256).

    Raises:
        Refused: `key.*`.
    """
    curve = wire.text(b"nistp256") if kind == SK_P256 else b""
    public = parse_blob(wire.text(kind.encode()) + curve + wire.text(point) + wire.text(site.encode()), "passkey")
    return Key(public.id, public.line, credential)


def public_of_point(point: bytes) -> PublicKey:
    """The Ed25519 key with these 32 bytes."""
    return parse_blob(wire.text(ED25519.encode()) + wire.text(point), "a point")


def parse_spki(der: bytes, at: str) -> PublicKey:
    """A public key from SubjectPublicKeyInfo in DER: the form other tools' envelopes, notes and certificates bring.

    Raises:
        Refused: `key.public-syntax`, `key.unsupported`.
    """
    if der.startswith(_ED25519_SPKI) and len(der) == len(_ED25519_SPKI) + 32:
        return public_of_point(der[-32:])
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(der)
    except (ValueError, TypeError) as e:
        raise Refused("key.public-syntax", at=at, found=f"{len(der)} bytes that are no key", expected="SubjectPublicKeyInfo") from e
    except UnsupportedAlgorithm as e:
        raise Refused("key.unsupported", at=at, found="a key of another sort", expected=", ".join(KEY_TYPES)) from e
    return _public_of(key, at)


def parse_pem(raw: bytes, at: str) -> PublicKey:
    """A public key from PEM: `PUBLIC KEY`, or the key of a `CERTIFICATE`, whose validity is not judged here.

    Raises:
        Refused: `key.public-syntax`, `key.unsupported`.
    """
    found = _PEM.search(raw)
    if len(raw) > PRIVATE_BYTES_MAX or found is None:
        raise Refused("key.public-syntax", at=at, found=repr(raw[:40]), expected="a public key or a certificate in PEM")
    try:
        der = base64.b64decode(re.sub(rb"\s", b"", found[2]), validate=True)
    except ValueError as e:
        raise Refused("key.public-syntax", at=at, found="text that is not base64", expected="PEM") from e
    return parse_certificate(der, at) if found[1] == b"CERTIFICATE" else parse_spki(der, at)


def parse_certificate(der: bytes, at: str) -> PublicKey:
    """The key an X.509 certificate is about. Nothing else of it is judged here.

    Raises:
        Refused: `key.public-syntax`, `key.unsupported`.
    """
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except ValueError as e:
        raise Refused("key.public-syntax", at=at, found=str(e), expected="an X.509 certificate") from e
    except UnsupportedAlgorithm as e:
        raise Refused("key.unsupported", at=at, found="a key of another sort", expected=", ".join(KEY_TYPES)) from e
    return _public_of(key, at)


def _public_of(key: Any, at: str) -> PublicKey:
    """The library's public key as ours, through the one wire form that names it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return parse_blob(wire.text(RSA.encode()) + wire.integer(numbers.e) + wire.integer(numbers.n), at)
    raw, point = serialization.Encoding.Raw, serialization.Encoding.X962
    if isinstance(key, ed25519.Ed25519PublicKey):
        return public_of_point(key.public_bytes(raw, serialization.PublicFormat.Raw))
    curve = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__
    kind = {"secp256r1": P256, "secp384r1": P384}.get(curve)
    if kind is None:
        raise Refused("key.unsupported", at=at, found=curve, expected=", ".join(KEY_TYPES))
    body = key.public_bytes(point, serialization.PublicFormat.UncompressedPoint)
    return parse_blob(wire.text(kind.encode()) + wire.text(kind.removeprefix("ecdsa-sha2-").encode()) + wire.text(body), at)


def _rsa(r: wire.Reader, at: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    e, n = r.integer(), r.integer()
    if not RSA_BITS_MIN <= n.bit_length() <= RSA_BITS_MAX:
        raise Refused("key.unsupported", at=at, found=f"RSA with {n.bit_length()} bits", expected=f"{RSA_BITS_MIN} to {RSA_BITS_MAX} bits")
    # A small exponent forges with the padding of others' mistakes; a huge one stalls, and other verifiers hold it in 31 bits.
    if not 65537 <= e < 1 << 31 or not e & 1:
        raise Refused("key.unsupported", at=at, found=f"RSA with exponent {e}", expected="an odd exponent from 65537, below 2^31")
    return RSAPublicNumbers(e, n).public_key()


def _point(r: wire.Reader, kind: str, at: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    name, point = r.text().decode("ascii", "replace"), r.text()
    if kind != f"ecdsa-sha2-{name}":
        raise Refused("key.public-syntax", at=at, found=f"curve {name} in a {kind} key", expected=kind.removeprefix("ecdsa-sha2-"))
    if point[:1] != b"\x04":  # OpenSSH knows uncompressed points only; a second spelling would be a second name for one key
        raise Refused("key.public-syntax", at=at, found="a compressed point", expected="an uncompressed one")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1() if kind == P256 else ec.SECP384R1(), point)


@lru_cache(maxsize=1)
def _sodium() -> tuple[Any, Any]:
    """libsodium through PyNaCl's own binding; its public wrappers import 20 ms of what is not needed here."""
    from nacl._sodium import ffi, lib

    if lib.sodium_init() < 0:
        raise RuntimeError("libsodium does not start")
    return ffi, lib


def _ed25519_verifies(point: bytes, signature: bytes, message: bytes) -> bool:
    if len(signature) != 64:  # the library takes both in one piece, so the cut between them is held here
        return False
    ffi, lib = _sodium()
    signed = signature + message
    out, length = ffi.new("unsigned char[]", len(signed)), ffi.new("unsigned long long *")
    return bool(lib.crypto_sign_open(out, length, signed, len(signed), point) == 0)


def _ed25519_sign(private: bytes, data: bytes) -> bytes:
    ffi, lib = _sodium()
    out, length = ffi.new("unsigned char[]", 64 + len(data)), ffi.new("unsigned long long *")
    if lib.crypto_sign(out, length, data, len(data), private) != 0:
        raise RuntimeError("libsodium does not sign")
    return bytes(ffi.buffer(out, 64))


def _ed25519_pair(seed: bytes) -> tuple[bytes, bytes]:
    """Public point and the 64 bytes libsodium signs with, of a seed of 32 bytes."""
    if len(seed) != 32:
        raise ValueError(f"a seed of {len(seed)} bytes")
    ffi, lib = _sodium()
    point, private = ffi.new("unsigned char[]", 32), ffi.new("unsigned char[]", 64)
    if lib.crypto_sign_seed_keypair(point, private, seed) != 0:
        raise RuntimeError("libsodium makes no key")
    return bytes(ffi.buffer(point)), bytes(ffi.buffer(private))


def pss_verifies(public: PublicKey, signature: bytes, message: bytes, salt_bytes: int) -> bool:
    """Whether `signature` is RSA-PSS with SHA-256 and a salt of exactly so many bytes. Never raises."""
    if len(signature) != (public.key.key_size + 7) // 8:  # RFC 8017 §8.1.2 (1), which OpenSSL leaves out for leading zeros
        return False
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    try:
        public.key.verify(signature, message, padding.PSS(padding.MGF1(hashes.SHA256()), salt_bytes), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def _ecdsa_verifies(public: PublicKey, signature: bytes, message: bytes) -> bool:
    """DER or r||s. Where the length allows both, both are tried: a raw pair that happens to parse as DER is still a raw pair."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    half = 32 if public.type == P256 else 48
    spellings = [signature]
    if len(signature) == 2 * half:
        spellings.append(encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")))
    for der in spellings:
        try:
            public.key.verify(der, message, ecdsa_with(public.type))
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


def verifies_passkey(public: PublicKey, signature: bytes, signed: bytes) -> bool:
    """Whether `signature` is a passkey's own over `signed`: Ed25519, or ECDSA with SHA-256 in DER (WebAuthn §6.5.5). Never raises."""
    if public.type == SK_ED25519:
        return _ed25519_verifies(public.key, signature, signed)
    from cryptography.exceptions import InvalidSignature

    try:
        public.key.verify(signature, signed, ecdsa_with(P256))
    except (InvalidSignature, ValueError):
        return False
    return True


def ecdsa_with(kind: str, deterministic: bool = False) -> Any:
    """ECDSA with the hash RFC 5656 pairs with the curve."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.ECDSA(hashes.SHA256() if kind == P256 else hashes.SHA384(), deterministic_signing=deterministic)


def generate(kind: str = ED25519) -> tuple[bytes, str]:
    """A new key, `ssh-ed25519` or `ecdsa-sha2-nistp256`: its private file in OpenSSH's form without passphrase, its public line."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    assert kind in (ED25519, P256), kind
    key = ed25519.Ed25519PrivateKey.generate() if kind == ED25519 else ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private, public.decode()


def load_signer(file: Path) -> Signer:
    """The signer of an OpenSSH private key file.

    Raises:
        Refused: `key.missing`, `key.unreadable`, and what `parse_private` refuses.
    """
    try:
        raw = file.read_bytes()
    except FileNotFoundError as e:
        help = f"ssh-keygen -t ed25519 -N '' -f {quote(str(file))}"
        raise Refused("key.missing", at=str(file), found="no such file", expected="a private key", help=help) from e
    except OSError as e:
        raise Refused("key.unreadable", at=str(file), found=e.strerror or "an error", expected="a readable private key") from e
    return parse_private(raw, str(file))


def parse_private(raw: bytes, at: str) -> Signer:
    """The signer of an OpenSSH private key without passphrase.

    Raises:
        Refused: `key.locked` for one with a passphrase, `key.private-syntax`, `key.unsupported`.
    """
    public = public_of_private(raw, at)
    if is_locked(raw, at):
        raise Refused(
            "key.locked", at=at, found="a key with a passphrase", expected="one without, or the agent", help=f"ssh-add {quote(at)}"
        )
    key = _private(raw, public, at)
    return Signer(public.id, public.line, _dsse_signature(key, public.type), _ssh_signature(key, public.type))


def public_of_private(raw: bytes, at: str) -> PublicKey:
    """The public half, which an OpenSSH private key file shows even under a passphrase.

    Raises:
        Refused: `key.private-syntax`, `key.unsupported`.
    """
    return parse_blob(_opened(raw, at)[1], at)


def is_locked(raw: bytes, at: str) -> bool:
    """Whether an OpenSSH private key is under a passphrase."""
    return _opened(raw, at)[0] != b"none"


def _opened(raw: bytes, at: str) -> tuple[bytes, bytes, bytes]:
    """Cipher, public wire form and private section of an `openssh-key-v1` file (OpenSSH PROTOCOL.key)."""
    lines = raw.strip().splitlines()
    if len(raw) > PRIVATE_BYTES_MAX or not lines or lines[0].strip() != _OPENSSH:
        raise Refused(
            "key.private-syntax", at=at, found="another kind of file", expected="an OpenSSH private key", help="ssh-keygen -p -f FILE"
        )
    try:
        body = base64.b64decode(b"".join(x.strip() for x in lines[1:-1]), validate=True)
    except ValueError as e:
        raise Refused("key.private-syntax", at=at, found="text that is not base64", expected="an OpenSSH private key") from e
    r = wire.Reader(body, "key.private-syntax", at)
    if r.take(15) != b"openssh-key-v1\0":
        raise Refused("key.private-syntax", at=at, found="another format", expected="openssh-key-v1")
    cipher, _, _ = r.text(), r.text(), r.text()
    if r.take(4) != b"\0\0\0\1":
        raise Refused("key.private-syntax", at=at, found="several keys", expected="one key")
    return cipher, r.text(), r.text()


def _private(raw: bytes, public: PublicKey, at: str) -> Any:
    """The library's private key. Ed25519 and ECDSA are taken apart here: the library's own SSH reader costs 37 ms to import."""
    r = wire.Reader(_opened(raw, at)[2], "key.private-syntax", at)
    if r.take(4) != r.take(4):
        raise Refused("key.private-syntax", at=at, found="check numbers that differ", expected="an intact private key")
    kind = r.text().decode("ascii", "replace")
    key, point = _private_of(kind, r, raw, at)
    if point != public.key:
        raise Refused("key.private-syntax", at=at, found="a public half of another key", expected="the public half of this key")
    return key


def _private_of(kind: str, r: wire.Reader, raw: bytes, at: str) -> tuple[Any, Any]:
    """The private key and its public half, as `PublicKey.key` has it."""
    try:
        if kind == ED25519:
            r.text()
            point, private = _ed25519_pair(r.text()[:32])
            return private, point
        if kind in (P256, P384):
            from cryptography.hazmat.primitives.asymmetric import ec

            r.text(), r.text()
            key: Any = ec.derive_private_key(r.integer(), ec.SECP256R1() if kind == P256 else ec.SECP384R1())
        else:
            from cryptography.hazmat.primitives.serialization import load_ssh_private_key

            key = load_ssh_private_key(raw, None)
    except ValueError as e:
        raise Refused("key.private-syntax", at=at, found=str(e), expected=f"a {kind} key") from e
    return key, key.public_key()


def _dsse_signature(key: Any, kind: str) -> Callable[[bytes], bytes]:
    if kind == ED25519:
        return lambda data: _ed25519_sign(key, data)
    if kind != RSA:
        return lambda data: bytes(_ecdsa_sign(key, data, kind))

    def pss(data: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        return bytes(key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH), hashes.SHA256()))

    return pss


def _ssh_signature(key: Any, kind: str) -> Callable[[bytes], bytes]:
    if kind == ED25519:
        return lambda data: wire.text(kind.encode()) + wire.text(_ed25519_sign(key, data))

    def ecdsa(data: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        r, s = decode_dss_signature(_ecdsa_sign(key, data, kind))
        return wire.text(kind.encode()) + wire.text(wire.integer(r) + wire.integer(s))

    def rsa(data: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        return wire.text(b"rsa-sha2-512") + wire.text(key.sign(data, padding.PKCS1v15(), hashes.SHA512()))

    return rsa if kind == RSA else ecdsa


def _ecdsa_sign(key: Any, data: bytes, kind: str) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return bytes(key.sign(data, ecdsa_with(kind, deterministic=True)))
    except UnsupportedAlgorithm:  # OpenSSL before 3.2
        return bytes(key.sign(data, ecdsa_with(kind)))
