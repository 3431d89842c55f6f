"""The pages made from code: `write` makes them, `check` says which differ. Never edited by hand."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "release_dossier"
FAMILIES = {"Refused": 20, "Unavailable": 30, "Corrupt": 40, "Misuse": 2}


def pages() -> dict[Path, str]:
    """Every generated page, by file."""
    from release_dossier.evidence.kinds import KINDS, page
    from release_dossier.rules import packs

    out = {
        ROOT / "docs" / "refusals.md": refusals(),
        ROOT / "docs" / "dossier-toml.md": settings(),
        ROOT / "docs" / "rules.md": packs.page(),
    }
    out |= {ROOT / "docs" / "evidence" / f"{k.name}.md": page(k) for k in KINDS}
    return out


def raised() -> dict[str, tuple[str, str, str, str]]:
    """code → (family, cause, remedy, file), from where it is raised; the first place wins."""
    out: dict[str, tuple[str, str, str, str]] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            code = node.args[0].value
            if not isinstance(code, str) or not re.fullmatch(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)+", code):
                continue
            given = {k.arg: words(k.value) for k in node.keywords}
            if name == "_Fault":
                name, given = "Refused", {"found": words(node.args[1]), "expected": words(node.args[2])}
            if name in FAMILIES:
                remedy = given.get("help") or f"expected: {given.get('expected', '')}"
                out.setdefault(code, (name, f"found {given.get('found', 'something else')}", remedy, str(file.relative_to(SOURCE))))
    return out


def words(node: ast.expr) -> str:
    """A message as it stands in the code, `…` for what varies."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(words(v) if isinstance(v, ast.Constant) else "…" for v in node.values)
    if isinstance(node, ast.BoolOp):
        return words(node.values[-1])
    if isinstance(node, ast.IfExp):
        return " or ".join(dict.fromkeys((words(node.body), words(node.orelse))))
    return "…"


def tables() -> dict[str, tuple[str, str]]:
    """Causes and remedies written out by hand, `CODES` of every refusals.py: they say more than the code can."""
    out: dict[str, tuple[str, str]] = {}
    for file in sorted(SOURCE.rglob("refusals.py")):
        module = "release_dossier." + ".".join(file.relative_to(SOURCE).with_suffix("").parts)
        out |= importlib.import_module(module).CODES
    return out


def refusals() -> str:
    """docs/refusals.md."""
    lines = [
        "# Refusals",
        "",
        "Made from code by `make docs`. A refusal says its code, where it stands, what was found and what was expected. Codes are stable.",
        "",
        "| exit | family | means |",
        "|---|---|---|",
        "| 20 | refused | the input is not acceptable; nothing was changed |",
        "| 30 | unavailable | something did not answer; the same call may succeed later |",
        "| 40 | corrupt | bytes, signatures or the log do not fit together; stop and look |",
        "| 2 | misuse | the call itself was wrong |",
        "",
        "| code | exit | cause | remedy |",
        "|---|---|---|---|",
    ]
    by_hand = tables()
    for code, (family, cause, remedy, _) in sorted(raised().items()):
        cause, remedy = by_hand.get(code, (cause, remedy))
        lines.append(f"| `{code}` | {FAMILIES[family]} | {_cell(cause)} | {_cell(remedy)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").strip()


def settings() -> str:
    """docs/dossier-toml.md, from the structs and their comments."""
    from release_dossier import project

    lines = [
        "# dossier.toml",
        "",
        "Made from code by `make docs`. Unknown keys are refused. In force only as committed on the protected branch.",
        "",
    ]
    for name in ("ProjectTable", "Service", "Feature", "Plan", "Objective"):
        struct = getattr(project, name)
        lines += [f"## {inspect.getdoc(struct)}", "", "| key | type | default | means |", "|---|---|---|---|"]
        for line in inspect.getsource(struct).splitlines():
            found = re.match(r"    (\w+): ([^=#]+?)(?:= ([^#]+?))?\s*(?:# (.*))?$", line)
            if found:
                key, kind, default, means = found.groups()
                lines.append(f"| `{key}` | {_cell(kind)} | {_cell(default or 'required')} | {_cell(means or '')} |")
        lines.append("")
    return "\n".join([*lines, "## `[[rules.requirement]]`", "", "See [rules.md](rules.md).", ""])


def main() -> int:
    wrong = []
    for file, text in pages().items():
        if sys.argv[1:] == ["write"]:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        elif not file.exists() or file.read_text() != text:
            wrong.append(str(file.relative_to(ROOT)))
    if wrong:
        print(f"out of date: {', '.join(wrong)}. make docs")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
