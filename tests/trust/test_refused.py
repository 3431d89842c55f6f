"""What keys, signatures, statements and files of a log are refused for: each by its family and code, with place, found and expected."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from release_dossier.digest import canonical
from release_dossier.errors import DossierError
from release_dossier.sources import ssh
from release_dossier.trust import keyless, wire
from release_dossier.trust.keys import ED25519, P256, generate, load_signer, parse_private, parse_public
from release_dossier.trust.log import parse_checkpoint
from release_dossier.trust.statement import (
    STATEMENT_TYPE,
    Subject,
    parse_descriptor,
    parse_intoto,
    parse_statement,
    reread_statement,
    state,
)
from release_dossier.trust.tiles import bundle_of, parse_bundle
from release_dossier.trust.webauthn import assertion_text, verify_assertion
from release_dossier.trust.webhook import secret_bytes

Call = Callable[[], object]
STATEMENT = state("approval", "sha256:" + "ab" * 32, [Subject("x", {"sha256": "0" * 64})], {"reason": "yes"})
PRIVATE = generate()[0]
SIGNER = parse_private(PRIVATE, "x")
PUBLIC = parse_public(SIGNER.public, "x")


def refusal(call: Call) -> tuple[str, str, str, str, str]:
    """Family, code, place, found and expected."""
    with pytest.raises(DossierError) as e:
        call()
    return type(e.value).__name__, e.value.code, e.value.at, e.value.found, e.value.expected


def statement(**other: Any) -> bytes:
    return canonical({**json.loads(STATEMENT.raw), **other})


def head(text: bytes) -> Call:
    return lambda: parse_checkpoint(text + "\n\n— x Y2hlY2s=\n".encode(), "head")


def private(*, first: bytes = b"openssh-key-v1\0", count: int = 1, checks: tuple[int, int] = (7, 7), rest: bytes = b"") -> Call:
    """Reading of a private key file with one thing about it changed."""
    inner = checks[0].to_bytes(4, "big") + checks[1].to_bytes(4, "big") + rest
    texts = wire.text(b"none") + wire.text(b"none") + wire.text(b"")
    return armored(first + texts + count.to_bytes(4, "big") + wire.text(PUBLIC.blob) + wire.text(inner))


def armored(body: bytes) -> Call:
    return as_file(base64.b64encode(body))


def as_file(body: bytes) -> Call:
    return lambda: parse_private(b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + body + b"\n-----END OPENSSH PRIVATE KEY-----\n", "file")


def passkey(text: str) -> Call:
    """Reading of an assertion by a key of a site."""
    line = f"sk-ssh-ed25519@openssh.com {base64.b64encode(SK).decode()}"
    return lambda: verify_assertion(text, b"message", parse_public(line, "x"), "signature 1")


SK = wire.text(b"sk-ssh-ed25519@openssh.com") + wire.text(bytes(range(32))) + wire.text(b"dossier.example")
ASSERTION = assertion_text(bytes(37), b"{}", bytes(64))
ROOT = base64.b64encode(bytes(32))
SHAPE = "an in-toto Statement v1 with a project"
KEY = ("Refused", "key.private-syntax", "file")
HEAD = ("Corrupt", "log.checkpoint", "head")
PASSKEY = ("Refused", "passkey.syntax", "signature 1")
LINES = "origin, size and root, each on a line"
TABLE: list[tuple[Call, tuple[str, str, str, str, str]]] = [
    (
        lambda: parse_statement(STATEMENT.raw + b"\n", "s"),
        ("Refused", "statement.not-canonical", "s", "other bytes than RFC 8785 writes", "canonical JSON"),
    ),
    (
        lambda: parse_statement(statement(predicateType="https://slsa.dev/provenance/v1"), "s"),
        (
            "Refused",
            "statement.predicate-type",
            "s predicateType",
            "https://slsa.dev/provenance/v1",
            "https://w3id.org/release-dossier/…/v1",
        ),
    ),
    (
        lambda: parse_statement(statement(predicate={"project": 1}), "s"),
        ("Refused", "statement.shape", "s", "predicate names no project", SHAPE),
    ),
    (
        lambda: parse_intoto(canonical({"_type": STATEMENT_TYPE, "subject": []}), "s"),
        ("Refused", "statement.shape", "s", "Object missing required field `predicateType`", "an in-toto Statement"),
    ),
    (
        lambda: parse_descriptor({"uri": 1}, "s"),
        ("Refused", "statement.shape", "s", "Expected `str`, got `int` - at `$.uri`", "an in-toto ResourceDescriptor"),
    ),
    (
        lambda: parse_descriptor({"name": "x"}, "s"),
        ("Refused", "statement.shape", "s", "no uri, digest or content", "one of them"),
    ),
    (
        lambda: reread_statement(STATEMENT.raw, "sha256:" + "0" * 64, "s"),
        ("Refused", "statement.other-digest", "s", STATEMENT.digest, "sha256:" + "0" * 64),
    ),
    (
        lambda: bundle_of([bytes(65536)]),
        ("Refused", "tile.entry-too-large", "log entry", "65536 bytes", "at most 65535"),
    ),
    (
        lambda: parse_bundle(b"\0\1a\0\2b", 2, "tile"),
        ("Corrupt", "tile.entries", "tile byte 3", "3 bytes left", "another entry"),
    ),
    (
        lambda: parse_bundle(b"\0\1a\0", 2, "tile"),
        ("Corrupt", "tile.entries", "tile byte 3", "1 bytes left", "another entry"),
    ),
    (
        lambda: parse_bundle(b"\0\1a\0\1b", 1, "tile"),
        ("Corrupt", "tile.entries", "tile byte 3", "3 bytes more", "1 entries and the end"),
    ),
    (head(b"origin\n1"), (*HEAD, r"b'origin\n1\n'", LINES)),
    (head(b"\n1\n" + ROOT), (*HEAD, "*", LINES)),
    (head(b"origin\n01\n" + ROOT), (*HEAD, "*", LINES)),
    (head(b"origin\n18446744073709551616\n" + ROOT), (*HEAD, "*", LINES)),
    (head(b"origin\n1\n*"), (*HEAD, "b'*'", "an origin in UTF-8 and a root in base64")),
    (head(b"origin\n1\n"), (*HEAD, "b''", "a root in base64")),
    (head(b"origin\n1\nAB=="), (*HEAD, "b'AB=='", "a root in base64")),
    (head(b"origin\n1\nAAAA"), (*HEAD, "a root of 3 bytes", "a root of 32 bytes in base64")),
    (lambda: parse_private(b"", "file"), (*KEY, "another kind of file", "an OpenSSH private key")),
    (lambda: parse_private(b"-----BEGIN PRIVATE KEY-----\n", "file"), (*KEY, "another kind of file", "an OpenSSH private key")),
    (lambda: parse_private(PRIVATE + b"\n" * 70000, "file"), (*KEY, "another kind of file", "an OpenSSH private key")),
    (as_file(b"*"), (*KEY, "text that is not base64", "an OpenSSH private key")),
    (private(first=b"openssh-key-v2\0"), (*KEY, "another format", "openssh-key-v1")),
    (armored(b"openssh"), (*KEY, "7 bytes left", "15 bytes more")),
    (private(count=2), (*KEY, "several keys", "one key")),
    (private(checks=(7, 8)), (*KEY, "check numbers that differ", "an intact private key")),
    (private(rest=wire.text(ED25519.encode()) + wire.text(b"") + wire.text(b"short")), (*KEY, "*", "a ssh-ed25519 key")),
    (private(rest=wire.text(P256.encode()) + wire.text(b"") * 2 + wire.integer(0)), (*KEY, "*", f"a {P256} key")),
    (passkey(" " * 8193), (*PASSKEY, "8193 characters", "at most 8192")),
    (passkey("{}"), (*PASSKEY, "Object missing required field `authenticatorData`", "authenticatorData, clientDataJSON, signature")),
    (passkey(ASSERTION + " "), (*PASSKEY, "another spelling", "canonical JSON")),
    (passkey(ASSERTION.replace('"e30"', '"e30="')), (*PASSKEY, "'e30='", "base64url without padding")),
    (passkey(ASSERTION.replace('"e30"', '"e31"')), (*PASSKEY, "'e31'", "base64url without padding")),
    (passkey(ASSERTION.replace('"e30"', '""')), (*PASSKEY, "''", "base64url without padding")),
    (lambda: secret_bytes("whsec_*"), ("Refused", "webhook.secret", "the destination's secret", "text that is no base64", "whsec_BASE64")),
    (lambda: secret_bytes("whsec_"), ("Refused", "webhook.secret", "the destination's secret", "an empty secret", "whsec_BASE64")),
    (lambda: load_signer(Path("/")), ("Refused", "key.unreadable", "/", "Is a directory", "a readable private key")),
]


@pytest.mark.parametrize(("call", "due"), TABLE, ids=[f"{i} {due[1]}" for i, (_, due) in enumerate(TABLE)])
def test_what_is_none(call: Call, due: tuple[str, str, str, str, str]) -> None:
    """The refusal names the place it was given, what stood there, and what would have been taken. `*` is the library's own word."""
    found = refusal(call)
    assert tuple("*" if d == "*" else f for f, d in zip(found, due, strict=True)) == due


def test_an_agent_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing ends after its time, and may be tried again."""
    program = tmp_path / "ssh-keygen"
    program.write_text("#!/bin/sh\nexec sleep 20\n")
    program.chmod(0o755)
    monkeypatch.setattr(ssh, "SIGN_SECONDS_MAX", 0.1)
    (tmp_path / "key").write_bytes(PRIVATE)
    environ = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    found = refusal(lambda: ssh.sign_with_ssh(tmp_path / "key", b"message", environ))
    assert found == ("Unavailable", "key.agent", "ssh-keygen", "no answer in 0.1 s", "a signature")


def test_keyless_without_its_extra() -> None:
    """Where sigstore is not installed, that is what is said, before the bundle is judged."""
    missing = {name: None for name in sys.modules if name.partition(".")[0] == "sigstore"} | {"sigstore": None, "sigstore.errors": None}
    with mock.patch.dict(sys.modules, missing):
        found = refusal(lambda: keyless._verifier(b"no root"))
    assert (*found[:3], found[4]) == ("Unavailable", "sigstore.not-installed", "extra keyless", "sigstore")
