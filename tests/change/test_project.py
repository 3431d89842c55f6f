"""dossier.toml: what is accepted, and what is refused by name."""

import pytest

from release_dossier.errors import Refused
from release_dossier.fingerprint import TreeFile, fingerprint, shipped
from release_dossier.project import parse_settings, seconds

GOOD = """
[project]
name = "shop"
protected_branch = "main"
trust = "sha256:0"
[[service]]
name = "pay"
paths = ["pay/**"]
[[service]]
name = "web"
paths = ["web/**"]
exclude = ["web/docs/**"]
"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (GOOD + "[[surprise]]\nx = 1\n", "settings.key"),
        (GOOD.replace('name = "shop"', 'nmae = "shop"'), "settings.key"),
        (GOOD.replace('paths = ["pay/**"]', "paths = 3"), "settings.key"),
        (GOOD + "[[evidence]]\nname='t'\nkind='tests'\nretry=3\n", "settings.key"),
        (GOOD.replace('name = "web"', 'name = "pay"'), "settings.twice"),
        (GOOD.replace('name = "web"', 'name = "../web"'), "settings.name"),
        (GOOD.split("[[service]]")[0], "settings.key"),
        (GOOD.split("[[service]]")[0].replace("[project]", "service = []\n[project]"), "settings.no-service"),
        (GOOD + "[[evidence]]\nname='t'\nkind='tests'\nservices=['shop']\n", "settings.unknown-service"),
        (GOOD + "[[evidence]]\nname='t'\nkind='tests'\nage_max='soon'\n", "settings.age"),
        (GOOD.replace('paths = ["pay/**"]', 'paths = ["pay/**"]\ntag = "v1"'), "settings.tag"),
        (GOOD.replace('paths = ["pay/**"]', 'paths = ["pay/**"]\ncriticality = "huge"'), "settings.key"),
        ("not toml", "settings.syntax"),
        (GOOD + "x = " + "[" * 5_000 + "]" * 5_000 + "\n", "settings.syntax"),
        (GOOD + "x = " + "{a = " * 5_000 + "1" + "}" * 5_000 + "\n", "settings.syntax"),
        ("a = 1\n" * 400_000, "settings.too-large"),
    ],
)
def test_refused(text: str, code: str) -> None:
    """An unknown key, a wrong value or a name twice is refused, never ignored."""
    with pytest.raises(Refused) as e:
        parse_settings(text.encode())
    assert e.value.code == code


def test_ages() -> None:
    """Ages are whole minutes, hours or days."""
    assert (seconds("90m", ""), seconds("24h", ""), seconds("7d", "")) == (5400, 86400, 604800)


FILES = [TreeFile("100644", p, p.encode().hex()) for p in ("pay/a.py", "web/b.js", "web/docs/c.md", "shared.py", "dossier.toml")]


def test_fingerprint_covers_what_no_other_service_owns() -> None:
    """A service ships its own files and everything shared, not what another owns alone, not declared exclusions, not the settings."""
    s = parse_settings(GOOD.encode()).service
    ships = {svc.name: [f.path for f in FILES if shipped(svc, s, f.path)] for svc in s}
    assert ships == {"pay": ["pay/a.py", "shared.py"], "web": ["web/b.js", "shared.py"]}


@pytest.mark.parametrize("moved", [0, 3])
def test_fingerprint_moves_with_mode_path_and_content(moved: int) -> None:
    """Any change of mode, path or content of a shipped file moves the fingerprint; order and foreign files do not."""
    s = parse_settings(GOOD.encode()).service
    base = fingerprint(s[0], s, FILES)
    f = FILES[moved]
    for other in (TreeFile("100755", f.path, f.sha256), TreeFile(f.mode, f.path + "x", f.sha256), TreeFile(f.mode, f.path, "00")):
        assert fingerprint(s[0], s, [other if x is f else x for x in FILES]) != base
    assert fingerprint(s[0], s, FILES[::-1]) == base
    assert fingerprint(s[0], s, [x for x in FILES if x.path != "web/b.js"]) == base


def test_a_byte_order_mark_says_nothing() -> None:
    """Editors on Windows write one."""
    assert parse_settings(b"\xef\xbb\xbf" + GOOD.encode()) == parse_settings(GOOD.encode())
