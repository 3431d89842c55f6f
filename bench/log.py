"""The log and what is checked against it: appends one by one and together beside the disk's sync, proofs, a bundle of 1,000 evidence.

The peer is Tessera on POSIX files, in the same run (`bench/tessera`, needs Go). An entry there is its bytes alone; a statement here is an
envelope, its document, its entry and the journal. Where a disk syncs thousands of times a second, the work beside the sync is most of an
append: so ours is measured again with every sync held up to what it took where Tessera appended 349 a second.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from cold import go, keep

from release_dossier.limits import JOURNAL_BYTES_MAX
from release_dossier.ports import Put
from release_dossier.store.files import FileStore
from release_dossier.store.journal import Journal, Record
from release_dossier.trust.dsse import seal
from release_dossier.trust.keys import Signer, generate, parse_private
from release_dossier.trust.log import Entry, Frontier, Tree, leaf_hash, leaf_of, make_checkpoint, next_entry, verify_inclusion
from release_dossier.trust.statement import Subject, parse_statement, state

SYNC_S = 1 / 350  # a sync of the disk Tessera was measured on: it appended 349 single entries a second
PROJECT = "sha256:" + "0" * 64
AT = "2026-01-01T00:00:00.000Z"
SINGLE, BATCH, BATCHES, EVIDENCE = 300, 1_000, 5, 1_000
SORTS = 6  # of evidence a release of money has: ledger, payouts, replay, latency, alerts, tests
ROUNDS = 5  # one sync takes now this long, now that: what is compared is measured in turns


def envelopes(count: int, signer: Signer, begin: int = 0) -> list[bytes]:
    return [seal(state("started", PROJECT, [Subject("s", {"sha256": "0" * 64})], {"i": i}), (signer,)) for i in range(begin, begin + count)]


def puts(raws: Sequence[bytes]) -> list[Put]:
    return [Put(envelope=raw, type="started", change="", key="k", at=AT) for raw in raws]


def synced_a_second(folder: Path) -> float:
    """Small writes with fdatasync, the disk's own rate."""
    times = []
    with (folder / "probe").open("wb") as f:
        for _ in range(SINGLE):
            began = time.perf_counter()
            f.write(b"x" * 500)
            f.flush()
            os.fdatasync(f.fileno())
            times.append(time.perf_counter() - began)
    return 1 / statistics.median(times)


@contextmanager
def slow_disk() -> Iterator[None]:
    """Every sync takes `SYNC_S` longer."""

    def held_up(sync: Callable[[int], None]) -> Callable[[int], None]:
        def late(fd: int) -> None:
            time.sleep(SYNC_S)
            sync(fd)

        return late

    with mock.patch("os.fsync", held_up(os.fsync)), mock.patch("os.fdatasync", held_up(os.fdatasync)):
        yield


def one_by_one(folder: Path, signer: Signer) -> float:
    store = FileStore(folder / "single", PROJECT)
    times = []
    for raw in envelopes(SINGLE, signer):
        began = time.perf_counter()
        store.put(raw, type="started", change="", key="k", at=AT)
        times.append(time.perf_counter() - began)
    return 1 / statistics.median(times)


def singles(folder: Path, signer: Signer) -> tuple[float, float, float]:
    """A second, in the middle one of `ROUNDS` rounds each: syncs of the disk, statements put, entries appended to the log alone."""
    rounds = []
    for n in range(ROUNDS):
        here = folder / f"round-{n}"
        here.mkdir()
        rounds.append((synced_a_second(here), one_by_one(here, signer), log_alone(here, signer, 1, SINGLE)))
    disk, single, alone = (statistics.median(r[i] for r in rounds) for i in range(3))
    return disk, single, alone


def put_together(folder: Path, signer: Signer) -> float:
    store = FileStore(folder / "batched", PROJECT)
    rates = []
    for n in range(BATCHES):
        items = puts(envelopes(BATCH, signer, n * BATCH))
        began = time.perf_counter()
        store.put_all(items)
        rates.append(BATCH / (time.perf_counter() - began))
    return statistics.median(rates)


def log_alone(folder: Path, signer: Signer, together: int, times: int) -> float:
    """What Tessera does: `together` entries chained and hashed into the tree, durable in the journal under a signed checkpoint. No
    documents, and no other file."""
    frontier, last, rates = Frontier(), None, []
    journal = Journal(folder / f"journal-{together}")
    journal.begin()
    for n in range(times):
        digests = [f"sha256:{n * together + i:064x}" for i in range(together)]
        salts = os.urandom(16 * together).hex()
        began = time.perf_counter()
        lines = []
        for i, d in enumerate(digests):
            last = next_entry(last, type="started", digest=d, envelope=d, change="", key="k", at=AT, salt=salts[32 * i : 32 * i + 32])
            line = last.line()
            frontier.append(leaf_of(line))
            lines.append((line.decode(), ""))
        checkpoint = make_checkpoint(PROJECT, frontier.size, frontier.root(), signer)
        _, size = journal.append(Record(checkpoint.decode(), *lines[-1], tuple(lines[:-1])))
        rates.append(together / (time.perf_counter() - began))
        if size > JOURNAL_BYTES_MAX:
            journal.begin()
    return statistics.median(rates)


def tessera(folder: Path) -> dict[str, float] | None:
    """Tessera's appends a second on the same disk now: one by one, and many together. None where it cannot be built."""
    if not go(["build", "-o", str(folder / "peer"), "."], cwd=Path(__file__).resolve().parent / "tessera"):
        return None
    (folder / "peer-log").mkdir()
    command = [folder / "peer", folder / "peer-log", SINGLE, BATCH, BATCHES * 4]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return {"one by one": found["single_per_s"], f"{BATCH} together": found["batched_per_s"]}


def proof_us() -> float:
    """One inclusion proof in a log of 2^17 entries."""
    leaves = [leaf_hash(b"%d" % i) for i in range(1 << 17)]
    tree = Tree(leaves)
    root, times = tree.root(), []
    for i in range(0, 1 << 17, 997):
        path = tree.inclusion(i)
        began = time.perf_counter()
        assert verify_inclusion(leaves[i], i, len(leaves), path, root)
        times.append((time.perf_counter() - began) * 1e6)
    return statistics.median(times)


def bundle_ms(folder: Path, one_of: int) -> tuple[float, int]:
    """Verifying, with everything `dossier verify` does, the bundle of a dossier with 1,000 pieces of evidence, `one_of` so many of tests,
    which have an attestation each beside them; and its size in bytes."""
    from release_dossier.steps.bundle import verify
    from release_dossier.steps.world import open_world
    from tests.town import Town

    town = Town(folder / "town")
    town.open()
    town.dossier("collect")
    world = open_world(town.repo, town.env, town.now)
    entries = {e.type: e for e in world.store.entries()}
    started, evidence = (parse_statement(world.statement(entries[w].digest, w).raw, w) for w in ("started", "evidence"))
    items: list[Put] = []
    for i in range(EVIDENCE - 1):
        name = f"tests-{i}"
        said = {"name": name} if i % one_of == 0 else {"name": name, "kind": "latency"}
        s = state("started", started.project, list(started.subject), {**started.predicate, **said})
        e = state("evidence", started.project, list(evidence.subject), {**evidence.predicate, **said, "started": s.digest})
        for statement in (s, e):
            was: Entry = entries[statement.word]
            raw = seal(statement, (world.signer(),))
            items.append(Put(envelope=raw, type=statement.word, change=was.change, key=name, at=was.at))
    world.store.put_all(items)
    digest = town.dossier("assemble")["dossier"]["digest"]
    town.gate()
    file = folder / "x.dossier"
    town.dossier("export", digest, "-o", str(file))
    chain, times = town.git("show", "main:dossier.trust.json").encode() + b"\n", []
    for _ in range(7):
        began = time.perf_counter()
        found = verify(file, chain, integrity_only=False, now=datetime.now(UTC))  # noqa: TID251
        times.append((time.perf_counter() - began) * 1000)
        assert found.verified, [c for c in found.checks if c.state != "pass"][:3]
    return statistics.median(times), file.stat().st_size


def main() -> None:
    signer = parse_private(generate()[0], "bench")
    with tempfile.TemporaryDirectory() as d:
        folder = Path(d)
        disk, single, alone_single = singles(folder, signer)
        with slow_disk():
            slow_rate, slow_single = synced_a_second(folder), one_by_one(folder / "slow", signer)
        batched, alone = put_together(folder, signer), log_alone(folder, signer, BATCH, BATCHES * 4)
        peer = tessera(folder)
        proof = proof_us()
        (folder / "mixed").mkdir()
        (bundle, size), (mixed, _) = bundle_ms(folder, 1), bundle_ms(folder / "mixed", SORTS)
    keep(
        "log",
        [
            {"name": "the disk's own syncs", "value": disk, "unit": "/s"},
            {"name": "statements put one by one", "value": single, "unit": "/s"},
            {"name": "of the disk's rate (wanted: 0.8)", "value": single / disk, "unit": "×"},
            {
                "name": f"of a disk's rate that syncs {slow_rate:.0f} times a second",
                "value": slow_single / slow_rate,
                "unit": "×",
                "at_least": 0.8,
            },
            {"name": "the log alone, an entry a sync, of the disk's rate", "value": alone_single / disk, "unit": "×", "at_least": 0.8},
            {"name": f"statements put {BATCH} together, documents and all", "value": batched, "unit": "/s"},
            {"name": f"the log alone, {BATCH} entries a sync", "value": alone, "unit": "/s"},
            *([{"name": f"Tessera, {how}", "value": v, "unit": "/s"} for how, v in peer.items()] if peer else []),
            {"name": "one inclusion proof of 131,072", "value": proof, "unit": "µs", "limit": 100},
            {"name": f"verify a bundle of {EVIDENCE} evidence, all tests, {size >> 20} MiB", "value": bundle, "unit": "ms", "limit": 250},
            {"name": f"verify a bundle of {EVIDENCE} evidence, 1 in {SORTS} tests", "value": mixed, "unit": "ms", "limit": 250},
        ],
    )


if __name__ == "__main__":
    main()
