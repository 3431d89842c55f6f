"""A ledger in a running PostgreSQL (14 to 18), read in one transaction that can only read.

* The transaction is READ ONLY and REPEATABLE READ: every table is seen as of one moment, named by its snapshot, whatever others write.
* It takes ACCESS SHARE locks on the tables it reads and locks no row: nothing a bet, a sale or a resolution needs waits for it. What
  would wait is a change of the schema, so every statement has a time limit, and waiting for such a change has a short one.
* Row-level security is switched off, which makes the server refuse rather than hide rows from a role it applies to.
* No message repeats the address as given: a password in it, or a piece of one that was not encoded, must not be shown.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from release_dossier.errors import DossierError, Refused, Unavailable
from release_dossier.ledger import columns as c
from release_dossier.ledger.account import Step
from release_dossier.limits import LEDGER_CONNECT_SECONDS_MAX, LEDGER_LOCK_SECONDS_MAX, LEDGER_STATEMENT_SECONDS_MAX
from release_dossier.sources.ledger_rows import NEEDED, TABLES, Micros, Reader, Table, assemble, wanted

if TYPE_CHECKING:
    import psycopg

# What may be meant for an address, and holds a password if it is: `x://…`, `postgresql:…`, `user:password@…`, `password=…`. No path that
# begins with / or . is one.
_MEANT = re.compile(r"(?![/.]).*(?:://|passw(?:or)?d['\"]?\s*=|:.*@)|['\"\s]*postgres(?:ql)?[\w+.-]*:", re.IGNORECASE | re.DOTALL)
_HOST = r"(?:[\w.%-]|\[[0-9a-fA-F:.]+(?:%25[\w.-]+)?\])*(?::\d+)?"
_ADDRESS = re.compile(rf"(?i:postgres(?:ql)?)://(?:[^@/?#\s]*@)?((?:{_HOST},)*{_HOST}(?:/[\w.%-]*)?)(?:\?[^@?\s]*)?")
_FETCHED_ROWS = 5_000  # rows a round of reading brings: about 1 MB
WHOLE, MOMENT, TRUTH, TEXT, OTHER = range(5)  # what a column holds
KINDS = {
    "smallint": WHOLE, "integer": WHOLE, "bigint": WHOLE, "timestamp with time zone": MOMENT, "timestamp without time zone": MOMENT,
    "boolean": TRUTH, "text": TEXT, "character varying": TEXT,
}  # fmt: skip
TRANSACTION_TIMEOUT_SINCE = 170_000  # as libpq numbers versions
_MOMENT = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
_EPOCH_2000 = 946_684_800_000_000  # PostgreSQL counts microseconds from the year 2000


def is_address(source: str) -> bool:
    """Whether a source is the address of a PostgreSQL database, or may be meant for one: `place` refuses what is none and shows nothing."""
    return _MEANT.match(source) is not None and not os.path.exists(source)


def _proper(address: str) -> str:
    """The address with its scheme in small letters, which libpq insists on."""
    scheme, rest = address.split(":", 1)
    return f"{scheme.lower()}:{rest}"


def connected(address: str, name: str, **more: Any) -> psycopg.Connection[Any]:
    """A connection under an application's name.

    Raises:
        Refused: `ledger.address`.
        Unavailable: `ledger.server`.
    """
    import psycopg

    at = place(address)
    try:
        return psycopg.connect(
            _proper(address), connect_timeout=LEDGER_CONNECT_SECONDS_MAX, application_name=name,
            prepare_threshold=None,  # behind a pool its name may be another's
            **more,
        )  # fmt: skip
    except psycopg.Error as e:
        raise _unreachable(e, at) from None  # libpq's own words may repeat a piece of the address


def place(address: str) -> str:
    """The address without user, password and parameters, fit to be shown.

    Raises:
        Refused: `ledger.address` where it cannot be taken apart with certainty; nothing of it is then shown.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise Refused(
            "ledger.address",
            at="SOURCE",
            found="an address that cannot be taken apart (it is not shown: it may hold a password)",
            expected="postgresql://USER@HOST:PORT/DATABASE with @ : / ? # % of a password as %40 %3A %2F %3F %23 %25",
            help="better: leave the password out and use PGPASSWORD, PGPASSFILE or ~/.pgpass",
        )
    return f"postgresql://{found[1]}"


def from_server(
    address: str, statement_seconds: int = LEDGER_STATEMENT_SECONDS_MAX, step: Step | None = None
) -> tuple[c.Ledger, dict[str, str]]:
    """The ledger as of one moment, and which moment of which server that was; `step` is told how many rows of about how many are read.

    Raises:
        Refused: `ledger.address`, `ledger.no-permission`, `ledger.half-restored`, and as `assemble`.
        Unavailable: `ledger.server`, `ledger.server-lost`, `ledger.statement-timeout`, `ledger.locked`.
    """
    with snapshot(address, statement_seconds) as (connection, facts):
        tables = tables_of(connection, place(address))
        return assemble(rows_of(connection, tables, place(address), step), place(address)), facts | apart(tables)


@contextmanager
def snapshot(address: str, statement_seconds: int) -> Iterator[tuple[psycopg.Connection[Any], dict[str, str]]]:
    """A connection inside a transaction that only reads, and what names it. Rolled back and closed at the end, whatever happens."""
    import psycopg

    at = place(address)
    connection = connected(address, "dossier ledger", client_encoding="utf8")
    try:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        _limit(connection, statement_seconds)
        yield connection, _facts(connection)
    except psycopg.Error as e:
        raise failed(e, at) from None
    except UnicodeDecodeError as e:
        raise Refused("ledger.column-type", at=at, found="text that is no UTF-8", expected="text") from e
    finally:
        connection.close()


def _limit(connection: psycopg.Connection[Any], statement_seconds: int) -> None:
    more = (("transaction_timeout", "0"),) if connection.info.server_version >= TRANSACTION_TIMEOUT_SINCE else ()
    for name, value in (
        *more,
        ("statement_timeout", f"{statement_seconds}s"),
        ("lock_timeout", f"{LEDGER_LOCK_SECONDS_MAX}s"),
        ("idle_in_transaction_session_timeout", f"{statement_seconds}s"),
        ("TimeZone", "UTC"),
        ("row_security", "off"),
        ("synchronize_seqscans", "off"),  # rows as they lie, which is nearly in order of ids, not from where the last reading of it ended
    ):
        connection.execute("SELECT set_config(%s, %s, true)", (name, value))


def _facts(connection: psycopg.Connection[Any]) -> dict[str, str]:
    row = connection.execute(
        f"SELECT pg_current_snapshot()::text, {_MOMENT.format('now()')}, current_setting('server_version'),"
        " current_setting('transaction_isolation'), current_setting('transaction_read_only'), current_user, pg_is_in_recovery(),"
        " (SELECT setting FROM pg_settings WHERE name = 'search_path' AND source = 'client')"
    ).fetchone()
    assert row is not None
    snapshot, at, server, isolation, read_only, role, is_replica, search_path = row
    replica, seen = _replayed(connection) if is_replica else ("", "")
    return {
        "from": _reached(connection, search_path or ""),
        "snapshot": snapshot,
        "at": seen or at,
        "server": server,
        "isolation": isolation,
        "read_only": read_only,
        "role": role,
    } | ({"replica": replica} if replica else {})


def _replayed(connection: psycopg.Connection[Any]) -> tuple[str, str]:
    """Whether a replica is `caught up` or `behind`, and to what moment it is behind; `unknown` where it does not say."""
    import psycopg

    try:
        with connection.transaction():
            row = connection.execute(
                "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver) AND pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn(),"
                f" {_MOMENT.format('pg_last_xact_replay_timestamp()')}"
            ).fetchone()
    except psycopg.Error:  # some makers' replicas know no such functions
        return "unknown", ""
    caught_up, seen = row or (False, None)
    return ("caught up", "") if caught_up else ("behind", seen) if seen else ("unknown", "")


def _reached(connection: psycopg.Connection[Any], search_path: str) -> str:
    """Where the connection went, also when a service, the environment or a list of hosts said so: host, port, database, and the schemas
    where the one who asked has named them."""
    host, port, database = connection.info.host, connection.info.port, quote(connection.info.dbname, safe="")
    local = not host or host.startswith(("/", "@"))
    more = [*([f"host={quote(host)}"] if host else []), f"port={port}"] if local else []
    more += [f"options={quote('-csearch_path=' + search_path.replace(' ', ''), safe='')}"] if search_path else []
    where = "/" if local else f"{f'[{host}]' if ':' in host else host}:{port}"
    return f"postgresql://{where.rstrip('/')}/{database}" + ("?" + "&".join(more) if more else "")


def tables_of(connection: psycopg.Connection[Any], at: str) -> dict[str, tuple[int, str]]:
    """Table → (its oid, its schema), as the search path finds it; of one that was dropped since the snapshot, what it was.

    Raises:
        Refused: `ledger.half-restored` where a table, or a partition of one, has no key, which all have in every release: a dump makes
            keys after all rows;
            `ledger.no-permission` where a table that is needed lies in a schema this role may not use.
    """
    found = connection.execute(
        "SELECT c.relname, c.oid, n.nspname, c.relkind IN ('r', 'p'),"
        " EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)"
        " OR c.relkind = 'p' AND NOT EXISTS (SELECT 1 FROM pg_partition_tree(c.oid) t WHERE t.isleaf"
        " AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = t.relid AND i.indisprimary))"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relname = ANY(%s) AND coalesce(pg_table_is_visible(c.oid), true) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
        (list(TABLES),),
    ).fetchall()
    if not {name for name, *_ in found}.issuperset(NEEDED):
        _elsewhere(connection, at)
    keyless = sorted(name for name, _, _, real, key in found if real and not key)
    if keyless:
        raise Refused(
            "ledger.half-restored", at=f"{at} {keyless[0]}", found="no primary key", expected="the keys a dump makes after its last row"
        )
    tables = {name: (oid, schema) for name, oid, schema, _, _ in found}
    _held(connection, tables, at)
    return tables


def apart(tables: dict[str, tuple[int, str]]) -> dict[str, str]:
    """Which tables lie in which schema, where not all lie in one."""
    schemas = sorted({schema for _, schema in tables.values()})
    each = [f"{', '.join(sorted(name for name, (_, its) in tables.items() if its == schema))} of {schema}" for schema in schemas]
    return {"schemas": "; ".join(each)} if len(schemas) > 1 else {}


def _elsewhere(connection: psycopg.Connection[Any], at: str) -> None:
    """Say of tables that are not found in which schemas they lie, where they do.

    Raises:
        Refused: `ledger.no-permission`, `ledger.missing-table`.
    """
    schemas = connection.execute(
        "SELECT n.nspname, has_schema_privilege(n.oid, 'USAGE') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') GROUP BY n.oid, n.nspname"
        " HAVING count(*) = cardinality(%s::text[]) OR NOT has_schema_privilege(n.oid, 'USAGE') ORDER BY 2, 1 LIMIT 5",
        (list(NEEDED), list(NEEDED)),
    ).fetchall()
    if not schemas:
        return
    name, usable = schemas[0]
    if not usable:
        raise Refused(
            "ledger.no-permission", at=f"{at} {name}", found="the role may not use this schema", expected="GRANT USAGE ON SCHEMA",
            help="docs/ledger-checks.md has the grants",
        )  # fmt: skip
    raise Refused(
        "ledger.missing-table", at=at, found=f"tables that the search path does not reach, in schema {', '.join(n for n, _ in schemas)}",
        expected=", ".join(NEEDED), help=f"end the address with ?options=-csearch_path%3D{quote(name)}",
    )  # fmt: skip


def _held(connection: psycopg.Connection[Any], tables: dict[str, tuple[int, str]], at: str) -> None:
    """Take every table as it is, so that from here on nobody rewrites it. One that was rewritten, emptied or put in the place of another
    after the snapshot would show no rows, or other ones.

    Raises:
        Unavailable: `ledger.locked`.
    """
    from psycopg import sql

    for name, (_, schema) in tables.items():
        with reading(f"{at} {name}"):
            connection.execute(sql.SQL("SELECT FROM {} LIMIT 0").format(sql.Identifier(schema, name)))
    changed = connection.execute(
        "WITH held AS (SELECT relation AS oid FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation')"
        " SELECT c.relname FROM pg_class c LEFT JOIN held ON held.oid = c.oid WHERE held.oid IS NULL AND c.oid = ANY(%s)"
        " OR held.oid IS NOT NULL AND c.relkind IN ('r', 'm') AND c.relfilenode NOT IN (0, coalesce(pg_relation_filenode(c.oid), 0))"
        " ORDER BY 1 LIMIT 1",
        ([oid for oid, _ in tables.values()],),
    ).fetchone()
    if changed is not None:
        raise Unavailable(
            "ledger.locked", at=f"{at} {changed[0]}", found="it was rewritten or replaced while the reading began",
            expected="a schema at rest", help="try again",
        )  # fmt: skip


def rows_about(connection: psycopg.Connection[Any], tables: dict[str, tuple[int, str]]) -> int:
    """About how many rows they have, as the server's own statistics say."""
    about = "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class WHERE oid = ANY(%s)"
    ((total,),) = connection.execute(about, ([oid for oid, _ in tables.values()],)).fetchall()
    return int(total)


def rows_of(connection: psycopg.Connection[Any], tables: dict[str, tuple[int, str]], at: str, step: Step | None = None) -> Reader:
    """A reader of their rows; `step` is told how many of about how many are read."""
    import psycopg
    from psycopg.adapt import Loader
    from psycopg.pq import Format

    class Moment(Loader):
        """Eight bytes as microseconds since 1970; what Python's datetime cannot hold is still a number here."""

        format = Format.BINARY

        def load(self, data: Any) -> Micros:
            (since_2000,) = struct.unpack("!q", bytes(data))
            return Micros(since_2000 + _EPOCH_2000)

    for kind in ("timestamptz", "timestamp"):
        connection.adapters.register_loader(kind, Moment)
    done, total = 0, rows_about(connection, tables) if step is not None else 0
    rows_a_round = _FETCHED_ROWS if psycopg.capabilities.has_stream_chunked() else 1

    def read(table: str, must: tuple[str, ...], may: tuple[str, ...]) -> Table:
        if table not in tables:
            return None
        nonlocal done
        oid, schema = tables[table]
        have = connection.execute(
            "SELECT a.attname, t.typcategory IN ('S', 'E') FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
            " WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped",
            (oid,),
        ).fetchall()
        columns = wanted(at, table, must, may, [name for name, _ in have])
        words = {name for name, is_word in have if is_word}  # of whatever type: an enum, char(n), citext
        names = psycopg.sql.SQL(", ").join(
            psycopg.sql.SQL("{}::text" if name in words else "{}").format(psycopg.sql.Identifier(name)) for name in columns
        )
        statement = psycopg.sql.SQL("SELECT {} FROM {}").format(names, psycopg.sql.Identifier(schema, table))
        out = []
        try:
            with connection.cursor() as cursor:
                for number, row in enumerate(cursor.stream(statement, binary=True, size=rows_a_round), 1):
                    record = dict(zip(columns, row, strict=True))
                    out.append({"rowid": record.get("id", number), **record})
                    if step is not None and number % _FETCHED_ROWS == 0:
                        step(done + number, max(total, done + number))
        except psycopg.Error as e:
            raise failed(e, f"{at} {table}") from None
        done += len(out)
        return out

    return read


NOT_LET_IN = (  # what libpq and the server say when they refuse a connection: words of theirs that no name in them can bring about
    (r"password authentication failed", "the password was not accepted"),
    (r"no password supplied", "a password is asked for, and none was given"),
    (r"requires a valid client certificate", "the server asks for a client certificate (sslcert and sslkey)"),
    (
        r"(?s)^(?!.*, ssl encryption).*no pg_hba.*, no encryption",
        "the server lets nobody in from here under this name without TLS",
    ),
    (r"no pg_hba\.conf entry|pg_hba\.conf rejects", "the server lets nobody in from here under this name"),
    (r"authentication failed", "the server takes this user for nobody of that name (peer, ident, LDAP)"),
    (r"too many connections for role", "the role may have no more connections"),
    (r"too many connections for database", "the database takes no more connections"),
    (r"role \".*\" is not permitted to log in", "the role may not log in"),
    (r"permission denied for database", "the role may not connect to this database"),
    (r"role \".*\" does not exist", "the server knows no such role"),
    (r"database \".*\" does not exist", "the server has no such database"),
    (r"could not translate host name|failed to resolve host", "there is no such host"),
    (r"connection refused", "nothing answers there"),
    (r"timeout expired|timed out", f"no answer within {LEDGER_CONNECT_SECONDS_MAX} s"),
    (r"starting up", "the server is starting"),
    (r"shutting down", "the server is stopping"),
    (r"pgbouncer cannot connect|server login has been failing", "the pool between does not reach its server"),
    (r"server closed the connection", "the connection was closed"),
    (r"too many clients|no more connections allowed|remaining connection slots", "the server takes no more connections"),
    (r"no such file or directory", "no server runs on this socket"),
    (r"socket path .* is too long", "a path to a socket longer than a socket's may be"),
    (r"invalid response to ssl negotiation", "what answers there is no PostgreSQL"),
    (r"root certificate file .* does not exist", "sslmode asks for a root certificate that is not there (sslrootcert)"),
    (r"\bssl\b|certificate", "the server and this machine do not agree about TLS"),
    (r"hot standby|session is (?:not )?read-only", "no server there is of the kind target_session_attrs asks for"),
    (r"configuration parameter|startup parameter|invalid command-line argument", "an option that the server does not take"),
)
NOT_WELL_FORMED = (  # what libpq says of an address itself
    (r"invalid uri query parameter", "a parameter that PostgreSQL does not know"),
    (r"invalid percent-encoded token", "a % that encodes nothing"),
    (r"invalid port number|invalid integer value .*\"port\"", "a port that is none"),
    (r"definition of service", "a service that no pg_service.conf defines"),
    (r"invalid (?:\w+ )?value", "a parameter with a value PostgreSQL does not know"),
)


def _unreachable(e: psycopg.Error, at: str) -> DossierError:
    """What libpq said, in our words: its own may repeat the address."""
    import psycopg

    said = str(e).lower()
    wrong = next((words for part, words in NOT_WELL_FORMED if re.search(part, said)), "")
    if wrong or isinstance(e, psycopg.ProgrammingError):
        return Refused(
            "ledger.address", at=at, found=wrong or "an address PostgreSQL cannot read", expected="postgresql://USER@HOST:PORT/DATABASE"
        )
    found = next((words for part, words in NOT_LET_IN if re.search(part, said)), "")
    return Unavailable(
        "ledger.server",
        at=at,
        found=found or f"no connection ({type(e).__name__})",
        expected="a PostgreSQL that can be read",
        help="psql reaches it?",
    )


def failed(e: psycopg.Error, at: str) -> DossierError:
    """A statement that did not work: what the server's code says, never the text of a value."""
    code = e.sqlstate or ""
    if code == "57014" and "user request" in str(e):
        return Unavailable("ledger.cancelled", at=at, found="somebody ended the statement", expected="all rows", help="try again")
    if code == "57014":
        return Unavailable(
            "ledger.statement-timeout",
            at=at,
            found="the time limit passed",
            expected="an answer in time",
            help="--statement-timeout SECONDS",
        )
    if code in ("55P03", "40P01"):
        return Unavailable("ledger.locked", at=at, found="somebody is changing the schema", expected="a schema at rest", help="try again")
    if code == "42501":
        return Refused(
            "ledger.no-permission", at=at, found="the role may not read it, or not all its rows",
            expected="GRANT SELECT, and BYPASSRLS where a policy hides rows",
            help="docs/ledger-checks.md has the grants",
        )  # fmt: skip
    if code == "40001":
        return Unavailable(
            "ledger.replica-conflict", at=at, found="the replica ended it to keep up with its primary", expected="all rows",
            help="on the replica, hot_standby_feedback = on or a longer max_standby_streaming_delay; or ask the primary",
        )  # fmt: skip
    if code in ("22021", "22P05"):
        return Refused("ledger.column-type", at=at, found="text that is no UTF-8", expected="text")
    if code in ("42P01", "42703"):
        return Refused("ledger.missing-table", at=at, found="it went away", expected="a schema at rest")
    if not code or code.startswith(("57P", "08", "25P0", "53")):
        return Unavailable(
            "ledger.server-lost", at=at, found=f"the server went away ({code or 'no answer'})", expected="all rows", help="try again"
        )
    return Refused("ledger.unreadable", at=at, found=f"SQLSTATE {code}", expected="rows that can be read")


@contextmanager
def reading(at: str) -> Iterator[None]:
    """What fails inside is said to have failed at this place."""
    import psycopg

    try:
        yield
    except psycopg.Error as e:
        raise failed(e, at) from None


def kinds(connection: psycopg.Connection[Any], oid: int) -> dict[str, int]:
    """The columns of a table; those of OTHER kinds only rows have."""
    found = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped", (oid,)
    ).fetchall()
    return {name: KINDS.get(kind, OTHER) for name, kind in found}


def at_least(connection: psycopg.Connection[Any], schema: str, table: str, least: int) -> bool:
    """Whether a table has so many rows."""
    import psycopg

    sql = psycopg.sql
    statement = sql.SQL("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT %s) AS first").format(sql.Identifier(schema, table))
    row = connection.execute(statement, (least,)).fetchone()
    return row is not None and row[0] >= least
