"""What a migration does to a schema: which tables it touches, what it destroys, and whether there is a way back.

Read from SQL, and from the calls of gorm, Alembic, Django, Rails and knex that mean the same. It is a reading of text: a statement put
together at run time is not seen, and a migration in which nothing was recognised is said to be unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

STATEMENT_CHARS_MAX = 100_000  # characters of one statement; a generated schema has statements of some thousand

_NAME = r"(?:if\s+(?:not\s+)?exists\s+)?(?:only\s+)?[\"`\[]?(?:\w+[\"`\]]?\.[\"`\[]?)?(\w+)"
ALTER_CHARS_MAX = 2_000  # characters of one ALTER TABLE that are looked at
_COLUMN = r"(?:column\s+)?(?!constraint|index|default|not\s|primary|foreign|key|check)"
_RETYPE = r"(?:\balter\s+(?:column\s+)?\S+\s+(?:set\s+data\s+)?type\b|\bmodify\s+(?:column\s+)?\w)"


def _patterns(*rows: tuple[str, str, bool], flags: int = 0) -> tuple[tuple[str, re.Pattern[str], bool], ...]:
    """What it is · pattern with the table as its group 1 · whether it destroys what was there."""
    return tuple((what, re.compile(pattern, flags), destroys) for what, pattern, destroys in rows)


_SQL = _patterns(
    ("drops table", rf"\bdrop\s+table\s+{_NAME}", True),
    ("empties table", rf"\btruncate\s+(?:table\s+)?{_NAME}", True),
    ("creates table", rf"\bcreate\s+(?:temp(?:orary)?\s+|unlogged\s+)?table\s+{_NAME}", False),
    ("indexes", rf"\bcreate\s+(?:unique\s+)?index\s+(?:concurrently\s+)?(?:if\s+not\s+exists\s+)?\S{{0,200}}\s*on\s+{_NAME}", False),
    ("writes rows of", rf"\bupdate\s+{_NAME}\s+set\b", False),
    ("adds rows to", rf"\binsert\s+into\s+{_NAME}", False),
    flags=re.IGNORECASE,
)
_ALTER = re.compile(rf"\balter\s+table\s+{_NAME}", re.IGNORECASE)
_ALTERS = _patterns(  # looked for behind `alter table NAME`, up to the next one
    ("drops a column of", rf"\bdrop\s+{_COLUMN}", True),
    ("renames", r"\brename\b", True),
    ("changes a type in", _RETYPE, True),
    ("forbids null in", r"\bset\s+not\s+null\b", False),
    ("adds to", r"\badd\b", False),
    flags=re.IGNORECASE,
)
_MODEL = r"[( ]\s{0,8}(?:(?:model_)?name\s*=\s*)?[&\"'`:]?(?:models\.)?(\w+)"
_CALLS = _patterns(
    ("drops table", rf"\b(?:DropTable|drop_table|DeleteModel|dropTable(?:IfExists)?){_MODEL}", True),
    ("drops a column of", rf"\b(?:DropColumn|drop_column|RemoveField|remove_column|dropColumn){_MODEL}", True),
    ("renames", rf"\b(?:Rename(?:Table|Column|Model|Field)|rename_(?:table|column)|renameTable){_MODEL}", True),
    ("changes a type in", rf"\b(?:AlterColumn|alter_column|AlterField|change_column){_MODEL}", True),
    ("creates table", rf"\b(?:CreateTable|create_table|CreateModel|createTable){_MODEL}", False),
    ("makes or extends", rf"\bAutoMigrate{_MODEL}", False),
    ("adds to", rf"\b(?:AddColumn|add_column|AddField){_MODEL}", False),
    ("indexes", rf"\b(?:CreateIndex|create_index|AddIndex|add_index){_MODEL}", False),
    ("writes rows of", r"\.Model\(&(?:models\.)?(\w+)\{\}\)", False),
)
_DELETE = re.compile(r"\bdelete\s+from\s+" + _NAME + r"([^;]*)", re.IGNORECASE)
_DROPS = re.compile(r"\bdrop\s+(schema|database|type|view|sequence|function)\s+" + _NAME, re.IGNORECASE)
_UP_DOWN = re.compile(r"^--[ \t]{0,4}(?:\+goose[ \t]{1,4}|\+migrate[ \t]{1,4}|migrate:)?(up|down)\b[^\n]*", re.IGNORECASE | re.MULTILINE)
_DOWNGRADE = r"def\s{1,4}downgrade\s{0,4}\([^)]{0,200}\)[^:]{0,100}:\s{0,200}"
_BACK = re.compile(_DOWNGRADE + r"(?!\s*pass\b)|\bexports\.down\b|\bdef\s{1,4}down\b|\bRollback\s{0,4}[:(]|\bfunc\s{1,4}[dD]own\w*\(")
_PASS = re.compile(_DOWNGRADE + r"(?:\"\"\".{0,2000}?\"\"\"\s{0,200})?(?:pass|raise)\b", re.DOTALL)


class Step(msgspec.Struct, frozen=True):
    """One thing a migration does, and whether it destroys what was there."""

    what: str
    table: str
    destroys: bool


class Migration(msgspec.Struct, frozen=True):
    """One migration: its file, its steps forward, and whether it has a way back."""

    name: str
    steps: tuple[Step, ...]
    reversible: bool


def migration(name: str, text: str, *, has_down_file: bool = False) -> Migration:
    """What a migration's text does. `-- +goose Down`, `-- migrate:down` and the like divide it; what stands behind is the way back."""
    code = not name.lower().endswith(".sql")
    forward, back = _halves(text) if code else divided(text)
    steps = tuple(dict.fromkeys(_steps(forward, code)))
    way_back = bool(_BACK.search(text) and not _PASS.search(text)) if code else bool(without_comments(back).strip())
    reversible = has_down_file or way_back
    return Migration(name, steps, reversible)


def divided(text: str) -> tuple[str, str]:
    """(forward, back) of SQL that holds both; without marks all of it goes forward."""
    parts: dict[str, list[str]] = {"up": [], "down": []}
    at, now = 0, "up"
    for mark in _UP_DOWN.finditer(text):
        parts[now].append(text[at : mark.start()])
        at, now = mark.end(), mark[1].lower()
    parts[now].append(text[at:])
    return "".join(parts["up"]), "".join(parts["down"])


def _halves(code: str) -> tuple[str, str]:
    """Of a migration in a programming language the same, by the names tools give the way back."""
    begins = min(
        (i for word in ("def downgrade", "def down\n", "def down(", "exports.down") if (i := code.find(word)) >= 0), default=len(code)
    )
    return code[:begins], code[begins:]


_BEGINS = re.compile(r"--|/\*")


def without_comments(sql: str) -> str:
    """SQL without its comments, in one pass. A mark of a comment inside a text is taken for one: no statement begins in a text."""
    out, at = [], 0
    while (mark := _BEGINS.search(sql, at)) is not None:
        out.append(sql[at : mark.start()])
        end = sql.find("\n", mark.end()) if mark[0] == "--" else sql.find("*/", mark.end())
        if end < 0:
            return " ".join(out)
        at = end + (0 if mark[0] == "--" else 2)
    return " ".join([*out, sql[at:]])


def _altered(statement: str) -> Iterator[Step]:
    starts = list(_ALTER.finditer(statement))
    for i, found in enumerate(starts):
        end = starts[i + 1].start() if i + 1 < len(starts) else len(statement)
        rest = statement[found.end() : min(end, found.end() + ALTER_CHARS_MAX)]
        what = [(w, d) for w, pattern, d in _ALTERS if pattern.search(rest)] or [("changes", False)]
        yield from (Step(w, found[1].lower(), d) for w, d in what)


def _steps(text: str, code: bool) -> Iterator[Step]:
    plain = text if code else without_comments(text)
    for statement in plain.split(";"):
        statement = statement[:STATEMENT_CHARS_MAX]
        for what, pattern, destroys in _SQL:
            for found in pattern.finditer(statement):
                yield Step(what, found[1].lower(), destroys)
        yield from _altered(statement)
        for found in _DELETE.finditer(statement):
            everything = not re.search(r"\bwhere\b", found[2], re.IGNORECASE)
            yield Step("deletes all rows of" if everything else "deletes rows of", found[1].lower(), True)
        for found in _DROPS.finditer(statement):
            yield Step(f"drops {found[1].lower()}", found[2].lower(), True)
    if code:
        for what, pattern, destroys in _CALLS:
            for found in pattern.finditer(text):
                yield Step(what, found[1], destroys)
