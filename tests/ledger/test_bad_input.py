"""Bad ledgers and bad files beside them: each refused with its own code and place, nothing written, nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from release_dossier.errors import Refused
from release_dossier.limits import LEDGER_FILE_BYTES_MAX
from release_dossier.sources.ledgers import read_ledger, records, verify_ledger
from tests.ledger.servers import Server, until
from tests.ledger.test_ledgers import failed, unpacked
from tests.ledger.test_postgres import copied


@pytest.fixture
def case(tmp_path: Path) -> Path:
    (tmp_path / "case").mkdir()
    return unpacked("v3.8.1", tmp_path / "case")


def parquet(file: Path, to: Path) -> Path:
    """A SQLite ledger as a folder of Parquet."""
    to.mkdir()
    with closing(sqlite3.connect(file)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'").fetchall():
            names = [x[1] for x in db.execute(f'PRAGMA table_info("{table}")')]
            data = db.execute(f'SELECT * FROM "{table}"').fetchall()
            if data:
                pq.write_table(pa.table({n: [r[i] for r in data] for i, n in enumerate(names)}), to / f"{table}.parquet")
    return to


def refused(call: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as e:
        call()
    return e.value


def sql(case: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(case / "ledger.sqlite")) as db, db:
        for s in statements:
            db.execute(s)
    return case / "ledger.sqlite"


def test_a_bet_on_a_missing_market_is_a_finding_not_a_crash(case: Path) -> None:
    """S2 names it; the rest is judged."""
    v = verify_ledger(sql(case, "UPDATE bets SET market_id = 777 WHERE id = 9"), ruleset="v3.8.1")
    assert "S2" in failed(v)
    assert next(c.examples[0].market for c in v.checks if c.id == "S2") == "777"


def test_bytes_that_are_no_text(case: Path) -> None:
    """In a name, with table, column and row; a blob likewise."""
    file = sql(case, "UPDATE bets SET username = CAST(x'ff41' AS TEXT) WHERE id = 5")
    e = refused(lambda: read_ledger(file))
    assert (e.code, e.at, e.found) == ("ledger.column-type", "bets.username rowid 5", "bytes that are no UTF-8")
    e = refused(lambda: read_ledger(sql(case, "UPDATE bets SET username = x'ff41' WHERE id = 5")))
    assert (e.code, e.at) == ("ledger.column-type", "bets.username rowid 5")


def test_seconds_where_a_time_belongs_are_not_taken_for_one(case: Path) -> None:
    """A number in a column of times could be seconds or microseconds: refused."""
    e = refused(lambda: read_ledger(sql(case, "UPDATE bets SET placed_at = 1700000000 WHERE id = 5")))
    assert (e.code, e.at) == ("ledger.column-type", "bets.placed_at rowid 5")


def test_a_dump_loaded_twice(case: Path) -> None:
    """Rows with one key twice would count every credit twice: refused, not judged."""
    sql(case, "CREATE TABLE twice AS SELECT * FROM bets UNION ALL SELECT * FROM bets", "DROP TABLE bets")
    e = refused(lambda: read_ledger(sql(case, "ALTER TABLE twice RENAME TO bets")))
    assert (e.code, e.at.split()[-1]) == ("ledger.duplicate", "bets.id")


def test_changes_beside_what_a_link_leads_to(case: Path, tmp_path: Path) -> None:
    """They lie there, not beside the link."""
    file = case / "ledger.sqlite"
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("UPDATE users SET account_balance = account_balance + 1")
        db.commit()
        (tmp_path / "now.sqlite").symlink_to(file)
        e = refused(lambda: read_ledger(tmp_path / "now.sqlite"))
    assert (e.code, e.at) == ("ledger.being-written", "ledger.sqlite-wal")


@pytest.mark.parametrize(
    ("change", "at", "found"),
    [
        ("UPDATE bets SET amount = 10.5 WHERE id = 3", "bets.amount rowid 3", "float 10.5"),
        ("UPDATE bets SET username = CAST(username AS BLOB) WHERE id = 3", "bets.username rowid 3", "bytes b"),
    ],
)
def test_no_engine_takes_a_value_for_another(change: str, at: str, found: str, case: Path) -> None:
    """What is no whole number is not cut to one, and bytes are no text."""
    file = sql(case, change)
    for engine in ("python", "numba"):
        e = refused(lambda engine=engine: verify_ledger(file, engine=engine))  # type: ignore[misc]
        assert (e.code, e.at) == ("ledger.column-type", at)
        assert e.found.startswith(found)


@pytest.mark.parametrize(
    "bets",
    [
        "CREATE TABLE bets (id INTEGER PRIMARY KEY, username, market_id, amount, placed_at, outcome) WITHOUT ROWID",
        "CREATE TABLE Bets (id INTEGER PRIMARY KEY, username, market_id, amount, placed_at, outcome)",
        "CREATE TABLE bets (id INTEGER PRIMARY KEY, username, market_id, credits, placed_at, outcome, amount AS (credits))",
        "CREATE VIEW bets AS SELECT * FROM old",
    ],
)
def test_tables_of_sqlite_made_otherwise(bets: str, case: Path) -> None:
    """Hold the same ledger for every engine."""
    before = verify_ledger(case / "ledger.sqlite", ruleset="v3.8.1")
    rows = [] if "VIEW" in bets else ["INSERT INTO bets SELECT id, username, market_id, amount, placed_at, outcome FROM old"]
    old = "CREATE TABLE old AS SELECT id, username, market_id, amount, placed_at, outcome FROM bets"
    file = sql(case, old, "DROP TABLE bets", bets, *rows)
    found = [verify_ledger(file, ruleset="v3.8.1", engine=engine) for engine in ("python", "numba")]
    assert [v.checks for v in found] == [before.checks] * 2
    assert found[0].ledger == found[1].ledger


def test_a_database_somebody_writes_to(case: Path) -> None:
    """A journal beside it holds changes that an immutable read would miss: refused by the journal's name."""
    with closing(sqlite3.connect(case / "ledger.sqlite")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("UPDATE users SET account_balance = 7 WHERE id = 2")
        db.commit()
        e = refused(lambda: read_ledger(case / "ledger.sqlite"))
    assert (e.code, e.at) == ("ledger.being-written", "ledger.sqlite-wal")


def test_what_helps_a_busy_database(tmp_path: Path) -> None:
    """Names the whole file, quoted, and undoes what a rollback journal holds; one that is done (PERSIST) is no hindrance."""
    (tmp_path / "a b").mkdir()
    file = unpacked("v3.8.1", tmp_path / "a b") / "ledger.sqlite"
    before = read_ledger(file).digest
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA journal_mode = PERSIST")
        db.execute("UPDATE users SET account_balance = account_balance")
        db.commit()
    assert read_ledger(file).digest == before
    program = (
        "import os, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\ndb.execute('PRAGMA cache_size = 1')\n"
        "db.execute('PRAGMA cache_spill = 1')\nfor i in range(9): db.execute('UPDATE bets SET amount = amount + 1')\n"
        "db.execute('UPDATE users SET account_balance = 7')\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program, str(file)], check=True)
    e = refused(lambda: read_ledger(file))
    assert (e.code, e.at) == ("ledger.being-written", "ledger.sqlite-journal")
    assert f"'{file}'" in e.help
    with closing(sqlite3.connect(file)) as db:
        db.execute(e.help.split("'")[-2])
    assert read_ledger(file).digest == before


@pytest.mark.parametrize("cut", [1, 4096, 1072, -512])
@pytest.mark.parametrize("engine", ["python", "numba"])
def test_a_cut_database_is_not_judged(engine: str, cut: int, case: Path) -> None:
    """A byte short, a page short, in the middle of a page, or longer than its header says: SQLite would read it and accuse somebody."""
    file = case / "ledger.sqlite"
    size = file.stat().st_size
    os.truncate(file, size - cut)
    e = refused(lambda: verify_ledger(file, engine=engine))
    assert (e.code, e.at, e.found) == ("ledger.unreadable", "ledger.sqlite", f"{size - cut} bytes")


def test_a_cut_database_of_an_old_writer(case: Path) -> None:
    """Whose header counts no pages: one that ends within a page is refused, a whole one is read."""
    file = case / "ledger.sqlite"
    data = bytearray(file.read_bytes())
    data[92:96] = b"\0" * 4
    file.write_bytes(data)
    assert read_ledger(file)
    os.truncate(file, len(data) - 1)
    assert refused(lambda: read_ledger(file)).code == "ledger.unreadable"


def test_a_file_larger_than_is_read(tmp_path: Path) -> None:
    """Ten gigabytes on a disk of one: refused by its size before a byte is read, as a database and as Parquet."""
    (tmp_path / "big").mkdir()
    for file in (tmp_path / "big.sqlite", tmp_path / "big" / "bets.parquet"):
        with file.open("wb") as f:
            f.write(b"SQLite format 3\0")
            f.truncate(max(10 * 2**30, LEDGER_FILE_BYTES_MAX + 1))
    assert refused(lambda: read_ledger(tmp_path / "big.sqlite")).code == "ledger.too-large"
    assert refused(lambda: read_ledger(tmp_path / "big")).code == "ledger.too-large"


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.97, 1 - 1e-4])
def test_truncated_parquet(kept: float, case: Path, tmp_path: Path) -> None:
    """Cut anywhere: the file is named, nothing of it is judged."""
    folder = parquet(case / "ledger.sqlite", tmp_path / "p")
    whole = (folder / "bets.parquet").read_bytes()
    (folder / "bets.parquet").write_bytes(whole[: int(len(whole) * kept)])
    e = refused(lambda: read_ledger(folder))
    assert (e.code, e.at) == ("ledger.unreadable", "bets.parquet")


def test_parquet_whose_middle_is_damaged(case: Path, tmp_path: Path) -> None:
    """A footer that is whole says nothing of the pages before it."""
    folder = parquet(case / "ledger.sqlite", tmp_path / "p")
    data = bytearray((folder / "users.parquet").read_bytes())
    data[4:60] = b"\0" * 56
    (folder / "users.parquet").write_bytes(bytes(data))
    assert refused(lambda: read_ledger(folder)).code in ("ledger.unreadable", "ledger.column-type", "ledger.duplicate")


def test_tables_named_like_sql(case: Path, tmp_path: Path) -> None:
    """Are other tables, in a database and in a folder: never run, never read."""
    before = read_ledger(case / "ledger.sqlite")
    folder = parquet(case / "ledger.sqlite", tmp_path / "p")
    sql(case, 'CREATE TABLE "bets""; DROP TABLE users; --" (id integer)', 'CREATE TABLE "users\'; --" (id integer)')
    assert read_ledger(case / "ledger.sqlite") == before
    (folder / "bets; DROP TABLE users.parquet").write_bytes(b"")
    assert read_ledger(folder).users == before.users


@pytest.mark.parametrize("engine", ["python", "numba"])
@pytest.mark.parametrize("how", ["ns", "int96"])
def test_moments_as_other_tools_write_them(how: str, engine: str, case: Path, tmp_path: Path) -> None:
    """Nanoseconds as pandas does, 96 bits as Spark does, the year 1 among them; what is finer than the ledger's is refused."""
    folder = parquet(case / "ledger.sqlite", tmp_path / "p")
    before = read_ledger(folder)
    for file in folder.iterdir():
        table = pq.read_table(file)
        for i, name in enumerate(table.column_names):
            if name.endswith(("_at", "_time")) and pa.types.is_string(table[name].type):
                texts = [x and x.rstrip("Z") for x in table[name].to_pylist()]
                column = pa.array(texts, pa.string()).cast(pa.timestamp("us"))
                old = any(x and x < "1700" for x in texts)
                table = table.set_column(i, name, column if old or how == "int96" else column.cast(pa.timestamp("ns")))
        pq.write_table(table, file, use_deprecated_int96_timestamps=how == "int96")
    assert verify_ledger(folder, engine=engine).ledger["digest"] == before.digest
    if how == "ns":
        bets = pq.read_table(folder / "bets.parquet")
        i = bets.column_names.index("placed_at")
        finer = pa.array([x + 7 for x in bets["placed_at"].cast(pa.int64()).to_pylist()], pa.timestamp("ns"))
        pq.write_table(bets.set_column(i, "placed_at", finer), folder / "bets.parquet")
        e = refused(lambda: verify_ledger(folder, engine=engine))
        assert (e.code, e.at) == ("ledger.column-type", "bets.placed_at rowid 1")


@pytest.mark.parametrize("engine", ["auto", "numba"])
@pytest.mark.parametrize("name", ["{}.parquet", "{}"])
@pytest.mark.parametrize("table", ["bets", "market_groups"])
def test_a_table_in_several_files_is_not_taken_for_an_empty_one(table: str, name: str, engine: str, case: Path, tmp_path: Path) -> None:
    """As Spark writes it: named, with what is expected."""
    folder = parquet(case / "ledger.sqlite", tmp_path / "p")
    (folder / f"{table}.parquet").rename(tmp_path / "part")
    (folder / name.format(table)).mkdir()
    (tmp_path / "part").rename(folder / name.format(table) / "part-00000.parquet")
    e = refused(lambda: verify_ledger(folder, engine=engine))
    assert (e.code, e.at, e.expected) == ("ledger.unreadable", str(folder / name.format(table)), f"one file a table: {table}.parquet")


def test_a_column_named_twice(case: Path, tmp_path: Path) -> None:
    """Nobody knows which is meant."""
    folder = parquet(case / "ledger.sqlite", tmp_path / "p")
    bets = pq.read_table(folder / "bets.parquet")
    pq.write_table(bets.append_column("amount", bets["amount"]), folder / "bets.parquet")
    for engine in ("python", "numba", "duckdb"):
        e = refused(lambda engine=engine: verify_ledger(folder, engine=engine))  # type: ignore[misc]
        assert (e.code, e.at) == ("ledger.unreadable", "bets.parquet")


def test_parquet_and_sqlite_give_the_same(case: Path, tmp_path: Path) -> None:
    """The same rows, the same digest, the same result."""
    folder = parquet(case / "ledger.sqlite", tmp_path / "p")
    assert read_ledger(folder) == read_ledger(case / "ledger.sqlite")


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("--receipts", b"\xfd7zXZ\0 and no more", "ledger.unreadable"),
        ("--answers", b"\xfd7zXZ\0 and no more", "ledger.unreadable"),
        ("--ruleset", b"{", "json.syntax"),
        ("--timeline", b"[]", "ledger.timeline"),
        ("--economics", b"- 1", "ledger.ruleset"),
    ],
)
def test_files_beside_a_ledger(name: str, text: bytes, code: str, case: Path, tmp_path: Path) -> None:
    """A cut archive, no JSON, no eras, no economics: refused by name, exit 20, as JSON and as text of at most four lines."""
    (tmp_path / "x.json").write_bytes(text)
    done = command("verify", str(case / "ledger.sqlite"), name, str(tmp_path / "x.json"), "--json")
    assert done.returncode == 20
    assert json.loads(done.stdout)["error"]["code"].startswith(code.split(".")[0])
    words = command("verify", str(case / "ledger.sqlite"), name, str(tmp_path / "x.json"))
    assert (words.returncode, words.stdout) == (20, "")
    assert len(words.stderr.splitlines()) <= 4
    assert "Traceback" not in words.stderr


@pytest.mark.parametrize("option", ["--answers", "--economics", "--timeline"])
def test_a_file_beside_a_ledger_that_is_not_there(option: str, case: Path, tmp_path: Path) -> None:
    """Was meant to be looked at: refused by its whole path."""
    gone = str(tmp_path / "none.ndjson")
    done = command("verify", str(case / "ledger.sqlite"), option, gone, "--json")
    assert done.returncode == 20
    assert json.loads(done.stdout)["error"]["at"] == gone


def test_receipts_that_are_not_there(case: Path, tmp_path: Path) -> None:
    """Are said, by their whole path, and are no pass where they were required."""
    gone = str(tmp_path / "none.ndjson")
    done = command("verify", str(case / "ledger.sqlite"), "--receipts", gone, "--json")
    assert (done.returncode, gone in str(json.loads(done.stdout)["notes"])) == (0, True)
    done = command("verify", str(case / "ledger.sqlite"), "--receipts", gone, "--require", "J1", "--json")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (10, "inconclusive")


@pytest.mark.parametrize("packed", [False, True])
def test_receipts_from_a_pipe_are_read_from_their_beginning(packed: bool, tmp_path: Path) -> None:
    """Plain or packed, even when the first bytes come one by one."""
    import lzma
    import threading

    plain = b"".join(b'{"number":%d}\n' % i for i in range(2000))
    data = lzma.compress(plain) if packed else plain
    (tmp_path / "plain").write_bytes(data)
    os.mkfifo(tmp_path / "pipe")

    def write() -> None:
        with (tmp_path / "pipe").open("wb", buffering=0) as f:
            for i in range(8):
                f.write(data[i : i + 1])
                time.sleep(0.01)
            f.write(data[8:])

    writer = threading.Thread(target=write)
    writer.start()
    found = list(records(tmp_path / "pipe"))
    writer.join()
    assert found == list(records(tmp_path / "plain")) == [{"number": i} for i in range(2000)]


def command(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "release_dossier", "ledger", *words]
    return subprocess.run(program, capture_output=True, text=True, env=os.environ | env, timeout=60, check=False)


def test_nothing_is_left_behind(case: Path, tmp_path: Path) -> None:
    """Reading makes no file, beside the ledger or among temporary files, whether it ends well or badly."""
    (tmp_path / "tmp").mkdir()
    before = sorted(p.name for p in case.iterdir())
    command("verify", str(case / "ledger.sqlite"), "--ruleset", "v3.8.1", TMPDIR=str(tmp_path / "tmp"))
    (case / "cut.sqlite").write_bytes((case / "ledger.sqlite").read_bytes()[:30_000])
    assert command("verify", str(case / "cut.sqlite"), TMPDIR=str(tmp_path / "tmp")).returncode == 20
    (case / "cut.sqlite").unlink()
    assert sorted(p.name for p in case.iterdir()) == before
    assert list((tmp_path / "tmp").iterdir()) == []


def test_interrupted_while_it_reads(postgres: Server, case: Path, tmp_path: Path) -> None:
    """Ctrl-C while a server is read: it ends at once, without a trace here and without a session there."""
    import psycopg

    address = postgres.new()
    copied(case / "ledger.sqlite", address)
    mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dossier ledger' AND datname = current_database()"
    with psycopg.connect(address) as other:
        other.execute("LOCK TABLE bets IN ACCESS EXCLUSIVE MODE")
        program = [sys.executable, "-m", "release_dossier", "ledger", "verify", address]
        running = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        until(address, f"SELECT ({mine} AND wait_event_type = 'Lock') = 1")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode not in (0, 10)
    assert out == ""
    assert "Traceback" not in err
    until(address, f"SELECT ({mine}) = 0")
    assert [p.name for p in tmp_path.iterdir()] == ["case"]
    shutil.rmtree(case)


@pytest.mark.parametrize("engine", ["python", "numba"])
def test_rows_read_are_told(engine: str, case: Path) -> None:
    """A database says how far reading it is, by rows and by columns: ever more, and never more than there are."""
    told: list[tuple[int, int]] = []
    verify_ledger(case / "ledger.sqlite", ruleset="v3.8.1", engine=engine, reading=lambda done, of: told.append((done, of)))
    assert told == sorted(told)
    assert all(0 < done <= of for done, of in told)
    assert len(told) >= 3


def test_interrupted_while_a_file_is_read(case: Path, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a database: 130, one line in words, nothing on stdout and no file left."""
    (tmp_path / "tmp").mkdir()
    many = "WITH RECURSIVE n(i) AS (SELECT 100000 UNION ALL SELECT i + 1 FROM n WHERE i < 900000) "
    sql(case, many + "INSERT INTO bets (id, username, market_id, amount, placed_at, outcome) "
        "SELECT i, 'alice', 1, 1, '2026-11-20T00:00:00.000000Z', 'YES' FROM n")  # fmt: skip
    before = sorted(p.name for p in case.iterdir())
    text = (
        "import os, signal, sys; from release_dossier.sources import ledger_files as f; from release_dossier.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started with it ignored\n"
        "real = f.reader_of\n"
        "def told(db, at, step=None):\n"
        "    return real(db, at, lambda done, of: os.kill(os.getpid(), signal.SIGINT) if done > 20000 else None)\n"
        "f.reader_of = told\n"
        "sys.exit(main.run(sys.argv[1:]))"
    )
    words = ["ledger", "verify", str(case / "ledger.sqlite"), "--engine", "python"]
    env = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    done = subprocess.run([sys.executable, "-c", text, *words], capture_output=True, text=True, env=env, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.strip() == "stopped; what was recorded before stands"
    assert sorted(p.name for p in case.iterdir()) == before
    assert list((tmp_path / "tmp").iterdir()) == []


@contextmanager
def nobody() -> Iterator[None]:
    """Whoever runs the tests, as a user to whom file modes apply."""
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("engine", ["python", "auto", "numba"])
@pytest.mark.parametrize("closed", ["a.sqlite", "p/bets.parquet", "p", "."])
def test_a_ledger_this_user_may_not_read(closed: str, engine: str, case: Path) -> None:
    """A database, a table, a folder, the folder around it: one code that says so, whatever the form and the engine."""
    verify_ledger(case / "ledger.sqlite", engine=engine)  # what is needed is loaded
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    shutil.copy(case / "ledger.sqlite", folder / "a.sqlite")
    parquet(case / "ledger.sqlite", folder / "p")
    (folder / closed).chmod(0)
    try:
        for source in [folder / "a.sqlite"] * (closed in ("a.sqlite", ".")) + [folder / "p"] * (closed != "a.sqlite"):
            with nobody():
                e = refused(lambda source=source: verify_ledger(source, engine=engine))  # type: ignore[misc]
            assert (e.code, e.found) == ("ledger.no-permission", "this user may not read it")
            assert e.at == str(source if closed == "." else folder / closed)
    finally:
        for path in (folder, folder / "p"):
            path.chmod(0o755)
        shutil.rmtree(folder)


def test_an_empty_file_and_a_folder_around_a_database(case: Path, tmp_path: Path) -> None:
    """What lies there is said in words, and how to name what was meant; an engine that was asked for changes nothing."""
    (tmp_path / "empty.sqlite").touch()
    assert refused(lambda: read_ledger(tmp_path / "empty.sqlite")).found == "an empty file"
    for engine in ("auto", "numba"):
        e = refused(lambda engine=engine: verify_ledger(case, engine=engine))  # type: ignore[misc]
        assert (e.code, "ledger.sqlite lies inside" in e.found, str(case / "ledger.sqlite") in e.help) == (
            "ledger.missing-table",
            True,
            True,
        )
    (tmp_path / "bare").mkdir()
    assert refused(lambda: read_ledger(tmp_path / "bare")).found == "no Parquet file"


@pytest.mark.parametrize("build", ["9.9.9", "0123456789abcdef"])
def test_a_writer_nobody_knows_is_said_to_be_unknown(build: str, case: Path) -> None:
    """It stays the writer's name and decides no rules: a note says so and which builds are known. Named rules need none."""
    v = verify_ledger(case / "ledger.sqlite", written_by=build)
    note = next(n for n in v.notes if f"{build} is no known build" in n)
    assert "known: v2.0.0, " in note
    assert v.ledger["written_by"] == build
    assert not any("no known build" in n for n in verify_ledger(case / "ledger.sqlite", written_by=build, ruleset="v3.8.1").notes)


@pytest.mark.parametrize("build", ["3.8.1", "v3.8", "3d978faa"])
def test_a_known_writer_gives_its_rules(build: str, case: Path) -> None:
    """By version or by the commit of its tag, without a note that it is unknown."""
    v = verify_ledger(case / "ledger.sqlite", written_by=build)
    assert (v.ruleset, any("no known build" in n for n in v.notes)) == ("v3.8.1", False)


@pytest.mark.parametrize(
    ("change", "words", "ends"),
    [
        ("UPDATE users SET account_balance = account_balance + 999 WHERE username = 'bob'", ["--ruleset", "v3.8.1"], "--explain bob"),
        ("UPDATE bets SET market_id = 777 WHERE id = 9", ["--only", "S2"], "--only S2 --json, which names each row of S2"),
        ("UPDATE bets SET id = id", ["--require", "J1"], "--require J1 --receipts FILE"),
        ("UPDATE bets SET id = id", ["--minted-max", "0", "--ruleset", "v3.8.1"], "--minted-max 0 --json, which names each row of R5"),
        ("UPDATE bets SET id = id", ["--require", "R8", "--receipts", "journal"], "--answers FILE"),
        ("INSERT INTO schema_migrations (id) VALUES ('99990101000000')", [], "--assume-schema"),
    ],
)
def test_what_did_not_pass_says_what_to_run_next(change: str, words: list[str], ends: str, case: Path) -> None:
    """Its last line is a command on the same ledger under the same rules; a pass has none."""
    file = str(sql(case, change))
    journal = str(next(iter(sorted(case.glob("journal*"))), case))
    done = command("verify", file, *(journal if w == "journal" else w for w in words))
    last = done.stdout.splitlines()[-1]
    assert done.returncode == 10
    assert last.startswith(f"next: dossier ledger verify {file}")
    assert last.endswith(ends)
    assert "--ruleset" not in words or "--ruleset v3.8.1" in last


def test_an_account_says_by_how_much_it_is_off(case: Path) -> None:
    """Rules and notes first, the difference last, whether there is one or not."""
    out = command("verify", str(case / "ledger.sqlite"), "--explain", "bob", "--written-by", "9.9.9").stdout.splitlines()
    assert out[0].startswith("statement of account of bob under the rules of v3.8.")
    assert "9.9.9 is no known build" in out[1]
    assert out[-1].startswith("no difference: balance ")
    off = sql(case, "UPDATE users SET account_balance = account_balance - 1 WHERE username = 'newbie'")
    last = command("verify", str(off), "--explain", "newbie", "--ruleset", "v3.8.1").stdout.splitlines()[-1]
    assert last.startswith("1 credit too few: balance -1, the statement comes to 0")


@pytest.mark.parametrize(
    ("words", "code", "meant"),
    [
        (["verify", "LEDGER", "--explain", "Bobb", "--ruleset", "v3.8.1"], "ledger.unknown-user", "bob"),
        (["verify", "LEDGER", "--only", "r6"], "ledger.unknown-check", "R6"),
        (["settle", "LEDGER", "--market", "1", "--sell", "BOB:YES:3"], "ledger.unknown-user", "bob"),
        (["generate", "there", "--mutant", "double-resolv"], "ledger.unknown-mutant", "double-resolve"),
    ],
)
def test_a_slip_in_a_name_is_answered_with_the_nearest(words: list[str], code: str, meant: str, case: Path) -> None:
    """A user, a check, a defect."""
    given = [str(case / "ledger.sqlite") if w == "LEDGER" else str(case / w) if w == "there" else w for w in words]
    done = command(*given, "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (20, code)
    assert error["help"].startswith("did you mean ")
    assert meant in error["help"].removeprefix("did you mean ").rstrip("?").split(" or ")


@pytest.mark.parametrize(
    ("option", "text", "code", "found"),
    [
        ("--timeline", "[]", "ledger.timeline", "no era"),
        ("--timeline", "[1]", "ledger.timeline", "an era that is no object"),
        ("--timeline", "{}", "ledger.timeline", "no list"),
        ("--ruleset", None, "ledger.unreadable", "No such file or directory"),
    ],
)
def test_what_is_wrong_with_a_file_of_rules(option: str, text: str | None, code: str, found: str, case: Path) -> None:
    """Is said, also where there is no such file: that is no unknown release."""
    file = case / "named.json"
    if text is not None:
        file.write_text(text)
    e = refused(lambda: verify_ledger(case / "ledger.sqlite", **{option.removeprefix("--"): str(file)}))  # type: ignore[arg-type]
    assert (e.code, e.found) == (code, found)
