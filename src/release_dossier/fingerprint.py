"""What ships, as one number: SHA-256 over (mode, path, content) of the whole tree except what another service owns alone.

Shared files are in every fingerprint: a change nobody thought of moves every service it could reach. What is left out is
declared in dossier.toml, and narrowing it is a change of rules. The settings and trust documents are left out of all: they
are judged by law 6 (criteria come from the protected branch), and would otherwise make every approval of a rule lapse all evidence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from release_dossier.paths import matches
from release_dossier.project import SETTINGS_FILE, TRUST_FILE, Service


class TreeFile(msgspec.Struct, frozen=True):
    """A file of a tree: octal mode as git writes it, path, SHA-256 hex of the content (for a submodule: of its commit's name)."""

    mode: str
    path: str
    sha256: str


def shipped(service: Service, services: Sequence[Service], path: str) -> bool:
    """Whether `path` is part of what `service` ships."""
    if path in (SETTINGS_FILE, TRUST_FILE) or matches(path, service.exclude):
        return False
    if matches(path, service.paths):
        return True
    return not any(matches(path, other.paths) for other in services if other.name != service.name)


def fingerprint(service: Service, services: Sequence[Service], files: Iterable[TreeFile]) -> str:
    """`sha256:` of what `service` ships, independent of the order of `files`."""
    out = hashlib.sha256(b"release-dossier fingerprint v1\n")
    for f in sorted(files, key=lambda f: f.path.encode("utf-8", "surrogateescape")):
        if shipped(service, services, f.path):
            out.update(f"{f.mode} {f.sha256} ".encode() + f.path.encode("utf-8", "surrogateescape") + b"\0")
    return "sha256:" + out.hexdigest()
