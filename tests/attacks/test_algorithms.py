"""Algorithm confusion: a signature counts for the key and the algorithm it was made with, and for nothing else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from release_dossier.errors import Refused
from release_dossier.trust import wire
from release_dossier.trust.keys import ED25519, P256, P384, RSA, PublicKey, parse_blob, parse_private, parse_public
from release_dossier.trust.sshsig import armor_signature, blob_verifies, verify_armored

KINDS = (ED25519, P256, P384, RSA)
MESSAGE = b"what is signed"


def made(kind: str) -> Any:
    match kind:
        case "ssh-ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "ssh-rsa":
            return rsa.generate_private_key(65537, 2048)
        case _:
            return ec.generate_private_key(ec.SECP256R1() if kind == P256 else ec.SECP384R1())


@pytest.fixture(scope="module")
def keys() -> dict[str, tuple[Any, PublicKey, Any]]:
    """kind → private key of the library, our public key, our signer."""
    out = {}
    for kind in KINDS:
        key = made(kind)
        raw = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
        signer = parse_private(raw, kind)
        out[kind] = key, parse_public(signer.public, kind), signer
    return out


@pytest.mark.parametrize(("a", "b"), list(itertools.permutations(KINDS, 2)))
def test_attack_a_signature_offered_to_a_key_of_another_kind(a: str, b: str, keys: dict[str, Any]) -> None:
    """Whatever one kind of key signs, no key of another kind has signed it: no error, no yes."""
    assert keys[a][1].verifies(keys[a][2].sign(MESSAGE), MESSAGE)
    assert not keys[b][1].verifies(keys[a][2].sign(MESSAGE), MESSAGE)
    armored = armor_signature(keys[a][2], MESSAGE)
    assert verify_armored(armored, MESSAGE, "release-dossier", {keys[a][1].id: keys[a][1].line}) == keys[a][1].id
    assert verify_armored(armored, MESSAGE, "release-dossier", {keys[b][1].id: keys[b][1].line}) is None


def test_attack_another_hash_or_padding_of_the_same_key(keys: dict[str, Any]) -> None:
    """RSA: PSS with SHA-256 only; PKCS #1 v1.5 and SHA-1 are not taken. ECDSA: the curve's own hash only."""
    private, public, _ = keys[RSA]
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)
    assert public.verifies(private.sign(MESSAGE, pss, hashes.SHA256()), MESSAGE)
    for other in (
        private.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256()),
        private.sign(MESSAGE, padding.PSS(padding.MGF1(hashes.SHA1()), padding.PSS.MAX_LENGTH), hashes.SHA1()),
        private.sign(MESSAGE, padding.PSS(padding.MGF1(hashes.SHA512()), padding.PSS.MAX_LENGTH), hashes.SHA512()),
    ):
        assert not public.verifies(other, MESSAGE)
    for kind, wrong in ((P256, hashes.SHA384()), (P384, hashes.SHA256())):
        assert not keys[kind][1].verifies(keys[kind][0].sign(MESSAGE, ec.ECDSA(wrong)), MESSAGE)


def test_attack_an_rsa_signature_in_a_second_spelling(keys: dict[str, Any]) -> None:
    """A signature that begins with a zero byte counts with it and not without, and none counts with one more (RFC 8017 §8.1.2)."""
    private, public, _ = keys[RSA]
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    made = next(s for s in iter(lambda: private.sign(MESSAGE, pss, hashes.SHA256()), b"") if s[0] == 0)
    assert public.verifies(made, MESSAGE)
    assert not public.verifies(made[1:], MESSAGE)
    assert not public.verifies(b"\0" + made, MESSAGE)


@pytest.mark.parametrize("exponent", [3, 65538, (1 << 31) + 1, (1 << 255) + 95])
def test_an_rsa_exponent_others_cannot_hold_is_refused(keys: dict[str, Any], exponent: int) -> None:
    """A small, even or huge exponent: refused, as by every verifier of the vectors."""
    n = keys[RSA][0].public_key().public_numbers().n
    with pytest.raises(Refused) as found:
        parse_blob(wire.text(b"ssh-rsa") + wire.integer(exponent) + wire.integer(n), "a key")
    assert found.value.code == "key.unsupported"


@pytest.mark.parametrize("algorithm", ["ssh-rsa", "rsa-sha2-1", "ssh-dss", "ssh-ed25519", "ecdsa-sha2-nistp256", ""])
def test_attack_an_ssh_signature_that_names_another_algorithm(algorithm: str, keys: dict[str, Any]) -> None:
    """The algorithm a signature names must be one of its key's; SHA-1 under its old name is refused."""
    private, public, _ = keys[RSA]
    blob = wire.text(algorithm.encode()) + wire.text(private.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA512()))
    with pytest.raises(Refused):
        blob_verifies(public, blob, MESSAGE, "signature")
    good = wire.text(b"rsa-sha2-512") + wire.text(private.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA512()))
    assert blob_verifies(public, good, MESSAGE, "signature")


def test_attack_an_empty_or_null_signature(keys: dict[str, Any]) -> None:
    """No bytes, zeros, and r = s = 0 (CVE-2022-21449) sign nothing."""
    for _, public, signer in keys.values():
        size = len(signer.sign(MESSAGE))
        for nothing in (
            b"",
            b"\0",
            b"\0" * size,
            b"\0" * 64,
            b"\0" * 96,
            bytes.fromhex("3006020100020100"),
            bytes.fromhex("3006020101020100"),
        ):
            assert not public.verifies(nothing, MESSAGE)
