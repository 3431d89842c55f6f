"""Why the server refuses, and what to do about it: code → (cause, remedy)."""

from __future__ import annotations

CODES = {
    "page.unknown": ("There is no such page, release or tab.", "Go to the list of releases; its search finds tags, commits and digests."),
    "page.filter": ("A filter in the address has a value this project does not have.", "Clear it: the chips above the list do."),
    "serve.port": ("Something else listens on the port.", "Choose another: dossier serve --port N."),
}
