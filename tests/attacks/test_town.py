"""Attacks on a whole project: whoever holds the branch, the store and the network, but no key, changes nothing that counts."""

from __future__ import annotations

import base64
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from release_dossier import bundle
from release_dossier.store.files import new_key
from release_dossier.trust.keys import ED25519
from tests.store.conftest_store import envelope_in, exchange
from tests.thread.test_gate import allowed, states
from tests.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def home(town: Town) -> Path:
    return town.repo / ".dossier"


def logged(town: Town, type_: str) -> list[dict[str, Any]]:
    lines = (home(town) / "log" / "entries.ndjson").read_text().splitlines()
    return [e for e in map(json.loads, lines) if e["type"] == type_]


def test_attack_evidence_of_another_change(town: Town) -> None:
    """A pass about other code proves nothing about this: the next change at another fingerprint begins with nothing."""
    allowed(town)
    town.write("app/pay.py", "def pay(x):\n    return int(x) + 1\n")
    town.commit("one credit more")
    town.open()
    town.dossier("assemble")
    decision = town.gate()
    assert decision["outcome"] == "DENY"
    assert states(decision)["tests"] in ("missing", "stale")


def test_attack_back_dated_evidence(town: Town) -> None:
    """Saying that it was observed long ago makes evidence older, never fresher; in the future it is an error."""
    town.open()
    file = town.root / "brought.xml"
    file.write_text(town.read("results.xml"))
    town.dossier("collect", "tests", "--from", str(file), "--observed-at", town.moment(days=-400))
    town.dossier("assemble")
    assert states(town.gate())["tests"] == "stale"
    town.dossier("collect", "tests", "--from", str(file), "--observed-at", town.moment(days=2), ok=(0, 20))
    town.dossier("assemble")
    assert town.gate()["outcome"] == "DENY"


def test_attack_a_back_dated_log_entry(town: Town) -> None:
    """The time of an entry is under the checkpoint's signature: writing another stops everything."""
    allowed(town)
    log = town.repo / ".dossier" / "log" / "entries.ndjson"
    lines = log.read_bytes().splitlines(keepends=True)
    for i, line in enumerate(lines):
        entry = json.loads(line)
        entry["at"] = "2020-01-01T00:00:00.000Z"
        changed = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        log.write_bytes(b"".join([*lines[:i], changed, *lines[i + 1 :]]))
        assert town.run("gate", "--json")[0] == 40, i
    log.write_bytes(b"".join(lines))
    assert town.gate()["outcome"] == "ALLOW"


def test_attack_role_raised(town: Town) -> None:
    """A role the trust document does not give cannot be signed in, and a role written into the statement breaks its signature."""
    digest = town.assembled()
    assert town.refused("approve", digest, "--as", "ann", "--role", "king", "--key", str(town.key))["code"].startswith("people.")
    town.approve(digest, "release-manager")
    (entry,) = logged(town, "approval")
    envelope = json.loads(envelope_in(home(town), entry["n"]))
    payload = base64.b64decode(envelope["payload"])
    assert b'"release-manager"' in payload
    envelope["payload"] = base64.b64encode(payload.replace(b'"release-manager"', b'"rule-owner"')).decode()
    exchange(home(town), entry["n"], json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode())
    assert town.run("gate", "--json")[0] == 40


def test_attack_a_signature_moved_to_another_dossier(town: Town) -> None:
    """An approval's envelope under the name of another dossier's approval, or of any other statement, stops everything."""
    allowed(town)
    (approval,) = logged(town, "approval")
    (dossier,) = logged(town, "dossier")
    exchange(home(town), dossier["n"], envelope_in(home(town), approval["n"]))
    assert town.run("gate", "--json")[0] == 40


def test_attack_a_key_nobody_listed(town: Town, tmp_path: Path) -> None:
    """A perfect signature by a stranger's key is no approval, whatever name it says."""
    digest = town.assembled()
    new_key(tmp_path / "mallory", ED25519)
    refusal = town.refused("approve", digest, "--as", "ann", "--role", "release-manager", "--key", str(tmp_path / "mallory"))
    assert refusal["code"].startswith("people.")
    assert town.refused("approve", digest, "--as", "mallory", "--role", "release-manager", "--key", str(tmp_path / "mallory"))[
        "code"
    ].startswith("people.")
    assert town.gate()["outcome"] == "DENY"


def test_attack_a_bundle_with_two_payloads(town: Town) -> None:
    """A second file of one name, a second payload in an envelope: never the one that was checked and another that is read."""
    digest = allowed(town)
    file = town.root / "a.dossier"
    town.dossier("export", digest, "-o", str(file))
    trust = str(town.repo / "dossier.trust.json")
    assert town.dossier("verify", str(file), "--trust", trust)["verified"]
    kept = file.read_bytes()
    with tarfile.open(file) as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in tar.getmembers()]  # type: ignore[union-attr]
    assert repacked(members) == kept, "what is found below is the attack, not the packing"
    content = dict(members)["dossier.json"]
    twice = content.replace(b'"payload":', b'"payload":"e30=","payload":', 1)
    assert json.loads(twice)["payload"] == json.loads(content)["payload"]
    changed = [(n, twice if n == "dossier.json" else c) for n, c in members]
    for attack in ([*members, ("dossier.json", content)], changed):
        file.write_bytes(repacked(attack))
        code, out, _ = town.run("verify", str(file), "--trust", trust, "--json")
        assert code == 40, out


def repacked(members: list[tuple[str, bytes]]) -> bytes:
    """A tar of these files in this order, written as ours are."""
    return b"".join(bundle._header(n, len(c)) + c + bytes(-len(c) % 512) for n, c in members) + bytes(1024)
