"""Cold commands as whole processes, and a gate over 100 signed pieces of evidence, cold and warm. Every figure beside its limit.

A gate that does not verify is not measured: verifications are counted, and too few end the run. Every warm decision is a new one: signed,
stored and published. A process that decides again may remember what it verified; that is a figure of its own, without a limit, because
nearly no signature is verified in it.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
RESULTS = ROOT / "bench" / "results"
DOSSIER = str(Path(sys.executable).parent / "dossier")
RUNS = 15


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count(), "machine": platform.machine()}


def keep(name: str, figures: list[dict[str, object]]) -> None:
    """Print the figures and write them with the machine's facts."""
    for f in figures:
        limit = f" limit {f['limit']} {f['unit']}, ratio {float(str(f['value'])) / float(str(f['limit'])):.2f}" if f.get("limit") else ""
        print(f"{f['name']:44} {float(str(f['value'])):10.2f} {f['unit']}{limit}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine(), "figures": figures}, indent=1) + "\n")


def process_ms(command: list[str], env: dict[str, str], ok: tuple[int, ...] = (0,)) -> float:
    """Median of the wall time of a command as a process, after one run not counted."""
    times = []
    for i in range(RUNS + 1):
        began = time.perf_counter()
        done = subprocess.run(command, env=env, capture_output=True)
        if done.returncode not in ok:
            sys.exit(f"{command}: {done.returncode} {done.stderr.decode()[-300:]}")
        if i:
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def warm_ms(call: Callable[[], object], before: Callable[[], object] = lambda: None, runs: int = 60) -> float:
    """95th percentile of a call in this process; `before` is not counted."""
    call()
    times = []
    for _ in range(runs):
        before()
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.quantiles(times, n=20)[18]


def counted(call: Callable[[], object]) -> int:
    """How many signatures a call verifies."""
    from release_dossier.trust.keys import PublicKey

    plain, made = PublicKey.verifies, 0

    def verifies(self: PublicKey, signature: bytes, message: bytes) -> bool:
        nonlocal made
        made += 1
        return plain(self, signature, message)

    PublicKey.verifies = verifies  # type: ignore[method-assign]
    try:
        call()
    finally:
        PublicKey.verifies = plain  # type: ignore[method-assign]
    return made


def hundred(root: Path) -> object:
    """A project with 100 pieces of evidence of ten names, assembled; every one a signed document of its own."""
    from tests.town import JUNIT, TESTS, Town

    plans = "".join(TESTS.replace('name = "tests"', f'name = "tests-{i}"') for i in range(9))
    town = Town(root, settings=TESTS + plans)
    assert JUNIT
    town.open()
    for _ in range(10):
        town.dossier("collect")
    town.dossier("assemble")
    return town


def go(arguments: list[str], cwd: Path | None = None, **env: str) -> bool:
    """Whether `go` did it; what it said where it did not: no Go here, or modules that cannot be had."""
    if shutil.which("go") is None:
        print("go is not installed: the peer is not measured", file=sys.stderr)
        return False
    done = subprocess.run(["go", *arguments], cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
    return done.returncode == 0


def opa_ms(env: dict[str, str]) -> float | None:
    """The same: `opa eval` of twenty rules over a hundred pieces of evidence. None where OPA cannot be built."""
    from rules import evidence

    with tempfile.TemporaryDirectory() as d:
        if not go(["install", "github.com/open-policy-agent/opa@v1.4.2"], GOBIN=d):
            return None
        opa = f"{d}/opa"
        document = Path(d) / "doc.json"
        document.write_text(json.dumps({"evidence": evidence()}))
        command = [opa, "eval", "-i", str(document), "-d", str(ROOT / "bench" / "opa" / "gate.rego"), "-f", "raw", "data.gate.allow"]
        said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip()
        if said != "true":
            sys.exit(f"opa says {said}, not true: it is not measured")
        return process_ms(command, env)


IMPORTS = "import release_dossier.cli.decide, release_dossier.cli.main, release_dossier.steps.decide, cel_expr_python"


def main() -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(ROOT), "NO_COLOR": "1"}
    python = process_ms([sys.executable, "-c", "pass"], env)
    help_ms = process_ms([DOSSIER, "--help"], env)
    with tempfile.TemporaryDirectory() as d:
        town = hundred(Path(d))
        evidence = len(town.dossier("assemble")["dossier"]["evidence"])  # type: ignore[attr-defined]
        there = {**env, **town.env}  # type: ignore[attr-defined]
        repo = str(town.repo)  # type: ignore[attr-defined]
        list_ms = process_ms([DOSSIER, "-C", repo, "list"], there)
        gate_ms = process_ms([DOSSIER, "-C", repo, "gate"], there, ok=(10,))
        opa = opa_ms(env)
        imports = process_ms([sys.executable, "-c", IMPORTS], env) - python
        from release_dossier.steps.decide import decide_dossier, newest_dossier
        from release_dossier.steps.world import open_world

        world = open_world(Path(repo), there, town.now)  # type: ignore[attr-defined]
        digest = newest_dossier(world)

        moments = itertools.count(1)

        def forget() -> None:
            world.verified.clear()

        def decide() -> None:
            """At a new moment each time: a new decision is signed, stored and published."""
            decide_dossier(msgspec.structs.replace(world, now=world.now + timedelta(seconds=next(moments))), digest)

        forget()
        verified = counted(decide)
        if verified < evidence:
            sys.exit(f"{verified} signatures verified for {evidence} pieces of evidence: such a gate is not measured")
        warm = warm_ms(decide, forget)
        again = counted(decide)
        remembered = warm_ms(decide)
    keep(
        "cold",
        [
            {"name": "python -c pass, cold", "value": python, "unit": "ms"},
            {"name": "dossier --help, cold", "value": help_ms, "unit": "ms", "limit": 150},
            {"name": f"dossier list, cold ({evidence} evidence in the log)", "value": list_ms, "unit": "ms", "limit": 150},
            {"name": f"dossier gate, cold, {verified} signatures", "value": gate_ms, "unit": "ms", "limit": 200},
            {"name": "of it imports", "value": imports, "unit": "ms"},
            *([{"name": "opa eval, cold, 20 rules over 100 evidence", "value": opa, "unit": "ms"}] if opa else []),
            *([{"name": "gate, cold, of opa eval", "value": gate_ms / opa, "unit": "x", "limit": 6}] if opa else []),
            {"name": f"gate, warm p95, {verified} signatures", "value": warm, "unit": "ms", "limit": 20},
            {"name": f"gate, remembering p95, {again} signatures", "value": remembered, "unit": "ms"},
        ],
    )


if __name__ == "__main__":
    main()
