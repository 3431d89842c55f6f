"""PromQL taken apart: is it well formed, which series does it need, and can it ever be true.

`bounds` follows the values an expression can have: a rate is at least 0, `up` is 0 or 1, `count` of nothing is nothing and never 0,
a comparison keeps only what satisfies it. An alert whose bounds are empty can never fire, whatever happens. The bounds are wide where
nothing is known (a name alone does not make a counter), so an alert is called dead only when it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf
from typing import Any

import msgspec

from release_dossier.errors import Refused

QUERY_CHARS_MAX = 20_000  # characters of one expression; generated burn-rate alerts stay below 5,000
_ZERO_OR_ONE = frozenset(["up", "probe_success"])
_AT_LEAST_ZERO = frozenset(
    [
        "rate",
        "irate",
        "increase",
        "changes",
        "resets",
        "abs",
        "count_over_time",
        "stddev_over_time",
        "stdvar_over_time",
        "sqrt",
        "exp",
        "time",
        "timestamp",
        "histogram_count",
        "present_over_time",
        "absent",
        "absent_over_time",
        "stddev",
        "stdvar",
        "count",
    ]
)
_ONE = frozenset(["absent", "absent_over_time", "present_over_time"])
_KEEPS = frozenset(
    [
        "avg",
        "min",
        "max",
        "topk",
        "bottomk",
        "quantile",
        "limitk",
        "avg_over_time",
        "min_over_time",
        "max_over_time",
        "last_over_time",
        "first_over_time",
        "quantile_over_time",
        "sort",
        "sort_desc",
        "sort_by_label",
        "sort_by_label_desc",
        "label_replace",
        "label_join",
    ]
)
_SUMS = frozenset(["sum", "sum_over_time"])
_COMPARES = frozenset(["==", "!=", ">", "<", ">=", "<="])
_DEPTH_MAX = 200  # levels of one expression


# `1_000` is 1000 to Prometheus and nothing to this parser; text and names keep theirs.
_GROUPED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|[A-Za-z_:][\w:.]*|(\d+(?:_\d+)+)""")


class Bounds(msgspec.Struct, frozen=True):
    """Values an expression can have: from `low` to `high`, the ends left out where open. `empty`: it never has one."""

    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False
    empty: bool = False


ANY, NONE = Bounds(), Bounds(empty=True)


def parse(query: str, at: str) -> Any:
    """The expression as promql-parser has it.

    Raises:
        Refused: `promql.syntax`; `promql.dialect` when only a function is unknown, as in other vendors' dialects.
    """
    import promql_parser

    if len(query) > QUERY_CHARS_MAX:
        raise Refused("promql.syntax", at=at, found=f"{len(query)} characters", expected=f"at most {QUERY_CHARS_MAX}")
    deep = level = 0
    for c in query:
        level += (c in "([{") - (c in ")]}")
        deep = max(deep, level)
    if deep > _DEPTH_MAX or query.count("-") + query.count("+") > QUERY_CHARS_MAX // 4:
        raise Refused("promql.syntax", at=at, found=f"{deep} levels", expected=f"at most {_DEPTH_MAX}")
    try:
        return promql_parser.parse(_GROUPED.sub(lambda m: m[0] if m[1] is None else m[0].replace("_", ""), query))
    except (ValueError, RuntimeError) as e:
        code = "promql.dialect" if "unknown function" in str(e) else "promql.syntax"
        raise Refused(code, at=at, found=str(e), expected="an expression in PromQL") from e


def selectors(expr: Any) -> Iterator[Any]:
    """Every vector selector in it."""
    stack = [expr]
    while stack:
        e = stack.pop()
        kind = type(e).__name__
        if kind == "VectorSelector":
            yield e
        elif kind == "MatrixSelector":
            yield e.vector_selector
        elif kind == "Call":
            stack += e.args
        else:
            stack += [part for name in ("lhs", "rhs", "expr", "param") if (part := getattr(e, name, None)) is not None]


def metrics(expr: Any) -> frozenset[str]:
    """Names of the series it asks for, where it names them."""
    named = {s.name or next((m.value for m in s.matchers.matchers if m.name == "__name__"), "") for s in selectors(expr)}
    return frozenset(n for n in named if n)


def matched(expr: Any, label: str) -> frozenset[str]:
    """Values it asks of `label` by equality."""
    return frozenset(
        m.value for s in selectors(expr) for m in s.matchers.matchers if m.name == label and str(m.op) in ("=", "MatchOp.Equal")
    )


def is_constant(expr: Any) -> bool:
    """Whether it asks for no series at all."""
    return next(selectors(expr), None) is None


def bounds(expr: Any, depth: int = 0) -> Bounds:
    """The values it can have; see the module."""
    kind = type(expr).__name__
    if depth > _DEPTH_MAX:
        return ANY
    if kind == "NumberLiteral":
        return Bounds(expr.val, expr.val) if expr.val == expr.val else ANY
    if kind in ("ParenExpr", "SubqueryExpr"):
        return bounds(expr.expr, depth + 1)
    if kind == "UnaryExpr":
        return _negated(bounds(expr.expr, depth + 1))
    if kind in ("VectorSelector", "MatrixSelector"):
        return _selected(expr.vector_selector if kind == "MatrixSelector" else expr)
    if kind == "AggregateExpr":
        return _of_function(str(expr.op), bounds(expr.expr, depth + 1))
    if kind == "Call":
        return _called(expr, depth)
    if kind == "BinaryExpr":
        return _of_both(expr, depth)
    return ANY


def _selected(selector: Any) -> Bounds:
    wanted: dict[str, set[str]] = {}
    for m in selector.matchers.matchers:
        if str(m.op) in ("=", "MatchOp.Equal"):
            wanted.setdefault(m.name, set()).add(m.value)
    if any(len(values) > 1 for values in wanted.values()) and not selector.matchers.or_matchers:
        return NONE  # one label cannot have two values
    name = selector.name or ""
    return Bounds(0, 1) if name in _ZERO_OR_ONE else Bounds(low=0) if name.endswith("_bucket") else ANY


def _of_function(name: str, inner: Bounds) -> Bounds:
    if inner.empty and name not in _ONE:
        return NONE
    if name in _ONE or name == "group":
        return Bounds(1, 1)
    if name in ("count", "count_over_time"):
        return Bounds(low=1)
    if name in _SUMS:
        return Bounds(low=0) if inner.low >= 0 else Bounds(high=0) if inner.high <= 0 else ANY
    if name in _KEEPS:
        return inner
    return Bounds(low=0) if name in _AT_LEAST_ZERO else ANY


def _called(call: Any, depth: int) -> Bounds:
    name, args = call.func.name, list(call.args)
    if name == "vector" and args:
        return bounds(args[0], depth + 1)
    if name == "scalar" or not args:
        return Bounds(low=0) if name == "time" else ANY
    vector = next((a for a in args if type(a).__name__ not in ("NumberLiteral", "StringLiteral")), args[0])
    inner = bounds(vector, depth + 1)
    if name in ("clamp_min", "clamp_max", "clamp", "round", "ceil", "floor", "predict_linear", "deriv", "delta", "idelta"):
        return NONE if inner.empty else ANY
    return _of_function(name, inner)


def _of_both(expr: Any, depth: int) -> Bounds:
    op = str(expr.op)
    left, right = bounds(expr.lhs, depth + 1), bounds(expr.rhs, depth + 1)
    if op == "or":
        return right if left.empty else left if right.empty else _either(left, right)
    if op == "unless":
        return NONE if left.empty or _shown(expr.lhs) == _shown(expr.rhs) else left
    if left.empty or right.empty:
        return NONE
    if op == "and":
        return _together(expr, left)
    if op in _COMPARES:
        if expr.modifier is not None and expr.modifier.return_bool:
            return Bounds(0, 1)
        kept = _kept(op, left, right)
        return kept if type(_bare(expr.lhs)).__name__ != "NumberLiteral" else (NONE if kept.empty else right)
    return _arithmetic(op, left, right)


def _together(expr: Any, left: Bounds) -> Bounds:
    """`x > 5 and x < 3`: two conditions on the same series at the same moment; with a modifier they may be different series."""
    sides = [_bare(expr.lhs), _bare(expr.rhs)]
    plain = expr.modifier is None or expr.modifier.matching is None
    if plain and all(type(s).__name__ == "BinaryExpr" and str(s.op) in _COMPARES for s in sides):
        one, two = sides
        if _shown(one.lhs) == _shown(two.lhs):
            return _kept(str(two.op), bounds(one), bounds(two.rhs))
    return left


def _kept(op: str, left: Bounds, right: Bounds) -> Bounds:
    """What a comparison keeps of `left`, for the friendliest value of `right`."""
    low, high, low_open, high_open = left.low, left.high, left.low_open, left.high_open
    if op in (">", ">=", "=="):
        strict = op == ">" or right.low_open
        if right.low > low or (right.low == low and strict):
            low, low_open = right.low, strict
    if op in ("<", "<=", "=="):
        strict = op == "<" or right.high_open
        if right.high < high or (right.high == high and strict):
            high, high_open = right.high, strict
    if op == "!=" and left.low == left.high == right.low == right.high:
        return NONE
    if low > high or (low == high and (low_open or high_open)):
        return NONE
    return Bounds(low, high, low_open, high_open)


def _arithmetic(op: str, a: Bounds, b: Bounds) -> Bounds:
    if op == "+":
        return Bounds(a.low + b.low, a.high + b.high, a.low_open or b.low_open, a.high_open or b.high_open)
    if op == "-":
        return Bounds(a.low - b.high, a.high - b.low, a.low_open or b.high_open, a.high_open or b.low_open)
    if op in ("*", "/") and a.low >= 0 and b.low >= 0:
        if op == "*" and a.high < inf and b.high < inf:
            return Bounds(a.low * b.low, a.high * b.high)
        if op == "/" and b.low == b.high and 0 < b.low < inf:
            return Bounds(a.low / b.low, a.high / b.low, a.low_open, a.high_open)
        return Bounds(low=0)
    return ANY


def _either(a: Bounds, b: Bounds) -> Bounds:
    return Bounds(min(a.low, b.low), max(a.high, b.high))


def _negated(a: Bounds) -> Bounds:
    return a if a.empty else Bounds(-a.high, -a.low, a.high_open, a.low_open)


def _bare(expr: Any) -> Any:
    while type(expr).__name__ == "ParenExpr":
        expr = expr.expr
    return expr


def _shown(expr: Any) -> str:
    text: str = _bare(expr).prettify()
    return text
