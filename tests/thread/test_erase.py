"""Erasing an artifact: signed, logged, then gone; what stood on it says so."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from release_dossier import bundle
from release_dossier.trust.dsse import parse_envelope, seal
from release_dossier.trust.keys import load_signer
from release_dossier.trust.statement import Subject, parse_statement, state
from tests.thread.test_attacks import revoking, second_root, world_of
from tests.thread.test_gate import FAILING, allowed
from tests.town import START, Town

REASON = "a customer's name is in it"


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def artifact_of(town: Town) -> str:
    evidence = next(e for e in town.dossier("collect")["evidence"] if e["name"] == "tests")
    return str(town.dossier("show", evidence["digest"])["predicate"]["artifacts"][0]["digest"])


def erase(town: Town, artifact: str, **more: str) -> dict[str, str]:
    args = {"--as": "ann", "--key": str(town.key), "--reason": REASON} | more
    return dict(town.dossier("erase", artifact, *(x for pair in args.items() for x in pair))["erasure"])


def test_an_old_decision_stands_and_shows_what_is_withheld(town: Town) -> None:
    """After the erasure the bytes are nowhere in the store; the decision replays, and its bundle verifies as allowed, naming what is
    withheld, by whom and why."""
    digest = allowed(town)
    decision = town.gate()["digest"]
    artifact = artifact_of(town)
    content = next(c for n, c in _export(town, digest).items() if n.endswith(artifact[7:]))
    erased = erase(town, artifact)
    assert erased["reason"] == REASON
    assert not [p for p in (town.repo / ".dossier").rglob("*") if p.is_file() and content in p.read_bytes()]
    assert town.dossier("replay", decision)["equal"]
    files = _export(town, digest)
    assert f"artifacts/{artifact[7:]}" not in files
    found = town.dossier("verify", str(town.root / "x.dossier"))
    assert found["standing"] == "allowed"
    held = next(c for c in found["checks"] if c["name"] == f"artifacts/{artifact[7:]}")
    assert held["detail"] == f"withheld: erased by ann: {REASON}"
    assert f"artifacts/{artifact[7:]}: {held['detail']}" in town.run("verify", str(town.root / "x.dossier"))[1]
    assert erase(town, artifact)["digest"] == erased["digest"]  # the same again is the same
    assert town.dossier("log", "audit")["size"] > 0


def test_attack_an_erasure_by_a_key_given_up(town: Town) -> None:
    """What a revoked key signed counts from before its revocation only: an erasure entered after it excuses nothing that is missing."""
    zoe = second_root(town)
    digest = allowed(town)
    artifact = artifact_of(town)
    erase(town, artifact)
    file, newer = town.root / "x.dossier", town.root / "newer.json"
    town.dossier("export", digest, "-o", str(file))
    chain, ann = world_of(town).trust_chain, load_signer(town.key).key_id
    for at, missing in ((START - timedelta(days=30), True), (town.now + timedelta(days=1), False)):
        newer.write_bytes(revoking(town, chain, ann, zoe, at.isoformat()))
        found = town.dossier("verify", str(file), "--trust", str(newer), ok=(0, 10, 40))
        assert found["verified"] is not missing
        assert any(f"artifacts/{artifact[7:]}: missing" in c["detail"] for c in found["checks"]) is missing


def test_a_new_decision_sees_it_missing(town: Town) -> None:
    """A dossier closed before is not decided anew; one closed since counts the pass as missing, saying who erased and why."""
    digest = allowed(town)
    erase(town, artifact_of(town))
    assert town.refused("gate", digest)["code"] == "dossier.withheld"
    town.dossier("assemble")
    line = next(r for r in town.gate()["requirements"] if r["evidence"] and r["id"] == "tests")
    assert line["state"] == "missing"
    assert REASON in line["reason"]


def test_what_was_erased_does_not_come_back_with_the_same_bytes(town: Town) -> None:
    """A command that writes the same file again brings nothing back: it is said, counts as missing, and other bytes pass."""
    digest = allowed(town)
    artifact = artifact_of(town)
    erase(town, artifact)
    place = town.repo / ".dossier" / "artifacts" / artifact[7:9] / artifact[7:]
    note = f"tests: tests.out is what was erased by ann: {REASON}; it is not kept again, and counts as missing"
    code, _, err = town.run("collect", "tests")
    assert (code, err.count(note), place.exists()) == (0, 1, False), err
    assert town.dossier("verify", digest)["standing"] == "allowed"
    town.dossier("assemble")
    assert next(r for r in town.gate()["requirements"] if r["id"] == "tests")["state"] == "missing"
    town.write("results.xml", town.read("results.xml").replace('"a"', '"c"'))
    town.commit("without the name")
    town.assembled()
    assert next(r for r in town.gate()["requirements"] if r["id"] == "tests")["state"] == "pass"


def test_erasing_a_failure_does_not_take_it_back(town: Town) -> None:
    """Law 2: what failed still failed when its artifact is gone."""
    town.write("results.xml", FAILING)
    town.commit("break it")
    town.assembled()
    erase(town, artifact_of(town))
    town.dossier("assemble")
    line = next(r for r in town.gate()["requirements"] if r["id"] == "tests")
    assert line["state"] == "fail"


def test_who_may_erase_and_what(town: Town) -> None:
    """An unknown artifact, a short or foreign digest, no reason, another's key: refused, and nothing is removed."""
    digest = allowed(town)
    artifact = artifact_of(town)
    base = ("--as", "ann", "--key", str(town.key), "--reason", REASON)
    assert town.refused("erase", "0" * 64, *base)["code"] == "erase.unknown"
    assert town.refused("erase", artifact[7:12], *base)["code"] == "erase.unknown"
    assert town.refused("erase", digest, *base)["code"] == "erase.unknown"
    assert town.refused("erase", artifact, *base[:-1], " ")["code"] == "people.no-reason"
    assert f"artifacts/{artifact[7:]}" in _export(town, digest)


def test_attack_artifact_deleted_without_a_signed_word(town: Town) -> None:
    """A removed artifact that nobody erased is an integrity failure; an erasure no listed person signed excuses nothing in a bundle."""
    digest = allowed(town)
    artifact = artifact_of(town)
    files = _export(town, digest)
    place = town.repo / ".dossier" / "artifacts" / artifact[7:9] / artifact[7:]
    place.unlink()
    assert town.refused("export", digest, code=40)["code"] == "store.missing-artifact"
    signer = load_signer(town.repo / ".dossier" / "keys" / "producer")
    project = parse_statement(parse_envelope(files["decision.json"], "d").payload, "d").project
    words = {"artifact": artifact, "person": "ann", "reason": REASON, "signed_at": "2026-01-01T00:00:00.000Z"}
    forged = seal(state("erasure", project, [Subject("x", {"sha256": "0" * 64})], words), (signer,))
    files = {**files, "erasures/x.json": forged}
    del files[f"artifacts/{artifact[7:]}"], files[bundle.MANIFEST]
    files[bundle.SUMS] = bundle.sums(files)
    out = town.root / "forged.dossier"
    out.write_bytes(bundle.seal_bundle(files, project, digest, "2026-01-01T00:00:00.000Z", signer))
    found = town.dossier("verify", str(out), ok=(40,))
    assert not found["verified"]


def _export(town: Town, digest: str) -> dict[str, bytes]:
    town.dossier("export", digest, "-o", str(town.root / "x.dossier"))
    return bundle.unpack(town.root / "x.dossier")
