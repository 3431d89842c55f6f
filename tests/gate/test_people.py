"""Who may say what, and when it stops counting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from release_dossier.approval import Signed
from release_dossier.change import Author
from release_dossier.dossier import Owner
from release_dossier.evidence.reading import Counterexample
from release_dossier.gate import Decision, results_of
from release_dossier.trust.document import Trust
from tests.gate.town import (
    CHANGE,
    CHECKPOINT,
    DAY,
    DIGEST,
    NOW,
    PEOPLE,
    approval,
    attempt,
    dossier,
    failing,
    finding,
    one,
    person,
    rejection,
    rule,
    ruled,
    rules,
    say,
    stamp,
    trust,
    waiver,
    withdrawal,
)

GOOD = one(attempt())
SHOWN = results_of(ruled(GOOD))
OTHER_DOSSIER = "sha256:" + "12" * 32
FOREIGN = "sha256:" + "ee" * 32


def yes(who: str = "bob", role: str = "release-manager", **more: object) -> Signed:
    """An approval of what GOOD shows."""
    return approval(who, role, **({"over": SHOWN} | more))  # type: ignore[arg-type]


def without(*gone: str) -> Trust:
    return trust([p for p in PEOPLE if p.id not in gone])


def roles(who: str, *of: str) -> Trust:
    return trust([person(p.id, *of) if p.id == who else p for p in PEOPLE])


# name: (statements, trust, words of the refusal)
REFUSED: dict[str, tuple[Sequence[Signed], Trust, str]] = {
    "one's own": ([yes("ann")], trust(), "ann owns or wrote the change: one's own approval does not count"),
    "expired": ([yes(expires_at=stamp(ago=1))], trust(), f"expired {stamp(ago=1)}"),
    "ending now": ([yes(expires_at=stamp())], trust(), f"expired {stamp()}"),
    "ending no day": ([yes(expires_at="never")], trust(), "it says no moment when it ends: never"),
    "ending without offset": ([yes(expires_at="2027-01-01T00:00:00")], trust(), "it says no moment"),
    "for another dossier": ([yes(dossier=OTHER_DOSSIER)], trust(), f"lapsed: signed for dossier {OTHER_DOSSIER[:19]}…, this is another"),
    "by a stranger": ([yes("eve")], trust(), "eve is not in trust version 3"),
    "by one who left": ([yes()], without("bob"), "bob is not in trust version 3"),
    "without the role": ([yes("ops")], trust(), "ops does not hold the role release-manager in trust version 3"),
    "whose role was lost": ([yes()], roles("bob", "ops"), "bob does not hold the role release-manager"),
    "with another's key": ([yes(keys=["ops"])], trust(), "no key of bob signed it"),
    "with no key": ([yes(keys=["unlisted"])], trust(), "no key of bob signed it"),
    "with a producer's key": ([yes(keys=["ci"])], trust(), "no key of bob signed it"),
    "with a key revoked before": ([yes()], trust(revoked={"bob": stamp(ago=90)}), "was revoked"),
    "with a key revoked that moment": ([yes()], trust(revoked={"bob": stamp(ago=60)}), "was revoked"),
    "backdated with a stolen key": ([yes(signed_at=stamp(ago=9 * DAY))], trust(revoked={"bob": stamp(ago=DAY)}), "was revoked"),
    "signed later than logged": ([yes(signed_at=stamp(ago=59))], trust(), "which is after"),
    "logged later than decided": ([yes(ago=-301, signed_at=stamp(ago=-300))], trust(), "after the moment decided about"),
    "signed at no moment": ([yes(signed_at="noon")], trust(), "not both are moments"),
    "withdrawn": ([w := yes(), withdrawal(w, "bob")], trust(), "withdrawn: read it again"),
    "withdrawn by another, then by its own": ([w, withdrawal(w, "ops", n=19), withdrawal(w, "bob", n=21)], trust(), "withdrawn"),
    "over other results": (
        [approval(over=results_of(ruled(one(failing()))))],
        trust(),
        "lapsed: tests of bank was fail when it was signed",
    ),
    "over nothing": ([approval()], trust(), "lapsed: tests of bank was not asked for when it was signed and is pass now"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_approval_that_does_not_count_says_why(name: str) -> None:
    """Each reason alone keeps an approval from counting, DENY follows, and the tally says the reason in words."""
    statements, by, words = REFUSED[name]
    d = ruled(GOOD, *statements, by=by)
    (t,) = d.approvals
    assert (d.outcome, t.counted, t.missing) == ("DENY", (), 1)
    assert words in t.refused[0].reason


COUNTS: dict[str, tuple[Sequence[Signed], Trust]] = {
    "plain": ([yes()], trust()),
    "with the second key": ([yes(keys=["bob-2"])], trust()),
    "one key revoked, signed with both": ([yes(keys=["bob", "bob-2"])], trust(revoked={"bob": stamp(ago=DAY)})),
    "key revoked after logging": ([yes()], trust(revoked={"bob": stamp(ago=59)})),
    "signed by others too": ([yes(keys=["bob", "ops", "unlisted"])], trust()),
    "withdrawn by another": ([v := yes(), withdrawal(v, "ops")], trust()),
    "withdrawn with another's key": ([v, withdrawal(v, "bob", keys=["ops"])], trust()),
    "withdrawn, and signed again": ([v, withdrawal(v, "bob"), yes(n=30, comment="again")], trust()),
    "withdrawal of another project": ([v, withdrawal(v, "bob", project=FOREIGN)], trust()),
    "ending in a moment": ([yes(expires_at=stamp(ago=-0.001))], trust()),
    "with an offset": ([yes(expires_at="2026-11-24T15:00:00+01:00")], trust()),
}


@pytest.mark.parametrize("name", COUNTS)
def test_an_approval_that_counts(name: str) -> None:
    """What does not touch a person's own word leaves it standing."""
    statements, by = COUNTS[name]
    d = ruled(GOOD, *statements, by=by)
    assert d.outcome == "ALLOW", d.approvals
    assert [c.person for t in d.approvals for c in t.counted] == ["bob"]
    assert not [n for n in d.notes if n.startswith("self-approved")]


def two(*approvals: Signed, **of_rule: object) -> Decision:
    d = dossier(attempt(), rules=rules(rule(), approvals=[{"role": "release-manager", "count": 2} | of_rule]))
    return ruled(d, *approvals)


def test_two_keys_are_one_person() -> None:
    """A person with two keys who signs twice counts once, and is told so."""
    d = two(yes(), yes(keys=["bob-2"], n=11, comment="again"))
    assert (d.outcome, d.approvals[0].missing) == ("DENY", 1)
    assert d.approvals[0].refused[0].reason == "bob has signed already: one person counts once"


def test_which_of_two_signatures_counts_does_not_depend_on_order() -> None:
    """The first in the log counts, in whatever order they are given."""
    first, second = yes(n=10), yes(n=11, comment="again")
    assert two(first, second) == two(second, first)
    assert two(second, first).approvals[0].counted[0].statement == first.statement.digest


def test_two_people_are_two() -> None:
    """Two people of the role meet a count of two, where authors may sign."""
    d = two(yes(), yes("ann"), not_author=False)
    assert d.outcome == "ALLOW"
    assert "self-approved: ann signed for a change of their own" in d.notes


@pytest.mark.parametrize(
    "who",
    [
        {"owner": "bob", "authors": ()},
        {"owner": "@bob", "authors": ()},
        {"owner": "ann", "authors": (Author("B", "b@example.invalid", "bob", 1), Author("A", "a@example.invalid", None, 1))},
        {"owner": "ann", "authors": (Author("B", "b@example.invalid", "@bob", 1),)},
    ],
)
def test_owner_and_authors_are_authors(who: dict[str, object]) -> None:
    """Who owns the change is its author as much as who wrote a commit of it, however the name is spelled."""
    assert ruled(one(attempt(), more=who), yes()).outcome == "DENY"


def test_one_person_may_release_alone_and_is_labelled() -> None:
    """In solo mode an author's approval counts; the decision says self-approved. In a team it does not count."""
    alone = ruled(one(attempt(), more={"mode": "solo"}), yes("ann"))
    assert alone.outcome == "ALLOW"
    assert "self-approved: ann signed for a change of their own" in alone.notes
    assert ruled(one(attempt(), more={"mode": "Solo"}), yes("ann")).outcome == "DENY"


def test_one_person_for_every_role_is_labelled() -> None:
    """A stranger to the change who signs alone for every role is labelled too."""
    d = dossier(attempt(), rules=rules(rule(), approvals=[{"role": "ops"}, {"role": "release-manager"}]))
    by = roles("bob", "ops", "release-manager")
    both = ruled(d, yes(), yes("bob", "ops"), by=by)
    assert both.outcome == "ALLOW"
    assert "self-approved: bob alone signed for every role" in both.notes
    assert not [n for n in ruled(d, yes(), by=by).notes if "self-approved" in n]


def test_every_role_is_needed() -> None:
    """One role signed and another not is DENY."""
    d = dossier(attempt(), rules=rules(rule(), approvals=[{"role": "ops"}, {"role": "release-manager"}]))
    assert ruled(d, yes()).outcome == "DENY"
    assert ruled(d, yes(), yes("ops", "ops")).outcome == "ALLOW"


def test_a_change_of_results_names_the_first_and_counts_the_rest() -> None:
    """When results moved the sentence says which requirement of which service, from what to what, and how many more."""
    before = dossier(attempt(), attempt("lint"), rules=rules(rule(), rule("lint")))
    after = dossier(failing(), failing("lint"), rules=before.rules)
    said = ruled(after, approval(over=results_of(ruled(before)))).approvals[0].refused[0].reason
    assert said == "lapsed: lint of bank was pass when it was signed and is fail now, and 1 more changed"


def test_a_requirement_that_is_gone_lapses_the_approval() -> None:
    """Who was shown a requirement that is not asked for now signed something else."""
    more = dossier(attempt(), attempt("lint"), rules=rules(rule(), rule("lint")))
    said = ruled(GOOD, approval(over=results_of(ruled(more)))).approvals[0].refused[0].reason
    assert said == "lapsed: lint of bank was pass when it was signed and is not asked for now"


def test_an_approval_over_a_waived_requirement_lapses_with_the_waiver() -> None:
    """Who signed what was waived did not sign what is now a failure again."""
    d, w = one(failing()), waiver(until=stamp(ago=-60))
    a = approval(over=results_of(ruled(d, w)))
    assert ruled(d, w, a).outcome == "ALLOW"
    late = ruled(d, w, a, now=NOW.replace(minute=41))
    assert late.outcome == "DENY"
    assert late.approvals[0].refused[0].reason == "lapsed: tests of bank was waived when it was signed and is fail now"


REJECTIONS: dict[str, tuple[Sequence[Signed], str]] = {
    "standing": ([rejection()], "DENY"),
    "by an author": ([rejection("ann")], "DENY"),
    "withdrawn": ([r := rejection(), withdrawal(r, "ops")], "ALLOW"),
    "withdrawn by another person": ([r, withdrawal(r, "ann")], "DENY"),
    "withdrawn with another's key": ([r, withdrawal(r, "ops", keys=["ann"])], "DENY"),
    "withdrawn in another project": ([r, withdrawal(r, "ops", project=FOREIGN)], "DENY"),
    "withdrawn by another, then by its own": ([r, withdrawal(r, "ann", n=15), withdrawal(r, "ops", n=16)], "ALLOW"),
    "two, one withdrawn": ([r, rejection("rita", n=12), withdrawal(r, "ops")], "DENY"),
    "of another dossier": ([rejection(dossier=OTHER_DOSSIER)], "ALLOW"),
    "by a stranger": ([rejection("eve")], "ALLOW"),
    "with another's key": ([rejection(keys=["ann"])], "ALLOW"),
    "of another project": ([rejection(project=FOREIGN)], "ALLOW"),
}


@pytest.mark.parametrize("name", REJECTIONS)
def test_a_rejection_stands_until_its_own_person_takes_it_back(name: str) -> None:
    """One listed person's no denies; only that person takes it back."""
    statements, outcome = REJECTIONS[name]
    d = ruled(GOOD, yes(), *statements)
    assert d.outcome == outcome
    assert [n for n in d.notes if n.startswith("rejected by") and n.endswith(": not on a Friday")] or outcome == "ALLOW"


@pytest.mark.parametrize(("what", "digest"), [("dossier", DIGEST), ("change", CHANGE)])
def test_a_withdrawn_dossier_or_change_denies(what: str, digest: str) -> None:
    """What was taken back as a whole ships no more, and the note says who took back what."""
    d = ruled(GOOD, yes(), withdrawal(digest, "olga"))
    assert d.outcome == "DENY"
    assert f"{what} withdrawn by olga: read it again" in d.notes
    assert ruled(GOOD, yes(), withdrawal(digest, "eve")).outcome == "ALLOW"


def test_what_cannot_be_read_hides_nothing() -> None:
    """A malformed statement, or one of another project, counts for nothing, says so, and leaves the others standing."""
    bad = [say(w, {"dossier": 7}, "bob", n=i) for i, w in enumerate(("approval", "rejection", "waiver", "withdrawal"))]
    d = ruled(GOOD, *bad, yes(), yes(project=FOREIGN))
    assert d.outcome == "ALLOW"
    assert sum("cannot be read and counts for nothing" in n for n in d.notes) == 4
    assert sum("is of another project and counts for nothing here" in n for n in d.notes) == 1
    assert [n for n in ruled(GOOD, yes(), withdrawal(DIGEST, "eve")).notes if "takes nothing back: eve is not in trust version 3" in n]


def test_a_waiver_for_ones_own_change_says_so() -> None:
    """An owner may waive for their own change, and it shows."""
    d = one(failing(), more={"owner": "olga"})
    (r,) = ruled(d, waiver("olga")).requirements
    assert r.state == "waived"
    assert r.reason.startswith("olga, for a change of their own, until ")
    (r,) = ruled(one(failing()), waiver("olga")).requirements
    assert r.reason.startswith("olga until ")


def test_a_decision_is_made_at_the_millisecond_it_names() -> None:
    """What lies behind the millisecond is cut off before anything is decided, so that replay has the same moment."""
    for ms in (0, 1, 123, 999):
        moment = NOW + timedelta(milliseconds=ms)
        assert ruled(GOOD, yes(), now=moment + timedelta(microseconds=999)) == ruled(GOOD, yes(), now=moment)
        assert ruled(GOOD, now=moment).at == stamp(ago=-ms / 1000)


def test_clocks_may_differ_by_five_minutes_and_no_more() -> None:
    """What the log recorded five minutes after the moment decided about counts; a second later it does not."""
    for ahead, counts in (300, True), (301, False):
        late = {"ago": -ahead, "signed_at": stamp(ago=-ahead)}
        (t,) = ruled(GOOD, yes(**late)).approvals
        assert bool(t.counted) == counts
        (r,) = ruled(one(failing()), waiver(**late)).requirements
        assert (r.state == "waived") == counts


def test_which_waiver_does_not_count_is_said() -> None:
    """A waiver that does not count says why beside what is wrong."""
    for w, words in (
        (waiver(until=stamp(ago=60)), f"it ended {stamp(ago=60)}"),
        (waiver(until=stamp()), f"it ended {stamp()}"),
        (waiver("ops"), "ops is neither an owner of bank nor risk-owner"),
        (waiver(reason=""), "it gives no reason"),
        (waiver(ago=-DAY, signed_at=stamp(ago=-DAY)), "after the moment decided about"),
    ):
        (r,) = ruled(one(failing()), w).requirements
        assert r.reason.endswith(words)
        assert f"a waiver by {w.statement.predicate['person']} does not count: " in r.reason


def test_bootstrap_rules_and_witness() -> None:
    """A project that is not adopted, what is looked at after the fact, or other rules than its change allow nothing; no witness is said."""
    assert ruled(one(attempt(), more={"adopted": False}), yes()).outcome == "DENY"
    assert ruled(one(attempt(), more={"mode": "team"}), yes()).outcome == "ALLOW"
    later = ruled(one(attempt(), more={"mode": "retrospective"}), yes())
    assert (later.outcome, later.notes[0].split(":")[0]) == ("DENY", "retrospective")
    assert [x.state for x in later.requirements] == ["pass"]
    weaker = msgspec.structs.replace(GOOD, rules=rules(rule(minimum_count=0)))
    assert ruled(weaker, yes()).outcome == "DENY"
    assert "the rules in the dossier are not those frozen into its change, so nothing is allowed" in ruled(weaker).notes
    unwatched = ruled(GOOD, yes(), witness="")
    assert unwatched.outcome == "ALLOW"
    assert [n for n in unwatched.notes if n.startswith("unwitnessed")]
    assert not [n for n in ruled(GOOD, yes()).notes if n.startswith("unwitnessed")]
    assert unwatched.checkpoint == CHECKPOINT


def test_rule_changes_need_the_rule_owner() -> None:
    """Lines the branch changes are counted in the notes, and the rule owner's own signature is asked beside the others'."""
    by = trust([*PEOPLE, person("rufus", "rule-owner")])
    for lines, words in ((("a",), "the branch changes 1 line of"), (("a", "b"), "the branch changes 2 lines of")):
        d = one(attempt(), more={"rule_changes": lines})
        unsigned = ruled(d, yes(), by=by)
        assert (unsigned.outcome, unsigned.quorum) == ("DENY", "1 of 2, missing: rule-owner")
        assert [n for n in unsigned.notes if words in n]
        assert ruled(d, yes(), yes("rufus", "rule-owner"), by=by).outcome == "ALLOW"


def test_criteria_that_moved_need_the_rule_owner() -> None:
    """The same where the criteria are others than those the change was first opened with; the note says each."""
    by = trust([*PEOPLE, person("rufus", "rule-owner")])
    moved = finding(
        "registered", "inconclusive", 1, 1, kind="criteria", counterexamples=(Counterexample("bank/tests retries: 0 → 9 (looser)"),)
    )
    d = one(attempt(), more={"findings": (moved,)})
    unsigned = ruled(d, yes(), by=by)
    assert (unsigned.outcome, unsigned.quorum) == ("DENY", "1 of 2, missing: rule-owner")
    assert "the criteria moved since the change was first opened: bank/tests retries: 0 → 9 (looser)" in unsigned.notes
    assert ruled(d, yes(), yes("rufus", "rule-owner"), by=by).outcome == "ALLOW"
    assert (
        ruled(one(attempt(), more={"findings": (finding("registered", "pass", 1, 1, kind="criteria"),)}), yes(), by=by).outcome == "ALLOW"
    )


OWNED = {"role": "owner", "services": ["bank"], "not_author": True}


def owned(*said: Signed, by: Trust | None = None, **more: object) -> Decision:
    d = one(attempt(), more=more)
    d = msgspec.structs.replace(d, rules=rules(rule(), approvals=[OWNED]))
    d = msgspec.structs.replace(d, change=msgspec.structs.replace(d.change, rules=d.rules))
    return ruled(d, *said, by=by)


def test_owners_of_touched_services_sign() -> None:
    """One of the people who answer for a service signs for it, by name or through their team; nobody else can, whatever their roles."""
    assert owned().quorum == "0 of 1, missing: owner of bank"
    assert owned(yes("olga", "owner")).outcome == "ALLOW"
    nobody = owned(yes("bob", "owner"))
    assert (nobody.outcome, nobody.approvals[0].refused[0].reason) == ("DENY", "bob does not answer for bank")
    team = trust([*(p for p in PEOPLE if p.id != "olga"), person("olaf", "olga")])
    assert owned(yes("olaf", "owner"), by=team).outcome == "ALLOW"
    own = owned(yes("olga", "owner"), owner="olga")
    assert own.approvals[0].refused[0].reason == "olga owns or wrote the change: one's own approval does not count"
    assert owned(yes("ann", "owner"), mode="solo").outcome == "ALLOW"


def test_each_service_asks_its_own_owners() -> None:
    """Two services are two tallies: one signature of one owner does not stand for the other's."""
    asked = rules(rule(), rule(service="web"), approvals=[OWNED | {"services": ["bank", "web"]}])
    d = dossier(attempt(), attempt(service="web"), rules=asked, services=(("bank", "1"), ("web", "1")))
    d = msgspec.structs.replace(d, owners=(Owner("bank", ("@olga",)), Owner("web", ("@ops",))))
    shown = results_of(ruled(d))
    first = ruled(d, approval("olga", "owner", over=shown))
    assert (first.outcome, first.quorum) == ("DENY", "1 of 2, missing: owner of web")
    assert ruled(d, approval("olga", "owner", over=shown), approval("ops", "owner", over=shown, n=12)).outcome == "ALLOW"


def test_who_brings_proof_does_not_approve_it() -> None:
    """Where a role says so, a person who imported evidence for what would ship does not count; evidence of other code does not matter."""
    apart = [{"role": "release-manager", "not_producer": True}]
    for brought, outcome in ((attempt(imported_by="bob"), "DENY"), (attempt(imported_by="ann"), "ALLOW"), (attempt(), "ALLOW")):
        d = dossier(brought, attempt("x", imported_by="bob", fingerprint="sha256:old"), rules=rules(rule(), approvals=apart))
        r = ruled(d, approval(over=results_of(ruled(d))))
        assert r.outcome == outcome
        if outcome == "DENY":
            assert r.approvals[0].refused[0].reason == "bob brought evidence for it: who brings proof does not approve it"


def test_an_address_binds_nobody_and_still_keeps_from_approving() -> None:
    """A co-author, or an unsigned commit under a listed address, proves nothing and excludes its person all the same."""
    claimed = (Author("Bob", "bob@example.invalid", None, 1, "co-author", "bob"),)
    r = ruled(one(attempt(), more={"authors": claimed}), yes())
    assert r.approvals[0].refused[0].reason == "bob owns or wrote the change: one's own approval does not count"


def test_the_quorum_in_words() -> None:
    """How many of how many, and which roles are missing, each with its number."""
    d = dossier(attempt(), rules=rules(rule(), approvals=[{"role": "ops", "count": 2}, {"role": "release-manager"}]))
    assert ruled(d).quorum == "0 of 3, missing: ops × 2, release-manager"
    shown = results_of(ruled(d))
    assert ruled(d, approval(over=shown), approval("ops", "ops", over=shown)).quorum == "2 of 3, missing: ops"
