"""docs/vectors/: what another implementer needs to write a verifier. `write` makes the files, `check` says which differ.

Keys come from fixed seeds and every signature here is deterministic, so the files are the same whenever they are made. They change only
when a format does; what stands in them once must be read for ever.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from release_dossier.bundle import attestation, examine, manifest, open_bytes, pack, sums
from release_dossier.digest import canonical, parse_json, sha256
from release_dossier.errors import DossierError
from release_dossier.trust.document import Key, Person, Producer, Revocation, append_version, first_version, next_version, parse_chain
from release_dossier.trust.dsse import pae, parse_envelope, seal, valid_keys
from release_dossier.trust.keys import P256 as P256_KEY
from release_dossier.trust.keys import SK_ED25519, SK_P256, Signer, ecdsa_with, parse_private, parse_public, passkey, public_of_point
from release_dossier.trust.log import (
    Entry,
    Tree,
    leaf_data,
    leaf_of,
    leaves_of,
    make_checkpoint,
    next_entry,
    origin_of,
    parse_checkpoint,
    tree_root,
)
from release_dossier.trust.merkle import node_hash
from release_dossier.trust.note import cosign, note_key, note_line, parse_vkey, signed_by
from release_dossier.trust.proof import parse_proof, proves, write_proof
from release_dossier.trust.sshsig import armor_signature
from release_dossier.trust.statement import PAYLOAD_TYPE, Statement, Subject, parse_statement, state
from release_dossier.trust.tiles import Tile, bundle_of, hashes_in, tiles_between
from release_dossier.trust.webauthn import assertion_text, challenge

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "docs" / "vectors"
GOLDEN = "../../tests/thread/golden"
PROJECT = "sha256:" + "5" * 64
AT, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
WITHIN = "2026-01-01T00:00:00.0000005Z"


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def signer_of(seed: int, kind: str = "ed25519") -> Signer:
    """The key of a number. Everybody can make it: it is for trying, and for nothing else."""
    if kind == "ed25519":
        key: Any = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    else:
        key = ec.derive_private_key(int.from_bytes(bytes([seed]) * 31, "big"), ec.SECP256R1() if kind == "p256" else ec.SECP384R1())
    raw = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    return parse_private(raw, f"key {seed}")


ANN, BOB, RUNNER, STRANGER = (signer_of(n) for n in (1, 2, 3, 4))
P256, P384 = signer_of(5, "p256"), signer_of(6, "p384")

WEAK = public_of_point(bytes([1]) + bytes(31))  # the neutral element: of small order


def said(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `act` gives, or the code it is refused with."""
    try:
        return act()
    except DossierError as e:
        return {"refuse": e.code}


# Canonical JSON


def jcs() -> list[dict[str, Any]]:
    texts = {
        "keys in order of UTF-16": '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}',
        "numbers": "[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001,-0,1e21,1e20,0.1,5e-324,1.7976931348623157e308]",
        "whole numbers": "[9007199254740991,-9007199254740991,0,10,100000000000000000.0]",
        "text": '"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/\\u007f\\u2028"',
        "white space": ' { "b" : [ true , false , null ] , "a" : { } } ',
        "depth 64": "[" * 64 + "]" * 64,
        "depth 65": "[" * 65 + "]" * 65,
        "a key twice": '{"a":1,"a":1}',
        "a key twice by escape": '{"a":1,"\\u0061":2}',
        "lone surrogate": '"\\ud800"',
        "surrogates the wrong way round": '"\\udc00\\ud800"',
        "whole number beyond 2^53": "9007199254740993",
        "number beyond a double": "1e400",
        "NaN": "NaN",
        "leading zero": "01",
        "no number behind the point": "1.",
        "control character": '"\n"',
        "two values": "1 2",
        "comma at the end": "[1,]",
        "nothing": "",
        "unfinished": '{"a":',
    }
    raws = {name: text.encode() for name, text in texts.items()} | {
        "byte order mark in front": b"\xef\xbb\xbf1",
        "not UTF-8": b'"\xff"',
        "a surrogate as UTF-8": b'"\xed\xa0\x80"',
    }
    return [
        {"name": name, "input": b64(raw), **said(lambda raw=raw: {"canonical": b64(canonical(parse_json(raw, "vector")))})}
        for name, raw in raws.items()
    ]


# Keys, envelopes, statements


def keys() -> list[dict[str, Any]]:
    out = []
    for name, s in {"Ed25519": ANN, "P-256": P256, "P-384": P384}.items():
        public = parse_public(s.public, name)
        vkey = note_key("log.example/1", public).vkey if name != "P-384" else None
        out.append({"name": name, "public": s.public, "id": s.key_id, "spki": b64(public.spki()), "vkey": vkey})
    return out


def statement(n: int = 1, word: str = "approval") -> Statement:
    return state(word, PROJECT, [Subject("dossier", {"sha256": f"{n:064x}"})], {"role": "ops", "dossier": f"sha256:{n:064x}"})


def paes() -> list[dict[str, Any]]:
    pairs = [("http://example.com/HelloWorld", b"hello world"), (PAYLOAD_TYPE, statement().raw), ("é", b""), ("", b"\0\xff")]
    return [{"payloadType": t, "payload": b64(p), "pae": b64(pae(t, p))} for t, p in pairs]


def ssh(s: Signer, st: Statement, namespace: str = "release-dossier") -> tuple[str, str, str]:
    return "sshsig", s.key_id, armor_signature(s, pae(PAYLOAD_TYPE, st.raw), namespace)


SITE = "dossier.example"
PASSKEYS = {"ES256": ec.derive_private_key(7, ec.SECP256R1()), "EdDSA": ed25519.Ed25519PrivateKey.from_private_bytes(bytes([8]) * 32)}


def passkey_of(kind: str) -> Key:
    """The key a trust document would list."""
    public: Any = PASSKEYS[kind].public_key()
    if kind == "EdDSA":
        return passkey(SK_ED25519, public.public_bytes_raw(), SITE)
    form = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    return passkey(SK_P256, public.public_bytes(*form), SITE)


def asserted(kind: str, st: Statement, flags: int = 0x05, rest: bytes = b"", **more: Any) -> tuple[str, str, str]:
    """What a browser returns for a statement, with these flags, extensions and words of client data."""
    asked = base64.urlsafe_b64encode(challenge(pae(PAYLOAD_TYPE, st.raw))).decode().rstrip("=")
    client = canonical({"type": "webauthn.get", "challenge": asked, "origin": f"https://{SITE}", "crossOrigin": False} | more)
    data = hashlib.sha256(SITE.encode()).digest() + bytes([flags]) + (7).to_bytes(4, "big") + rest
    signed, key = data + hashlib.sha256(client).digest(), PASSKEYS[kind]
    made = key.sign(signed) if isinstance(key, ed25519.Ed25519PrivateKey) else key.sign(signed, ecdsa_with(P256_KEY, deterministic=True))
    return "webauthn", passkey_of(kind).id, assertion_text(data, client, made)


def passkey_cases(one: Statement) -> dict[str, tuple[tuple[str, str, str], ...]]:
    """Assertions by name: those that count, and one for each thing that must not."""
    good = asserted("ES256", one)
    return {
        "passkeys, ES256 and EdDSA": (good, asserted("EdDSA", one)),
        "a passkey on a page below its site": (asserted("ES256", one, origin=f"https://people.{SITE}:8443"),),
        "a passkey with extensions": (asserted("ES256", one, flags=0x85, rest=b"\xa0"),),
        "a passkey over another statement": (asserted("ES256", statement(2)),),
        "a passkey of nobody present": (asserted("ES256", one, flags=0x04),),
        "a passkey of nobody verified": (asserted("ES256", one, flags=0x01),),
        "a passkey at registration": (asserted("ES256", one, type="webauthn.create"),),
        "a passkey on another site": (asserted("ES256", one, origin="https://dossier.example.attacker.test"),),
        "a passkey on a site that ends alike": (asserted("ES256", one, origin=f"https://not{SITE}"),),
        "a passkey on a page that is not secure": (asserted("ES256", one, origin=f"http://{SITE}"),),
        "a passkey inside of another's page": (asserted("ES256", one, crossOrigin=True),),
        "a passkey with bytes behind that no flag announces": (asserted("ES256", one, rest=b"\xa0"),),
        "a passkey under another's name": (("webauthn", passkey_of("EdDSA").id, good[2]),),
        "a passkey's assertion by a key that is none": (("webauthn", ANN.key_id, good[2]),),
        "a passkey's assertion in another spelling": ((*good[:2], " " + good[2]),),
    }


def envelopes() -> list[dict[str, Any]]:
    known = {s.key_id: s.public for s in (ANN, BOB, RUNNER, P256, P384)}
    weak = known | {WEAK.id: WEAK.line}
    with_passkeys = known | {k.id: k.public for k in map(passkey_of, PASSKEYS)}
    one = statement()
    message = pae(PAYLOAD_TYPE, one.raw)

    def pair(s: Signer, half: int) -> bytes:
        r, t = decode_dss_signature(s.sign(message))
        return r.to_bytes(half, "big") + t.to_bytes(half, "big")

    def around(*signatures: tuple[str, bytes], typed: tuple[tuple[str, str, str], ...] = (), payload: bytes = one.raw) -> bytes:
        value: dict[str, Any] = {
            "payload": b64(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": k, "sig": b64(s)} for k, s in signatures],
        }
        if typed:
            value["typedSignatures"] = [{"type": t, "keyid": k, "sig": s} for t, k, s in typed]
        return canonical(value)

    mine = (RUNNER.key_id, RUNNER.sign(message))
    armour = ssh(ANN, one)
    begun, rest = armour[2].split("\n", 1)
    plain = seal(one, (RUNNER,))
    text = json.loads(plain)
    cases = {
        "a machine": plain,
        "a machine and two people": seal(one, (RUNNER,), (ssh(ANN, one), ssh(BOB, one))),
        "ECDSA in DER": around((P256.key_id, P256.sign(message)), (P384.key_id, P384.sign(message))),
        "ECDSA as a pair": around((P256.key_id, pair(P256, 32)), (P384.key_id, pair(P384, 48))),
        "a person by P-256": around(mine, typed=(ssh(P256, one),)),
        "no key id: any key": around(("", RUNNER.sign(message))),
        "no key id, as many times as all keys are tried": around(*[("", b"\0" * 64)] * 50, ("", RUNNER.sign(message))),
        "no key id, more often than all keys are tried": around(
            *[("", b"\0" * 64)] * 51, ("", RUNNER.sign(message)), (ANN.key_id, ANN.sign(message))
        ),
        "a key anybody signs for": around((WEAK.id, bytes([1]) + bytes(63)), mine),
        "a person's armour of more lines than fit": around(mine, typed=((*armour[:2], f"{begun}{chr(10) * 16_384}{rest}"),)),
        "the same signature twice is one signer": around(mine, mine),
        "one bad signature hides no good one": around((ANN.key_id, b"\0" * 64), mine),
        "the key id of another": around((ANN.key_id, RUNNER.sign(message))),
        "a key that is not known": around((STRANGER.key_id, STRANGER.sign(message))),
        "over the payload, not the encoding": around((RUNNER.key_id, RUNNER.sign(one.raw))),
        "another payload": around(mine, typed=(ssh(ANN, one),), payload=statement(2).raw),
        "a person in another namespace": around(mine, typed=(ssh(ANN, one, "file"),)),
        "a person's signature under another's name": around(mine, typed=(("sshsig", BOB.key_id, ssh(ANN, one)[2]),)),
        "a typed signature of a sort nobody knows": around(mine, typed=(("later", ANN.key_id, "x"),)),
        "an SSH signature in the place of a DSSE one": around((ANN.key_id, ssh(ANN, one)[2].encode())),
        "URL-safe base64": canonical({**text, "payload": text["payload"].replace("+", "-").replace("/", "_")}),
        "another payload type": canonical({**text, "payloadType": "text/plain"}),
        "payload without padding": canonical({**text, "payload": b64(b"." * 10).rstrip("=")}),
        "unused bits in base64": canonical({**text, "signatures": [{"keyid": "", "sig": "QR=="}]}),
        "no signature": canonical({**text, "signatures": []}),
        "a key twice": plain.replace(b'{"payload"', b'{"payload":"QQ==","payload"'),
    } | {name: around(mine, typed=typed) for name, typed in passkey_cases(one).items()}
    return [
        {
            "name": name,
            "keys": list(keys.values()),
            "envelope": b64(raw),
            **said(lambda raw=raw, keys=keys: {"signers": sorted(valid_keys(parse_envelope(raw, "vector"), keys, "vector"))}),
        }
        for name, raw in cases.items()
        for keys in [with_passkeys if "passkey" in name else weak if "anybody" in name else known]
    ]


def statements() -> list[dict[str, Any]]:
    good = statement()
    body = json.loads(good.raw)
    cases = {
        "an approval": good.raw,
        "white space": json.dumps(body).encode(),
        "another _type": canonical({**body, "_type": "https://in-toto.io/Statement/v0.1"}),
        "a word nobody knows": canonical({**body, "predicateType": "https://w3id.org/release-dossier/rumour/v1"}),
        "another version": canonical({**body, "predicateType": "https://w3id.org/release-dossier/approval/v2"}),
        "no project": canonical({**body, "predicate": {"role": "ops"}}),
        "further fields": canonical({**body, "later": 1}),
        "an envelope": seal(good, (RUNNER,)),
    }

    def read(raw: bytes) -> dict[str, Any]:
        found = parse_statement(raw, "vector")
        return {"word": found.word, "project": found.project, "digest": found.digest}

    return [{"name": name, "statement": b64(raw), **said(lambda raw=raw: read(raw))} for name, raw in cases.items()]


def changed(st: Statement, act: Callable[[dict[str, Any]], object]) -> Statement:
    """A trust statement whose document was changed, whatever it is then."""
    document = copy.deepcopy(st.predicate)
    act(document)
    return state("trust", st.project, list(st.subject), document)


def misshapen(st: Statement) -> dict[str, Statement]:
    """A trust document with one thing wrong, or one thing strange that is fine, each by name."""

    def field(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
        return lambda d: d.update({name: value})

    def person(**more: Any) -> Callable[[dict[str, Any]], object]:
        return lambda d: d["people"][0].update(more)

    def key(**more: Any) -> Callable[[dict[str, Any]], object]:
        return lambda d: d["people"][0]["keys"][0].update(more)

    def revoked(at: str) -> Callable[[dict[str, Any]], object]:
        return field("revocations", [{"key": STRANGER.key_id, "at": at, "reason": "lost"}])

    moments = (
        "2026-01-02T00:00:00.123456789+23:59", "2026-01-02 00:00:00+00:00", "20260102T000000Z", "2026-W01-5T00:00:00Z",
        "2026-01-02T00:00Z", "2026-01-02T00:00:00+00", "2026-01-02T00:00:00+24:00", "2026-01-02T00:00:00+00:00:30",
        "2026-01-02X00:00:00Z", "2026-01-02t00:00:00z", "2026-01-02T00:00:00,5Z", "2026-01-02T24:00:00Z", "2026-02-30T00:00:00Z",
        "2026-01-02T00:00:00", "0000-01-01T00:00:00Z", "0000-12-31T23:30:00-01:00",
        "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    )  # fmt: skip
    acts = {
        "fields nobody knows": lambda d: (d.update(later=1), d["people"][0].update(later=1)),
        "a person called *": person(id="*"),
        "a person whose name has a line end": person(id="ann\nbob"),
        "a person of no name": person(id=""),
        "a person without `name`": lambda d: d["people"][0].pop("name"),
        "addresses that are no list": person(emails="ann@example.org"),
        "a role that is a number": person(roles=["trust-root", 7]),
        "a credential that is a number": key(credential=7),
        "a public key with a line end": key(public=ANN.public[:40] + "\n" + ANN.public[40:]),
        "a public key with a comment": key(public=ANN.public + " ann"),
        "kinds that are a number": lambda d: d["producers"][0].update(kinds=7),
        "no `created_at`": lambda d: d.pop("created_at"),
        "no `project_name`": lambda d: d.pop("project_name"),
        "no `previous`": lambda d: d.pop("previous"),
        "made yesterday": field("created_at", "yesterday"),
        "a threshold that is true": field("threshold", True),
        **{f"revoked at {at}": revoked(at) for at in moments},
    }
    return {name: changed(st, act) for name, act in acts.items()}


def chains() -> list[dict[str, Any]]:
    def person(name: str, *signers: Signer, roles: tuple[str, ...] = ("trust-root",)) -> Person:
        return Person(name, name.title(), roles, tuple(Key(s.key_id, s.public) for s in signers))

    ann2 = signer_of(7)
    runner = Producer("runner", (Key(RUNNER.key_id, RUNNER.public),))
    first = first_version(
        project_name="shop", threshold=2, people=(person("ann", ANN, ann2), person("bob", BOB)), producers=(runner,), created_at=AT
    )

    def signed(st: Statement, *people: Signer) -> bytes:
        return seal(st, (RUNNER,), tuple(ssh(p, st) for p in people))

    def chain(*envelopes: bytes) -> bytes:
        return canonical({"versions": [json.loads(e) for e in envelopes]}) + b"\n"

    founded = chain(signed(first, ANN, BOB))
    trust = parse_chain(founded, "vector")
    second = next_version(
        trust,
        created_at=AT,
        revocations=(Revocation(ann2.key_id, "2026-01-02T00:00:00Z", "lost"),),
        people=(*trust.document.people, person("cy", STRANGER, roles=("ops",))),
    )
    grown = append_version(founded, signed(second, ANN, BOB))
    dropped = next_version(parse_chain(grown, "v"), created_at=AT)
    forgotten = state("trust", dropped.project, list(dropped.subject), {**dropped.predicate, "revocations": []})
    other = first_version(
        project_name="shop", threshold=1, people=(person("ann", ANN), person("bob", BOB)), producers=(runner,), created_at=AT
    )
    cases = {
        "founded by two": founded,
        "a second version": grown,
        "one of two": chain(signed(first, ANN)),
        "one person with two keys is one person": chain(signed(first, ANN, ann2)),
        "a machine is nobody": chain(seal(first, (RUNNER,))),
        "a second version by one of two": chain(signed(first, ANN, BOB), signed(second, BOB)),
        "a version left out": chain(signed(second, ANN, BOB)),
        "a revocation dropped": chain(signed(first, ANN, BOB), signed(second, ANN, BOB), signed(forgotten, ANN, BOB)),
        "a revoked key signs nothing": chain(signed(first, ANN, BOB), signed(second, ann2, BOB)),
        "another project's second version": chain(signed(other, ANN), signed(second, ANN, BOB)),
        "nothing": b'{"versions":[]}',
    } | {name: chain(signed(st, ANN)) for name, st in misshapen(other).items()}

    def read(raw: bytes) -> dict[str, Any]:
        found = parse_chain(raw, "vector")
        return {"project": found.project, "digest": found.digest, "version": found.document.version}

    return [{"name": name, "chain": b64(raw), **said(lambda raw=raw: read(raw))} for name, raw in cases.items()]


# The log


def entries(n: int, salted_from: int) -> list[Entry]:
    out: list[Entry] = []
    for i in range(n):
        st = statement(i)
        raw = seal(st, (RUNNER,))
        salt = f"{i:032x}" if i >= salted_from else ""
        out.append(
            next_entry(
                out[-1] if out else None, type="approval", digest=st.digest, envelope="sha256:" + hashlib.sha256(raw).hexdigest(),
                change=f"sha256:{7:064x}", key='ops, "night"', at=AT, salt=salt,
            )
        )  # fmt: skip
    return out


def log() -> dict[str, Any]:
    mine = entries(13, 5)
    lines = [e.line() for e in mine]
    leaves = leaves_of(mine)
    tree = Tree(leaves)
    public = parse_public(RUNNER.public, "runner")
    vkey = note_key(origin_of(PROJECT), public).vkey
    note = make_checkpoint(PROJECT, 13, tree.root(), RUNNER)
    text = parse_checkpoint(note).text
    p256_vkey = note_key(origin_of(PROJECT), parse_public(P256.public, "p256")).vkey
    witness = note_key("witness.example/w1", parse_public(BOB.public, "w"), cosigner=True)
    line = cosign(witness.name, text, BOB, 1_790_000_000)
    moved = note.replace(b"\n13\n", b"\n12\n")
    head, last = note.rsplit(b" ", 1)
    spoiled = head[len(text) + 1 :] + b" " + base64.b64encode(base64.b64decode(last)[:4] + bytes(64)) + b"\n"
    notes = {
        "a checkpoint": (note, vkey),
        "cosigned: the log": (note + line, vkey),
        "cosigned: the witness": (note + line, witness.vkey),
        "another size": (moved, vkey),
        "a cosignature of another checkpoint": (moved + line, witness.vkey),
        "not the witness's": (note, witness.vkey),
        "no signature": (text + b"\n", vkey),
        "no end": (note[:-1], vkey),
        "by P-256": (text + b"\n" + note_line(origin_of(PROJECT), text, P256), p256_vkey),
        "by P-256, of another checkpoint": (moved[: len(text)] + b"\n" + note_line(origin_of(PROJECT), text, P256), p256_vkey),
        "a good signature, and one under the same name that fails": (note + spoiled, vkey),
        "a stranger's signature with unused bits": (note + "— a AAAAAAB=\n".encode(), vkey),
        "a size with a zero in front": (text.replace(b"\n13\n", b"\n013\n") + note[len(text) :], vkey),
    }

    def read(raw: bytes, key: str) -> dict[str, Any]:
        found = parse_checkpoint(raw)
        good = signed_by(found.text, found.signatures, parse_vkey(key))
        return {"origin": found.origin, "size": found.size, "root": found.root.hex(), "signed": good}

    proofs = {
        "entry 3, without salt": (write_proof(3, tree.inclusion(3), note), 3),
        "entry 9, salted": (write_proof(9, tree.inclusion(9), note, lines[9]), 9),
        "another entry": (write_proof(9, tree.inclusion(9), note), 8),
        "another number": (write_proof(8, tree.inclusion(9), note), 9),
        "a hash too many": (write_proof(9, (*tree.inclusion(9), leaves[0]), note), 9),
        "no header": (write_proof(9, tree.inclusion(9), note)[1:], 9),
    }
    return {
        "lines": [line.decode() for line in lines],
        "leaves": [leaf.hex() for leaf in leaves],
        "roots": [tree_root(leaves[:n]).hex() for n in range(14)],
        "inclusion": [
            {"index": i, "size": n, "path": [h.hex() for h in Tree(leaves[:n]).inclusion(i)]} for n in (1, 2, 3, 7, 13) for i in range(n)
        ],
        "consistency": [
            {"old": o, "new": n, "path": [h.hex() for h in Tree(leaves[:n]).consistency(o)]} for n in (7, 8, 13) for o in range(1, n + 1)
        ],
        "checkpoints": [
            {"name": k, "note": b64(raw), "key": key, **said(lambda raw=raw, key=key: read(raw, key))} for k, (raw, key) in notes.items()
        ],
        "proofs": [
            {
                "name": k,
                "proof": b64(raw),
                "line": lines[i].decode(),
                **said(lambda raw=raw, i=i: {"proves": proves(parse_proof(raw), leaf_of(lines[i]))}),
            }
            for k, (raw, i) in proofs.items()
        ],
        "tiles": {"folder": "tiles", "key": vkey},
    }


def tiles() -> Iterator[tuple[str, bytes]]:
    """A log of 300 entries as static files."""
    mine = entries(300, 0)
    tree = Tree(leaves_of(mine))
    data = [leaf_data(e.line()) for e in mine]
    for tile in tiles_between(0, 300):
        yield f"tiles/{tile.path}", hashes_in(tree, tile)
        if tile.level == 0:
            at = tile.n * 256
            yield f"tiles/{Tile(-1, tile.n, tile.width).path}", bundle_of(data[at : at + tile.width])
    yield "tiles/checkpoint", make_checkpoint(PROJECT, 300, tree.root(), RUNNER)


# Bundles


def bundles() -> list[dict[str, Any]]:
    """Real bundles, and what becomes of each under one change. `edit`: [byte, what it is XORed with]; `cut`: bytes left of the file."""
    out: list[dict[str, Any]] = []
    for name in ("allowed", "denied", "waived"):
        file = ROOT / "tests/thread/golden" / f"{name}.dossier"
        given = {"file": f"{GOLDEN}/{name}.dossier", "trust": f"{GOLDEN}/{name}.dossier.trust.json"}
        out.append({"name": f"{name}, as it was made", **given, "sound": True})
        raw = file.read_bytes()
        places = {
            "the first name": 0,
            "a header's mode": 101,
            "a header's checksum": 150,
            "a signature": raw.index(b'"sig":"') + 12,
            "a payload": raw.index(b'"payload":"') + 40,
            "the chain of entries": raw.index(b"prev") + 20,
            "a padding": len(raw) - 1024 - 1 if raw[-1025] == 0 else len(raw) - 1100,
            "the end": len(raw) - 1,
            "HOW-TO-CHECK.md": raw.index(b"# How to check") + 5,
        }
        out += [{"name": f"{name}, changed: {what}", **given, "edit": [at, 1], "sound": False} for what, at in places.items()]
        out.append({"name": f"{name}, cut", **given, "cut": len(raw) - 512, "sound": False})
    denied_trust = f"{GOLDEN}/denied.dossier.trust.json"
    out.append({"name": "another project's trust", "file": f"{GOLDEN}/allowed.dossier", "trust": denied_trust, "sound": _same_project()})
    out.append({"name": "trust of nobody in it", "file": f"{GOLDEN}/allowed.dossier", "chain": chains()[1]["chain"], "sound": False})
    return out


def _same_project() -> bool:
    a, b = ((ROOT / "tests/thread/golden" / f"{n}.dossier.trust.json").read_bytes() for n in ("allowed", "denied"))
    return parse_chain(a, "a").project == parse_chain(b, "b").project


def crafted() -> dict[str, bytes]:
    """Small bundles by name, the first as it should be, each other one with one thing strange; and what they are held against."""
    founding = first_version(
        project_name="shop",
        threshold=1,
        people=(Person("ann", "Ann", ("trust-root",), (Key(ANN.key_id, ANN.public),)),),
        producers=(Producer("runner", (Key(RUNNER.key_id, RUNNER.public), Key(P256.key_id, P256.public))),),
        created_at=AT,
    )
    founded = json.loads(seal(founding, (RUNNER,), (ssh(ANN, founding),)))
    trust = canonical({"versions": [founded]}) + b"\n"
    project = founding.digest

    def revoking(at: str) -> bytes:
        """The trust with a second version, which revokes the runner's key on Ed25519."""
        second = next_version(parse_chain(trust, "trust"), created_at=at, revocations=[Revocation(RUNNER.key_id, at, "stolen")])
        return canonical({"versions": [founded, json.loads(seal(second, (RUNNER,), (ssh(ANN, second),)))]}) + b"\n"

    one, two = (state("approval", project, [Subject("dossier", {"sha256": f"{n:064x}"})], {"role": "ops"}) for n in (2, 3))
    sealed = seal(one, (RUNNER,))

    def logged(before: Entry | None, st: Statement) -> Entry:
        raw = hashlib.sha256(seal(st, (RUNNER,))).hexdigest()
        return next_entry(before, type=st.word, digest=st.digest, envelope=f"sha256:{raw}", change=f"sha256:{7:064x}", key="ops", at=AT)

    first = logged(None, one)
    lines = [first.line(), logged(first, two).line()]

    def proofs(lines: Sequence[bytes], of: Sequence[int] = (0,)) -> dict[str, Any]:
        tree = Tree([leaf_of(line) for line in lines])
        each = [{"line": lines[n].decode(), "n": n, "proof": [b64(h) for h in tree.inclusion(n)]} for n in of]
        return {"entries": each, "size": len(lines)}

    def log_files(lines: Sequence[bytes], of: Sequence[int] = (0,), by: Signer = RUNNER, whose: str = project) -> dict[str, bytes]:
        note = make_checkpoint(whose, len(lines), Tree([leaf_of(line) for line in lines]).root(), by)
        return {"log/checkpoint": note, "log/proofs.json": canonical(proofs(lines, of))}

    def proven(act: Callable[[dict[str, Any]], object]) -> dict[str, bytes]:
        value = proofs(lines)
        act(value)
        return {"log/proofs.json": canonical(value)}

    claim: dict[str, Any] = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "x", "subject": [{"digest": {"sha256": "00"}}]}
    good = {
        "trust/dossier.trust.json": trust,
        "approvals/ops.json": sealed,
        "attestations/claim.json": attestation(canonical(claim), RUNNER),
        **log_files(lines),
    }

    def bundle(
        more: Mapping[str, bytes],
        act: Callable[[dict[str, Any]], object] = lambda e: None,
        by: Signer = RUNNER,
        about: str = f"sha256:{1:064x}",
        at: str = AT,
    ) -> bytes:
        mine = good | more
        mine["SHA256SUMS"] = sums(mine)
        listed = json.loads(seal(manifest(mine, project, about, at), (by,)))
        act(listed)
        return pack({**mine, "bundle.json": canonical(listed)})

    def recorded(by: Signer) -> dict[str, bytes]:
        raw = seal(one, (by,))
        entry = next_entry(None, type=one.word, digest=one.digest, envelope=sha256(raw), change=f"sha256:{7:064x}", key="ops", at=AT)
        return {"approvals/ops.json": raw, **log_files([entry.line()])}

    def nameless() -> dict[str, bytes]:
        """One good signature among so many without key id that machines' keys would be tried, and people's beside them are not."""
        value = json.loads(seal(one, (RUNNER,)))
        value["signatures"] = [*[{"sig": b64(bytes(64))}] * 90, {"sig": value["signatures"][0]["sig"]}]
        raw = canonical(value)
        entry = next_entry(None, type=one.word, digest=one.digest, envelope=sha256(raw), change=f"sha256:{7:064x}", key="ops", at=AT)
        return {"approvals/ops.json": raw, **log_files([entry.line()])}

    def vast() -> dict[str, bytes]:
        """A log of more entries than a number of JSON can say: 2^60, of which the first is shown."""
        path = [bytes([n]) * 32 for n in range(60)]
        root = leaf_of(lines[0])
        for h in path:
            root = node_hash(root, h)
        shown = {"entries": [{"line": lines[0].decode(), "n": 0, "proof": [b64(h) for h in path]}], "size": 1 << 60}
        written = json.dumps(shown, sort_keys=True, separators=(",", ":")).encode()
        return {"log/checkpoint": make_checkpoint(project, 1 << 60, root, RUNNER), "log/proofs.json": written}

    dossier = state("dossier", project, [Subject("change", {"sha256": f"{4:064x}"})], {"x": 1})

    def of_dossier() -> dict[str, bytes]:
        return {"dossier.json": seal(dossier, (RUNNER,)), **log_files([lines[0], logged(first, dossier).line()], (0, 1))}

    def respelled(e: dict[str, Any]) -> None:
        text = e["signatures"][0]["sig"]
        e["signatures"][0]["sig"] = text.replace("+", "-").replace("/", "_")
        assert e["signatures"][0]["sig"] != text

    def attested(raw: bytes) -> bytes:
        return bundle({"attestations/claim.json": attestation(raw, RUNNER)})

    def about(**more: Any) -> bytes:
        return attested(canonical({**claim, "subject": [{**claim["subject"][0], **more}]}))

    def broken(proofs: dict[str, Any]) -> None:
        path = proofs["entries"][0]["proof"]
        path[0] = path[0][:10] + "\n" + path[0][10:]

    further = canonical({**json.loads(lines[0]), "later": 1})
    return {
        "as it should be": bundle({}),
        "manifest with a further field": bundle({}, lambda e: e.update(later=1)),
        "manifest with a further field in a signature": bundle({}, lambda e: e["signatures"][0].update(later=1)),
        "manifest with an empty list of typed signatures": bundle({}, lambda e: e.update(typedSignatures=[])),
        "manifest with a signature in URL-safe base64": bundle({}, respelled),
        "manifest without key id": bundle({}, lambda e: e["signatures"][0].pop("keyid")),
        "checkpoint signed by P-256": bundle(log_files(lines, by=P256)),
        "checkpoint signed by a person": bundle(log_files(lines, by=ANN)),
        "checkpoint of another log": bundle(log_files(lines, whose=f"sha256:{9:064x}")),
        "statement recorded by a person": bundle(recorded(ANN)),
        "statement with more nameless signatures than are tried": bundle(nameless()),
        "log of more entries than a number says": bundle(vast()),
        "attestation by a person": bundle({"attestations/claim.json": attestation(canonical(claim), ANN)}),
        "manifest by a person": bundle({}, by=ANN),
        "manifest of another dossier": bundle(of_dossier()),
        "manifest of its own dossier": bundle(of_dossier(), about=dossier.digest),
        "manifest that says no moment": bundle({}, at="soon"),
        "proofs with blanks": bundle({"log/proofs.json": json.dumps(proofs(lines)).encode()}),
        "proofs with a further field": bundle(proven(lambda p: p.update(later=1))),
        "proofs with a further field in one": bundle(proven(lambda p: p["entries"][0].update(later=1))),
        "proofs with a line end inside of a hash": bundle(proven(broken)),
        "proofs of a statement that is not there": bundle(log_files(lines, (0, 1))),
        "entry with a further field": bundle(log_files([further, lines[1]])),
        "attestation that is no JSON": attested(b"not json"),
        "attestation of nothing": attested(b"{}"),
        "attestation with a key twice": attested(b'{"predicateType":"y",' + canonical(claim)[1:]),
        "attestation about nothing": attested(canonical({**claim, "subject": []})),
        "attestation without digest": about(digest={}),
        "attestation with a digest that is a number": about(digest={"sha256": 7}),
        "attestation with a name that is a number": about(name=7),
        "attestation with a place that is a number": about(uri=7),
        "attestation of no type": attested(canonical({**claim, "predicateType": ""})),
        "attestation whose predicate is a text": attested(canonical({**claim, "predicate": "x"})),
    } | {"trust": trust, "trust at": revoking(AT), "trust in the same microsecond": revoking(WITHIN), "trust later": revoking(LATER)}


def crafted_cases(made: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """What `crafted` made, each as this code finds it."""
    trust = parse_chain(made["trust"], "trust")
    given = {"trust": "bundles/trust.json"}
    cases = [
        {"name": name, "file": f"bundles/{_file(name)}", **given, "sound": examine(open_bytes(raw), trust).sound}
        for name, raw in made.items()
        if not name.startswith("trust")
    ]
    first = next(iter(made))
    for name, then in {"trust at": "then", "trust in the same microsecond": "in the same microsecond", "trust later": "later"}.items():
        sound = examine(open_bytes(made[first]), parse_chain(made[name], name)).sound
        words = f"{first}, its key revoked {then}"
        cases.append({"name": words, "file": f"bundles/{_file(first)}", "trust": f"bundles/{_file(name)}", "sound": sound})
    return cases


def _file(name: str) -> str:
    return f"{name.replace(' ', '-').lower()}.{'json' if name.startswith('trust') else 'tar'}"


def files() -> dict[str, bytes]:
    """Every file, by name."""
    small = crafted()
    made: dict[str, Any] = {
        "jcs.json": jcs(),
        "keys.json": keys(),
        "pae.json": paes(),
        "envelopes.json": envelopes(),
        "statements.json": statements(),
        "trust.json": chains(),
        "log.json": log(),
        "bundles.json": bundles() + crafted_cases(small),
    }
    written = {name: (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode() for name, value in made.items()}
    return written | dict(tiles()) | {f"bundles/{_file(name)}": raw for name, raw in small.items()}


def main() -> int:
    made = files()
    if sys.argv[1:] == ["check"]:
        differ = [name for name, raw in made.items() if not (PLACE / name).is_file() or (PLACE / name).read_bytes() != raw]
        print("\n".join(f"docs/vectors/{name}: python tools/vectors.py write" for name in differ), end="\n" if differ else "")
        return 1 if differ else 0
    for name, raw in made.items():
        (PLACE / name).parent.mkdir(parents=True, exist_ok=True)
        (PLACE / name).write_bytes(raw)
    return 0


if __name__ == "__main__":
    sys.exit(main())
