"""Judging a ledger as it lies: in a running PostgreSQL, a SQLite file or a folder of Parquet; with the files beside it. Reads only."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from release_dossier.digest import parse_json
from release_dossier.errors import Refused
from release_dossier.ledger import columns as c
from release_dossier.ledger.receipts import Journal, read_journal
from release_dossier.ledger.rulesets import DEFAULT, NAMED, Eras, always, named, parse_ruleset, parse_timeline
from release_dossier.ledger.verify import Verified, verify
from release_dossier.limits import EVIDENCE_LINE_BYTES_MAX, LEDGER_STATEMENT_SECONDS_MAX
from release_dossier.sources import ledger_postgres
from release_dossier.sources.ledger_files import from_folder, from_sqlite


def verify_ledger(
    source: Path | str,
    *,
    ruleset: str | None = None,
    timeline: str | None = None,
    receipts: str | None = None,
    answers: str | None = None,
    economics: str | None = None,
    written_by: str = "",
    require: Sequence[str] = (),
    only: Sequence[str] = (),
    assume_schema: bool = False,
    statement_seconds: int = LEDGER_STATEMENT_SECONDS_MAX,
) -> Verified:
    """Read a ledger and judge it. The rules: a timeline, else a named or given ruleset, else those of v3.8, which is then said.

    Raises:
        Refused: `ledger.*`, `json.*`: naming table, row and column, or file and line.
    """
    eras, notes = rules_for(ruleset, timeline, written_by, economics)
    ledger, read = opened(source, statement_seconds)
    if assume_schema and not ledger.known:
        notes = [*notes, f"{ledger.doubt}: taken for {ledger.schema} all the same"]
        ledger = msgspec.structs.replace(ledger, known=True)
    elif not ledger.known:
        notes = [*notes, f"{ledger.doubt}: nothing is certain under it (--assume-schema judges it all the same)"]
    if receipts and not Path(receipts).exists():
        notes = [*notes, f"no receipts at {Path(receipts).name}: judged without"]
        receipts = None
    return verify(
        ledger,
        eras,
        journal=read_receipts(Path(receipts)) if receipts else None,
        answers=records(Path(answers)) if answers else None,
        written_by=written_by,
        require=require,
        only=only,
        notes=notes,
        read=read,
    )


def rules_for(ruleset: str | None, timeline: str | None, written_by: str, economics: str | None) -> tuple[Eras, list[str]]:
    """The rules a call names, and a note where it names none."""
    if timeline and ruleset:
        raise Refused("ledger.two-rules", at="--timeline", found="both --timeline and --ruleset", expected="one of them")
    notes: list[str] = []
    if timeline:
        eras = parse_timeline(_json(Path(timeline)), Path(timeline).name)
    elif ruleset and (ruleset in NAMED or not Path(ruleset).exists()):
        eras = named(ruleset)
    elif ruleset:
        eras = always(Path(ruleset).name, parse_ruleset(_json(Path(ruleset)), Path(ruleset).name))
    elif written_by in NAMED or f"v{written_by}" in NAMED:
        eras = named(written_by if written_by in NAMED else f"v{written_by}")
    else:
        eras = named(DEFAULT)
        notes.append(f"no rules were named: judged under {DEFAULT}; --ruleset or --timeline says others")
    if economics:
        over = _json(Path(economics))
        if not isinstance(over, Mapping):
            raise Refused("ledger.ruleset", at=economics, found=type(over).__name__, expected="an object of ruleset keys")
        eras = Eras(
            f"{eras.name} with {Path(economics).name}",
            tuple(msgspec.structs.replace(e, rules=parse_ruleset({**msgspec.to_builtins(e.rules), **over}, economics)) for e in eras.eras),
        )
    return eras, notes


def read_ledger(source: Path | str) -> c.Ledger:
    """A ledger, wherever it lies. See `opened`."""
    return opened(source)[0]


def opened(source: Path | str, statement_seconds: int = LEDGER_STATEMENT_SECONDS_MAX) -> tuple[c.Ledger, dict[str, str] | None]:
    """A ledger, and of a running server which moment of it was read.

    Raises:
        Refused: `ledger.no-source`, `ledger.not-a-ledger`, `ledger.unreadable`, `ledger.missing-table`, `ledger.column-type` and the like.
        Unavailable: `ledger.server` and its like.
    """
    if isinstance(source, str) and ledger_postgres.is_address(source):
        return ledger_postgres.from_server(source, statement_seconds)
    file = Path(source)
    return (from_folder(file) if file.is_dir() else from_sqlite(file)), None


def _json(file: Path) -> Any:
    try:
        return parse_json(file.read_bytes(), file.name)
    except OSError as e:
        raise Refused("ledger.unreadable", at=str(file), found=e.strerror or "an error", expected="a JSON file") from e


def read_receipts(file: Path) -> Journal:
    """The journal in `file`."""
    return read_journal(records(file))


def records(file: Path) -> Iterator[Any]:
    """The records of an NDJSON file, plain or xz; a line that is no JSON is None, so that it is counted and hides no other.

    Raises:
        Refused: `ledger.unreadable`.
    """
    try:
        with file.open("rb") as raw:
            packed = raw.read(6) == b"\xfd7zXZ\0"
        with lzma.open(file) if packed else file.open("rb") as lines:
            while line := lines.readline(EVIDENCE_LINE_BYTES_MAX):
                if line.strip():
                    yield _record(line)
    except (OSError, EOFError, lzma.LZMAError) as e:
        found = (e.strerror if isinstance(e, OSError) else None) or str(e) or "the end of the file"
        raise Refused("ledger.unreadable", at=file.name, found=found, expected="NDJSON, plain or xz") from e


def _record(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
