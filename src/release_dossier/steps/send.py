"""Send: a payload to a destination the protected branch names. Queued first, then tried; what came of each try is kept.

1. Destinations are those on the protected branch: no branch under judgement says where a project's secrets go.
2. The destination's condition is asked before anything is queued.
3. The exact bytes are an artifact and the delivery is in the outbox before the first try; every try sends those bytes under that id.
4. A try that was killed is tried again. A webhook's receiver knows the id; at GitHub we look for our mark before we post again.
5. Nothing leaves but through `sources.outside`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from release_dossier.brief import conclusion, markdown, title
from release_dossier.delivery import Delivery, State, delivery_id, ended
from release_dossier.digest import canonical
from release_dossier.errors import DossierError, Refused, Unavailable
from release_dossier.events import EVENT_TYPE, MEDIA_TYPE, Event, structured
from release_dossier.evidence.reading import Fact
from release_dossier.limits import CLOCK_SKEW_SECONDS_MAX, GITHUB_TEXT_CHARS_MAX
from release_dossier.payload import PAYLOAD_TYPE
from release_dossier.ports import Outbox
from release_dossier.project import Destination
from release_dossier.rules.cel import ask, bind, lint
from release_dossier.rules.moment import after
from release_dossier.rules.requirement import Need
from release_dossier.sources.github import GitHub, github_repository
from release_dossier.sources.outside import Answer, request
from release_dossier.steps.payload import Made, payload_for
from release_dossier.steps.world import World, instant, rfc3339
from release_dossier.store.crash import reach
from release_dossier.store.outbox import FileOutbox
from release_dossier.trust.webhook import sign_webhook

CONDITION_NEEDS = (
    Need("outcome", "str"),
    Need("unmet", "int"),
    Need("waived", "int"),
    Need("missing_approvals", "int"),
    Need("withheld", "int"),
    Need("bytes", "int"),
)


def outbox(world: World) -> Outbox:
    """The project's outbox, in the folder of its store; one for each folder, which remembers what it read."""
    return _boxes.setdefault(world.home, FileOutbox(world.home))


_boxes: dict[Path, FileOutbox] = {}


def deliveries(world: World) -> tuple[State, ...]:
    """What is sent out, in the order it was entered; not what was handed in (steps/intake.py)."""
    kinds = ("webhook", "github-comment", "github-check")
    return tuple(s for s in outbox(world).states().values() if s.delivery.kind in kinds)


def destinations(world: World) -> tuple[Destination, ...]:
    """Those the protected branch names."""
    found = world.settings_at(world.repo.resolve(world.protected_ref())) if world.repo.exists(world.protected_ref()) else None
    return found[0].destination if found else ()


def _named(known: tuple[Destination, ...], name: str) -> Destination:
    """One of them.

    Raises:
        Refused: `send.destination`.
    """
    found = next((d for d in known if d.name == name), None)
    if found is None:
        expected = ", ".join(d.name for d in known) or "a [[destination]] in dossier.toml on the protected branch"
        raise Refused("send.destination", at="--to", found=name, expected=expected, help="see docs/dossier-toml.md")
    return found


def queue(world: World, name: str, to: str) -> tuple[Made, State]:
    """Make the payload for a destination and enter its delivery. Doing it again finds the delivery that is there.

    Raises:
        Refused: `send.*`, `payload.*`: nothing was entered.
    """
    where = _named(destinations(world), to)
    made = payload_for(world, name, where.audience)
    _condition(where, made)
    about = _about(world, where, made)
    id = delivery_id(world.trust.project, to, made.digest)
    known = outbox(world).states().get(id)
    if known is not None:
        return made, known
    body = canonical(_body(world, where, made, id, about))
    delivery = Delivery(
        id=id,
        destination=to,
        kind=where.kind,
        audience=where.audience,
        dossier=made.payload.dossier,
        body=world.store.put_artifact(body),
        about=about,
        queued_at=world.stamp(),
    )
    return made, outbox(world).queue(delivery)


def deliver(world: World, id: str, clock: Callable[[], datetime], *, again: bool = False) -> State:
    """Try one delivery that is still to be sent, whatever its `next_at` says; one that is done, or in another process's hands, is left.
    Asked for `again`, one that stopped at this side is tried as the protected branch has its destination now."""
    box = outbox(world)
    with box.trying(id) as mine:
        state = box.states()[id]
        if not mine or not (state.pending or (again and state.stopped)):
            return state
        known = destinations(world)
        began = box.begin(id, rfc3339(clock()))
        try:
            answer = _try(world, _named(known, state.delivery.destination), state, clock(), again)
            outcome = ended(began, clock(), answer.status, _words(answer), answer.headers)
        except Unavailable as e:
            outcome = ended(began, clock(), 0, f"{e.found} ({e.at})", {})
        except DossierError as e:
            outcome = msgspec.structs.replace(ended(began, clock(), 400, str(e), {}), status=0)
        reach("outbox.sent")
        box.end(outcome)
    return box.states()[id]


def due(world: World, now: datetime) -> tuple[str, ...]:
    """Deliveries to try now, in the order they were entered. Where the clock went back since the last try, nobody knows how long ago that
    was, and it is tried."""
    return tuple(s.delivery.id for s in deliveries(world) if s.pending and (not s.next_at or _is_due(s, now)))


def _is_due(state: State, now: datetime) -> bool:
    return instant(state.next_at, "next_at") <= now or after(now, CLOCK_SKEW_SECONDS_MAX) < instant(state.ended[-1].at, "at")


def _condition(where: Destination, made: Made) -> None:
    if not where.condition:
        return
    at = f"destination {where.name} condition"
    needs = [n for n in CONDITION_NEEDS if re.search(rf"facts\s*\.\s*{n.fact}\b", where.condition)]
    lint(where.condition, [n.fact for n in needs], at)
    decision = made.decision
    facts = {"outcome": Fact(str(decision.get("outcome", "undecided")), "")}
    facts |= {"withheld": Fact(len(made.payload.withheld), ""), "bytes": Fact(len(made.raw), "")}
    states = [r["state"] for r in decision.get("requirements", ())]
    if decision:  # where nothing was decided, nothing is known to be met
        facts["unmet"] = Fact(sum(s not in ("pass", "waived") for s in states), "")
        facts["waived"] = Fact(states.count("waived"), "")
        facts["missing_approvals"] = Fact(sum(t["missing"] for t in decision["approvals"]), "")
    state, why, values = bind(needs, facts)
    if state == "pass":
        state, why = ask(where.condition, values, len(states), len(states), str(decision.get("outcome", "undecided")))
    if state != "pass":
        raise Refused("send.condition", at=at, found=why, expected="it to hold before anything leaves")


def _about(world: World, where: Destination, made: Made) -> dict[str, str]:
    """What a destination needs beside the bytes, settled now so that every retry goes to the same place.

    Raises:
        Refused: `send.address`, `send.no-issue`, `github.no-remote`.
    """
    if where.kind == "webhook":
        if not where.url:
            raise Refused("send.address", at=f"destination {where.name} url", found="none", expected="https://host/path")
        return {"url": where.url}
    change = world.change(_change_of(world, made.payload.dossier))
    repository = where.repository or github_repository(world.repo, world.pin.remote)
    if where.kind == "github-comment":
        if change.issue.number is None:
            raise Refused(
                "send.no-issue", at=f"destination {where.name}", found="a change without an issue number", expected="one to post to"
            )
        return {"repository": repository, "issue": str(change.issue.number)}
    return {"repository": repository, "head": change.head}


def _change_of(world: World, dossier: str) -> str:
    return str(world.statement(dossier, "dossier").predicate["change_digest"])


def _body(world: World, where: Destination, made: Made, id: str, about: Mapping[str, str]) -> dict[str, object]:
    """The JSON that is posted."""
    if where.kind == "github-comment":
        mark = f"\n\n<!-- {id} -->"
        return {"body": markdown(made.payload, GITHUB_TEXT_CHARS_MAX - len(mark)) + mark}
    if where.kind == "github-check":
        output = {"title": title(made.payload), "summary": markdown(made.payload)}
        name = f"release dossier ({where.name})"
        at = world.stamp()[:19] + "Z"
        return {
            "name": name,
            "head_sha": about["head"],
            "external_id": id,
            "status": "completed",
            "conclusion": conclusion(made.payload),
            "completed_at": at,
            "output": output,
        }
    event = Event(
        id=id,
        source=f"urn:release-dossier:{world.trust.project}",
        type=EVENT_TYPE,
        subject=made.payload.dossier,
        time=world.stamp(),
        datacontenttype="application/json",
        dataschema=PAYLOAD_TYPE,
        extensions={"audience": where.audience},
        data={"payload": msgspec.to_builtins(made.payload), "signature": made.signature},
    )
    return structured(event)


def _try(world: World, where: Destination, state: State, now: datetime, again: bool) -> Answer:
    delivery = state.delivery
    body = world.store.artifact(delivery.body)
    if delivery.kind == "webhook":
        if where.url != delivery.about["url"] and not again:
            raise Refused(
                "send.moved", at=f"destination {where.name}", found=where.url, expected=f"{delivery.about['url']}, as when it was queued"
            )
        headers = {
            "content-type": f"{MEDIA_TYPE}; charset=utf-8",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": sign_webhook(_secret(world, where), delivery.id, now, body),
        }
        return request("POST", where.url, headers, body, private=where.private)
    github = GitHub.of(world.environ, world.environ.get(where.token_env, ""), delivery.about["repository"])
    if not github.token:
        raise Refused("send.no-token", at=where.token_env, found="nothing", expected="a token that may write to the repository")
    if delivery.kind == "github-comment":
        return github.comment(int(delivery.about["issue"]), delivery.id, body, look_first=bool(state.began))
    return github.check_run(delivery.about["head"], delivery.id, body, look_first=bool(state.began))


def _secret(world: World, where: Destination) -> str:
    secret = world.environ.get(where.secret_env, "") if where.secret_env else ""
    if not secret:
        name = where.secret_env or f"destination {where.name} secret_env"
        raise Refused("send.no-secret", at=name, found="nothing", expected="the secret both sides know, whsec_…")
    return secret


def _words(answer: Answer) -> str:
    return f"HTTP {answer.status} from {answer.url}"
