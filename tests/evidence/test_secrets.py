"""Secrets in artifacts: found by form or by the word beside them, withheld with a commitment, and never a reason to hang."""

from __future__ import annotations

import io
import json
import time

import pytest

from release_dossier.evidence import secrets
from release_dossier.evidence.readers import read

KEY = b"k" * 32
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "sort"),
    [
        ("ghp_" + "a1B2" * 9, "GitHub token"),
        ("github_pat_" + "a1B2" * 9, "GitHub token"),
        ("AKIA" + "ABCD" * 4, "AWS key"),
        ("glpat-" + "x1" * 10, "GitLab token"),
        ("xoxb-1234567890-abcdef", "Slack token"),
        ("sk_live_" + "a1" * 12, "Stripe key"),
        ("npm_" + "a" * 36, "npm token"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "JSON web token"),
        ("Authorization: Bearer 0123456789abcdef0123", "bearer token"),
        ("postgres://market:s3cr3t@db:5432/market", "password in an address"),
        ('{"password": "hunter2hunter"}', "password"),
        ("DB_PASSWORD=correct-horse", "password"),
        ("JWT_SIGNING_KEY: test-secret-key-1", "password"),
        ("ask bob.o'neil+x@corp.co.uk today", "e-mail address"),
        (PRIVATE, "private key"),
    ],
)
def test_found_and_withheld(text: str, sort: str) -> None:
    """Each sort is found wherever it stands, nothing of it stays, and what stands around it does."""
    found = secrets.find(f"é before {text} after")
    assert [s.sort for s in found] == [sort]
    clean, gone = secrets.withhold(f"é before {text} after", KEY)
    secret = f"é before {text} after"[found[0].start : found[0].end]
    assert secret not in clean
    assert clean.startswith("é before ")
    assert clean.endswith(" after")
    assert gone == (secrets.Withheld(sort, secrets.commitment(secret, sort, KEY)),)
    assert gone[0].commitment[:19] in clean


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:owner/name.git",
        "actions/checkout@v4.2.2",
        "react@18.2.0",
        "x@example.invalid",
        "password: ${DB_PASSWORD}",
        'password: "********"',
        "password: {{ .Values.password }}",
        "PASSWORD_CHANGE_REQUIRED: request blocked",
        "mustChangePassword: authData.mustChangePassword,",
        "https://example.org/path:with@sign",
        "the secret: required",
    ],
)
def test_left_alone(text: str) -> None:
    """Addresses of nobody, versions, placeholders and prose are no secrets: a mark on every line would be read by no one."""
    assert secrets.withhold(text, KEY) == (text, ())


def test_commitment_opens_with_the_artifact_alone() -> None:
    """The key comes from the whole artifact: another file, or another guess, does not open the mark."""
    artifact = b"log in as bob@corp.com"
    clean, gone = secrets.withhold(artifact.decode(), secrets.key_of(io.BytesIO(artifact)))
    assert "bob" not in clean
    assert secrets.opens(gone[0], "bob@corp.com", io.BytesIO(artifact))
    assert not secrets.opens(gone[0], "eve@corp.com", io.BytesIO(artifact))
    assert not secrets.opens(gone[0], "bob@corp.com", io.BytesIO(artifact + b"."))


def test_a_reading_shows_none() -> None:
    """What a failing test printed is withheld from counterexamples, and the reading says that it was."""
    said = "login of bob@corp.com with password=&quot;hunter2x&quot; failed"
    xml = f'<testsuite><testcase name="a"><failure message="{said}"/></testcase></testsuite>'
    r = read(io.BytesIO(xml.encode()))
    said = json.dumps(r.as_json())
    assert "bob@corp.com" not in said
    assert "hunter2x" not in said
    assert "[withheld: e-mail address hmac:" in r.counterexamples[0].text
    assert r.limits[-1] == "withheld from these words: 1 of sort e-mail address, 1 of sort password"


@pytest.mark.parametrize(
    "before", [0, secrets._BLOCK_BYTES - 8, secrets._BLOCK_BYTES - secrets.WINDOW_CHARS - 4, 3 * secrets._BLOCK_BYTES - 1]
)
def test_scanned_once_wherever_it_lies(before: int) -> None:
    """A secret across the edge of two blocks is found, and counted once."""
    raw = b" " * before + b"ghp_" + b"a1B2" * 9 + b" " * 5000 + b"bob@corp.com"
    assert secrets.scan(io.BytesIO(raw), len(raw)) == ({"GitHub token": 1, "e-mail address": 1}, True)
    assert secrets.scan(io.BytesIO(raw + b"x"), len(raw))[1] is False


@pytest.mark.parametrize(
    "unit", ["@", "://", "eyJ", "password=", "-----BEGIN ", "a@a.a", "bearer  ", '"', "ghp_", "://a:", "-----BEGIN PRIVATE KEY-----"]
)
def test_no_text_takes_long(unit: str) -> None:
    """A text made of anchors costs no more than another: a mebibyte of each is searched within seconds."""
    began = time.process_time()
    secrets.find(unit * (300_000 // len(unit)))
    assert time.process_time() - began < 5
