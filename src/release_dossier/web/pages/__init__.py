"""The pages: each reads what it shows from the place and hands plain values to a template. Complete without JavaScript."""

from __future__ import annotations

from fastapi import APIRouter

from release_dossier.web.pages import evidence, release, releases

router = APIRouter(include_in_schema=False)
for part in (releases, release, evidence):
    router.include_router(part.router)
