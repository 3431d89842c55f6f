"""Globs mean one thing everywhere."""

import pytest

from release_dossier.paths import matches


@pytest.mark.parametrize(
    ("glob", "path", "named"),
    [
        ("app/pay.py", "app/pay.py", True),
        ("app/pay.py", "app/pay.pyc", False),
        ("app", "app/pay.py", True),
        ("app/", "app/pay.py", True),
        ("app/", "app", False),
        ("app", "apples/pay.py", False),
        ("app/*", "app/pay.py", True),
        ("app/*.py", "app/deep/pay.py", False),
        ("app/**", "app/deep/pay.py", True),
        ("**/pay.py", "pay.py", True),
        ("**/pay.py", "a/b/pay.py", True),
        ("a/**/pay.py", "a/pay.py", True),
        ("a/?.py", "a/b.py", True),
        ("a/?.py", "a//.py", False),
        ("./app/pay.py", "app/pay.py", True),
        ("**", "anything/at/all", True),
        ("a.b", "axb", False),
        ("a+b(c)", "a+b(c)", True),
        ("*", "dir/file", True),
    ],
)
def test_glob(glob: str, path: str, named: bool) -> None:
    """`*` and `?` stay in a folder, `**` crosses, a bare name covers what lies below, and nothing else is magic."""
    assert matches(path, [glob]) is named


def test_no_glob_names_nothing() -> None:
    """An empty list of globs names no path."""
    assert not matches("a", [])
