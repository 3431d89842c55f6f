"""What edition 3 of the gate refuses: the unwitnessed, the revoked by the log's own clock, the topology nobody knows, the isolated file."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from release_dossier.dossier import Attempt, Dossier
from release_dossier.errors import Refused
from release_dossier.gate import results_of
from release_dossier.rules.packs import freeze, thaw
from tests.gate.town import (
    DAY,
    HOUR,
    PEOPLE,
    approval,
    attempt,
    dossier,
    facts,
    finding,
    line,
    one,
    person,
    ruled,
    stamp,
    trust,
    withdrawal,
)

TOPOLOGY = attempt("topology", facts=facts(cpus=8))
MEASURED = attempt(facts=facts(cpus=8))


def second_edition(d: Dossier) -> Dossier:
    old = d.rules | {"edition": 2}
    return msgspec.structs.replace(d, rules=old, change=msgspec.structs.replace(d.change, rules=old))


def frozen_by(pack: str) -> dict[str, Any]:
    files = {"rules/pay.toml": pack.encode()}
    return freeze({}, [("bank", "./rules/pay.toml", ("@olga",))], files.get)


def released(rules: dict[str, Any], witness: str, edition: int = 3) -> Any:
    """The decision when every requirement passes and everybody signed."""
    needed = thaw(rules).requirements
    evidence = [attempt(r.evidence, kind=r.kind, looked_at=1000, of=1000) for r in needed if r.source == "evidence"]
    findings = [finding(r.evidence, kind=r.kind) for r in needed if r.source == "finding"]
    d = dossier(*evidence, rules=rules, findings=findings)
    d = d if edition == 3 else second_edition(d)
    by = trust(people=(*PEOPLE, person("ria", "release-manager")))
    shown = results_of(ruled(d, by=by, witness=witness))
    signed = [approval(w, role, over=shown) for w, role in (("ria", "release-manager"), ("ops", "ops"), ("olga", "owner"))]
    return ruled(d, *signed, by=by, witness=witness)


def test_money_refuses_the_unwitnessed() -> None:
    """`money`, and what narrows it, is denied without a checkpoint kept elsewhere; a smaller pack is not, nor is the edition before."""
    money = freeze({}, [("bank", "money", ("@olga",))])
    assert released(money, "refs/dossier/log").outcome == "ALLOW"
    denied = released(money, "")
    assert denied.outcome == "DENY"
    assert {r.state for r in denied.requirements} == {"pass"}
    assert any("the pack of bank asks for a checkpoint kept elsewhere" in n for n in denied.notes)
    assert released(frozen_by('narrow = ["money"]\n'), "").outcome == "DENY"
    assert released(frozen_by('include = ["user-facing"]\n'), "").outcome == "ALLOW"
    assert released(money, "", edition=2).outcome == "ALLOW"


def test_a_pack_says_why_it_goes_unwitnessed() -> None:
    """The reason excuses it and stands in the notes; blank is none, nor does one of two packs below speak for the other."""
    excused = released(frozen_by('narrow = ["money"]\nunwitnessed = "one clone, on one disk"\n'), "")
    assert excused.outcome == "ALLOW"
    assert "unwitnessed by the word of the pack of bank: one clone, on one disk" in excused.notes
    assert released(frozen_by('narrow = ["money"]\nunwitnessed = " "\n'), "").outcome == "DENY"
    files = {"a.toml": b'narrow = ["money"]\nunwitnessed = "small"\n', "b.toml": b'narrow = ["./a.toml", "money"]\n'}
    assert freeze({}, [("bank", "./b.toml", ())], files.get)["witness"] == {"bank": ""}
    with pytest.raises(Refused, match=r"rules\.shape"):
        frozen_by('narrow = ["money"]\nunwitnessed = true\n')


def test_the_log_says_when_evidence_of_a_revoked_key_came() -> None:
    """Whoever holds a revoked key can write any `recorded_at`; what the log recorded at or after the revocation counts for nothing."""
    revoked = trust(revoked={"ci": stamp(ago=600)})
    for logged_ago, state in ((HOUR, "pass"), (600, "error"), (60, "error")):
        d = one(attempt(logged_at=stamp(ago=logged_ago)))
        r = line(d, by=revoked)
        assert r.state == state
        assert line(second_edition(d), by=revoked).state == "pass"
    assert r.cause == "untrusted"
    assert line(one(attempt()), by=revoked).state == "pass"


# what is wrong with the newest evidence of how the environment is built, and a word of the reason
NO_TOPOLOGY: dict[str, tuple[tuple[Attempt, ...], str]] = {
    "none": ((), "nothing says"),
    "withdrawn": ((attempt("topology", facts=facts(cpus=8), withdrawn="wrong"),), "taken back"),
    "failed": ((TOPOLOGY, attempt("topology", 2, "fail", facts=facts(cpus=8))), "fail"),
    "too old": ((attempt("topology", facts=facts(cpus=8), observed_at=stamp(ago=2 * DAY)),), "limit"),
    "of another fingerprint": ((attempt("topology", facts=facts(cpus=8), fingerprint="sha256:" + "00" * 32),), "another fingerprint"),
    "a stranger's": ((attempt("topology", facts=facts(cpus=8), producer="x", producer_key="SHA256:x"),), "no producer"),
    "of no time": ((attempt("topology", facts=facts(cpus=8), recorded_at="never"),), "moments"),
}


@pytest.mark.parametrize("name", NO_TOPOLOGY)
def test_a_topology_that_does_not_hold_does_not_serve(name: str) -> None:
    """`same_topology` is not met where nothing that holds says how the environment is built now."""
    there, words = NO_TOPOLOGY[name]
    d = one(MEASURED, *there, same_topology=True)
    r = line(d)
    assert (r.state, r.cause) == ("stale", "topology")
    assert words in r.reason
    assert line(second_edition(d)).state == "pass"
    assert line(one(MEASURED, *there)).state == "pass"


def test_a_topology_that_holds_serves() -> None:
    """Until its producer takes it back."""
    d = one(MEASURED, TOPOLOGY, same_topology=True)
    assert line(d).state == "pass"
    assert line(d, withdrawal(str(TOPOLOGY.digest), "olga")).cause == "topology"


def test_a_file_somebody_brought_ran_in_no_isolation() -> None:
    """A rule that asks for the isolation of a run is met by a file only where it names who may bring it."""
    d = one(attempt(imported_by="ann", isolation="none"), isolation=["namespace"])
    r = line(d)
    assert (r.state, r.cause) == ("error", "untrusted")
    assert line(second_edition(d)).state == "pass"
    assert line(one(attempt(imported_by="ann", isolation="none"), isolation=["namespace"], importers=["ann"])).state == "pass"
