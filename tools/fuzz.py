"""`make fuzz`: changed envelopes, bundles, notes, rules, dossiers and what else comes from outside, and every bit of a real bundle.

For each target a mutation may give an answer or a typed refusal; anything else is a fault, and so is a call over 1 s or a process over
256 MiB more than it began with. Every changed bit of a bundle must be found. `fuzz.py short` is what the pipeline runs: fewer mutations,
and each byte of the bundle once. Runs are seeded: the seed and number printed with a fault make it again.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SECONDS_MAX = 1.0  # of one call
GROWTH_MIB_MAX = 256  # of the process over a target's run
LONG, SHORT = 150_000, 2_000  # mutations of each target
WORKERS = 2
Target = Callable[[bytes], object]
TOKENS = (b"", b"\0", b"\xff", b'"', b"{", b"[", b"}" * 40, b"[" * 300, b"null", b"1e999", b"-1", b"18446744073709551616", b"\r\n")
TOKENS += (b"\xed\xa0\x80", b"=", b"sha256:", b"9" * 400, b"true", b"NaN", b"2026-11-24T00:00:00Z", b"'", b"has(", b"||", b"\x1b[2J")


def mutated(seed: bytes, dice: random.Random) -> bytes:
    """`seed` with one to four changes: bits, tokens, cuts, doubled or moved pieces."""
    raw = bytearray(seed)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(raw) + 1)
        end = min(len(raw), at + dice.choice((1, 1, 2, 8, 64, 512)))
        match dice.randrange(6):
            case 0 if at < len(raw):
                raw[at] ^= 1 << dice.randrange(8)
            case 1:
                raw[at:at] = dice.choice(TOKENS)
            case 2:
                raw[at:end] = dice.choice(TOKENS)
            case 3:
                del raw[at:end]
            case 4:
                raw[at:at] = raw[at:end] * dice.choice((1, 2, 30))
            case _:
                del raw[at : len(raw) if dice.random() < 0.3 else end]
    return bytes(raw)


def seeds() -> dict[str, bytes]:
    """A small real project of each thing that comes from outside: bundle, its files, settings, an issue."""
    from tests.town import Town

    with tempfile.TemporaryDirectory() as d:
        town = Town(Path(d))
        digest = town.assembled()
        town.approve(digest, "release-manager")
        town.gate()
        file = town.root / "a.dossier"
        town.dossier("export", digest, "-o", str(file))
        return {
            "bundle": file.read_bytes(),
            "settings": town.read("dossier.toml").encode(),
            "issue": (town.root / "issue.md").read_bytes(),
            "trust": town.read("dossier.trust.json").encode(),
        }


def targets(found: Mapping[str, bytes]) -> dict[str, tuple[list[bytes], Target]]:
    """Name → the seeds it begins from, and what reads them."""
    from release_dossier import bundle
    from release_dossier.issue import parse_issue
    from release_dossier.project import parse_settings
    from release_dossier.trust.document import parse_chain
    from release_dossier.trust.dsse import parse_envelope, valid_keys
    from release_dossier.trust.log import parse_checkpoint, parse_entries
    from release_dossier.trust.sshsig import verify_armored
    from release_dossier.trust.statement import parse_statement

    files = bundle.unpack_bytes(found["bundle"])
    trust = parse_chain(found["trust"], "trust")
    keys = trust.public_keys()
    envelopes = [raw for name, raw in files.items() if raw.startswith(b'{"payload":') and not name.startswith(bundle.ATTESTATIONS)]
    signatures = [raw for name, raw in files.items() if name.endswith(".sig")]

    def envelope(raw: bytes) -> object:
        read = parse_envelope(raw, "envelope")
        return valid_keys(read, keys, "envelope"), parse_statement(read.payload, "statement")

    def whole(raw: bytes) -> object:
        return bundle.examine(bundle.open_bytes(raw), trust)

    return {
        "envelope": (envelopes, envelope),
        "bundle": ([found["bundle"]], whole),
        "note": ([files[bundle.CHECKPOINT]], parse_checkpoint),
        "log": ([b"".join(_lines(files))], parse_entries),
        "rules": ([found["settings"], found["settings"] + RULES], _rules(parse_settings)),
        "dossier": ([parse_envelope(files["dossier.json"], "d").payload], _decision(trust)),
        "trust": ([found["trust"]], lambda raw: parse_chain(raw, "trust")),
        "signature": (signatures, lambda raw: verify_armored(raw.decode("latin-1"), b"m", "x", keys)),
        "issue": ([found["issue"]], lambda raw: parse_issue(raw, "issue")),
        **_of_others(),
    }


def _of_others() -> dict[str, tuple[list[bytes], Target]]:
    """What other logs, witnesses and tools send, from the published vectors."""
    import base64

    from release_dossier.digest import canonical, parse_json
    from release_dossier.trust import note, tiles, witness
    from release_dossier.trust.dsse import parse_envelope, signers_of
    from release_dossier.trust.keyless import verify_keyed
    from release_dossier.trust.keys import generate, parse_pem, parse_private, parse_public, parse_spki
    from release_dossier.trust.proof import parse_proof, proves
    from release_dossier.trust.statement import parse_intoto

    place = ROOT / "docs" / "vectors"
    given = {name: json.loads((place / f"{name}.json").read_text()) for name in ("log", "keys", "envelopes", "jcs", "statements")}

    def raws(name: str, field: str) -> list[bytes]:
        return [base64.b64decode(c[field]) for c in given[name]]

    log = given["log"]
    notes = [base64.b64decode(c["note"]) for c in log["checkpoints"]]
    publics = [parse_public(c["public"], c["name"]) for c in given["keys"]]
    vkeys = [note.parse_vkey(c["key"]) for c in log["checkpoints"]]
    signer = parse_private(generate()[0], "witness")
    known = {vkeys[0].name: [vkeys[0]]}

    def read_note(raw: bytes) -> object:
        text, signatures = note.parse_note(raw, "note")
        return [note.signed_by(text, signatures, k) for k in vkeys]

    def read_proof(raw: bytes) -> object:
        return proves(parse_proof(raw), bytes(32))

    def read_key(raw: bytes) -> object:
        text = raw.decode("latin-1")
        return [
            typed(lambda act=act: act())
            for act in (lambda: parse_public(text, "k"), lambda: parse_spki(raw, "k"), lambda: parse_pem(raw, "k"))
        ]

    def read_tile(raw: bytes) -> object:
        return typed(lambda: tiles.parse_path(raw.decode("latin-1"))), typed(lambda: tiles.parse_bundle(raw, 44, "tile"))

    def ask_witness(raw: bytes) -> object:
        return witness.judge(raw, known, notes[0], "witness.example/w1", signer, 1_790_000_000)

    def foreign(raw: bytes) -> object:
        envelope = parse_envelope(raw, "envelope")
        return signers_of(envelope, publics), parse_intoto(envelope.payload, "payload")

    entry = {"canonicalizedBody": base64.b64encode(b"{}").decode(), "logId": {"keyId": "AAAA"}, "logIndex": "1"}
    proof = {"logIndex": "0", "treeSize": "13", "rootHash": "AAAA", "hashes": [], "checkpoint": {"envelope": notes[0].decode()}}
    keyed = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": [{**entry, "inclusionProof": proof}]},
        "dsseEnvelope": json.loads(base64.b64decode(given["envelopes"][0]["envelope"])),
    }
    root = json.dumps({"tlogs": [{"publicKey": {"rawBytes": given["keys"][1]["spki"]}, "logId": {"keyId": "AAAA"}}]}).encode()
    pem = publics[1].pem()
    tile_path = (place / "tiles" / "tile" / "entries" / "001.p" / "44").read_bytes()
    found: dict[str, tuple[list[bytes], Target]] = {
        "json": (raws("jcs", "input"), lambda raw: canonical(parse_json(raw, "json"))),
        "cosigned": (notes, read_note),
        "proof": ([base64.b64decode(c["proof"]) for c in log["proofs"]], read_proof),
        "vkey": ([c["key"].encode() for c in log["checkpoints"]], lambda raw: note.parse_vkey(raw.decode("latin-1"))),
        "key": ([*(c["public"].encode() for c in given["keys"]), *raws("keys", "spki"), pem], read_key),
        "tile": ([b"tile/entries/x001/x234/067.p/7", tile_path], read_tile),
        "witness": ([witness.write_request(13, (), notes[0]), witness.write_request(5, [bytes(32)] * 3, notes[1])], ask_witness),
        "foreign": (raws("envelopes", "envelope"), foreign),
        "sigstore": ([json.dumps(keyed).encode()], lambda raw: typed(lambda: verify_keyed(raw, root, b"artifact", publics[1]))),
    }
    # A seed that is refused as it is would try nothing behind the refusal.
    return {
        name: ([r for r in begin if not str(typed(lambda c=call, r=r: c(r))).startswith(CODES)], call)
        for name, (begin, call) in found.items()
    }


CODES = ("json.", "envelope.", "log.", "note.", "statement.", "key.")  # what a seed may be refused with


def typed(act: Callable[[], object]) -> object:
    """What `act` gives, or the code it is refused with."""
    from release_dossier.errors import DossierError

    try:
        return act()
    except DossierError as e:
        return e.code


RULES = b"""
[[rules.requirement]]
id = "latency"
kind = "latency"
title = "Answers are quick"
remedy = "dossier collect latency"
why = "People leave."
condition = "facts.latency_p95 <= 300.0 && facts.requests > 100"
needs = [{ fact = "latency_p95", type = "float", unit = "ms" }, { fact = "requests", type = "int", unit = "requests" }]
minimum_percent = 90
"""


def _rules(parse: Callable[[bytes], Any]) -> Target:
    from release_dossier.rules.packs import freeze

    def read(raw: bytes) -> object:
        settings = parse(raw)
        return freeze(settings.rules, [(s.name, s.criticality, s.owners) for s in settings.service])

    return read


def _decision(trust: Any) -> Target:
    from datetime import UTC, datetime

    import msgspec

    from release_dossier.digest import sha256
    from release_dossier.dossier import Dossier
    from release_dossier.errors import Refused
    from release_dossier.gate import decide, explain
    from release_dossier.trust.statement import parse_statement

    def read(raw: bytes) -> object:
        predicate = parse_statement(raw, "dossier").predicate
        try:
            dossier = msgspec.convert(predicate, Dossier)
        except msgspec.ValidationError as e:  # what `World.read` is never given: it comes from a listed signer
            raise Refused("fuzz.shape", at="dossier", found=str(e), expected="a dossier") from e
        at = datetime(2026, 11, 24, tzinfo=UTC)
        decision = decide(dossier, sha256(raw), (), trust, at, witness="", checkpoint={"size": 0, "root": ""}, hypothetical=True)
        assert decision.outcome == "DENY", "an ALLOW without an approval"
        return explain(decision, dossier)

    return read


def _lines(files: Mapping[str, bytes]) -> Iterator[bytes]:
    from release_dossier.trust.log import next_entry

    before = None
    for n in range(3):
        digest = f"sha256:{n:064x}"
        before = next_entry(before, type="evidence", digest=digest, envelope=digest, change="", key="k", at="2026-11-24T00:00:00.000Z")
        yield before.line() + b"\n"


def fault(call: Target, raw: bytes) -> str:
    """What is wrong with how `raw` was taken, empty when nothing is. Too slow is what is so three times: others use the machine too."""
    from release_dossier.errors import DossierError

    took = SECONDS_MAX + 1
    for _ in range(3):
        began = time.perf_counter()
        try:
            call(raw)
        except DossierError:
            pass
        except Exception as e:  # noqa: BLE001 - that is what is looked for
            return f"{type(e).__name__}: {e}"
        took = min(took, time.perf_counter() - began)
        if took <= SECONDS_MAX:
            return ""
    return f"{took:.1f} s"


def play(name: str, begin: list[bytes], call: Target, count: int, seed: int = 1) -> list[str]:
    """The faults of `count` mutations of one target."""
    for raw in begin:
        wrong = fault(call, raw)
        if wrong:
            return [f"{name}: as it is: {wrong}"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = []
    for i in range(count):
        dice = random.Random(f"{name}{seed}{i}")
        wrong = fault(call, mutated(dice.choice(begin), dice))
        if wrong:
            out.append(f"{name} {i}: {wrong}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    return [*out, f"{name}: grew by {grown} MiB"] if grown > GROWTH_MIB_MAX else out


def unseen(raw: bytes, trust_raw: bytes, places: range, bits: tuple[int, ...] | None) -> list[str]:
    """Changes of one bit that nobody noticed; of each byte one bit, or all of `bits`."""
    from release_dossier import bundle
    from release_dossier.errors import DossierError
    from release_dossier.trust.document import parse_chain

    trust = parse_chain(trust_raw, "trust")
    out = []
    for at in places:
        for bit in bits or (at % 8,):
            changed = bytearray(raw)
            changed[at] ^= 1 << bit
            try:
                opened = bundle.open_bytes(bytes(changed))
            except DossierError:
                continue
            if bundle.listed(opened, trust) or not bundle.examine(opened, trust).sound:
                continue
            out.append(f"bundle: bit {bit} of byte {at} is free")
    return out


def main() -> int:
    short = sys.argv[1:] == ["short"]
    count = SHORT if short else LONG
    found = seeds()
    bad: list[str] = []
    total = 0
    with multiprocessing.Pool(WORKERS) as pool:
        for name, (begin, call) in targets(found).items():
            began = time.perf_counter()
            wrong = play(name, begin, call, count)
            total += count
            bad += wrong
            rate = count / (time.perf_counter() - began)
            print(f"{'✗' if wrong else '✓'} {name:10} {count:8} mutations, {rate:8.0f} a second, {len(wrong)} faults", flush=True)
        raw = found["bundle"]
        bits = None if short else tuple(range(8))
        share = -(-len(raw) // (WORKERS * 8))
        jobs = [(raw, found["trust"], range(i, min(i + share, len(raw))), bits) for i in range(0, len(raw), share)]
        free = [x for part in pool.starmap(unseen, jobs) for x in part]
    bad += free
    each = len(bits or (0,))
    print(f"{'✗' if free else '✓'} bundle     {len(raw)} bytes, {each} bits of each changed alone, {len(free)} not found", flush=True)
    print("\n".join(bad[:40]))
    print(json.dumps({"mutations": total, "bits": len(raw) * each, "faults": len(bad)}))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
