"""Personal values: what a kind's schema marks stands in a statement as a salted commitment, and its opening lies beside as an artifact.

1. An opening is canonical JSON, `{"salt": …, "value": …}` with a salt of 256 random bits; the commitment is its SHA-256. So the opening is
   an artifact whose digest is the commitment: a bundle carries it, and `dossier erase` removes it and leaves the statement as it was.
2. The salt lies in the opening alone. Once that is erased, nobody can try names against the commitment, whatever else he holds.
3. A value is replaced wherever it stands as a whole word in what the evidence says: cause, counterexamples, limits, facts.
4. What a tool's own file holds stays in that file, an artifact of its own: whoever erases a value is told which files still hold it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from release_dossier.digest import canonical, sha256
from release_dossier.evidence.reading import Fact, Reading, retold, texts

MEDIA_TYPE = "application/vnd.release-dossier.opening+json"
UNIT = "commitment"  # of a fact whose value is personal: a rule that asks for its unit gets an error, not another value


def commit(reading: Reading, details: tuple[str, ...], salt: Callable[[], str]) -> tuple[Reading, tuple[bytes, ...]]:
    """`reading` with commitments in place of its personal values, and the openings of those it shows.

    Args:
        details: names of counterexample details whose values are personal; `reading.personal` are values beside them.
        salt: gives 64 hexadecimal digits nobody knows, others at each call.
    """
    marked = {*reading.personal, *(v for c in reading.counterexamples for k, v in c.detail.items() if k in details)}
    said = "\n".join(texts(reading))
    shown = sorted((v for v in marked if v and v in said), key=lambda v: (-len(v), v))
    if not shown:
        return msgspec.structs.replace(reading, personal=()), ()
    openings = {v: canonical({"salt": salt(), "value": v}) for v in shown}
    found = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, shown))})(?!\w)")
    used: dict[str, None] = {}

    def close(text: str) -> str:
        def closed(m: re.Match[str]) -> str:
            used[m[0]] = None
            return mark(sha256(openings[m[0]]))

        return found.sub(closed, text)

    def close_fact(fact: Fact, value: str) -> Fact:  # a number is a figure here: one that is somebody's own comes as a text (see `own`)
        if value in openings:
            used[value] = None
            return Fact(sha256(openings[value]), UNIT)
        return msgspec.structs.replace(fact, value=close(value))

    whole = msgspec.structs.replace(retold(reading, close, close_fact), personal=())
    return whole, tuple(openings[v] for v in used)


def mark(commitment: str) -> str:
    """What stands in words for a value."""
    return f"[personal {commitment[:23]}]"


def opened(said: Any, values: Mapping[str, str]) -> Any:
    """Plain data as a page shows it: marks and commitments replaced by the value, where `values` (commitment → value) has it."""
    if isinstance(said, str):
        for commitment, value in values.items():
            said = said.replace(mark(commitment), value)
        return values.get(said, said)
    if isinstance(said, dict):
        return {k: opened(v, values) for k, v in said.items()}
    return [opened(v, values) for v in said] if isinstance(said, (list, tuple)) else said
