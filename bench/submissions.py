"""1,000 concurrent submissions of evidence, one in five sent twice, the server killed twice meanwhile: nothing lost, nothing doubled.

The server is a process of its own and is killed with SIGKILL; clients send again under the same key until they are answered. Beside it, in
the same run, what the disk alone takes for the same bytes: one file written, synced and renamed for each submission, one after the other.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from cold import keep

from tests.town import ISSUE, JUNIT, Town

SUBMISSIONS, TWICE, CLIENTS, KILLS = 1_000, 5, 16, 2
SECONDS_MAX = 300


def port_free() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Server:
    """`dossier serve` as a process that may be killed and begun again."""

    def __init__(self, town: Town) -> None:
        self.town, self.port = town, port_free()
        self.begin()

    def begin(self) -> None:
        command = [sys.executable, "-m", "release_dossier", "-C", str(self.town.repo), "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=self.town.env, stderr=subprocess.DEVNULL)
        for _ in range(400):
            try:
                if self.ask("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the server did not begin")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict]:  # type: ignore[type-arg]
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = c.getresponse()
            return answer.status, json.loads(answer.read())
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        finally:
            c.close()


def disk_s(folder: Path, files: list[bytes]) -> float:
    began = time.perf_counter()
    for i, content in enumerate(files):
        fresh = folder / f"{i}.new"
        with fresh.open("wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        fresh.rename(folder / str(i))
    return time.perf_counter() - began


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SUBMISSIONS
    with tempfile.TemporaryDirectory() as d:
        town = Town(Path(d))
        server = Server(town)
        status, opened = server.ask(
            "POST", "/api/v1/changes", json.dumps({"issue": ISSUE, "branch": "fix/rounding"}).encode(), content_type="application/json"
        )
        assert status == 201, opened
        where = f"/api/v1/changes/{opened['change']['digest']}/evidence/tests?filename=results.xml"
        files = [(JUNIT + f"<!-- {i} -->\n").encode() for i in range(count)]
        order = [*range(count), *range(0, count, TWICE)]
        times: list[float] = []
        answers: dict[int, set[str]] = {}
        done, deadline = threading.Semaphore(0), time.monotonic() + SECONDS_MAX

        def hand_in(i: int) -> None:
            while time.monotonic() < deadline:
                began = time.perf_counter()
                try:
                    status, body = server.ask("POST", where, files[i], idempotency_key=f"k{i}")
                except OSError:
                    time.sleep(0.02)
                    continue
                if status == 201:
                    times.append((time.perf_counter() - began) * 1000)
                    answers.setdefault(i, set()).add(body["evidence"][0]["digest"])
                    done.release()
                    return
                assert status == 503, (status, body)

        def assassin() -> None:
            for _ in range(KILLS):
                for _ in range(len(order) // (KILLS + 1)):
                    done.acquire()
                server.kill()
                server.begin()

        began = time.perf_counter()
        killer = threading.Thread(target=assassin)
        killer.start()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(hand_in, order))
        killer.join()
        whole = time.perf_counter() - began
        rows, cursor = [], ""
        while True:
            _, page = server.ask("GET", f"/api/v1/evidence?limit=500&cursor={cursor}")
            rows += page["items"]
            cursor = page["next"]
            if not cursor:
                break
        server.kill()
        said = {next(iter(a)) for a in answers.values()}
        lost = count - len(answers) + len(said - {r["digest"] for r in rows})
        doubled = len(rows) - count + sum(len(a) > 1 for a in answers.values())
        gaps = sorted(r["attempt"] for r in rows) != list(range(1, len(rows) + 1))
        audit = town.dossier("log", "audit")
        disk = disk_s(Path(d), files)
    times.sort()
    keep(
        "submissions",
        [
            {"name": f"{len(order)} submissions, {CLIENTS} clients, {KILLS} kills", "value": whole, "unit": "s"},
            {"name": "one submission, median", "value": statistics.median(times), "unit": "ms"},
            {"name": "one submission, p95", "value": times[int(len(times) * 0.95)], "unit": "ms"},
            {"name": "lost", "value": lost, "unit": "submissions", "limit": 0},
            {"name": "doubled", "value": doubled, "unit": "submissions", "limit": 0},
            {"name": "gaps in attempts", "value": int(gaps), "unit": "", "limit": 0},
            {"name": "entries of the log, audited", "value": audit["size"], "unit": "entries"},
            {"name": "the disk alone, one synced file each", "value": disk, "unit": "s"},
        ],
    )


if __name__ == "__main__":
    main()
