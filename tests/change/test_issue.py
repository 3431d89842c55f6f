"""What an issue says, and what its lines bind."""

import json

import pytest

from release_dossier.errors import Refused
from release_dossier.issue import bind_scope, globs_of, parse_issue
from release_dossier.project import parse_settings

SETTINGS = parse_settings(
    b"""
[project]
name = "shop"
protected_branch = "main"
trust = "sha256:0"
[[service]]
name = "pay"
paths = ["pay/**"]
[[feature]]
name = "Round payments"
paths = ["round.py"]
"""
)
ISSUE = """# Title

## Objective
Whole
credits.

## In scope
- `app/pay.py` and `app/fee.py`
- pay
- Round payments
- the way people feel

## Out of scope:
* `web/**`

### Affected features
1. paying

## Risks
- R7 (high, @ops): the batch doubles. Mitigation: watch it.
- rounding

## Owner
@ann
"""


def test_markdown() -> None:
    """Every part is read in its own words, wrapped lines joined, list marks and colons forgiven."""
    i = parse_issue(ISSUE.encode(), "issue.md")
    assert (i.issue.title, i.objective, i.owner) == ("Title", "Whole credits.", "ann")
    assert i.in_scope == ("`app/pay.py` and `app/fee.py`", "pay", "Round payments", "the way people feel")
    assert (i.out_of_scope, i.features) == (("`web/**`",), ("paying",))
    first, second = i.risks
    assert (first.id, first.severity, first.owner, first.text, first.mitigation) == (
        "R7",
        "high",
        "@ops",
        "the batch doubles.",
        "watch it.",
    )
    assert (second.id, second.text, second.severity) == ("R2", "rounding", "unknown")


def test_github_json_and_event() -> None:
    """GitHub's issue object and an event around it give the same scope; the assignee owns it when the text names nobody."""
    body = ISSUE.replace("## Owner\n@ann\n", "")
    issue = {"title": "T", "number": 7, "body": body, "html_url": "https://github.com/a/b/issues/7", "assignees": [{"login": "bo"}]}
    direct, event = (parse_issue(json.dumps(x).encode(), "e.json") for x in (issue, {"action": "opened", "issue": issue}))
    assert direct == event
    assert (direct.issue.number, direct.issue.title, direct.owner) == (7, "T", "bo")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "issue.no-objective"),
        (b"## Objective\n\n## In scope\n- a.py\n", "issue.no-objective"),
        (b"## Objective\nx\n## In scope\n", "issue.empty-scope"),
        (b"## Objective\nx\n## In scope\n- none\n", "issue.empty-scope"),
        (b"## Objective\nx\n```\n## In scope\n- a.py\n```\n", "issue.empty-scope"),
        (b"## Objective\n\xff\xfe", "issue.encoding"),
        (b'{"title": "T"}', "issue.no-body"),
        (b'{"body": "x", "body": "y"}', "json.duplicate-key"),
        (b"{not json", "json.syntax"),
        (b"x" * (1024 * 1024 + 1), "issue.too-large"),
    ],
)
def test_refused(raw: bytes, code: str) -> None:
    """Each thing an issue can lack has its own refusal."""
    with pytest.raises(Refused) as e:
        parse_issue(raw, "issue.md")
    assert e.value.code == code


@pytest.mark.parametrize(
    ("line", "globs"),
    [
        ("pay", ("pay/**",)),
        ("`pay`", ("pay/**",)),
        ("round payments", ("round.py",)),
        ("a/b.py", ("a/b.py",)),
        ("the shop page", ()),
        ("*.sql", ("*.sql",)),
        ("`docs/release notes/**` and `Makefile`", ("docs/release notes/**", "Makefile")),
        ("Makefile", ()),
        ("` `", ()),
    ],
)
def test_line_binds(line: str, globs: tuple[str, ...]) -> None:
    """A service, a feature, a path and a glob bind files, and whatever stands in backticks; words bind nothing."""
    assert globs_of(line, SETTINGS) == globs


def test_scope_verdicts() -> None:
    """Inside is pass, a file no line binds is inconclusive, a file out of scope fails and wins over being named inside."""
    i = parse_issue(ISSUE.encode(), "issue.md")
    assert bind_scope(i, SETTINGS, ("app/pay.py", "pay/x.py", "round.py")).verdict == "pass"
    loose = bind_scope(i, SETTINGS, ("app/pay.py", "other.py"))
    assert (loose.verdict, loose.unbound) == ("inconclusive", ("other.py",))
    out = bind_scope(i, SETTINGS, ("app/pay.py", "web/x.js"))
    assert (out.verdict, out.outside) == ("fail", ("web/x.js",))
    blanks = parse_issue(ISSUE.replace("- pay\n", "- pay\n- `docs/**`\n").replace("`web/**`", "`docs/our notes/**`").encode(), "issue.md")
    assert bind_scope(blanks, SETTINGS, ("docs/our notes/a.md",)).verdict == "fail"
    both = parse_issue(ISSUE.replace("- pay\n", "- pay\n- `web/**`\n").encode(), "issue.md")
    assert bind_scope(both, SETTINGS, ("web/x.js",)).verdict == "fail"
    assert bind_scope(i, SETTINGS, ()).verdict == "inconclusive"
    assert loose.unmapped == ("the way people feel", "paying")
