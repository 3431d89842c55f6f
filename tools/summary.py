"""What a pipeline shows of `dossier run --json`: a job summary in Markdown, or step outputs. Standard library only; says when it cut.

Usage: summary.py ANSWER.json REWORK.md · summary.py --outputs ANSWER.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

SUMMARY_BYTES_MAX = 900_000  # a job summary may hold 1 MiB; what is beyond is dropped as a whole
SIGNS = {"pass": "✓", "waived": "~", "fail": "✗", "error": "‼", "missing": "○", "stale": "◔", "inconclusive": "?"}


def summary(answer: dict[str, object], rework: str) -> str:
    """Verdict first, then every requirement, then what to do."""
    error = answer.get("error")
    if isinstance(error, dict):
        return "## Refused\n\n" + "\n".join(f"- {k}: {plain(error.get(k, ''))}" for k in ("code", "at", "found", "expected", "help")) + "\n"
    decision = answer["decision"]
    assert isinstance(decision, dict)
    rows = [
        f"| {SIGNS.get(r['state'], '')} {r['state']} | {plain(r['id'])} | {plain(r['service'])} "
        f"| {r['looked_at']} of {r['of']} | {plain(r['reason'])} |"
        for r in decision["requirements"]
    ]
    head = f"## {decision['outcome']}\n\nDossier `{decision['dossier']}`\n\n"
    text = head + "| state | requirement | service | looked at | why |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n\n"
    text += "" if decision["outcome"] == "ALLOW" else rework
    raw = text.encode()
    if len(raw) <= SUMMARY_BYTES_MAX:
        return text
    return (
        raw[:SUMMARY_BYTES_MAX].decode("utf-8", "ignore") + f"\n\n**{len(raw) - SUMMARY_BYTES_MAX} of {len(raw)} bytes were cut here.**\n"
    )


def plain(text: object) -> str:
    """Text from evidence as text: no Markdown or HTML of its own."""
    out = str(text).replace("\n", " ")
    for mark in "\\`*_[]<>|#!":
        out = out.replace(mark, {"<": "&lt;", ">": "&gt;"}.get(mark, "\\" + mark))
    return out


def main() -> int:
    outputs = sys.argv[1] == "--outputs"
    raw = Path(sys.argv[2 if outputs else 1]).read_text("utf-8")
    answer = json.loads(raw) if raw.strip() else {"error": {"code": "no answer", "found": "nothing was printed"}}
    if outputs:
        decision = answer.get("decision", {})
        print(f"outcome={decision.get('outcome', 'REFUSED')}\ndossier={decision.get('dossier', '')}")
        return 0
    rework = Path(sys.argv[2])
    print(summary(answer, rework.read_text("utf-8") if rework.is_file() else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
