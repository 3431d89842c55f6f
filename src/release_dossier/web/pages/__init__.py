"""The pages: each reads what it shows from the place and hands plain values to a template. Complete without JavaScript."""

from __future__ import annotations

from fastapi import APIRouter

from release_dossier.web.pages import compare, evidence, log, payload, posture, release, releases, rules, signing

router = APIRouter(include_in_schema=False)
for part in (releases, release, evidence, compare, posture, rules, log, signing, payload):
    router.include_router(part.router)
