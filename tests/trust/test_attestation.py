"""`dossier attestation`: other tools' envelopes by keys that were given, Sigstore bundles by a trusted root that was given."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from release_dossier.cli import main
from release_dossier.digest import canonical
from release_dossier.trust.dsse import pae
from release_dossier.trust.keys import P256, Signer, generate, parse_private, parse_public
from release_dossier.trust.merkle import EMPTY_ROOT, leaf_hash
from release_dossier.trust.note import note_line
from release_dossier.trust.statement import PAYLOAD_TYPE

ONE, TWO, THREE = (parse_private(generate(kind)[0], "key") for kind in ("ssh-ed25519", P256, "ssh-ed25519"))
ARTIFACT = b"the thing itself"
STATEMENT = canonical(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "thing", "digest": {"sha256": hashlib.sha256(ARTIFACT).hexdigest()}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {},
    }
)


def dossier(*args: str) -> tuple[int, Any]:
    runner = CliRunner()
    with runner.isolation() as streams:
        code = main.run(["attestation", *args, "--json"])
        return code, json.loads(streams[0].getvalue())


def envelope(*signers: Signer, hint: str = "what others call it", kind: str = PAYLOAD_TYPE, payload: bytes = STATEMENT) -> dict[str, Any]:
    message = pae(kind, payload)
    signatures = [{"keyid": hint, "sig": base64.b64encode(s.sign(message)).decode()} for s in signers]
    return {"payload": base64.b64encode(payload).decode(), "payloadType": kind, "signatures": signatures}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, s in {"one": ONE, "two": TWO, "three": THREE}.items():
        (tmp_path / f"{name}.pem").write_bytes(parse_public(s.public, name).pem())
        (tmp_path / f"{name}.pub").write_text(s.public)
    (tmp_path / "artifact").write_bytes(ARTIFACT)
    (tmp_path / "other").write_bytes(b"another thing")
    return tmp_path


def test_a_threshold_counts_keys_and_not_signatures(place: Path) -> None:
    """Two of three keys are two whatever their ids are called; the same key twice is one; a key nobody gave is none."""
    file = place / "x.json"
    keys = [x for n in ("one.pem", "two.pub", "three.pem") for x in ("--key", str(place / n))]
    file.write_text(json.dumps(envelope(ONE, TWO)))
    code, found = dossier(str(file), *keys, "--threshold", "2", "--artifact", str(place / "artifact"))
    assert (code, found["signed_by"]) == (0, sorted((ONE.key_id, TWO.key_id)))
    assert found["predicate_type"] == "https://slsa.dev/provenance/v1"
    file.write_text(json.dumps(envelope(ONE, ONE)))
    code, found = dossier(str(file), *keys, "--threshold", "2")
    assert (code, found["error"]["code"]) == (40, "attestation.threshold")
    assert dossier(str(file), "--key", str(place / "two.pub"))[0] == 40
    twice = ("--key", str(place / "one.pem"), "--key", str(place / "one.pub"))
    assert dossier(str(file), *twice, "--threshold", "2")[1]["error"]["code"] == "attestation.keys"


def test_it_is_about_the_artifact_or_nothing(place: Path) -> None:
    """Another artifact, or a payload that says of nothing that it is about it, does not hold; without one the payload's type is free."""
    file, key = place / "x.json", ("--key", str(place / "one.pem"))
    file.write_text(json.dumps(envelope(ONE)))
    assert dossier(str(file), *key, "--artifact", str(place / "other"))[1]["error"]["code"] == "attestation.subject"
    longer = STATEMENT.replace(b"sha256", b"sha512").replace(
        hashlib.sha256(ARTIFACT).hexdigest().encode(), hashlib.sha512(ARTIFACT).hexdigest().encode()
    )
    file.write_text(json.dumps(envelope(ONE, payload=longer)))
    assert dossier(str(file), *key, "--artifact", str(place / "artifact"))[0] == 0
    file.write_text(json.dumps(envelope(ONE, kind="text/plain", payload=ARTIFACT)))
    assert dossier(str(file), *key)[0] == 0
    assert dossier(str(file), *key, "--artifact", str(place / "artifact"))[1]["error"]["code"] == "attestation.subject"
    assert dossier(str(place / "none"), *key)[1]["error"]["code"] == "attestation.unreadable"


def sigstore(signer: Signer, log: Signer, artifact: bytes = ARTIFACT, dsse: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """A bundle with a managed key, over the artifact or a statement about it, in a log of one entry; and the root that knows that log."""
    public, log_public = parse_public(signer.public, "signer"), parse_public(log.public, "log")
    pem, inside = base64.b64encode(public.pem()).decode(), envelope(signer)
    signature = inside["signatures"][0]["sig"] if dsse else base64.b64encode(signer.sign(artifact)).decode()
    hashed = {"algorithm": "sha256", "value": hashlib.sha256(STATEMENT if dsse else artifact).hexdigest()}
    spec: dict[str, Any] = {"data": {"hash": hashed}, "signature": {"content": signature, "publicKey": {"content": pem}}}
    if dsse:
        spec = {"payloadHash": hashed, "signatures": [{"signature": signature, "verifier": pem}]}
    body = canonical({"apiVersion": "0.0.1", "kind": "dsse" if dsse else "hashedrekord", "spec": spec})
    root = base64.b64encode(leaf_hash(body)).decode()
    text = f"log.example - 1\n1\n{root}\n".encode()
    log_id = base64.b64encode(hashlib.sha256(log_public.spki()).digest()).decode()
    entry = {
        "logIndex": "0",
        "logId": {"keyId": log_id},
        "canonicalizedBody": base64.b64encode(body).decode(),
        "inclusionProof": {
            "logIndex": "0",
            "treeSize": "1",
            "rootHash": root,
            "hashes": [],
            "checkpoint": {"envelope": (text + b"\n" + note_line("log.example", text, log)).decode()},
        },
    }
    bundle = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": [entry]},
        **({"dsseEnvelope": inside} if dsse else {"messageSignature": {"signature": signature}}),
    }
    key = {"rawBytes": base64.b64encode(log_public.spki()).decode()}
    return bundle, {"tlogs": [{"publicKey": key, "logId": {"keyId": log_id}}]}


def test_a_bundle_with_a_managed_key_holds_under_its_log(place: Path) -> None:
    """Signature, entry and checkpoint fit: it holds. Another key, artifact, log, root or entry: it does not, each with a type."""
    bundle, root = sigstore(TWO, THREE)
    (place / "b.json").write_text(json.dumps(bundle))
    (place / "root.json").write_text(json.dumps(root))
    (place / "strange.json").write_text(json.dumps(sigstore(TWO, ONE)[1]))
    base = (str(place / "b.json"), "--artifact", str(place / "artifact"), "--root", str(place / "root.json"))
    assert dossier(*base, "--key", str(place / "two.pem")) == (
        0,
        {"payload_type": "", "predicate_type": "", "signed_by": [TWO.key_id], "subject": []},
    )
    assert dossier(*base, "--key", str(place / "one.pem"))[1]["error"]["code"] == "sigstore.verification"
    assert dossier(*base[:2], str(place / "other"), *base[3:], "--key", str(place / "two.pem"))[0] == 40
    assert dossier(*base[:-1], str(place / "strange.json"), "--key", str(place / "two.pem"))[0] == 40
    assert dossier(*base)[1]["error"]["code"] == "attestation.whom"
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    for change in (
        {"canonicalizedBody": base64.b64encode(canonical({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {}})).decode()},
        {"inclusionProof": {**entry["inclusionProof"], "rootHash": base64.b64encode(EMPTY_ROOT).decode()}},
        {"inclusionProof": {**entry["inclusionProof"], "logIndex": "1"}},
        {"inclusionPromise": {"signedEntryTimestamp": "AAAA"}, "integratedTime": "1"},
        {"logId": {"keyId": "AAAA"}},
        {"inclusionProof": {}},
    ):
        bad = {**bundle, "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": [{**entry, **change}]}}
        (place / "b.json").write_text(json.dumps(bad))
        code, found = dossier(*base, "--key", str(place / "two.pem"))
        assert (code, found["error"]["code"]) in ((40, "sigstore.verification"), (20, "sigstore.bundle")), change


@pytest.mark.parametrize(
    ("entry", "message", "valid", "code"),
    [
        ({"kindVersion": {"kind": "hashedrekord", "version": "0.0.1"}}, {}, {}, 0),
        ({"kindVersion": {"kind": "hashedrekord", "version": "0.0.2"}}, {}, {}, 40),
        ({"kindVersion": {"kind": "dsse", "version": "0.0.1"}}, {}, {}, 40),
        ({"kindVersion": {}}, {}, {}, 20),
        ({}, {"algorithm": "SHA2_256", "digest": hashlib.sha256(ARTIFACT).digest()}, {}, 0),
        ({}, {"algorithm": "SHA2_512", "digest": hashlib.sha512(ARTIFACT).digest()}, {}, 0),
        ({}, {"algorithm": "SHA2_256", "digest": hashlib.sha256(b"other").digest()}, {}, 40),
        ({}, {"algorithm": "SHA2_384", "digest": hashlib.sha256(ARTIFACT).digest()}, {}, 40),
        ({}, {"algorithm": "MD5", "digest": hashlib.md5(ARTIFACT).digest()}, {}, 40),
        ({"integratedTime": "1767225600"}, {}, {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, 0),
        ({"integratedTime": "1767225601"}, {}, {"start": "2021-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, 40),
        ({"integratedTime": "1767225599"}, {}, {"start": "2026-01-01T00:00:00.000Z"}, 40),
        ({"integratedTime": "1767225599"}, {}, {"start": "yesterday"}, 20),
        ({"integratedTime": "0"}, {}, {"start": "2026-01-01T00:00:00Z"}, 0),
    ],
)
def test_what_a_bundle_says_beside_its_signature_must_be_so(
    place: Path, entry: dict[str, Any], message: dict[str, Any], valid: dict[str, str], code: int
) -> None:
    """The kind of its entry, the digest of its message, and a time its log's key is good for, both ends included."""
    bundle, root = sigstore(TWO, THREE)
    bundle["verificationMaterial"]["tlogEntries"][0].update(entry)
    if message:
        bundle["messageSignature"]["messageDigest"] = {**message, "digest": base64.b64encode(message["digest"]).decode()}
    if valid:
        root["tlogs"][0]["publicKey"]["validFor"] = valid
    (place / "b.json").write_text(json.dumps(bundle))
    (place / "root.json").write_text(json.dumps(root))
    base = (str(place / "b.json"), "--artifact", str(place / "artifact"), "--root", str(place / "root.json"))
    assert dossier(*base, "--key", str(place / "two.pem"))[0] == code


def test_a_statement_with_a_managed_key_holds_about_its_subjects(place: Path) -> None:
    """The envelope in a bundle, and the entry of it in the log, hold about a subject of the statement and about nothing else."""
    bundle, root = sigstore(TWO, THREE, dsse=True)
    (place / "b.json").write_text(json.dumps(bundle))
    (place / "root.json").write_text(json.dumps(root))
    base = (str(place / "b.json"), "--root", str(place / "root.json"), "--key", str(place / "two.pem"), "--artifact")
    code, found = dossier(*base, str(place / "artifact"))
    assert (code, found["predicate_type"]) == (0, "https://slsa.dev/provenance/v1")
    assert dossier(*base, str(place / "other"))[1]["error"]["code"] == "sigstore.verification"
    twice = {**bundle, "dsseEnvelope": {**bundle["dsseEnvelope"], "signatures": bundle["dsseEnvelope"]["signatures"] * 2}}
    (place / "b.json").write_text(json.dumps(twice))
    assert dossier(*base, str(place / "artifact"))[1]["error"]["code"] == "sigstore.bundle"
    again = sigstore(TWO, THREE, dsse=True)[0]  # ECDSA by another tool: as good a signature, and not the one the log holds
    (place / "b.json").write_text(json.dumps({**bundle, "dsseEnvelope": {**again["dsseEnvelope"], "payloadType": "text/plain"}}))
    assert dossier(*base, str(place / "artifact"))[0] == 40


def newer(bundle: dict[str, Any], root: dict[str, Any], log: Signer, signer: Signer, hashed: bytes, name: str) -> dict[str, Any]:
    """The bundle with an entry of newer logs (`hashedrekord 0.0.2`), which says its signature and this hash."""
    sig = bundle["dsseEnvelope"]["signatures"][0]["sig"] if "dsseEnvelope" in bundle else bundle["messageSignature"]["signature"]
    key = {"publicKey": {"rawBytes": base64.b64encode(parse_public(signer.public, "signer").spki()).decode()}}
    spec = {
        "data": {"algorithm": name, "digest": base64.b64encode(hashed).decode()},
        "signature": {"content": sig, "verifier": key},
    }
    body = canonical({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": spec}})
    leaf = base64.b64encode(leaf_hash(body)).decode()
    text = f"log.example - 1\n1\n{leaf}\n".encode()
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    proof = entry["inclusionProof"] | {
        "rootHash": leaf,
        "checkpoint": {"envelope": (text + b"\n" + note_line("log.example", text, log)).decode()},
    }
    entry = {**entry, "canonicalizedBody": base64.b64encode(body).decode(), "inclusionProof": proof}
    return {**bundle, "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": [entry]}}


@pytest.mark.parametrize("dsse", [False, True])
def test_an_entry_of_newer_logs_is_of_what_the_signature_is_over(place: Path, dsse: bool) -> None:
    """Of an envelope that is its encoding (rekor-v2-spec section 6.1.4), by the hash the entry names; the file is something else."""
    bundle, root = sigstore(TWO, THREE, dsse=dsse)
    (place / "root.json").write_text(json.dumps(root))
    base = (str(place / "root.json"), "--key", str(place / "two.pem"), "--artifact", str(place / "artifact"))
    over = pae(PAYLOAD_TYPE, STATEMENT) if dsse else ARTIFACT
    for content, name, code in (
        (over, "sha256", 0),
        (over, "sha384", 0),
        (STATEMENT, "sha256", 40),
        (b"other", "sha256", 40),
        (ARTIFACT, "sha256", 40 if dsse else 0),
        (over, "md5", 40),
    ):
        said = {"sha256": "SHA2_256", "sha384": "SHA2_384"}.get(name, name)
        made = newer(bundle, root, THREE, TWO, hashlib.new(name, content).digest(), said)
        (place / "b.json").write_text(json.dumps(made))
        assert dossier(str(place / "b.json"), "--root", *base)[0] == code, (name, content)


def test_a_bundle_signs_one_thing(place: Path) -> None:
    """An envelope and a message's signature in one bundle: two readers would each see another one. Nor is an envelope without a list of one
    signature any."""
    bundle, root = sigstore(TWO, THREE)
    (place / "root.json").write_text(json.dumps(root))
    base = (str(place / "b.json"), "--root", str(place / "root.json"), "--artifact", str(place / "artifact"))
    alone = {k: v for k, v in bundle.items() if k != "messageSignature"}
    strange = [alone | {"dsseEnvelope": e} for e in ({**envelope(TWO), "signatures": 5}, {"signatures": "x"}, [])]
    for mine in (bundle | {"dsseEnvelope": envelope(TWO)}, *strange):
        (place / "b.json").write_text(json.dumps(mine))
        for whom in (("--key", str(place / "two.pem")), ("--identity", "a", "--issuer", "b")):
            assert dossier(*base, *whom)[1]["error"]["code"] == "sigstore.bundle"


def test_a_bundle_without_a_proof_says_so(place: Path) -> None:
    """A promise alone, as the first bundles could have it, or a proof without checkpoint, shows no log."""
    bundle, root = sigstore(TWO, THREE)
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    (place / "root.json").write_text(json.dumps(root))
    base = (
        str(place / "b.json"),
        "--root",
        str(place / "root.json"),
        "--artifact",
        str(place / "artifact"),
        "--key",
        str(place / "two.pem"),
    )
    for proof in (None, {k: v for k, v in entry["inclusionProof"].items() if k != "checkpoint"}):
        entry["inclusionProof"] = proof
        (place / "b.json").write_text(json.dumps(bundle))
        error = dossier(*base)[1]["error"]
        assert (error["code"], error["found"]) == ("sigstore.verification", "no proof, with a checkpoint, that the log holds the entry")
