"""CEL: what the engine would let through, and what the wrapper makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_dossier.errors import Refused
from release_dossier.evidence.reading import Fact
from release_dossier.rules.cel import _program, ask, bind, lint
from release_dossier.rules.requirement import Need

INT64_MAX = 2**63 - 1


def engine(condition: str, **facts: Any) -> Any:
    """What the engine alone says."""
    answer = _program(condition).eval(data={"facts": facts, "looked_at": 1, "of": 1, "verdict": "pass"})
    return answer.value()


# The four traps: what the engine says of facts that are not there or no numbers, and which of our refusals meets it.
TRAPS = {
    "an or without the fact": ("facts.x <= 5 || facts.y <= 5", {"y": 1}, "rules.condition-hides"),
    "all of nothing": ("facts.list.all(i, i > 0)", {"list": []}, "rules.condition-hides"),
    "not greater, of no number": ("!(facts.x > 5.0)", {"x": float("nan")}, "rules.condition-hides"),
    "an error is truthy text": ("facts.x <= 5", {}, None),
}


@pytest.mark.parametrize("name", TRAPS)
def test_trap_absence_looks_true_to_the_engine(name: str) -> None:
    """The engine alone says something truthy about nothing; freezing refuses the condition, or asking it gives an error."""
    condition, facts, code = TRAPS[name]
    assert engine(condition, **facts)
    if code:
        with pytest.raises(Refused, match=code):
            lint(condition, ("x", "y", "list"), "rule")
    else:
        state, why = ask(condition, facts, 1, 1, "pass")
        assert state == "error"
        assert why.startswith("`facts.x <= 5` ")


# Conditions that evaluate without being a plain true.
NOT_TRUE = {
    "text that looks true": ("facts.x", {"x": "true"}, "error"),
    "text": ("facts.x", {"x": "pass"}, "error"),
    "one": ("facts.x", {"x": 1}, "error"),
    "a number": ("facts.x", {"x": 0.5}, "error"),
    "another type": ("facts.x <= 5", {"x": "4"}, "error"),
    "arithmetic": ("facts.x + 1", {"x": 1}, "error"),
    "division by nothing": ("facts.x / 0 == 0", {"x": 1}, "error"),
    "beyond 64 bits": ("facts.x + 1 > 0", {"x": INT64_MAX}, "error"),
    "a field of a number": ("facts.x.y > 0", {"x": 1}, "error"),
    "no CEL": ("facts.x >", {"x": 1}, "error"),
    "no such name": ("fact.x > 0", {"x": 1}, "error"),
    "false": ("facts.x", {"x": False}, "fail"),
    "not so": ("facts.x <= 5", {"x": 6}, "fail"),
    "not so by little": ("facts.x <= 5.0", {"x": 5.000000000000001}, "fail"),
    "of unknown": ("of >= 1", {}, "error"),
    "all of an unknown number": ("facts.x == 0 && looked_at >= of", {"x": 0}, "error"),
}


@pytest.mark.parametrize("name", NOT_TRUE)
def test_only_true_passes(name: str) -> None:
    """Anything but a BOOL that is true is a fail or an error, with the condition in the words."""
    condition, facts, state = NOT_TRUE[name]
    got, why = ask(condition, facts, 1, None, "pass")
    assert got == state
    assert f"`{condition}`" in why


HOLDS = {
    "true": ("facts.x", {"x": True}),
    "the limit itself": ("facts.x <= 300.0", {"x": 300.0}),
    "the largest": ("facts.x > 0", {"x": INT64_MAX}),
    "the smallest": ("facts.x < 0", {"x": -INT64_MAX - 1}),
    "words": ('facts.x == "a || b"', {"x": "a || b"}),
    "a name that is no word": ("facts['time_on:bets'] <= 5.0 && facts[ \"a b\" ] == 1", {"time_on:bets": 4.0, "a b": 1}),
    "an address": ("facts.x == 'https://example.org/'", {"x": "https://example.org/"}),
    "a fact in a text": ("facts.x == \"facts['a b']\"", {"x": "facts['a b']"}),
    "counts": ("facts.x == 1 && looked_at == 3 && of == 4 && verdict == 'pass'", {"x": 1}),
}


@pytest.mark.parametrize("name", HOLDS)
def test_what_holds_passes_and_is_not_refused(name: str) -> None:
    """A plain condition over facts that are there freezes, and passes when it holds."""
    condition, facts = HOLDS[name]
    lint(condition, tuple(facts), "rule")
    assert ask(condition, facts, 3, 4, "pass") == ("pass", "")


def test_a_name_that_is_no_word_is_said_how_to_write() -> None:
    """Who writes `facts.last_min.up` of a fact of that name reads how it is named."""
    with pytest.raises(Refused) as e:
        lint("facts.last_min.up >= 1.0", ("last_min.up",), "rule")
    assert (e.value.code, e.value.expected) == ("rules.condition-needs", "facts['last_min.up']")
    assert ask("double(facts['a b']) > 1.0", {"a b": "0x10"}, 1, 1, "pass")[0] == "error"


def test_where_engines_round_nothing_is_compared_exactly() -> None:
    """Numbers beyond 2^53 are compared as the engines do, which round whole ones to float: no pass that they would not give."""
    assert ask("facts.x < 9007199254740993", {"x": 9007199254740992.0}, 1, 1, "pass")[0] == "fail"


def test_how_many_there_are_is_an_error_where_nobody_knows() -> None:
    """A condition that names `of` never holds about evidence that does not say it; a text or a fact of that name is another thing."""
    assert ask("of == -1", {}, 1, None, "pass") == ("error", "`of == -1` asks of how many, which the evidence does not say")
    assert ask("facts.of == 1 && facts.s != 'of'", {"of": 1, "s": "x"}, 1, None, "pass") == ("pass", "")


def test_a_fail_says_the_numbers_exactly() -> None:
    """The words of a failed condition hold every fact in full, with unit, and the counts it speaks of: never '75 < 75'."""
    condition = "facts.p95 <= 300.0 && looked_at >= 75"
    said = ask(condition, {"p95": 300.00000000000006}, 74, None, "pass", {"p95": "ms"})
    assert said == ("fail", f"`{condition}` does not hold: p95 = 300.00000000000006 ms, looked_at = 74")
    assert ask("facts.x > 1 && of > 2", {"x": 1}, 1, 2, "pass")[1].endswith("does not hold: x = 1, of = 2")
    assert ask('facts.x == "looked_at"', {"x": "a"}, 1, 1, "pass")[1].endswith("does not hold: x = a")


REFUSED = {
    "or": ("facts.x > 1 || facts.y > 1", "rules.condition-hides"),
    "not": ("!facts.x", "rules.condition-hides"),
    "not, apart": ("! (facts.x > 1)", "rules.condition-hides"),
    "ternary": ("facts.x > 1 ? true : true", "rules.condition-hides"),
    "has": ("has(facts.x)", "rules.condition-hides"),
    "has, apart": ("has (facts.x)", "rules.condition-hides"),
    **{m: (f"facts.x.{m}(i, i > 0)", "rules.condition-hides") for m in ("all", "exists", "exists_one", "map", "filter")},
    "matches": ("facts.x.matches('a')", "rules.condition-hides"),
    "dyn": ("dyn(facts.x) > 1", "rules.condition-hides"),
    "type": ("type(facts.x) == int", "rules.condition-hides"),
    "index": ("facts['x'] > 1", "rules.condition-index"),
    "bare facts": ("size(facts) > 0", "rules.condition-index"),
    "a name put together": ("facts['a b' + 'c'] > 1", "rules.condition-index"),
    "a fact of a fact": ("facts['a b']['c d'] > 1", "rules.condition-differs"),
    "a quoted name it does not need": ("facts.x > 1 && facts['a b'] > 1", "rules.condition-needs"),
    "name in facts": ("'x' in facts", "rules.condition-index"),
    "a fact it does not need": ("facts.z > 1", "rules.condition-needs"),
    "a second fact it does not need": ("facts.x > 1 && facts . z > 1", "rules.condition-needs"),
    "true": ("true", "rules.condition-nothing"),
    "only counts": ("looked_at > 0", "rules.condition-nothing"),
    "only in text": ("'facts.x' == 'facts.x'", "rules.condition-nothing"),
    "no CEL": ("facts.x > ", "rules.condition-syntax"),
    "another name": ("facts.x > 1 && other.x > 1", "rules.condition-syntax"),
    "two lines hide an or": ("facts.x <= 5 // '\n || true // '", "rules.condition-text"),
    "comment": ("facts.x <= 5 // at most", "rules.condition-text"),
    "raw text hides an or": (r"facts.x == r'\' || true || '' == ''", "rules.condition-text"),
    "escape": (r'facts.x == "\"', "rules.condition-text"),
    "tripled quotes": ("facts.x == '''a'''", "rules.condition-text"),
    "tripled double quotes": ('facts.x == """a"""', "rules.condition-text"),
    "tab": ("facts.x\t> 1", "rules.condition-text"),
    "a text read from right to left": ("facts.x == 'a\u202eb'", "rules.condition-text"),
    "a text with a sign nobody sees": ("facts.x == 'a\u200bb'", "rules.condition-text"),
    "an address that ends in a comment": ("facts.x == 'https:' // ' && facts.y == '", "rules.condition-text"),
    "letters that look alike": ("fаcts.x > 1 && facts.x > 1", "rules.condition-text"),
    "long": ("facts.x > 1" + " && facts.x > 1" * 200, "rules.condition-long"),
    "text in the brackets of a conversion": ("int((facts.x) + '7') > 1", "rules.condition-differs"),
    "a bracket that never ends": ("facts.y > 1 && int(facts.x", "rules.condition-syntax"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_condition_that_could_be_true_about_nothing_is_refused(name: str) -> None:
    """Each way a condition can hide absence is refused when rules freeze, by its own code and naming the place."""
    condition, code = REFUSED[name]
    with pytest.raises(Refused) as e:
        lint(condition, ("x", "y"), "rule r")
    assert (e.value.code, e.value.at) == (code, "rule r")


def test_text_is_not_code() -> None:
    """Signs inside of text hide nothing and are allowed there; an empty condition asks nothing."""
    lint("facts.x != \"a || !b ? has(c) : facts['d'] é\"", ("x",), "rule")
    lint("int(facts.x) > 1 && (facts.y) == 'a'", ("x", "y"), "rule")
    lint("", (), "rule")
    lint("facts.x > 1" + " " * (2_000 - 11), ("x",), "rule")
    with pytest.raises(Refused, match=r"rules\.condition-long"):
        lint("facts.x > 1" + " " * (2_001 - 11), ("x",), "rule")


def need(type: str, unit: str = "") -> tuple[Need, ...]:
    return (Need("x", type, unit),)  # type: ignore[arg-type]


BOUND: dict[str, tuple[tuple[Need, ...], dict[str, Fact], str, Any]] = {
    "there": (need("float", "ms"), {"x": Fact(1.5, "ms")}, "pass", 1.5),
    "whole for float": (need("float"), {"x": Fact(3, "ms")}, "pass", 3.0),
    "any unit": (need("int"), {"x": Fact(3, "ms")}, "pass", 3),
    "credits as text": (need("int", "credits"), {"x": Fact("-61", "credits")}, "pass", -61),
    "largest credits": (need("int", "credits"), {"x": Fact(str(INT64_MAX), "credits")}, "pass", INT64_MAX),
    "smallest credits": (need("int", "credits"), {"x": Fact(str(-INT64_MAX - 1), "credits")}, "pass", -INT64_MAX - 1),
    "true": (need("bool"), {"x": Fact(True, "")}, "pass", True),
    "text": (need("str"), {"x": Fact("1", "")}, "pass", "1"),
    "absent": (need("int"), {}, "missing", None),
    "another fact": (need("int"), {"y": Fact(1, "")}, "missing", None),
    "another unit": (need("float", "ms"), {"x": Fact(1.5, "s")}, "error", "x is in s, the rule asks for ms"),
    "no unit": (need("float", "ms"), {"x": Fact(1.5, "")}, "error", "x is in no unit, the rule asks for ms"),
    "fraction for whole": (need("int"), {"x": Fact(3.0, "")}, "error", "x is a number, the rule asks for a whole number"),
    "text for number": (need("float"), {"x": Fact("3", "")}, "error", "x is text, the rule asks for a number"),
    "text for whole": (need("int"), {"x": Fact("3", "ms")}, "error", "x is text, the rule asks for a whole number"),
    "true for whole": (need("int"), {"x": Fact(True, "")}, "error", "x is true or false, the rule asks for a whole number"),
    "true for number": (need("float"), {"x": Fact(True, "")}, "error", "x is true or false, the rule asks for a number"),
    "text for true": (need("bool"), {"x": Fact("true", "")}, "error", "x is text, the rule asks for true or false"),
    "one for true": (need("bool"), {"x": Fact(1, "")}, "error", "x is a whole number, the rule asks for true or false"),
    "null": (need("int"), {"x": Fact(None, "")}, "error", "x is nothing, the rule asks for a whole number"),  # type: ignore[arg-type]
    "no number": (need("float"), {"x": Fact(float("nan"), "")}, "error", "x is nan, which is no number to compare"),
    "endless": (need("float"), {"x": Fact(float("-inf"), "")}, "error", "x is -inf, which is no number to compare"),
    "beyond": (need("int"), {"x": Fact(INT64_MAX + 1, "")}, "error", "x is beyond 64 bits"),
    "below": (need("int"), {"x": Fact(-INT64_MAX - 2, "")}, "error", "x is beyond 64 bits"),
    "credits beyond": (need("int", "credits"), {"x": Fact(str(2**63), "credits")}, "error", "x is beyond 64 bits"),
    "beyond float": (need("float"), {"x": Fact(10**400, "")}, "error", "x is beyond 64 bits"),
    "between floats": (need("float"), {"x": Fact(2**53 + 1, "")}, "error", f"x is {2**53 + 1}, which no float holds exactly"),
    "credits with a point": (need("int", "credits"), {"x": Fact("61.0", "credits")}, "error", "x is text"),
    "credits in other digits": (need("int", "credits"), {"x": Fact("٦١", "credits")}, "error", "x is text"),
    "credits with a space": (need("int", "credits"), {"x": Fact(" 61", "credits")}, "error", "x is text"),
    "money as float": (need("float", "credits"), {"x": Fact("61", "credits")}, "error", "x is money"),
    "whole money as float": (need("float", "credits"), {"x": Fact(61, "credits")}, "error", "x is money"),
}


@pytest.mark.parametrize("name", BOUND)
def test_facts_are_checked_before_the_condition_is_asked(name: str) -> None:
    """A fact is there, of its type and unit, finite and within 64 bits, or the condition is never asked; the words say which."""
    needs, facts, state, value = BOUND[name]
    got, why, values = bind(needs, facts)
    assert got == state
    if state == "pass":
        assert values["x"] == value
        assert type(values["x"]) is type(value)
    else:
        assert values == {}
        assert "x" in why
        assert why.startswith(value or "the evidence does not say x")


def test_only_needed_facts_are_given() -> None:
    """A fact no rule checked never reaches a condition."""
    assert bind(need("int"), {"x": Fact(1, ""), "y": Fact(2, "")})[2] == {"x": 1}


@settings(max_examples=150)
@given(st.text(max_size=40), st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans(), st.text(max_size=8)))
def test_asking_is_total(condition: str, value: Any) -> None:
    """Any text as condition over any fact gives one of three answers and never raises."""
    assert ask(condition, {"x": value}, 1, 1, "pass")[0] in ("pass", "fail", "error")
