"""`dossier ledger`: verify, settle, compare, rulesets; generate stands in `ledger_generate.py`"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from release_dossier.cli import edge
from release_dossier.cli.ledger_generate import generate
from release_dossier.errors import EXIT_DENIED, Refused, counted
from release_dossier.limits import LEDGER_MEMORY_BYTES_MIN, LEDGER_STATEMENT_SECONDS_MAX

if TYPE_CHECKING:
    from release_dossier.ledger.columns import Ledger
    from release_dossier.ledger.rulesets import Eras
    from release_dossier.ledger.verify import Explained, Verified

UNDECIDED_MAX = 3  # of what the rows cannot decide, told with its outcomes without --json

_source = click.argument("source", metavar="SOURCE", type=str)
_ruleset = click.option("--ruleset", metavar="NAME|FILE", help="the rules: a release, e.g. v3.8, or a JSON file of their dimensions")
_assume_schema = click.option("--assume-schema", is_flag=True, help="take a ledger of an unknown newer migration for the newest known one")
_timeline = click.option("--timeline", metavar="FILE", help="which rules were in force when")


@click.group(cls=edge.Group)
def ledger() -> None:
    """Is every credit where SocialPredict's own rules say it must be?"""


@ledger.command(epilog="Example: dossier ledger verify ledger.sqlite --ruleset v3.8")
@_source
@_ruleset
@_timeline
@click.option(
    "--adapter",
    type=click.Choice(["socialpredict"]),
    default="socialpredict",
    show_default=True,
    expose_value=False,
    help="whose ledger it is",
)
@click.option("--receipts", metavar="FILE", help="journal of requests (NDJSON, plain or xz): makes every sale exact")
@click.option("--answers", metavar="FILE", help="answers of the server (NDJSON, plain or xz): each held against the ledger of its moment")
@click.option("--economics", metavar="FILE", help="SocialPredict's setup.yaml, or JSON of ruleset keys that differ")
@click.option("--written-by", default="", metavar="VERSION|COMMIT", help="the build that wrote the ledger")
@click.option("--require", default="", metavar="IDS", help="checks that must have looked, e.g. J1,R8")
@click.option("--only", default="", metavar="IDS", help="only these checks, e.g. S4,R6")
@click.option(
    "--engine",
    type=click.Choice(["auto", "python", "duckdb", "numba", "spark"]),
    default="auto",
    show_default=True,
    help="the same answer from each",
)
@click.option(
    "--memory", default="4GiB", show_default=True, metavar="SIZE", help="what judging keeps to, from 512MiB on; the more, the faster"
)
@_assume_schema
@click.option(
    "--statement-timeout", type=click.IntRange(1, 2_147_483), metavar="SECONDS", help="of each statement in PostgreSQL; 600 unless said"
)
@click.option("--minted-max", type=click.IntRange(0), metavar="CREDITS", help="fail when more is lawfully made of nothing")
@click.option("--burned-max", type=click.IntRange(0), metavar="CREDITS", help="fail when more is lawfully lost with pools nobody won")
@click.option("--explain", metavar="USER", help="this user's statement of account, line by line")
@edge.json_option
def verify(
    source: str,
    ruleset: str | None,
    timeline: str | None,
    receipts: str | None,
    answers: str | None,
    economics: str | None,
    written_by: str,
    require: str,
    only: str,
    engine: str,
    memory: str,
    assume_schema: bool,
    statement_timeout: int | None,
    minted_max: int | None,
    burned_max: int | None,
    explain: str | None,
    as_json: bool,
) -> int:
    """Check a ledger: postgresql://…, a .sqlite file, a folder of Parquet. Exit 0 only when it passes, 10 when it does not."""
    from release_dossier.cli.progress import progress
    from release_dossier.ledger.verify import explained
    from release_dossier.sources.ledgers import verify_ledger

    with progress("rows") as reading, progress("orders") as step:
        found = verify_ledger(
            source,
            ruleset=ruleset,
            timeline=timeline,
            receipts=receipts,
            answers=answers,
            economics=economics,
            written_by=written_by,
            require=_ids(require),
            only=_ids(only),
            assume_schema=assume_schema,
            statement_seconds=statement_timeout or LEDGER_STATEMENT_SECONDS_MAX,
            most={k: v for k, v in (("minted", minted_max), ("burned", burned_max)) if v is not None},
            engine=engine,
            threads=edge.threads(),
            memory_bytes=_enough(memory_bytes(memory)),
            step=step,
            reading=reading,
        )
    account = explained(found, explain) if explain else None
    value = found.as_json() | ({"statement": account.lines} if account is not None else {})
    given = {"--ruleset": ruleset, "--timeline": timeline, "--receipts": receipts, "--answers": answers, "--economics": economics}
    given |= {"--written-by": written_by, "--require": require, "--only": only}
    limits = {"--minted-max": minted_max, "--burned-max": burned_max}
    again = _again(found, source, given | {name: None if most is None else str(most) for name, most in limits.items()})
    again += " --assume-schema" if assume_schema else ""
    edge.emit(value, as_json, lambda: _account(found, explain or "", account) if account is not None else _words(found, source, again))
    return 0 if found.verdict == "pass" else EXIT_DENIED


def memory_bytes(text: str) -> int:
    """Bytes of `2GiB`, `800MB` or a plain number."""
    found = re.fullmatch(r"([0-9]{1,18})\s*([kKMGT]?)(i?)B?", text.strip())
    if found is None or not int(found[1]):
        raise click.BadParameter("a size such as 2GiB or 800MB", param_hint="--memory")
    power = " kMGT".index(found[2].replace("K", "k") or " ")
    size: int = int(found[1]) * (1024 if found[3] else 1000) ** power
    return size


def _enough(size: int) -> int:
    """What a process with its libraries takes before it has read a row is no limit it can keep to."""
    if size < LEDGER_MEMORY_BYTES_MIN:
        raise click.BadParameter(f"at least {LEDGER_MEMORY_BYTES_MIN >> 20}MiB", param_hint="--memory")
    return size


def _ids(text: str) -> list[str]:
    return [i.strip() for i in text.split(",") if i.strip()]


def _place(v: Verified, source: str) -> str:
    """Never an address as given: it may hold a password."""
    return v.read["from"] if v.read else source


def _again(v: Verified, source: str, given: dict[str, str | None]) -> str:
    """The command that judges the same ledger in the same way: a server's as the role that read it."""
    scheme = "postgresql://"
    where = f"{scheme}{quote(v.read['role'], safe='')}@{v.read['from'].removeprefix(scheme)}" if v.read else source
    words = [where, *(w for name, value in given.items() if value for w in (name, value))]
    return f"dossier ledger verify {shlex.join(words)}"


def _next(v: Verified, again: str) -> str:
    """What to run where it did not pass: what shows more of a failure, or decides what was not decided."""
    from release_dossier.ledger.schema import lost

    checks = {c.id: c for c in v.checks}
    worst = next((e.user for e in [*checks["R6"].examples, *checks["R6"].undecided] if e.user), None) if "R6" in checks else None
    unsure = [c.id for c in v.checks if c.state == "inconclusive"]
    gone = [x for x in lost(v.source.lacks, v.source.applied) if any(x in c.why for c in v.checks if c.state == "inconclusive")]
    if v.verdict == "inconclusive" and not v.source.known:
        return f"{again} --assume-schema"
    if v.verdict == "inconclusive" and gone:
        return f"dossier ledger verify on a ledger that has {', '.join(gone)}, too"
    nobody_named = any(n.startswith("no rules were named, and ") for n in v.notes)
    if v.verdict == "inconclusive" and nobody_named:
        return f"{again} --ruleset {'FILE' if not v.source.applied else 'NAME, the release that wrote it'}"
    if worst:
        return f"{again} --explain {shlex.quote(worst)}"
    if v.verdict == "fail":
        return f"{again} --json, which names each row of {', '.join(c.id for c in v.checks if c.state == 'fail')}"
    if not (v.ledger["users"] and v.ledger["markets"]):
        return "dossier ledger verify on a ledger that has users and markets"
    nothing = [option for id, option in (("J1", "--receipts"), ("R8", "--answers")) if id in checks and checks[id].state == "missing"]
    for option in nothing:
        if f" {option} " in again:
            return f"dossier ledger verify with {option} of this ledger: those have nothing of it"
    if nothing:
        return f"{again} {nothing[0]} FILE"
    return f"{again} --json, which says of {', '.join(unsure)} what could not be decided"


def _words(v: Verified, source: str, again: str) -> str:
    source = _place(v, source)
    told = (("users", "user"), ("markets", "market"), ("bets", "order"), ("sales", "sale"))
    size = ", ".join(counted(v.ledger[key], thing) for key, thing in told)
    lines = [f"{edge.state(v.verdict)}  {source} under the rules of {v.ruleset}: {size}"]
    lines += [f"  note: {n}" for n in v.notes]
    for c in (c for c in v.checks if c.state in ("fail", "inconclusive")):
        lines.append(f"{edge.state(c.state)}  {c.id} {c.title}: {c.violations} of {c.of}" + (f" ({c.why})" if c.why else ""))
        lines += [f"    {e.why}" for e in c.examples[:8]]
        lines += [f"    and {c.violations - 8} more" for _ in range(c.violations > 8)]
        lines += [f"    undecided: {e.why}" for e in [e for e in c.undecided if e.difference == "0"][:UNDECIDED_MAX]]
    lines += [f"  fits: {h['words']} (hypothesis)" for h in v.hypotheses]
    for c in (c for c in v.checks if c.state == "warn"):
        lines.append(f"{edge.state(c.state)}  {c.id} {c.title}: {c.violations} of {c.of} not so; {c.why or c.examples[0].why}")
    blind = [c for c in v.checks if c.state == "missing"]
    lines += [f"{edge.state('missing')}  {c.id} {c.title}: {c.why}" for c in blind]
    passed = [c.id for c in v.checks if c.state == "pass"]
    lines.append(f"{edge.state('pass')}  {counted(len(passed), 'check')}: {' '.join(passed)}")
    t = v.totals
    dust = f"dust {t['dust_low']} to {t['dust_high']}"
    lines += [f"  {f['type']}: market {f['market']}, {f['kind']}: {f['why']}" for f in v.findings]
    lines.append(f"credits: {t['minted']} minted, {t['burned']} burned, {t['unexplained']} unexplained, {dust}")
    for m in v.markets[:8]:
        parts = [f"{m[k]} {k.replace('_', ' ')}" for k in ("minted_by_sales", "minted_by_payouts", "burned", "unexplained") if m[k] != "0"]
        lines.append(f"    {'market ' + m['market'] if m['market'] else 'over several markets'}: {', '.join(parts)}")
    lines += [f"    and {len(v.markets) - 8} more markets (--json)" for _ in range(len(v.markets) > 8)]
    lines += [] if v.verdict == "pass" else [f"next: {_next(v, again)}"]
    return _lines(lines)


def _lines(rows: Iterable[str]) -> str:
    """Each on a line of its own: a name from the ledger begins no other."""
    return "\n".join(" ".join(row.splitlines()) for row in rows)


def _account(v: Verified, user: str, account: Explained) -> str:
    rows = [f"statement of account of {user} under the rules of {v.ruleset}", *(f"  note: {n}" for n in v.notes)]
    for x in account.lines:
        market = f"market {x['market']}" if x["market"] else ""
        rows.append(f"{x['at'][:26]:27} {market:11} {x['what']:20} {x['credits']:>12} {x['balance']:>14}  {x['formula']}")
    return _lines([*rows, account.outcome])


@ledger.command(epilog="Example: dossier ledger settle ledger.sqlite --market 3")
@_source
@_ruleset
@_timeline
@click.option("--market", type=int, metavar="ID", help="only this market")
@click.option("--after", type=int, metavar="ORDER", help="as it stood after this order (its id in bets)")
@click.option("--result", type=click.Choice(["YES", "NO", "N/A", "open"]), help="as if it were resolved so")
@click.option("--sell", metavar="USER:SIDE:CREDITS", help="what the server would answer to this sale, e.g. alice:YES:50; needs --market")
@_assume_schema
@edge.json_option
def settle(
    source: str,
    ruleset: str | None,
    timeline: str | None,
    market: int | None,
    after: int | None,
    result: str | None,
    sell: str | None,
    assume_schema: bool,
    as_json: bool,
) -> None:
    """Positions, payouts and what may be sold, of every market or of one after any order, computed independently of the server."""
    from release_dossier.ledger.settle import Question
    from release_dossier.ledger.settle import settle as compute
    from release_dossier.sources.ledgers import read_ledger, rules_for

    if sell and market is None and after is None:
        raise click.UsageError("--sell needs --market or --after")
    asked = Question(market=market, after=after, result="" if result == "open" else result, sale=_sale_asked(sell) if sell else None)
    given = rules_for(ruleset, timeline)
    read = _of_known_schema(read_ledger(source), assume_schema)
    eras, notes = _rules_of(read, given)
    markets = compute(read, eras, asked)
    value = {"markets": markets, "ruleset": eras.name, "notes": notes}
    edge.emit(value, as_json, lambda: "\n".join([*(f"  note: {n}" for n in notes), _settled(markets)]))


def _rules_of(ledger: Ledger, given: Eras | None) -> tuple[Eras, list[str]]:
    """The rules that were named; where nobody named any, those a ledger's schema fits, and the note that says so."""
    from release_dossier.ledger.rulesets import NAMED, named
    from release_dossier.ledger.schema import RELEASES

    if given is not None:
        return given, []
    newest = RELEASES.get(ledger.schema, tuple(NAMED))[-1]
    return named(newest), [
        f"no rules were named: these are those of {newest}, the newest its schema fits; --ruleset or --timeline says which"
    ]


def _of_known_schema(ledger: Ledger, assumed: bool) -> Ledger:
    """The ledger, unless an unknown migration may have changed what its rows mean."""
    if not ledger.known and not assumed:
        expected = "those of a known release"
        raise Refused("ledger.unknown-migration", at="schema_migrations", found=ledger.doubt, expected=expected, help="--assume-schema")
    return ledger


def _sale_asked(text: str) -> tuple[str, bool, int]:
    user, _, rest = text.partition(":")
    side, _, credits = rest.partition(":")
    if not user or side not in ("YES", "NO") or not re.fullmatch("[0-9]{1,18}", credits):
        raise click.UsageError(f"--sell is USER:YES|NO:CREDITS, not {text}")
    return user, side == "YES", int(credits)


def _settled(markets: list[dict[str, Any]]) -> str:
    rows = []
    for m in markets:
        why = f" · {m['why']}" if m["why"] else ""
        state = m["result"] or (m["state"] if m["state"] in ("proposed", "rejected", "cancelled") else "open")
        rows.append(f"market {m['id']}: volume {m['volume']}, probability {m['probability']}, {state}{why}")
        rows += _answer(m)
        for other in m.get("others", ()):
            rows += [f"  or: probability {other['probability']}", *_answer(other)]
    return _lines(rows) or "no market"


def _answer(m: dict[str, Any]) -> list[str]:
    rows = []
    for p in m["positions"]:
        may = f", {p['why']}" if p.get("why") else ""
        may = f", may sell {p['sellable']} at {p['price']}" if p.get("sellable", "0") != "0" else may
        rows.append(f"    {p['user']:16} {p['yes']:>8} YES {p['no']:>8} NO  worth {p['value']}{may}")
    for x in m["payouts"]:
        rows.append(f"    {x['user']:16} {'gives back' if x['credits'].startswith('-') else 'is paid'} {x['credits'].removeprefix('-')}")
    if "sale" in m:
        x = m["sale"]
        words = f"{counted(int(x['shares']), 'share')} × {x['price']} − {x['dust']} dust: {x['credit']} credits"
        rows.append(f"    sale: {x['refused'] or words}")
    return rows


@ledger.command(epilog="Example: dossier ledger compare ledger.sqlite --ruleset v3.7 --other-ruleset v3.8")
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", required=False)
@_ruleset
@_timeline
@click.option("--other-ruleset", metavar="NAME|FILE", help="judge B, or A again, under these rules")
@click.option("--other-timeline", metavar="FILE", help="judge B, or A again, under these eras")
@_assume_schema
@edge.json_option
def compare(
    first: str,
    second: str | None,
    ruleset: str | None,
    timeline: str | None,
    other_ruleset: str | None,
    other_timeline: str | None,
    assume_schema: bool,
    as_json: bool,
) -> int:
    """Who would be paid differently: two ledgers, or two rulesets on one. Exit 0 when nobody, 10 when somebody."""
    from release_dossier.ledger.settle import compare as held_side_by_side
    from release_dossier.limits import LEDGER_MARKETS_MAX
    from release_dossier.sources.ledgers import read_ledger, rules_for

    if second is None and not (other_ruleset or other_timeline):
        raise click.UsageError("compare A B, or compare A --ruleset X --other-ruleset Y")
    given, other = rules_for(ruleset, timeline), rules_for(other_ruleset, other_timeline)
    a = _of_known_schema(read_ledger(first), assume_schema)
    b = _of_known_schema(read_ledger(second), assume_schema) if second else a
    one, notes = _rules_of(a, given)
    two, more = _rules_of(b, other or given)
    notes = notes if more in ([], notes) else [f"A: {notes[0]}", f"B: {more[0]}"]
    found = held_side_by_side((a, one), (b, two), LEDGER_MARKETS_MAX)
    value = {**found, "notes": notes, "a": {"digest": a.digest, "ruleset": one.name}, "b": {"digest": b.digest, "ruleset": two.name}}

    def words() -> str:
        lines = [f"{found['users_differ']} of {counted(found['of_users'], 'user')} would have other credits, {found['difference']} in all"]
        lines[0] += f"; {counted(found['markets_differ'], 'market')} paid otherwise ({one.name} → {two.name})"
        for u in found["users"]:
            parts = "; ".join(f"{x['what']}{' in market ' + x['market'] if x['market'] else ''} {x['a']} → {x['b']}" for x in u["for"])
            lines.append(f"    {u['user']:16} {u['a']:>12} → {u['b']:>12}  {int(u['difference']):+}  {parts}")
        return _lines([*(f"  note: {n}" for n in notes), *lines])

    edge.emit(value, as_json, words)
    return EXIT_DENIED if found["users_differ"] or found["markets_differ"] else 0


@ledger.command(epilog="Example: dossier ledger rulesets v3.7 v3.8")
@click.argument("which", nargs=-1, metavar="[NAME|FILE]…")
@edge.json_option
def rulesets(which: tuple[str, ...], as_json: bool) -> None:
    """The rules of each release side by side, with the commit each was checked against; with names or files, only those."""
    import msgspec

    from release_dossier.ledger.rulesets import NAMED, Ruleset, release
    from release_dossier.sources.ledgers import rules_for

    chosen: dict[str, tuple[Ruleset, str]] = dict(NAMED)
    if which:
        chosen = {}
        for name in which:
            eras = rules_for(name, None)
            assert eras is not None
            chosen[eras.name] = (eras.eras[-1].rules, NAMED[found][1] if (found := release(name)) else "")
    table = {name: {**msgspec.to_builtins(rules), "commit": commit} for name, (rules, commit) in chosen.items()}
    edge.emit({"rulesets": table}, as_json, lambda: _side_by_side(table))


def _side_by_side(table: dict[str, dict[str, Any]]) -> str:
    """Releases with the same rules share a column; what differs comes first."""
    columns: list[tuple[list[str], dict[str, Any]]] = []
    for name, rules in table.items():
        same = {k: v for k, v in rules.items() if k != "commit"}
        if columns and columns[-1][1] == same:
            columns[-1][0].append(name)
        else:
            columns.append(([name], same))
    heads = [names[0] if len(names) == 1 else f"{names[0]}–{names[-1]}" for names, _ in columns]
    keys = list(columns[0][1])
    differs = [k for k in keys if len({str(rules[k]) for _, rules in columns}) > 1]
    wide = [max(len(h), *(len(_show(rules[k])) for k in keys)) for h, (_, rules) in zip(heads, columns, strict=True)]

    def row(word: str, cells: list[str]) -> str:
        return f"{word:24}" + "  ".join(f"{c:{w}}" for c, w in zip(cells, wide, strict=True)).rstrip()

    lines = [row("", heads)]
    lines += [row(k, [_show(rules[k]) for _, rules in columns]) for k in differs]
    lines.append("the same in all:" if differs else "no difference:")
    lines += [f"  {k:22}{_show(columns[0][1][k])}" for k in keys if k not in differs]
    lines += [f"{name:8} checked against the code at {rules['commit']}" for name, rules in table.items() if rules["commit"]]
    return "\n".join(lines)


def _show(value: Any) -> str:
    return "by schema" if value is None else str(value)


ledger.add_command(generate)
