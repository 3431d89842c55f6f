"""The pages made from code: `write` makes them, `check` says which differ. Never edited by hand."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "release_dossier"
FAMILIES = {"Refused": 20, "Unavailable": 30, "Corrupt": 40, "Misuse": 2}
FILE_ENDINGS = {"json", "toml", "pub", "xml", "html", "css", "js", "svg", "sqlite", "ndjson", "md", "txt", "sarif"}


def pages() -> dict[Path, str]:
    """Every generated page, by file."""
    from release_dossier.evidence.kinds import KINDS, page
    from release_dossier.evidence.kinds import schema as facts
    from release_dossier.rules import packs

    out = {
        ROOT / "docs" / "refusals.md": refusals(),
        ROOT / "docs" / "dossier-toml.md": settings(),
        ROOT / "docs" / "rules.md": packs.page(),
    }
    out |= {ROOT / "docs" / "evidence" / f"{k.name}.md": page(k) for k in KINDS}
    out |= {SOURCE / "schemas" / "facts" / f"{k.name}.v1.json": json.dumps(facts(k), indent=1, ensure_ascii=False) + "\n" for k in KINDS}
    out |= {SOURCE / "schemas" / f"{word}.v1.json": schema(word, kind) for word, kind in predicates().items()}
    return out


def predicates() -> dict[str, type]:
    """Word of a statement → the struct its predicate is read as."""
    from release_dossier.bundle import Contents
    from release_dossier.web.describe import PREDICATES

    return {**PREDICATES, "bundle": Contents}


def schema(word: str, kind: type) -> str:
    """JSON Schema of the statement `word`: in-toto Statement v1 around its predicate."""
    from release_dossier.trust.statement import PREDICATE_BASE, STATEMENT_TYPE

    made = dedented(msgspec.json.schema(kind))
    digests = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}}
    subject = {"type": "object", "required": ["name", "digest"], "properties": {"name": {"type": "string"}, "digest": digests}}
    project = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$", "description": "Digest of the project's first trust document."}
    named = {"type": "object", "required": ["project"], "properties": {"project": project}}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{PREDICATE_BASE}{word}/v1",
        "title": f"The signed statement of a {word}",
        "type": "object",
        "required": ["_type", "subject", "predicateType", "predicate"],
        "properties": {
            "_type": {"const": STATEMENT_TYPE},
            "predicateType": {"const": f"{PREDICATE_BASE}{word}/v1"},
            "subject": {"type": "array", "minItems": 1, "items": subject},
            "predicate": {"allOf": [{"$ref": made["$ref"]}, named]},
        },
        "additionalProperties": False,
        "$defs": made["$defs"],
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def dedented(made: Any) -> Any:
    """A schema whose descriptions are the same whether the compiler strips the indent of docstrings (3.13) or not."""
    if isinstance(made, dict):
        return {k: inspect.cleandoc(v) if k == "description" and isinstance(v, str) else dedented(v) for k, v in made.items()}
    return [dedented(v) for v in made] if isinstance(made, list) else made


def raised() -> dict[str, set[int]]:
    """code → the exit codes it ends with, from where it is raised. A code that reaches its raise through a variable
    gets those of every such raise in its module."""
    out: dict[str, set[int]] = {"usage": {2}}
    known = tables()
    for file in sources():
        loose: set[int] = set()
        named: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in known:
                named.add(node.value)
            if isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Name) and node.func.id in FAMILIES:
                exit_code = FAMILIES[node.func.id]
                if not isinstance(node.args[0], ast.Constant):
                    loose.add(exit_code)
                elif node.args[0].value != "usage":
                    out.setdefault(str(node.args[0].value), set()).add(exit_code)
        for code in named if loose else ():
            out.setdefault(code, set(loose))
    return out


def sources() -> list[Path]:
    return sorted(f for f in SOURCE.rglob("*.py") if f.name != "refusals.py")


def unlike() -> list[str]:
    """Codes that code and tables do not share. Every dotted literal in a family of codes is taken for one, however it is raised."""
    from release_dossier.store.crash import POINTS

    known = tables()
    families = {c.partition(".")[0] for c in known}
    seen = set()
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                seen.add(node.value)
    like = {s for s in seen if re.fullmatch(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]+", s) and s.partition(".")[0] in families}
    like = {s for s in like - set(POINTS) if s.partition(".")[2] not in FILE_ENDINGS}
    return [f"{c}: raised, but in no refusals.py" for c in sorted((like | set(raised())) - set(known))] + [
        f"{c}: in a refusals.py, but raised nowhere" for c in sorted(set(known) - seen)
    ]


def tables() -> dict[str, tuple[str, str]]:
    """code → (cause, remedy), written by hand in `CODES` of every refusals.py."""
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
    exits = raised()
    for code, (cause, remedy) in sorted(tables().items()):
        ends = " or ".join(str(e) for e in sorted(exits.get(code, ())))
        lines.append(f"| `{code}` | {ends} | {_cell(cause)} | {_cell(remedy)} |")
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
    for struct in (v for v in vars(project).values() if inspect.isclass(v) and (inspect.getdoc(v) or "").startswith("`[")):
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
    print("".join(f"{line}\n" for line in unlike()), end="")
    return 1 if wrong or unlike() else 0


if __name__ == "__main__":
    sys.exit(main())
