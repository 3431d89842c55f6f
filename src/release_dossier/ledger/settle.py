"""Positions and payouts of markets as plain data: what the server should show and pay, computed from the rows alone."""

from __future__ import annotations

from typing import Any

from release_dossier.errors import Refused
from release_dossier.ledger.account import market_rows
from release_dossier.ledger.columns import Ledger
from release_dossier.ledger.rulesets import Eras
from release_dossier.ledger.settlement import Degenerate, positions, probabilities, volume


def settle(ledger: Ledger, eras: Eras, only: int | None) -> list[dict[str, Any]]:
    """Every market with orders (or the one asked for): volume, probability, positions, and payouts where it is resolved.

    Raises:
        Refused: `ledger.unknown-market`.
    """
    rows = market_rows(ledger)
    known = {m.id: m for m in ledger.markets}
    if only is not None and only not in known:
        raise Refused("ledger.unknown-market", at="--market", found=str(only), expected=f"one of {len(known)} markets")
    out = []
    for market_id in [only] if only is not None else sorted(set(known) | set(rows)):
        market, history = known.get(market_id), rows.get(market_id, ())
        rules = eras.one(market.resolved_at if market and market.resolved else None)
        result = market.result if market and market.resolved else ""
        item: dict[str, Any] = {"id": market_id, "volume": str(volume(history)), "result": result, "why": ""}
        try:
            item["probability"] = probabilities(history, rules.settlement_weight)[-1]
            held = positions(history, rules, result)
        except Degenerate as e:
            out.append({**item, "probability": None, "positions": [], "payouts": [], "why": f"no answer: {e.why}"})
            continue
        item["positions"] = [{"user": u, "yes": str(p.yes), "no": str(p.no), "value": str(p.value)} for u, p in sorted(held.items())]
        paid = [{"user": u, "credits": str(p.value)} for u, p in sorted(held.items()) if p.value > 0 and result in ("YES", "NO")]
        if result and result not in ("YES", "NO"):
            back: dict[str, int] = {}
            for r in history:
                back[r.user] = back.get(r.user, 0) + r.amount
            paid = [{"user": u, "credits": str(x)} for u, x in sorted(back.items()) if x]
        out.append({**item, "payouts": paid})
    return out
