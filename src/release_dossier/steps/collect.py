"""Collect evidence: run what is planned or read what is brought, sign it, and leave a trace of every attempt.

1. `started` enters the log before anything runs. A run that dies leaves it standing, and it counts. A file somebody brings is read first:
   one that is refused is no attempt.
2. The lock is held while an attempt gets its number and while its result is recorded, not while it runs.
3. The result is recorded whatever it says. One refused item never stops the others.
4. What the kind marks personal is committed to before anything is signed.
5. What looks at data proves something about this change only where the data was written by it; else it is inconclusive and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

import msgspec

from release_dossier.change import Change, ChangedService
from release_dossier.errors import Corrupt, DossierError, Refused
from release_dossier.evidence import kinds, personal, secrets
from release_dossier.evidence.readers import read
from release_dossier.evidence.readers.given import whole, wrong_shape
from release_dossier.evidence.readers.plain import plain
from release_dossier.evidence.reading import Reading
from release_dossier.evidence.statement import Artifact, Evidence, Producer, Started
from release_dossier.limits import CLOCK_SKEW_SECONDS_MAX, SECRETS_BYTES_MAX
from release_dossier.posture import Deployment
from release_dossier.project import SETTINGS_FILE, Plan, Settings, seconds
from release_dossier.rules.moment import after
from release_dossier.sources.files import open_evidence
from release_dossier.sources.ledger_postgres import place
from release_dossier.sources.runner import last_words, run_plan
from release_dossier.steps import beside
from release_dossier.steps.erase import erased, why
from release_dossier.steps.world import World, instant, producer_key_path, rfc3339
from release_dossier.store.crash import reach
from release_dossier.trust.keyless import Believed
from release_dossier.trust.statement import Subject, state

_CODEOWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")  # where GitHub looks, in its order
SALT_BYTES = 32  # bytes of the salt of a personal value
MONEY_KINDS = ("ledger-invariants", "payouts")


class Collected(msgspec.Struct, frozen=True):
    """What one call recorded and what it refused, and what it noticed on the way."""

    evidence: tuple[tuple[str, Evidence], ...]
    refused: tuple[tuple[str, DossierError], ...]
    notes: tuple[str, ...]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as it ended, before it becomes a statement."""

    reading: Reading
    infrastructure: bool = False
    command: tuple[str, ...] = ()
    exit_status: int | None = None
    isolation: str = "none"
    artifacts: tuple[Artifact, ...] = ()
    imported_by: str | None = None
    written_by: str = ""
    happened: datetime


class Import(msgspec.Struct, frozen=True):
    """A file somebody brings: who, which build wrote the data in it as far as known, and when it was observed if the file does not say.

    For money it may be a text instead: the address of a ledger in a running PostgreSQL, which is read and not kept.
    """

    file: Path | str
    by: str
    written_by: str
    observed_at: datetime | None
    exit_status: int | None = None
    again_since: str = ""  # a server was killed over this very file: what was begun since this moment is continued, not begun anew


def collect(
    world: World,
    change_digest: str,
    change: Change,
    names: Sequence[str],
    brought: Import | None,
    clock: Callable[[], datetime],
    watch: Callable[[str, float], None],
) -> Collected:
    """Run or read the evidence named (everything planned with a command when nothing is named) for every service it is for.

    Raises:
        Refused: `collect.*` when a name is unknown or nothing can be done; what fails item by item is in `refused`.
    """
    settings = frozen_settings(world, change)
    plans = _chosen(settings, names, brought)
    if brought is not None and brought.observed_at is not None:
        _has_been("--observed-at", brought.observed_at, clock(), "as was said")
    recorded: list[tuple[str, Evidence]] = []
    refused: list[tuple[str, DossierError]] = []
    notes: list[str] = []
    readings: dict[str, Outcome] = {}
    for plan in plans:
        services = [s for s in change.services if not plan.services or s.name in plan.services]
        if not services:
            notes.append(f"{plan.name}: none of its services is touched by this change")
        for service in services:
            try:
                recorded.append(_attempt(world, change_digest, change, plan, service, brought, readings, clock, watch, notes))
            except Corrupt:
                raise
            except DossierError as e:
                refused.append((plan.name, e))
    return Collected(tuple(recorded), tuple(refused), tuple(notes))


def _has_been(at: str, moment: datetime, now: datetime, whence: str) -> None:
    """Recorded, a moment to come would be an error for good."""
    if moment > after(now, CLOCK_SKEW_SECONDS_MAX):
        found, help = f"{rfc3339(moment)}, {whence}", "--observed-at MOMENT says when it was, where the file does not"
        raise Refused("collect.future", at=at, found=found, expected="a moment that has been", help=help)


def frozen_settings(world: World, change: Change) -> Settings:
    """The settings the change was frozen with: at its criteria commit, or at its head before adoption."""
    found = world.settings_at(change.criteria or change.head)
    if found is None:
        raise Corrupt(
            "change.settings-gone", at=change.criteria or change.head, found=f"no {SETTINGS_FILE}", expected="the settings the change froze"
        )
    return found[0]


def _chosen(settings: Settings, names: Sequence[str], brought: Import | None) -> list[Plan]:
    known = ", ".join(p.name for p in settings.evidence) or "nothing is planned"
    for name in names:
        if settings.plan_named(name) is None:
            raise Refused(
                "collect.unknown-name",
                at="NAME",
                found=name,
                expected=known,
                help="plan it: [[evidence]] in dossier.toml, on the protected branch",
            )
    if brought is not None and not names:
        raise Refused(
            "collect.no-name",
            at="--from",
            found="a file without a name",
            expected=f"one of: {known}",
            help="dossier collect NAME --from FILE",
        )
    chosen = [p for p in settings.evidence if p.name in names] if names else [p for p in settings.evidence if p.run]
    if brought is None:
        unrunnable = next((p for p in chosen if not p.run), None)
        if unrunnable is not None:
            found = f"{unrunnable.name} has no command"
            raise Refused(
                "collect.no-command", at="NAME", found=found, expected="a file", help=f"dossier collect {unrunnable.name} --from FILE"
            )
    return chosen


def _attempt(
    world: World,
    change_digest: str,
    change: Change,
    plan: Plan,
    service: ChangedService,
    brought: Import | None,
    readings: dict[str, Outcome],
    clock: Callable[[], datetime],
    watch: Callable[[str, float], None],
    notes: list[str],
) -> tuple[str, Evidence]:
    since = ""
    if brought is not None:
        _readable(plan, brought.file)
        since = brought.again_since
        recorded = _recorded(world, change_digest, plan, service, brought) if since else None
        if recorded is not None:
            return recorded
        if isinstance(brought.file, Path):
            _look(world, change, plan, brought, readings, clock, watch)
    started_digest, started, killed = _start(world, change_digest, plan, service, clock, since)
    if killed:
        notes.append(f"{plan.name}: attempt {started.attempt - 1} never ended and counts; this is attempt {started.attempt}")
    reach("collect.started")
    outcome = _look(world, change, plan, brought, readings, clock, watch)
    _stays_erased(world, plan, outcome, notes)
    reach("collect.ran")
    world = msgspec.structs.replace(world, now=clock())  # the log says when it recorded this, not when the command began
    if outcome.imported_by is None and world.now < outcome.happened:  # the clock went back since
        outcome = msgspec.structs.replace(outcome, happened=world.now)
    evidence = _evidence(world, change_digest, change, plan, service, started_digest, started, outcome, world.now)
    subject = [
        Subject(service.name, {"releaseDossierFingerprint": service.fingerprint.removeprefix("sha256:")}),
        Subject(change.id, {"gitCommit": change.head, "gitTree": change.tree}),
    ]
    statement = state("evidence", world.trust.project, subject, msgspec.to_builtins(evidence))
    with world.store.lock():
        digest = world.record(statement, change=change_digest, key=_key(plan.name, service.name))
    return digest, evidence


def _look(
    world: World,
    change: Change,
    plan: Plan,
    brought: Import | None,
    readings: dict[str, Outcome],
    clock: Callable[[], datetime],
    watch: Callable[[str, float], None],
) -> Outcome:
    """One run speaks for every service it is planned for: the same bytes are not looked at twice in one call."""
    if plan.name not in readings:
        ran = _import(world, change, plan, brought, clock()) if brought is not None else _run(world, change, plan, clock, watch)
        _kind_checked(plan, ran.reading)
        readings[plan.name] = _committed(world, kinds.kind(plan.kind, frozen_settings(world, change).kind), ran)
    return readings[plan.name]


def _committed(world: World, kind: kinds.Kind, outcome: Outcome) -> Outcome:
    """The outcome with its personal values committed to, their openings kept as artifacts beside it: before anything is signed."""
    reading, openings = personal.commit(outcome.reading, kind.personal, lambda: token_hex(SALT_BYTES))
    kept = tuple(
        Artifact(f"personal/{i}.json", world.store.put_artifact(raw), len(raw), personal.MEDIA_TYPE) for i, raw in enumerate(openings, 1)
    )
    return msgspec.structs.replace(outcome, reading=reading, artifacts=(*outcome.artifacts, *kept))


def _stays_erased(world: World, plan: Plan, outcome: Outcome, notes: list[str]) -> None:
    """What was erased for good does not come back because a command wrote the same bytes again, or somebody brought them."""
    gone = erased(world)
    for artifact in outcome.artifacts:
        if artifact.digest in gone:
            world.store.erase_artifact(artifact.digest)
            words = f"{plan.name}: {artifact.name} is what was {why(gone[artifact.digest][1])}; it is not kept again, and counts as missing"
            notes.extend([words] if words not in notes else [])


def _key(name: str, service: str) -> str:
    return f"{name}/{service}"


def _recorded(world: World, change_digest: str, plan: Plan, service: ChangedService, brought: Import) -> tuple[str, Evidence] | None:
    """What the killed run had recorded of this very file."""
    if isinstance(brought.file, str):
        return None
    content = world.store.put_artifact(brought.file)
    for entry in world.store.entries():
        if entry.type == "evidence" and entry.key == _key(plan.name, service.name) and entry.change == change_digest:
            e = msgspec.convert(world.statement(entry.digest, "evidence").predicate, Evidence)
            mine = e.producer.imported_by == brought.by and any(a.digest == content for a in e.artifacts)
            if mine and e.recorded_at >= brought.again_since:
                return entry.digest, e
    return None


def _start(
    world: World, change_digest: str, plan: Plan, service: ChangedService, clock: Callable[[], datetime], since: str = ""
) -> tuple[str, Started, bool]:
    """Number this attempt and enter it. They count per evidence, service and fingerprint: opening the change again resets nothing.

    With `since`, an attempt begun after that moment and never ended is the one that goes on.
    """
    with world.store.lock():
        before, ended = None, set()
        for entry in world.store.entries():
            if entry.key != _key(plan.name, service.name):
                continue
            if entry.type == "started":
                s = world.said(entry.digest, "started", Started)
                if s.fingerprint == service.fingerprint:
                    before = entry.digest, s
            elif entry.type == "evidence":
                ended.add(world.said(entry.digest, "evidence", Evidence).started)
        if since and before is not None and before[0] not in ended and before[1].started_at >= since and before[1].change == change_digest:
            return *before, False
        started = Started(
            change=change_digest,
            name=plan.name,
            kind=plan.kind,
            service=service.name,
            environment=plan.environment,
            fingerprint=service.fingerprint,
            attempt=before[1].attempt + 1 if before else 1,
            previous=before[0] if before else None,
            started_at=rfc3339(clock()),
        )
        subject = [Subject(service.name, {"releaseDossierFingerprint": service.fingerprint.removeprefix("sha256:")})]
        statement = state("started", world.trust.project, subject, msgspec.to_builtins(started))
        digest = world.record(statement, change=change_digest, key=_key(plan.name, service.name))
    return digest, started, before is not None and before[0] not in ended


def _run(world: World, change: Change, plan: Plan, clock: Callable[[], datetime], watch: Callable[[str, float], None]) -> Outcome:
    # git's own folder may hold a token in its configuration.
    hide = [world.home, world.repo.root / ".dossier", producer_key_path(world.home, world.environ), world.repo.common_folder()]
    with run_plan(world.repo, change.head, plan, hide=hide, environ=world.environ, watch=lambda s: watch(plan.name, s)) as ran:
        output = ran.worktree / plan.output if plan.output else ran.stdout
        artifacts = [_keep(world, ran.log, f"{plan.name}.log", "text/plain")] if ran.log.exists() and ran.log.stat().st_size else []
        inside = output.resolve().is_relative_to(ran.worktree.resolve().parent) and not output.is_symlink()
        if output.is_file() and inside and output.stat().st_size:
            artifacts.append(_keep(world, output, plan.output or f"{plan.name}.out", "application/octet-stream"))
            reading = _read_run(world, change, plan, output, ran.exit_status, rfc3339(clock()))
        else:
            said = last_words(ran.log) if ran.log.exists() else ""
            silent = f"`{' '.join(plan.run)}` ended with {ran.exit_status} and wrote no {plan.output or 'output'}{said}"
            reading = _nothing(plan.kind, ran.trouble or silent)
        if ran.trouble:
            reading = msgspec.structs.replace(reading, verdict="fail" if reading.verdict == "fail" else "inconclusive", cause=ran.trouble)
        return Outcome(
            reading=reading,
            infrastructure=ran.infrastructure,
            command=plan.run,
            exit_status=ran.exit_status,
            isolation=ran.isolation,
            artifacts=tuple(artifacts),
            written_by=change.head,
            happened=clock(),
        )


def _read_run(world: World, change: Change, plan: Plan, output: Path, exit_status: int | None, at: str) -> Reading:
    """A run's own file. One that cannot be read is a run that proved nothing, not a refused call: the attempt was made."""
    try:
        with open_evidence(output) as stream:
            reading = _read(stream, plan.format or None, exit_status, _beside(world, change, plan, at))
            return secrets.reported(reading, plain(stream), SECRETS_BYTES_MAX)
    except Refused as e:
        return _nothing(plan.kind, f"its output was refused: {e}")


def _read(stream: IO[bytes], format: str | None, exit_status: int | None, around: dict[str, Any]) -> Reading:
    """The file beside the last release's own; where that is another format, or broken, alone, and the reading says so."""
    last = around.pop("last")
    if last is None or around["base"] is not None:
        return read(stream, format=format, exit_status=exit_status, **around)
    try:
        return read(stream, format=format, exit_status=exit_status, **around | {"base": last})
    except Refused as e:
        stream.seek(0)
        reading = read(stream, format=format, exit_status=exit_status, **around)
        return msgspec.structs.replace(reading, limits=(*reading.limits, f"not compared with the last release's own file: {e}"))


def _beside(world: World, change: Change, plan: Plan, at: str) -> dict[str, Any]:
    """What a file does not say and its reader must know: what was asked for, what the project declares, what the base has, whom it trusts.

    `base` of a plan's options is a path in the repository, read as it stands at the change's base. Signers are the producers that may
    produce this kind and whose keys are not revoked.
    """
    expectations = dict(plan.options)
    if plan.kind == "alert-coverage":
        _objectives(world, change, plan, expectations)
    if plan.kind == "review":
        owned = (world.repo.file_at(change.base, path) for path in _CODEOWNERS)
        expectations.setdefault("codeowners", next((raw.decode("utf-8", "replace") for raw in owned if raw), ""))
    before = world.repo.file_at(change.base, plan.options["base"]) if plan.options.get("base") else None
    keys = {
        f"{p.id} {k.id}" if len(p.keys) > 1 else p.id: k.public
        for p in world.trust.document.producers
        for k in p.keys
        if (not p.kinds or plan.kind in p.kinds) and world.trust.revoked_at(k.id) is None
    }
    settings = frozen_settings(world, change)
    asked = {"command": " ".join(plan.run), "commit": change.head, "tree": change.tree} | beside.asked(world, change, plan, settings, at)
    last = beside.last_release(world, change, plan)
    own = settings.own_kind(plan.kind)
    keyless = _keyless(world, change, settings) if plan.kind == "provenance" else ()
    return {"asked": asked, "expectations": expectations, "base": before, "keys": keys, "keyless": keyless, "own": own, "last": last}


def _keyless(world: World, change: Change, settings: Settings) -> tuple[Believed, ...]:
    """Signers without a key whom the project believes, with the trusted roots of the commit the settings are from.

    Raises:
        Refused: `collect.no-root`.
    """
    commit, found = change.criteria or change.head, []
    for k in settings.keyless:
        root = world.repo.file_at(commit, k.root)
        if root is None:
            at = f"{SETTINGS_FILE} keyless {k.name} root"
            raise Refused("collect.no-root", at=at, found=f"no {k.root} at {commit[:12]}", expected="a trusted root that is committed")
        found.append(Believed(k.name, k.identity, k.issuer, root))
    return tuple(found)


def _objectives(world: World, change: Change, plan: Plan, expectations: dict[str, str]) -> None:
    """What objectives say should be watched, where the plan does not say it itself: their alerts, and the failure modes these cover."""
    mine = [o for o in frozen_settings(world, change).objective if not plan.services or o.service in plan.services]
    modes = [f"{mode}={'|'.join(o.alerts)}" for o in mine for mode in o.failure_modes]
    if modes:
        expectations.setdefault("failure_modes", ",".join(modes))
    if alerts := [a for o in mine for a in o.alerts]:
        expectations.setdefault("alerts", ",".join(dict.fromkeys(alerts)))


def _nothing(kind: str, cause: str) -> Reading:
    return Reading(kind=kind, format="none", verdict="inconclusive", looked_at=0, of=None, cause=cause)


def _keep(world: World, file: Path, name: str, media_type: str) -> Artifact:
    name = name.encode("utf-8", "backslashreplace").decode()
    return Artifact(name, world.store.put_artifact(file), file.stat().st_size, media_type)


def _readable(plan: Plan, source: Path | str) -> None:
    if isinstance(source, str):
        at = place(source)  # refuses an address that cannot be shown
        if plan.kind not in MONEY_KINDS:
            raise Refused("collect.no-file", at="--from", found=at, expected=f"a file: {plan.kind} is not read from a database")
    elif not source.exists():
        raise Refused("collect.no-file", at="--from", found=f"no file {source}", expected="a file or ledger to read")


def _import(world: World, change: Change, plan: Plan, brought: Import, now: datetime) -> Outcome:
    file, happened = brought.file, brought.observed_at
    wrote = brought.written_by or plan.written_by
    if plan.kind in MONEY_KINDS:
        reading, artifacts, wrote = _ledger(world, plan, file, wrote)
    else:
        assert isinstance(file, Path)
        with open_evidence(file) as stream:
            # A plan's format is that of its own command; a file that is brought may be another tool's.
            named = plan.format if plan.format and not plan.run else None
            at = rfc3339(brought.observed_at or datetime.fromtimestamp(file.stat().st_mtime, UTC))
            reading = _read(stream, named, brought.exit_status, _beside(world, change, plan, at))
            reading = secrets.reported(reading, plain(stream), SECRETS_BYTES_MAX)
        artifacts = (_keep(world, file, file.name, "application/octet-stream"),)
    if reading.observed_at:
        happened = instant(reading.observed_at, plan.name)
    if happened is None:
        assert isinstance(file, Path)
        happened = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        reading = msgspec.structs.replace(reading, limits=(*reading.limits, "when it was observed is the file's own modification time"))
    if isinstance(file, Path):  # an attempt to look at a server has begun
        _has_been(plan.name, happened, now, "as it says itself" if reading.observed_at else "when the file was last modified")
    return Outcome(
        reading=reading,
        artifacts=artifacts,
        exit_status=brought.exit_status,
        imported_by=brought.by,
        written_by=wrote,
        happened=happened,
    )


def _ledger(world: World, plan: Plan, source: Path | str, written_by: str) -> tuple[Reading, tuple[Artifact, ...], str]:
    """A ledger judged by the money rules; its companions (receipts, answers, timeline, setup, a ruleset file) lie beside it, or beside
    `dossier.toml` where it lies in a database.

    Whose it is: who says so, else the journal or an answer, else what the log says was deployed to its environment.
    """
    from release_dossier.ledger.evidence import readings
    from release_dossier.sources.ledgers import verify_ledger

    folder = world.repo.root if isinstance(source, str) else source.parent
    beside = {k: str(folder / v) for k, v in plan.options.items() if k in ("receipts", "answers", "timeline", "economics")}
    ruleset = plan.options.get("ruleset")
    if ruleset and ruleset.endswith(".json"):
        ruleset = str(folder / ruleset)
    result = verify_ledger(
        source,
        ruleset=ruleset,
        receipts=beside.get("receipts"),
        answers=beside.get("answers"),
        timeline=beside.get("timeline"),
        economics=beside.get("economics"),
        written_by=written_by,
        deployed=_deployments(world, plan),
        most=_lawful_most(plan),
    )
    reading = next(r for r in readings(result) if r.kind == plan.kind)
    judged_by = [Path(ruleset)] if ruleset and ruleset.endswith(".json") else []
    files = [*([source] if isinstance(source, Path) and source.is_file() else []), *(Path(p) for p in beside.values()), *judged_by]
    kept = [_keep(world, f, f.name, "application/octet-stream") for f in files]
    if result.read is not None:
        reading, said = _of_a_server(reading, result.read), msgspec.json.encode(result.as_json())
        kept.insert(0, Artifact("ledger-verify.json", world.store.put_artifact(said), len(said), "application/json"))
    return reading, tuple(kept), str(result.ledger["written_by"] or "")


def _lawful_most(plan: Plan) -> dict[str, int]:
    """How many credits may be minted and burned, where a plan limits them. A limit nobody can read is not taken for none."""
    most = {}
    for word in ("minted", "burned"):
        if (text := plan.options.get(f"{word}_max")) is not None:
            credits = whole(text)
            if credits is None:
                wrong_shape(f"options.{word}_max", text, "whole credits")
            most[word] = credits
    return most


def _of_a_server(reading: Reading, read: Mapping[str, str]) -> Reading:
    """The reading of rows nobody kept: as of which moment, of which server, and that they cannot be read again."""
    where = f"{read['from']} as of snapshot {read['snapshot']} at {read['at']}: the rows were not kept, what came of them lies beside"
    return msgspec.structs.replace(reading, limits=(where, *reading.limits), observed_at=read["at"][:23] + "Z")


def _deployments(world: World, plan: Plan) -> list[tuple[str, int]]:
    """What the log says was deployed to the plan's environment, of its services: version and moment, in order."""
    found = []
    for e in world.store.entries():
        if e.type == "deployment":
            d = msgspec.convert(world.statement(e.digest, "deployment").predicate, Deployment)
            at = instant(d.deployed_at, "deployment")
            if d.environment == plan.environment and (not plan.services or d.service in plan.services):
                found.append((d.version, int(at.timestamp() * 1_000_000)))
    return sorted(found, key=lambda x: x[1])


def _evidence(
    world: World,
    change_digest: str,
    change: Change,
    plan: Plan,
    service: ChangedService,
    started_digest: str,
    started: Started,
    outcome: Outcome,
    now: datetime,
) -> Evidence:
    kind = kinds.kind(plan.kind, frozen_settings(world, change).kind)
    reading = _about_this_change(kind, change, service, outcome)
    age_max = seconds(plan.age_max, plan.name) if plan.age_max else int(kind.age_max.total_seconds())
    return Evidence(
        change=change_digest,
        started=started_digest,
        name=plan.name,
        kind=plan.kind,
        service=service.name,
        environment=plan.environment,
        fingerprint=service.fingerprint,
        commit=change.head,
        tree=change.tree,
        attempt=started.attempt,
        verdict=reading.verdict,
        cause=reading.cause,
        infrastructure=outcome.infrastructure,
        looked_at=reading.looked_at,
        of=reading.of,
        coverage=reading.coverage,
        facts=reading.facts,
        counterexamples=reading.counterexamples,
        counterexamples_total=reading.counterexamples_total,
        limits=reading.limits,
        format=reading.format,
        tool=reading.tool,
        tool_version=reading.tool_version,
        command=outcome.command,
        exit_status=outcome.exit_status,
        isolation=outcome.isolation,
        written_by=outcome.written_by,
        producer=Producer(_producer_id(world), world.signer().key_id, outcome.imported_by),
        observed_at=rfc3339(outcome.happened),
        collected_at=rfc3339(now),
        recorded_at=rfc3339(now),
        age_max_s=age_max,
        expires_at=rfc3339(after(outcome.happened, age_max)),
        artifacts=outcome.artifacts,
    )


def _producer_id(world: World) -> str:
    producer = world.trust.producer_of_key(world.signer().key_id)
    return producer.id if producer else "unlisted"


def _about_this_change(kind: kinds.Kind, change: Change, service: ChangedService, outcome: Outcome) -> Reading:
    """Law 5: a clean data set proves something about a change only when that change's build wrote it."""
    reading = outcome.reading
    if outcome.imported_by is None or reading.verdict != "pass" or not kind.about_data:
        return reading
    wrote = outcome.written_by
    if wrote and (wrote.removeprefix("v") == service.version or (len(wrote) >= 7 and change.head.startswith(wrote))):
        return reading
    who = f"{wrote}, not this change, wrote what was looked at" if wrote else "which build wrote what was looked at is unknown"
    cause = f"{who}: that environment stands clean, which proves nothing about this change"
    return msgspec.structs.replace(reading, verdict="inconclusive", cause=cause)


def _kind_checked(plan: Plan, reading: Reading) -> None:
    if reading.kind != plan.kind and reading.format != "none":
        raise Refused(
            "collect.other-kind",
            at=plan.name,
            found=f"{reading.format} says {reading.kind}",
            expected=plan.kind,
            help="dossier evidence read FILE",
        )
