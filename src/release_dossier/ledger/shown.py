"""Which numbers an answer of the server shows: one function a page, each number with the function that says what the ledger gives for it.

A page that is not here is counted and not judged. Fields a release did not have are not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from release_dossier.ledger.rulesets import microseconds
from release_dossier.ledger.settlement import Row
from release_dossier.ledger.stood import Held, Stood
from release_dossier.ledger.work import fees_kept, work_profit

Interval = tuple[float | int, float | int]
Right = Callable[[Stood, int], Interval | None]  # low and high at a moment; None: nothing to hold it against


class Shown(msgspec.Struct, frozen=True):
    """A number somebody was shown."""

    what: str
    user: str | None
    market: int | None
    value: int | float
    right: Right
    of_balance: bool = False  # made of a balance: where R6 calls that wrong, this says nothing new
    missing: Callable[[Stood, int], set[str]] | None = None  # of how many there are: who of them is not among those shown


LISTS = re.compile(r"/v0/markets|/v0/markets/(?:active|closed|resolved|status/\w+)|/v0/read/market-discovery/[\w-]+")


def keeps_old_numbers(path: str) -> bool:
    """Whether a page is made of kept summaries, which may be old, and may not say so: lists of markets."""
    return LISTS.fullmatch(path) is not None


class Asking(NamedTuple):
    """Who asked, and for which part of a list, if for one: `limit` and `offset` are 0 where they are no numbers."""

    who: str | None
    for_part: bool = False
    limit: int = 0
    offset: int = 0

    def least(self, n: int, usual: int | None) -> int:
        """How many of `n` are listed at least, where `usual` are when nothing is asked for, None for all. Releases differ in how many they
        list at most, from 100; older ones list everything whatever is asked for."""
        if usual is None and not self.for_part:
            return n
        return min(max(0, n - self.offset), self.limit or usual or USUAL, LISTED_MAX)


USUAL, LISTED_MAX = 20, 100


def asking(query: str, who: str | None) -> Asking:
    """From what stands behind the question mark, as Go reads it: the first of a name, whole numbers of 64 bits."""
    given: dict[str, str] = {}
    for name, word in parse_qsl(query, keep_blank_values=True):
        given.setdefault(name, word)
    words = [given.get("limit", ""), given.get("offset", "")]
    limit, offset = (max(0, int(x)) if re.fullmatch("[+-]?[0-9]{1,300}", x) and abs(int(x)) < 2**63 else 0 for x in words)
    return Asking(who, any(words), limit, offset)


def numbers(path: str, asked: Asking, body: Any) -> list[Shown] | None:
    """The numbers of an answer, None where its page is not known."""
    result = body.get("result", body) if isinstance(body, Mapping) else body
    for pattern, page in PAGES:
        found = pattern.fullmatch(path)
        if found:
            return [s for s in page(result, asked, *found.groups()) if not isinstance(s.value, bool) and isinstance(s.value, (int, float))]
    return None


def _exact(value: int | float) -> Interval:
    return value, value


def _some(value: int | None) -> Interval | None:
    return None if value is None else _exact(value)


def _positions(result: Any, asked: Asking, market: str) -> Iterator[Shown]:
    """From those who hold shares to all who ever placed an order: releases differ in whether they list a position of nothing."""
    number = int(market)
    all_of_it = [number]
    yield from _people(result, "positions", "users with a position", number, asked, None, lambda _: all_of_it, emptied=True)
    for x in _listed(result, "positions"):
        yield from _position(x, number, str(_get(x, "username") or ""))


def _buyers(s: Stood, market: int, at: int) -> set[str]:
    return {r.user for r in s.rows(market, at)}


def _portfolio(result: Any, _: Asking, user: str) -> Iterator[Shown]:
    for x in _records(_get(result, "portfolioItems")):
        market = _get(x, "marketId")
        if isinstance(market, int):
            yield from _position(x, market, user)

    def shares(s: Stood, at: int) -> Interval:
        return _exact(sum(p.yes + p.no for p in (s.position(m, user, at) for m in s.markets_of(user))))

    yield _shown(result, "totalSharesOwned", "shares in all", user, None, shares)


def _group_positions(result: Any, asked: Asking, group: str) -> Iterator[Shown]:
    yield from _group_rows(result, asked, int(group), "positions", "users with a position", "marketId", _POSITION)


def _group_rows(
    result: Any, asked: Asking, group: int, field: str, people: str, child: str, parts: Sequence[_Part]
) -> Iterator[Shown]:  # fmt: skip
    """A row shows what its user has of each market of the group he holds shares of (named by `child`), and of all of them together."""
    yield from _people(result, field, f"{people} in group {group}", None, asked, USUAL, lambda s: s.children(group))
    for row in _listed(result, field):
        user, answers = str(_get(row, "username") or ""), _get(row, "answers")
        for x in _records(answers):
            market = _get(x, child)
            if isinstance(market, int):
                yield from _of_user(x, market, user, parts)
        if isinstance(answers, list):
            yield Shown(f"answers of group {group}", user, None, len(answers), _in_group(group, user, lambda s, at, m, u: 1))
        for name, what, part in parts:
            yield _shown(row, name, f"{what} in group {group}", user, None, _in_group(group, user, part))


_Reckoned = Callable[[Stood, int, int, str], int]  # of a market and a user at a moment
_Part = tuple[str, str, _Reckoned]  # a field, what it is, and how much
_YES: _Part = ("yesSharesOwned", "YES shares", lambda s, at, m, u: s.position(m, u, at).yes)
_NO: _Part = ("noSharesOwned", "NO shares", lambda s, at, m, u: s.position(m, u, at).no)
_SPENT: _Part = ("totalSpent", "spent", lambda s, at, m, u: s.spent(m, u, at))
_PROFIT: _Part = ("profit", "profit", lambda s, at, m, u: s.position(m, u, at).value - s.spent(m, u, at))


def _worth(field: str) -> _Part:
    return field, "worth", lambda s, at, m, u: s.position(m, u, at).value


_POSITION = (_YES, _NO, _worth("value"), _SPENT)
_RANKED = (_YES, _NO, _worth("currentValue"), _SPENT, _PROFIT)


def _in_group(group: int, user: str, part: _Reckoned) -> Right:
    """What a user has of the markets of a group he holds shares of."""

    def right(s: Stood, at: int) -> Interval:
        return _exact(sum(part(s, at, m, user) for m in s.children(group) if _holds(s, m, user, at)))

    return right


def _list(result: Any, field: str) -> list[Any] | None:
    """A list by its field or bare; nothing at all is an empty one, as older releases give it."""
    if isinstance(result, Mapping) and all(k.lower() != field.lower() for k in result if isinstance(k, str)):
        return None
    found = _get(result, field) if isinstance(result, Mapping) else result
    return [] if found is None else found if isinstance(found, list) else None


def _listed(result: Any, field: str) -> list[Mapping[str, Any]]:
    return _records(_list(result, field))


def _people(
    result: Any, field: str, what: str, market: int | None, asked: Asking, usual: int | None,
    markets: Callable[[Stood], Iterable[int]], *, emptied: bool = False,
) -> Iterator[Shown]:  # fmt: skip
    """How long a list is of those who hold shares of some markets, or the page of it that was asked for. `emptied`: it may list those who
    hold none any more as well."""
    listed = [str(_get(x, "username") or "") for x in _listed(result, field)]
    names = set(listed)

    def holders(s: Stood, at: int) -> set[str]:
        return {u for m in markets(s) for u in _buyers(s, m, at) if _holds(s, m, u, at)}

    def gone(every: set[str]) -> set[str]:
        """Who of them should be there and is not."""
        return every - names if asked.least(len(every), usual) == len(every) else set()

    def most(s: Stood, at: int, every: set[str]) -> int:
        return len({u for m in markets(s) for u in _buyers(s, m, at)}) if emptied else len(every)

    def right(s: Stood, at: int) -> Interval:
        """Others in the place of who is left out do not make up for them."""
        every = holders(s, at)
        away = len(gone(every))
        return _exact(len(names) + away) if away else (asked.least(len(every), usual), most(s, at, every))

    def total(s: Stood, at: int) -> Interval:
        """Pages of a group say of how many they are a page, others how long they are."""
        every = holders(s, at)
        return len(every) if market is None else asked.least(len(every), usual), most(s, at, every)

    if _list(result, field) is not None:
        yield Shown(what, None, market, len(names), right, missing=lambda s, at: gone(holders(s, at)))
        if len(listed) > len(names):
            yield Shown(f"{what}, listed again", None, market, len(listed) - len(names), lambda s, at: _exact(0))
    yield _shown(result, "total", f"{what}, in all", None, market, total)


def _orders(result: Any, what: str, market: int | None, asked: Asking, markets: Callable[[Stood], Iterable[int]]) -> Iterator[Shown]:
    """How long a list of orders is, or the page of it that was asked for."""

    def every(s: Stood, at: int) -> int:
        return sum(len(s.rows(m, at)) for m in markets(s))

    found, usual = _list(result, "bets"), None if market is not None else USUAL
    if found is not None:
        yield Shown(what, None, market, len(found), lambda s, at: (asked.least(every(s, at), usual), every(s, at)))
    if market is None:
        yield _shown(result, "total", f"{what}, in all", None, None, lambda s, at: _exact(every(s, at)))


def _holds(s: Stood, market: int, user: str, at: int) -> bool:
    p = s.position(market, user, at)
    return bool(p.yes or p.no)


def _one_position(result: Any, asked: Asking, market: str, user: str | None = None) -> Iterator[Shown]:
    name = user or _get(result, "username") or asked.who
    if isinstance(result, Mapping) and isinstance(name, str):
        yield from _position(result, int(market), name)
        yield from _sellable(result, int(market), name)


def _position(x: Mapping[str, Any], market: int, user: str) -> Iterator[Shown]:
    return _of_user(x, market, user, _POSITION)


def _of_user(x: Mapping[str, Any], market: int, user: str, parts: Sequence[_Part]) -> Iterator[Shown]:
    for field, what, part in parts:
        yield _shown(x, field, what, user, market, lambda s, at, part=part: _exact(part(s, at, market, user)))  # type: ignore[misc]


def _sellable(x: Mapping[str, Any], market: int, user: str) -> Iterator[Shown]:
    for side in ("yes", "no"):

        def right(s: Stood, at: int, side: str = side) -> Interval | None:
            if s.result(market, at) or s.eras.one(at).sell != "lots_consume":
                return None
            q = s.quote(market, user, side == "yes", at)
            return (q.sellable, q.sellable) if q.sellable else None

        yield _shown(x, f"{side}SellableShares", f"{side.upper()} shares to sell", user, market, right)


def _balance(result: Any, _: Asking, user: str) -> Iterator[Shown]:
    yield _of_balance(result, "accountBalance", "a balance of", user, lambda low, high: (low, high))


def _financial(result: Any, asked: Asking, user: str) -> Iterator[Shown]:
    """Analytics value what is held by the shown probability, also in markets that are resolved."""
    inner = _get(result, "financial")
    x = inner if isinstance(inner, Mapping) else result
    yield from _balance(x, asked, user)
    yield _of_balance(x, "amountBorrowed", "borrowed", user, lambda low, high: (max(0, -high), max(0, -low)))
    yield _of_balance(x, "equity", "equity", user, lambda low, high: (low - max(0, -low), high - max(0, -high)))
    sums: tuple[tuple[str, str, Callable[[Held], int]], ...] = (
        ("amountInPlay", "worth in all", lambda h: h.value),
        ("amountInPlayActive", "worth in open markets", lambda h: 0 if h.resolved else h.value),
        ("potentialValue", "worth in open markets", lambda h: 0 if h.resolved else h.value),
        ("realizedValue", "worth in resolved markets", lambda h: h.value if h.resolved else 0),
        ("tradingProfits", "profit of trading", lambda h: h.value - h.spent),
        ("potentialProfits", "profit in open markets", lambda h: 0 if h.resolved else h.value - h.spent),
        ("realizedProfits", "profit in resolved markets", lambda h: h.value - h.spent if h.resolved else 0),
    )
    for field, what, part in sums:
        yield _shown(x, field, what, user, None, _held(user, part))
    yield _shown(x, "totalSpent", "spent in all", user, None, _spent(user))
    yield _shown(x, "totalSpentInPlay", "spent in open markets", user, None, _spent(user, open_only=True))
    yield _shown(x, "workProfits", "profit of work", user, None, lambda s, at: _some(work_profit(s, user, at)))


def _held(user: str, part: Callable[[Held], int]) -> Right:
    return lambda s, at: _exact(sum(part(h) for h in s.held(user, at)))


def _spent(user: str, open_only: bool = False) -> Right:
    return lambda s, at: _exact(s.spent_in(user, at, open_only))


def _of_balance(x: Any, field: str, what: str, user: str, made: Callable[[int, int], Interval]) -> Shown:
    return msgspec.structs.replace(_shown(x, field, what, user, None, lambda s, at: made(*s.balance(user, at))), of_balance=True)


def _credit(result: Any, _: Asking, user: str) -> Iterator[Shown]:
    def right(s: Stood, at: int) -> Interval:
        low, high = s.balance(user, at)
        debt = s.eras.one(at).max_debt
        return low + debt, high + debt

    yield msgspec.structs.replace(_shown(result, "credit", "credit of", user, None, right), of_balance=True)


def _market(result: Any, _: Asking, market: str) -> Iterator[Shown]:
    number = int(market)
    yield from _volumes(result, number)
    changes = _records(_get(result, "probabilityChanges"))
    for i, x in enumerate(changes):

        def right(s: Stood, at: int, i: int = i, last: bool = i + 1 == len(changes), n: int = len(changes)) -> Interval | None:
            known = s.probabilities(number, at)
            if last and n != len(known):
                return _exact(known[-1])
            return _exact(known[i]) if i < len(known) else None

        yield _shown(x, "probability", f"probability {i}", None, number, right)


def _markets(result: Any, _: Asking) -> Iterator[Shown]:
    for x in _records(_get(result, "markets")):
        inner = _get(x, "market")
        market = _get(inner, "id") if isinstance(inner, Mapping) else None
        if isinstance(market, int):
            yield from _volumes(x, market)
            yield _shown(x, "lastProbability", "probability", None, market, _last_probability(market))


def _group(result: Any, asked: Asking, group: str) -> Iterator[Shown]:
    for answer in _records(_get(result, "answers")):
        market, x = _get(answer, "marketId"), _get(answer, "market")
        if isinstance(market, int):
            yield from _volumes(x, market)
            yield _shown(x, "lastProbability", "probability", None, market, _last_probability(market))
            yield from _market(answer, asked, str(market))


def _last_probability(market: int) -> Right:
    return lambda s, at: _exact(s.probabilities(market, at)[-1])


def _volumes(x: Any, market: int) -> Iterator[Shown]:
    def sales(s: Stood, at: int) -> int:
        return sum(r.amount < 0 for r in s.rows(market, at))

    yield _shown(x, "totalVolume", "volume", None, market, lambda s, at: (s.volume(market, at), s.volume(market, at) + sales(s, at)))
    yield _shown(x, "numUsers", "users", None, market, lambda s, at: _exact(len(_buyers(s, market, at))))


def _bets(result: Any, asked: Asking, market: str) -> Iterator[Shown]:
    every = [int(market)]
    yield from _orders(result, "orders listed", every[0], asked, lambda _: every)
    for x in _records(result):
        yield from _bet(x, every[0])


def _group_bets(result: Any, asked: Asking, group: str) -> Iterator[Shown]:
    number = int(group)
    yield from _orders(result, f"orders listed of group {number}", None, asked, lambda s: s.children(number))
    for x in _records(_get(result, "bets")):
        market = _get(x, "answerMarketId")
        if isinstance(market, int):
            yield from _bet(x, market)


def _bet(x: Mapping[str, Any], market: int) -> Iterator[Shown]:
    user, placed = _get(x, "username"), _get(x, "placedAt")
    moment = microseconds(placed) if isinstance(placed, str) else None
    if isinstance(user, str) and moment is not None:
        yield _shown(x, "amount", "an order of", user, market, _order(market, user, moment, lambda s, rows, i: rows[i].amount))
        right = _order(market, user, moment, lambda s, rows, i: s.probabilities(market, rows[-1].placed_at)[i + 1])
        yield _shown(x, "probability", "probability after an order", user, market, right)


def _order(market: int, user: str, moment: int, pick: Callable[[Stood, Sequence[Row], int], float | int]) -> Right:
    """Something of the order a user placed at a moment: nothing where there is none, unknown where there are two."""

    def right(s: Stood, at: int) -> Interval | None:
        rows = s.rows(market, at)
        mine = [i for i, r in enumerate(rows) if r.user == user and r.placed_at == moment]
        return _exact(pick(s, rows, mine[0])) if len(mine) == 1 else _exact(0) if not mine else None

    return right


def _leaders(result: Any, asked: Asking, market: str) -> Iterator[Shown]:
    every = [int(market)]
    yield from _people(result, "leaderboard", "users ranked", every[0], asked, LISTED_MAX, lambda _: every)
    for x in _listed(result, "leaderboard"):
        yield from _of_user(x, every[0], str(_get(x, "username")), _RANKED)


def _group_leaders(result: Any, asked: Asking, group: str) -> Iterator[Shown]:
    yield from _group_rows(result, asked, int(group), "leaderboard", "users ranked", "answerMarketId", _RANKED)


def _everybody(result: Any, asked: Asking) -> Iterator[Shown]:
    yield from _people(result, "entries", "users ranked of all", None, asked, USUAL, lambda s: s.accounts.rows, emptied=True)
    for x in _listed(result, "entries"):
        user = str(_get(x, "username"))
        yield _shown(x, "totalSpent", "spent in all", user, None, _spent(user))
        yield _shown(x, "totalCurrentValue", "worth in all", user, None, _held(user, lambda h: h.value))
        yield _shown(x, "totalProfit", "profit in all", user, None, _held(user, lambda h: h.value - h.spent))


def _metrics(result: Any, _: Asking) -> Iterator[Shown]:
    used = _get(result, "moneyUtilized")
    volume = _get(used, "activeBetVolume")

    def active(s: Stood, at: int) -> Interval:
        return _exact(sum(s.volume(m, at) for m in s.accounts.rows if not s.result(m, at)))

    def bonuses(s: Stood, at: int) -> Interval | None:
        users = s.stored
        if any(s.off(u) for u in users):
            return None  # R6 says whose balance is wrong
        each = [s.balance(u, at) for u in users]
        return sum(max(0, low) for low, _ in each), sum(max(0, high) for _, high in each)

    def creation(s: Stood, at: int) -> Interval:
        rules = s.eras.one(at)
        now = rules.create_market_cost
        if rules.work_profit != "full":  # before #750, which brought groups and full profit: so many markets at today's cost
            return _exact(now * sum((m.created_at or 0) <= at for m in s.ledger.markets))
        children = {m.market_id for m in s.ledger.members}
        mine = [m for m in s.ledger.markets if m.id not in children] + list(s.ledger.groups or ())
        return _exact(sum((x.cost or now) for x in mine if (x.created_at or 0) <= at))

    yield _shown(volume, "value", "volume of open markets", None, None, active)
    yield _shown(_get(used, "marketCreationFees"), "value", "creation fees in all", None, None, creation)
    held = _get(used, "bonusesPaid")
    if "future feature" not in str(_get(held, "explanation")):  # v2.x, which says 0
        yield _shown(held, "value", "credits held in all", None, None, bonuses)
    kept = _get(used, "participationFees")
    yield _shown(kept, "value", "fees of taking part", None, None, lambda s, at: _some(fees_kept(s, at)))


def _shown(x: Any, field: str, what: str, user: str | None, market: int | None, right: Right) -> Shown:
    return Shown(what, user, market, _get(x, field), right)


def _get(x: Any, field: str) -> Any:
    """A field whatever the case of its letters: releases differ in it."""
    if not isinstance(x, Mapping):
        return None
    return x[field] if field in x else next((v for k, v in x.items() if isinstance(k, str) and k.lower() == field.lower()), None)


def _records(x: Any) -> list[Mapping[str, Any]]:
    return [y for y in x if isinstance(y, Mapping)] if isinstance(x, list) else []


Page = Callable[..., Iterable[Shown]]
PAGES: tuple[tuple[re.Pattern[str], Page], ...] = tuple(
    (re.compile(pattern), page)
    for pattern, page in (
        (r"/v0/markets/positions/(\d+)", _positions),
        (r"/v0/markets/positions/(\d+)/([a-z0-9]+)", _one_position),
        (r"/v0/userposition/(\d+)", _one_position),
        (r"/v0/market-groups/(\d+)", _group),
        (r"/v0/market-groups/(\d+)/positions", _group_positions),
        (r"/v0/market-groups/(\d+)/leaderboard", _group_leaders),
        (r"/v0/market-groups/(\d+)/bets", _group_bets),
        (r"/v0/portfolio/([a-z0-9]+)", _portfolio),
        (r"/v0/users/([a-z0-9]+)/financial", _financial),
        (r"/v0/userinfo/([a-z0-9]+)", _balance),
        (r"/v0/usercredit/([a-z0-9]+)", _credit),
        (r"/v0/markets/(\d+)", _market),
        (r"/v0/read/markets/(\d+)/summary", _market),
        (r"/v0/markets/bets/(\d+)", _bets),
        (r"/v0/markets/(\d+)/leaderboard", _leaders),
        (r"/v0/markets/leaderboard/(\d+)", _leaders),
        (LISTS.pattern, _markets),
        (r"/v0/global/leaderboard", _everybody),
        (r"/v0/system/metrics", _metrics),
    )
)
