"""Ledgers behind evidence, opened again from their artifacts: one user's account, and who would be paid differently by another release."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from release_dossier.digest import sha256
from release_dossier.errors import Corrupt, DossierError, Refused
from release_dossier.ledger.rulesets import Eras, release
from release_dossier.limits import LEDGER_MARKETS_MAX, PAGE_LEDGER_BYTES_MAX
from release_dossier.web.place import Place

_LEDGERS = (".sqlite", ".db")


class Paying(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger of `of` replayed under the rules of two releases. `why` says what kept it from being done; then nothing else is said."""

    of: str
    rules: tuple[str, str] = ("", "")
    same_rules: bool = False
    users: tuple[dict[str, Any], ...] = ()
    users_differ: int = 0
    of_users: int = 0
    markets_differ: int = 0
    command: str = ""
    why: str = ""


def content(place: Place, digest: str) -> bytes:
    """The bytes of an artifact, held against its digest.

    Raises:
        Corrupt: `store.missing-artifact`, `store.altered-artifact`.
    """
    try:
        data = place.tail.artifact_file(digest).read_bytes()
    except OSError as e:
        raise Corrupt("store.missing-artifact", at=digest, found=e.strerror or "an error", expected="the artifact evidence names") from e
    if sha256(data) != digest:
        raise Corrupt("store.altered-artifact", at=digest, found=sha256(data), expected=digest)
    return data


def account(place: Place, e: Mapping[str, Any], user: str) -> tuple[list[dict[str, str]], str]:
    """A user's statement of account from the stored ledger, under the rules the evidence names, and their name.

    Raises:
        Refused: `page.unknown` where no ledger was stored, and what a ledger or a user is refused for.
    """
    from release_dossier.ledger.verify import statement_of_account
    from release_dossier.sources.ledgers import verify_ledger

    with _unpacked(place, e) as files:
        ledger = _ledger_among(files, e)
        receipts = next((str(f) for n, f in files.items() if "journal" in n or "receipts" in n), None)
        named = _ruleset_named(e)
        kept = files.get(named)
        rules = str(kept) if kept else named if release(named) else None
        found = verify_ledger(ledger, ruleset=rules, receipts=receipts, written_by=e["written_by"])
        return statement_of_account(found, user), found.ruleset


def paid_differently(place: Place, a: Mapping[str, Any] | None, b: Mapping[str, Any], versions: tuple[str, str], of: str) -> Paying:
    """b's ledger, replayed under the rules a's evidence was judged by and under those of b's: user by user, who would have other credits.

    Args:
        a: payouts evidence of the release before, None where it has none: then its version alone names the rules.
        b: payouts evidence of the release whose ledger is replayed.
        versions: of the two releases.
        of: what the ledger is called in words.
    """
    ledger = next((x for x in b["artifacts"] if x["name"].endswith(_LEDGERS)), None)
    command = "dossier ledger compare LEDGER --ruleset {} --other-ruleset {}".format(
        *(_named(e, v) for e, v in zip((a, b), versions, strict=True))
    )
    if ledger is None:
        return Paying(of=of, why="no ledger is stored with its evidence", command=command)
    if ledger["bytes"] > PAGE_LEDGER_BYTES_MAX:
        return Paying(of=of, why=f"its ledger of {ledger['bytes']} bytes is too large to replay for a page", command=command)
    try:
        rules = tuple(_rules(place, e, v) for e, v in zip((a, b), versions, strict=True))
        names = tuple(r.name if release(r.name) else f"{r.name} of {v}" for r, v in zip(rules, versions, strict=True))
        if tuple(e.rules for e in rules[0].eras) == tuple(e.rules for e in rules[1].eras):
            return Paying(of=of, rules=(names[0], names[1]), same_rules=True)
        found = _replayed(_Bytes(content(place, ledger["digest"]), ledger["digest"]), *rules)
    except DossierError as e:
        return Paying(of=of, why=f"{e.found}: {e.expected} expected", command=command)
    return Paying(
        of=of,
        rules=(names[0], names[1]),
        users=tuple(found["users"]),
        users_differ=found["users_differ"],
        of_users=found["of_users"],
        markets_differ=found["markets_differ"],
        command=command,
    )


class _Bytes:
    """A ledger's bytes, equal where their digest is: so a result is kept without keeping every ledger."""

    def __init__(self, data: bytes, digest: str) -> None:
        self.data, self.digest = data, digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bytes) and other.digest == self.digest


@lru_cache(maxsize=32)
def _replayed(ledger: _Bytes, one: Eras, two: Eras) -> dict[str, Any]:
    from release_dossier.ledger.settle import compare
    from release_dossier.sources.ledgers import read_ledger

    with tempfile.TemporaryDirectory(prefix="dossier-") as folder:
        file = Path(folder) / "ledger.sqlite"
        file.write_bytes(ledger.data)
        read = read_ledger(str(file))
    return compare((read, one), (read, two), LEDGER_MARKETS_MAX)


def _rules(place: Place, e: Mapping[str, Any] | None, version: str) -> Eras:
    """The rules file stored with the evidence, else the release its result names, else that of the version."""
    from release_dossier.sources.ledgers import rules_for

    named = _named(e, version)
    kept = [x for x in e["artifacts"] if x["name"] == named] if e else []
    with _unpacked(place, {"artifacts": kept}) as files:
        found = rules_for(str(files.get(named, named)), None)
    assert found is not None
    return found


def _named(e: Mapping[str, Any] | None, version: str) -> str:
    """How a command line names the rules: the file stored with the evidence, the release its result names, or that of the version."""
    named = _ruleset_named(e) if e else ""
    stored = e is not None and any(x["name"] == named for x in e["artifacts"])
    return named if stored or release(named) else version


def _ruleset_named(e: Mapping[str, Any]) -> str:
    return str(e["facts"].get("ruleset", {}).get("value", ""))


@contextmanager
def _unpacked(place: Place, e: Mapping[str, Any]) -> Iterator[dict[str, Path]]:
    """Each artifact of the evidence in a file of its own name, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="dossier-") as folder:
        files = {a["name"]: Path(folder) / Path(a["name"]).name for a in e["artifacts"]}
        for a in e["artifacts"]:
            files[a["name"]].write_bytes(content(place, a["digest"]))
        yield files


def _ledger_among(files: Mapping[str, Path], e: Mapping[str, Any]) -> Path:
    found = next((f for n, f in files.items() if n.endswith(_LEDGERS)), None)
    if found is None:
        raise Refused("page.unknown", at=e["name"], found="no ledger among its artifacts", expected="a stored ledger")
    return found
