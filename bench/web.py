"""The server with 10,000 releases and 300,000 pieces of evidence: list, filter and search, a release's page, first paint, memory, start.

The log is whole: every entry chained, the tree signed. Documents lie on disk for the newest releases, which are the ones whose pages are
asked for; the index is folded from the same predicates the documents would hold, so lists and filters see all of it. Peers in the same run:
a bare FastAPI page, and Datasette on a table of the same rows when DATASETTE names its command.
"""

from __future__ import annotations

import copy
import http.client
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(ROOT))
from cold import DOSSIER, keep  # noqa: E402

RELEASES = int(os.environ.get("RELEASES", "10000"))
EVIDENCE = 30  # pieces a release
WHOLE = 60  # newest releases whose documents lie on disk
ASKED = int(os.environ.get("ASKED", "300"))  # requests of one client
SERVICES = ("trading", "settlement", "identity", "governance", "content", "frontend")
SEED = 20261123


def documents(root: Path) -> tuple[Path, dict[str, str], dict[str, Any]]:
    """A played demo, and the predicates of its newest release to make the others from."""
    from release_dossier.steps.world import open_world

    subprocess.run([DOSSIER, "demo", "--keep", str(root / "demo"), "--json"], check=True, capture_output=True)
    repo = root / "demo" / "socialpredict"
    env = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    from release_dossier.cli import edge

    world = open_world(repo, env, edge.now())
    found: dict[str, Any] = {}
    for e in world.store.entries():
        found.setdefault(e.type, {})
        found[e.type] = world.statement(e.digest, e.type).predicate
        if e.type == "decision" and found[e.type]["outcome"] == "DENY":
            found["denied"] = found[e.type]
    return repo, env, found


class Made:
    """Releases in log order: (type, key, change digest, statement)."""

    def __init__(self, project: str, seed: dict[str, Any]) -> None:
        self.project, self.seed, self.dice = project, seed, random.Random(SEED)
        self.count, self.whole = 0, False

    def statement(self, word: str, predicate: dict[str, Any]) -> Any:
        """A statement; one whose document will not lie on disk needs no bytes, only a digest of its own."""
        from release_dossier.digest import sha256
        from release_dossier.trust.statement import Statement, Subject, state

        self.count += 1
        if self.whole:
            return state(word, self.project, [Subject(word, {"sha256": "0" * 64})], predicate)
        return Statement(word, self.project, (), predicate, b"", sha256(b"%d" % self.count))

    def release(self, n: int) -> Iterator[tuple[str, str, str, Any]]:
        self.whole = n >= RELEASES - WHOLE
        service, version = SERVICES[n % len(SERVICES)], f"{n // 600}.{n // 6 % 100}.0"
        day = f"2026-{1 + n * 10 // RELEASES:02d}-{1 + n % 28:02d}T09:00:00.000Z"
        change = copy.deepcopy(self.seed["change"])
        change |= {"branch": f"release/{service}-{version}", "head": f"{n:040x}", "owner": self.dice.choice(("ann", "bo", "cy", "dee"))}
        change["services"][0] |= {"name": service, "version": version}
        change["issue"] = {"title": f"Release {version} of {service}", "number": n}
        change["opened_at"] = day
        opened = self.statement("change", change)
        yield "change", change["branch"], opened.digest, opened
        attempts = []
        for i in range(EVIDENCE):
            e = dict(self.seed["evidence"])
            like = self.seed["dossier"]["evidence"][i % len(self.seed["dossier"]["evidence"])]
            name = like["name"] if i < len(self.seed["dossier"]["evidence"]) else f"{like['name']}-{i}"
            ended = "2027-01-01T00:00:00.000Z" if n % 3 else "2026-11-24T00:00:00.000Z"
            e |= {"change": opened.digest, "name": name, "service": service, "attempt": 1, "observed_at": day, "expires_at": ended}
            said = self.statement("evidence", e)
            yield "evidence", f"{name}/{service}", opened.digest, said
            attempts.append(like | {"name": name, "service": service, "digest": said.digest, "observed_at": day, "expires_at": ended})
        yield from self.closed(n, service, version, day, opened, change, attempts)

    def closed(self, n: int, service: str, version: str, day: str, opened: Any, change: Any, attempts: Any) -> Iterator[Any]:
        dossier = self.seed["dossier"] | {"change_digest": opened.digest, "change": change, "evidence": attempts}
        for part in ("findings", "absent", "drift"):
            dossier[part] = [x | {"service": service} for x in dossier[part]]
        dossier["owners"] = [{"service": service, "owners": ["@ledger"]}]
        asked = [x | {"service": service} for x in dossier["rules"]["requirements"]]
        dossier["rules"] = dossier["rules"] | {"requirements": asked}
        made = self.statement("dossier", dossier)
        yield "dossier", change["branch"], opened.digest, made
        denied = n % 4 == 0
        decision = self.seed["denied" if denied else "decision"] | {"dossier": made.digest, "at": day}
        digests = [a["digest"] for a in attempts]
        decision["requirements"] = [
            x | {"service": service, "evidence": [digests[i % EVIDENCE]]} for i, x in enumerate(decision["requirements"])
        ]
        decision["services"] = [{"service": service, "version": version, "outcome": "DENY" if denied else "ALLOW"}]
        said = self.statement("decision", decision)
        yield "decision", made.digest, opened.digest, said
        if not denied:
            release = self.seed["release"] | {"service": service, "version": version, "tag": f"{service}-v{version}", "commit": f"{n:040x}"}
            release |= {"dossier": made.digest, "decision": said.digest, "released_at": day}
            yield "release", f"{service}@{version}", made.digest, self.statement("release", release)


def fill(repo: Path, env: dict[str, str], seed: dict[str, Any]) -> tuple[int, list[tuple[str, str]]]:
    """The log, the index and the newest documents; returns the number of entries and the releases that lie whole."""
    import msgspec

    from release_dossier.cli import edge
    from release_dossier.digest import sha256
    from release_dossier.steps.world import LOG_REF, open_world, producer_key_path
    from release_dossier.store.documents import Documents
    from release_dossier.store.tail import Tail
    from release_dossier.trust.dsse import parse_envelope, seal
    from release_dossier.trust.keys import load_signer
    from release_dossier.trust.log import leaf_of, make_checkpoint, next_entry
    from release_dossier.trust.merkle import Frontier
    from release_dossier.web.catalog import Catalog, Read

    world = open_world(repo, env, edge.now())
    signer, home = load_signer(producer_key_path(world.home, env)), world.home
    catalog = Catalog(Tail(home, world.trust.project), home / "index.sqlite", world.trust.public_keys, world.trust.machine_keys)
    made, frontier, last, known, whole, offset = Made(world.trust.project, seed), Frontier(), None, {}, [], 0
    documents = Documents(home)
    catalog.read = lambda entry: known[entry.digest]  # type: ignore[method-assign,assignment]
    db = catalog._db
    with (home / "log" / "entries.ndjson").open("wb") as log, db:
        db.execute("begin")
        for n in range(RELEASES):
            known.clear()
            nodes: list[tuple[int, int, bytes]] = []
            for kind, key, change, statement in made.release(n):
                kept = n >= RELEASES - WHOLE
                raw = seal(statement, (signer,)) if kept else b""
                envelope = sha256(raw) if kept else statement.digest
                about = {"type": kind, "digest": statement.digest, "envelope": envelope, "change": change, "key": key}
                last = next_entry(last, **about, at=statement.predicate.get("opened_at", "2026-11-23T09:00:00.000Z"))
                known[statement.digest] = Read(last, None, statement, frozenset())  # type: ignore[arg-type]
                frontier.append(leaf_of(last.line()), lambda height, i, node, nodes=nodes: nodes.append((height, i, node)))  # type: ignore[misc]
                offset += log.write(last.line() + b"\n")
                catalog.enter(last)
                catalog.take(last, statement.predicate)
                if kept:
                    parse_envelope(raw, "made")
                    documents.append(last.n, [raw], None)
                    if kind == "change":
                        whole.append((statement.predicate["services"][0]["name"], statement.predicate["services"][0]["version"]))
            db.executemany("insert into nodes values (?, ?, ?)", nodes)
        position = (frontier.size, offset, frontier.kept(), msgspec.json.encode(last))
        db.execute("update position set size = ?, offset = ?, frontier = ?, last = ?", position)
    head = make_checkpoint(world.trust.project, frontier.size, frontier.root(), signer)
    (home / "log" / "checkpoint").write_bytes(head)
    world.repo.keep(LOG_REF, head)
    (home / "log" / "journal.ndjson").unlink(missing_ok=True)
    return frontier.size, whole


def ask(port: int, paths: list[str], times: Any = None) -> list[float]:
    """Milliseconds of each request of one client over one connection."""
    out = []
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for p in paths:
        began = time.perf_counter()
        c.request("GET", p)
        answer = c.getresponse()
        body = answer.read()
        out.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            sys.exit(f"{p}: {answer.status} {body[:300]!r}")
    c.close()
    if times is not None:
        times.extend(out)
    return out


def eight(port: int, paths: list[str]) -> list[float]:
    """The same by eight clients at once, each a process."""
    with multiprocessing.Pool(8) as pool:
        return [t for part in pool.starmap(ask, [(port, paths[i::8] * 2) for i in range(8)]) for t in part]


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


@contextmanager
def running(command: list[str], env: dict[str, str], port: int, path: str = "/") -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A server as a process, and seconds until its first answer."""
    began = time.perf_counter()
    p = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            ask(port, [path])
            break
        except OSError:
            if p.poll() is not None or time.perf_counter() - began > 60:
                sys.exit(f"{command}: did not start")
            time.sleep(0.01)
    try:
        yield p, time.perf_counter() - began
    finally:
        p.send_signal(signal.SIGINT)
        p.wait(20)


def rss_mib(pid: int) -> float:
    """Resident memory at its highest."""
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def lists(seed: int) -> list[str]:
    """What somebody looking around asks for: pages, filters, searches, both orders."""
    dice = random.Random(seed)
    makers: tuple[Callable[[], str], ...] = (
        lambda: f"/?page={dice.randint(1, 150)}",
        lambda: f"/?status={dice.choice(('blocked', 'released'))}&service={dice.choice(SERVICES)}",
        lambda: f"/?owner={dice.choice(('ann', 'bo'))}&age={dice.choice(('ended', 'fresh'))}&sort=ending",
        lambda: f"/?q={dice.randint(0, RELEASES):040x}",
        lambda: f"/?q={dice.choice(SERVICES)}+{dice.randint(0, 16)}.&failing=latency",
    )
    return [dice.choice(makers)() for _ in range(ASKED)]


def first_paint_ms(url: str) -> float | None:
    """Of the list in Chromium, None where there is none."""
    import shutil

    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        page = browser.new_page()
        page.goto(url)
        page.wait_for_timeout(200)
        found = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        browser.close()
    return float(found)


BARE = "import uvicorn\nfrom fastapi import FastAPI\nfrom fastapi.responses import HTMLResponse\na=FastAPI()\n" + (
    "@a.get('/')\ndef f():\n    return HTMLResponse('<!doctype html><title>x</title><p>x')\nuvicorn.run(a,port=%d,log_level='error')"
)


def peers(root: Path, rows: Iterable[tuple[Any, ...]]) -> list[dict[str, object]]:
    """A bare page, and Datasette on the same rows, with the same clients."""
    out: list[dict[str, object]] = []
    with running([sys.executable, "-c", BARE % 8931], dict(os.environ), 8931):
        paths = ["/"] * ASKED
        out.append({"name": "a bare FastAPI page p95, one client", "value": p95(ask(8931, paths)), "unit": "ms"})
        out.append({"name": "a bare FastAPI page p95, eight clients", "value": p95(eight(8931, paths)), "unit": "ms"})
    datasette = os.environ.get("DATASETTE")
    if not datasette:
        print("○ Datasette not measured: DATASETTE names no command (pip install datasette, anywhere)")
        return out
    file = root / "rows.db"
    with sqlite3.connect(file) as db:
        db.execute("create table releases(service, version, status, owner, issue, objective, head, updated)")
        db.executemany("insert into releases values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    with running([datasette, "serve", str(file), "--port", "8932"], dict(os.environ), 8932, "/rows/releases"):
        dice = random.Random(SEED)
        facets = "_facet=status&_facet=service&_facet=owner&_size=50"
        paths = [
            f"/rows/releases?{facets}&{dice.choice(('status=blocked', 'service=trading', 'owner=ann', '_sort=version'))}"
            for _ in range(ASKED)
        ]
        out.append({"name": "Datasette on the same rows p95, one client", "value": p95(ask(8932, paths[: ASKED // 3])), "unit": "ms"})
        out.append({"name": "Datasette on the same rows p95, eight clients", "value": p95(eight(8932, paths[: ASKED // 3])), "unit": "ms"})
    return out


def main() -> None:
    with tempfile.TemporaryDirectory() as d:
        root = Path(d)
        repo, env, seed = documents(root)
        entries, whole = fill(repo, env, seed)
        print(f"{RELEASES} releases, {RELEASES * EVIDENCE} pieces of evidence, {entries} log entries")
        port = 8930
        with running([DOSSIER, "-C", str(repo), "serve", "--port", str(port)], env, port) as (server, started):
            one, many = p95(ask(port, lists(1))), p95(eight(port, lists(2)))
            dice = random.Random(SEED)
            pages = [f"/releases/{s}/{v}" for s, v in (dice.choice(whole) for _ in range(ASKED))]
            release = p95(ask(port, pages))
            paint = first_paint_ms(f"http://127.0.0.1:{port}/")
            memory = rss_mib(server.pid)
        with sqlite3.connect(repo / ".dossier" / "index.sqlite") as db:
            bodies = [json.loads(b) for (b,) in db.execute("select body from rounds")]
        rows = [
            tuple(b.get(k, "") for k in ("service", "version", "status", "owner", "issue", "objective", "head", "updated_at"))
            for b in bodies
        ]
        figures: list[dict[str, object]] = [
            {"name": "list, filter, search p95, one client", "value": one, "unit": "ms", "limit": 15},
            {"name": "list, filter, search p95, eight clients", "value": many, "unit": "ms", "limit": 120},
            {"name": "a release's page p95", "value": release, "unit": "ms", "limit": 30},
            *([] if paint is None else [{"name": "first paint of the list in Chromium", "value": paint, "unit": "ms", "limit": 1000}]),
            {"name": "memory of the server at its highest", "value": memory, "unit": "MiB", "limit": 300},
            {"name": "start to first answer", "value": started, "unit": "s", "limit": 1.5},
            *peers(root, rows),
        ]
        keep("web", figures)


if __name__ == "__main__":
    main()
