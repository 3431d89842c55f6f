"""Sign, append and verify one statement: the cost of everything that is said. Durable, so the disk's own sync is measured beside it."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cold import keep

from release_dossier.store.files import FileStore, new_key
from release_dossier.trust.dsse import parse_envelope, seal, valid_keys
from release_dossier.trust.keys import load_signer
from release_dossier.trust.statement import Subject, state

RUNS = 300


def sync_ms(folder: Path) -> float:
    """One write and fdatasync of a small file, the disk's own price."""
    times = []
    with (folder / "probe").open("wb") as f:
        for _ in range(RUNS):
            began = time.perf_counter()
            f.write(b"x" * 500)
            f.flush()
            os.fdatasync(f.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def main() -> None:
    with tempfile.TemporaryDirectory() as d:
        home = Path(d) / "home"
        new_key(home / "keys" / "producer")
        signer = load_signer(home / "keys" / "producer")
        store = FileStore(home, "sha256:" + "0" * 64)
        known = {signer.key_id: signer.public}
        whole, cpu = [], []
        for i in range(RUNS):
            began, work = time.perf_counter(), time.process_time()
            statement = state("started", "sha256:" + "0" * 64, [Subject("s", {"sha256": "0" * 64})], {"i": i})
            raw = seal(statement, (signer,))
            store.put(raw, type="started", change="", key="k", at="2026-01-01T00:00:00.000Z")
            envelope = parse_envelope(store.document(statement.digest), "bench")
            assert valid_keys(envelope, known, "bench") == {signer.key_id}
            whole.append((time.perf_counter() - began) * 1000)
            cpu.append((time.process_time() - work) * 1000)
        disk = sync_ms(Path(d))
    keep(
        "statement",
        [
            {"name": "sign + append + verify, median", "value": statistics.median(whole), "unit": "ms", "limit": 1},
            {"name": "of it in this process", "value": statistics.median(cpu), "unit": "ms"},
            {"name": "one write and fdatasync here", "value": disk, "unit": "ms"},
        ],
    )


if __name__ == "__main__":
    main()
