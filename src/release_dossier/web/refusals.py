"""Why the server refuses, and what to do about it: code → (cause, remedy)."""

from __future__ import annotations

CODES = {
    "access.file": (
        "The file of tokens and sessions cannot be read or written.",
        "Check .dossier/access.sqlite and the space on its disk.",
    ),
    "access.forbidden": (
        "Somebody asked for what their role at this server does not include, or is no member of the project.",
        "Ask an admin: [[access.member]] in dossier.toml, or a token of another role.",
    ),
    "access.host": (
        "A request names a host this server does not answer to; a foreign name may have been pointed here.",
        "Use the address it was started with, or add the name to hosts in [access].",
    ),
    "access.login": (
        "A login did not begin in this browser, was answered twice, took too long or was refused by the provider; or none is configured.",
        "Begin again at /login.",
    ),
    "access.no-token": (
        "There is no token with this id.",
        "dossier token list shows them.",
    ),
    "access.origin": (
        "A request that could change something comes from another site's page, or does not say where from.",
        "Use the server's own pages; scripts use a token.",
    ),
    "access.person": (
        "Somebody brought another person's words.",
        "Bring your own, or let the other log in.",
    ),
    "access.rate": (
        "A client asks more often than it may.",
        "Wait as long as Retry-After says.",
    ),
    "access.scope": (
        "A token is asked for with a scope its role does not have, or an end that is past.",
        "Choose another role or scope; docs/api.md has the table.",
    ),
    "access.unauthenticated": (
        "Nobody said who they are, or the token or session does not stand: unknown, ended or revoked.",
        "Log in at /login, or make a token: dossier token new.",
    ),
    "api.body": (
        "A request's body is not what the address takes.",
        "See its description: /api/v1/openapi.json.",
    ),
    "api.changed": (
        "What somebody signed is not what stands now, or is too long ago.",
        "Ask for the words again, read them and sign those.",
    ),
    "api.cursor": (
        "A cursor is none, or of another list.",
        "Take `next` of the page before, with the same filters and order.",
    ),
    "api.internal": (
        "The server failed in a way nobody foresaw; it is its fault, not the request's.",
        "Tell whoever runs it the request id: the server's own output has the rest.",
    ),
    "api.key-reused": (
        "An Idempotency-Key stands for another request already.",
        "Give every request a key of its own, and the same only to its repetition.",
    ),
    "api.listeners": (
        "More listen to this server's events than it serves at once.",
        "Try again later, or poll /api/v1/documents.",
    ),
    "api.media": (
        "A request's body is of another kind than the address takes.",
        "Say Content-Type: application/json.",
    ),
    "api.method": (
        "An address does not take this method.",
        "Allow says which it takes.",
    ),
    "api.parameter": (
        "A parameter of a request has a value that is not taken.",
        "See its description: /api/v1/openapi.json.",
    ),
    "api.slow": (
        "An upload paused too long.",
        "Send it again with the same Idempotency-Key.",
    ),
    "api.too-large": (
        "A request's body is larger than it may be.",
        "Collect large evidence where it lies: dossier collect NAME --from FILE.",
    ),
    "api.unknown": (
        "There is nothing at this address.",
        "/api/v1/openapi.json lists what there is.",
    ),
    "page.unknown": ("There is no such page, release or tab.", "Go to the list of releases; its search finds tags, commits and digests."),
    "page.filter": ("A filter in the address has a value this project does not have.", "Clear it: the chips above the list do."),
    "serve.login": (
        "The server should answer where others reach it, and nobody could log in safely.",
        "Configure [access] as docs/api.md says, or serve on 127.0.0.1.",
    ),
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
