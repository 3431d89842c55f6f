"""Which paths a glob names, one meaning everywhere: services, scope lines, exclusions.

`*` and `?` stay within a folder, `**` crosses folders, a name without wildcard also names everything below it.
Matching is over whole repository paths with `/`, never the file system.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether any glob names `path`."""
    return any(_pattern(g).match(path) for g in globs)


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    g = glob.removeprefix("./").removeprefix("/")
    whole = g.endswith("/")
    g = g.rstrip("/")
    out = []
    i = 0
    while i < len(g):
        if g.startswith("**/", i):
            out.append("(?:[^/]+/)*")
            i += 3
        elif g.startswith("**", i):
            out.append(".*")
            i += 2
        elif g[i] == "*":
            out.append("[^/]*")
            i += 1
        elif g[i] == "?":
            out.append("[^/]")
            i += 1
        else:
            out.append(re.escape(g[i]))
            i += 1
    below = "/.*" if whole else "(?:/.*)?"
    if g in ("", "."):
        return re.compile(r".*\Z", re.DOTALL)
    return re.compile("".join(out) + below + r"\Z", re.DOTALL)
