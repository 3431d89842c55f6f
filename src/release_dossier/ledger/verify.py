"""The verdict on a ledger: replay it, hold it to its laws, and say what was looked at, what is wrong, and what could not be seen.

Rules come from who calls; else from the build that wrote the ledger, where that is known. Else the ledger is judged under the newest
release its schema fits, and where that accuses anybody, under every build it fits: then only what none of them explains is a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from release_dossier.errors import Refused, counted, meant
from release_dossier.ledger.account import Accounts, Line, replay
from release_dossier.ledger.answers import TITLE, r8
from release_dossier.ledger.checks import Check, absent, j1, order_of
from release_dossier.ledger.columns import Ledger
from release_dossier.ledger.hypotheses import hypotheses
from release_dossier.ledger.judged import Engine, Facts, Judged, by_rows
from release_dossier.ledger.receipts import Journal, Matched, match
from release_dossier.ledger.rulesets import NAMED, Eras, always, named, possible, release_of, stamp
from release_dossier.ledger.schema import NARROWS, lived_through, lost
from release_dossier.ledger.whose import Deployed, Writer, eras_deployed, eras_of, other_economics, unknown_build, writer
from release_dossier.limits import LEDGER_EXAMPLES_MAX, LEDGER_GUESS_ORDERS_MAX

OPTIONAL = frozenset({"R7", "S8", "S15"})  # these only ever warn
OUTCOMES_MAX = 3  # of one line, told one by one
NEEDS_FILE = {"J1": "no --receipts given", "R8": "no --answers given"}
BY_RULES = frozenset({"R1", "R3", "R4", "R5", "R6", "R7", "R8", "T"})  # checks whose outcome depends on the rules
BY_RELEASE = BY_RULES | {"S9", "S10", "S12", "S17"}  # and those that know every way credits move, every cost and limit


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What verifying found. `source` (of an engine over columns: without users, bets and markets) and what follows stay for explaining."""

    verdict: str
    ruleset: str
    ledger: dict[str, Any]
    checks: tuple[Check, ...]
    totals: dict[str, str]
    hypotheses: tuple[dict[str, str], ...]
    markets: tuple[dict[str, str], ...]
    findings: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    accounts: Accounts
    source: Ledger
    facts: Facts
    engine: str
    explain: Callable[[str], tuple[Ledger, Accounts]]
    read: dict[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """The object the contract fixes."""
        return {
            "verdict": self.verdict,
            "ruleset": self.ruleset,
            "engine": self.engine,
            "ledger": self.ledger,
            "checks": [_plain(c) for c in self.checks],
            "totals": self.totals,
            "markets": list(self.markets),
            "findings": list(self.findings),
            "hypotheses": list(self.hypotheses),
            "notes": list(self.notes),
        } | ({"read": self.read} if self.read else {})


def _plain(c: Check) -> dict[str, Any]:
    out: dict[str, Any] = msgspec.to_builtins(c)
    return out


def verify(
    ledger: Ledger,
    eras: Eras | None,
    *,
    journal: Journal | None,
    answers: Sequence[Any] | None,
    written_by: str,
    economics: Mapping[str, int] | None = None,
    require: Sequence[str] = (),
    only: Sequence[str] = (),
    notes: Sequence[str] = (),
    most: Mapping[str, int] | None = None,
    deployed: Deployed = (),
    read: dict[str, str] | None = None,
    engine: Engine | None = None,
) -> Verified:
    """Judge a ledger under the rules of their time; None: nobody named them, see above.

    Args:
        require: checks that must have looked; only: those to make beside them and what `most` is about, each of which must have looked.
        most: how many credits may be `minted` or `burned` before what is lawful fails by policy.
        deployed: what was deployed where the ledger lives: version and moment.
        engine: who judges; the reference over the rows of `ledger` where nobody is named.
        economics: fees, costs and limits that differ from the release's own, where no rules were named.
    Raises:
        Refused: `ledger.unknown-check` for a name in `require` or `only` that is no check.
    """
    engine = engine or by_rows(ledger)
    said = list(notes)
    if deployed and min(engine.facts.moments, default=0) < deployed[0][1]:
        said.append("the records of deployments begin after its first row: they do not say who wrote it")
        deployed = ()
    author = writer(written_by, journal, answers or (), deployed)
    said += [f"its writer is said to be {author.build} ({author.how}), and {o} contradicts that" for o in author.others]
    said += unknown_build(written_by) if eras is None else []
    tries = [(eras, "")] if eras is not None else _rules_nobody_named(ledger, engine.facts, author, journal, deployed)

    def own(e: Eras) -> Eras:
        return e.under(economics, "the setup file") if economics else e

    matched = match(journal, engine.whole()) if journal is not None else None
    made, checks, (named, note) = _first_that_explains(tries, lambda e: _judged(ledger, engine, own(e), journal, matched, answers))
    rules = own(named)
    if eras is None and not ledger.applied and not author.build:
        checks = [_unsure(c) for c in checks]
        note = "no rules were named, and no release has this schema: what depends on the rules is not decided; --ruleset FILE names them"
    said += [note] if note else []
    said += other_economics(answers or (), rules)
    gone = lost(ledger.lacks, ledger.applied)
    said += [f"{x} is not there, though its migration ran: {', '.join(NARROWS[x])} see less without it" for x in gone]
    checks = [_open(_by_policy(c, most or {}, made.totals), ledger, gone) for c in checks]
    _known([*require, *only], checks)
    made = _claimed(made, checks)
    asked = matched.asked if matched is not None else {}
    accused = [e.user for c in checks if c.id == "R6" or (c.id, c.state) == ("R1", "fail") for e in c.examples if e.user]
    resolves = dict(journal.resolves) if journal is not None else {}
    guesses = hypotheses(engine.touched(accused, LEDGER_GUESS_ORDERS_MAX), rules, asked, checks, resolves, matched)
    held_to = {*only, *require, *(c for c, what in POLICY.items() if what in (most or {}))}
    checks = sorted((c for c in checks if not only or c.id in held_to), key=lambda c: order_of(c.id))
    given = {i for i, there in (("J1", journal is not None), ("R8", answers is not None)) if there}
    required = {c.id for c in checks if c.id not in OPTIONAL and (c.id not in NEEDS_FILE or c.id in given)} | {*require, *only}
    return Verified(
        verdict=_verdict(ledger, engine.facts, checks, required),
        ruleset=rules.name,
        ledger=_counts(ledger, engine.facts, made.sales, author),
        checks=tuple(checks),
        totals=made.totals,
        markets=tuple(made.markets),
        findings=tuple(made.findings),
        hypotheses=tuple(guesses),
        notes=tuple(said),
        accounts=made.accounts,
        source=ledger,
        facts=engine.facts,
        engine=engine.name,
        explain=partial(_account_of, engine, rules, asked),
        read=read,
    )


def _first_that_explains(
    tries: Sequence[tuple[Eras, str]], judged: Callable[[Eras], tuple[Judged, list[Check]]]
) -> tuple[Judged, list[Check], tuple[Eras, str]]:  # fmt: skip
    """What the first rules find; where they accuse somebody, what the second ones do."""
    made, checks = judged(tries[0][0])
    wrong = [c.id for c in checks if c.state == "fail" and c.id in BY_RULES]
    if len(tries) > 1 and wrong:
        others, its = judged(tries[1][0])
        # Where every credit is right and, whatever build made it, a page is wrong or a market has no answer, other builds explain nothing.
        if set(wrong) - {"R4", "R8"} or any(c.id in wrong and c.state != "fail" for c in its):
            return others, its, tries[1]
    return made, checks, tries[0]


def _judged(
    ledger: Ledger, engine: Engine, eras: Eras, journal: Journal | None, matched: Matched | None, answers: Sequence[Any] | None
) -> tuple[Judged, list[Check]]:
    """Everything replayed under some rules, and every check."""
    made = engine.judge(eras, matched.asked if matched else {})
    checks = list(made.checks)
    if journal is not None and matched is not None:
        checks.append(j1(matched, len(journal.orders), journal.unreadable))
    else:
        checks.append(absent("J1", "Every accepted request has its row", NEEDS_FILE["J1"]))
    checks.append(r8(answers, ledger, made.accounts, eras) if answers is not None else absent("R8", TITLE, NEEDS_FILE["R8"]))
    return made, checks


def _rules_nobody_named(
    ledger: Ledger, facts: Facts, author: Writer, journal: Journal | None, deployed: Deployed
) -> list[tuple[Eras, str]]:
    """Rules to try in turn, each with the note it deserves: those of the writer, or the newest the schema fits, then all it fits."""
    from_journal = eras_of(journal) if author.how.startswith("the journal") else None
    if from_journal is not None:
        return [(from_journal, "no rules were named: judged under those of the servers the journal names")]
    known = release_of(author.build)
    if known is not None:
        return [(named(known), f"no rules were named: judged under those of {known}, which wrote it ({author.how})")]
    from_records = eras_deployed(deployed, min(facts.moments, default=None))
    if from_records is not None:
        return [(from_records, "no rules were named: judged under those of what was deployed, by its records")]
    families = lived_through(ledger.applied, facts.moments) or [("any release", None, tuple(NAMED))]
    every = possible(families)
    newest = families[-1][2][-1]
    if len({r for e in every.eras for r in e.possible}) == 1:
        return [(always(newest, every.eras[-1].rules), f"no rules were named: {every.eras[-1].version} has one set of rules")]
    words = "--ruleset, --timeline or --written-by says which"
    return [
        (always(newest, every.eras[-1].rules), f"no rules were named: every credit is where {newest} puts it; {words}"),
        (every, f"no rules were named, and those of {newest} alone do not explain it: judged under every build its schema fits; {words}"),
    ]


POLICY = {"R5": "minted", "R3": "burned"}


def _by_policy(c: Check, most: Mapping[str, int], credits: Mapping[str, str]) -> Check:
    """What is lawful and unbacked says how much it is, and fails only beyond what the policy of the caller allows."""
    what = POLICY.get(c.id)
    if what is None or c.state != "warn":
        return c
    if int(credits[what]) > most.get(what, int(credits[what])):
        return msgspec.structs.replace(
            c, state="fail", why=f"{counted(int(credits[what]), 'credit')} {what}: lawful, and beyond the {most[what]} allowed"
        )
    return msgspec.structs.replace(c, why=f"{counted(int(credits[what]), 'credit')} {what}: lawful under these rules, and nothing backs it")


def _unsure(c: Check) -> Check:
    """A failure that other rules, which nobody named, might explain."""
    if c.state != "fail" or c.id not in BY_RELEASE:
        return c
    return _left_open(c, "other rules, which nobody named, may explain it")


def _open(c: Check, ledger: Ledger, gone: Sequence[str]) -> Check:
    """A violation that something not to be seen here may explain is no accusation: rules nobody knows, or rows of a table that is gone."""
    if c.id in ("S7", "S8") and "market_group_members" in gone:
        return absent(c.id, c.title, "market_group_members is not there")
    open_ = c.state in ("fail", "inconclusive") or (c.id, c.state) == ("S10", "warn")
    misses = [x for x in gone if c.id in NARROWS[x]] if open_ else []
    if c.state == "fail" and not ledger.known and c.id in BY_RELEASE:
        why = f"{ledger.doubt}, and what is not known here may explain it"
    elif misses:
        why = f"{', '.join(misses)} {'is' if len(misses) == 1 else 'are'} not there, and may explain it"
        why = f"{c.why}; {why}" if c.state == "inconclusive" else why
    else:
        return c
    return _left_open(c, why)


def _left_open(c: Check, why: str) -> Check:
    """Nobody is accused of what something not to be seen here may explain."""
    return msgspec.structs.replace(
        c, state="inconclusive", looked_at=max(0, c.looked_at - c.violations), violations=0, examples=(),
        undecided=(*c.undecided, *c.examples)[:LEDGER_EXAMPLES_MAX], why=why,
    )  # fmt: skip


def _claimed(made: Judged, checks: Sequence[Check]) -> Judged:
    """Credits are unexplained as far as R6 claims them: not where something not to be seen here may explain them."""
    if all(c.id != "R6" or c.state != "inconclusive" for c in checks):
        return made
    lines = [m | {"unexplained": "0"} for m in made.markets]
    rest = [(max(abs(int(v)) for k, v in m.items() if k != "market"), m) for m in lines]
    markets = [m for most, m in sorted(rest, key=lambda x: (-x[0], int(x[1]["market"] or 0))) if most]
    return msgspec.structs.replace(made, totals=made.totals | {"unexplained": "0"}, markets=markets)


def _known(ids: Sequence[str], checks: Sequence[Check]) -> None:
    names = [c.id for c in checks]
    stranger = next((i for i in ids if i not in names), None)
    if stranger is not None:
        expected = ", ".join(sorted(names, key=order_of))
        raise Refused("ledger.unknown-check", at="--require or --only", found=stranger, expected=expected, help=meant(stranger, names))


def _verdict(ledger: Ledger, facts: Facts, checks: Sequence[Check], required: set[str]) -> str:
    if any(c.state == "fail" for c in checks):
        return "fail"
    # A schema without a table narrows the checks; a ledger without a market, or of an unknown migration, shows nothing.
    blind = [c for c in checks if c.id in required and (c.state == "inconclusive" or (c.state == "missing" and c.id in NEEDS_FILE))]
    looked = any(c.state != "missing" for c in checks)
    if blind or not looked or not ledger.known or not facts.markets or not facts.users:
        return "inconclusive"
    return "pass"


def _counts(ledger: Ledger, facts: Facts, sales: int, author: Writer) -> dict[str, Any]:
    return {
        "users": facts.users,
        "markets": facts.markets,
        "bets": facts.bets,
        "sales": sales,
        "digest": ledger.digest,
        "schema": ledger.schema,
        "migration": ledger.migration,
        "narrowed": [{"lacks": x, "checks": list(NARROWS[x])} for x in ledger.lacks],
        "written_by": author.build or None,
        "written_by_how": author.how,
    }


def _account_of(engine: Engine, eras: Eras, asked: Mapping[int, int], user: str) -> tuple[Ledger, Accounts]:
    """The rows a user's account is made of, replayed."""
    rows = engine.touched([user], 2**62)
    return rows, replay(rows, eras, asked)


class Explained(msgspec.Struct, frozen=True):
    """A user's debits and credits in order, each with its formula and the running balance, and in a sentence what they come to."""

    lines: list[dict[str, str]]
    outcome: str


def statement_of_account(v: Verified, user: str) -> list[dict[str, str]]:
    """A user's debits and credits in order, with the formula and the running balance.

    Raises:
        Refused: `ledger.unknown-user`.
    """
    return explained(v, user).lines


def explained(v: Verified, user: str) -> Explained:
    """A user's statement of account and by how much the stored balance is off it.

    Raises:
        Refused: `ledger.unknown-user`.
    """
    rows, accounts = v.explain(user)
    who = next((u for u in rows.users if u.username == user), None)
    if who is None:
        near = meant(user, (u.username for u in v.source.users))
        raise Refused("ledger.unknown-user", at="--explain", found=user, expected="a username of the ledger", help=near)
    out = []
    low = high = 0
    least = sum(x.low + x.irregular for x in accounts.lines.get(user, ()))
    for line in accounts.lines.get(user, ()):
        low, high = low + line.low, high + line.high
        out.append(
            {
                "at": "" if line.at is None else stamp(line.at),
                "market": "" if line.market is None else str(line.market),
                "what": line.what,
                "credits": _credits(line),
                "formula": line.formula,
                "balance": str(low) if low == high else f"{low} to {high}",
            }
        )
    out.append(
        {
            "at": "",
            "market": "",
            "what": "stored balance",
            "credits": str(who.balance),
            "formula": "users.account_balance",
            "balance": str(who.balance),
        }
    )
    off = accounts.off(user, who.balance)
    blind = user in accounts.beyond or (not off and (who.balance < least or user in accounts.tied))
    unseen = off != 0 and (not v.source.known or bool(lost(v.source.lacks, v.source.applied)))
    return Explained(out, _outcome(who.balance, off, low, high, blind or unseen))


def _credits(line: Line) -> str:
    """What a line comes to: exactly, one of a few outcomes, or between two ends."""
    if line.low == line.high:
        return str(line.low)
    few = line.what != "sale" and len(line.outcomes) <= OUTCOMES_MAX  # a sale's are before its dust
    return " or ".join(map(str, sorted(line.outcomes))) if line.outcomes and few else f"{line.low} to {line.high}"


def _outcome(balance: int, off: int, low: int, high: int, blind: bool) -> str:
    """The difference to the nearest credit the statement allows; `blind`: these rows alone do not decide it."""
    comes_to = f"balance {balance}, the statement comes to {low}" + (f" to {high}" if low != high else "")
    comes_to += ", and to nothing nearer" if off and low <= balance <= high else ""
    words = f"{counted(abs(off), 'credit')} too {'many' if off > 0 else 'few'}" if off else "no difference"
    return f"{words}: {comes_to}" + ("; these rows alone do not decide it" if blind else "")
