"""What stands where: for each service and environment the release that runs there, what watches it, and until when this is valid.

A release nobody recorded as running is `released, not observed`. Nothing here is inferred from silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from release_dossier.change import Risk
from release_dossier.dossier import Dossier
from release_dossier.errors import shown
from release_dossier.gate import Decision
from release_dossier.project import Objective
from release_dossier.release import Release


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's word that a version runs somewhere. `observed` is the address that said so, empty when it was only declared."""

    service: str
    environment: str
    version: str
    image: str
    observed: str
    deployed_at: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the posture. `standing` is `valid`, or begins with `expired`, `withdrawn`, `unproven` or `unreadable`."""

    service: str
    environment: str
    version: str
    dossier: str
    observed: str
    standing: str
    valid_until: str
    slos: tuple[dict[str, str], ...]
    alerts: tuple[str, ...]
    unwatched: tuple[str, ...]
    owners: tuple[str, ...]
    risks: tuple[Risk, ...]
    waivers: tuple[dict[str, str], ...]
    label: str


class Unreadable(msgspec.Struct, frozen=True):
    """A release or deployment the log names and nobody can read any more, and why. What its entry does not name is empty."""

    service: str
    version: str
    environment: str
    why: str


_Released = tuple[str, Release, Dossier, Decision] | Unreadable


def posture(
    released: Sequence[_Released],
    deployments: Sequence[Deployment | Unreadable],
    objectives: Mapping[str, Sequence[Objective]],
    withdrawn: Mapping[str, str],
    now: datetime,
) -> tuple[Standing, ...]:
    """The newest release of each service in each environment it is recorded in.

    Args:
        released: in log order, each with the digest of its release statement. One that cannot be read hides no other.
        deployments: in log order; the last one of a service and environment stands.
        objectives: by service.
        withdrawn: digest of a withdrawn statement → reason. A release falls with itself, its dossier, its decision, and any approval,
            waiver or passing evidence of its service that its decision stood on. Decisions of before edition 3 name no waiver.
    """
    newest = {_named(x).service: x for x in released}
    places = {(d.service, d.environment): d for d in deployments}
    out = []
    for (service, environment), d in sorted(places.items()):
        match = next((x for x in reversed(released) if (_named(x).service, _named(x).version) == (service, d.version)), None)
        mine = objectives.get(service, ())
        if isinstance(d, Unreadable):
            out.append(_bare(service, environment, "", "unknown", f"unreadable: {d.why}", mine))
        elif match is None:
            unproven = "unproven: no release of this version in the log"
            out.append(_bare(service, environment, d.version, d.observed or "declared, not observed", unproven, mine))
        else:
            out.append(_line(match, environment, d.observed or "declared, not observed", objectives, withdrawn, now))
    for service, entry in sorted(newest.items()):
        if not any(s == service for s, _ in places):
            out.append(_line(entry, "", "released, not observed", objectives, withdrawn, now))
    return tuple(out)


def _named(entry: _Released) -> Release | Unreadable:
    return entry if isinstance(entry, Unreadable) else entry[1]


def _line(
    entry: _Released,
    environment: str,
    observed: str,
    objectives: Mapping[str, Sequence[Objective]],
    withdrawn: Mapping[str, str],
    now: datetime,
) -> Standing:
    mine = objectives.get(_named(entry).service, ())
    if isinstance(entry, Unreadable):
        return _bare(entry.service, environment, entry.version, observed, f"unreadable: {entry.why}", mine)
    digest, release, dossier, decision = entry
    why = gone(digest, release, decision, withdrawn)
    until = decision.valid_until
    expired = bool(until) and now >= datetime.fromisoformat(until)
    waived = [r for r in decision.requirements if r.state == "waived" and r.service == release.service]
    standing = f"withdrawn: {why}" if why is not None else f"expired {until}" if expired else "valid"
    return Standing(
        service=release.service,
        environment=environment,
        version=release.version,
        dossier=release.dossier,
        observed=observed,
        standing=standing,
        valid_until=until,
        slos=_slos(mine),
        alerts=_alerts(mine),
        unwatched=_unwatched(mine),
        owners=next((o.owners for o in dossier.owners if o.service == release.service), ()),
        risks=dossier.risks,
        waivers=tuple({"requirement": r.id, "was": r.waived_from or "", "reason": r.reason} for r in waived),
        label=release.label,
    )


def gone(digest: str, release: Release, decision: Decision, withdrawn: Mapping[str, str]) -> str | None:
    """Why a release no longer stands, None when it does: what it is made of was taken back after it shipped."""
    for d in (digest, release.dossier, release.decision):
        if d in withdrawn:
            return shown(withdrawn[d])
    for t in decision.approvals:
        for c in t.counted:
            if c.statement in withdrawn:
                return f"the approval of {c.person} as {t.role} was taken back: {shown(withdrawn[c.statement])}"
    for r in decision.requirements:
        if r.service == release.service and r.waiver in withdrawn:
            return f"the waiver of {r.id} was taken back: {shown(withdrawn[r.waiver])}"
        back = next((d for d in r.evidence if d in withdrawn), None)
        if r.service == release.service and r.state == "pass" and back is not None:
            return f"the evidence of {r.id} was taken back: {shown(withdrawn[back])}"
    return None


def _slos(mine: Sequence[Objective]) -> tuple[dict[str, str], ...]:
    return tuple({"name": o.name, "target": o.target, "status": o.status} for o in mine)


def _alerts(mine: Sequence[Objective]) -> tuple[str, ...]:
    return tuple(sorted({a for o in mine for a in o.alerts}))


def _unwatched(mine: Sequence[Objective]) -> tuple[str, ...]:
    return tuple(o.name for o in mine if not o.alerts)


def _bare(service: str, environment: str, version: str, observed: str, standing: str, mine: Sequence[Objective]) -> Standing:
    """A line without a release behind it. What the service's objectives ask is known all the same."""
    return Standing(
        service=service,
        environment=environment,
        version=version,
        dossier="",
        observed=observed,
        standing=standing,
        valid_until="",
        slos=_slos(mine),
        alerts=_alerts(mine),
        unwatched=_unwatched(mine),
        owners=(),
        risks=(),
        waivers=(),
        label="",
    )
