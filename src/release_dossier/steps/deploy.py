"""What runs where: deployments as they are recorded, and the posture read from releases and deployments."""

from __future__ import annotations

from datetime import datetime

import msgspec

from release_dossier.digest import DIGEST
from release_dossier.dossier import Dossier
from release_dossier.errors import Corrupt, Refused, shown
from release_dossier.gate import Decision
from release_dossier.posture import Deployment, Standing, Unreadable
from release_dossier.posture import posture as stand
from release_dossier.project import SETTINGS_FILE, Objective
from release_dossier.release import Release
from release_dossier.steps.look import withdrawn
from release_dossier.steps.world import World, instant
from release_dossier.trust.log import Entry
from release_dossier.trust.statement import Subject, state


def deployed(world: World, service: str, environment: str, version: str, image: str, observed: str) -> tuple[str, Deployment]:
    """Enter that a version runs somewhere. The same word twice in a row is one entry.

    Raises:
        Refused: `deploy.unknown-service` for a service no settings name, `deploy.image` for an image that is no digest.
    """
    found = world.settings_at(world.protected_ref()) or world.settings_at("HEAD")
    known = [s.name for s in found[0].service] if found else []
    if service not in known:
        raise Refused("deploy.unknown-service", at="--service", found=service, expected=", ".join(known) or f"a service of {SETTINGS_FILE}")
    if image and not DIGEST.fullmatch(image):
        raise Refused("deploy.image", at="--image", found=shown(image, 80), expected="sha256: and 64 hexadecimal digits")
    deployment = Deployment(
        service=service, environment=environment, version=version, image=image, observed=observed, deployed_at=world.stamp()
    )
    key = f"{service}/{environment}"
    with world.store.lock():
        last = next((e for e in reversed(world.store.entries()) if e.type == "deployment" and e.key == key), None)
        if last is not None:
            before = msgspec.convert(world.statement(last.digest, "deployment").predicate, Deployment)
            if msgspec.structs.replace(before, deployed_at=deployment.deployed_at) == deployment:
                return last.digest, before
        subject = [Subject(service, {"sha256": image.removeprefix("sha256:")} if image.startswith("sha256:") else {"version": version})]
        statement = state("deployment", world.trust.project, subject, msgspec.to_builtins(deployment))
        return world.record(statement, change="", key=key), deployment


def posture(world: World, now: datetime) -> tuple[Standing, ...]:
    """The posture at `now`. Looking back, what was released or deployed later is no part of it; what was taken back since, is.

    Raises:
        Corrupt: a withdrawal cannot be read: nobody knows what it took back.
    """
    released, deployments = [], list[Deployment | Unreadable]()
    objectives: dict[str, list[Objective]] = {}
    back = now < world.now  # else an entry by a clock that is ahead counts too
    for e in world.store.entries():
        if back and e.type in ("release", "deployment") and instant(e.at, "log") > now:
            continue
        if e.type == "release":
            released.append(_released(world, e))
        elif e.type == "deployment":
            try:
                deployments.append(msgspec.convert(world.statement(e.digest, "deployment").predicate, Deployment))
            except Corrupt as why:
                service, _, environment = e.key.partition("/")
                deployments.append(Unreadable(service, "", environment, str(why)))
    found = world.settings_at(world.protected_ref()) or world.settings_at("HEAD")
    for o in found[0].objective if found else ():
        objectives.setdefault(o.service, []).append(o)
    return stand(released, deployments, objectives, withdrawn(world), now)


def _released(world: World, entry: Entry) -> tuple[str, Release, Dossier, Decision] | Unreadable:
    try:
        r = msgspec.convert(world.statement(entry.digest, "release").predicate, Release)
        dossier = msgspec.convert(world.statement(r.dossier, "dossier").predicate, Dossier)
        decision = msgspec.convert(world.statement(r.decision, "decision").predicate, Decision)
    except Corrupt as e:
        service, _, version = entry.key.partition("@")
        return Unreadable(service, version, "", str(e))
    return entry.digest, r, dossier, decision
