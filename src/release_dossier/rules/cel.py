"""CEL behind a wrapper that accepts only a BOOL that is true.

The engine (Google's, in C++) returns run-time errors as truthy text, and CEL itself hides absence: `a.x <= 5 || a.y <= 5` without x,
`[].all(…)`, `!(a.x > 5.0)` with NaN are all true. So conditions that can hide are refused when rules freeze (`lint`), every fact is
checked before a condition is asked (`bind`), and what comes back counts only when it is a BOOL (`ask`).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any

from release_dossier.errors import Refused, shown
from release_dossier.evidence.reading import Fact
from release_dossier.rules.compare import conjuncts
from release_dossier.rules.requirement import Need

CONDITION_CHARS_MAX = 2_000  # characters; a condition people can read is one line
INT64 = 2**63
EXACT = 2**53  # whole numbers up to here are the same as float
# What would make text look other to this module than to the engine, or to people: escapes, tripled quotes, lines, signs nobody sees.
_UNREADABLE = re.compile(r"""[\\\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\'{3}|"{3}""")
# A text, or a fact by a name that is no word, as `facts['time_on:bets']`: read from left to right, so that neither stands in the other.
_QUOTED = re.compile(r"""(?<![\w.])facts\s*\[\s*(?:'([^']*\W[^']*)'|"([^"]*\W[^"]*)")\s*\]|[rRbB]{0,2}(?:'[^']*'|"[^"]*")""", re.ASCII)
_HIDES = re.compile(r"\|\||!(?!=)|\?|\b(?:has|all|exists|exists_one|existsOne|none|map|filter|matches|dyn|type)\s*\(")
# What the two engines of tests/rules/test_cel_engines.py answer differently about, or only one of them knows: everything but comparisons,
# arithmetic, `in` over a list written out, and these functions.
_FUNCTIONS = ("contains", "startsWith", "endsWith", "double", "int")
_TYPE_NAME = r"(?<![.\w])(?:int|uint|double|string|bytes|list|map|bool|null_type|null)\b(?!\s*\()"
_DIFFERS = re.compile(rf"\b(?!(?:in|{'|'.join(_FUNCTIONS)})\b)[A-Za-z_]\w*\s*\(|[{{`\[]|\b\d+[uU]\b|\b0[xX]|{_TYPE_NAME}")
_IN_LIST = re.compile(r"\bin\s*\[")
_NUMBER = re.compile(r"(?<![\w.])\d+(\.\d+)?([eE][+-]?\d+)?")
_SIGN = re.compile(r"[<>]=?|[!=]=|\bin\b")
_ARITHMETIC = re.compile(r"[*/+]|[\w.)\"]\s*-")
_CONVERTS = re.compile(r"\b(?:double|int)\s*\(")
# Text both engines read as the same number. One of them also takes blanks and hexadecimal, and both take `-inf`.
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,15})?(?:[eE][+-]?[0-9]{1,2})?")
_FACT = re.compile(r"\bfacts\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)")
_QUOTED_FACT = re.compile(r"\bquoted_([0-9]+)\b")
_INDEX = re.compile(r"\bfacts\b(?!\s*\.\s*[A-Za-z_])")


def lint(condition: str, needs: Sequence[str], at: str) -> None:
    """Refuse a condition that could be true about nothing.

    Raises:
        Refused: `rules.condition-*`.
    """
    if not condition:
        return
    if len(condition) > CONDITION_CHARS_MAX:
        raise Refused("rules.condition-long", at=at, found=f"{len(condition)} characters", expected=f"at most {CONDITION_CHARS_MAX}")
    bare, quoted = _bare(condition)
    unreadable = _UNREADABLE.search(condition) or re.search(r"//|[^\x00-\x7f]", bare)
    if unreadable:
        raise Refused(
            "rules.condition-text",
            at=at,
            found=repr(unreadable.group()),
            expected="one line without comments, backslashes, tripled quotes and signs nobody sees, ASCII outside of text: part could hide",
        )
    hides = _HIDES.search(bare)
    if hides:
        raise Refused(
            "rules.condition-hides", at=at, found=hides.group(), expected="comparisons joined by &&: this is how absence looks like a pass"
        )
    if _INDEX.search(bare):
        expected = "facts.NAME, or facts['NAME'] where the name is more than letters, digits and _"
        raise Refused("rules.condition-index", at=at, found="facts without a name", expected=expected)
    differs = _DIFFERS.search(_IN_LIST.sub("in ", bare))
    if differs:
        raise Refused(
            "rules.condition-differs",
            at=at,
            found=differs.group().strip(),
            expected=f"comparisons, arithmetic, in [...] and {', '.join(_FUNCTIONS)}: engines answer differently about the rest",
        )
    if any('""' in inside for inside in _conversions(bare)):
        raise Refused("rules.condition-differs", at=at, found="text as a number", expected="the number itself")
    large = next((m.group() for m in _NUMBER.finditer(bare) if (m[1] or m[2]) and float(m.group()) >= EXACT), None)
    if large:
        raise Refused(
            "rules.condition-differs", at=at, found=large, expected="decimals below 2^53: above, whole numbers are rounded to them"
        )
    if _ARITHMETIC.search(_NUMBER.sub("0", bare)) and ("!=" in bare or _compares_comparisons(bare)):
        raise Refused(
            "rules.condition-hides",
            at=at,
            found="arithmetic beside != or a comparison of comparisons",
            expected="one <, <=, >, >= or == for each: 0.0 / 0.0 and 1e308 * 10.0 - 1e308 * 10.0 are unlike everything",
        )
    named = _named(bare, quoted)
    loose = sorted(set(named) - set(needs))
    if loose:
        found = f"facts['{loose[0]}']" if loose[0] in quoted else f"facts.{loose[0]}"
        odd = next((n for n in needs if n.startswith(loose[0]) and not n.isidentifier()), None)
        expected = f"facts['{odd}']" if odd else f"it in needs, which lists {', '.join(needs) or 'nothing'}"
        raise Refused("rules.condition-needs", at=at, found=found, expected=expected)
    if not named:
        raise Refused("rules.condition-nothing", at=at, found=condition, expected="a condition over at least one fact")
    try:
        _program(condition)
    except Exception as e:
        raise Refused("rules.condition-syntax", at=at, found=(str(e).splitlines() or [type(e).__name__])[0], expected="CEL") from e


def _bare(condition: str) -> tuple[str, list[str]]:
    """A condition with `""` for each text and `quoted_N` for each fact named in quotes, and the names of these."""
    quoted: list[str] = []

    def plain(m: re.Match[str]) -> str:
        name = m[1] or m[2]
        if name is None:
            return '""'
        quoted.append(name)
        return f"quoted_{len(quoted) - 1}"

    return _QUOTED.sub(plain, condition), quoted


def _named(bare: str, quoted: Sequence[str]) -> list[str]:
    return [*_FACT.findall(bare), *(quoted[int(n)] for n in _QUOTED_FACT.findall(bare) if int(n) < len(quoted))]


def named_facts(condition: str) -> list[str]:
    """The facts a condition names, each as often as it does."""
    return _named(*_bare(condition))


def _conversions(bare: str) -> list[str]:
    """What stands in the brackets of every `double(…)` and `int(…)`."""
    out = []
    for call in _CONVERTS.finditer(bare):
        depth, end = 1, call.end()
        while depth and end < len(bare):
            depth += (bare[end] == "(") - (bare[end] == ")")
            end += 1
        out.append(bare[call.end() : end])
    return out


def _compares_comparisons(bare: str) -> bool:
    """Whether a comparison is compared, as in `(facts.x / facts.y > 5.0) == false`: that is `!` by another name."""
    while group := re.search(r"[(\[]([^()\[\]]*)[)\]]", bare):
        if _compares_comparisons(group[1]):
            return True
        bare = bare[: group.start()] + (" < " if _SIGN.search(group[1]) else " 0 ") + bare[group.end() :]
    return any(len(_SIGN.findall(part)) > 1 for part in bare.split("&&"))


_TYPES = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}


def bind(needs: Sequence[Need], facts: Mapping[str, Fact]) -> tuple[str, str, dict[str, Any]]:
    """(state, reason, values): `missing` or `error` with its reason, or `pass` and the values as CEL sees them."""
    values: dict[str, Any] = {}
    for need in needs:
        fact = facts.get(need.fact)
        if fact is None:
            return "missing", f"the evidence does not say {need.fact}", {}
        if need.unit and fact.unit != need.unit:
            return "error", f"{need.fact} is in {shown(fact.unit, 40) or 'no unit'}, the rule asks for {need.unit}", {}
        value: Any = fact.value
        if type(value) is float and need.type == "float" and isfinite(value) and fact.unit != "credits":  # most facts are
            values[need.fact] = value
            continue
        if fact.unit == "credits" and need.type == "int" and isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,40}", value):
            value = int(value)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if whole and not -INT64 <= value < INT64:
            return "error", f"{need.fact} is beyond 64 bits", {}
        if fact.unit == "credits" and need.type == "float":
            return "error", f"{need.fact} is money, which is counted in whole credits and never compared as float", {}
        if need.type == "float" and whole:
            if abs(value) > EXACT:
                return "error", f"{need.fact} is {value}, which no float holds exactly", {}
            value = float(value)
        if type(value).__name__ != need.type:
            return "error", f"{need.fact} is {_TYPES.get(type(value).__name__, 'nothing')}, the rule asks for {_TYPES[need.type]}", {}
        if isinstance(value, str) and "\0" in value:  # the engine reads text up to it, so that "\0" would equal ""
            return "error", f"{need.fact} holds a null character, which no condition sees", {}
        if isinstance(value, float) and not isfinite(value):
            return "error", f"{need.fact} is {value}, which is no number to compare", {}
        values[need.fact] = value
    return "pass", "", values


def ask(
    condition: str, facts: Mapping[str, Any], looked_at: int, of: int | None, verdict: str, units: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """(`pass`, ""), (`fail`, why) or (`error`, why). Never `pass` for anything but a BOOL that is true. `units` are for the words."""
    if of is None and _names("of", condition):
        return "error", f"`{condition}` asks of how many, which the evidence does not say"
    value: Any = _compared(condition, facts)
    if value is True:
        return "pass", ""
    kind = "BOOL"
    for name in _converted(condition) if value is None else ():
        text = facts.get(name)
        if isinstance(text, str) and not _DECIMAL.fullmatch(text):
            return "error", f"`{condition}` reads {name} as a number, which it is not: {shown(text, 40)}"
    try:
        if value is None:
            given = {"facts": facts, "looked_at": looked_at, "of": -1 if of is None else of, "verdict": verdict}
            answer = _program(condition).eval(data=given)
            kind, value = str(answer.type()), answer.value()
    except Exception as e:  # noqa: BLE001  whatever the engine throws, the condition has no answer
        return "error", f"`{condition}` could not be evaluated: {shown(str(e))}"
    if value is not True and value is not False:  # only a BOOL comes back as one of these two
        return "error", f"`{condition}` gave {shown(f'{kind} {value!r}')}, not true or false"
    if value:
        return "pass", ""
    said = ", ".join(f"{k} = {shown(str(v))} {(units or {}).get(k, '')}".rstrip() for k, v in sorted(facts.items()))
    counts = {"looked_at": looked_at, "of": of, "verdict": verdict}
    said += "".join(f", {k} = {v}" for k, v in counts.items() if _names(k, condition))
    return "fail", f"`{condition}` does not hold: {said}"


def placed(condition: str, facts: Mapping[str, Any], looked_at: int, of: int | None, verdict: str) -> str:
    """Why a condition has no answer, as its first part says that has none; empty where that is the whole, or only all of it has none."""
    parts = conjuncts(condition)
    said = (ask(part, facts, looked_at, of, verdict) for part in parts if len(parts) > 1)
    return next((f"{why}, in `{condition}`" for state, why in said if state == "error"), "")


@lru_cache(maxsize=1024)
def _converted(condition: str) -> tuple[str, ...]:
    """Facts that `double` or `int` is asked about."""
    bare, quoted = _bare(condition)
    return tuple(name for inside in _conversions(bare) for name in _named(inside, quoted))


@lru_cache(maxsize=1024)
def _names(word: str, condition: str) -> bool:
    """Whether a condition names one of `looked_at`, `of` and `verdict`."""
    return re.search(rf"(?<![.\w]){word}\b", _bare(condition)[0]) is not None


def _compared(condition: str, facts: Mapping[str, Any]) -> bool | None:
    """The answer where a condition is numbers against numbers, joined by &&; None where it is anything else, for the engine to say.

    Nine conditions in ten are. Crossing into the engine costs 3 µs, this 0.3; tests/rules/test_cel_engines.py holds it to both engines.
    """
    plain = _plain(condition)
    if plain is None:
        return None
    for name, compare, bound in plain:
        value = facts.get(name)
        if type(value) is not int and type(value) is not float:
            return None
        if not compare(value, bound):
            return False
    return True


_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}
_NUMBERS = re.compile(r" *facts *\. *([A-Za-z_]\w*) *(<=|>=|<|>|==|!=) *(-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,15})?) *", re.ASCII)


@lru_cache(maxsize=1024)
def _plain(condition: str) -> tuple[tuple[str, Callable[[Any, Any], bool], int | float], ...] | None:
    out = []
    for part in condition.split("&&"):
        m = _NUMBERS.fullmatch(part)
        if m is None:
            return None
        bound = float(m[3]) if m[4] else int(m[3])
        if abs(bound) > EXACT:  # where the engines round what Python compares exactly
            return None
        out.append((m[1], _SIGNS[m[2]], bound))
    return tuple(out)


@lru_cache(maxsize=256)
def _program(condition: str) -> Any:
    from cel_expr_python import cel

    return _environment(cel, cel.Type).compile(condition)


@lru_cache(maxsize=1)
def _environment(cel: Any, t: Any) -> Any:
    return cel.NewEnv(variables={"facts": t.Map(t.STRING, t.DYN), "looked_at": t.INT, "of": t.INT, "verdict": t.STRING})
