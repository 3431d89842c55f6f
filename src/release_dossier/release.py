"""What shipped: the record that ties a tag to a decision, and the text of the tag itself."""

from __future__ import annotations

import msgspec


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One service at one version, released once. `tag_object` is the raw tag's git name; `label` is `self-approved` or empty."""

    service: str
    version: str
    tag: str
    tag_object: str
    commit: str
    dossier: str
    decision: str
    fingerprint: str
    label: str
    released_at: str


def tag_message(service: str, version: str, dossier: str, decision: str, objective: str, label: str) -> str:
    """The annotated tag's message: what people read, then trailers that machines read."""
    lines = [f"{service} {version}", "", objective, "", f"Dossier: {dossier}", f"Decision: {decision}"]
    if label:
        lines.append(f"Approved: {label}")
    return "\n".join(lines) + "\n"
