"""Passkeys: an assertion verifies offline and for nothing but the one statement, site, person and gesture it was made with."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import cbor2
import msgspec
import pytest
import webauthn
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from release_dossier.digest import canonical
from release_dossier.errors import Refused
from release_dossier.trust.dsse import PAYLOAD_TYPE, pae, parse_envelope, seal, valid_keys
from release_dossier.trust.keys import generate, parse_private, parse_public
from release_dossier.trust.statement import Subject, state
from release_dossier.trust.webauthn import assertion_text, challenge, key_of_credential, verify_assertion
from tests import needs

SITE = "dossier.example"
MESSAGE = pae(PAYLOAD_TYPE, b'{"it": "is this"}')


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Authenticator:
    """A passkey in a drawer: makes credentials and assertions as WebAuthn Level 2 says, without a browser."""

    def __init__(self, algorithm: int = -7, site: str = SITE) -> None:
        self.site, self.algorithm = site, algorithm
        self.key: Any = ec.generate_private_key(ec.SECP256R1()) if algorithm == -7 else ed25519.Ed25519PrivateKey.generate()

    @property
    def cose(self) -> bytes:
        if self.algorithm == -7:
            n = self.key.public_key().public_numbers()
            return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: n.x.to_bytes(32, "big"), -3: n.y.to_bytes(32, "big")})
        return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()})

    def client(self, message: bytes, **more: Any) -> bytes:
        said = {"type": "webauthn.get", "challenge": b64(challenge(message)), "origin": f"https://{self.site}", "crossOrigin": False}
        return json.dumps({k: v for k, v in (said | more).items() if v is not None}).encode()

    def data(self, flags: int = 0x05, site: str | None = None, rest: bytes = b"") -> bytes:
        return hashlib.sha256((site or self.site).encode()).digest() + bytes([flags]) + (7).to_bytes(4, "big") + rest

    def sign(self, client: bytes, data: bytes) -> str:
        signed = data + hashlib.sha256(client).digest()
        made = self.key.sign(signed, ec.ECDSA(hashes.SHA256())) if self.algorithm == -7 else self.key.sign(signed)
        return assertion_text(data, client, made)

    def assertion(self, message: bytes = MESSAGE) -> str:
        return self.sign(self.client(message), self.data())

    def credential(self, challenge: str, origin: str) -> str:
        """What a browser returns of a passkey made over `challenge` on a page of `origin`."""
        said = json.dumps({"type": "webauthn.create", "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()
        data = self.data(0x45, rest=bytes(16) + len(b"credential").to_bytes(2, "big") + b"credential" + self.cose)
        made = {"clientDataJSON": b64(said), "attestationObject": b64(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data}))}
        return json.dumps({"id": b64(b"credential"), "rawId": b64(b"credential"), "type": "public-key", "response": made})


def public_of(a: Authenticator) -> Any:
    return parse_public(key_of_credential(a.cose, a.site, b"credential").public, "key")


@pytest.mark.parametrize("algorithm", [-7, -8])
def test_an_assertion_verifies_offline(algorithm: int) -> None:
    """ES256 and EdDSA passkeys sign a statement; it verifies with the key's line alone, and for no other message."""
    a = Authenticator(algorithm)
    assert verify_assertion(a.assertion(), MESSAGE, public_of(a))
    assert not verify_assertion(a.assertion(), MESSAGE + b" ", public_of(a))
    assert not verify_assertion(a.assertion(), MESSAGE, public_of(Authenticator(algorithm)))


def test_a_key_of_no_site_signs_no_assertion() -> None:
    """The same key as a plain one is for SSH: in a browser it counts for nothing, whatever it signs."""
    a = Authenticator()
    key = parse_public(key_of_credential(a.cose, SITE, b"c").public, "k")
    assert verify_assertion(a.assertion(MESSAGE), MESSAGE, key)
    assert not verify_assertion(a.assertion(MESSAGE), MESSAGE, msgspec.structs.replace(key, site=""))


def test_the_library_of_browsers_agrees() -> None:
    """py_webauthn accepts the same assertion: what is checked here is WebAuthn and not something like it."""
    a = Authenticator()
    value = json.loads(a.assertion())
    credential = {"id": b64(b"c"), "rawId": b64(b"c"), "type": "public-key", "response": value, "clientExtensionResults": {}}
    done = webauthn.verify_authentication_response(
        credential=credential,
        expected_challenge=challenge(MESSAGE),
        expected_rp_id=SITE,
        expected_origin=f"https://{SITE}",
        credential_public_key=a.cose,
        credential_current_sign_count=0,
        require_user_verification=True,
    )
    assert done.new_sign_count == 7


# What is changed in an otherwise good assertion, signed by the right key → why it must not count.
WRONG: dict[str, Callable[[Authenticator], str]] = {
    "another statement": lambda a: a.assertion(MESSAGE + b"!"),
    "the challenge itself in place of its hash": lambda a: a.sign(a.client(MESSAGE, challenge=b64(MESSAGE)), a.data()),
    "a registration": lambda a: a.sign(a.client(MESSAGE, type="webauthn.create"), a.data()),
    "a payment": lambda a: a.sign(a.client(MESSAGE, type="payment.get"), a.data()),
    "another page": lambda a: a.sign(a.client(MESSAGE, origin="https://evil.example"), a.data()),
    "a page that ends alike": lambda a: a.sign(a.client(MESSAGE, origin=f"https://not{SITE}"), a.data()),
    "a page that begins alike": lambda a: a.sign(a.client(MESSAGE, origin=f"https://{SITE}.evil.example"), a.data()),
    "without encryption": lambda a: a.sign(a.client(MESSAGE, origin=f"http://{SITE}"), a.data()),
    "localhost of another site": lambda a: a.sign(a.client(MESSAGE, origin="http://localhost:8000"), a.data()),
    "no page": lambda a: a.sign(a.client(MESSAGE, origin=None), a.data()),
    "a page that is a number": lambda a: a.sign(a.client(MESSAGE, origin=7), a.data()),
    "inside another's page": lambda a: a.sign(a.client(MESSAGE, crossOrigin=True), a.data()),
    "inside another's page, by name": lambda a: a.sign(a.client(MESSAGE, topOrigin="https://evil.example"), a.data()),
    "another site's hash": lambda a: a.sign(a.client(MESSAGE), a.data(site="evil.example")),
    "nobody there": lambda a: a.sign(a.client(MESSAGE), a.data(flags=0x04)),
    "somebody, nobody knows who": lambda a: a.sign(a.client(MESSAGE), a.data(flags=0x01)),
    "a credential inside": lambda a: a.sign(a.client(MESSAGE), a.data(flags=0x45, rest=b"x")),
    "bytes behind": lambda a: a.sign(a.client(MESSAGE), a.data(rest=b"x")),
    "extensions said and not there": lambda a: a.sign(a.client(MESSAGE), a.data(flags=0x85)),
    "cut short": lambda a: a.sign(a.client(MESSAGE), a.data()[:36]),
    "client data that is no object": lambda a: a.sign(b"[]", a.data()),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_assertion_made_otherwise_does_not_count(name: str) -> None:
    """Signed by the right key and still nothing: each of type, challenge, page, site and gesture is asked."""
    a = Authenticator()
    assert verify_assertion(a.assertion(), MESSAGE, public_of(a))
    assert not verify_assertion(WRONG[name](a), MESSAGE, public_of(a))


def test_pages_below_the_site_and_localhost_count() -> None:
    """A page on a host of the site, with a port, signs; on a developer's machine localhost does, without encryption."""
    a = Authenticator()
    for origin in (f"https://{SITE}:8443", f"https://releases.{SITE}"):
        assert verify_assertion(a.sign(a.client(MESSAGE, origin=origin), a.data()), MESSAGE, public_of(a))
    home = Authenticator(site="localhost")
    assert verify_assertion(home.sign(home.client(MESSAGE, origin="http://localhost:8000"), home.data()), MESSAGE, public_of(home))
    extended = a.sign(a.client(MESSAGE), a.data(flags=0x85, rest=cbor2.dumps({"x": True})))
    assert verify_assertion(extended, MESSAGE, public_of(a))


def test_every_bit_of_an_assertion_is_held() -> None:
    """Changing any one character of the kept text makes it a refusal or no signature: none is free."""
    a = Authenticator()
    text = a.assertion()
    for i, c in enumerate(text):
        bad = text[:i] + ("A" if c != "A" else "B") + text[i + 1 :]
        try:
            assert not verify_assertion(bad, MESSAGE, public_of(a)), i
        except Refused:
            continue


@pytest.mark.parametrize("text", ["", "{}", "[]", "{", '{"authenticatorData":"AA==","clientDataJSON":"AA","signature":"AA"}', "x" * 9000])
def test_what_is_no_assertion_is_refused(text: str) -> None:
    """Anything else is a typed refusal."""
    with pytest.raises(Refused):
        verify_assertion(text, MESSAGE, public_of(Authenticator()))


def test_one_spelling() -> None:
    """The same values with other white space, order, padding or a further field are refused."""
    a = Authenticator()
    value = json.loads(a.assertion())
    for other in (json.dumps(value), json.dumps(value | {"userHandle": "AA"}), canonical(value | {"signature": value["signature"] + "="})):
        with pytest.raises(Refused):
            verify_assertion(other if isinstance(other, str) else other.decode(), MESSAGE, public_of(a))


def test_in_an_envelope_it_counts_beside_others() -> None:
    """As a typed signature of an envelope it is its person's; under another type, name or key it is nobody's."""
    a, machine = Authenticator(), parse_private(generate()[0], "k")
    key = key_of_credential(a.cose, SITE, b"c")
    statement = state("approval", "sha256:" + "0" * 64, [Subject("x", {"sha256": "0" * 64})], {"a": 1})
    text = a.assertion(pae(PAYLOAD_TYPE, statement.raw))
    known = {key.id: key.public, machine.key_id: machine.public}
    for typed, valid in (
        (("webauthn", key.id, text), {key.id, machine.key_id}),
        (("sshsig", key.id, text), {machine.key_id}),
        (("webauthn", machine.key_id, text), {machine.key_id}),
        (("webauthn", key.id, a.assertion()), {machine.key_id}),
        (("passkey", key.id, text), {machine.key_id}),
    ):
        envelope = parse_envelope(seal(statement, (machine,), (typed,)), "e")
        assert valid_keys(envelope, known, "e") == valid
    other = parse_envelope(seal(statement, (machine,), (("webauthn", "other", text),)), "e")
    assert valid_keys(other, {"other": key.public}, "e") == frozenset()  # a key listed under a name that is not its own
    signed = parse_envelope(seal(statement, (machine,), ()), "e")
    forged = type(signed)(signed.payload, signed.payload_type, ((key.id, b"x" * 64),), (), b"")
    assert valid_keys(forged, known, "e") == frozenset()


@pytest.mark.parametrize(
    ("cose", "code"),
    [
        (b"", "key.public-syntax"),
        (b"\xff", "key.public-syntax"),
        (cbor2.dumps([1]), "key.public-syntax"),
        (cbor2.dumps({1: 3, 3: -257, -1: b"n", -2: b"e"}), "key.unsupported"),
        (cbor2.dumps({1: 2, 3: -7, -1: 1, -2: b"x" * 32, -3: b"y" * 32}), "key.public-syntax"),
        *((cbor2.dumps({1: 1, 3: -8, -1: 6, -2: point}), "key.public-syntax") for point in (-1, 1 << 70, 1 << 40, [300], "x", None)),
    ],
)
def test_other_credentials_are_refused(cose: bytes, code: str) -> None:
    """RSA passkeys, points on no curve and what is no key at all are refused before they enter a trust document."""
    with pytest.raises(Refused) as e:
        key_of_credential(cose, SITE, b"c")
    assert e.value.code == code


@pytest.mark.parametrize("site", ["ssh:", "ssh:dossier", "", "Dossier.example", "a..b", "-a.example", "a" * 64, "https://dossier.example"])
def test_a_key_for_no_site_is_refused(site: str) -> None:
    """A hardware key made for SSH, or for what is no host name, is no passkey."""
    with pytest.raises(Refused, match=r"key\.unsupported"):
        key_of_credential(Authenticator().cose, site, b"c")


@needs.ssh_keygen
def test_a_passkey_is_a_line_openssh_reads(tmp_path: Any) -> None:
    """The key's line and name are OpenSSH's own for such a key."""
    import subprocess

    key = key_of_credential(Authenticator().cose, SITE, b"c")
    (tmp_path / "k.pub").write_text(key.public + "\n")
    said = subprocess.run(["ssh-keygen", "-l", "-f", str(tmp_path / "k.pub")], capture_output=True, text=True, check=True).stdout
    assert key.id in said
