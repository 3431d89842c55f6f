"""Two engines: what rules may say is what both answer alike; the published cases say which of them is right."""

from __future__ import annotations

import base64
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_dossier.errors import Refused
from release_dossier.evidence.reading import Fact
from release_dossier.rules.cel import _compared, _program, ask, bind, lint
from release_dossier.rules.requirement import Need

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT.parent / "shared" / "conformance" / "06-policy"
needs_suite = pytest.mark.skipif(not SUITE.is_dir(), reason="needs ../shared/conformance")


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cel_suite", ROOT / "tools" / "cel_suite.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["cel_suite"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = _tool()


@pytest.mark.conformance
@needs_suite
def test_the_published_cases() -> None:
    """Every published case a condition could be is answered as published, none crashes. The one that contradicts the language is not
    claimed, and answered as the language has it."""
    said = tool.score(SUITE)
    assert said["failures"] == []
    others = [c for c in tool.cases(SUITE) if tool.outside(c).startswith("bytes without an escape")]
    assert [tool.name(c) for c in others] == ["parse/bytes_literals/triple_double_quoted_unescaped_punctuation"]
    assert tool.in_use(others[0]) == ("value", ("bytes", others[0]["expr"][4:-3].encode()))
    assert said["total"] > 800
    assert said["passed"] + len(said["failures"]) == said["total"]


@pytest.mark.parametrize(
    ("expr", "due", "outside"),
    [
        ("b'a?'", b"a?", False),
        ("b'a?'", b"a\\?", True),
        ('b"""a " b"""', b"a b", True),
        ("b'\\x61'", b"b", False),  # an escape: what it means is the engine's to know
        ("br'a'", b"b", False),
        ("b'a' + b'b'", b"ba", False),
        ("'a'", b"b", False),
    ],
)
def test_only_a_literal_that_speaks_for_itself_is_set_aside(expr: str, due: bytes, outside: bool) -> None:
    """A case is not claimed for its value only where that can be read off the expression: one literal of bytes, no escape, not joined."""
    value = {"bytes_value": base64.b64encode(due).decode()}
    case = {"expr": expr, "needs_proto_types": False, "disable_check": False, "file": "parse", "full": {"value": value}}
    assert bool(tool.outside(case)) is outside


def test_a_wrong_answer_is_a_failure(tmp_path: Path) -> None:
    """The scorer has teeth: another value, another type, a value where an error is due and a crash all count."""
    full = '"full": {"expr": "1 + 1", "name": "t", "value": {"int64_value": "2"}}, "matcher": "value", "needs_proto_types": false'
    rest = '"section": "s", "test": "t", "file": "basic", "expr": "1 + 1", "disable_check": false, "check_only": false'
    (tmp_path / "a.jsonl").write_text("{" + full + ", " + rest + "}\n")
    assert tool.score(tmp_path)["passed"] == 1
    for answer in (("value", ("int", 3)), ("value", ("double", 2.0)), ("value", ("uint", 2)), ("error", "no"), ("crash", "panic")):
        said = tool.score(tmp_path, lambda _, a=answer: a)
        assert (said["passed"], said["total"], len(said["failures"])) == (0, 1, 1)
    (tmp_path / "a.jsonl").write_text(("{" + full + ", " + rest + "}\n").replace('"value": {"int64_value": "2"}', '"eval_error": {}'))
    assert tool.score(tmp_path)["passed"] == 0


def test_a_whole_number_as_key_is_one_key_however_it_is_written() -> None:
    """A map published with keys of type uint is what the engine answers, which hands out keys without their type; values keep theirs."""

    def case(value: str) -> dict[str, Any]:
        entry = {"key": {"uint64_value": "1"}, "value": {value: "2"}}
        full = {"expr": "{1u: 2u}", "value": {"map_value": {"entries": [entry]}}}
        return {"file": "f", "section": "s", "test": "t", "expr": "{1u: 2u}", "check_only": False, "full": full}

    for value, wrong in (("uint64_value", False), ("int64_value", True)):
        assert bool(tool._wrong(case(value), tool.in_use(case(value)))) is wrong


@pytest.mark.conformance
@needs_suite
def test_what_engines_differ_about_is_refused() -> None:
    """Each published case the two engines answer differently is something no condition may say."""
    differing = tool.differing(SUITE)
    assert len(differing) > 100
    for d in differing:
        with pytest.raises(Refused, match=r"rules\.condition-"):
            lint(f"facts.x == ({d['expr']})", ("x",), "rule")


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    "f": st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from((0.0, -0.0, 1.0, 5e-324, 1e308)),
    "s": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4),
    "b": st.booleans(),
}


SIGNS = ("<=", ">=", "<", ">", "==", "!=")
ROW = st.fixed_dictionaries(VALUES)
BOUNDS = ("0", "1", "-1", "5", "999999999999999999", "0.0", "-0.0", "0.1", "1.0", "0.30000000000000", "300.5", "9007199254740993")


@st.composite
def numbers(draw: st.DrawFn, kind: str, depth: int = 0) -> str:
    if depth > 1 or draw(st.booleans()):
        literal = str(draw(st.integers(0, 9))) if kind == "i" else f"{draw(st.integers(0, 9))}.{draw(st.integers(0, 9))}"
        return draw(st.sampled_from((f"facts.{kind}", literal)))
    other = draw(st.sampled_from((kind, kind, "i", "f")))
    return f"({draw(numbers(kind, depth + 1))} {draw(st.sampled_from('+-*/'))} {draw(numbers(other, depth + 1))})"


@st.composite
def conditions(draw: st.DrawFn) -> str:
    sign = draw(st.sampled_from(("<", "<=", ">", ">=", "==", "!=")))
    match draw(st.integers(0, 5)):
        case 0 | 1 | 2:
            return f"{draw(numbers(draw(st.sampled_from('if'))))} {sign} {draw(numbers(draw(st.sampled_from('if'))))} && facts.b"
        case 3:
            return f"facts.s {sign} '{draw(st.sampled_from(('', 'a', 'b')))}'"
        case 4:
            return f"facts.s.{draw(st.sampled_from(('startsWith', 'endsWith', 'contains')))}('{draw(st.sampled_from(('', 'a')))}')"
    return draw(st.sampled_from(("facts.s in ['a', '']", "double(facts.i) <= facts.f", "int(facts.f) <= facts.i", "facts.i in [0, 1]")))


@settings(max_examples=1500)
@given(conditions(), st.fixed_dictionaries(VALUES))
def test_a_pass_is_a_pass_on_both(condition: str, facts: dict[str, Any]) -> None:
    """Whatever a linted condition says of whatever facts: where the engine in use says true, the second one does."""
    try:
        lint(condition, tuple(facts), "rule")
    except Refused:
        return
    if ask(condition, facts, 3, 4, "pass")[0] == "pass":
        assert cel.evaluate(condition, {"facts": facts, "looked_at": 3, "of": 4, "verdict": "pass"}) is True


@settings(max_examples=1500)
@given(st.lists(st.tuples(st.sampled_from("ifs"), st.sampled_from(SIGNS), st.sampled_from(BOUNDS)), min_size=1, max_size=3), ROW)
def test_numbers_compared_here_are_compared_as_the_engines_do(parts: list[tuple[str, str, str]], facts: dict[str, Any]) -> None:
    """The short way around the engine gives what both engines give, or is not taken."""
    condition = " && ".join(f"facts.{name} {sign} {bound}" for name, sign, bound in parts)
    short = _compared(condition, facts)
    if "facts.s" in condition and short is not False:
        assert short is None
    if short is not None and "facts.s" not in condition:
        answer = _program(condition).eval(data={"facts": facts, "looked_at": 3, "of": 4, "verdict": "pass"})
        assert answer.value() is short
        assert cel.evaluate(condition, {"facts": facts}) is short


def test_what_is_not_plainly_numbers_goes_to_the_engine() -> None:
    """Text, flags, brackets, numbers no double or 64 bits hold: none of it is decided the short way."""
    for condition in (
        "facts.x == true",
        "(facts.x > 1)",
        "facts.x > 1e3",
        "facts.x > 9223372036854775808",
        "facts.x > 01",
        "1 < facts.x",
    ):
        assert _compared(condition, {"x": 5}) is None, condition
    for value in (True, "5", None, [5]):
        assert _compared("facts.x > 1", {"x": value}) is None
    assert _compared("facts.x > 1", {}) is None
    assert _compared("facts.x > 1 && facts.y > 1", {"x": 5, "y": 0}) is False


def test_text_ends_at_a_null_for_the_engine() -> None:
    """The engine alone takes text up to a null character, so that it equals the empty text; such a fact is an error before it is asked."""
    assert ask("facts.x == ''", {"x": "\0"}, 1, 1, "pass")[0] == "pass"
    state, why, _ = bind((Need("x", "str"),), {"x": Fact("\0hidden", "")})
    assert (state, why) == ("error", "x holds a null character, which no condition sees")


DIFFERS = {
    "length of text": "size(facts.s) > 1",
    "a whole number without sign": "facts.i == 1u",
    "a map": "{'a': 1} == facts.s",
    "an index": "facts.s[0] == 1",
    "a list alone": "[1] == [1.0]",
    "a moment": "timestamp(facts.s) > timestamp(0)",
    "a flag from text": "bool(facts.s)",
    "a library": "math.greatest(facts.i, 1) > 1",
    "hexadecimal": "facts.i == 0x1F",
}


@pytest.mark.parametrize("name", DIFFERS)
def test_differing_constructs_have_their_refusal(name: str) -> None:
    """Each construct engines differ about is refused by name."""
    with pytest.raises(Refused) as e:
        lint(DIFFERS[name] + " && facts.b", ("i", "f", "s", "b"), "rule")
    assert e.value.code == "rules.condition-differs"


@pytest.mark.parametrize("sign", SIGNS)
def test_spaces_decide_nothing(sign: str) -> None:
    """However a comparison is spaced, it is answered alike; where brackets would make a difference, the bound is refused."""
    for value, bound in ((2**53 + 1, "9007199254740992.0"), (-(2**53) - 1, "-9007199254740992.0"), (5, "5")):
        spelt = (f"facts.x {sign} {bound}", f"facts.x{sign}{bound}", f"  facts . x  {sign}  {bound}  ")
        assert len({ask(condition, {"x": value}, 1, 1, "pass") == ("pass", "") for condition in spelt}) == 1
        if "." in bound:
            with pytest.raises(Refused, match=r"rules\.condition-differs"):
                lint(spelt[0], ("x",), "rule")


@pytest.mark.parametrize("text", ["0x8", " 7", "7 ", "-inf", "nan", "Infinity", "", "1_0", "1e999", "٧"])
@pytest.mark.parametrize("reads", ["double(facts.x) <= 10.0", "int(facts.x) <= 10", "double((facts.x + '')) <= 10.0 && facts.y > 0"])
def test_text_that_is_no_decimal_is_no_number(text: str, reads: str) -> None:
    """Text that one engine reads as a number and the other does not, or that both read as endless, is an error."""
    assert ask(reads, {"x": text, "y": 1}, 1, 1, "pass")[0] == "error"


@pytest.mark.parametrize("text", ["7", "-7", "+7", "07", "-0", "1.5", "1e1", "2.5E-1"])
def test_text_that_is_a_decimal_is_a_number_to_both(text: str) -> None:
    """Plain decimals are read, and alike."""
    assert ask("double(facts.x) <= 10.0", {"x": text}, 1, 1, "pass") == ("pass", "")
    assert cel.evaluate("double(facts.x) <= 10.0", {"facts": {"x": text}}) is True
    assert ask("facts.x == '-inf' && double(facts.y) < 9.0", {"x": "-inf", "y": 1}, 1, 1, "pass") == ("pass", "")


UNLIKE = {
    "0.0 / 0.0": ("facts.x / facts.y != 1.0", {"x": 0.0, "y": 0.0}),
    "endless less endless": ("facts.x * 10.0 - facts.y * 10.0 != 5.0", {"x": 1.7e308, "y": 1.7e308}),
    "a difference": ("facts.x != facts.y + 1.0", {"x": 1.0, "y": 1.0}),
    "denied by ==": ("(facts.x / facts.y > 1.0) == false", {"x": 0.0, "y": 0.0}),
    "denied without brackets": ("facts.x / facts.y > 1.0 == false", {"x": 0.0, "y": 0.0}),
    "denied by a list": ("(facts.x / facts.y > 1.0 && facts.x > 0.0) in [false]", {"x": 0.0, "y": 0.0}),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_no_number_is_unlike_everything(name: str) -> None:
    """0.0 / 0.0 != x is true for every x: arithmetic beside != is refused, and beside a comparison that is compared."""
    condition, facts = UNLIKE[name]
    assert ask(condition, facts, 1, 1, "pass")[0] == "pass"
    with pytest.raises(Refused, match=r"rules\.condition-hides"):
        lint(condition, ("x", "y"), "rule")


@pytest.mark.parametrize(
    "condition",
    [
        "facts.x / facts.y <= 1.0 && facts.x in [1.0, 2.0]",
        "(facts.x + 1.0 <= 2.0) && (facts.y * (facts.x - 1.0)) >= 0.0",
        "facts.x != -1 && facts.y != 1e-5",
        "facts.x % 2 != 0",
        "facts.x == (facts.y > 1)",
        "double(facts.x) / 2.5 <= facts.y",
    ],
)
def test_sound_arithmetic_freezes(condition: str) -> None:
    """A sign of a number is no arithmetic, and comparisons in brackets are not compared."""
    lint(condition, ("x", "y"), "rule")


def test_text_is_not_read_as_a_number_in_a_rule() -> None:
    """A number stands in a condition as a number."""
    for condition in ("facts.x <= double('Infinity')", "facts.x <= int(('7'))"):
        with pytest.raises(Refused, match=r"rules\.condition-differs"):
            lint(condition, ("x",), "rule")
