"""Signed notes of every kind, proofs and requests as text: one spelling, and each wrong one refused."""

from __future__ import annotations

import base64

import pytest

from release_dossier.errors import Corrupt, Refused
from release_dossier.trust.keys import P256, generate, parse_private, parse_public
from release_dossier.trust.note import (
    COSIGNATURE,
    NOTE_CHARS_MAX,
    NOTE_SIGNATURES_MAX,
    TREE_HEAD,
    NoteKey,
    cosign,
    is_note_name,
    note_key,
    note_line,
    parse_note,
    parse_vkey,
    signature_line,
    signed_by,
    tree_head,
)
from release_dossier.trust.proof import PATH_MAX, parse_proof, write_proof
from release_dossier.trust.witness import PROOF_MAX, parse_request, write_request

HASH = bytes(range(32))
B64 = base64.b64encode(HASH).decode()
ED, EC = parse_private(generate()[0], "ed"), parse_private(generate(P256)[0], "ec")
TEXT = f"log.example/1\n7\n{B64}\n".encode()


def ct_note(text: bytes = TEXT, at_ms: int = 1_700_000_000_000, size: int = 7, algorithm: bytes = b"\4\3", behind: bytes = b"") -> bool:
    """Whether a note of a CT log made so holds."""
    key = NoteKey("log.example/1", TREE_HEAD, parse_public(EC.public, "ec"))
    head = tree_head(size, at_ms, HASH)
    assert head is not None
    signature = EC.sign(head)
    body = at_ms.to_bytes(8, "big") + algorithm + len(signature).to_bytes(2, "big") + signature + behind
    read, signatures = parse_note(text + b"\n" + signature_line(key, body), "note")
    return signed_by(read, signatures, key)


def test_a_tree_head_of_a_ct_log() -> None:
    """RFC 6962 §3.5 inside of a note: size, root and moment are signed; another algorithm, a longer body or a fourth line is none."""
    assert ct_note()
    assert not ct_note(size=8)
    assert not ct_note(algorithm=b"\4\1")
    assert not ct_note(algorithm=b"\2\3")
    assert not ct_note(behind=b"\0")
    assert not ct_note(text=TEXT + b"more\n")
    assert not ct_note(text=TEXT.replace(b"\n7\n", b"\nseven\n"))
    assert not ct_note(text=TEXT.replace(B64.encode(), base64.b64encode(HASH[:31])))
    most = (1 << 64) - 1
    assert tree_head(0, 0, HASH) == b"\0\1" + bytes(16) + HASH
    assert tree_head(most, most, HASH) == b"\0\1" + b"\xff" * 16 + HASH
    assert tree_head(most + 1, 0, HASH) is tree_head(0, most + 1, HASH) is tree_head(-1, 0, HASH) is tree_head(0, -1, HASH) is None


def test_no_kind_of_signature_passes_for_another() -> None:
    """A log's plain signature is no cosignature and the other way round, by the same key and name; a moment beyond 2^63 is none."""
    public = parse_public(ED.public, "ed")
    plain, witness = note_key("x", public), note_key("x", public, cosigner=True)
    assert (plain.hash, plain.kind) != (witness.hash, witness.kind) == (witness.hash, COSIGNATURE)
    line, cosigned = note_line("x", TEXT, ED), cosign("x", TEXT, ED, 1_790_000_000)
    for raw, key, good in ((line, plain, True), (line, witness, False), (cosigned, witness, True), (cosigned, plain, False)):
        read, signatures = parse_note(TEXT + b"\n" + raw, "note")
        assert signed_by(read, signatures, key) is good
    late = signature_line(witness, (1 << 63).to_bytes(8, "big") + ED.sign(b"cosignature/v1\ntime %d\n" % (1 << 63) + TEXT))
    read, signatures = parse_note(TEXT + b"\n" + late, "note")
    assert not signed_by(read, signatures, witness)


def test_one_bad_line_of_a_known_key_spoils_the_note() -> None:
    """A good line and a bad one of the same name and key do not hold; bad lines of others do not matter."""
    key = note_key("x", parse_public(ED.public, "ed"))
    good, bad = note_line("x", TEXT, ED), signature_line(key, bytes(64))
    other = "\u2014 y AAAAAAAA\n".encode()
    named = signature_line(NoteKey("y", key.kind, key.public), bytes(64))
    renewed = signature_line(note_key("x", parse_public(EC.public, "ec")), bytes(64))
    borrowed = f"\u2014 y {base64.b64encode(key.hash + bytes(64)).decode()}\n".encode()
    for passed in (named, renewed, borrowed):
        read, signatures = parse_note(TEXT + b"\n" + good + passed, "note")
        assert signed_by(read, signatures, key)
    for lines, due in ((good, True), (good + other, True), (good + good, True), (good + bad, False), (bad, False), (other, False)):
        read, signatures = parse_note(TEXT + b"\n" + lines, "note")
        assert signed_by(read, signatures, key) is due


def test_a_verifier_key_is_read_back() -> None:
    """What `vkey` prints names the same key, for logs of both kinds and for witnesses; a digit off its hash, and it is refused."""
    ed, ec = parse_public(ED.public, "ed"), parse_public(EC.public, "ec")
    keys = (note_key("a/b", ed), note_key("a/b", ec), note_key("a/b", ed, cosigner=True), NoteKey("a/b", TREE_HEAD, ec))
    assert [base64.b64decode(key.vkey.split("+", 2)[2])[0] for key in keys] == [1, 2, 4, 5]  # as C2SP signed-note numbers them
    for key in keys:
        assert parse_vkey(key.vkey) == key
        digit = "1" if key.vkey[4] != "1" else "2"
        with pytest.raises(Refused):
            parse_vkey(key.vkey[:4] + digit + key.vkey[5:])
    with pytest.raises(Refused):
        note_key("a", ec, cosigner=True)


LINE = note_line("x", TEXT, ED)
NOTE = TEXT + b"\n" + LINE


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        TEXT,
        TEXT + b"\n",
        NOTE[:-1],
        NOTE.replace(b"\n\n", b"\n"),
        NOTE + b"\n",
        NOTE.replace(b"7", b"\x07"),
        NOTE.replace(b"7", b"\xff"),
        b"x" * NOTE_CHARS_MAX + NOTE,
        NOTE.replace("\u2014".encode(), b"-"),
        NOTE.replace(b" x ", b" x+y "),
        NOTE.replace(b" x ", b" "),
        NOTE.replace(b" x ", b"  "),
        TEXT + "\n\u2014 x AAAAAA==\n".encode(),  # a key's hash and no signature
        TEXT + "\n\u2014 x AAAAAAB=\n".encode(),  # unused bits set
        TEXT + "\n\u2014 x AAAAAAA\n".encode(),
        TEXT + b"\n" + LINE * (NOTE_SIGNATURES_MAX + 1),
    ],
    ids=range(17),
)
def test_a_note_has_one_spelling(raw: bytes) -> None:
    """Cut, joined, of other signs, longer, or with a line that is no signature: refused whole, naming the note."""
    assert parse_note(NOTE, "note")[0] == TEXT
    assert len(parse_note(TEXT + b"\n" + LINE * NOTE_SIGNATURES_MAX, "note")[1]) == NOTE_SIGNATURES_MAX
    with pytest.raises(Corrupt, match=r"^log\.note: at note: "):
        parse_note(raw, "note")


def test_a_verifier_key_that_is_published() -> None:
    """Go's checksum database, as every Go installation has it; the same bytes under another kind are another key."""
    text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    key = parse_vkey(text)
    assert (key.name, key.hash.hex(), key.kind, key.vkey) == ("sum.golang.org", "033de0ae", 1, text)
    with pytest.raises(Refused, match=r"^note\.vkey: at verifier key: found hash 033de0ae"):
        parse_vkey(text.replace("+Ac4", "+BM4"))


GOOD = write_proof(3, [HASH, HASH], b"checkpoint\n").decode()


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("v1", "v2"),
        GOOD.replace("index 3", "index 03"),
        GOOD.replace("index 3", "index -3"),
        GOOD.replace("index 3\n", ""),
        GOOD.replace(B64, B64.rstrip("="), 1),
        GOOD.replace(B64, base64.b64encode(HASH[:31]).decode(), 1),
        GOOD.replace(B64, base64.b64encode(HASH + HASH).decode(), 1),
        GOOD.replace("checkpoint\n", ""),
        GOOD.replace("\n\n", "\n"),
        write_proof(3, [HASH] * (PATH_MAX + 1), b"checkpoint\n").decode(),
        GOOD.replace("index", "extra !\nindex"),
    ],
)
def test_a_proof_has_one_spelling(text: str) -> None:
    """Another version, number, hash, base64 or part: refused, naming the proof."""
    assert len(parse_proof(GOOD.encode()).path) == 2
    with pytest.raises(Corrupt) as found:
        parse_proof(text.encode())
    assert found.value.code == "log.proof"


ASKED = write_request(5, [HASH], TEXT).decode()


@pytest.mark.parametrize(
    "text",
    [
        ASKED.replace("old 5", "old 05"),
        ASKED.replace("old 5", "old -5"),
        ASKED.replace("old 5", "new 5"),
        ASKED.replace(B64, B64[:-2] + "9=", 1),  # unused bits set
        ASKED.replace(B64, base64.b64encode(HASH[:31]).decode(), 1),
        ASKED.replace(B64, base64.b64encode(HASH + b"x").decode(), 1),
        ASKED.replace("\n\n", "\n"),
        write_request(5, [HASH] * (PROOF_MAX + 1), TEXT).decode(),
    ],
)
def test_a_request_has_one_spelling(text: str) -> None:
    """Another size, hash, base64 or part: refused, naming the request."""
    assert parse_request(ASKED.encode()).proof == (HASH,)
    with pytest.raises(Refused) as found:
        parse_request(text.encode())
    assert found.value.code == "witness.request"


@pytest.mark.parametrize(
    ("name", "is_one"), [("log.example/1", True), ("", False), (" a", False), ("a ", False), ("a\u00a0b", False), ("a+b", False)]
)
def test_names_of_keys(name: str, is_one: bool) -> None:
    """Not empty, no blank of Unicode anywhere, no plus."""
    assert is_note_name(name) is is_one
