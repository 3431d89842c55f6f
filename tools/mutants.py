"""`make mutants`: change one thing in the gate, tallies, freshness, envelope and Merkle code, and see whether a test notices.

Each mutant is one small change of one line's syntax tree: a comparison the other way, `and` for `or`, a number one more, a branch never
taken, a returned value dropped. The tests of its room run over it in a copy of the sources; a mutant that no test turns red has survived.
A tenth may (`SURVIVE_MAX`). Mutants are drawn by seed, so that a figure can be had again: COUNT=60 SEED=1.
"""

from __future__ import annotations

import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "release_dossier"
SECONDS_MAX = 240  # seconds for the tests of one mutant; a mutant that hangs is noticed
SURVIVE_MAX = 0.1
# file → the tests that have to notice
ROOMS: dict[str, tuple[str, ...]] = {
    "gate.py": ("tests/gate",),
    "approval.py": ("tests/gate",),
    "rules/freshness.py": ("tests/gate",),
    "rules/cel.py": ("tests/rules/test_cel.py", "tests/rules/test_cel_engines.py", "tests/gate/test_states.py"),
    "rules/compare.py": ("tests/rules/test_compare.py",),
    "trust/dsse.py": (
        "tests/trust/test_dsse.py",
        "tests/trust/test_plain_reading.py",
        "tests/trust/test_webauthn.py",
        "tests/trust/test_document.py",
    ),
    "trust/merkle.py": ("tests/trust/test_log.py",),
    "trust/webauthn.py": ("tests/trust/test_webauthn.py",),
}
# Functions that only make words for people are held by snapshots elsewhere, not by the gate's own tests.
WORDS = {"explain", "rework", "_unmet_lines", "_next", "_clock", "_names", "_approval_lines", "_option", "_flaky", "_looked", "_coverage"}
FLIPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def sites(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Every (node, how) that can be changed, outside of type annotations, docstrings and words for people."""
    skip: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in WORDS:
            skip |= {id(n) for n in ast.walk(node)}
        for field in ("annotation", "returns"):
            note = getattr(node, field, None)
            if isinstance(note, ast.AST):
                skip |= {id(n) for n in ast.walk(note)}
        for part in (*getattr(node, "decorator_list", ()), *(node.keywords if isinstance(node, ast.ClassDef) else ())):
            skip |= {id(n) for n in ast.walk(part)}  # sizes of caches, frozen structs
        if isinstance(node, ast.JoinedStr | ast.Raise):
            skip |= {id(n) for n in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skip:
            continue
        if isinstance(node, ast.Compare) and type(node.ops[0]) in FLIPS:
            yield node, "comparison"
        elif isinstance(node, ast.BoolOp):
            yield node, "and-or"
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node, "not"
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            yield node, "number"
        elif isinstance(node, ast.Constant) and type(node.value) is bool:
            yield node, "flag"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
            yield node, "arithmetic"
        elif isinstance(node, ast.If):
            yield node, "branch"
        elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
            yield node, "return"


def change(node: ast.AST, how: str) -> ast.AST:
    """The node, changed."""
    match node, how:
        case ast.Compare(), _:
            node.ops[0] = FLIPS[type(node.ops[0])]()
        case ast.BoolOp(), _:
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.UnaryOp(), _:
            return node.operand
        case ast.Constant(), "number":
            assert isinstance(node.value, int)
            node.value += 1
        case ast.Constant(), _:
            node.value = not node.value
        case ast.BinOp(), _:
            node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        case ast.If(), _:
            node.test = ast.Constant(False)
        case ast.Return(), _:
            node.value = ast.Constant(None)
    return node


class Swap(ast.NodeTransformer):
    """Changes the one node it is made for."""

    def __init__(self, target: ast.AST, how: str) -> None:
        self.target, self.how = target, how

    def visit(self, node: ast.AST) -> ast.AST:
        return change(node, self.how) if node is self.target else self.generic_visit(node)


def mutant(source: str, n: int) -> tuple[str, int, str]:
    """The n-th mutant of a module: its text, the line that was changed, and how."""
    tree = ast.parse(source)
    node, how = list(sites(tree))[n]
    line = getattr(node, "lineno", 0)
    fresh = ast.fix_missing_locations(Swap(node, how).visit(tree))
    return ast.unparse(fresh), line, how


def drawn(count: int, seed: int) -> list[tuple[str, int]]:
    """`count` mutants over all rooms, each site as likely as any other."""
    every = [(name, n) for name in ROOMS for n in range(len(list(sites(ast.parse((SOURCE / name).read_text())))))]
    return random.Random(seed).sample(every, min(count, len(every)))


def survives(copy: Path, name: str, text: str) -> bool:
    """Whether the tests of its room pass over a mutant."""
    file = copy / "src" / "release_dossier" / name
    before = file.read_text()
    file.write_text(text)
    environ = {**os.environ, "PYTHONPATH": f"{copy / 'src'}{os.pathsep}{copy}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *ROOMS[name]]
    try:
        done = subprocess.run(command, cwd=copy, env=environ, capture_output=True, text=True, timeout=SECONDS_MAX)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        file.write_text(before)


def sound(copy: Path, names: set[str]) -> str:
    """The first room whose tests do not pass over the module as it is; empty when all do: else every mutant would look noticed."""
    rooms = {ROOMS[n]: n for n in sorted(names)}
    return next((n for n in rooms.values() if not survives(copy, n, (SOURCE / n).read_text())), "")


def main() -> int:
    count, seed = int(os.environ.get("COUNT", "60")), int(os.environ.get("SEED", "1"))
    began, left = time.monotonic(), []
    with tempfile.TemporaryDirectory() as d:
        copy = Path(d)
        for part in ("src", "tests", "tools", "docs", "contrib", "bench"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "results"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        chosen = drawn(count, seed)
        broken = sound(copy, {name for name, _ in chosen})
        if broken:
            print(f"the tests of {broken} fail, or take over {SECONDS_MAX} s, without any mutant: nothing can be said")
            return 1
        for i, (name, n) in enumerate(chosen, 1):
            text, line, how = mutant((SOURCE / name).read_text(), n)
            if survives(copy, name, text):
                left.append(f"{name}:{line} {how}")
                print(f"survived  {left[-1]}", flush=True)
            if i % 10 == 0:
                print(f"{i} of {len(chosen)}, {len(left)} survived, {time.monotonic() - began:.0f} s", flush=True)
    print(
        json.dumps({"mutants": len(chosen), "survived": len(left), "seed": seed, "share": round(len(left) / len(chosen), 3), "left": left})
    )
    return 1 if len(left) > SURVIVE_MAX * len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
