"""`dossier.toml`: what a repository says about its services, evidence and rules. Unknown keys are refused, never ignored.

The field comments are the documentation page (docs/dossier-toml.md is made from them).
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, Literal

import msgspec

from release_dossier.errors import Refused
from release_dossier.limits import COMMAND_SECONDS_MAX, CONFIG_BYTES_MAX

SETTINGS_FILE = "dossier.toml"
TRUST_FILE = "dossier.trust.json"
_AGE = re.compile(r"([1-9]\d*)(m|h|d)\Z")
_SECONDS = {"m": 60, "h": 3600, "d": 86400}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class ProjectTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[project]`"""

    name: str  # shown everywhere; letters, digits, . _ -
    protected_branch: str  # settings, rules and people count only as they stand here
    trust: str  # digest of the first trust document: the project's identity
    mode: Literal["solo", "team"] = "team"  # solo: one person may approve alone, labelled self-approved everywhere
    remote: str = ""  # git remote the protected branch and tags live on, empty for none


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[service]]`"""

    name: str  # letters, digits, . _ -
    paths: tuple[str, ...]  # globs this service owns; what no other service owns alone is in every fingerprint
    criticality: Literal["money", "user-facing", "internal"] = "internal"  # which pack of rules it gets
    pack: str = ""  # another pack in its place: PROFILE/NAME, or ./FILE.toml of this repository
    owners: tuple[str, ...] = ()  # people or @teams who answer for it
    tag: str = "v{version}"  # its release train: the name of its tags
    exclude: tuple[str, ...] = ()  # globs left out of its fingerprint; a change here is a change of rules
    tables: tuple[str, ...] = ()  # database tables it owns
    endpoints: tuple[str, ...] = ()  # HTTP paths it serves

    @property
    def asked(self) -> str:
        """The pack of rules it gets."""
        return self.pack or self.criticality


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[feature]]`: what people call a part, and the files behind it"""

    name: str  # as an issue's scope names it
    paths: tuple[str, ...]  # globs


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[evidence]]`: how one piece of evidence comes to be"""

    name: str  # what rules ask for
    kind: str  # see `dossier evidence kinds`
    services: tuple[str, ...] = ()  # empty: every service the change touches
    run: tuple[str, ...] = ()  # command, run in a fresh worktree at the head; empty: it is imported with `collect NAME --from FILE`
    prepare: tuple[tuple[str, ...], ...] = ()  # commands before it, in the same worktree
    output: str = ""  # file the command writes, relative to the worktree; empty: its standard output
    format: str = ""  # of that file; empty: recognised from content
    timeout_s: int = COMMAND_SECONDS_MAX  # seconds for prepare and run together
    environment: str = "ci"  # where what it looks at runs
    age_max: str = ""  # e.g. 24h or 7d; empty: the kind's default
    env: tuple[str, ...] = ()  # names of environment variables the command may see, besides PATH, LANG and TZ
    written_by: str = ""  # the build that wrote the data it looks at: a version or commit; empty: unknown
    options: dict[str, str] = {}  # what the file does not say and its reader must know: the table below


class OwnFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[kind.facts]]`: one figure of a kind of the project's own"""

    name: str  # as rules name it: letters, digits, _
    value: str  # CEL over doc that gives a number, a flag or a text
    unit: str  # shown with it and held against what a rule asks for: ms, credits, ratio, words …
    meaning: str = ""  # in words, for those who read it


class OwnKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[kind]]`: a kind of evidence of the project's own, read from a JSON file without code"""

    name: str  # as `[[evidence]]` and rules name it; none of the kinds there are already
    unit: str  # what is counted: payouts, screens, translations
    proves: str  # what a pass shows, for those who read it
    does_not_prove: str  # and what it does not
    schema: dict[str, Any]  # JSON Schema of the file; refers to nothing outside of itself
    passes: str  # CEL over doc, true or false
    looked_at: str  # CEL over doc: how many were looked at; zero is missing
    of: str = ""  # CEL over doc: of how many; empty: the file cannot know
    examples: str = ""  # CEL over doc: a list of texts, what is wrong
    facts: tuple[OwnFact, ...] = ()  # figures a rule may ask for: `[[kind.facts]]`
    age_max: str = "14d"  # how long it stays fresh when the plan does not say
    about_data: bool = False  # it looks at data some build wrote, and speaks of a change only when that build is known


class Objective(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[objective]]`: a service level objective and the alerts that watch it"""

    name: str  # shown in the posture
    service: str  # whose it is
    target: str  # in words, with its unit: "p95 ≤ 300 ms"
    status: Literal["agreed", "proposed"] = "proposed"  # agreed: its owner said so
    alerts: tuple[str, ...] = ()  # names of the alerts that watch it
    failure_modes: tuple[str, ...] = ()  # what these alerts cover, for `alert-coverage`


class Destination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[destination]]`: where a payload may be sent"""

    name: str  # what `dossier send --to` asks for
    kind: Literal["webhook", "github-comment", "github-check"]  # a CloudEvent by POST; a comment on the issue; a check run on the head
    audience: str  # what it may see: auditor, customer, github, webhook or raw
    url: str = ""  # webhook: https address
    secret_env: str = ""  # webhook: variable that holds its whsec_ secret
    repository: str = ""  # GitHub: owner/name; empty: that of the project's remote
    token_env: str = "GITHUB_TOKEN"  # GitHub: variable that holds a token
    private: bool = False  # whether its address may lie in a private range, and be http
    condition: str = ""  # CEL that must hold before anything leaves, over facts.outcome, unmet, waived, missing_approvals, withheld, bytes


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[access.member]]`: who may do what at the server"""

    who: str  # github:LOGIN, github-id:NUMBER, email:ADDRESS (verified by the provider) or sub:SUBJECT
    role: Literal["viewer", "contributor", "approver", "admin"]  # docs/api.md has what each may do
    person: str = ""  # who this is in the trust document; then nobody else is signed for in this session


class Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[access]`: login, without which `dossier serve` answers on loopback only"""

    login: Literal["oidc", "github"]  # who says who somebody is
    client_id: str  # of this server at the provider
    client_secret_env: str  # variable that holds the client's secret
    hosts: tuple[str, ...]  # host names it answers to
    issuer: str = ""  # oidc: the provider's address
    private: bool = False  # whether the provider may lie in a private range, and be http
    visitors: Literal["", "viewer"] = ""  # what anybody who can log in may do
    public_badges: bool = False  # whether badges and status are shown without login
    session_hours: int = 12  # after which one logs in again
    member: tuple[Member, ...] = ()  # `[[access.member]]`


class KeylessTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[keyless]]`: a signer of others' attestations who has no key of its own, as a Sigstore certificate names it"""

    name: str  # as evidence shows it: signed by NAME (IDENTITY)
    identity: str  # as the certificate has it; a * at its end stands for any rest: https://github.com/o/r/.github/workflows/release.yml@*
    issuer: str  # who vouched for that identity: https://token.actions.githubusercontent.com
    root: str  # path of a trusted root (trusted_root.json) in the repository, read as it stands where the change's criteria were frozen


class LogTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[log]`: who else keeps an eye on the transparency log"""

    witnesses: tuple[str, ...] = ()  # address and verifier key of each: "https://witness.example NAME+HASH+KEY"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `dossier.toml`."""

    project: ProjectTable
    service: tuple[Service, ...]
    schema: Literal[1] = 1
    feature: tuple[Feature, ...] = ()
    evidence: tuple[Plan, ...] = ()
    kind: tuple[OwnKind, ...] = ()
    objective: tuple[Objective, ...] = ()
    destination: tuple[Destination, ...] = ()
    access: Access | None = None
    log: LogTable = LogTable()
    keyless: tuple[KeylessTable, ...] = ()
    rules: dict[str, Any] = {}  # [rules] and [[rules.requirement]]: see docs/rules.md

    def service_named(self, name: str) -> Service | None:
        """The service of this name, or None."""
        return next((s for s in self.service if s.name == name), None)

    def own_kind(self, name: str) -> OwnKind | None:
        """The kind of the project's own of this name, or None."""
        return next((k for k in self.kind if k.name == name), None)

    def plan_named(self, name: str) -> Plan | None:
        """The evidence plan of this name, or None."""
        return next((p for p in self.evidence if p.name == name), None)


def parse_toml(text: str) -> dict[str, Any]:
    """As `tomllib.loads`; what is nested deeper than that can follow is no TOML either.

    Raises:
        tomllib.TOMLDecodeError
    """
    try:
        return tomllib.loads(text)
    except RecursionError as e:
        raise tomllib.TOMLDecodeError("it is nested too deeply") from e


def parse_settings(raw: bytes, at: str = SETTINGS_FILE) -> Settings:
    """`raw` as settings.

    Raises:
        Refused: `settings.*`, naming the key and what was expected.
    """
    if len(raw) > CONFIG_BYTES_MAX:
        raise Refused("settings.too-large", at=at, found=f"{len(raw)} bytes", expected=f"at most {CONFIG_BYTES_MAX} bytes")
    try:
        table = parse_toml(raw.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise Refused("settings.syntax", at=at, found=str(e), expected="TOML in UTF-8") from e
    try:
        settings = msgspec.convert(table, Settings)
    except msgspec.ValidationError as e:
        raise Refused("settings.key", at=at, found=str(e), expected="keys and values as docs/dossier-toml.md lists") from e
    _check(settings, at)
    return settings


def seconds(age: str, at: str) -> int:
    """`24h`, `7d` or `90m` in seconds.

    Raises:
        Refused: `settings.age`.
    """
    m = _AGE.match(age)
    if m is None:
        raise Refused("settings.age", at=at, found=repr(age), expected="a number and m, h or d, as in 24h")
    return int(m[1]) * _SECONDS[m[2]]


def _check(s: Settings, at: str) -> None:
    for what, names in (
        ("service", [x.name for x in s.service]),
        ("feature", [x.name for x in s.feature]),
        ("evidence", [x.name for x in s.evidence]),
        ("kind", [x.name for x in s.kind]),
        ("destination", [x.name for x in s.destination]),
        ("keyless", [x.name for x in s.keyless]),
    ):
        twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
        if twice is not None:
            raise Refused("settings.twice", at=f"{at} {what}", found=f"{twice} twice", expected="each name once")
        bad = next((n for n in names if what != "feature" and not _NAME.match(n)), None)
        if bad is not None:
            raise Refused("settings.name", at=f"{at} {what}", found=repr(bad), expected="letters, digits, . _ - and at most 64 of them")
    if not s.service:
        raise Refused("settings.no-service", at=f"{at} service", found="none", expected="at least one [[service]]")
    known = {x.name for x in s.service}
    for plan in s.evidence:
        stranger = next((n for n in plan.services if n not in known), None)
        if stranger is not None:
            raise Refused(
                "settings.unknown-service", at=f"{at} evidence {plan.name} services", found=stranger, expected=", ".join(sorted(known))
            )
        if plan.age_max:
            seconds(plan.age_max, f"{at} evidence {plan.name} age_max")
    for svc in s.service:
        if svc.tag.count("{version}") != 1:
            raise Refused("settings.tag", at=f"{at} service {svc.name} tag", found=repr(svc.tag), expected="a pattern with {version} once")
