"""Why the server refuses, and what to do about it: code → (cause, remedy)."""

from __future__ import annotations

CODES = {
    "page.unknown": ("There is no such page, release or tab.", "Go to the list of releases; its search finds tags, commits and digests."),
    "page.filter": ("A filter in the address has a value this project does not have.", "Clear it: the chips above the list do."),
    "passkey.registration": (
        "The browser's answer is no passkey of this page: another site, another person, or nobody was recognised.",
        "Open the page under the name it has, and make the passkey again.",
    ),
    "sign.changed": (
        "What was signed is not what the page would say now: a result changed meanwhile.",
        "Read the words again and sign those.",
    ),
    "sign.late": (
        "The words were read too long ago, or on a machine whose clock is ahead.",
        "Open the page again and sign within a quarter of an hour.",
    ),
    "sign.what": ("The address asks for something nobody can sign.", "Use the form on the tab Approvals."),
    "serve.port": ("Something else listens on the port.", "Choose another: dossier serve --port N."),
}
