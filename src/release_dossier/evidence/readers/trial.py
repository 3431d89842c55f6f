"""The contract every reader keeps, held against one reader and one file it should read: what `dossier evidence try` runs, and what a
package with a reader of its own can run in its tests (`assert faults(module, raw) == []`).

1. It has a NAME of small letters, digits and dashes, `recognises(head)`, `read(stream, given)`; it recognises the file, and reads it.
2. Its reading is complete: a kind there is, counts that fit, finite facts with units, a cause exactly where the verdict needs one.
3. The file cut at any of many places (an empty one reaches no reader) never passes having looked at as much, unless its own last line ends
   there and an exit status came.
4. With an exit status that is not 0 it does not pass; an empty, a random and a hurt file lead to a reading or to a refusal by type.
5. Nothing takes longer than `SECONDS_MAX`, and no reader here recognises the same file.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any

from release_dossier.errors import DossierError
from release_dossier.evidence.kinds import KINDS, Kind
from release_dossier.evidence.readers import HEAD_BYTES, READERS
from release_dossier.evidence.readers.given import Given
from release_dossier.evidence.readers.plain import plain
from release_dossier.evidence.reading import VERDICTS, Reading

SECONDS_MAX = 1.0  # for one small file, on any machine
CUTS = 100
HURTS = 200
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")


def faults(
    reader: Any,
    raw: bytes,
    *,
    exit_status: int | None = None,
    expectations: Mapping[str, str] | None = None,
    clock: Callable[[], float] | None = None,
) -> list[str]:
    """What of the contract does not hold; nothing when all of it does.

    Args:
        raw: a file the reader should read; small, for it is read some hundred times.
        clock: seconds that only grow, `time.monotonic` at the edge; without it rule 5 is not held.
    """
    shape = list(_shape(reader, raw))
    if shape:
        return shape
    given = Given(exit_status, {}, dict(expectations or {}))
    try:
        whole = _read(reader, raw, given)
    except Exception as e:  # noqa: BLE001  that it falls is what is looked for
        return [f"reading the file: {type(e).__name__}: {e}"]
    found = list(_complete(reader, whole))
    found += list(_cut(reader, raw, given, whole))
    found += list(_hurt(reader, raw, given, clock))
    if whole.verdict == "pass":
        bad = _verdict(reader, raw, Given(3, {}, given.expectations))
        # `readers.read` holds every reader to the exit status; one that reads it itself says more.
        found += [f"with exit status 3: {bad}"] if bad.startswith("falls") else []
    return found


def _shape(reader: Any, raw: bytes) -> Iterator[str]:
    name = getattr(reader, "NAME", None)
    if not isinstance(name, str) or not _NAME.match(name):
        yield f"NAME is {name!r}: small letters, digits and dashes"
    if not (getattr(reader, "__doc__", "") or "").strip():
        yield "the module does not say what its format is and what would make a file no proof"
    missing = [f for f in ("recognises", "read") if not callable(getattr(reader, f, None))]
    if missing:
        yield f"no function {' and '.join(missing)}"
        return
    head = plain(io.BytesIO(raw)).read(HEAD_BYTES)
    if reader.recognises(head) is not True:
        yield "it does not recognise the file (True is asked for)"
    yield from (f"{r.NAME} recognises the file too" for r in READERS if r is not reader and r.recognises(head))
    for other in (b"", b"\0" * 100, b"{}", b"[]", b"<a/>", b"a: b\n", b"noise\n"):
        if reader.recognises(other):
            yield f"it recognises {other[:8]!r}"


def _complete(reader: Any, r: Reading) -> Iterator[str]:
    kind: Kind | None = next((k for k in (*KINDS, getattr(reader, "KIND", None)) if isinstance(k, Kind) and k.name == r.kind), None)
    if kind is None:
        yield f"kind {r.kind} is none of those there are, and the module brings no KIND of that name"
    else:
        if r.format not in kind.formats and (reader in READERS or kind is getattr(reader, "KIND", None)):
            yield f"kind {r.kind} does not list format {r.format}"
        units = {n: u for n, u, _ in kind.facts if u}
        yield from (f"fact {n} is in {f.unit}, its kind says {units[n]}" for n, f in r.facts.items() if n in units and units[n] != f.unit)
    if r.format != reader.NAME:
        yield f"its reading is of format {r.format}, not {reader.NAME}"
    if r.verdict not in VERDICTS:
        yield f"verdict {r.verdict!r}"
    if r.looked_at < 0 or (r.of is not None and r.looked_at > r.of):
        yield f"{r.looked_at} of {r.of} looked at"
    if r.verdict == "pass" and r.looked_at == 0:
        yield "a pass that looked at nothing"
    if (r.verdict in ("inconclusive", "missing")) != bool(r.cause):
        yield f"verdict {r.verdict} with cause {r.cause!r}"
    if r.verdict == "fail" and not r.counterexamples_total:
        yield "a fail without a counterexample"
    yield from (f"fact {n} has no unit" for n, f in r.facts.items() if not f.unit)
    yield from (f"fact {n} is {f.value}" for n, f in r.facts.items() if isinstance(f.value, float) and not isfinite(f.value))


def _cut(reader: Any, raw: bytes, given: Given, whole: Reading) -> Iterator[str]:
    body = raw.rstrip()
    for end in sorted({*range(1, len(body), max(1, len(body) // CUTS)), *range(max(1, len(body) - 40), len(body))}):
        try:
            r = _read(reader, body[:end], given)
        except DossierError:
            continue
        except Exception as e:  # noqa: BLE001
            yield f"cut at byte {end}: {type(e).__name__}: {e}"
            return
        ended = body[:end].endswith(b"\n") and given.exit_status is not None
        if r.verdict == "pass" and r.looked_at >= whole.looked_at and not ended:
            yield f"cut at byte {end} of {len(body)} it passes and has looked at {r.looked_at}, as much as the whole"
            return


def _hurt(reader: Any, raw: bytes, given: Given, clock: Callable[[], float] | None) -> Iterator[str]:
    """Bytes taken out, doubled or put in, at places spread over the file: the same ones each time."""
    pieces = (b"", b"\0", b'"', b"{", b"}", b"[", b"]", b"-1", b"1e999", b"NaN", b"null", b"\xff\xfe", b"\n", b"<", b"99999999999999999999")
    samples = [raw[: (at := i * 7919 % (len(raw) + 1))] + pieces[i % len(pieces)] + raw[at + i % 5 :] for i in range(HURTS)]
    for hurt in (b"", b"\0" * 1000, b"[" * 5000, raw + raw, *samples):
        for _ in range(3):  # too slow is what is so every time: others use the machine too
            began = clock() if clock else 0.0
            said = _verdict(reader, hurt, given)
            if said.startswith("falls"):
                yield f"a hurt file: {said}"
                return
            took = clock() - began if clock else 0.0
            if took <= SECONDS_MAX:
                break
        else:
            yield f"a hurt file took {took:.1f} s"
            return


def _verdict(reader: Any, raw: bytes, given: Given) -> str:
    try:
        return _read(reader, raw, given).verdict
    except DossierError:
        return "refused"
    except Exception as e:  # noqa: BLE001
        return f"falls: {type(e).__name__}: {e}"


def _read(reader: Any, raw: bytes, given: Given) -> Reading:
    r = reader.read(plain(io.BytesIO(raw)), given)
    if not isinstance(r, Reading):
        raise TypeError(f"read gives {type(r).__name__}, not a Reading")
    return r
