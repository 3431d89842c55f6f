"""The quick reading of plain documents gives what the strict one gives, or leaves it to that: on whole, damaged and oddly written ones."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from release_dossier import digest
from release_dossier.digest import canonical, parse_canonical, parse_json, read_as
from release_dossier.errors import Refused
from release_dossier.limits import JSON_DEPTH_MAX
from release_dossier.trust import dsse, statement
from release_dossier.trust.dsse import decode_base64, parse_envelope
from release_dossier.trust.statement import parse_intoto, parse_statement

WORDS = ["", "a", "é", "\u2028", "𝄞", "\\u", "\x7f", "\x01", '"', "/", "a" * 20, "1e5", ",1.5", ",1234567890123456", "0" * 40]
NUMBERS = [0, 1, -1, 2**53 - 1, 2**53, 2**53 + 1, 10**15, 10**16, 2**63, 2**64, -(2**63), 10**30, 0.0, 1.5, -0.0, 1e21, 1e-7, 1e300]
KEYS = ["a", "b", "é", "Z", "", "ﬀ", "𝄞", 'c"d']
DAMAGE = b'{}[],:"0123eE.-\\ua \xf0\xed\xa0\x80'


def value(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON, with what parsers differ about."""
    kind = rng.randrange(6 if depth < 4 else 3)
    if kind < 3:
        return rng.choice([rng.choice(WORDS), rng.choice(NUMBERS), rng.choice([True, False, None])])
    if kind < 5:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(KEYS): value(rng, depth + 1) for _ in range(rng.randrange(4))}


def written(rng: random.Random, v: Any) -> bytes:
    """As one of many would write it; half of the time with a byte changed, gone or doubled."""
    plain = json.dumps(v, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    spaced = json.dumps(v, ensure_ascii=rng.random() < 0.5, separators=rng.choice([(", ", ": "), (",", " :"), ("\n,", "\t: ")])).encode()
    raw = bytearray(rng.choice([plain, plain, spaced]))
    if rng.random() < 0.5:
        at = rng.randrange(len(raw))
        match rng.randrange(3):
            case 0:
                raw[at] = rng.choice(DAMAGE)
            case 1:
                del raw[at]
            case _:
                raw[at:at] = raw[max(0, at - rng.randrange(1, 30)) : at]
    return bytes(raw)


def said(read: Callable[[bytes, str], Any], raw: bytes) -> tuple[str, str]:
    try:
        return "read", repr(read(raw, "it"))
    except Refused as e:
        return "refused", e.code


def test_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same value or the same refusal, to the type of each number; and the same word on whether it is canonical."""
    rng, quick, once = random.Random(20261126), 0, 0
    for _ in range(12_000):
        raw = written(rng, {rng.choice(KEYS): value(rng) for _ in range(rng.randrange(1, 4))})
        fast, canonically = said(parse_json, raw), said(parse_canonical, raw)
        quick += digest.read_plainly(digest._plain, raw) is not None
        once += digest._read_once_each(raw) is not None
        with monkeypatch.context() as m:
            m.setattr(digest, "read_plainly", lambda decoder, raw: None)
            m.setattr(digest, "_read_once_each", lambda raw: None)
            assert fast == said(parse_json, raw), raw
            assert canonically == said(lambda raw, at: (v := parse_json(raw, at), canonical(v) == raw), raw), raw
    assert quick > 1000
    assert once > 2000


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}', b'{"a":1,"b":{"c":1,"c":1}}', b'[{"a":1},{"b":1,"b":1}]', b'{"a" :1,"a":2}', b'{"a"\n:1,"a":2}',
        b'{"a/b":1,"a\\/b":2}', b'{"a":1,"\\u0061":2}', b'{"\\":":1,"\\":":2}', b'{"":1,"":1}', b'[[[{"":{"x":0,"x":0}}]]]',
    ],
)  # fmt: skip
def test_a_key_that_is_there_twice(raw: bytes) -> None:
    """However it is spelled, wherever it lies and whatever stands around it."""
    with pytest.raises(Refused) as refused:
        parse_json(raw, "it")
    assert refused.value.code == "json.duplicate-key"


@pytest.mark.parametrize("raw", [b'{"a":' + b"9" * 401 + b"}", b"[" + b"1" * 5000 + b"]"])
def test_a_number_nobody_writes(raw: bytes) -> None:
    """Longer than any figure: refused before it costs time."""
    with pytest.raises(Refused) as refused:
        parse_json(raw, "it")
    assert refused.value.code == "json.number"


def test_envelopes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields it does not know, empty key ids, doubled keys and blanks: read or refused as before."""
    rng, quick = random.Random(20261127), 0
    for _ in range(6_000):
        signatures = [{"keyid": rng.choice(["", "k"]), "sig": "YQ=="} for _ in range(rng.randrange(3))]
        e = {"payload": rng.choice(["", "YQ==", "YWI=", "YWJj"]), "payloadType": dsse.PAYLOAD_TYPE, "signatures": signatures}
        e |= {"typedSignatures": [{"keyid": "k", "sig": "s", "type": "sshsig"}][: rng.randrange(2)]} if rng.random() < 0.4 else {}
        e |= {"more": 1} if rng.random() < 0.1 else {}
        raw = written(rng, e)
        fast = said(parse_envelope, raw)
        quick += read_as(dsse._decoder, raw) is not None
        with monkeypatch.context() as m:
            m.setattr(dsse, "read_as", lambda decoder, raw: None)
            assert fast == said(parse_envelope, raw), raw
    assert quick > 500


@pytest.mark.parametrize("read", [parse_statement, parse_intoto])
def test_statements(read: Callable[[bytes, str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ours and of somebody else's: other types, fields it does not know, no project, predicates with whatever JSON holds."""
    rng, plain, quick = random.Random(20261129), statement.read_plainly, [0, 0]

    def counted(*given: Any) -> Any:
        found = plain(*given)
        quick[found is not None] += 1
        return found

    for _ in range(6_000):
        subject = [{"name": rng.choice(WORDS), "digest": {rng.choice(KEYS): "ab"}} for _ in range(rng.randrange(3))]
        predicate = {rng.choice(KEYS): value(rng, 3) for _ in range(rng.randrange(3))}
        kinds = [f"{statement.PREDICATE_BASE}evidence/v1", f"{statement.PREDICATE_BASE}evidence/v2", "https://slsa.dev/provenance/v1", ""]
        s = {"_type": statement.STATEMENT_TYPE if rng.random() < 0.9 else rng.choice(["https://in-toto.io/Statement/v0.1", ""])}
        s |= {
            "subject": subject,
            "predicateType": rng.choice(kinds),
            "predicate": predicate | ({"project": "p"} if rng.random() < 0.8 else {}),
        }
        s |= {"more": 1} if rng.random() < 0.1 else {}
        raw = written(rng, s)
        with monkeypatch.context() as m:
            m.setattr(statement, "read_plainly", counted)
            fast = said(read, raw)
            m.setattr(statement, "read_plainly", lambda *_: None)
            assert fast == said(read, raw), raw
    assert min(quick) > 200


@pytest.mark.parametrize("read", [parse_statement, parse_intoto])
def test_how_deep_a_statement_may_nest(read: Callable[[bytes, str], Any]) -> None:
    """As deep as any document, its own braces counted, and no level more."""
    for levels, word in (JSON_DEPTH_MAX, "read"), (JSON_DEPTH_MAX + 1, "refused"):
        deep = "[" * (levels - 2) + "]" * (levels - 2)
        kind = f'"predicateType":"{statement.PREDICATE_BASE}evidence/v1","subject":[{{"digest":{{"sha256":"ab"}},"name":"n"}}]'
        raw = f'{{"_type":"{statement.STATEMENT_TYPE}","predicate":{{"a":{deep},"project":"p"}},{kind}}}'.encode()
        assert said(read, raw)[0] == word


def test_how_large_an_envelope_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third more than a document, and a MiB for the signatures; no byte more."""
    monkeypatch.setattr(dsse, "DOCUMENT_BYTES_MAX", 3000)
    most = 4000 + 1024 * 1024
    signature = {"keyid": "", "sig": "YQ=="}
    e = {"payload": "YWFh" * 1000, "payloadType": dsse.PAYLOAD_TYPE, "signatures": [signature]}
    signature["keyid"] = "k" * (most - len(canonical(e)))
    assert len(canonical(e)) == most
    assert parse_envelope(canonical(e), "it").payload == b"aaa" * 1000
    signature["keyid"] += "k"
    assert said(parse_envelope, canonical(e)) == ("refused", "json.too-large")


def test_base64() -> None:
    """One alphabet, padded, no unused bit set: what decodes is what encodes to the same text again."""
    import base64

    rng = random.Random(20261128)
    for _ in range(20_000):
        data = rng.randbytes(rng.randrange(9))
        text = rng.choice([base64.b64encode, base64.urlsafe_b64encode])(data).decode()
        if rng.random() < 0.5:
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice("ABab01+/-_= \n\0é") + text[at + rng.randrange(2) :]
        spelled = []
        for alphabet in (None, b"-_"):
            try:
                decoded = base64.b64decode(text, altchars=alphabet, validate=True)
            except ValueError:
                continue
            spelled += [repr(decoded)] if base64.b64encode(decoded, alphabet).decode() == text else []
        assert said(decode_base64, text) == (("read", spelled[0]) if spelled else ("refused", "envelope.base64")), text  # type: ignore[arg-type]


def test_the_longest_whole_number_is_one_however_it_is_read() -> None:
    """401 characters with the sign are refused in every spelling around them, 400 in none."""
    for before in (b"[", b'{"a":', b'{"a" :'):
        after = b"]" if before == b"[" else b"}"
        assert parse_json(before + b"-" + b"1" * 399 + after, "a number")
        with pytest.raises(Refused):
            parse_json(before + b"-" + b"1" * 400 + after, "a number")
