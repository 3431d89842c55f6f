"""`make fuzz-readers`: changed evidence files. Each reader's sample (tests/evidence/samples.py) is changed and read, as its own format and
as whatever it is taken for.

A reading or a refusal by type is right; anything else is a fault, and so is a call over 1 s, more looked at than there is, or a text that
would move a terminal. `fuzz_readers.py N [FORMAT]` tries N mutations of each sample (100,000 unless told otherwise); runs are seeded.
"""

from __future__ import annotations

import io
import multiprocessing
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
SECONDS_MAX = 1.0  # of one call, in processor time
MUTATIONS = 100_000
WORKERS = 2


def faults(job: tuple[str, int]) -> tuple[str, int, list[str]]:
    """Format, mutations tried, what went wrong."""
    from fuzz import mutated

    from release_dossier.errors import DossierError
    from release_dossier.evidence.readers import read
    from tests.evidence.more_samples import MORE_SAMPLES
    from tests.evidence.samples import SAMPLES

    name, tries = job
    s = next(x for x in (*SAMPLES, *MORE_SAMPLES) if x.format == name)
    raw, dice, wrong = s.raw(), random.Random(name), []
    for i in range(tries):
        hurt = mutated(raw, dice)
        given = {"exit_status": s.exit, "expectations": dict(s.expectations), "asked": dict(s.asked)}
        began = time.process_time()
        try:
            r = read(io.BytesIO(hurt), format=s.format if i % 2 else None, **given)
            if r.looked_at < 0 or (r.of is not None and r.looked_at > r.of):
                wrong.append(f"{name} {i}: {r.looked_at} of {r.of}")
            if any(not (c.text + c.where).isprintable() for c in r.counterexamples):
                wrong.append(f"{name} {i}: a control character in {r.counterexamples!r}"[:300])
        except DossierError:
            pass
        except Exception as e:  # noqa: BLE001 - that a reader falls is what is looked for
            wrong.append(f"{name} {i}: {type(e).__name__}: {e}"[:300])
        if time.process_time() - began > SECONDS_MAX:
            wrong.append(f"{name} {i}: {time.process_time() - began:.1f} s")
        if len(wrong) > 20:
            break
    return name, i + 1, wrong


def main() -> int:
    from tests.evidence.more_samples import MORE_SAMPLES
    from tests.evidence.samples import SAMPLES

    tries = int(sys.argv[1]) if len(sys.argv) > 1 else MUTATIONS
    jobs = [(s.format, tries) for s in (*SAMPLES, *MORE_SAMPLES) if len(sys.argv) < 3 or s.format in sys.argv[2:]]
    wrong: list[str] = []
    with multiprocessing.Pool(WORKERS) as pool:
        for name, tried, found in pool.imap_unordered(faults, jobs):
            print(f"{name:22} {tried:>8,} mutations  {len(found)} faults", *found, sep="\n  ", flush=True)  # now: a run may be stopped
            wrong += found
    print(f"{len(wrong)} faults" if wrong else f"{len(jobs)} readers, nothing wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
