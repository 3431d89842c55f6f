"""A requirement: which proof, by whom, how fresh, how much of it, and what it must say.

Unknown keys are refused. Ages are seconds; shares are whole percent and compared in integers, so that 75 of 100 is 75 %.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

AGE_SECONDS_MAX = 100 * 366 * 86_400  # seconds: a century, longer than any proof about software holds
EDITION = 4  # of how rules are judged; rules frozen under an earlier one are judged by it for ever (docs/adr/0012)
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
People = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=AGE_SECONDS_MAX)]
Severity = Literal["block", "warn"]


class Need(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fact a condition names: it must be there, of this type and unit, and finite, before the condition is asked."""

    fact: str
    type: Literal["int", "float", "bool", "str"]
    unit: str = ""


class Skip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test that may be skipped, by name, and why."""

    name: str
    reason: str


class Requirement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a gate."""

    id: str
    service: str
    title: str
    kind: str
    owner: str
    remedy: str
    why: str
    evidence: str = ""  # name of the evidence plan; empty: the id
    source: Literal["evidence", "finding"] = "evidence"
    condition: str = ""  # CEL over facts, looked_at, of and verdict; empty: the verdict alone decides
    needs: tuple[Need, ...] = ()
    minimum_count: Count = 1
    minimum_percent: Percent = 0  # of `of`; 0 asks for no share
    skips: tuple[Skip, ...] = ()
    age_max_s: Seconds = 0  # 0: the evidence's own limit
    tools: tuple[str, ...] = ()  # accepted tools, as `name` or `name@version`, where 1.25 accepts 1.25.3; empty: any
    topology: dict[str, int | float | bool | str] = {}  # facts that name the conditions of the measurement, as they must be
    same_topology: bool = False  # the newest `topology` evidence of its environment must say the same of every fact both name
    retries: Count = 0  # failures that may come before the passing attempt
    infrastructure_retries: Count = 2  # attempts that may come to nothing
    producers: tuple[str, ...] = ()  # empty: any listed producer
    producer_roles: tuple[str, ...] = ()  # roles in the trust document, one of which the producer holds; empty: any
    builder: Literal["any", "known", "change"] = "any"  # the build that wrote the data: known, or this change's own
    imported: bool = True  # whether a file somebody brought is accepted
    importers: tuple[str, ...] = ()  # who may bring it; empty: anybody
    isolation: tuple[str, ...] = ()  # accepted isolations of a run; empty: any
    environment: str = ""  # empty: any
    waivable: bool = True
    waivers_in_row: Count = 2  # releases in a row that may go out on a waiver of this
    severity: Severity = "block"  # warn: judged and shown, and denies nothing
    blocks_from: str = ""  # RFC 3339: until then it warns, so that people see a rule before it bites; empty: it blocks
    origin: tuple[str, ...] = ()  # where each layer came from: the pack, then the project


class ApprovalRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many people of a role must sign. The role `owner` is asked of the owners of every service with this rule, one by one."""

    role: str
    count: People = 1
    not_author: bool = True
    not_producer: bool = False  # who brought evidence does not count either
    services: tuple[str, ...] = ()  # for the role `owner`: which services' owners


class Frozen(msgspec.Struct, frozen=True):
    """The rules in force for a change: every service's requirements, and the approvals over all of them."""

    requirements: tuple[Requirement, ...]
    approvals: tuple[ApprovalRule, ...]
    digest: str
    edition: int = 1
    witness: dict[str, str] = {}  # service whose decisions need a checkpoint kept elsewhere → why not after all, empty: they do
