"""What people read: the explanation of a decision, and the note for rework."""

from __future__ import annotations

from typing import Any

import pytest

from release_dossier.dossier import Dossier
from release_dossier.evidence.reading import Counterexample, Coverage
from release_dossier.gate import approve_command, explain, results_of, rework
from release_dossier.rules.moment import after, moment, span, stamp
from tests.gate.town import (
    DAY,
    DIGEST,
    HOUR,
    NOW,
    approval,
    attempt,
    dossier,
    facts,
    failing,
    finding,
    killed,
    line,
    one,
    rejection,
    rule,
    ruled,
    rules,
    signed_off,
    waiver,
)
from tests.gate.town import stamp as when

FRANK = "frank has 61 credits too many: balance 132, their statement of account comes to 71"
TWICE = "market 12 was paid twice, 14:03:22.117 and 14:03:22.119 · fits: double resolve (hypothesis)"


def released() -> Dossier:
    """A change that pays wrongly, was slow to measure, and is fine otherwise."""
    old = {f: when(ago=26 * HOUR) for f in ("observed_at", "collected_at", "recorded_at")}
    books = (Coverage("users", 8, 8), Coverage("bets", 131, 131), Coverage("markets", 12, 12))
    asked = [
        rule("payouts", waivable=False, remedy="dossier ledger verify ledger.sqlite --explain frank", owner="@ledger"),
        rule("latency", owner="@ops"),
        rule("alert-coverage"),
        rule("scope", source="finding"),
    ]
    evidence = (
        failing("payouts", 1, FRANK, TWICE, coverage=books, looked_at=8, of=8),
        attempt("latency", **old),
        attempt("alert-coverage", coverage=(Coverage("failure modes", 9, 9),), looked_at=9, of=9),
    )
    both = ({"role": "ops"}, {"role": "release-manager"})
    return dossier(*evidence, rules=rules(*asked, approvals=both), findings=[finding()])


DENIAL = f"""\
DENY  bank 3.8.2 · dossier sha256:4f1c09ab… · 2 of 4 requirements met
✗ payouts  fail   8 of 8 users, 131 of 131 bets, 12 of 12 markets looked at
    {FRANK}
    {TWICE}
    its only attempt failed and no failure is tolerated: it needs a new fingerprint; no waiver is accepted
    next: dossier ledger verify ledger.sqlite --explain frank    owner: @ledger
◔ latency  stale  observed 26 h ago, limit 24 h
    next: dossier collect latency                                owner: @ops
✓ 2 met: alert-coverage 9 of 9 failure modes · scope 3 of 3
approvals 1 of 2: ops signed as ops 13:38 · missing: release-manager
.dossier/rework.md says what to do. Then: dossier run"""


def test_a_denial_reads_like_this() -> None:
    """What is wrong first, counterexamples under it, then what to type and whose it is; what is met on one line."""
    d = released()
    assert explain(ruled(d, approval("ops", "ops", over=results_of(ruled(d)))), d) == DENIAL


def test_an_allow_reads_like_this() -> None:
    """An ALLOW says what was met, what was waived and why, who signed, until when it holds, and what comes next."""
    d = dossier(attempt(), failing("lint"), rules=rules(rule(), rule("lint")))
    text = explain(signed_off(d, waiver(requirement="lint")), d)
    assert text == (
        "ALLOW  bank 3.8.2 · dossier sha256:4f1c09ab… · 1 of 2 requirements met, 1 waived\n"
        "~ lint  waived  rita until 2026-11-27T13:40:00.000Z: known, #7. It was fail: frank has 61 credits too many; "
        "its only attempt failed and no failure is tolerated: it needs a new fingerprint or a waiver\n"
        "✓ 1 met: tests 10 of 10\n"
        "approvals 1 of 1: bob signed as release-manager 13:38\n"
        "valid until 2026-11-25T12:40:00.000Z. next: dossier release"
    )


def last(d: Dossier, *said: Any) -> str:
    return explain(ruled(d, *said), d).splitlines()[-1]


def test_the_last_line_says_what_to_do() -> None:
    """Missing signatures name the command; a rejection points to its note; nothing asked says so."""
    d = one(attempt())
    yes = approval(over=results_of(ruled(d)))
    command = "next: dossier approve sha256:4f1c09ab4f1c --as PERSON --role ROLE --key FILE"
    assert last(d) == f"signatures are missing. {command}"
    assert last(d, yes, rejection()) == "what denies it stands in the notes above"
    assert last(dossier(rules=rules(approvals=())), yes) == "nothing was asked for, and an empty gate allows nothing"
    assert last(one()) == ".dossier/rework.md says what to do. Then: dossier run"


def test_signatures_that_do_not_count_are_said_one_by_one() -> None:
    """Where a role is missing, each signature that does not count has its line; where none is missing, none."""
    d = one(attempt())
    mine, yes = approval("ann", over=results_of(ruled(d))), approval(over=results_of(ruled(d)), n=11)
    words = "    ann as release-manager does not count: ann owns or wrote the change: one's own approval does not count"
    assert words in explain(ruled(d, mine), d).splitlines()
    assert "does not count" not in explain(ruled(d, mine, yes), d)
    d = dossier(attempt(), rules=rules(rule(), approvals=[{"role": "ops", "count": 3}]))
    assert "approvals 0 of 3: missing: ops × 3" in explain(ruled(d), d)


def test_on_a_terminal_the_command_is_filled_in_and_old_signatures_are_counted() -> None:
    """Whoever alone can sign is named with their key; signatures for earlier dossiers, of which each release leaves some, are a line a
    person. A bundle's summary, verified byte for byte, says all as before."""
    d = one(attempt())
    old = [approval(who, dossier=f"sha256:{n:064x}", n=n) for n, who in ((1, "bob"), (2, "bob"), (3, "rita"), (4, "bob"))]
    lines = explain(ruled(d, *old), d, signers={"release-manager": ("bob", ".dossier/keys/bob")}).splitlines()
    assert lines[-1].endswith("--as bob --role release-manager --key .dossier/keys/bob")
    why = "as release-manager does not count: lapsed: signed for dossier sha256:000000000000…, this is another"
    refused = [line for line in lines if line.startswith("    ")]
    assert refused == [f"    rita {why}", f"    bob {why}", "    and 2 for dossiers before that"]
    assert explain(ruled(d, *old), d, signers={}).endswith("--as PERSON --role release-manager --key FILE")
    assert explain(ruled(d, *old), d).count("does not count") == 4
    assert last(d, *old).endswith("--as PERSON --role ROLE --key FILE")


def test_a_signature_of_another_day_says_its_day() -> None:
    """The time of day alone stands only for the day of the decision in UTC."""
    d = one(attempt())
    for signed_at in (when(ago=2 * DAY), "2026-11-24T14:30:00+01:00"):
        a = approval(over=results_of(ruled(d)), signed_at=signed_at)
        assert f"bob signed as release-manager {signed_at}" in explain(ruled(d, a), d)


def test_several_services_are_told_apart() -> None:
    """With several services every requirement is named with its own."""
    d = dossier(attempt(), rules=rules(rule(), rule(service="web")), services=(("bank", "3.8.2"), ("web", "9"), ("x", "1")))
    text = explain(ruled(d), d)
    assert "bank 3.8.2, web 9, x 1" in text
    assert "○ web/tests  missing" in text
    assert "1 met: bank/tests 10 of 10" in text


def test_the_worst_comes_first() -> None:
    """Unmet requirements stand in the order of their states, then by service and name."""
    asked = [rule(n) for n in ("b", "a", "old", "none", "odd", "bad")]
    old = {f: when(ago=26 * HOUR) for f in ("observed_at", "collected_at", "recorded_at")}
    evidence = (failing("b"), failing("a"), attempt("old", **old), attempt("odd", 1, "inconclusive"), attempt("bad", 2))
    d = dossier(*evidence, rules=rules(*asked))
    heads = [x.split()[1] for x in explain(ruled(d), d).splitlines() if x[0] in "‼✗○◔?"]
    assert heads == ["bad", "a", "b", "none", "old", "odd"]


@pytest.mark.parametrize(("kept", "total", "words"), [(6, 6, None), (7, 7, "and 1 more"), (20, 61, "and 55 more"), (2, 9, "and 7 more")])
def test_counterexamples_are_shown_or_counted(kept: int, total: int, words: str | None) -> None:
    """Six counterexamples stand on the terminal and the rest is counted; rework.md has every one kept and says of how many."""
    d = one(failing("tests", 1, *(f"user {i} is wrong" for i in range(kept)), total=total))
    text, note = explain(ruled(d), d), rework(ruled(d), d)
    assert sum("is wrong" in x for x in text.splitlines() if x.startswith("    user")) == min(kept, 6)
    assert [x.strip() for x in text.splitlines() if x.startswith("    and ")] == ([words] if words else [])
    assert note.count("- user ") == kept
    assert (f"- {kept} of {total} shown" in note) == (total > kept)


@pytest.mark.parametrize(("skipped", "words"), [(1, "T0"), (5, "T0, T1, T2, T3, T4"), (6, "T0, T1, T2, T3, T4 and 1 more")])
def test_what_was_skipped_is_named_or_counted(skipped: int, words: str) -> None:
    """Five by name, and how many more."""
    d = one(attempt(looked_at=10 - skipped, limits=tuple(f"skipped: T{i} no server" for i in range(skipped))), minimum_percent=100)
    assert f"{10 - skipped} of 10 looked at, 100 % asked for; skipped: {words}\n" in explain(ruled(d), d)


def test_what_comes_next_after_a_failure() -> None:
    """Another try while one is left; then the code has to change first. A command that imports a file is asked for again as it is."""
    for retries, remedy, words in (
        (0, "dossier collect tests", "next: mend it and commit, then: dossier run"),
        (1, "dossier collect tests", "next: dossier collect tests"),
        (0, "dossier collect tests --from FILE", "next: dossier collect tests --from FILE"),
    ):
        d = one(failing(), *(() if retries else (attempt(n=2),)), retries=retries, remedy=remedy)
        assert words in explain(ruled(d), d, signers={})
    assert "next: dossier collect tests" in explain(ruled(one()), one(), signers={})


def test_the_command_that_signs_a_missing_role() -> None:
    """Who may sign and with what, words in their place where that is not known, and who is to be listed where nobody may."""
    assert approve_command(DIGEST, "ops") == f"dossier approve {DIGEST[:19]} --as PERSON --role ops --key FILE"
    known = approve_command(DIGEST, "owner of bank", {"owner of bank": ("olga", "k")})
    assert known == f"dossier approve {DIGEST[:19]} --as olga --role owner --key k"
    nobody = approve_command(DIGEST, "ops", {"ops": ("", "--person WHO --role ops --public THEIRS.pub")})
    assert nobody == "dossier trust propose --person WHO --role ops --public THEIRS.pub --key FILE"
    unowned = approve_command(DIGEST, "owner of bank", {"owner of bank": ("", "")})
    assert unowned.startswith("name another owner of bank in dossier.toml on the protected branch")


def test_counterexamples_are_those_of_what_failed() -> None:
    """Not those of another evidence that comes first in the dossier and has some as well."""
    asked = rule("tests"), rule("other")
    d = dossier(failing("other", 1, "user 1 is odd"), failing("tests", 1, "user 2 is wrong"), rules=rules(*asked))
    text = explain(ruled(d), d)
    assert text.index("✗ other") < text.index("user 1 is odd") < text.index("✗ tests") < text.index("user 2 is wrong")
    assert (text.count("user 1"), text.count("user 2")) == (1, 1)


def test_findings_show_their_counterexamples_too() -> None:
    """A file out of scope stands by name in the explanation and in the rework note."""
    found = finding(verdict="fail", looked_at=2, counterexamples=(Counterexample("web/x is out of scope"), Counterexample("web/y is")))
    d = dossier(rules=rules(rule("scope", source="finding")), findings=[found])
    assert "✗ scope  fail  2 of 3 looked at\n    web/x is out of scope\n    web/y is\n    next: " in explain(ruled(d), d)
    assert "\n- web/x is out of scope\n- web/y is\n" in rework(ruled(d), d)


def test_rework_is_a_list_to_work_off() -> None:
    """The note names the dossier, every unmet requirement with its command and owner, and every missing signature."""
    d = released()
    note = rework(ruled(d, rejection()), d)
    assert note.startswith("## DENY: bank 3.8.2\n\nDossier `sha256:4f1c09ab")
    assert "### ✗ payouts (bank): fail" in note
    assert "- [ ] `dossier ledger verify ledger.sqlite --explain frank` — @ledger" in note
    assert "it needs a new fingerprint; no waiver is accepted" in note
    assert "alert-coverage" not in note
    assert "- [ ] 1 more of role ops: once nothing above denies: a signature over this dossier would lapse" in note
    assert "dossier approve" not in note
    assert "- note: rejected by ops: not on a Friday" in note


def test_what_only_warns_stands_in_no_signatures_way() -> None:
    """Where nothing but a warning is unmet, the next step is the signature, over this very dossier, on the terminal and in the note."""
    d = dossier(attempt(), failing("lint"), rules=rules(rule(), rule("lint", severity="warn")))
    r = ruled(d)
    command = "dossier approve sha256:4f1c09ab4f1c --as bob --role release-manager --key FILE"
    assert explain(r, d, signers={"release-manager": ("bob", "FILE")}).splitlines()[-1] == f"signatures are missing. next: {command}"
    note = rework(r, d, {"release-manager": ("bob", "FILE")})
    assert "### ✗ lint (bank): fail (warns)" in note
    assert f"- [ ] 1 more of role release-manager: `{command}`" in note


def test_nothing_from_outside_moves_the_cursor() -> None:
    """Control characters in counterexamples, causes, reasons and names never reach the terminal or the note."""
    evil = "\x1b[2J\r\nALLOW"
    d = dossier(
        failing("tests", 1, f"a{evil}", f"b{evil}"),
        attempt("lint", 1, "inconclusive", cause=evil),
        attempt("web", 1, evil, producer=evil),
        attempt("db", looked_at=1, of=100, limits=(f"skipped: {evil}",), coverage=(Coverage(evil, 1, 2),)),
        rules=rules(rule(), rule("lint"), rule("web"), rule("db", minimum_percent=100)),
    )
    text = explain(ruled(d, waiver(reason=evil), waiver(requirement="lint", until=evil)), d) + rework(ruled(d), d)
    assert "\x1b" not in text
    assert "\r" not in text
    assert not [x for x in text.splitlines() if x.startswith("ALLOW")]


def test_paint_is_given_the_state() -> None:
    """Colours are the caller's: what is painted comes with the state it shows."""
    d, seen = released(), []
    explain(ruled(d), d, lambda words, state: seen.append(state) or words)
    assert seen == ["DENY", "fail", "stale", "pass"]


REASONS: dict[str, tuple[Dossier, str]] = {
    "reached this second": (one(attempt(age_max_s=HOUR)), "observed 1 h ago, limit 1 h, reached 0 s ago"),
    "reached a second ago": (one(attempt(age_max_s=HOUR - 1)), "observed 1 h ago, limit 59 min 59 s"),
    "in days": (
        one(attempt(**{f: when(ago=90 * DAY) for f in ("observed_at", "collected_at", "recorded_at")})),
        "observed 90 d ago, limit 24 h",
    ),
    "without limit": (one(attempt(age_max_s=0)), "neither the evidence nor the rule says how long it holds"),
    "other fingerprint": (one(attempt(fingerprint="x")), "its evidence is about another fingerprint of bank: the code moved on"),
    "one tolerated": (
        one(failing(), retries=1),
        "frank has 61 credits too many; its only attempt failed and 1 failure is tolerated: collect it again",
    ),
    "two tolerated": (
        one(failing(n=1), failing(n=2), retries=2),
        "frank has 61 credits too many; 2 of 2 attempts failed and 2 failures are tolerated: collect it again",
    ),
    "spent": (
        one(failing("tests", 1, "a", "b"), attempt(n=2)),
        "a and 1 more; 1 of 2 attempts failed and no failure is tolerated: it needs a new fingerprint or a waiver",
    ),
    "passed at last": (one(killed(n=1), attempt(n=2)), "attempt 2 of 2; the others: inconclusive"),
    "came to nothing": (
        one(killed(n=1), attempt(n=2), infrastructure_retries=0),
        "1 attempt came to nothing (attempt 1 started and never ended), none may",
    ),
    "gap": (one(attempt(n=1), attempt(n=3)), "attempts 1, 3 are there; 2 is gone"),
    "gaps": (one(attempt(n=4)), "only attempt 4 is there; 1, 2, 3 are gone"),
    "twice": (one(attempt(n=1), attempt(n=1)), "attempts 1, 1 are there; they do not run from 1 on, one by one"),
    "far": (one(attempt(n=10**15)), f"only attempt {10**15} is there; they do not run from 1 on, one by one"),
    "share": (
        one(attempt(looked_at=412, of=415, limits=("skipped: TestPg no server",)), minimum_percent=100),
        "412 of 415 looked at, 100 % asked for; skipped: TestPg",
    ),
    "count": (one(attempt(), minimum_count=11), "10 looked at, 11 asked for"),
    "skip": (
        one(attempt(limits=("skipped: TestPg no server",)), skips=[{"name": "TestPg", "reason": "no server here"}]),
        "1 skip is allowed by name: TestPg, no server here",
    ),
    "withdrawn": (one(attempt(withdrawn="x")), "it passed and was taken back: collect it again"),
    "stranger": (one(attempt(producer_key="SHA256:eve")), "attempt 1: it is signed by SHA256:eve, which is no producer of trust version 3"),
    "another's": (one(attempt(producer="lab")), "attempt 1: it names producer lab and is signed by ci"),
    "not accepted": (one(attempt(), producers=["lab"]), "attempt 1: producer ci is not accepted, only lab"),
    "kind": (one(attempt(kind="lint")), "attempt 1: it is lint, the rule asks for tests"),
    "unit": (
        one(attempt(n=1), attempt(n=2, facts=facts(x=(1, "s"))), needs=[{"fact": "x", "type": "int", "unit": "ms"}]),
        "attempt 2: x is in s, the rule asks for ms",
    ),
    "too many": (one(attempt(looked_at=11)), "11 of 10 looked at: more than there are"),
    "verdict": (one(attempt(verdict="ok")), "it says 'ok', which is none of fail, inconclusive, missing, pass"),
}


@pytest.mark.parametrize("name", REASONS)
def test_reasons_are_sentences(name: str) -> None:
    """Each reason says in plain words what was found, against what, and where it helps what follows from it."""
    d, words = REASONS[name]
    assert line(d).reason == words


SPANS = {0: "0 s", 59: "59 s", 60: "1 min", 3599: "59 min 59 s", 5400: "1 h 30 min", 86400: "24 h", 93600: "26 h", 259200: "3 d"}
SPANS |= {266400: "3 d 2 h", 259201: "3 d", 3601: "1 h", 259199: "71 h 59 min", 0.9: "0 s"}


@pytest.mark.parametrize("seconds", SPANS)
def test_spans_are_readable(seconds: float) -> None:
    """Two units at most, hours up to three days, nothing rounded up."""
    assert span(seconds) == SPANS[seconds]


NO_MOMENTS = ("", "now", "2026-11-24", "2026-11-24T13:40:00", "2026-11-24 13:40:00Z", "2026-11-24T24:00:00Z", "2026-13-01T00:00:00Z")
NO_MOMENTS += ("20261124T134000Z", "2026-W48-2T00:00:00Z", "2026-11-24T13:40Z", "2026-11-24T13:40:00,5Z", "٢026-11-24T13:40:00Z")
NO_MOMENTS += ("2026-11-24T13:40:00Z\n", "0001-01-01T00:00:00+14:00", "2026-11-24T13:40:60Z", "2026-11-24T13:40:00+99:00")


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_what_is_no_moment(text: str) -> None:
    """Anything but RFC 3339 with an offset, inside the calendar, is no moment on any version of Python."""
    assert moment(text) is None


def test_moments() -> None:
    """Moments are compared in UTC to the microsecond, and adding never leaves the calendar."""
    assert moment("2026-11-24T14:40:00+01:00") == moment("2026-11-24T13:40:00.000000000Z") == NOW
    assert stamp(NOW) == "2026-11-24T13:40:00.000Z"
    assert after(NOW, 60).minute == 41
    assert after(NOW, 10**15).year == 9999
