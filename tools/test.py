"""`make test`: the whole suite here, then on every other interpreter from 3.11 up; a table of what ran, what did not, and what to install.

With DOSSIER_NO_SKIP=1, as the pipeline sets it after installing everything, a skip is a failure (`tests/conftest.py`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.conftest import NEEDS  # noqa: E402

VERSIONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
COUNT = re.compile(r"(\d+) (passed|failed|skipped|error)")
SKIPPED = re.compile(r"SKIPPED \[(\d+)\] \S+ (.*)")


def interpreters() -> dict[str, str]:
    """version → executable of every interpreter found, this one first."""
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = {mine: sys.executable}
    for version in VERSIONS:
        places = [shutil.which(f"python{version}")]
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        places += sorted(str(p) for p in pyenv.glob(f"{version}.*/bin/python"))
        for place in places:
            if place and version not in found and _really(place, version):
                found[version] = place
    return found


def _really(python: str, version: str) -> bool:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() == version


def _python_for(version: str, executable: str) -> str:
    """A virtual environment of its own with what the lock says."""
    if executable == sys.executable:
        return executable
    uv = shutil.which("uv") or str(ROOT / ".venv-uv" / "bin" / "uv")
    place = ROOT / ".venvs" / version
    env = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(place)}
    subprocess.run([uv, "sync", "--locked", "--quiet", "--python", executable], cwd=ROOT, env=env, check=True)
    return str(place / "bin" / "python")


def suite(version: str, executable: str) -> tuple[int, dict[str, int], dict[str, int]]:
    """Exit status, counts, and how many tests each reason skipped."""
    python = _python_for(version, executable)
    command = [python, "-m", "pytest", "-rs", "-n", "2", "--dist", "worksteal", "-p", "no:cacheprovider", *sys.argv[1:]]
    done = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    tail, skips = "", {}
    assert done.stdout is not None
    for line in done.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        tail = line if COUNT.search(line) else tail
        if found := SKIPPED.match(line):
            skips[found[2]] = skips.get(found[2], 0) + int(found[1])
    done.wait()
    return done.returncode, {word: int(n) for n, word in COUNT.findall(tail)}, skips


def main() -> int:
    found = interpreters()
    rows: list[str] = []
    bad = 0
    total = {"passed": 0, "failed": 0, "skipped": 0}
    skips: dict[str, int] = {}
    for version, executable in found.items():
        print(f"\n== Python {version}", flush=True)
        began = time.monotonic()
        status, counts, reasons = suite(version, executable)
        bad += status != 0
        skips = skips or reasons
        said = ", ".join(f"{n} {w}" for w, n in counts.items()) or "no test ran"
        rows.append(f"  {version:6} {'ok' if status == 0 else 'FAILED':7} {time.monotonic() - began:4.0f} s  {said}")
        for word in total:
            total[word] += counts.get(word, 0)
        total["failed"] += counts.get("error", 0)
    print("\nPython   result\n" + "\n".join(rows))
    absent = [v for v in VERSIONS if v not in found]
    if absent:
        print(f"not on this machine: Python {', '.join(absent)} (pyenv install, or the system's packages)")
    for need, remedy in NEEDS.items():
        n = sum(k for reason, k in skips.items() if need in reason)
        if n:
            print(f"  skipped {n:4}  {need}. To run them: {remedy}")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
