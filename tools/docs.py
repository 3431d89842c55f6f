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

# `options` of `[[evidence]]`: name → (kinds, meaning); every one is text, a list is separated by commas
OPTIONS = {
    "base": ("any", "a path in the repository: the same file as the change's base has it, to compare with"),
    "compare": ("any", "`last-release`: compare with the file the last release's evidence was read from"),
    "ruleset": ("ledger-invariants, payouts", "a release, or a `.json` file beside the ledger"),
    "timeline, receipts, answers, economics": ("ledger-invariants, payouts", "files beside the ledger, as `ledger verify` takes them"),
    "minted_max, burned_max": ("ledger-invariants, payouts", "credits that may be lawfully minted, burned"),
    "alerts": ("alert-coverage", "alerts that must be there; else those of the objectives"),
    "failure_modes": ("alert-coverage", "list of `MODE=ALERT\\|ALERT`; else those of the objectives"),
    "metrics": ("alert-coverage", "series that exist: an alert that asks for another can never fire"),
    "name_validation": ("alert-coverage", "`legacy`: names as Prometheus 2 had them"),
    "services": ("alert-coverage, incidents, observability, readiness, topology", "services it must speak of"),
    "minimum_percent, changed_minimum_percent": ("coverage", "of everything, of the lines the change touches: whole percent"),
    "budget": ("latency", "list such as `p95 <= 300 ms, error_rate <= 1 %, throughput >= 50 /s`"),
    "target_rate": ("latency", "requests a second the generator was to send"),
    "load_generator, topology, machine": (
        "latency",
        "conditions a file does not know; `shared`: the load came from the server's own machine",
    ),
    "run": ("latency", "words that name the run that counts, in a report of many"),
    "slower_max_percent": ("latency, benchmarks", "beside the base or the last release, in percent"),
    "samples_minimum": ("benchmarks", "samples each benchmark must have"),
    "tolerance_percent": ("benchmarks", "how much slower `benchstat` may find it; 5 unless said"),
    "fail_on": ("static-analysis, vulnerabilities", "the least level that fails: error, warning, note; low, medium, high, critical"),
    "database_age_max_days": ("vulnerabilities", "how old the scanner's database may be; 7 unless said"),
    "vex": ("vulnerabilities", "VEX files in the repository, read at the change's head"),
    "product": ("vulnerabilities", "what our own product is called in a VEX"),
    "packages": ("vulnerabilities", "how many packages `grype` looked at: its file does not say"),
    "licences_allowed, licences_denied": ("sbom", "licences by their SPDX names"),
    "paths, allowed": ("migrations", "folders or endings that hold migrations; what one may destroy"),
    "approvals, checks": ("review", "how many must approve, which checks must have passed; 1 and none unless said"),
    "codeowners": ("review", "the text of a CODEOWNERS; else the repository's own at the change's base"),
    "builder, subject": ("provenance", "who may have built it, what it must be about"),
    "commit": ("provenance", "only where nothing else says it: a change's own head counts first"),
    "checks, jobs, series": ("readiness, observability", "checks, scraped jobs, series that must be there"),
    "at_least, at_most": ("observability", "what every sample keeps; of one query of many: `at_least.NAME`"),
    "start, end, step": ("observability, alert-coverage", "the window that was asked for: RFC 3339, seconds"),
    "label": ("incidents", "the label that makes an issue an incident"),
    "same_as": ("topology", "the beginning of the digest its shape must have"),
}


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
        "`schema = 1` stands first: the form of this file.",
        "",
    ]
    for struct in (v for v in vars(project).values() if inspect.isclass(v) and (inspect.getdoc(v) or "").startswith("`[")):
        lines += [f"## {inspect.getdoc(struct)}", "", "| key | type | default | means |", "|---|---|---|---|"]
        fields = msgspec.structs.fields(struct)
        defaults = {f.name: _default(f) for f in fields}
        for line in inspect.getsource(struct).splitlines():
            found = re.match(r"    (\w+): ([^=#]+?)(?:= [^#]+?)?\s*(?:# (.*))?$", line)
            if found:
                key, kind, means = found.groups()
                lines.append(f"| `{key}` | {_cell(_toml_type(kind))} | {_cell(defaults[key])} | {_cell(means or '')} |")
        lines.append("")
        if struct is project.Plan:
            lines += ["**Options.** Each is text; a list is separated by commas. One that a kind does not know says nothing.", ""]
            lines += ["| option | kinds | means |", "|---|---|---|"]
            lines += [
                f"| {', '.join(f'`{n}`' for n in names.split(', '))} | {kinds} | {means} |" for names, (kinds, means) in OPTIONS.items()
            ]
            lines.append("")
    return "\n".join([*lines, "## `[[rules.requirement]]`", "", "See [rules.md](rules.md).", ""])


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    return json.dumps(value, ensure_ascii=False)


def _toml_type(annotation: str) -> str:
    """What TOML calls a type."""
    annotation = annotation.strip()
    if annotation.startswith("Literal["):
        return annotation[len("Literal[") : -1].replace(", ", " or ")
    many = re.fullmatch(r"tuple\[(.+), \.\.\.\]", annotation)
    if many:
        one = _toml_type(many[1])
        return f"list of {one.replace('list', 'lists', 1) if one.startswith('list') else f'{one}s'}"
    return {"str": "text", "int": "number", "bool": "true or false", "dict[str, str]": "table of texts", "dict[str, Any]": "table"}.get(
        annotation, "table"
    )


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
