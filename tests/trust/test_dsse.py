"""Envelopes: what is signed, what is read, and who really signed."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_dossier.digest import canonical, canonical_words, is_canonical, parse_json
from release_dossier.errors import DossierError, Refused
from release_dossier.limits import JSON_DEPTH_MAX
from release_dossier.trust.dsse import PAYLOAD_TYPE, decode_base64, pae, parse_envelope, seal, signers_of, valid_keys
from release_dossier.trust.keys import P256, generate, parse_private, parse_public
from release_dossier.trust.statement import Subject, state

STATEMENT = state("evidence", "sha256:" + "0" * 64, [Subject("api", {"sha256": "1" * 64})], {"verdict": "pass"})


def test_pae_is_the_specifications() -> None:
    """The encoding is the example of the DSSE specification, lengths in bytes and not characters."""
    assert pae("http://example.com/HelloWorld", b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("é", "é".encode()) == "DSSEv1 2 é 2 é".encode()


def test_a_standard_library_reads_our_envelopes(town: Any) -> None:
    """securesystemslib parses and verifies what `seal` writes, with the person's typed signature beside it."""
    from securesystemslib.dsse import Envelope as Outside
    from securesystemslib.signer import SSlibKey

    raw = town.envelope(STATEMENT, "ann")
    value = json.loads(raw)
    assert [s["type"] for s in value.pop("typedSignatures")] == ["sshsig"]
    runner = town.signers["runner"]
    public = base64.b64decode(runner.public.split()[1])[-32:].hex()
    outside = Outside.from_dict(value)
    key = SSlibKey(runner.key_id, "ed25519", "ed25519", {"public": public})
    assert set(outside.verify([key], 1)) == {runner.key_id}
    assert outside.pae() == pae(PAYLOAD_TYPE, STATEMENT.raw)


def test_every_valid_signature_counts_and_no_other(town: Any) -> None:
    """Machines and people who signed are named; those who did not, and strangers, are not."""
    envelope = parse_envelope(town.envelope(STATEMENT, "ann", "stranger"), "x")
    known = {town.key(n).id: town.key(n).public for n in ("ann", "bob", "runner")}
    assert valid_keys(envelope, known, "x") == {town.key("ann").id, town.key("runner").id}
    assert valid_keys(envelope, {}, "x") == frozenset()


def test_a_signature_does_not_move_to_another_statement(town: Any) -> None:
    """Signatures of one statement around another count for nothing, machine's and person's alike."""
    other = state("evidence", "sha256:" + "0" * 64, [Subject("api", {"sha256": "1" * 64})], {"verdict": "fail"})
    value = json.loads(town.envelope(STATEMENT, "ann")) | {"payload": base64.b64encode(other.raw).decode()}
    known = {town.key(n).id: town.key(n).public for n in ("ann", "runner")}
    assert valid_keys(parse_envelope(canonical(value), "x"), known, "x") == frozenset()


def test_a_key_listed_under_another_name_counts_for_nothing(town: Any) -> None:
    """A table that calls the stranger's key by Bob's id does not make the stranger Bob."""
    envelope = parse_envelope(seal(STATEMENT, (town.signers["stranger"],), (town.sign(STATEMENT, "stranger"),)), "x")
    value = envelope.as_json()
    value["signatures"][0]["keyid"] = value["typedSignatures"][0]["keyid"] = town.key("bob").id
    forged = parse_envelope(canonical(value), "x")
    assert valid_keys(forged, {town.key("bob").id: town.key("stranger").public}, "x") == frozenset()
    assert valid_keys(forged, {town.key("bob").id: town.key("bob").public}, "x") == frozenset()


def test_one_bad_signature_hides_no_good_one(town: Any) -> None:
    """Malformed, unknown and wrong signatures stand beside a good one, which counts."""
    value = json.loads(town.envelope(STATEMENT, "ann"))
    value["signatures"].insert(0, {"keyid": "SHA256:x", "sig": "AAAA"})
    value["signatures"].insert(0, {"keyid": town.key("runner").id, "sig": "AAAA"})
    value["typedSignatures"].insert(0, {"type": "sshsig", "keyid": town.key("ann").id, "sig": "not armor"})
    value["typedSignatures"].insert(0, {"type": "passkey", "keyid": town.key("bob").id, "sig": "later"})
    known = {town.key(n).id: town.key(n).public for n in ("ann", "bob", "runner")}
    assert valid_keys(parse_envelope(canonical(value), "x"), known, "x") == {town.key("ann").id, town.key("runner").id}


def test_an_absent_key_id_means_any_key(town: Any) -> None:
    """DSSE's key id is a hint: a signature without one is tried with every known key."""
    value = json.loads(seal(STATEMENT, (town.signers["runner"],)))
    del value["signatures"][0]["keyid"]
    known = {town.key(n).id: town.key(n).public for n in ("bob", "runner")}
    assert valid_keys(parse_envelope(canonical(value), "x"), known, "x") == {town.key("runner").id}


def test_ecdsa_signatures_are_read_as_der_and_as_pairs() -> None:
    """One P-256 signature, in both spellings in use, is good; with a byte changed neither is."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    signer = parse_private(generate(P256)[0], "x")
    value = json.loads(seal(STATEMENT, (signer,)))
    der = base64.b64decode(value["signatures"][0]["sig"])
    r, s = decode_dss_signature(der)
    for spelling in (der, r.to_bytes(32, "big") + s.to_bytes(32, "big")):
        for broken in (False, True):
            sig = spelling[:-1] + bytes([spelling[-1] ^ broken])
            value["signatures"][0]["sig"] = base64.b64encode(sig).decode()
            found = valid_keys(parse_envelope(canonical(value), "x"), {signer.key_id: signer.public}, "x")
            assert found == (frozenset() if broken else {signer.key_id})


def test_sealing_twice_gives_the_same_bytes(town: Any) -> None:
    """Neither Ed25519 nor ECDSA signing draws a number."""
    signer = parse_private(generate(P256)[0], "x")
    assert seal(STATEMENT, (signer, town.signers["runner"])) == seal(STATEMENT, (signer, town.signers["runner"]))


GOOD = {"payload": "e30=", "payloadType": PAYLOAD_TYPE, "signatures": [{"keyid": "", "sig": "AAAA"}]}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"payload": "e30"}, "envelope.base64"),
        ({"payload": "e31="}, "envelope.base64"),  # an unused bit is set
        ({"payload": "e3 0="}, "envelope.base64"),
        ({"payload": "-_+/"}, "envelope.base64"),  # both alphabets
        ({"payload": "é30="}, "envelope.base64"),
        ({"payload": 1}, "envelope.shape"),
        ({"payloadType": "text/plain"}, "envelope.payload-type"),
        ({"signatures": []}, "envelope.signatures"),
        ({"signatures": [{"sig": "AAAA"}] * 101}, "envelope.signatures"),
        ({"typedSignatures": [{"type": "sshsig", "keyid": "", "sig": ""}] * 101}, "envelope.signatures"),
        ({"signatures": [{"sig": "A"}]}, "envelope.base64"),
        ({"signatures": "AAAA"}, "envelope.shape"),
        ({"signatures": [{}]}, "envelope.shape"),
    ],
)
def test_a_bad_envelope_is_refused_with_its_reason(change: dict[str, Any], code: str) -> None:
    """Each fault has its own code."""
    assert parse_envelope(canonical(GOOD), "x").payload == b"{}"
    with pytest.raises(Refused) as e:
        parse_envelope(canonical(GOOD | change), "x")
    assert e.value.code == code


def test_a_second_envelope_inside_is_no_statement(town: Any) -> None:
    """One layer: what is inside must be a statement, not an envelope again."""
    from release_dossier.trust.statement import parse_statement

    inner = town.envelope(STATEMENT)
    value = json.loads(inner) | {"payload": base64.b64encode(inner).decode()}
    with pytest.raises(Refused) as e:
        parse_statement(parse_envelope(canonical(value), "x").payload, "x")
    assert e.value.code == "statement.type"


def test_both_alphabets_are_read_but_not_mixed() -> None:
    """DSSE allows either alphabet."""
    assert decode_base64("-_-_", "x") == decode_base64("+/+/", "x") == b"\xfb\xff\xbf"


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nothing_but_typed_refusals(raw: bytes) -> None:
    """Whatever the bytes, reading them ends in an envelope or a typed refusal."""
    with suppress(DossierError):
        valid_keys(parse_envelope(raw, "x"), {}, "x")


@settings(max_examples=200)
@given(st.data())
def test_no_bit_of_an_envelope_is_free(town: Any, data: st.DataObject) -> None:
    """Flip any bit: refused, or fewer keys verify, or the bytes are not those `as_json` writes."""
    raw = town.envelope(STATEMENT, "ann")
    known = {town.key(n).id: town.key(n).public for n in ("ann", "runner")}
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    flipped = bytearray(raw)
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        envelope = parse_envelope(bytes(flipped), "x")
    except Refused:
        return
    assert valid_keys(envelope, known, "x") != set(known) or canonical(envelope.as_json()) != bytes(flipped)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
        max_leaves=12,
    ),
    st.sampled_from(["same", "spaces", "ascii", "unsorted"]),
)
def test_the_quick_way_to_ask_for_canonical_json_says_the_same(value: Any, how: str) -> None:
    """Whatever the JSON and however it is spelled, `is_canonical` agrees with writing it anew; so does writing words alone."""
    spelled = {
        "same": canonical(value),
        "spaces": json.dumps(value, ensure_ascii=False, sort_keys=True).encode(),
        "ascii": json.dumps(value, separators=(",", ":"), sort_keys=True).encode(),
        "unsorted": json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(),
    }[how]
    again = parse_json(spelled, "x")
    assert is_canonical(again, spelled) == (canonical(again) == spelled)
    if "." not in spelled.decode() and "e" not in spelled.decode():
        assert canonical_words(again) == canonical(again)


@pytest.mark.parametrize(
    "wide", [10**16, -(10**16), 2**60, [2**60], {"a": -(2**60)}, [0, 2**60], ["0" * 16, -(2**60)], {"a": 1, "b": 2**60}]
)
def test_wide_numbers_are_not_words(wide: Any) -> None:
    """Wherever one stands, writing words alone refuses it as canonical JSON does."""
    with pytest.raises(Refused, match=r"json\.not-canonical"):
        canonical_words(wide)


@pytest.mark.parametrize(("open_", "close"), [("[", "]"), ('{"a":', "}"), ('[0,{"b":1,"a":', "}]")])
def test_nesting_ends_somewhere(open_: str, close: str) -> None:
    """However the levels are made: the last that may be, and one more."""
    levels = open_.count("[") + open_.count("{")
    most = JSON_DEPTH_MAX // levels
    assert parse_json((open_ * most + "0" + close * most).encode(), "x")
    with pytest.raises(Refused, match=r"json\.too-deep"):
        parse_json((open_ * (most + 1) + "0" + close * (most + 1)).encode(), "x")


def test_what_is_written_can_be_read() -> None:
    """RFC 8785 writes 2.0**53 without a point, and a reader finds a whole number it must refuse: so signing refuses it."""
    with pytest.raises(Refused) as found:
        state("evidence", "p", [Subject("s", {})], {"fact": 2.0**60})
    assert found.value.code == "json.not-canonical"
    assert state("evidence", "p", [Subject("s", {})], {"fact": 2.0**52, "text": ":1234567890123456789"}).digest


@given(st.text(max_size=30), st.integers(0, 3))
def test_a_strict_reader_reads_what_another_reads_or_refuses(text: str, doubled: int) -> None:
    """A document with a piece of it written twice is refused, or read as another strict reader does."""
    raw = canonical({"a": [text, 1, {"k": text}], "b": {"c": None, "d": True}})
    parts = raw.split(b",")
    spelled = b",".join(parts[: doubled + 1] + parts[doubled:]) if doubled else raw
    try:
        expected = json.loads(spelled, object_pairs_hook=lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else 1 / 0)
    except (ValueError, ZeroDivisionError):
        with pytest.raises(Refused):
            parse_json(spelled, "x")
    else:
        assert parse_json(spelled, "x") == expected


def test_a_key_that_signs_twice_counts_once_and_an_unknown_one_never() -> None:
    """Whatever their ids say: of three signatures, two by one key and one by nobody's, one key is counted."""
    one, other, stranger = (parse_private(generate()[0], "k") for _ in range(3))
    statement = state("approval", "sha256:" + "0" * 64, [Subject("x", {"sha256": "0" * 64})], {"a": 1})
    envelope = parse_envelope(seal(statement, (one, stranger, one)), "e")
    known = [parse_public(k.public, "k") for k in (one, other)]
    assert signers_of(envelope, known) == {one.key_id}
    assert signers_of(envelope, known[1:]) == frozenset()
