"""R8: numbers the server showed, each held against the replay of the ledger as it stood when it was shown.

1. An answer that says it is stale is judged at its own time of making, and warned about by its age.
2. One that says it is fresh, or says nothing, is judged at the moment it was given; what it may have missed on its way is allowed for.
3. Lists of markets are made of kept summaries. One that says nothing about its age and shows what was right before is warned about.
   One that says it is fresh, shows what was right when it was made, and of what nothing changed since but the rules, is warned about.
4. Between two eras either may have given an answer: what the one before or the one after gives is right. So is what another order of
   simultaneous orders gives.
5. A page nobody wrote down here is counted, not judged; so is a market without an answer. A record that is no answer, a line cut off among
   them, leaves open what it would have shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import pairwise
from typing import Any

import msgspec

from release_dossier.errors import counted
from release_dossier.ledger.account import Accounts
from release_dossier.ledger.checks import Check, Example, conclude
from release_dossier.ledger.columns import Ledger
from release_dossier.ledger.receipts import asked_for
from release_dossier.ledger.rulesets import Eras, Ruleset, microseconds
from release_dossier.ledger.shown import Interval, Shown, asking, keeps_old_numbers, numbers
from release_dossier.ledger.stood import Degenerate, Stood
from release_dossier.limits import LEDGER_FLIGHT_MICROSECONDS

TITLE = "Every number shown was what the ledger gives"


class Asked(msgspec.Struct, frozen=True):
    """An answer as it is judged: at which moment, how old it says it is (None: it does not call itself stale), when it says it was made,
    what it shows."""

    path: str
    at: int
    age: int | None
    made: int | None
    claims_fresh: bool
    shown: tuple[Shown, ...]


def r8(answers: Iterable[Any], g: Ledger, a: Accounts, eras: Eras) -> Check:
    """Judge answers: records `path, at, as, status, body`. Where any of several rules may have been in force, a number that one of them
    gives is right."""
    stood, others = Stood(g, a, eras), _Others(g, a, eras)
    guessed = any(era.others for era in eras.eras)  # else what an era leaves unknown is not judged beside another one either
    found: list[Example] = []
    old: list[tuple[int, str]] = []
    silent: list[tuple[int, str]] = []
    earlier: list[tuple[int, str]] = []
    seen = judged = other = unsure = tied = 0
    unread: list[int] = []
    for answer in answers:
        seen += 1
        if not _is_answer(answer):
            unread.append(seen)
            continue
        asked = _asked(answer)
        if asked is None:
            other += 1
            continue
        known = [(s, right) for s in asked.shown if (right := _right(s, stood, asked.at)) is not None]
        if not known:
            other += 1
            continue
        judged += 1
        for s, right in known:
            if _holds(s, right, asked, stood):
                continue
            elsewhere = [(under, _right(s, under, asked.at)) for under in others.at(asked.at)]
            if any(gives is not None and _holds(s, gives, asked, under) for under, gives in elsewhere):
                continue
            if any(gives is None for _, gives in elsewhere):
                unsure += guessed
                continue
            if (reordered := _in_another_order(s, right, asked, stood)) is not False:
                tied += reordered is None
                continue
            if _of_its_time(s, asked, stood, others):
                earlier.append((asked.at - (asked.made or 0), asked.path))
                continue
            since = _old_since(s, asked, stood)
            if since is None:
                found.append(_said_wrong(s, right, asked, stood))
            else:
                silent.append((asked.at - since, asked.path))
        if asked.age is not None:
            old.append((asked.age, asked.path))
    words = [f"{counted(len(unread), 'record')} could not be read as an answer, the first is record {unread[0]}"] if unread else []
    if not judged:
        words.append("no answer shows a number that is known here")
        return Check(id="R8", title=TITLE, state="inconclusive" if unread else "missing", looked_at=0, of=seen, why="; ".join(words))
    check = conclude("R8", TITLE, seen, found, looked_at=judged)
    if old:
        age, path = max(old)
        many = f"{counted(len(old), 'answer')} {'calls itself' if len(old) == 1 else 'call themselves'} stale"
        words.append(f"{many}, the oldest ({path}) was {age / 1_000_000:.1f} s old when it was given")
    if silent:
        age, path = max(silent)
        words.append(f"{_numbers(silent)} old without saying so, the oldest ({path}) for {age / 1_000_000:.1f} s")
    if earlier:
        age, path = max(earlier)
        words.append(
            f"{_numbers(earlier)} right by the rules they were made under, and nothing but the rules changed since,"
            f" the oldest ({path}) {age / 1_000_000:.1f} s before"
        )
    if other:
        words.append(
            f"{counted(other, 'answer')} {'shows other things and was' if other == 1 else 'show other things and were'} not judged"
        )
    if unsure:
        words.append(f"{counted(unsure, 'number')} wrong for some of the builds that may have run, and not known for others")
    if tied:
        words.append(f"{counted(tied, 'number')} of markets whose simultaneous orders may have come in more ways than were tried")
    state = (
        check.state
        if check.state != "pass"
        else "inconclusive"
        if unread or unsure or tied
        else "warn"
        if old or silent or earlier
        else "pass"
    )
    return msgspec.structs.replace(check, why="; ".join(words), state=state)


def _numbers(some: Sized) -> str:
    return f"{counted(len(some), 'number')} {'was' if len(some) == 1 else 'were'}"


class _Others:
    """The ledger as it stood under each of the other rules that may have been in force at a moment. What users have is the same interval
    under all of them: it was replayed under all."""

    def __init__(self, g: Ledger, a: Accounts, eras: Eras) -> None:
        self._made_of = g, a, eras
        self._stood: dict[tuple[int, Ruleset], Stood] = {}

    def at(self, moment: int) -> Iterator[Stood]:
        """Made when a number is wrong, and most never are. Later eras say nothing of a moment that an earlier one may have held."""
        g, a, eras = self._made_of
        held = [(i, rules) for i in eras.holding(moment) for rules in eras.eras[i].possible]
        for i, rules in reversed(held[:-1]):
            if (i, rules) not in self._stood:
                era = msgspec.structs.replace(eras.eras[i], rules=rules, others=())
                self._stood[i, rules] = Stood(g, a, Eras(eras.name, (*eras.eras[:i], era)))
            yield self._stood[i, rules]


def _is_answer(record: Any) -> bool:
    return (
        isinstance(record, Mapping)
        and isinstance(record.get("path"), str)
        and isinstance(record.get("status"), int)
        and isinstance(record.get("at"), str)
        and microseconds(record["at"]) is not None
    )


def _asked(answer: Mapping[str, Any]) -> Asked | None:
    path, query = asked_for(answer), answer["path"].partition("?")[2]
    at, who = microseconds(answer["at"]), answer.get("as")
    shown = numbers(path, asking(query, who if isinstance(who, str) else None), answer.get("body")) if answer["status"] == 200 else []
    if at is None or not shown:
        return None
    fresh = _freshness(answer.get("body"))
    made = microseconds(str(fresh.get("generatedAt"))) if fresh else None
    stale = bool(fresh.get("isStale")) if fresh else False
    if stale and made is not None:
        return Asked(path, made, max(0, at - made), made, False, tuple(shown))
    return Asked(path, at, None, made, bool(fresh), tuple(shown))


def _freshness(body: Any) -> Mapping[str, Any]:
    for x in (body, body.get("result") if isinstance(body, Mapping) else None):
        if isinstance(x, Mapping) and isinstance(x.get("freshness"), Mapping):
            found: Mapping[str, Any] = x["freshness"]
            return found
    return {}


def _holds(s: Shown, right: Interval, asked: Asked, stood: Stood) -> bool:
    """Whether a number is right, or may have been on its way; what is wrong with a balance is for R6 to say."""
    if right[0] <= s.value <= right[1] or _on_its_way(s, asked.at, stood):
        return True
    return s.of_balance and s.user is not None and stood.off(s.user)


def _in_another_order(s: Shown, right: Interval, asked: Asked, stood: Stood) -> bool | None:
    """Whether a number is right where simultaneous orders came another way; None: in more ways than are tried. One made of several such
    markets may have each of them another way."""
    least, most = right
    tied = stood.tied(s.market, s.user)
    for market in tied:
        each = [(under, _right(s, under, asked.at)) for under in stood.reordered(market)]
        if any(gives is None or _holds(s, gives, asked, under) for under, gives in each):
            return True
        least += min(0, *(gives[0] - right[0] for _, gives in each if gives))
        most += max(0, *(gives[1] - right[1] for _, gives in each if gives))
    if any(m in stood.accounts.countless for m in tied):
        return None
    return least <= s.value <= most


def _said_wrong(s: Shown, right: Interval, asked: Asked, stood: Stood) -> Example:
    low, high = right
    off = s.value - high if s.value > high else s.value - low
    says = " and calls itself fresh" if asked.claims_fresh else ""
    where = "" if s.market is None else f" in market {s.market}"
    gives = f"{low}" if low == high else f"{low} to {high}"
    shown = f"{s.what} {s.value}{where}" if s.what.endswith(" of") else f"{s.what}{where}: {s.value}"
    words = f"{asked.path} showed {f'{s.user} ' if s.user else ''}{shown}{says}; the ledger gives {gives}{_missing(s, asked, stood)}"
    return Example(
        user=s.user,
        market=None if s.market is None else str(s.market),
        expected=str(high if s.value > high else low),
        found=str(s.value),
        difference=str(off) if isinstance(off, int) else "0",
        why=words,
    )


def _on_its_way(s: Shown, at: int, stood: Stood) -> bool:
    """Whether it was right at a moment since the answer may have been read: before the window, or after any order in it. What is made of
    several markets may have been read from one after another, with some of these orders and without others; what is made of a balance is
    between the least and the most of these moments."""
    each = [_right(s, stood, t) for t in stood.moments(at - LEDGER_FLIGHT_MICROSECONDS, at)]
    known = [r for r in each if r is not None]
    if len(known) < len(each) or any(low <= s.value <= high for low, high in known):
        return True
    if s.market is not None:
        return False
    if s.of_balance:
        return min(low for low, _ in known) <= s.value <= max(high for _, high in known)
    least = known[0][0] + sum(min(0, b[0] - a[0]) for a, b in pairwise(known))
    most = known[0][1] + sum(max(0, b[1] - a[1]) for a, b in pairwise(known))
    return least <= s.value <= most


def _missing(s: Shown, asked: Asked, stood: Stood) -> str:
    """Who is not on a list that is too short."""
    names = sorted(s.missing(stood, asked.at)) if s.missing is not None else []
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"; not shown: {', '.join(names[:3])}{more}" if names else ""


def _old_since(s: Shown, asked: Asked, stood: Stood) -> int | None:
    """Since when a number a list kept is out of date: the moment of the first order it does not know. None where it never was right."""
    if s.market is None or asked.claims_fresh or asked.age is not None or not keeps_old_numbers(asked.path):
        return None
    for row in reversed(stood.rows(s.market, asked.at)):
        before = _right(s, stood, row.placed_at - 1)
        if before is not None and before[0] <= s.value <= before[1]:
            return row.placed_at
    return None


def _of_its_time(s: Shown, asked: Asked, stood: Stood, others: _Others) -> bool:
    """Whether a number was right when its page was made, by rules that no longer hold, and nothing else changed since."""
    if asked.made is None or asked.age is not None or stood.changed(s.market, s.user, asked.made, asked.at):
        return False
    each = (_right(s, under, asked.made) for under in (stood, *others.at(asked.made)))
    return any(right is not None and right[0] <= s.value <= right[1] for right in each)


def _right(s: Shown, stood: Stood, at: int) -> Interval | None:
    try:
        return s.right(stood, at)
    except Degenerate:
        return None
