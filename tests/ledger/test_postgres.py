"""Ledgers in a running PostgreSQL: the same verdict as from files, one moment, nothing locked, no password shown, no half answer."""

from __future__ import annotations

import json
import lzma
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from release_dossier.digest import canonical
from release_dossier.errors import DossierError, Refused, Unavailable
from release_dossier.ledger.verify import Verified
from release_dossier.sources import ledger_postgres, ledger_postgres_copy
from release_dossier.sources.ledger_postgres import place, snapshot
from release_dossier.sources.ledgers import read_ledger, verify_ledger
from tests.ledger.servers import Server, load, replica, rows, until
from tests.town import START, TESTS, Town

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared/socialpredict/ledgers"
DATA = ROOT / "src/release_dossier/demo/data"
BOOLEANS = ("is_resolved", "is_stale")


def copied(file: Path, address: str, *, keys: bool = True) -> None:
    """A SQLite ledger as the tables SocialPredict makes in PostgreSQL."""
    import psycopg

    with closing(sqlite3.connect(file)) as lite, psycopg.connect(address) as db:
        for (table,) in lite.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'").fetchall():
            info = lite.execute(f'PRAGMA table_info("{table}")').fetchall()
            names = [x[1] for x in info]
            kinds = [
                "timestamptz" if n.endswith(("_at", "_time")) else "boolean" if n in BOOLEANS else "bigint" if "INT" in t else "text"
                for _, n, t, *_ in info
            ]
            columns = ", ".join(f'"{n}" {k}' for n, k in zip(names, kinds, strict=True))
            key = ", PRIMARY KEY (id)" if keys and "id" in names else ""
            db.execute(f'CREATE TABLE "{table}" ({columns}{key})')
            with db.cursor().copy(f'COPY "{table}" FROM STDIN') as copy:
                for row in lite.execute(f'SELECT * FROM "{table}"'):
                    copy.write_row([bool(v) if k == "boolean" and v is not None else v for v, k in zip(row, kinds, strict=True)])


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("pg") / "ledger.sqlite"
    to.write_bytes(lzma.decompress((DATA / "v3.8.1" / "ledger.sqlite.xz").read_bytes()))
    return to


@pytest.fixture(scope="module")
def template(postgres: Server, clean: Path) -> str:
    """The name of a database to copy."""
    address = postgres.new()
    copied(clean, address)
    return address.split("?")[0].rsplit("/", 1)[1]


@pytest.fixture
def address(postgres: Server, template: str) -> str:
    return postgres.new(template)


def result(v: Verified) -> bytes:
    """Everything a result says but which moment of which server was read."""
    return canonical({k: x for k, x in v.as_json().items() if k != "read"})


def test_the_same_ledger_gives_the_same_bytes(clean: Path, address: str) -> None:
    """Also the digest; and the moment that was read is named."""
    here, there = verify_ledger(clean, ruleset="v3.8.1"), verify_ledger(address, ruleset="v3.8.1")
    assert result(here) == result(there)
    assert there.read is not None
    assert (there.read["isolation"], there.read["read_only"]) == ("repeatable read", "on")
    assert there.read["snapshot"].count(":") == 2
    assert there.read["from"].split("?")[0] == "postgresql:///" + address.split("?")[0].rsplit("/", 1)[1]


def test_debian_reads_the_same(clean: Path, debian: Server) -> None:
    """Another major version, the same bytes."""
    address = debian.new()
    copied(clean, address)
    assert result(verify_ledger(clean, ruleset="v3.8.1")) == result(verify_ledger(address, ruleset="v3.8.1"))


def test_the_snapshot_holds_while_others_write(address: str) -> None:
    """Bets that commit while a ledger is read are not in it, in no table, though later tables are read after them."""
    before = rows(address, "SELECT count(*), sum(amount) FROM bets")
    with snapshot(address, 60) as (db, _):
        assert db.execute("SELECT count(*) FROM users").fetchone() is not None
        rows(address, "UPDATE users SET account_balance = account_balance - 7 WHERE username = 'alice'")
        rows(address, "INSERT INTO bets (id, username, market_id, amount, placed_at, outcome) VALUES (9999, 'alice', 1, 7, now(), 'YES')")
        assert db.execute("SELECT count(*), sum(amount) FROM bets").fetchall() == before


def test_nothing_a_bet_needs_is_locked(address: str) -> None:
    """In pg_locks our transaction has shared access to tables, no row lock, no lock that conflicts with a write; a bet goes through."""
    held: list[tuple[str, str]] = []
    with snapshot(address, 60) as (db, _):
        for table in ("users", "bets", "markets"):
            db.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[arg-type]
        held += rows(
            address,
            "SELECT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a ON a.pid = l.pid"
            " WHERE a.application_name = 'dossier ledger' AND c.relname IN ('users', 'bets', 'markets')",
        )
        rows(address, "SET lock_timeout = '1s'; SELECT 1 FROM users WHERE username = 'alice' FOR UPDATE")
        rows(address, "SET lock_timeout = '1s'; UPDATE users SET account_balance = account_balance WHERE username = 'alice'")
        waiting = rows(address, "SELECT count(*) FROM pg_locks WHERE NOT granted")
    assert {m for _, m in held} == {"AccessShareLock"}
    assert {t for t, _ in held} == {"users", "bets", "markets"}
    assert waiting == [(0,)]


def test_it_cannot_write(address: str) -> None:
    """Whatever the role may do, the transaction may only read."""
    import psycopg

    with snapshot(address, 60) as (db, _), pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        db.execute("UPDATE users SET account_balance = 0")


def test_a_role_with_the_documented_grants_is_enough(postgres: Server, address: str, clean: Path) -> None:
    """The grants of docs/ledger-checks.md, word for word, let a role read and nothing else; one table less is named."""
    import psycopg

    text = (ROOT / "docs/ledger-checks.md").read_text()
    grants = (
        text.split("```sql\n")[1]
        .split("```")[0]
        .replace("'…'", "'geheim'")
        .replace("socialpredict", address.split("?")[0].rsplit("/", 1)[1])
    )
    for statement in filter(str.strip, grants.split(";")):
        rows(address, statement)
    name = address.split("?")[0].rsplit("/", 1)[1]
    as_reader = postgres.address(name, "dossier_reader", "geheim")
    try:
        v = verify_ledger(as_reader, ruleset="v3.8.1")
        assert result(v) == result(verify_ledger(clean, ruleset="v3.8.1"))
        assert v.read is not None
        assert v.read["role"] == "dossier_reader"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(as_reader, "SELECT password FROM users")
        rows(address, "REVOKE SELECT ON bets FROM dossier_reader")
        rows(address, "REVOKE SELECT (id) ON bets FROM dossier_reader")
        e = refused(lambda: read_ledger(as_reader))
        assert (e.code, e.at.split()[-1]) == ("ledger.no-permission", "bets")
        assert "geheim" not in str(e.as_json())
    finally:
        rows(address, "DROP OWNED BY dossier_reader")
        rows(address, "DROP ROLE dossier_reader")


def refused(call: Callable[[], object], kind: type[DossierError] = Refused) -> DossierError:
    with pytest.raises(kind) as e:
        call()
    return e.value


ADDRESSES = [
    "postgresql://u:geheim@127.0.0.1:1/db",
    "postgresql://u:geh@eim@127.0.0.1:1/db",
    "postgresql://u:geh/eim@127.0.0.1:1/db",
    "postgresql://u:geh?eim@127.0.0.1:1/db",
    "postgresql://u:geh#eim@127.0.0.1:1/db",
    "postgresql://u:12?eim@127.0.0.1:1/db",
    "postgresql://127.0.0.1:1/db?user=u&password=geheim",
    "postgresql://127.0.0.1:1/db?password=geh@eim",
    "postgresql://u:geheim@127.0.0.1:1/db?sslmode=geheim",
    "postgresql://u:geheim@nowhere.invalid/db",
    "postgresql://u:geheim@127.0.0.1:1/db?connect_timeout=geheim",
]


@pytest.mark.parametrize("given", ADDRESSES)
def test_no_piece_of_a_password_is_shown(given: str, tmp_path: Path) -> None:
    """However badly it was encoded: not in the text, not in the JSON, not on stderr."""
    town = Town.__new__(Town)
    town.repo, town.env, town.now = tmp_path, {"PATH": "/usr/bin:/bin"}, START
    for words in ((), ("--json",)):
        code, out, err = town.run("ledger", "verify", given, *words)
        assert code in (20, 30)
        for piece in ("geh", "eim", "u:12", ":12"):
            assert piece not in out.replace("help", "") + err, (given, piece)


NEARLY = [
    "postgresq://u:geheim@h/d",
    "PostgreSQL://u:geheim@127.0.0.1:1/d",
    "POSTGRES://127.0.0.1:1/d?password=geheim",
    "postgresql+psycopg://u:geheim@h/d",
    "postgresql:/u:geheim@h/d",
    "postgresql:u:geheim@h/d",
    '"postgresql://u:geheim@h/d"',
    " postgresql://u:geheim@h/d",
    "u:geheim@h/d",
    "host=h user=u password=geheim",
    "host=h user=u PASSWORD = 'geheim'",
    "jdbc:postgresql://h/d?user=u&password=geheim",
]


@pytest.mark.parametrize("given", NEARLY)
@pytest.mark.parametrize("words", [["verify"], ["verify", "--engine", "numba"], ["verify", "--engine", "spark"], ["generate"]])
def test_what_is_nearly_an_address_is_not_shown(words: list[str], given: str, tmp_path: Path) -> None:
    """A slip in the scheme, a conninfo string, quotes: refused as an address, nothing of it shown, nothing made of it."""
    town = Town.__new__(Town)
    town.repo, town.env, town.now = tmp_path, {"PATH": "/usr/bin:/bin"}, START
    code, out, err = town.run("ledger", words[0], given, *words[1:], "--json")
    assert code in (20, 30)
    assert "geheim" not in out + err
    assert "u:" not in out + err
    assert json.loads(out)["error"]["code"] in ("ledger.address", "ledger.server", "ledger.no-spark")
    assert list(tmp_path.iterdir()) == []


def test_the_scheme_in_any_case(address: str) -> None:
    """Is the same server; a file that is there is a file, whatever its name looks like."""
    assert read_ledger("PostgreSQL" + address.removeprefix("postgresql")).digest == read_ledger(address).digest


def test_a_file_whose_name_looks_like_an_address(clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is a file where it lies there, and a path where it begins with a slash or a dot."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "10:30@shop.sqlite").write_bytes(clean.read_bytes())
    assert read_ledger("10:30@shop.sqlite").digest == read_ledger(clean).digest
    for path in ("./10:31@shop.sqlite", str(tmp_path / "10:31@shop.sqlite")):
        assert refused(lambda path=path: read_ledger(path)).code == "ledger.no-source"  # type: ignore[misc]


def role(address: str, postgres: Server, made: str, *grants: str) -> str:
    """The address of the same database for a new role `visitor`."""
    rows(address, f"CREATE ROLE visitor {made}")
    for grant in grants:
        rows(address, grant)
    return postgres.address(address.split("?")[0].rsplit("/", 1)[1], "visitor", "x")


@pytest.fixture
def no_visitor(address: str) -> Iterator[None]:
    yield
    if rows(address, "SELECT 1 FROM pg_roles WHERE rolname = 'visitor'"):
        rows(address, "DROP OWNED BY visitor")
        rows(address, "DROP ROLE visitor")


@pytest.mark.usefixtures("no_visitor")
@pytest.mark.parametrize(
    ("made", "found"),
    [("LOGIN CONNECTION LIMIT 0", "the role may have no more connections"), ("NOLOGIN", "the role may not log in")],
)
def test_a_role_that_is_not_let_in(made: str, found: str, postgres: Server, address: str) -> None:
    """Is not said to be unknown."""
    visitor = role(address, postgres, made)
    e = refused(lambda: read_ledger(visitor), Unavailable)
    assert (e.code, e.found) == ("ledger.server", found)


@pytest.mark.usefixtures("no_visitor")
def test_a_role_without_connect(postgres: Server, address: str) -> None:
    """Is said to lack just that."""
    name = address.split("?")[0].rsplit("/", 1)[1]
    visitor = role(address, postgres, "LOGIN", f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
    e = refused(lambda: read_ledger(visitor), Unavailable)
    assert (e.code, e.found) == ("ledger.server", "the role may not connect to this database")


@pytest.mark.parametrize(
    ("given", "code", "found"),
    [
        ("postgresql://nowhere.invalid/db", "ledger.server", "there is no such host"),
        ("postgresql://127.0.0.1:99999/db", "ledger.address", "a port that is none"),
        ("postgresql:///?service=nowhere", "ledger.address", "a service that no pg_service.conf defines"),
        ("postgresql://127.0.0.1:1/db?foo=bar", "ledger.address", "a parameter that PostgreSQL does not know"),
        ("postgresql://127.0.0.1:1/db?sslmode=nonsense", "ledger.address", "a parameter with a value PostgreSQL does not know"),
        ("postgresql://u%zz@127.0.0.1:1/db", "ledger.address", "a % that encodes nothing"),
        ("postgresql://127.0.0.1:1,127.0.0.1:2/db", "ledger.server", "nothing answers there"),
    ],
)
def test_what_is_wrong_with_an_address(given: str, code: str, found: str) -> None:
    """Is said; a wrong address is input (20), a server that is not there is none (30)."""
    e = refused(lambda: read_ledger(given), DossierError)
    assert (e.code, e.found, e.exit_code) == (code, found, 20 if code == "ledger.address" else 30)


@pytest.mark.usefixtures("no_visitor")
@pytest.mark.parametrize("engine", ["python", "numba"])
@pytest.mark.parametrize(
    ("more", "at"),
    [
        (["REVOKE USAGE ON SCHEMA public FROM PUBLIC"], "public"),
        (["REVOKE SELECT ON bets FROM visitor"], "bets"),
        (["REVOKE SELECT ON users FROM visitor"], "users"),
        (["ALTER TABLE bets ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON bets FOR SELECT TO visitor USING (id < 50)"], "bets"),
    ],
)
def test_what_a_role_may_not_read_is_named(more: list[str], at: str, engine: str, postgres: Server, address: str) -> None:
    """The schema or the table, by rows and by columns."""
    visitor = role(address, postgres, "LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO visitor", *more)
    e = refused(lambda: verify_ledger(visitor, ruleset="v3.8.1", engine=engine))
    assert (e.code, e.at.split()[-1]) == ("ledger.no-permission", at)


def test_the_server_that_was_reached_is_named(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a service says where it is, and without its password."""
    name = address.split("?")[0].rsplit("/", 1)[1]
    folder = address.split("host=")[1]
    (tmp_path / "services").write_text(f"[shop]\nhost={folder}\nuser=postgres\npassword=geheim\ndbname={name}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    for given in ("postgresql:///?service=shop", address):
        read = verify_ledger(given, ruleset="v3.8.1").read
        assert read is not None
        assert read["from"].startswith(f"postgresql:///{name}?host={folder}&port=")
        assert "geheim" not in str(read)


def test_a_statement_an_administrator_ends(address: str) -> None:
    """Is not said to have run out of time."""

    def slow() -> None:
        with snapshot(address, 60) as (db, _):
            sleeping = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
            ended = threading.Thread(target=until, args=(address, sleeping, db.info.backend_pid))
            ended.start()
            try:
                db.execute("SELECT pg_sleep(100)")
            finally:
                ended.join()

    assert refused(slow, Unavailable).code == "ledger.cancelled"


def test_a_copy_that_runs_out_of_time_says_so_once(address: str) -> None:
    """One refusal on stderr and nothing of psycopg's own."""
    rows(address, "ALTER TABLE bets RENAME TO its")
    rows(address, "CREATE VIEW bets AS SELECT * FROM its WHERE id < 50 OR pg_sleep(60) IS NOT NULL")
    program = [sys.executable, "-m", "release_dossier", "ledger", "verify", address, "--engine", "numba", "--statement-timeout", "8"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (30, "")
    assert "ledger.statement-timeout" in done.stderr
    assert "psycopg" not in done.stderr


def test_places_are_shown_without_what_is_secret() -> None:
    """Host, port and database; nothing of user, password or parameters."""
    assert place("postgresql://u:p%40ss@db.example:5432/sp?sslmode=require") == "postgresql://db.example:5432/sp"
    assert place("postgres://[::1]:5432/sp") == "postgresql://[::1]:5432/sp"
    assert place("postgresql:///sp?host=/run/postgresql") == "postgresql:///sp"


def test_a_server_that_dies_midway(tmp_path: Path, clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two tables: said to be gone, exit 30, no half verdict."""
    from tests.ledger.servers import from_wheel

    folder = Path(tempfile.mkdtemp(prefix="dossier-pg-"))  # short: a socket's path has at most 107 characters
    folder.chmod(0o755)
    real = ledger_postgres.rows_of
    with from_wheel(folder / "s") as server:
        address = server.new()
        copied(clean, address)
        ((data,),) = rows(address, "SHOW data_directory")
        postmaster = int((Path(data) / "postmaster.pid").read_text().split()[0])

        def dying(connection: Any, tables: Any, at: str, step: Any) -> Any:
            read = real(connection, tables, at, step)

            def once(table: str, must: tuple[str, ...], may: tuple[str, ...]) -> Any:
                if table == "markets":
                    os.kill(postmaster, signal.SIGQUIT)
                    while True:
                        connection.execute("SELECT 1")
                return read(table, must, may)

            return once

        monkeypatch.setattr(ledger_postgres, "rows_of", dying)
        e = refused(lambda: read_ledger(address), Unavailable)
        assert e.code == "ledger.server-lost"
    folder.rmdir()


def test_rows_that_stop_coming(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns on their way when the server ends the connection, or the limit passes: the same words as between two tables."""
    import psycopg

    monkeypatch.setattr(ledger_postgres_copy, "PIECE_BYTES", 10_000)
    with psycopg.connect(address, autocommit=True) as other:
        other.execute("CREATE TABLE many AS SELECT g::bigint AS id FROM generate_series(1, 300000) g")
        other.execute("CREATE VIEW late AS SELECT g AS id FROM generate_series(1, 9999) g WHERE g < 5000 OR pg_sleep(99) IS NOT NULL")

        def read(table: str, more: Callable[[int], None], seconds: int = 60) -> int:
            with snapshot(address, seconds) as (db, _):
                pids.append(db.info.backend_pid)
                return len(ledger_postgres_copy.copied(db, "public", table, {"id": ledger_postgres.WHOLE}, (), more))

        pids: list[int] = []
        seen: list[int] = []
        assert read("many", seen.append) == sum(seen) == 300_000
        assert len(seen) > 100
        end = "SELECT pg_terminate_backend(%s)"
        e = refused(lambda: read("many", lambda _: other.execute(end, (pids[-1],)) and None), Unavailable)
        assert e.code == "ledger.server-lost"
        assert refused(lambda: read("late", lambda _: None, 4), Unavailable).code == "ledger.statement-timeout"


def test_a_statement_that_takes_too_long(address: str) -> None:
    """Ends at its limit, and says which option allows more."""

    def slow() -> None:
        with snapshot(address, 4) as (db, _):
            db.execute("SELECT pg_sleep(60)")

    e = refused(slow, Unavailable)
    assert (e.code, e.help) == ("ledger.statement-timeout", "--statement-timeout SECONDS")


def test_a_schema_being_changed_is_not_waited_for(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting behind ALTER TABLE would make every bet wait behind us."""
    import psycopg

    monkeypatch.setattr(ledger_postgres, "LEDGER_LOCK_SECONDS_MAX", 1)
    with psycopg.connect(address) as other:
        other.execute("LOCK TABLE bets IN ACCESS EXCLUSIVE MODE")
        assert refused(lambda: read_ledger(address), Unavailable).code == "ledger.locked"


REWRITTEN = [
    ["ALTER TABLE bets ALTER amount TYPE numeric"],
    ["TRUNCATE bets"],
    ["ALTER TABLE bets RENAME TO its", "CREATE TABLE bets (LIKE its INCLUDING ALL)", "INSERT INTO bets SELECT * FROM its"],
    ["CREATE TABLE its (LIKE market_groups INCLUDING ALL)", "DROP TABLE market_groups CASCADE", "ALTER TABLE its RENAME TO market_groups"],
]


@pytest.mark.parametrize("engine", ["python", "numba"])
@pytest.mark.parametrize("statements", REWRITTEN, ids=["altered", "emptied", "replaced", "restored"])
def test_a_table_rewritten_after_the_snapshot_accuses_nobody(
    engine: str, statements: list[str], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """To a snapshot from before it seems empty: that is no ledger without orders."""
    real = ledger_postgres.tables_of

    def late(connection: Any, at: str) -> dict[str, tuple[int, str]]:
        for statement in statements:
            rows(address, statement)
        return real(connection, at)

    monkeypatch.setattr(ledger_postgres, "tables_of", late)
    e = refused(lambda: verify_ledger(address, ruleset="v3.8.1", engine=engine), Unavailable)
    assert (e.code, e.at.split()[-1]) == ("ledger.locked", "market_groups" if len(statements[1:]) and "DROP" in statements[1] else "bets")


def test_tables_in_another_schema(address: str, tmp_path: Path) -> None:
    """Are not said to be missing: where they lie is named, and the command that shows more reads the same ones."""
    rows(address, "UPDATE users SET account_balance = account_balance + 700 WHERE username = 'alice'")
    rows(address, "ALTER SCHEMA public RENAME TO shop")
    rows(address, "CREATE SCHEMA public")
    e = refused(lambda: read_ledger(address))
    assert (e.code, e.found) == ("ledger.missing-table", "tables that the search path does not reach, in schema shop")
    parameter = e.help.removeprefix("end the address with ?")
    town = Town.__new__(Town)
    town.repo, town.env, town.now = tmp_path, {"PATH": "/usr/bin:/bin"}, START
    code, out, _ = town.run("ledger", "verify", f"{address}&{parameter}", "--ruleset", "v3.8.1")
    last = out.splitlines()[-1]
    assert (code, f"&{parameter}'" in last) == (10, True)
    again = shlex.split(last.removeprefix("next: dossier "))
    code, out, _ = town.run(*again)
    assert (code, "statement of account of alice" in out) == (10, True)


def test_tables_of_two_schemas_are_said_to_be(address: str) -> None:
    """Read as one ledger, as the search path has them; where all lie together nothing is said."""
    rows(address, "CREATE SCHEMA shop")
    rows(address, "ALTER TABLE users SET SCHEMA shop")
    found = verify_ledger(f"{address}&options=-csearch_path%3Dshop,public", ruleset="v3.8.1", engine="numba")
    (note,) = [n for n in found.notes if n.startswith("tables of several schemas are read as one ledger: ")]
    assert (found.verdict, note.endswith("; users of shop")) == ("pass", True)
    rows(address, "ALTER TABLE shop.users SET SCHEMA public")
    assert "schemas" not in (verify_ledger(address, ruleset="v3.8.1").read or {})


def test_a_database_with_a_slash_in_its_name(postgres: Server, template: str) -> None:
    """Is named so that its place is an address."""
    rows(postgres.address(), f'CREATE DATABASE "east/west" TEMPLATE {template}')
    read = verify_ledger(postgres.address("east%2Fwest"), ruleset="v3.8.1").read
    assert read is not None
    assert read_ledger(read["from"].replace("postgresql://", "postgresql://postgres@")).digest
    assert place(read["from"]) == "postgresql:///east%2Fwest"


def test_a_pool_between_whose_connections_others_used(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that another program gave to a prepared statement of the same connection is not taken again."""
    real = ledger_postgres.connected

    def used(*given: Any, **more: Any) -> Any:
        connection = real(*given, **more)
        connection.execute('PREPARE "_pg3_0" AS SELECT 1')
        connection.commit()
        return connection

    monkeypatch.setattr(ledger_postgres, "connected", used)
    assert verify_ledger(address, ruleset="v3.8.1").verdict == "pass"


def test_a_time_limit_of_the_role_on_a_whole_transaction(address: str) -> None:
    """Is not ours: a large ledger takes longer than a bet (the parameter came with PostgreSQL 17)."""
    if int(rows(address, "SHOW server_version_num")[0][0]) < ledger_postgres.TRANSACTION_TIMEOUT_SINCE:
        pytest.skip("needs PostgreSQL 17 or newer")
    name = address.split("?")[0].rsplit("/", 1)[1]
    rows(address, f"ALTER DATABASE {name} SET transaction_timeout = '4s'")
    with snapshot(address, 60) as (db, _):
        assert db.execute("SELECT pg_sleep(5)").fetchone() is not None


def test_a_replica_says_how_far_it_is(debian: Server, clean: Path) -> None:
    """Behind its primary the ledger is as of what it has replayed, not of now."""
    address = debian.new()
    copied(clean, address)
    with replica(debian) as there:

        def write(seen_by_replica: str) -> None:
            rows(address, "UPDATE users SET account_balance = account_balance WHERE username = 'alice'")
            ((written,),) = rows(address, "SELECT pg_current_wal_lsn()::text")
            until(there(address), f"SELECT {seen_by_replica} >= %s::pg_lsn", written)

        write("pg_last_wal_replay_lsn()")
        read = verify_ledger(there(address), ruleset="v3.8.1").read
        assert read is not None
        assert read["replica"] == "caught up"
        rows(there(address), "SELECT pg_wal_replay_pause()")
        write("pg_last_wal_receive_lsn()")
        v = verify_ledger(there(address), ruleset="v3.8.1")
        assert v.read is not None
        assert (v.read["replica"], v.read["at"] < read["at"], v.verdict) == ("behind", True, "pass")
        assert f"this replica is behind its primary: the ledger as it stood at {v.read['at']}" in v.notes


SAID = [
    (
        'Peer authentication failed for user "ann"',
        "the server takes this user for nobody of that name (peer, ident, LDAP)",
    ),
    (
        'pg_hba.conf rejects connection for host "h", SSL encryption',
        "the server lets nobody in from here under this name",
    ),
    ('FATAL:  no pg_hba.conf entry for host "h", no encryption', "the server lets nobody in from here under this name without TLS"),
    ("no pg_hba.conf entry, SSL encryption\nno pg_hba.conf entry, no encryption", "the server lets nobody in from here under this name"),
    ("FATAL: connection requires a valid client certificate", "the server asks for a client certificate (sslcert and sslkey)"),
    ("received invalid response to SSL negotiation: H", "what answers there is no PostgreSQL"),
    ('root certificate file "/r" does not exist', "sslmode asks for a root certificate that is not there (sslrootcert)"),
    ("FATAL:  pgbouncer cannot connect to server", "the pool between does not reach its server"),
]


@pytest.mark.parametrize(("said", "found"), SAID)
def test_why_nobody_was_let_in(said: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words that tell what to change."""
    import psycopg

    def refuse(*_: Any, **__: Any) -> Any:
        raise psycopg.OperationalError(said)

    monkeypatch.setattr(psycopg, "connect", refuse)
    e = refused(lambda: read_ledger("postgresql://h/d"), Unavailable)
    assert (e.code, e.found) == ("ledger.server", found)


@pytest.mark.parametrize(
    ("sql", "code", "at"),
    [
        ("ALTER TABLE bets DROP CONSTRAINT bets_pkey", "ledger.half-restored", "bets"),
        ("ALTER TABLE market_groups DROP CONSTRAINT market_groups_pkey", "ledger.half-restored", "market_groups"),
        ("DELETE FROM schema_migrations", None, ""),
        ("DROP TABLE markets", "ledger.missing-table", "markets"),
        ("ALTER TABLE bets DROP COLUMN outcome", "ledger.missing-column", "bets.outcome"),
        ("ALTER TABLE bets ALTER amount TYPE text", "ledger.column-type", "bets.amount rowid"),
        ("ALTER TABLE bets ALTER amount TYPE numeric USING amount + 0.5", "ledger.column-type", "bets.amount rowid"),
        ("UPDATE bets SET placed_at = 'infinity' WHERE id = 17", "ledger.column-type", "bets.placed_at rowid 17"),
        ("UPDATE users SET username = NULL WHERE id = 2", "ledger.null-username", "users.username rowid 2"),
        ('ALTER TABLE bets DISABLE TRIGGER ALL; ALTER TABLE bets RENAME TO "bets; DROP TABLE users"', "ledger.missing-table", "bets"),
        ('CREATE TABLE "bets""; DROP TABLE users; --" (id int)', None, ""),
    ],
)
def test_bad_databases_are_refused_by_name(sql: str, code: str | None, at: str, address: str) -> None:
    """A half-restored dump, text where credits belong, a table named like SQL: typed, with its place; nothing is changed by reading."""
    users = rows(address, "SELECT count(*) FROM users")
    for statement in sql.split("; ALTER"):
        rows(address, statement if statement.startswith(("ALTER", "DELETE", "DROP", "UPDATE", "CREATE")) else f"ALTER {statement}")
    if code is None:
        v = verify_ledger(address, ruleset="v3.8.1")
        assert v.verdict == ("inconclusive" if "DELETE" in sql else "pass")
    else:
        e = refused(lambda: read_ledger(address))
        assert e.code == code
        assert at in e.at
    assert rows(address, "SELECT count(*) FROM users") == users


@pytest.mark.parametrize("engine", ["python", "numba"])
def test_a_server_without_an_optional_table_accuses_nobody(engine: str, address: str) -> None:
    """Though the migration it came with ran: what it may explain is left open, with its name."""
    rows(address, "DROP TABLE market_groups CASCADE")
    v = verify_ledger(address, ruleset="v3.8.1", engine=engine)
    r6 = next(c for c in v.checks if c.id == "R6")
    assert (v.verdict, r6.state, r6.examples) == ("inconclusive", "inconclusive", ())
    assert "market_groups is not there" in r6.why


def test_times_without_zone_and_whole_numerics_are_read(address: str, clean: Path) -> None:
    """The same ledger with other column types that hold the same values is the same ledger."""
    rows(address, "ALTER TABLE bets ALTER placed_at TYPE timestamp USING placed_at AT TIME ZONE 'UTC'")
    rows(address, "ALTER TABLE bets ALTER amount TYPE numeric")
    rows(address, "ALTER TABLE users ALTER account_balance TYPE numeric")
    rows(address, "ALTER TABLE markets ALTER id TYPE numeric")
    assert read_ledger(address).digest == read_ledger(clean).digest


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE bets ALTER amount TYPE numeric, ALTER deleted_at TYPE timestamp",
        "ALTER TABLE users ALTER account_balance TYPE numeric, ALTER deleted_at TYPE text; UPDATE users SET deleted_at = '2026-01-01'",
        "ALTER TABLE markets ALTER proposal_cost TYPE numeric, ALTER created_at TYPE timestamp USING created_at AT TIME ZONE 'UTC'",
    ],
)
def test_a_column_of_another_type_is_not_one_that_is_not_there(change: str, address: str) -> None:
    """However many rows there are."""
    rows(address, change)
    by_rows, by_columns = (verify_ledger(address, ruleset="v3.8.1", engine=engine) for engine in ("python", "numba"))
    assert by_rows.ledger == by_columns.ledger
    assert by_rows.checks == by_columns.checks


@pytest.mark.parametrize("engine", ["python", "numba"])
def test_words_of_other_types_are_read(engine: str, address: str, clean: Path) -> None:
    """Padded ones without their padding, and those of a list."""
    rows(address, "CREATE TYPE side AS ENUM ('YES', 'NO')")
    rows(address, "ALTER TABLE bets ALTER outcome TYPE side USING outcome::side, ALTER username TYPE char(30)")
    here, there = (verify_ledger(source, ruleset="v3.8.1", engine=engine) for source in (clean, address))
    assert {**json.loads(result(here)), "engine": ""} == {**json.loads(result(there)), "engine": ""}


def test_a_table_in_parts_is_whole_when_each_has_its_key(address: str, clean: Path) -> None:
    """A key over all parts is not asked for; a part without one was not restored."""
    for statement in (
        "ALTER TABLE bets RENAME TO old",
        "CREATE TABLE bets (LIKE old) PARTITION BY RANGE (id)",
        "CREATE TABLE early PARTITION OF bets (PRIMARY KEY (id)) FOR VALUES FROM (0) TO (50)",
        "CREATE TABLE late PARTITION OF bets (CONSTRAINT late_key PRIMARY KEY (id)) FOR VALUES FROM (50) TO (100000)",
        "INSERT INTO bets SELECT * FROM old",
    ):
        rows(address, statement)
    assert read_ledger(address).digest == read_ledger(clean).digest
    rows(address, "ALTER TABLE late DROP CONSTRAINT late_key")
    e = refused(lambda: read_ledger(address))
    assert (e.code, e.at.split()[-1]) == ("ledger.half-restored", "bets")


def test_text_of_no_encoding_is_said_to_be_none(postgres: Server, clean: Path) -> None:
    """A database that keeps bytes as they come."""
    address = postgres.new()
    copied(clean, address)
    name = "bytes" + address.split("?")[0].rsplit("/", 1)[1]
    rows(postgres.address(), f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'")
    other = postgres.address(name)
    copied(clean, other)
    assert read_ledger(other).digest == read_ledger(clean).digest
    rows(f"{other}&client_encoding=sql_ascii", "UPDATE bets SET outcome = convert_from('\\xfc', 'SQL_ASCII') WHERE id = 3")
    e = refused(lambda: read_ledger(other))
    assert (e.code, e.found, e.at.split()[-1]) == ("ledger.column-type", "text that is no UTF-8", "bets")


def test_a_replica_that_ends_a_statement_is_not_said_to_be_gone() -> None:
    """Trying again would end the same way."""
    import psycopg

    e = ledger_postgres.failed(psycopg.errors.SerializationFailure("canceling statement due to conflict with recovery"), "bets")
    assert (e.code, e.exit_code, "hot_standby_feedback" in e.help) == ("ledger.replica-conflict", 30, True)


def test_several_hosts(address: str, tmp_path: Path) -> None:
    """As a cluster's address has them, each with its port: the one that answers is named, and the next command asks as the same role."""
    name, folder = address.split("?")[0].rsplit("/", 1)[1], address.split("host=")[1]
    rows(address, "UPDATE users SET account_balance = account_balance + 700 WHERE username = 'alice'")
    town = Town.__new__(Town)
    town.repo, town.env, town.now = tmp_path, {"PATH": "/usr/bin:/bin"}, START
    given = f"postgresql://postgres@127.0.0.1:1,{folder.replace('/', '%2F')}:5432/{name}"
    code, out, err = town.run("ledger", "verify", given, "--ruleset", "v3.8.1", "--assume-schema")
    assert (code, err) == (10, "")
    last = out.splitlines()[-1]
    assert last.startswith(f"next: dossier ledger verify 'postgresql://postgres@/{name}?host=")
    assert last.endswith("--ruleset v3.8.1 --assume-schema --explain alice")


def test_rows_hidden_from_a_role_are_never_overlooked(postgres: Server, address: str) -> None:
    """Row-level security that would hide bets makes the server refuse instead of showing fewer."""
    name = address.split("?")[0].rsplit("/", 1)[1]
    rows(address, "CREATE ROLE half_blind LOGIN")
    try:
        rows(address, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO half_blind")
        rows(address, "ALTER TABLE bets ENABLE ROW LEVEL SECURITY")
        rows(address, "CREATE POLICY half ON bets FOR SELECT TO half_blind USING (id < 50)")
        e = refused(lambda: read_ledger(postgres.address(name, "half_blind", "x")))
        assert e.code == "ledger.no-permission"
    finally:
        rows(address, "DROP OWNED BY half_blind")
        rows(address, "DROP ROLE half_blind")


def test_many_writers_while_a_ledger_is_read(address: str) -> None:
    """Bets land all the while, each with its debit; what is read is whole at every moment: R6 accuses nobody."""
    import psycopg

    stop, under_way = threading.Event(), threading.Barrier(3)
    done: list[int] = []

    def bets(first: int) -> None:
        with psycopg.connect(address) as db:
            number = first
            while not stop.is_set():
                db.execute("UPDATE users SET account_balance = account_balance - 1 WHERE username = 'bob'")
                db.execute(
                    "INSERT INTO bets (id, username, market_id, amount, placed_at, outcome) SELECT %s, 'bob', market_id, 1, now(), 'YES'"
                    " FROM bets b JOIN markets m ON m.id = market_id WHERE b.username = 'bob' AND NOT is_resolved LIMIT 1",
                    (number,),
                )
                db.commit()
                if number == first:
                    under_way.wait(60)
                number += 1
            done.append(number - first)

    writers = [threading.Thread(target=bets, args=(10_000 * (i + 1),)) for i in range(2)]
    for w in writers:
        w.start()
    try:
        under_way.wait(60)
        found = [verify_ledger(address, ruleset="v3.8.1") for _ in range(5)]
    finally:
        stop.set()
        for w in writers:
            w.join()
    for v in found:
        assert [c.violations for c in v.checks if c.id in ("R6", "T")] == [0, 0]
    assert all(n > 0 for n in done)
    counts = [v.ledger["bets"] for v in found]
    assert counts == sorted(counts)


def dumps() -> Iterator[Path]:
    if SHARED.exists():
        for name in ("captured/v2.1.0-small", "captured/v3.2.0-small", "captured/v3.8.1-small", "captured/v3.8.1-degenerate-5",
                     "known-bugs/01-over-cashout/buggy", "known-bugs/11-payout-before-save/buggy", "mutants/05-late-bets-accepted",
                     "upgraded/upgraded-b"):  # fmt: skip
            yield SHARED / name


@pytest.mark.captured
@pytest.mark.parametrize("case", [*dumps()] or [None], ids=lambda p: "/".join(p.parts[-2:]) if p else "none")
def test_captured_dumps_three_ways(case: Path | None, postgres: Server) -> None:
    """The dump of a real server restored, its SQLite copy and its Parquet copy: byte-identical results."""
    if case is None:
        pytest.skip("needs ../shared: ledgers real builds wrote")
    address = postgres.new()
    load(address, lzma.decompress((case / "ledger.sql.xz").read_bytes()).decode())
    timeline = case / "timeline.json"
    more: dict[str, Any] = {"timeline": str(timeline)} if timeline.exists() else {"ruleset": str(case / "rules.json")}
    if (case / "journal.ndjson.xz").exists():
        more["receipts"] = str(case / "journal.ndjson.xz")
    ways = [verify_ledger(source, **more) for source in (address, case / "ledger.sqlite", case / "parquet")]
    assert result(ways[0]) == result(ways[1]) == result(ways[2])
    assert json.loads(result(ways[0]))["ledger"]["bets"] > 0


MONEY = "".join(f'\n[[evidence]]\nname = "{kind}"\nkind = "{kind}"\n' for kind in ("payouts", "ledger-invariants"))
SECRET = "geheim-im-haus"


def everything(folder: Path) -> bytes:
    return b"\n".join(f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file())


def test_a_ledger_in_a_database_is_collected_as_evidence(postgres: Server, address: str, clean: Path, tmp_path: Path) -> None:
    """The evidence says what the file's says, as of which snapshot; what came of it is kept, the rows and the password are not."""
    town = Town(tmp_path, settings=MONEY + 'options = { ruleset = "v3.8.1" }\n')
    town.open()
    secret = postgres.address(address.split("?")[0].rsplit("/", 1)[1], "postgres", SECRET)
    for kind in ("ledger-invariants", "payouts"):
        of_file, of_server = (
            town.dossier("collect", kind, "--from", source, "--written-by", "v3.8.1")["evidence"][0] for source in (str(clean), secret)
        )
        same = ("verdict", "looked_at", "of", "facts", "counterexamples", "written_by", "format", "tool")
        assert {k: of_server[k] for k in same} == {k: of_file[k] for k in same}
        assert of_server["limits"][0].startswith("postgresql:///ledger")
        assert " as of snapshot " in of_server["limits"][0]
        assert [a["name"] for a in of_server["artifacts"] if not a["name"].startswith("personal/")] == ["ledger-verify.json"]
        assert of_server["observed_at"] > of_file["observed_at"]
    digest = of_server["artifacts"][0]["digest"].removeprefix("sha256:")
    kept = json.loads((town.repo / ".dossier/artifacts" / digest[:2] / digest).read_text())
    assert kept["read"]["read_only"] == "on"
    town.dossier("assemble")
    town.gate()
    assert SECRET.encode() not in everything(town.repo)


def test_a_database_that_cannot_be_collected_from(tmp_path: Path) -> None:
    """One that does not answer is said not to, by its place; its attempt counts; an address for anything but money is refused."""
    town = Town(tmp_path, settings=TESTS + MONEY)
    town.open()
    nobody = f"postgresql://ann:{SECRET}@127.0.0.1:1/shop"
    code, out, err = town.run("collect", "payouts", "--from", nobody, "--json")
    (refusal,) = json.loads(out)["refused"]
    assert (code, refusal["code"], refusal["at"], refusal["found"]) == (
        30, "ledger.server", "postgresql://127.0.0.1:1/shop", "nothing answers there",
    )  # fmt: skip
    (attempt,) = [a for a in town.dossier("assemble")["dossier"]["evidence"] if a["name"] == "payouts"]
    assert (attempt["attempt"], attempt["verdict"]) == (1, "inconclusive")
    refusal = town.dossier("collect", "tests", "--from", nobody, ok=(20,))["refused"][0]
    assert (refusal["code"], refusal["found"]) == ("collect.no-file", "postgresql://127.0.0.1:1/shop")
    refusal = town.dossier("collect", "payouts", "--from", f"postgresql://ann:{SECRET}@ge@heim/x", ok=(20,))["refused"][0]
    assert refusal["code"] == "ledger.address"
    assert SECRET not in out + err + json.dumps(refusal)
    assert SECRET.encode() not in everything(town.repo)
