"""What follows from other files is made again by whoever verifies; and the same is said in the words of others."""

from __future__ import annotations

import json
import tracemalloc
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from release_dossier import bundle
from release_dossier.digest import canonical, digest_of, sha256
from release_dossier.trust.document import parse_chain
from release_dossier.trust.dsse import PAYLOAD_TYPE, Envelope, pae, parse_envelope, seal
from release_dossier.trust.keys import generate, load_signer, parse_private
from release_dossier.trust.log import Entry, Tree, leaves_of, make_checkpoint, next_entry, parse_entries, parse_entry, tree_root
from release_dossier.trust.statement import Subject, parse_intoto, parse_statement, state
from tests.thread.test_gate import FAILING, allowed
from tests.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def exported(town: Town, digest: str) -> Path:
    file = town.root / "x.dossier"
    town.dossier("export", digest, "-o", str(file))
    return file


def packed_anew(town: Town, file: Path, change: dict[str, bytes | None]) -> Path:
    """The bundle with other files in it, its list and sums made anew and signed by the machine that made it: an insider's forgery."""
    files = bundle.unpack(file)
    old = parse_statement(parse_envelope(files.pop(bundle.MANIFEST), "m").payload, "m")
    for name, content in change.items():
        files.pop(name, None)
        if content is not None:
            files[name] = content
    files[bundle.SUMS] = bundle.sums(files)
    signer = load_signer(town.repo / ".dossier" / "keys" / "producer")
    out = town.root / "forged.dossier"
    out.write_bytes(bundle.seal_bundle(files, old.project, old.predicate["dossier"], old.predicate["made_at"], signer))
    return out


def fails(town: Town, file: Path, *more: str) -> dict[str, str]:
    found = town.dossier("verify", str(file), *more, ok=(40,))
    return {c["name"]: c["detail"] for c in found["checks"] if c["state"] == "fail"}


def test_attack_insider_changes_what_people_read(town: Town) -> None:
    """Whoever holds the machine's key cannot make HOW-TO-CHECK.md, keys, signatures beside statements or the words of others say something
    else: each is named, though every sum and the list are right."""
    file = exported(town, allowed(town))
    files = bundle.unpack(file)
    assert town.dossier("verify", str(packed_anew(town, file, {})))["verified"]
    vsa = next(n for n in files if n.startswith("attestations/vsa-"))
    pem = next(n for n in files if n.endswith(".pem"))
    sig = next(n for n in files if n.endswith(".sig"))
    signer = load_signer(town.repo / ".dossier" / "keys" / "producer")
    payload = parse_envelope(files[vsa], vsa).payload.replace(b"RELEASE_DOSSIER_ALLOW", b"SLSA_BUILD_LEVEL_3")
    changes: dict[str, bytes | None] = {
        "HOW-TO-CHECK.md": files["HOW-TO-CHECK.md"].replace(b"sha256sum --check", b"true || sha256sum --check"),
        pem: files[pem].replace(b"A", b"B", 1),
        vsa: bundle.attestation(payload, signer),
        "trust/allowed_signers": files["trust/allowed_signers"] + b'* namespaces="git" ssh-ed25519 AAAA\n',
        "approvals/more.sig": files[sig],
        "READ-ME-FIRST.md": b"All is well, no need to check.",
        sig: None,
    }
    for name, content in changes.items():
        found = fails(town, packed_anew(town, file, {name: content}))
        assert set(found) == {"derived"}, (name, found)
        assert name in found["derived"]


def test_attack_insider_exchanges_the_tag(town: Town) -> None:
    """The raw tag object is the one the release names: another one, none, or one more is named."""
    digest = allowed(town)
    town.dossier("release")
    file = exported(town, digest)
    name, tag = next((n, c) for n, c in bundle.unpack(file).items() if n.startswith("tags/"))
    assert town.dossier("verify", str(packed_anew(town, file, {})))["verified"]
    for change in ({name: tag.replace(b"Dossier: ", b"Dossier:  ")}, {name: None}, {"tags/more": tag}):
        found = fails(town, packed_anew(town, file, change))
        assert "derived" in found
        assert next(iter(change)) in found["derived"]


def said_anew(town: Town, file: Path, name: str, change: Callable[[dict[str, Any]], object]) -> Path:
    """The bundle with a statement that says something else, signed by the machine, in a log and a list made anew: an insider's forgery."""
    files = bundle.unpack(file)
    signer = load_signer(town.repo / ".dossier" / "keys" / "producer")
    body = json.loads(parse_envelope(files[name], name).payload)
    before = digest_of(body)
    change(body["predicate"])
    payload = canonical(body)
    files[name] = canonical(Envelope(payload, PAYLOAD_TYPE, ((signer.key_id, signer.sign(pae(PAYLOAD_TYPE, payload))),), (), b"").as_json())
    entries: list[Entry] = []
    for proof in json.loads(files[bundle.PROOFS])["entries"]:
        was = parse_entry(proof["line"].encode())
        now = (sha256(payload), sha256(files[name])) if was.digest == before else (was.digest, was.envelope)
        more = {"type": was.type, "change": was.change, "key": was.key, "at": was.at, "salt": was.salt}
        entries.append(next_entry(entries[-1] if entries else None, digest=now[0], envelope=now[1], **more))
    project = body["predicate"]["project"]
    files[bundle.CHECKPOINT] = make_checkpoint(project, len(entries), tree_root(leaves_of(entries)), signer)
    tree = Tree(leaves_of(entries))
    proofs = [{"line": e.line().decode(), "n": e.n, "proof": [b64encode(p).decode() for p in tree.inclusion(e.n)]} for e in entries]
    files[bundle.PROOFS] = canonical({"entries": proofs, "size": len(entries)})
    listed = parse_statement(parse_envelope(files.pop(bundle.MANIFEST), "m").payload, "m").predicate
    files[bundle.SUMS] = bundle.sums(files)
    out = town.root / "said.dossier"
    about = sha256(payload) if name == "dossier.json" else listed["dossier"]
    out.write_bytes(bundle.seal_bundle(files, project, about, listed["made_at"], signer))
    return out


def test_a_well_signed_statement_of_another_shape_is_a_fault(town: Town) -> None:
    """What a listed machine signs and no statement of ours says: named as a failed check with 40, never an untyped error."""
    file = exported(town, allowed(town))
    evidence = next(n for n in bundle.unpack(file) if n.startswith("evidence/tests"))
    shape, judged = "bundle.statement: at ", "what the statements say cannot be judged: "
    changes: list[tuple[str, str, Callable[[dict[str, Any]], object]]] = [
        ("dossier.json", shape, lambda p: p.update(evidence="none")),
        ("dossier.json", shape, lambda p: p.pop("change")),
        (evidence, shape, lambda p: p.update(artifacts=[1])),
        ("decision.json", shape, lambda p: p.update(requirements=None)),
        ("decision.json", judged, lambda p: p.update(at="2026-13-45T99:00:00Z")),
        ("decision.json", judged, lambda p: p["requirements"][0].update(state="splendid")),
        ("decision.json", judged, lambda p: p.update(checkpoint={})),
    ]
    for name, words, change in changes:
        found = fails(town, said_anew(town, file, name, change))["contents"]
        assert found.startswith(words), (name, found)


def test_integrity_alone_finds_what_no_key_of_the_bundle_signed(town: Town) -> None:
    """Without whom to trust, too: a signature or signed bytes beside a statement that are not those in it, another's word among the
    attestations, an artifact under another's name, a statement in another's place."""
    file = exported(town, allowed(town))
    files = bundle.unpack(file)
    sig, pae_, artifact, vsa = (
        next(n for n in files if fits(n))
        for fits in (
            lambda n: n.endswith(".sig"),
            lambda n: n.endswith(".pae"),
            lambda n: n.startswith("artifacts/"),
            lambda n: n.startswith("attestations/vsa-"),
        )
    )
    stranger = parse_private(generate()[0], "stranger")
    other = bundle.attestation(parse_envelope(files[vsa], vsa).payload, stranger)
    changes: list[tuple[str, str, bytes, str]] = [
        (sig, f"statement {sig.removesuffix('.sig')}.json", files[sig].replace(b"U1NIU0lH", b"U1NIU0lI"), "another signature than in"),
        (pae_, f"statement {pae_.removesuffix('.pae')}.json", files[pae_] + b"\n", "other bytes than"),
        (vsa, f"attestation {vsa}", other, "no signature of a known machine verifies"),
        (artifact, artifact, b"other", f"content has digest {sha256(b'other')[7:]}"),
        ("change.json", "statement change.json", files["dossier.json"], "a dossier statement"),
    ]
    assert town.dossier("verify", str(packed_anew(town, file, {})), "--integrity-only")["verified"]
    for name, check, content, says in changes:
        found = fails(town, packed_anew(town, file, {name: content}), "--integrity-only")
        assert says in found[check], (name, found)


def test_a_file_is_listed_once(town: Town) -> None:
    """A list that names a file twice, with two digests, would be right whichever was meant."""
    file = exported(town, allowed(town))
    files = bundle.unpack(file)
    listed = parse_statement(parse_envelope(files.pop(bundle.MANIFEST), "m").payload, "m")
    twice = [Subject(listed.subject[0].name, {"sha256": "0" * 64}), *listed.subject]
    said = {k: v for k, v in listed.predicate.items() if k != "project"}
    signer = load_signer(town.repo / ".dossier" / "keys" / "producer")
    for subjects, found in ((listed.subject, {}), (twice, {"manifest": "bundle.json: a file is listed twice"})):
        file.write_bytes(bundle.pack({**files, bundle.MANIFEST: seal(state("bundle", listed.project, subjects, said), (signer,))}))
        assert (fails(town, file) if found else {}) == found
        assert town.dossier("verify", str(file), ok=(40,) if found else (0,))["verified"] is not bool(found)


def test_a_bundle_without_its_dossier_or_its_change(town: Town) -> None:
    """What every bundle holds and this one does not is named, though the list, the sums and the log are right."""
    file = exported(town, allowed(town))
    files = bundle.unpack(file)
    for name in ("dossier.json", "change.json"):
        proofs = json.loads(files[bundle.PROOFS])
        digest = sha256(parse_envelope(files[name], name).payload)
        proofs["entries"] = [p for p in proofs["entries"] if parse_entry(p["line"].encode()).digest != digest]
        found = fails(town, packed_anew(town, file, {name: None, bundle.PROOFS: canonical(proofs)}))["contents"]
        assert found == f"bundle.incomplete: at {name}: found no such file, expected a bundle holds {name}"


def test_who_may_make_and_who_may_judge_a_bundle(town: Town) -> None:
    """Outside of a project somebody has to say whom to trust; a machine that nobody lists makes no bundle."""
    digest = allowed(town)
    file = exported(town, digest)
    outside = town.refused("-C", str(town.root), "verify", str(file), code=40)
    assert (outside["code"], outside["at"], outside["found"]) == ("verify.no-trust", "--trust", "no trust document")
    (town.repo / ".dossier" / "keys" / "producer").write_bytes(generate()[0])
    key = load_signer(town.repo / ".dossier" / "keys" / "producer").key_id
    unlisted = town.refused("export", digest, "-o", str(town.root / "other"))
    assert (unlisted["code"], unlisted["at"], unlisted["found"]) == ("bundle.maker", "producer key", f"{key}, which is not listed")
    assert not (town.root / "other").exists()


def test_a_bundle_with_a_statement_twice_or_without_its_place(town: Town) -> None:
    """A statement under two names, or one the log does not hold, is named."""
    file = exported(town, allowed(town))
    files = bundle.unpack(file)
    name = next(n for n in files if n.startswith("approvals/") and n.endswith(".json"))
    assert "approvals/again.json" in fails(town, packed_anew(town, file, {"approvals/again.json": files[name]}))["derived"]
    signer = load_signer(town.repo / ".dossier" / "keys" / "producer")
    project = parse_statement(parse_envelope(files["decision.json"], "d").payload, "d").project
    loose = seal(state("rejection", project, [Subject("x", {"sha256": "0" * 64})], {"reason": "never said"}), (signer,))
    assert "rejections/loose.json" in fails(town, packed_anew(town, file, {"rejections/loose.json": loose}))["log"]


def test_a_proof_of_what_is_not_here_is_named(town: Town) -> None:
    """A right proof of another entry of the log shows nothing about this bundle."""
    file = exported(town, allowed(town))
    entries = parse_entries((town.repo / ".dossier" / "log" / "entries.ndjson").read_bytes())
    proofs = bundle._proofs(entries, entries)
    assert proofs != bundle.unpack(file)[bundle.PROOFS]
    assert "is of a statement that is not here" in fails(town, packed_anew(town, file, {bundle.PROOFS: proofs}))["log"]


def test_the_log_holds_these_bytes_and_proofs_say_nothing_else(town: Town) -> None:
    """A statement the log holds in another envelope is not the one it holds; a word more among the proofs is not overlooked."""
    file = exported(town, allowed(town))
    files = bundle.unpack(file)
    signer = load_signer(town.repo / ".dossier" / "keys" / "producer")
    change = parse_statement(parse_envelope(files["change.json"], "c").payload, "c")
    again = seal(change, (signer, signer))
    assert again != files["change.json"]
    assert "change.json: no proof that it is in the log" in fails(town, packed_anew(town, file, {"change.json": again}))["log"]
    proofs: dict[str, Any] = json.loads(files[bundle.PROOFS])
    for said in ({**proofs, "more": 1}, {**proofs, "entries": [{**p, "note": "x"} for p in proofs["entries"]]}):
        assert "not canonical" in fails(town, packed_anew(town, file, {bundle.PROOFS: bundle.canonical(said)}))["log"]
    spaced = json.dumps(proofs, sort_keys=True).encode()
    assert "not canonical" in fails(town, packed_anew(town, file, {bundle.PROOFS: spaced}))["log"]


def test_every_fault_is_named(town: Town) -> None:
    """Two artifacts, a statement and the log broken at once: each has its own line."""
    file = exported(town, allowed(town))
    files = bundle.unpack(file)
    artifact = next(n for n in files if n.startswith("artifacts/"))
    change = next(n for n in files if n == "change.json")
    proofs: dict[str, Any] = json.loads(files["log/proofs.json"])
    for p in proofs["entries"]:
        p["proof"] = p["proof"][:-1]
    bad = {artifact: b"other", change: files[change][:-1], "log/proofs.json": bundle.canonical(proofs)}
    found = town.dossier("verify", str(packed_anew(town, file, bad)), ok=(40,))["checks"]
    faults = [c for c in found if c["state"] == "fail"]
    assert {artifact, "statement change.json"} <= {c["name"] for c in faults}
    assert sum(c["name"] == "log" for c in faults) >= len(proofs["entries"])


def test_a_proof_that_is_none_hides_no_other(town: Town) -> None:
    """A misspelled hash, an entry of another shape, one that is not included: each is named by its place; so are their statements."""
    file = exported(town, allowed(town))
    files = bundle.unpack(file)
    proofs: dict[str, Any] = json.loads(files[bundle.PROOFS])
    entries = proofs["entries"]
    assert len(entries) > 4
    entries[0]["proof"][0] = "*" + entries[0]["proof"][0][1:]
    entries[1] = "no entry"
    entries[3]["proof"] = entries[3]["proof"][:-1]
    told = town.dossier("verify", str(packed_anew(town, file, {bundle.PROOFS: bundle.canonical(proofs)})), ok=(40,))["checks"]
    faults = [c["detail"] for c in told if c["name"] == "log"]
    assert [f.split(":")[0] for f in faults[:3]] == ["log/proofs.json entries[0]", "log/proofs.json entries[1]", "log/proofs.json"]
    assert f"entry {entries[3]['n']} is not in the log" in faults[2]
    assert len(faults) == 5, faults
    assert all("no proof that it is in the log" in f for f in faults[3:])


def test_the_words_of_others(town: Town) -> None:
    """A verification summary and a test result say of an allowed dossier that it passed, about its commit, naming what was looked at."""
    digest = allowed(town)
    files = bundle.unpack(exported(town, digest))
    said = {n: parse_intoto(parse_envelope(raw, n).payload, n) for n, raw in files.items() if n.startswith("attestations/")}
    vsa = next(s for n, s in said.items() if "/vsa-" in n)
    tests = next(s for n, s in said.items() if "/test-result-" in n)
    head = town.git("rev-parse", "HEAD")
    assert vsa.predicate_type == "https://slsa.dev/verification_summary/v1"
    assert vsa.predicate["verificationResult"] == "PASSED"
    assert vsa.predicate["verifiedLevels"] == ["SLSA_BUILD_LEVEL_UNEVALUATED", "RELEASE_DOSSIER_ALLOW"]
    assert {"verifier", "timeVerified", "resourceUri", "policy", "slsaVersion"} <= vsa.predicate.keys()
    assert {"sha256": digest[7:]} in [a["digest"] for a in vsa.predicate["inputAttestations"]]
    assert vsa.subject[0].digest == tests.subject[0].digest == {"gitCommit": head}
    assert tests.predicate_type == "https://in-toto.io/attestation/test-result/v0.1"
    assert (tests.predicate["result"], tests.predicate["failedTests"]) == ("PASSED", [])


def test_the_words_of_others_deny_too(town: Town) -> None:
    """A denied dossier's summary is FAILED and claims no level; its test result names the failing test."""
    town.write("results.xml", FAILING)
    town.commit("break it")
    digest = town.assembled()
    assert town.gate()["outcome"] == "DENY"
    files = bundle.unpack(exported(town, digest))
    said = {n: parse_intoto(parse_envelope(raw, n).payload, n).predicate for n, raw in files.items() if n.startswith("attestations/")}
    vsa = next(s for n, s in said.items() if "/vsa-" in n)
    tests = next(s for n, s in said.items() if "/test-result-" in n)
    assert (vsa["verificationResult"], vsa["verifiedLevels"]) == ("FAILED", ["FAILED"])
    assert tests["result"] == "FAILED"
    assert len(tests["failedTests"]) == 1
    assert "b" in tests["failedTests"][0]


def test_artifacts_pass_by(tmp_path: Path) -> None:
    """Reading a bundle for verification keeps no artifact: 64 MiB of them cost less than 8 MiB of memory."""
    file = tmp_path / "big.dossier"
    with file.open("wb") as f:
        for piece in bundle.blocks({f"artifacts/{i}": bytes(16 * 1024 * 1024) for i in range(4)} | {"x.json": b"{}"}):
            f.write(piece)
    tracemalloc.start()
    opened = bundle.open_bundle(file)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert set(opened.files) == {"x.json"}
    assert len(opened.digests) == 5
    assert most < 8 * 1024 * 1024


def test_another_project_s_keys_verify_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """What verifying costs is the choice of who listed the keys: a chain of another project is named before one of them is used."""
    mine = parse_chain((town.repo / "dossier.trust.json").read_bytes(), "mine")
    other = Town(town.root / "other", founded_anew=True)
    theirs = bundle.open_bytes(bundle.pack({bundle.CHAIN: (other.repo / "dossier.trust.json").read_bytes()}))
    asked: list[object] = []
    monkeypatch.setattr("release_dossier.trust.document.valid_keys", lambda *a: asked.append(a) or frozenset())
    found = bundle.examine(theirs, mine)
    assert asked == []
    assert next(c for c in found.checks if c.name == "trust").detail.startswith("trust.other-project")
    bundle.examine(theirs)
    assert asked
