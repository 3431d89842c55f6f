"""What a repository shows about itself: services, owners, features and an evidence plan, each guess marked as one.

Pure over the list of tracked files and the few files worth reading. A guess is a proposal in dossier.toml with the word `guess`
beside it; nothing is in force until somebody commits it to the protected branch.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from posixpath import basename, dirname
from typing import Any

import msgspec

from release_dossier.project import parse_toml

_MARKERS = ("go.mod", "package.json", "pyproject.toml", "Cargo.toml", "pom.xml", "build.gradle", "setup.py")
_NESTS = ("services", "apps", "packages", "cmd", "modules")
_VERSIONED = (("package.json", json.loads), ("pyproject.toml", parse_toml), ("Cargo.toml", parse_toml))
_VERSION = re.compile(r"(?P<before>.*?)(?P<version>\d+\.\d+\.\d+)\Z")
_MONEY = ("ledger", "payment", "payout", "billing", "wallet", "bets", "settle", "pay")
_CODEOWNERS = ("CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS")


class GuessedService(msgspec.Struct, frozen=True):
    """A service as proposed, and what it was guessed from."""

    name: str
    paths: tuple[str, ...]
    criticality: str
    owners: tuple[str, ...]
    tag: str
    because: str


class GuessedPlan(msgspec.Struct, frozen=True):
    """An evidence plan as proposed. `run` is empty where a file has to be brought."""

    name: str
    kind: str
    services: tuple[str, ...]
    run: tuple[str, ...]
    output: str
    format: str
    because: str
    prepare: tuple[tuple[str, ...], ...] = ()


class Guess(msgspec.Struct, frozen=True):
    """Everything proposed, and one line per guess for people."""

    name: str
    services: tuple[GuessedService, ...]
    plans: tuple[GuessedPlan, ...]
    features: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]


def files_to_read(tracked: Sequence[str]) -> tuple[str, ...]:
    """The files `guess` wants the content of."""
    return tuple(f for f in tracked if f in _CODEOWNERS or basename(f) in ("package.json", "pyproject.toml"))


def guess(folder: str, tracked: Sequence[str], contents: Mapping[str, str], tags: Sequence[str], owner: str) -> Guess:
    """Propose a project from `tracked` files, the `contents` of those `files_to_read` named, its tags, and who runs init."""
    lines: list[str] = []
    roots = _service_roots(tracked)
    owners = _codeowners(contents)
    services = []
    for root in roots or [""]:
        name = _slug(root or folder)
        tag, why = _tag_pattern(name, tags, alone=len(roots) <= 1)
        money = next((w for w in _MONEY if any(w in f.lower() for f in tracked if f.startswith(root))), None)
        mine = owners.get(root) or owners.get("") or (f"@{owner}",)
        because = f"{root}/ holds {_marker(root, tracked)}" if root else "one service: no folder of its own has a build file"
        services.append(GuessedService(name, (f"{root}/**",) if root else ("**",), "internal", mine, tag, because))
        lines.append(f"service {name}: {because}")
        lines.append(f"tags of {name}: {tag} ({why})")
        if money:
            lines.append(f'{name}: a path says {money!r}; if it moves money, set criticality = "money"')
    plans = [p for root, s in zip(roots or [""], services, strict=True) for p in _plans(root, s.name, tracked, contents)]
    plans += _brought(tracked)
    lines += [f"evidence {p.name}: {p.because}" for p in plans]
    features = tuple((basename(d).replace("_", " ").replace("-", " "), f"{d}/**") for d in _feature_folders(tracked, roots))
    lines += [f"feature {n}: folder {p}" for n, p in features]
    return Guess(_slug(folder), tuple(services), tuple(plans), features, tuple(lines))


def declared_version(paths: Sequence[str], read: Callable[[str], bytes | None]) -> str:
    """The version (three numbers) that the build file in the service's first folder says; empty where none does, or two disagree."""
    if not paths:
        return ""
    folder = dirname(paths[0].split("*")[0] + "x")
    said = {v for name, parse in _VERSIONED for v in [_version_in(read(f"{folder}/{name}".lstrip("/")), parse)] if v}
    return said.pop() if len(said) == 1 else ""


def _version_in(raw: bytes | None, parse: Callable[[str], Any]) -> str:
    try:
        value = parse((raw or b"").decode())
    except (ValueError, RecursionError):  # a build file that cannot be read says nothing; its own tool will complain
        return ""
    table = value.get("project", value.get("package", value)) if isinstance(value, dict) else None
    version = table.get("version") if isinstance(table, dict) else None
    return version if isinstance(version, str) and re.fullmatch(r"(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8})){2}", version, re.ASCII) else ""


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._") or "project"


def _marker(root: str, tracked: Sequence[str]) -> str:
    return next((m for m in _MARKERS if f"{root}/{m}" in tracked), "code")


def _service_roots(tracked: Sequence[str]) -> list[str]:
    """Folders with a build file of their own, at the top or under services/, apps/ and the like."""
    marked = {dirname(f) for f in tracked if basename(f) in _MARKERS}
    tops = sorted(d for d in marked if d and ("/" not in d or (d.count("/") == 1 and d.split("/")[0] in _NESTS)))
    return tops if len(tops) > 1 or (tops and "" not in marked) else []


def _codeowners(contents: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    text = next((contents[f] for f in _CODEOWNERS if f in contents), "")
    out: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if len(words) > 1:
            out[words[0].strip("/*")] = tuple(w for w in words[1:] if w.startswith("@"))
    return {k: v for k, v in out.items() if v}


def _tag_pattern(service: str, tags: Sequence[str], *, alone: bool) -> tuple[str, str]:
    for tag in reversed(tags):
        m = _VERSION.match(tag)
        if m and (alone or service in m["before"]):
            return m["before"] + "{version}", f"from tag {tag}"
    return ("v{version}", "no tags yet") if alone else (f"{service}-v{{version}}", "no tags of its own yet")


def _plans(root: str, service: str, tracked: Sequence[str], contents: Mapping[str, str]) -> list[GuessedPlan]:
    out = []
    prefix = f"{root}/" if root else ""
    suffix = f"-{service}" if root else ""
    if f"{prefix}go.mod" in tracked:
        run = ("go", "-C", root, "test", "-json", "./...") if root else ("go", "test", "-json", "./...")
        out.append(GuessedPlan(f"tests{suffix}", "tests", (service,), run, "", "go-test-json", f"{prefix}go.mod"))
    python = [f for f in tracked if f.startswith(prefix) and re.search(r"(^|/)(test_[^/]*|[^/]*_test)\.py$", f)]
    if python and not out:
        of_its_own = ".venv/bin/python"
        run = (of_its_own, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=junit.xml", *((root,) if root else ()))
        because = f"{python[0]} and its like; pytest in an environment of its own, from the package index"
        prepare = (
            ("python3", "-m", "venv", ".venv"),
            (of_its_own, "-m", "pip", "install", "-q", "pytest", *_needs(prefix, tracked, contents)),
        )
        out.append(GuessedPlan(f"tests{suffix}", "tests", (service,), run, "junit.xml", "junit", because, prepare))
    package = contents.get(f"{prefix}package.json")
    if package and not out and "vitest" in _scripts(package):
        at = ("--prefix", root) if root else ()
        run = ("npx", *at, "vitest", "run", "--reporter=json", "--outputFile=vitest.json")
        npm = ("npm", *at, "ci" if f"{prefix}package-lock.json" in tracked else "install")
        because = f"{prefix}package.json"
        out.append(GuessedPlan(f"tests{suffix}", "tests", (service,), run, f"{prefix}vitest.json", "vitest-json", because, (npm,)))
    if package and not out and not root and "node --test" in _scripts(package):
        install = ("npm", "ci" if "package-lock.json" in tracked else "install")
        first = (install,) if "ependencies" in package else ()  # dependencies, devDependencies
        tap = ("node", "--test", "--test-reporter=tap")
        out.append(GuessedPlan("tests", "tests", (service,), tap, "", "tap", "package.json runs node --test", first))
    return out


def _needs(prefix: str, tracked: Sequence[str], contents: Mapping[str, str]) -> tuple[str, ...]:
    """What pip installs beside pytest: the project itself where it can be built, else its requirements."""
    if "[build-system]" in contents.get(f"{prefix}pyproject.toml", "") or f"{prefix}setup.py" in tracked:
        return ("-e", f"./{prefix}".rstrip("/"))
    return ("-r", f"{prefix}requirements.txt") if f"{prefix}requirements.txt" in tracked else ()


def _scripts(package: str) -> str:
    try:
        value = json.loads(package)
    except ValueError:
        return ""
    return json.dumps(value.get("scripts", {})) if isinstance(value, dict) else ""


def _brought(tracked: Sequence[str]) -> list[GuessedPlan]:
    """What somebody has to bring a file for: nothing here can make it in a bare worktree."""
    out = []
    k6 = next((f for f in tracked if f.endswith(".js") and "/k6/" in f"/{f}"), None)
    if k6:
        out.append(GuessedPlan("latency", "latency", (), (), "", "", f"{k6}: bring k6's --summary-export"))
    rules = next((f for f in tracked if re.search(r"(rules|alerts?)[^/]*\.ya?ml$", f)), None)
    if rules:
        out.append(GuessedPlan("alert-coverage", "alert-coverage", (), (), "", "", f"{rules}: bring the history of a fire drill"))
    return out


def _feature_folders(tracked: Sequence[str], roots: Sequence[str]) -> list[str]:
    """Second-level folders with at least three files; few enough to read."""
    count: dict[str, int] = {}
    for f in tracked:
        parts = f.split("/")
        root = next((r for r in roots if f.startswith(f"{r}/")), "")
        depth = root.count("/") + 2 if root else 1
        if len(parts) > depth and not parts[0].startswith("."):
            folder = "/".join(parts[:depth])
            count[folder] = count.get(folder, 0) + 1
    return sorted(d for d, n in count.items() if n >= 3 and basename(d) not in ("test", "tests", "docs", "node_modules", "vendor"))[:12]


def project_name(contents: Mapping[str, str], fallback: str) -> str:
    """The name pyproject.toml or package.json gives at the top, else the folder's."""
    try:
        table = parse_toml(contents.get("pyproject.toml", ""))
        name = table.get("project", {}).get("name")
    except (tomllib.TOMLDecodeError, AttributeError):
        name = None
    if not isinstance(name, str):
        try:
            value = json.loads(contents.get("package.json", "{}"))
            name = value.get("name") if isinstance(value, dict) else None
        except (ValueError, RecursionError):
            name = None
    return _slug(name if isinstance(name, str) and name else fallback)
