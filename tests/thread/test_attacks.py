"""Somebody who writes into the store, holds a person's key, or serves another trust document: each is found, and nothing of it counts."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from release_dossier import bundle
from release_dossier.steps.world import World, open_world
from release_dossier.store.files import FileStore
from release_dossier.trust.document import Revocation, append_version, next_version, parse_chain
from release_dossier.trust.dsse import seal
from release_dossier.trust.keys import Signer, generate, load_signer, parse_private
from release_dossier.trust.log import parse_checkpoint
from release_dossier.trust.note import note_line
from release_dossier.trust.statement import Statement, Subject, state
from tests.town import START, Town


def world_of(town: Town) -> World:
    return open_world(town.repo, town.env, town.now)


def stranger(name: str) -> Signer:
    return parse_private(generate()[0], name)


def second_root(town: Town) -> Path:
    """A person zoe who may change the trust document, so that other keys can be revoked."""
    key = town.root / "zoe"
    key.write_bytes(generate()[0])
    key.chmod(0o600)
    key.with_suffix(".pub").write_text(load_signer(key).public + "\n")
    town.change_trust("--person", "zoe", "--role", "trust-root", "--role", "release-manager", "--public", str(key.with_suffix(".pub")))
    town.git("rebase", "-q", "main")
    return key


def revoking(town: Town, chain: bytes, key: str, by: Path, at: str) -> bytes:
    """The chain with a version that revokes `key`."""
    fresh = next_version(parse_chain(chain, "chain"), created_at=town.now.isoformat(), revocations=[Revocation(key, at, "stolen")])
    return append_version(chain, seal(fresh, [load_signer(by)]))


def serve(town: Town, chain: bytes) -> None:
    """The chain on the protected branch."""
    town.git("switch", "-q", "main")
    town.write("dossier.trust.json", chain.decode())
    town.commit("trust")
    town.git("switch", "-q", "fix/rounding")


def weakened(town: Town, world: World) -> Statement:
    """The change on record under another title, asking for nothing but its scope."""
    entry = next(e for e in world.store.entries() if e.type == "change")
    said: dict[str, Any] = {k: v for k, v in world.statement(entry.digest, "change").predicate.items() if k != "project"}
    said["issue"] = {**said["issue"], "title": said["issue"]["title"] + "."}
    return state("change", world.trust.project, [Subject(said["id"], {"gitCommit": said["head"], "gitTree": said["tree"]})], said)


def test_attack_a_statement_of_a_stranger_in_the_log(tmp_path: Path) -> None:
    """Its entry follows the last one under the old, honest checkpoint, as a killed run leaves them: nobody signs a head over it."""
    town = Town(tmp_path)
    town.assembled()
    world, log = world_of(town), town.repo / ".dossier" / "log"
    kept = {name: (log / name).read_bytes() for name in ("checkpoint", "journal.ndjson")}
    signer = stranger("stranger")
    key = town.root / "stranger"
    key.write_bytes(generate()[0])
    statement = weakened(town, world)
    store = FileStore(town.repo / ".dossier", world.trust.project, signer_path=key, public_keys=world.trust.machine_keys())
    store.put(seal(statement, (signer,)), type="change", change=statement.digest, key="fix/rounding", at=world.stamp())
    for name in kept:
        (log / name).write_bytes(kept[name])
    for command in (("assemble",), ("gate",), ("log", "audit")):
        assert town.dossier(*command, ok=(40,))["error"]["code"] == "log.unsigned", command
    assert (log / "checkpoint").read_bytes() == kept["checkpoint"]


def test_attack_a_statement_of_a_stranger_in_the_journal(tmp_path: Path) -> None:
    """Its record follows the last one there, under honest entries and their checkpoint, as a run killed earlier leaves it: it is entered
    nowhere."""
    town = Town(tmp_path)
    town.assembled()
    world, home = world_of(town), town.repo / ".dossier"
    honest = {f: f.read_bytes() for d in ("log", "documents") for f in (home / d).rglob("*") if f.is_file() and f.name != "journal.ndjson"}
    key = town.root / "stranger"
    key.write_bytes(generate()[0])
    statement = weakened(town, world)
    store = FileStore(home, world.trust.project, signer_path=key, public_keys=world.trust.machine_keys())
    store.put(seal(statement, (stranger("stranger"),)), type="change", change=statement.digest, key="fix/rounding", at=world.stamp())
    assert statement.digest.encode() in (home / "log" / "journal.ndjson").read_bytes()
    for file, raw in honest.items():
        file.write_bytes(raw)
    for command in (("assemble",), ("gate",), ("log", "audit")):
        assert town.dossier(*command, ok=(40,))["error"]["code"] == "log.unsigned", command
        assert {f: f.read_bytes() for f in honest} == honest, command


def test_attack_a_statement_of_a_stranger_under_an_honest_head(tmp_path: Path) -> None:
    """However it came under a signed head, it is nobody's."""
    town = Town(tmp_path)
    town.assembled()
    world = world_of(town)
    statement = weakened(town, world)
    world.store.put(seal(statement, (stranger("x"),)), type="change", change=statement.digest, key="fix/rounding", at=world.stamp())
    assert town.dossier("assemble", ok=(40,))["error"]["code"] == "statement.unsigned"


@pytest.mark.parametrize("revoked", [False, True])
def test_attack_a_person_s_key_signs_the_head_of_the_log(tmp_path: Path, revoked: bool) -> None:
    """A listed person signs their own word, and no machine's: neither head nor statement."""
    town = Town(tmp_path)
    key = second_root(town)
    town.assembled()
    if revoked:
        zoe = load_signer(key).key_id
        serve(town, revoking(town, world_of(town).trust_chain, zoe, town.key, (town.now - timedelta(days=1)).isoformat()))
    world = world_of(town)
    statement = weakened(town, world)
    store = FileStore(town.repo / ".dossier", world.trust.project, signer_path=key, public_keys=world.trust.machine_keys())
    store.put(seal(statement, (load_signer(key),)), type="change", change=statement.digest, key="fix/rounding", at=world.stamp())
    assert town.dossier("gate", ok=(40,))["error"]["code"] == "log.checkpoint-signer"


def test_attack_a_person_s_key_signs_a_statement(tmp_path: Path) -> None:
    town = Town(tmp_path)
    key = second_root(town)
    town.assembled()
    world = world_of(town)
    statement = weakened(town, world)
    world.store.put(seal(statement, (load_signer(key),)), type="change", change=statement.digest, key="fix/rounding", at=world.stamp())
    assert town.dossier("assemble", ok=(40,))["error"]["code"] == "statement.unsigned"


def test_attack_a_fork_of_the_trust_document(tmp_path: Path) -> None:
    """Version 3 revoked a stolen root key; the thief signs another version 3 that does not, and it is served."""
    town = Town(tmp_path)
    zoe = second_root(town)
    before = world_of(town).trust_chain
    ann = load_signer(town.key).key_id
    serve(town, revoking(town, before, ann, zoe, town.now.isoformat()))
    assert world_of(town).trust.document.version == 3
    serve(town, revoking(town, before, load_signer(zoe).key_id, town.key, town.now.isoformat()))
    found = town.dossier("trust", "show", ok=(40,))["error"]
    assert found["code"] == "trust.forked"
    # a pin of before, which holds a version and no digest, takes the one it meets, and no other from then on
    pin = town.repo / ".dossier" / "project.json"
    old = {k: v for k, v in json.loads(pin.read_bytes()).items() if k != "trust_digest"}
    pin.write_text(json.dumps(old))
    met = world_of(town)
    assert json.loads(pin.read_bytes())["trust_digest"] == met.trust.digest


def verified(town: Town, file: Path, *more: str) -> tuple[int, str, str]:
    code, out, _ = town.run("verify", str(file), "--json", *more)
    said = json.loads(out)
    return code, said["standing"], "; ".join(c["detail"] for c in said["checks"] if c["state"] != "pass")


def test_attack_a_bundle_of_an_allow_that_stands_no_more(tmp_path: Path) -> None:
    """What came after an ALLOW, in the bundle or in the verifier's newer trust document, decides whether it stands."""
    town = Town(tmp_path)
    zoe = second_root(town)
    digest = town.assembled()
    town.approve(digest, "release-manager")
    assert town.gate()["outcome"] == "ALLOW"
    file = town.root / "x.dossier"
    town.dossier("export", digest, "-o", str(file))
    assert verified(town, file) == (0, "allowed", "")
    chain, ann = world_of(town).trust_chain, load_signer(town.key).key_id
    maker = next(iter(world_of(town).trust.machine_keys()))
    newer = town.root / "newer.json"
    for key, want in ((ann, (10, "no longer allowed: nobody's signature counts as release-manager")), (maker, (40, "broken"))):
        newer.write_bytes(revoking(town, chain, key, zoe, (START - timedelta(days=30)).isoformat()))
        assert verified(town, file, "--trust", str(newer))[:2] == want, key
        # revoked later than all of it, it stands
        newer.write_bytes(revoking(town, chain, key, zoe, (town.now + timedelta(days=1)).isoformat()))
        assert verified(town, file, "--trust", str(newer)) == (0, "allowed", "")
    town.later(minutes=1)
    town.dossier("reject", digest, "--as", "ann", "--key", str(town.key), "--reason", "found a hole")
    town.dossier("export", digest, "-o", str(file))
    assert verified(town, file) == (10, "no longer allowed: rejected by ann: found a hole", "")


@pytest.fixture(scope="module")
def allowed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Town, dict[str, bytes]]:
    town = Town(tmp_path_factory.mktemp("town"))
    digest = town.assembled()
    town.approve(digest, "release-manager")
    town.gate()
    file = town.root / "x.dossier"
    town.dossier("export", digest, "-o", str(file))
    return town, bundle.unpack(file)


def head_by(signer: Signer, origin: str | None = None) -> Callable[[dict[str, bytes], dict[str, Any]], None]:
    def change(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        text = files[bundle.CHECKPOINT].split(b"\n\n")[0] + b"\n"
        own = parse_checkpoint(files[bundle.CHECKPOINT], "head").origin
        text = text.replace(own.encode(), (origin or own).encode())
        files[bundle.CHECKPOINT] = text + b"\n" + note_line(origin or own, text, signer)

    return change


def without_attestation(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    del files[next(n for n in files if n.startswith("attestations/vsa"))]


def of_another_dossier(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["dossier"] = "sha256:" + "0" * 64


def proofs_of_another_size(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    said = json.loads(files[bundle.PROOFS])
    files[bundle.PROOFS] = bundle.canonical({**said, "size": said["size"] + 1})


def of_another_kind(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    name = next(n for n in files if n.startswith("approvals/") and n.endswith(".json"))
    files[name.replace("approvals", "waivers")] = files.pop(name)


def with_a_word_of_another_project(signer: Signer) -> Callable[[dict[str, bytes], dict[str, Any]], None]:
    def change(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        subject = [Subject("x", {"sha256": "0" * 64})]
        files["rejections/loose.json"] = seal(state("rejection", "sha256:" + "0" * 64, subject, {"reason": "no"}), [signer])

    return change


def attested_by(signer: Signer) -> Callable[[dict[str, bytes], dict[str, Any]], None]:
    def change(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        name = next(n for n in files if n.startswith("attestations/vsa"))
        files[name] = bundle.attestation(base64.b64decode(json.loads(files[name])["payload"]), signer)

    return change


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("a head by a person", "log/checkpoint: no signature of a known machine verifies"),
        ("a head of another log", "log/checkpoint: of the log example.org/other"),
        ("an attestation by a person", "no signature of a known machine verifies"),
        ("an attestation left out", ".json: missing"),
        ("another dossier", "bundle.json: of dossier sha256:0000"),
        ("a kind under another's name", ".json: a approval statement"),
        ("a word of another project", "rejections/loose.json: of project sha256:0000"),
        ("proofs of another size", "log/proofs.json: for "),
        ("another project", "bundle.json: a bundle of project sha256:0000"),
    ],
)
def test_attack_a_machine_s_own_bundle_that_lies(allowed: tuple[Town, dict[str, bytes]], how: str, says: str) -> None:
    """Made by whoever holds a listed machine's key, whole and well signed."""
    town, files = allowed[0], dict(allowed[1])
    machine, ann = load_signer(town.repo / ".dossier" / "keys" / "producer"), load_signer(town.key)
    changes = {
        "a head by a person": head_by(ann),
        "a head of another log": head_by(machine, "example.org/other"),
        "an attestation by a person": attested_by(ann),
        "an attestation left out": without_attestation,
        "another dossier": of_another_dossier,
        "a kind under another's name": of_another_kind,
        "a word of another project": with_a_word_of_another_project(machine),
        "proofs of another size": proofs_of_another_size,
        "another project": lambda files, manifest: manifest.update(project="sha256:" + "0" * 64),
    }
    said = json.loads(base64.b64decode(json.loads(files.pop(bundle.MANIFEST))["payload"]))["predicate"]
    changes[how](files, said)
    files[bundle.SUMS] = bundle.sums(files)
    contents = msgspec.convert(said, bundle.Contents)
    file = town.root / "made.dossier"
    file.write_bytes(bundle.seal_bundle(files, said["project"], contents.dossier, contents.made_at, machine))
    code, standing, faults = verified(town, file)
    assert (code, standing) == (40, "broken")
    assert says in faults


def test_a_machine_s_own_bundle_made_again_verifies(allowed: tuple[Town, dict[str, bytes]]) -> None:
    """The bundles above are refused for what they change alone."""
    town, files = allowed[0], dict(allowed[1])
    machine = load_signer(town.repo / ".dossier" / "keys" / "producer")
    envelope = json.loads(files.pop(bundle.MANIFEST))
    said = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    file = town.root / "again.dossier"
    file.write_bytes(bundle.seal_bundle(files, said["project"], said["dossier"], said["made_at"], machine))
    assert verified(town, file)[:2] == (0, "allowed")


def test_attack_a_file_listed_twice(allowed: tuple[Town, dict[str, bytes]]) -> None:
    """The list of files names each once, whatever the second line says."""
    town, files = allowed[0], dict(allowed[1])
    machine = load_signer(town.repo / ".dossier" / "keys" / "producer")
    said = json.loads(base64.b64decode(json.loads(files.pop(bundle.MANIFEST))["payload"]))["predicate"]
    for again, code in (0, 0), (1, 40):
        once = bundle.manifest(files, said["project"], said["dossier"], said["made_at"])
        listed = [*once.subject[:again], *once.subject]
        contents = {"dossier": said["dossier"], "made_at": said["made_at"]}
        file = town.root / "listed.dossier"
        file.write_bytes(bundle.pack({**files, bundle.MANIFEST: seal(state("bundle", said["project"], listed, contents), [machine])}))
        assert verified(town, file)[::2] == (code, "bundle.json: a file is listed twice" if again else "")


def test_attack_a_bundle_made_with_a_key_that_was_given_up(tmp_path: Path) -> None:
    """Neither the moment the maker says nor the log's word for the statements is passed over: each is held against the revocation."""
    town = Town(tmp_path)
    zoe = second_root(town)
    town.approve(town.assembled(), "release-manager")
    decision = town.gate()
    file, newer = town.root / "x.dossier", town.root / "newer.json"
    town.dossier("export", decision["dossier"], "-o", str(file))
    files = bundle.unpack(file)
    files.pop(bundle.MANIFEST)
    machine = load_signer(town.repo / ".dossier" / "keys" / "producer")
    chain, project, begun = world_of(town).trust_chain, world_of(town).trust.project, START - timedelta(minutes=1)
    for revoked, made, faults in (
        (town.now + timedelta(hours=1), town.now, ""),
        (town.now + timedelta(hours=1), town.now + timedelta(hours=2), "when no key that signed it stood any more"),
        (begun, begun - timedelta(hours=1), "when no machine's key that signed it stood any more"),
    ):
        newer.write_bytes(revoking(town, chain, machine.key_id, zoe, revoked.isoformat()))
        file.write_bytes(bundle.seal_bundle(files, project, decision["dossier"], made.isoformat(), machine))
        code, _, found = verified(town, file, "--trust", str(newer))
        assert (code, faults in found, bool(found)) == (40 if faults else 0, True, bool(faults)), found
        assert not faults or ("bundle.json" in found) == (made > revoked), found


def closed_otherwise(town: Town, digest: str, change: Callable[[dict[str, Any]], None]) -> str:
    """A dossier that says something else than `digest`, recorded by whoever holds the machine's key."""
    world = world_of(town)
    said = {k: v for k, v in json.loads(json.dumps(world.statement(digest, "dossier").predicate)).items() if k != "project"}
    change(said)
    entry = next(e for e in world.store.entries() if e.digest == digest)
    subject = [Subject(s.name, dict(s.digest)) for s in world.statement(digest, "dossier").subject]
    return world.record(state("dossier", world.trust.project, subject, said), change=entry.change, key=entry.key)


def without_the_failure(said: dict[str, Any]) -> None:
    said["evidence"] = [a for a in said["evidence"] if a["attempt"] == 1]


def with_a_pass(said: dict[str, Any]) -> None:
    said["evidence"][-1].update(verdict="pass", looked_at=2, counterexamples=[], counterexamples_total=0)


def logged_before(said: dict[str, Any]) -> None:
    said["evidence"][-1]["logged_at"] = "2026-01-01T00:00:00.000Z"


def of_another_owner(said: dict[str, Any]) -> None:
    said["change"]["owner"] = "zoe"


def unchanged(said: dict[str, Any]) -> None:
    said["risks"] = [*said["risks"], {"id": "R9", "severity": "low", "source": "issue", "text": "one more"}]


def test_attack_a_dossier_that_says_something_else(tmp_path: Path) -> None:
    """Closed anew by a listed machine: the last attempt, which failed, left out with no gap; its verdict, its time in the log, or the
    change in other words. Each stops the gate."""
    town = Town(tmp_path)
    town.open()
    town.dossier("collect")
    town.write("brought.xml", town.read("results.xml").replace('name="b"/>', 'name="b"><failure/></testcase>'))
    town.dossier("collect", "tests", "--from", str(town.repo / "brought.xml"), "--observed-at", town.moment(minutes=-1))
    digest = town.dossier("assemble")["dossier"]["digest"]
    assert [(a["attempt"], a["verdict"]) for a in town.dossier("show", digest)["predicate"]["evidence"]] == [(1, "pass"), (2, "fail")]
    for change, code in (
        (without_the_failure, "dossier.incomplete"),
        (with_a_pass, "dossier.differs"),
        (logged_before, "dossier.differs"),
        (of_another_owner, "dossier.differs"),
    ):
        assert town.refused("gate", closed_otherwise(town, digest, change), code=40)["code"] == code, change
    assert town.run("gate", closed_otherwise(town, digest, unchanged), "--json")[0] == 10
    file = town.root / "x.dossier"
    for change, words in ((with_a_pass, "says something else than the dossier"), (logged_before, "says something else"), (unchanged, "")):
        town.dossier("export", closed_otherwise(town, digest, change), "-o", str(file))
        code, standing, faults = verified(town, file)
        assert (code, standing) == ((40, "broken") if words else (10, "denied")), change
        assert words in faults


def test_attack_evidence_in_another_machine_s_name(tmp_path: Path) -> None:
    """One listed machine says that another, whose word weighs more, produced what it recorded: the gate and a verifier ask for the
    signature of the machine that is named."""
    town = Town(tmp_path)
    lab = stranger("lab")
    (town.root / "lab.pub").write_text(lab.public + "\n")
    town.change_trust("--producer", "lab", "--public", str(town.root / "lab.pub"))
    town.git("rebase", "-q", "main")
    digest = town.assembled()
    world = world_of(town)
    entry = next(e for e in world.store.entries() if e.type == "evidence")
    true = world.statement(entry.digest, "evidence")
    said = {k: v for k, v in json.loads(json.dumps(true.predicate)).items() if k != "project"}
    said["producer"].update(id="lab", key=lab.key_id)
    forged = state("evidence", world.trust.project, [Subject(s.name, dict(s.digest)) for s in true.subject], said)
    world.record(forged, change=entry.change, key=entry.key)

    def named(said: dict[str, Any]) -> None:
        said["evidence"][-1].update(digest=forged.digest, producer="lab", producer_key=lab.key_id, logged_at="")
        said["log"].update(size=said["log"]["size"] + 1)

    other = closed_otherwise(town, digest, named)
    assert town.refused("gate", other, code=40)["code"] == "statement.unsigned"
    file = town.root / "x.dossier"
    town.dossier("export", other, "-o", str(file))
    code, _, faults = verified(town, file)
    assert (code, "not signed by its producer lab" in faults) == (40, True)


@pytest.mark.parametrize("foreign", [False, True])
def test_a_statement_entered_as_another_is_read_as_neither(tmp_path: Path, foreign: bool) -> None:
    """Well signed and in the log, but of another word than its entry says, or of another project: it is read as neither, nor shown."""
    from tests.api.conftest import served

    town = Town(tmp_path)
    town.assembled()
    world = world_of(town)
    project = "sha256:" + "ab" * 32 if foreign else world.trust.project
    statement = state("dossier" if foreign else "change", project, [Subject("x", {"sha256": "0" * 64})], {"title": "x"})
    world.store.put(seal(statement, (world.signer(),)), type="dossier", change="c", key="fix/rounding", at=world.stamp())
    refused = town.refused("gate", code=40)
    assert (refused["code"], refused["at"]) == ("statement.unexpected", f"document {statement.digest}")
    assert (refused["found"], refused["expected"]) == (f"a {statement.word} of project {project[:19]}", "a dossier of this project")
    with served(town) as c:
        shown = c.get(f"/api/v1/documents/{statement.digest[7:]}")
        assert (shown.status_code, shown.json()["code"], shown.json()["found"]) == (500, "statement.unexpected", refused["found"])
