"""The migrations a release carries, from `git diff BASE HEAD -- FOLDER`: which are new, what they destroy, which have no way back.

A migration that was there in the base and changed is a counterexample: where it ran already, the change never happens. `paths` declares
folders or endings that hold migrations; without it a path with `migration`, `migrate`, `alembic` or `db/` in it counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from release_dossier.evidence.readers.given import Given, Lines
from release_dossier.evidence.reading import Fact, Reading, example, first
from release_dossier.evidence.schema_change import Migration, migration
from release_dossier.limits import LIMITS_MAX, OUTPUT_BYTES_MAX

NAME = "migrations-diff"
_HEAD = re.compile(rb"\A\s*diff --git a/\S+ b/\S+")
_FILE = re.compile(r'diff --git "?a/(.+?)"? "?b/(.+?)"?\Z')
_FOLDER = re.compile(r"(?:^|/)(?:\w*migrat\w*|alembic|db)/")
_ENDS = (".sql", ".go", ".py", ".rb", ".js", ".ts", ".php", ".java", ".kt", ".cs", ".ex", ".exs")
_TEST = re.compile(r"_test\.\w+\Z|(?:^|/)tests?/|\.test\.\w+\Z|__init__\.py\Z|env\.py\Z|(?:^|/)migrate\.go\Z")


class _File(msgspec.Struct):
    path: str
    new: bool = False
    gone: bool = False
    renamed: bool = False
    added: list[str] = []
    changed: bool = False


def recognises(head: bytes) -> bool:
    """A diff as git writes it."""
    return _HEAD.match(head) is not None


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every file of the diff that is a migration.

    Raises:
        Refused: `evidence.line-too-long`.
    """
    wanted = given.declared("paths")
    text = Lines(stream)
    every = list(_files(text))
    files = [f for f in every if _is_migration(f.path, wanted)]
    downs = {_stem(f.path) for f in files if f.path.endswith((".down.sql", "/down.sql"))}
    made = [
        migration(f.path, "\n".join(f.added), has_down_file=_stem(f.path) in downs)
        for f in files
        if f.new and not f.path.endswith((".down.sql", "/down.sql"))
    ]
    edited = [f.path for f in files if not f.new and (f.changed or f.gone or f.renamed)]
    return _reading(made, edited, len(every), given, text.doubt(given.exit_status))


def _stem(path: str) -> str:
    return re.sub(r"\.?(?:up|down)\.sql\Z", "", path)


def _is_migration(path: str, wanted: tuple[str, ...]) -> bool:
    if _TEST.search(path):
        return False
    return (
        any(path.startswith(w.rstrip("*/")) or path.endswith(w) for w in wanted)
        if wanted
        else bool(_FOLDER.search(path)) and path.endswith(_ENDS)
    )


def _files(text: Lines) -> Iterator[_File]:
    """Each file of the diff. Only added lines are kept, and no more of them than of a command's output."""
    now: _File | None = None
    kept = 0
    for _, raw in text:
        line = raw.decode("utf-8", "replace")
        found = _FILE.match(line[:4096]) if line.startswith("diff --git") else None
        if found:
            if now:
                yield now
            now = _File(found[2])
        elif now is None:
            continue
        elif line.startswith("new file mode"):
            now.new = True
        elif line.startswith("deleted file mode"):
            now.gone = True
        elif line.startswith("rename from"):
            now.renamed = True
        elif line[:1] in "+-" and not line.startswith(("+++", "---")):
            now.changed = True
            if line[0] == "+" and kept < OUTPUT_BYTES_MAX:
                kept += len(line)
                now.added.append(line[1:])
    if now:
        yield now


def _reading(made: list[Migration], edited: list[str], files: int, given: Given, doubt: str) -> Reading:
    allowed = given.declared("allowed")
    destroying = [m for m in made if any(s.destroys for s in m.steps)]
    unread = [m for m in made if not m.steps]
    one_way = [m for m in made if not m.reversible]
    bad = [example(f"{p} was there before and is changed: where it ran, that never happens", p) for p in edited]
    bad += [example(f"{m.name}: {s.what} {s.table}", m.name) for m in destroying if m.name not in allowed for s in m.steps if s.destroys]
    words = [f"nothing was recognised in {m.name}" for m in unread[:5]]
    words += [doubt] if doubt else []
    verdict: Any = "fail" if bad else "inconclusive" if words else "pass" if made else "missing"
    cause = {"inconclusive": "; ".join(words), "missing": f"none of its {files} files is a migration"}.get(verdict, "")
    tables = sorted({s.table for m in made for s in m.steps})
    limits = [f"no way back: {m.name}" for m in one_way[: LIMITS_MAX - 2]]
    return Reading(
        kind="migrations",
        format=NAME,
        verdict=verdict,
        looked_at=len(made) - len(unread),
        of=len(made) if given.exit_status is not None else None,
        cause=cause,
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts={
            "migrations": Fact(len(made), "migrations"),
            "migrations_destructive": Fact(len(destroying), "migrations"),
            "migrations_irreversible": Fact(len(one_way), "migrations"),
            "migrations_edited": Fact(len(edited), "migrations"),
            "tables": Fact(len(tables), "tables"),
            "tables_touched": Fact(", ".join(tables)[:500], "words"),
            "files": Fact(files, "files"),
        },
        limits=(*limits, "read as text: a statement put together at run time is not seen"),
        tool="git",
    )
