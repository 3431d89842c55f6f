"""Files that are no evidence of the format they are called: each by its code, with the place, what was found and what was expected."""

from __future__ import annotations

import io
from types import ModuleType
from typing import Any

import pytest

from release_dossier.errors import Refused
from release_dossier.evidence import kinds, promql
from release_dossier.evidence.readers import given, go_vet, jmeter, read, spdx_tags

LONG = 200  # bytes a line may have here
DELIVERIES, SCENARIOS = "deliveries of Alertmanager's webhook", "a list of scenarios"


def refusal(call: Any) -> tuple[str, str, str, str]:
    with pytest.raises(Refused) as e:
        call()
    return e.value.code, e.value.at, e.value.found, e.value.expected


@pytest.mark.parametrize(
    ("name", "raw", "due"),
    [
        ("go-test-json", b"no event\n{}\n", ("go-test.no-event", "file", "2 lines that are no event", "the output of go test -json")),
        ("tap", b"TAP version 13\n# hello\n", ("tap.no-result", "file", "neither a plan nor a result", "lines of ok and not ok")),
        ("fire-drill", b'{"payload": {}}\nx\n', ("fire-drill.no-delivery", "file", "2 lines that are none", DELIVERIES)),
        ("replay-scenarios", b'{"a": 1}', ("replay.shape", "file", "dict", SCENARIOS)),
        ("load-dossier", b'{"schemaVersion": "0.1.0"}', ("load-dossier.shape", "results", "NoneType", "an object")),
    ],
)
def test_a_file_without_what_its_format_is_made_of(name: str, raw: bytes, due: tuple[str, str, str, str]) -> None:
    """Nothing of the sort in it is no run that found nothing: it is not this format."""
    assert refusal(lambda: read(io.BytesIO(raw), format=name)) == due


@pytest.mark.parametrize(
    ("module", "name", "raw", "line", "what"),
    [
        (given, "go-test-json", b"{}\n%s\n" % (b"x" * LONG), 2, "line"),
        (given, "k6-stream", b"{}\n%s\n" % (b"x" * LONG), 2, "line"),
        (go_vet, "go-vet-json", b"# p\n{\n%s" % (b'"x": 1,\n' * 30), 31, "object"),
        (jmeter, "jmeter-csv", b'timeStamp,label\n1,"%s' % (b"text\n" * 50), 2, "record"),
        (spdx_tags, "spdx-tag-value", b"SPDXVersion: SPDX-2.3\nComment: <text>a\n%s" % (b"text\n" * 50), 2, "text"),
    ],
)
def test_no_line_and_no_record_is_longer_than_it_may_be(
    module: ModuleType, name: str, raw: bytes, line: int, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line, or a record over many lines, is refused where it begins or where it becomes too long, not kept in memory to its end."""
    monkeypatch.setattr(module, "EVIDENCE_LINE_BYTES_MAX", LONG)
    due = ("evidence.line-too-long", f"line {line}", f"a longer {what}", f"at most {LONG} bytes")
    assert refusal(lambda: read(io.BytesIO(raw), format=name)) == due


def test_an_object_over_many_lines_is_no_longer_than_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is short; together they are not."""
    monkeypatch.setattr(given, "EVIDENCE_LINE_BYTES_MAX", LONG)
    raw = io.BytesIO(b"{\n" + b'"x": 1,\n' * 30)
    due = ("evidence.line-too-long", "line 1", "a longer object", f"at most {LONG} bytes")
    assert refusal(lambda: list(given.json_objects(raw))) == due


@pytest.mark.parametrize(
    ("query", "code", "found", "expected"),
    [
        ("up > ", "promql.syntax", "*", "an expression in PromQL"),
        ("quantile_over_everything(up)", "promql.dialect", "*", "an expression in PromQL"),
        ("(" * 201, "promql.syntax", "201 levels", "at most *"),
        ("x" * 100_000, "promql.syntax", "100000 characters", "at most *"),
    ],
)
def test_a_query_that_is_none(query: str, code: str, found: str, expected: str) -> None:
    """What another vendor's function only makes unreadable here is told apart from what nobody reads."""
    said = refusal(lambda: promql.parse(query, "rule x"))
    assert said[:2] == (code, "rule x")
    assert found in ("*", said[2])
    assert said[3].startswith(expected.rstrip("*"))


def test_a_kind_nobody_knows() -> None:
    """The kinds there are stand beside it."""
    code, at, found, expected = refusal(lambda: kinds.kind("odd"))
    assert (code, at, found) == ("kind.unknown", "kind", "odd")
    assert "tests" in expected.split(", ")
