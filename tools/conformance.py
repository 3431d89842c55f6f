"""Our code over suites other people published: `make conformance` writes docs/conformance.md; `make conformance DIR=folder` scores any
folder of the same layout and prints one JSON object, `{suite: {passed, total, failures[]}}`.

1. A suite is a generator of `Case`: a name, and whether we said what the suite says. Its expectations come from its files, never from here.
2. Suites find what they need in the folder that is scored; a key, artifact or trusted root that lies in the other half of a suite is looked
   for in ../shared/conformance. What is in neither is no case.
3. A crash is a failure of its case, whatever was expected; so is one that takes longer than `SECONDS_MAX`.
4. `NOT_CLAIMED` says what of these suites we do not do. Nothing of it is counted.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from release_dossier.digest import canonical, parse_json
from release_dossier.errors import DossierError, Refused
from release_dossier.trust import keyless, note, tiles, wire
from release_dossier.trust.dsse import Envelope, envelope_of, parse_envelope, signature_by, signers_of
from release_dossier.trust.keys import P384, PublicKey, parse_certificate, parse_pem, parse_spki, pss_verifies, public_of_point
from release_dossier.trust.log import parse_head
from release_dossier.trust.merkle import Frontier, leaf_hash, verify_consistency, verify_inclusion
from release_dossier.trust.proof import parse_proof
from release_dossier.trust.sshsig import blob_verifies
from release_dossier.trust.statement import PAYLOAD_TYPE, parse_descriptor, parse_intoto

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "conformance"
SECONDS_MAX = 5.0  # one case, on a machine others use as well; the slowest takes 0.1 s
SUITES_03, SUITES_04, SUITES_05 = "03-attestations", "04-jcs", "05-tlog"

NOT_CLAIMED = (
    (
        "03-attestations",
        "Signatures by a key that is in neither half of the suite: they are asked to be valid by no key at hand, and no more.",
    ),
    ("03-attestations", "Sigstore log entries of kind `intoto`; keyless signing. A bundle with one is refused with its reason."),
    ("04-jcs", "`y_` cases with a key twice in an object: refused on purpose, as are lone surrogates among the `i_` cases."),
    (
        "05-tlog",
        "ML-DSA-44 cosignatures. PKCS #1 v1.5 is read in SSH signatures only. RSA keys with an exponent below 65,537 are refused.",
    ),
    ("05-tlog", "HMAC cases are the standard library's; they are run because webhooks rest on it."),
    (
        "06-policy",
        "Rego (OPA's cases). Of CEL: protocol buffers, no type check, `cel.block`, macros of two variables, addresses, own functions.",
    ),
    (
        "06-policy",
        "Of CEL: a case that says of bytes without an escape something else than stands between the quotes, which is what they are"
        " (one of those published; the engine answers what is quoted).",
    ),
)


@dataclass(frozen=True)
class Case:
    """One case: `expected` is what the suite says, `ask` what we say. Equal is passed."""

    name: str
    expected: object
    ask: Callable[[], object]


@dataclass
class Score:
    passed: int = 0
    total: int = 0
    failures: list[dict[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"passed": self.passed, "total": self.total, "failures": self.failures}


def score(cases: Iterator[Case]) -> Score:
    """Every case asked."""
    out = Score()
    for case in _until_broken(cases):
        out.total += 1
        began = time.perf_counter()
        try:
            found: object = case.ask()
        except Exception as e:  # noqa: BLE001  a crash is a failure of the case, and the next one is asked
            found = f"crash: {type(e).__name__}: {e}"
        took = time.perf_counter() - began
        if took > SECONDS_MAX:
            found = f"{took:.1f} s"
        if found == case.expected:
            out.passed += 1
        else:
            out.failures.append({"case": case.name, "expected": str(case.expected)[:200], "found": str(found)[:200]})
    return out


def _until_broken(cases: Iterator[Case]) -> Iterator[Case]:
    """The cases, and where the suite's own files cannot be read, a case that fails for it."""
    try:
        yield from cases
    except Exception as e:  # noqa: BLE001  a file of the suite is not as this scorer reads it: told, and the other suites go on
        words = f"{type(e).__name__}: {e}"
        yield Case("the suite's files", "readable", lambda: words)


def verdict(act: Callable[[], object]) -> str:
    """`accept`, or `refuse` when `act` ends in a typed refusal. Anything else it throws is a crash."""
    try:
        act()
    except DossierError:
        return "refuse"
    return "accept"


def lines_of(file: Path) -> Iterator[dict[str, Any]]:
    for line in file.read_text("utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def beside(folder: Path, name: str, suite: str) -> Path | None:
    """A file of the suite, in the folder that is scored or in the half beside the checkout."""
    return next((p for p in (folder / name, SHARED / suite / name) if p.is_file()), None)


# 03: attestations


def dsse_signatures(folder: Path) -> Iterator[Case]:
    """Each signature of each envelope: accept, reject, or by no key at hand."""
    for file in sorted((folder / "derived").glob("dsse_expectations*.jsonl")):
        for row in lines_of(file):
            found = beside(folder, row["file"], SUITES_03)
            key = row.get("key", "(")
            if found is not None and (key.startswith("(") or beside(folder, key, SUITES_03) is not None):
                yield Case(f"{row['file']} {row['where']}", row["expect"], lambda row=row, found=found: _signature(row, found, folder))


def _signature(row: dict[str, Any], file: Path, folder: Path) -> str:
    place, _, number = row["where"].rpartition("#")
    document = _documents(file)[int(place.split("/")[0])]
    holder = document
    for part in place.split("/")[1:]:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    envelope = envelope_of(holder, b"", row["file"], row["payloadType"])
    i = int(number)
    keys = _named_keys(row, document, holder["signatures"][i], folder)
    if row["expect"] == "no-key":
        return "no-key" if signature_by(envelope, i, _every_key(folder)) is None else "accept"
    return "accept" if signature_by(envelope, i, keys) is not None else "reject"


def _documents(file: Path) -> list[Any]:
    raw = file.read_bytes()
    try:
        return [parse_json(raw, file.name)]
    except Refused:
        return [parse_json(line, file.name) for line in raw.splitlines() if line.strip()]


def _named_keys(row: dict[str, Any], document: Any, signature: dict[str, Any], folder: Path) -> list[PublicKey]:
    name = row.get("key", "(bundle leaf cert)")
    if name.startswith("(bundle"):
        return _leaf(document)
    if name.startswith("("):
        return [parse_pem(base64.b64decode(signature["certificate"]), "certificate in the signature")]
    file = beside(folder, name, SUITES_03)
    assert file is not None
    return [parse_pem(file.read_bytes(), name)]


def _leaf(bundle: Any) -> list[PublicKey]:
    material = bundle.get("verificationMaterial", {}) if isinstance(bundle, dict) else {}
    chain = [material["certificate"]] if "certificate" in material else material.get("x509CertificateChain", {}).get("certificates", [])
    return [parse_certificate(base64.b64decode(c["rawBytes"]), "leaf") for c in chain[:1]]


@cache
def _every_key(folder: Path) -> tuple[PublicKey, ...]:
    """Every public key that lies in the suite, whoever's."""
    out = {}
    for place in (folder, SHARED / SUITES_03):
        for file in (*place.rglob("*.pub"), *place.rglob("*.pem"), *place.rglob("*.crt")):
            try:
                key = parse_pem(file.read_bytes(), file.name)
            except DossierError:
                continue
            out[key.id] = key
    return tuple(out.values())


def dsse_vector(folder: Path) -> Iterator[Case]:
    """The vector of the DSSE specification; the same with each byte of signature and payload changed; with the signature thrice."""
    for file in sorted((folder / "derived").glob("dsse_spec_vector*.json")):
        vector = json.loads(file.read_text())
        point = b"\4" + b"".join(int(vector["key"][c]).to_bytes(32, "big") for c in "XY")
        key = parse_spki(bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + point, "vector")
        raw = json.dumps(vector["envelope"]).encode()
        envelope = parse_envelope(raw, "vector", vector["payloadType"])
        yield Case(f"{file.name} signature", {key.id}, lambda e=envelope, k=key: set(signers_of(e, (k,))))
        thrice = envelope_of(
            {**vector["envelope"], "signatures": vector["envelope"]["signatures"] * 3}, b"", "vector", vector["payloadType"]
        )
        yield Case(f"{file.name} the same signature thrice is one signer", 1, lambda e=thrice, k=key: len(signers_of(e, (k,))))
        signature = envelope.signatures[0][1]
        for i in range(len(signature)):
            bad = signature[:i] + bytes((signature[i] ^ 1,)) + signature[i + 1 :]
            changed = Envelope(envelope.payload, envelope.payload_type, (("", bad),), (), b"")
            yield Case(f"{file.name} signature byte {i} changed", set(), lambda e=changed, k=key: set(signers_of(e, (k,))))
        for i in range(len(envelope.payload)):
            body = envelope.payload[:i] + bytes((envelope.payload[i] ^ 1,)) + envelope.payload[i + 1 :]
            changed = Envelope(body, envelope.payload_type, envelope.signatures, (), b"")
            yield Case(f"{file.name} payload byte {i} changed", set(), lambda e=changed, k=key: set(signers_of(e, (k,))))


def intoto_examples(folder: Path) -> Iterator[Case]:
    """JSON blocks of the specifications: what is JSON is read as what it says it is, what is not is refused."""
    place = folder / "derived" / "spec-examples"
    index = place / "INDEX.json"
    for row in json.loads(index.read_text()) if index.is_file() else []:
        if row.get("file") and (place / row["file"]).is_file():
            raw = (place / row["file"]).read_bytes()
            due = "accept" if _is_json(raw) else "refuse"
            yield Case(f"{row['doc']} block {row['block']}", due, lambda raw=raw, row=row: verdict(lambda: _example(raw, row)))


def _is_json(raw: bytes) -> bool:
    """Asked of a parser that is not ours: some blocks of the specifications were made JSON when they were cut out, some were not."""
    try:
        json.loads(raw)
    except ValueError:
        return False
    return True


def _example(raw: bytes, row: dict[str, Any]) -> object:
    value = parse_json(raw, row["file"])
    if str(row.get("_type") or "").startswith("https://in-toto.io/Statement/"):
        found = parse_intoto(raw, row["file"])
        assert found.predicate_type == row["predicateType"]
        return found
    if isinstance(value, dict) and "descriptor" in row["file"]:
        return parse_descriptor(value, row["file"])
    return value


def statements_inside(folder: Path) -> Iterator[Case]:
    """Payloads of in-toto envelopes that lie in the suite: a statement is read as one, whatever its predicate; a link is none."""
    for file in _attestations(folder):
        try:
            documents = _documents(file)
        except DossierError:
            continue
        for n, document in enumerate(documents):
            holder = document.get("dsseEnvelope", document) if isinstance(document, dict) else None
            if isinstance(holder, dict) and holder.get("payloadType") == PAYLOAD_TYPE and isinstance(holder.get("payload"), str):
                payload = base64.b64decode(holder["payload"])
                said = json.loads(payload).get("_type", "")
                due = "accept" if said.startswith("https://in-toto.io/Statement/") else "refuse"
                yield Case(f"{file.relative_to(folder)} {n}", due, lambda p=payload: verdict(lambda: parse_intoto(p, "payload")))


def _attestations(folder: Path) -> list[Path]:
    endings = {".json", ".sigstore", ".link", ".layout", ".jsonl", ".intoto"}
    return sorted(p for p in folder.rglob("*") if p.suffix in endings and p.is_file() and "derived" not in p.parts)


def no_crash(folder: Path) -> Iterator[Case]:
    """Every attestation file as an envelope, a statement and a Sigstore bundle: read, or refused with its reason."""
    for file in _attestations(folder):
        yield Case(str(file.relative_to(folder)), "typed", lambda file=file: _typed(file))


def _typed(file: Path) -> str:
    raw = file.read_bytes()
    root = _public_good(file.parent)
    for act in (
        lambda: parse_envelope(raw, file.name),
        lambda: parse_intoto(raw, file.name),
        lambda: keyless.verify_keyless(raw, root, b"", identity="nobody", issuer="nobody"),
        lambda: keyless.verify_keyed(raw, root, b"", public_of_point(bytes(31) + b"\1")),
    ):
        verdict(act)
    return "typed"


DEFAULT_IDENTITY = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/"
    "extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
DEFAULT_ISSUER = "https://token.actions.githubusercontent.com"


@cache
def _public_good(folder: Path) -> bytes:
    """The trusted root of the public good instance, which the suite keeps as another project's example."""
    names = ("examples/trusted-root-public-good.json", "pkg/testing/data/trusted-roots/public-good.json")
    for place in (*folder.parents, SHARED / SUITES_03):
        for name in names:
            if (place / "sigstore__sigstore-go" / name).is_file():
                return (place / "sigstore__sigstore-go" / name).read_bytes()
    import sigstore  # its library brings the same root

    return next((Path(sigstore.__file__).parent / "_store").glob("*tuf-repo-cdn.sigstore.dev/trusted_root.json")).read_bytes()


def sigstore_bundles(folder: Path) -> Iterator[Case]:
    """Sigstore's own conformance cases, offline: a folder whose name ends in `_fail` must not verify."""
    for place in sorted(folder.glob("*/test/assets/bundle-verify/*/")):
        if (place / "bundle.sigstore.json").is_file():
            due = "refuse" if place.name.endswith("_fail") else "accept"
            yield Case(place.name, due, lambda place=place: verdict(lambda: _sigstore(place)))


def _sigstore(place: Path) -> None:
    def text(name: str, otherwise: str) -> str:
        return (place / name).read_text().strip() if (place / name).is_file() else otherwise

    bundle = (place / "bundle.sigstore.json").read_bytes()
    root = (place / "trusted_root.json").read_bytes() if (place / "trusted_root.json").is_file() else _public_good(place)
    default = beside(place.parent, "a.txt", f"{SUITES_03}/sigstore__sigstore-conformance/test/assets/bundle-verify")
    artifact = place / "artifact" if (place / "artifact").is_file() else default
    content = b"" if artifact is None else artifact.read_bytes()
    if (place / "key.pub").is_file():
        keyless.verify_keyed(bundle, root, content, parse_pem((place / "key.pub").read_bytes(), "key.pub"))
    else:
        keyless.verify_keyless(bundle, root, content, identity=text("identity", DEFAULT_IDENTITY), issuer=text("issuer", DEFAULT_ISSUER))


# 04: canonical JSON


def jcs_vectors(folder: Path) -> Iterator[Case]:
    """RFC 8785's test data: input gives output, byte for byte."""
    place = "cyberphone__json-canonicalization/testdata"
    names = {p.stem for sort in ("input", "output", "outhex") for p in (folder / place / sort).glob("*")}
    for name in sorted(names):
        given = beside(folder, f"{place}/input/{name}.json", SUITES_04)
        due = beside(folder, f"{place}/output/{name}.json", SUITES_04)
        listed = beside(folder, f"{place}/outhex/{name}.txt", SUITES_04)
        if given is not None and due is not None:
            yield Case(name, due.read_bytes(), lambda f=given: canonical(parse_json(f.read_bytes(), f.name)))
        if given is not None and listed is not None:
            octets = bytes.fromhex(listed.read_text())
            yield Case(f"{name} as hexadecimal", octets, lambda f=given: canonical(parse_json(f.read_bytes(), f.name)))


def es6_numbers(folder: Path) -> Iterator[Case]:
    """Numbers by their bits, as ECMAScript writes them."""
    import struct

    for file in sorted(folder.glob("es6-numbers/*.txt")):
        for line in file.read_text().splitlines():
            bits, _, due = line.partition(",")
            if due:
                value = struct.unpack(">d", int(bits, 16).to_bytes(8, "big"))[0]
                yield Case(bits, due, lambda value=value: canonical(value).decode())


def json_suite(folder: Path) -> Iterator[Case]:
    """JSONTestSuite: `y_` read, `n_` refused, `i_` either; and what two parsers could understand differently is refused throughout."""
    for file in sorted(folder.glob("*/test_parsing/*.json")):
        raw = file.read_bytes()
        if file.name.startswith("y_"):
            due = "refuse" if _ambiguous(raw) else "accept"
        elif file.name.startswith("n_"):
            due = "refuse"
        else:
            due = "refuse" if _ambiguous(raw) else verdict(lambda raw=raw: parse_json(raw, "i"))
        yield Case(file.name, due, lambda raw=raw: verdict(lambda: parse_json(raw, "case")))
    for file in sorted(folder.glob("*/test_transform/*.json")):
        raw = file.read_bytes()
        if _ambiguous(raw):
            yield Case(f"transform/{file.name}", "refuse", lambda raw=raw: verdict(lambda: parse_json(raw, "case")))
        else:
            yield Case(f"transform/{file.name}", "same or refused", lambda raw=raw: _again(raw))


def _ambiguous(raw: bytes) -> bool:
    """Whether a text has a key twice in an object or a lone surrogate, found by a parser that is not ours."""
    twice = False

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        twice = twice or len({k for k, _ in found}) != len(found)
        return dict(found)

    try:
        value = json.loads(raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8"), object_pairs_hook=pairs)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        return False
    return twice


def _again(raw: bytes) -> str:
    """Canonical form of a text, read and written again, is itself."""
    try:
        once = canonical(parse_json(raw, "case"))
    except DossierError:
        return "same or refused"
    return "same or refused" if canonical(parse_json(once, "again")) == once else "differs"


# 05: the log


def merkle_proofs(folder: Path) -> Iterator[Case]:
    """Inclusion and consistency proofs, good and bad."""

    def octets(text: str | None) -> bytes:
        return base64.b64decode(text or "")

    for file in sorted(folder.glob("*/testdata/inclusion/**/*.json")):
        c = json.loads(file.read_text())
        path = [octets(p) for p in c["proof"] or ()]
        yield Case(
            f"inclusion {file.parent.name}/{file.stem}",
            not c["wantErr"],
            lambda c=c, path=path: verify_inclusion(octets(c["leafHash"]), c["leafIdx"], c["treeSize"], path, octets(c["root"])),
        )
    for file in sorted(folder.glob("*/testdata/consistency/**/*.json")):
        c = json.loads(file.read_text())
        path = [octets(p) for p in c["proof"] or ()]
        yield Case(
            f"consistency {file.parent.name}/{file.stem}",
            not c["wantErr"],
            lambda c=c, path=path: verify_consistency(c["size1"], c["size2"], octets(c["root1"]), octets(c["root2"]), path),
        )


def notes(folder: Path) -> Iterator[Case]:
    """Signed notes by Ed25519, ECDSA, witnesses and CT logs; verifier keys; checkpoints; proofs as text; tiles of a growing log."""
    for file in sorted((folder / "derived").glob("note_vectors*.json")):
        vectors = json.loads(file.read_text())
        for c in vectors.get("signed_notes", ()):
            text = c["note"] if "note" in c else c["text"] + "\n" + c["sig"] * c["repeat"]
            yield Case(f"note {c['name']}", c["verifies"], lambda c=c, text=text: _note_holds(text.encode(), c["vkey"]))
            if c.get("malformed"):
                yield Case(f"note {c['name']} is refused", "refuse", lambda t=text: verdict(lambda: note.parse_note(t.encode(), "note")))
        for c in vectors.get("vkeys", ()):
            due = "accept" if c["valid"] else "refuse"
            yield Case(f"key {c['name']}", due, lambda c=c: verdict(lambda: note.parse_vkey(c["vkey"])))
        for c in vectors.get("checkpoint_bodies", ()):
            yield Case(f"checkpoint {c['name']}", c["want"], lambda c=c: _head(c["body"].encode()))
        for c in vectors.get("log_ids_sha256_of_o_colon_origin", ()):
            yield Case(f"log id of {c['origin']}", c["id"], lambda c=c: hashlib.sha256(f"o:{c['origin']}".encode()).hexdigest())
        for c in vectors.get("tlog_proof_format", ()):
            due = "accept" if c["ok"] else "refuse"
            yield Case(f"proof {c['name']}", due, lambda c=c: verdict(lambda: parse_proof(c["text"].encode())))
        for c in vectors.get("tree", ()):
            yield Case(
                f"tree {c['name']}",
                (c["size"], leaf_hash(c["root_is_record_hash_of"].encode())),
                lambda c=c: parse_head(c["text"].encode())[1:3],
            )
        for c in vectors.get("new_tiles_height10", ()):
            yield Case(f"tiles {c['old']}→{c['new']}", c["count"], lambda c=c: len(tiles.tiles_between(c["old"], c["new"], 10)))
        for name, c in vectors.items():
            if name.startswith("real_ct_sth"):
                yield Case(name, True, lambda c=c: _tree_head(c))


def _note_holds(raw: bytes, vkey: str) -> bool:
    try:
        text, signatures = note.parse_note(raw, "note")
    except DossierError:
        return False
    return note.signed_by(text, signatures, note.parse_vkey(vkey))


def _head(body: bytes) -> dict[str, Any] | None:
    try:
        origin, size, root, rest = parse_head(body)
    except DossierError:
        return None
    return {"origin": origin, "size": size, "hash_b64": base64.b64encode(root).decode(), "rest": rest.decode()}


def _tree_head(c: dict[str, Any]) -> bool:
    sth, key = c["sth"], note.parse_vkey(c["vkey"])
    head = note.tree_head(sth["tree_size"], sth["timestamp"], base64.b64decode(sth["sha256_root_hash"]))
    signature = base64.b64decode(sth["tree_head_signature"])
    return head is not None and signature[:2] == b"\x04\x03" and key.public.verifies(signature[4:], head)


def tiled_logs(folder: Path) -> Iterator[Case]:
    """Logs as static files: the root their tiles and their entries give is the one each of their checkpoints says."""
    for log in sorted(folder.glob("*/testdata/log")):
        name = str(log.relative_to(folder))

        def fetch(path: str, name: str = name) -> bytes:
            file = beside(folder, f"{name}/{path}", SUITES_05)
            if file is None:
                raise FileNotFoundError(path)
            return file.read_bytes()

        def has(size: int, name: str = name) -> bool:
            needed = tiles.tiles_between(0, size)
            entries = [tiles.Tile(-1, t.n, t.width) for t in needed if t.level == 0]
            return all(beside(folder, f"{name}/{t.path}", SUITES_05) is not None for t in (*needed, *entries))

        head = beside(folder, f"{name}/checkpoint", SUITES_05)
        whole = 0 if head is None else _checkpoint_in(head)[0]
        for file in sorted(log.glob("checkpoint*")):
            size, root = _checkpoint_in(file)
            if has(size):
                yield Case(f"{file.name}: root from tiles", root, lambda f=fetch, s=size: tiles.root_at(f, s))
                yield Case(f"{file.name}: root from entries", root, lambda f=fetch, s=size: _root_of_entries(f, s))
            if size <= whole and has(whole):
                yield Case(f"{file.name}: root within the log of {whole}", root, lambda f=fetch, s=size, w=whole: tiles.root_at(f, s, w))


def _checkpoint_in(file: Path) -> tuple[int, bytes]:
    return parse_head(note.parse_note(file.read_bytes(), file.name)[0])[1:3]


def _root_of_entries(fetch: tiles.Fetch, size: int) -> bytes:
    return Frontier(leaf_hash(entry) for _, entry in tiles.entries_in(fetch, size)).root()


def wycheproof(folder: Path) -> Iterator[Case]:
    """Signatures made to break verifiers. ECDSA cases of this suite are in DER; RSA is PSS, and PKCS #1 v1.5 as SSH signatures use it."""
    for file in sorted(folder.glob("C2SP__wycheproof/**/*.json")):
        suite = json.loads(file.read_text())
        for group in suite["testGroups"]:
            ask = _verifier(group)
            for t in group["tests"] if ask is not None else ():
                if t["result"] != "acceptable":
                    yield Case(f"{file.stem} {t['tcId']} {t['comment']}", t["result"] == "valid", lambda ask=ask, t=t: ask(t))


def _verifier(group: dict[str, Any]) -> Callable[[dict[str, Any]], bool] | None:
    """How cases of a group are asked; None for keys and hashes that are not claimed."""
    kind = group["type"]
    if "publicKeyDer" in group:
        try:
            key = parse_spki(bytes.fromhex(group["publicKeyDer"]), "group")
        except DossierError:
            return None
        hashed = "SHA-384" if key.type == P384 else "SHA-256"
        if group.get("sha", hashed) != hashed or group.get("mgfSha", hashed) != hashed:
            return None
        if kind == "RsassaPssVerify":
            return lambda t: pss_verifies(key, bytes.fromhex(t["sig"]), bytes.fromhex(t["msg"]), group["sLen"])
        if kind == "RsassaPkcs1Verify":
            name = wire.text(b"rsa-sha2-256")
            return lambda t: blob_verifies(key, name + wire.text(bytes.fromhex(t["sig"])), bytes.fromhex(t["msg"]), "case")
        if kind in ("EddsaVerify", "EcdsaVerify"):
            return lambda t: key.verifies(bytes.fromhex(t["sig"]), bytes.fromhex(t["msg"]))
    if kind == "MacTest":
        import hmac

        size = group["tagSize"] // 8
        return lambda t: hmac.compare_digest(
            hmac.new(bytes.fromhex(t["key"]), bytes.fromhex(t["msg"]), "sha256").digest()[:size], bytes.fromhex(t["tag"])
        )
    return None


# 06: rules


def cel(folder: Path) -> Iterator[Case]:
    """CEL's own cases on what a condition can be: facts are JSON. Asked by tools/cel_suite.py, every case also for a crash."""
    import cel_suite

    found = cel_suite.score(folder)
    for words in found["failures"]:
        name, _, rest = str(words).partition(": ")
        answer, _, due = rest.partition(", expected ")
        yield Case(name, due, lambda answer=answer: answer)
    yield from (Case("passed", "", lambda: "") for _ in range(found["passed"]))


SUITES: tuple[tuple[str, str, Callable[[Path], Iterator[Case]]], ...] = (
    ("dsse-signatures", SUITES_03, dsse_signatures),
    ("dsse-vector", SUITES_03, dsse_vector),
    ("in-toto-examples", SUITES_03, intoto_examples),
    ("in-toto-statements", SUITES_03, statements_inside),
    ("sigstore-bundles", SUITES_03, sigstore_bundles),
    ("attestations-no-crash", SUITES_03, no_crash),
    ("jcs", SUITES_04, jcs_vectors),
    ("es6-numbers", SUITES_04, es6_numbers),
    ("json-test-suite", SUITES_04, json_suite),
    ("merkle-proofs", SUITES_05, merkle_proofs),
    ("notes-and-checkpoints", SUITES_05, notes),
    ("tiled-logs", SUITES_05, tiled_logs),
    ("wycheproof", SUITES_05, wycheproof),
    ("cel", "06-policy", cel),
)


def run(folder: Path) -> dict[str, Score]:
    """Every suite of which `folder` holds anything."""
    out = {}
    for name, place, cases in SUITES:
        if (folder / place).is_dir():
            found = score(cases(folder / place))
            if found.total:
                out[name] = found
    return out


def page(scores: dict[str, Score]) -> str:
    """docs/conformance.md."""
    said = {name: " ".join((cases.__doc__ or "").split()) for name, _, cases in SUITES}
    lines = [
        "# Conformance",
        "",
        "Suites that others publish, asked of this code. Made by `make conformance`, which needs the published material beside the",
        "checkout; `make conformance DIR=folder` scores any folder of the same layout and prints one JSON object.",
        "",
        "| suite | passed | of | what is asked |",
        "|---|---|---|---|",
        *(f"| {name} | {s.passed:,} | {s.total:,} | {said[name]} |" for name, s in scores.items()),
        "",
        "## Failures",
        "",
    ]
    failed = [f"- {name}: {f['case']}: expected {f['expected']}, found {f['found']}" for name, s in scores.items() for f in s.failures]
    lines += failed or ["None."]
    lines += ["", "## Not claimed", "", *(f"- {place}: {words}" for place, words in NOT_CLAIMED), ""]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Our code over suites other people published.")
    parser.add_argument("folder", nargs="?", type=Path, help="score this folder, print JSON; without: ../shared/conformance, into the page")
    folder: Path | None = parser.parse_args().folder
    if not (folder or SHARED).is_dir():
        print(f"needs ../shared: {folder or SHARED} is not there", file=sys.stderr)
        return 30
    scores = run(folder or SHARED)
    if folder is None:
        (ROOT / "docs" / "conformance.md").write_text(page(scores), encoding="utf-8")
        for name, s in scores.items():
            print(f"{name:24} {s.passed:6,} of {s.total:6,}")
            print("".join(f"    {f['case']}: expected {f['expected']}, found {f['found']}\n" for f in s.failures), end="")
    else:
        print(json.dumps({name: s.as_json() for name, s in scores.items()}, ensure_ascii=False, sort_keys=True))
    return 0 if scores and all(not s.failures for s in scores.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
