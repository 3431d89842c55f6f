"""`make check`: everything that can be held without running the tests. Each check is a line; all run, and the last line counts."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
LONG_FUNCTION_LINES = 70
LONG_SHARE_MAX = 0.07
ACTIONLINT = "go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "misc"}
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|root)/|file:///(?!\w+\.)(?:home|work|root|tmp)/")


def run(*command: str) -> str:
    """Empty when the command succeeds, else what it said."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"exit {done.returncode}"


def tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    return [ROOT / n.decode() for n in names if n]


def house() -> str:
    """Names, lengths and paths no formatter looks at."""
    faults = []
    long = total = 0
    for file in tracked():
        if not file.exists() or file.suffix in (".xz", ".sqlite", ".parquet", ".png") or file.name == "uv.lock":
            continue
        if file.stem in FORBIDDEN_NAMES:
            faults.append(f"{file.relative_to(ROOT)}: a name that says nothing")
        text = file.read_text("utf-8", "replace")
        if "samples" not in file.parts and "data" not in file.parts:
            for i, line in enumerate(text.splitlines(), 1):
                if MACHINE_PATHS.search(line):
                    faults.append(f"{file.relative_to(ROOT)}:{i}: a path of one machine")
        if file.suffix == ".py" and "src" in file.parts:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or 0) - node.lineno + 1
                    total += lines
                    long += lines if lines > LONG_FUNCTION_LINES else 0
    if total and long / total > LONG_SHARE_MAX:
        faults.append(f"{long / total:.1%} of lines stand in functions over {LONG_FUNCTION_LINES} lines")
    if len((ROOT / "README.md").read_text().splitlines()) > 120:
        faults.append("README.md: over 120 lines")
    sources = set(re.findall(r'registry = "([^"]+)"', (ROOT / "uv.lock").read_text()))
    if sources != {"https://pypi.org/simple"}:
        faults.append(f"uv.lock: packages from {', '.join(sorted(sources))}")
    return "\n".join(faults)


def actionlint() -> str | None:
    """Workflows; None where actionlint is not installed, which is an error where the pipeline should have installed it."""
    tool = shutil.which("actionlint") or shutil.which(str(ROOT / ".ci-tools" / "bin" / "actionlint"))
    if tool is None:
        return f"not installed: {ACTIONLINT}" if os.environ.get("CI") and shutil.which("go") else None
    return run(tool)  # the action itself is held through the workflow of docs/pull-request.md, by tests/action


def shell() -> str:
    """What is run by hand parses."""
    return run("bash", "-n", ".ci/run") + run("sh", "-n", "tools/install")


def lock() -> str:
    """The lock says what pyproject.toml asks for."""
    uv = shutil.which("uv") or str(ROOT / ".venv-uv" / "bin" / "uv")
    return run(uv, "lock", "--check", "--offline", "--quiet", "--python", str(BIN / "python"))


CHECKS = (
    ("ruff", lambda: run(str(BIN / "ruff"), "check", "-q", ".")),
    ("format", lambda: run(str(BIN / "ruff"), "format", "-q", "--check", ".")),
    ("types", lambda: run(str(BIN / "mypy"))),
    ("imports", lambda: run(str(BIN / "lint-imports"), "--no-cache")),
    ("documents", lambda: run(str(BIN / "python"), "tools/docs.py", "check")),
    ("workflows", lambda: run(str(BIN / "zizmor"), "--offline", "-q", ".github/workflows", "action.yml")),
    ("actionlint", actionlint),
    ("shell", shell),
    ("house", house),
    ("lock", lock),
)


def main() -> int:
    bad = looked = 0
    for name, check in CHECKS:
        began = time.monotonic()
        said = check()
        if said is None:
            print(f"○ {name:11} not looked at. To run it: {ACTIONLINT}", flush=True)
            continue
        looked += 1
        bad += bool(said)
        print(f"{'✗' if said else '✓'} {name:11} {time.monotonic() - began:5.1f} s" + (f"\n{said}" if said else ""), flush=True)
    print(f"{looked - bad} of {len(CHECKS)} checks hold" + (f", {len(CHECKS) - looked} not looked at" if looked < len(CHECKS) else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
