"""`make test`: the whole suite here, then on every other interpreter from 3.11 up; a table of what ran, what did not, and what to install.

With DOSSIER_NO_SKIP set, as the pipeline does after installing everything, a skip is a failure, but for what no registry can provide, named
in `ALLOWED`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
COUNT = re.compile(r"(\d+) (passed|failed|skipped|error)")
# What a skip's reason begins with → how to get it.
INSTALL = {
    "needs ../shared": "the published and captured test material beside the checkout",
    "needs cosign": "go install github.com/sigstore/cosign/v2/cmd/cosign@v2.6.5",
    "needs unprivileged user namespaces": "sysctl kernel.unprivileged_userns_clone=1, and util-linux",
    "needs ssh-keygen": "the package openssh-client",
    "needs ssh-agent": "the package openssh-client",
    "needs postgresql": "the packages postgresql and postgresql-client",
    "needs useradd": "the package passwd, or run as another user than root",
    "needs tar": "the package tar",
    "needs chromium": "the package chromium",
    "needs pyspark": "uv sync --inexact --extra spark, and Java 17 or newer; 400 MB, so not among what make dev brings",
    "needs go": "Go 1.24 or newer, from go.dev or the system's packages",
}
# Ask the browser, Spark, the pages made from code, another CEL engine and mutants of the source, not the interpreter: on the first only.
ONCE = (
    "tests/web/test_browser.py",
    "tests/web/test_narrow.py",
    "tests/ledger/test_spark.py",
    "tests/project/test_documents.py",
    "tests/rules/test_cel_engines.py",
    "tests/rules/test_mutants.py",
)
ALLOWED = ("needs cosign", "needs unprivileged user namespaces")


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


def suite(version: str, executable: str) -> tuple[int, dict[str, int], list[str]]:
    """Exit status, counts, and the reasons of skips."""
    python = _python_for(version, executable)
    elsewhere = [] if executable == sys.executable else [f"--ignore={file}" for file in ONCE]
    command = [python, "-m", "pytest", "-rs", "-n", "2", "--dist", "worksteal", "-p", "no:cacheprovider", *elsewhere, *sys.argv[1:]]
    done = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    assert done.stdout is not None
    for line in done.stdout:
        lines.append(line)
        sys.stdout.write(line)
        sys.stdout.flush()
    done.wait()
    tail = next((x for x in reversed(lines) if COUNT.search(x)), "")
    counts = {word: int(n) for n, word in COUNT.findall(tail)}
    skips = [x.strip() for x in lines if x.startswith("SKIPPED")]
    return done.returncode, counts, skips


def main() -> int:
    found = interpreters()
    rows, bad, skips = [], 0, []
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for version, executable in found.items():
        print(f"\n== Python {version}", flush=True)
        status, counts, reasons = suite(version, executable)
        bad += status != 0
        skips += reasons
        rows.append(f"  {version:6} {'ok' if status == 0 else 'FAILED':7} " + ", ".join(f"{n} {w}" for w, n in counts.items()))
        for word in total:
            total[word] += counts.get(word, 0)
        total["failed"] += counts.get("error", 0)
    print("\nPython   result")
    print("\n".join(rows))
    if len(found) > 1:
        print(f"on {next(iter(found))} only: {', '.join(ONCE)}")
    absent = [v for v in VERSIONS if v not in found]
    if absent:
        print(f"not on this machine: Python {', '.join(absent)} (pyenv install, or the system's packages)")
    for reason, remedy in INSTALL.items():
        n = sum(reason in s for s in skips)
        if n:
            print(f"skipped {n}: {reason}. To run them: {remedy}")
    loose = [s for s in skips if not any(a in s for a in ALLOWED)]
    if os.environ.get("DOSSIER_NO_SKIP") and loose:
        print(f"{len(loose)} kinds of skip where none is allowed:\n" + "\n".join(loose))
        bad += 1
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
