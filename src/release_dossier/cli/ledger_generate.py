"""`dossier ledger generate`: a large synthetic ledger by seed"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from release_dossier.cli import edge
from release_dossier.errors import Refused

if TYPE_CHECKING:
    from release_dossier.ledger.generate import Bets, World


@click.command(epilog="Example: dossier ledger generate ledger.sqlite --bets 5000 --seed 7")
@click.argument("destination", metavar="DESTINATION", type=str)
@click.option("--seed", type=int, default=1, show_default=True, help="the same seed and sizes give the same ledger, on any machine")
@click.option("--bets", type=int, default=10_000, show_default=True, help="orders, all together")
@click.option("--markets", type=int, help="markets; one for each hundred bets unless said")
@click.option("--users", type=int, help="users; one for each fifty bets unless said")
@click.option("--sales", type=int, default=12, show_default=True, help="how many of 100 orders try to be sales")
@click.option("--ruleset", metavar="NAME|FILE", help="the rules it is correct under; the newest unless said")
@click.option("--mutant", metavar="NAME", help="then make it wrong as this defect would; `list` shows them all")
@click.option("--receipts", metavar="FILE", help="write the journal of accepted sales too, which makes every sale exact")
@edge.json_option
def generate(
    destination: str, seed: int, bets: int, markets: int | None, users: int | None, sales: int, ruleset: str | None, mutant: str | None,
    receipts: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Make a ledger that is correct to the credit: a folder of Parquet, a .sqlite file, or tables in postgresql://…

    Every path that moves money is in it: buys, sales, resolutions, N/A, groups, answers, rejections, stewards.
    """
    from release_dossier.cli.progress import progress
    from release_dossier.errors import counted
    from release_dossier.ledger.generate import Bets, Spec
    from release_dossier.ledger.generate import generate as make
    from release_dossier.ledger.mutants import MUTANTS, Made, mutate
    from release_dossier.sources.ledger_writer import bets_table, tables, writing
    from release_dossier.sources.ledgers import rules_for

    if mutant == "list":
        table = {name: {"check": m.check, "about": m.about} for name, m in MUTANTS.items()}
        edge.emit({"mutants": table}, as_json, lambda: "\n".join(f"{n:26} {m['check']:4} {m['about']}" for n, m in table.items()))
        return
    eras = rules_for(ruleset or "v3.8", None)
    assert eras is not None
    spec = Spec(
        seed=seed, bets=bets, markets=max(1, bets // 100) if markets is None else markets,
        users=max(8, bets // 50) if users is None else users, sales=sales, rules=eras.eras[-1].rules,
    )  # fmt: skip
    world, cohorts = make(spec)
    places = sold = done = 0
    with progress("bets") as step, writing(destination) as put, _journal(receipts) as told:
        if mutant:
            made = Made(world, Bets.joined(list(cohorts)))
            places = mutate(mutant, made)
            cohorts = iter([made.bets])
        for part in cohorts:
            put("bets", bets_table(world, part))
            sold += told(world, part)
            done += len(part.id)
            step(done, spec.bets)
        for name, rows in tables(world):
            put(name, rows)
    value: dict[str, Any] = {
        "bets": done, "markets": spec.markets, "users": spec.users, "sales": sold, "seed": seed, "ruleset": eras.name,
        "mutant": mutant, "places": places, "check": MUTANTS[mutant].check if mutant else None,
    }  # fmt: skip
    wrong = f", wrong at {counted(places, 'place')} as {mutant}: {value['check']} must find it" if mutant else ", correct to the credit"
    edge.emit(value, as_json, lambda: f"{done:,} bets, {sold:,} of them sales, in {spec.markets:,} markets under {eras.name}{wrong}")


class _journal:
    """The journal of accepted sales as NDJSON, appearing whole at the end; without a file they are only counted."""

    def __init__(self, file: str | None) -> None:
        self.final = Path(file) if file else None
        self.part = self.final.with_name(f".{self.final.name}.part") if self.final else None

    def __enter__(self) -> _journal:
        if self.final and self.final.exists():
            raise Refused("ledger.destination", at=self.final.name, found="something is there already", expected="a new name")
        self.lines = self.part.open("w") if self.part else None
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.lines and self.part and self.final:
            self.lines.close()
            self.part.unlink() if kind else self.part.rename(self.final)

    def __call__(self, world: World, part: Bets) -> int:
        """Write the sales of a cohort; how many there are."""
        from release_dossier.ledger.rulesets import stamp

        sold = part.asked >= 0
        if self.lines:
            for i in sold.nonzero()[0].tolist():
                body = {"marketId": int(part.market[i]) + 1, "amount": int(part.asked[i]), "outcome": "YES" if part.yes[i] else "NO"}
                at = stamp(int(part.at[i])).replace(" ", "T")
                reply = {"ok": True, "result": {"sharesSold": -int(part.amount[i]), "transactionAt": at}}
                line = {
                    "started_at": at, "actor": world.names[part.user[i]], "method": "POST", "path": "/v0/sell", "body": body, "status": 201,
                    "reply": reply,
                }  # fmt: skip
                self.lines.write(json.dumps(line) + "\n")
        return int(sold.sum())
