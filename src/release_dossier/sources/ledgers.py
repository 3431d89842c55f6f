"""Judging a ledger as it lies: in a running PostgreSQL, a SQLite file or a folder of Parquet; with the files beside it. Reads only."""

from __future__ import annotations

import io
import json
import lzma
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from release_dossier.aside import uncollected
from release_dossier.digest import parse_json
from release_dossier.errors import Refused
from release_dossier.ledger import columns as c
from release_dossier.ledger.account import Step
from release_dossier.ledger.fast.compiled import AVAILABLE
from release_dossier.ledger.judged import Engine, by_rows
from release_dossier.ledger.receipts import Journal, read_journal
from release_dossier.ledger.rulesets import Eras, always, economics, named, parse_ruleset, parse_timeline, release
from release_dossier.ledger.verify import Verified, verify
from release_dossier.ledger.whose import Deployed
from release_dossier.limits import (
    CONFIG_BYTES_MAX,
    EVIDENCE_LINE_BYTES_MAX,
    LEDGER_COLUMNS_ORDERS_MIN,
    LEDGER_MEMORY_BYTES,
    LEDGER_STATEMENT_SECONDS_MAX,
)
from release_dossier.sources import ledger_postgres
from release_dossier.sources.ledger_files import from_folder, from_sqlite, orders_at_least, readable


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
    most: Mapping[str, int] | None = None,
    deployed: Deployed = (),
    engine: str = "auto",
    threads: int = 1,
    memory_bytes: int = LEDGER_MEMORY_BYTES,
    step: Step | None = None,
    reading: Step | None = None,
) -> Verified:
    """Read a ledger and judge it under the rules the call names, else those of the build that wrote it, else every one that may have held.

    Raises:
        Refused: `ledger.*`, `json.*`: naming table, row and column, or file and line.
    """
    named_rules = rules_for(ruleset, timeline)
    _may_read(source)
    with uncollected():
        over = None if answers else in_columns(source, engine, statement_seconds, threads, memory_bytes, step, reading)
        ledger, read, judge = over or (*opened(source, statement_seconds, reading), None)
    notes: list[str] = []
    if not ledger.known:
        rest = f"taken for {ledger.schema} all the same" if assume_schema else "nothing is certain (--assume-schema judges it all the same)"
        notes.append(f"{ledger.doubt}: {rest}")
        ledger = msgspec.structs.replace(ledger, known=assume_schema)
    replica = (read or {}).get("replica")
    if read and "schemas" in read:
        notes.append(f"tables of several schemas are read as one ledger: {read['schemas']}")
    if read and replica == "behind":
        notes.append(f"this replica is behind its primary: the ledger as it stood at {read['at']}")
    if replica == "unknown":
        notes.append("this replica does not say how far it is behind its primary: the ledger may be older than it seems")
    if receipts and not Path(receipts).exists():  # whoever audits many ledgers names a journal that not every one has
        notes.append(f"no receipts at {receipts}: judged without them; --require J1 makes that no pass")
        receipts = None
    with uncollected():
        return verify(
            ledger,
            with_economics(named_rules, economics) if named_rules else None,
            economics=economics_of(Path(economics)) if economics and not named_rules else {},
            journal=read_receipts(Path(receipts)) if receipts else None,
            answers=list(records(Path(answers))) if answers else None,
            written_by=written_by,
            require=require,
            only=only,
            notes=notes,
            most=most,
            deployed=deployed,
            read=read,
            engine=judge or by_rows(ledger, step),
        )


def in_columns(
    source: Path | str,
    engine: str,
    statement_seconds: int,
    threads: int,
    memory_bytes: int,
    step: Step | None,
    reading: Step | None = None,
) -> tuple[c.Ledger, dict[str, str] | None, Engine | None] | None:
    """A ledger read as columns and who judges it; None where rows are the better way, or the only one."""
    server = isinstance(source, str) and ledger_postgres.is_address(source)
    if engine == "python" or (engine == "auto" and not AVAILABLE):
        return None
    if engine == "spark":
        return on_spark(source, threads, memory_bytes, step)
    name, least = ("numba", LEDGER_COLUMNS_ORDERS_MIN) if engine == "auto" else (engine, 0)
    if not server and (not Path(source).exists() or (least and not orders_at_least(Path(source), least))):
        return None
    from release_dossier.sources import ledger_columns as columns

    facts = None
    if server:
        big, facts = columns.from_server(str(source), statement_seconds, least, reading)
        if isinstance(big, c.Ledger):
            return big, facts, None
    else:
        file, most = Path(source), columns.rows_within(memory_bytes)
        by_duckdb = memory_bytes if engine == "duckdb" else 0
        if file.is_dir():
            found = columns.from_folder(file, most, by_duckdb, reading, columns.kept_within(memory_bytes))
        else:
            found = columns.from_sqlite(file, reading)
        if found is None:
            return None
        big = found
    from release_dossier.ledger.fast.judge import by_columns

    return big.small, facts, by_columns(big, name, threads, step)


def on_spark(source: Path | str, threads: int, memory_bytes: int, step: Step | None) -> tuple[c.Ledger, None, Engine]:
    """A folder of Parquet, its orders in as many lots as Spark's tasks need.

    Raises:
        Refused: `ledger.no-spark`: the ledger is none that tasks can read apart.
    """
    import pyarrow.parquet as pq

    from release_dossier.sources import ledger_columns as columns
    from release_dossier.sources.ledger_spark import by_spark, rows_a_lot

    expected = "a folder of Parquet with plain columns, its bets in order of ids"
    if isinstance(source, str) and ledger_postgres.is_address(source):
        raise Refused("ledger.no-spark", at=ledger_postgres.place(source), found="a server", expected=expected)
    bets = Path(source) / "bets.parquet"
    if not bets.is_file():
        raise Refused("ledger.no-spark", at=Path(source).name, found="no folder with bets.parquet", expected=expected)
    big = columns.from_folder(bets.parent, rows_a_lot(pq.read_metadata(bets).num_rows, threads, memory_bytes))
    if big is None or big.lot is None:
        raise Refused("ledger.no-spark", at=bets.parent.name, found="rows that only --engine python reads", expected=expected)
    return big.small, None, by_spark(big, threads, step)


def rules_for(ruleset: str | None, timeline: str | None) -> Eras | None:
    """The rules a call names, None where it names none.

    Raises:
        Refused: `ledger.two-rules`, `ledger.unknown-ruleset`, `ledger.ruleset`, `ledger.timeline`.
    """
    if timeline and ruleset:
        raise Refused("ledger.two-rules", at="--timeline", found="both --timeline and --ruleset", expected="one of them")
    if timeline:
        return parse_timeline(_json(Path(timeline)), Path(timeline).name)
    if ruleset and (release(ruleset) or not (Path(ruleset).exists() or "/" in ruleset or ruleset.endswith(".json"))):
        return named(ruleset)
    return always(Path(ruleset).name, parse_ruleset(_json(Path(ruleset)), Path(ruleset).name)) if ruleset else None


def with_economics(eras: Eras, file: str | None) -> Eras:
    """The same rules with the fees, costs and limits of a setup file."""
    return eras.under(economics_of(Path(file)), Path(file).name) if file else eras


def economics_of(file: Path) -> dict[str, int]:
    """Ruleset keys of SocialPredict's own setup file (YAML or JSON), or of a JSON file of such keys.

    Raises:
        Refused: `ledger.ruleset`, `ledger.unreadable`.
    """
    import yaml

    try:
        raw = file.read_bytes()[:CONFIG_BYTES_MAX]
        value = yaml.safe_load(raw)
    except OSError as e:
        raise Refused("ledger.unreadable", at=str(file), found=e.strerror or "an error", expected="SocialPredict's setup file") from e
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        raise Refused("ledger.ruleset", at=file.name, found=str(e).splitlines()[0], expected="SocialPredict's setup file") from e
    return economics(value, file.name)


def read_ledger(source: Path | str) -> c.Ledger:
    """A ledger, wherever it lies. See `opened`."""
    _may_read(source)
    return opened(source)[0]


def _may_read(source: Path | str) -> None:
    """Asked once, before anything is read of a file or a folder; what a server lets one read, it says itself."""
    if not (isinstance(source, str) and ledger_postgres.is_address(source)):
        readable(Path(source))


def opened(
    source: Path | str, statement_seconds: int = LEDGER_STATEMENT_SECONDS_MAX, step: Step | None = None
) -> tuple[c.Ledger, dict[str, str] | None]:
    """A ledger, and of a running server which moment of it was read.

    Raises:
        Refused: `ledger.no-source`, `ledger.not-a-ledger`, `ledger.unreadable`, `ledger.missing-table`, `ledger.column-type` and the like.
        Unavailable: `ledger.server` and its like.
    """
    if isinstance(source, str) and ledger_postgres.is_address(source):
        return ledger_postgres.from_server(source, statement_seconds, step)
    file = Path(source)
    return (from_folder(file) if file.is_dir() else from_sqlite(file, step)), None


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
            head = raw.read(6)
            whole = io.BufferedReader(_Begun(head, raw))  # a pipe gives its beginning once
            with lzma.open(whole) if head == b"\xfd7zXZ\0" else whole as lines:
                while line := lines.readline(EVIDENCE_LINE_BYTES_MAX):
                    if line.strip():
                        yield _record(line)
    except (OSError, EOFError, lzma.LZMAError) as e:
        found = (e.strerror if isinstance(e, OSError) else None) or str(e) or "the end of the file"
        at = str(file) if isinstance(e, OSError) else file.name
        raise Refused("ledger.unreadable", at=at, found=found, expected="NDJSON, plain or xz") from e


class _Begun(io.RawIOBase):
    """A stream of which some bytes were read already: these first."""

    def __init__(self, head: bytes, rest: io.BufferedReader) -> None:
        self.head, self.rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        some, self.head = self.head[: len(room)] or self.rest.read1(len(room)), self.head[len(room) :]
        room[: len(some)] = some
        return len(some)


def _record(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
