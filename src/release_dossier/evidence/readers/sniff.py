"""What a file's beginning is, for `recognises`: the outline of JSON that may be cut, the root of XML. Nothing here judges."""

from __future__ import annotations

import re
from functools import lru_cache

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)
_DEPTH_MAX = 4
_ROOT = re.compile(rb"<(?:([\w.-]+):)?([\w.-]+)((?:\s[^<>]*)?)/?>?")
_BEFORE_ROOT = ((b"<?", b"?>"), (b"<!--", b"-->"), (b"<!DOCTYPE", b">"))


@lru_cache(maxsize=8)
def outline(head: bytes) -> dict[str, str]:
    """Paths in the first JSON value of `head`, which may be cut: `{"runs": "[", "runs[]": "{", "runs[].tool": "{", "version": "2.1.0"}`.

    Of a list only its first element; at most four levels; the value is `{`, `[` or the scalar's text, and the whole file is `""`.
    Empty when `head` does not begin with an object or a list.
    """
    out: dict[str, str] = {}
    if head.lstrip()[:1] not in (b"{", b"["):
        return out
    stack: list[list[object]] = []  # path, is a list, elements so far
    key: str | None = None
    last = ""
    for found in _TOKEN.finditer(head):
        token = found.group()
        if token in (b"}", b"]"):
            if len(stack) <= 1:
                break
            stack.pop()
            key = None
        elif token == b":":
            key = last
        elif token == b",":
            key = None
            if stack and stack[-1][1]:
                stack[-1][2] = 1
        else:
            path = _path(stack, key)
            if token in (b"{", b"["):
                if path is not None:
                    out[path] = token.decode()
                stack.append([path, token == b"[", 0])
                key = None
            else:
                last = token.decode("utf-8", "replace").strip('"')
                if path is not None and (key is not None or (stack and stack[-1][1])):
                    out[path] = last
    return out


def _path(stack: list[list[object]], key: str | None) -> str | None:
    """Where a value stands that follows `key`; None when that is too deep, or not in a first element."""
    if not stack:
        return ""
    path, is_list, seen = stack[-1]
    if path is None or len(stack) > _DEPTH_MAX or (is_list and seen):
        return None
    if is_list:
        return f"{path}[]"
    return f"{path}.{key}" if path else key


@lru_cache(maxsize=8)
def root(head: bytes) -> tuple[str, str]:
    """Local name of an XML root and the text of its attributes, whatever stands before it; both empty when it is no XML."""
    text = head.lstrip()
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = text.decode("utf-16", "ignore").encode()
    while before := next((end for start, end in _BEFORE_ROOT if text.startswith(start)), None):
        if before == b">" and b"[" in text.partition(b">")[0]:
            before = b"]>"  # a DOCTYPE with declarations inside
        text = text.partition(before)[2].lstrip()
    found = _ROOT.match(text)
    return (found[2].decode("utf-8", "replace"), found[3].decode("utf-8", "replace")) if found else ("", "")


_KEY = re.compile(rb"""(?:"([^"\n]{1,80})"|'([^'\n]{1,80})'|([A-Za-z_$][\w.$/-]{0,80}))\s*:(?:[ \t]+([^\n#]*)|[ \t]*)(?:#[^\n]*)?\Z""")


@lru_cache(maxsize=8)
def top(head: bytes) -> dict[str, str]:
    """Keys on top of a YAML or JSON file and the text of their scalars, the first document with any deciding; empty when it is neither.

    A line at the margin that is no key, item, comment or mark of a document says that it is no YAML of a kind read here.
    """
    if head.lstrip()[:1] == b"{":
        return {path: text for path, text in outline(head).items() if path and "." not in path and "[" not in path}
    out: dict[str, str] = {}
    lines = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for line in lines[:-1] if len(lines) > 1 and len(head) >= 60_000 else lines:
        line = line.rstrip()
        if not line or line[:1] in b" \t#%" or line.startswith((b"---", b"...", b"- ", b"]", b"}")) or line == b"-":
            if line.startswith(b"---") and out:
                break
            continue
        found = _KEY.match(line)
        if found is None:
            return {}
        key = (found[1] or found[2] or found[3]).decode("utf-8", "replace")
        out.setdefault(key, (found[4] or b"").decode("utf-8", "replace").strip().strip("\"'"))
    return out
