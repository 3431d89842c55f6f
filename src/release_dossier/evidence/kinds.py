"""The kinds of evidence: what each counts, how long it stays fresh by default, what it proves and what it does not.

A default age is short where the thing looked at changes by itself (a ledger goes on being written) and long where it changes only with
the code, because then the fingerprint says so anyway.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from release_dossier.errors import Refused


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A type of evidence. `about_data`: it looks at data some build wrote, so it speaks of a change only when that build is known.
    `facts` are those readers of this kind give, with their units; `formats` the readers."""

    name: str
    unit: str
    age_max: timedelta
    about_data: bool
    proves: str
    does_not_prove: str
    facts: tuple[tuple[str, str, str], ...]  # name, unit, meaning
    formats: tuple[str, ...]


_DAY = timedelta(days=1)
KINDS: tuple[Kind, ...] = (
    Kind(
        name="tests",
        unit="test results",
        age_max=7 * _DAY,
        about_data=False,
        proves="these tests ran on this code and this is how each ended",
        does_not_prove="anything no test asks; a skipped test counts as not looked at",
        facts=(
            ("tests", "tests", "results in the file"),
            ("passed", "tests", "of them passed"),
            ("failed", "tests", "of them failed or broke"),
            ("skipped", "tests", "of them skipped"),
        ),
        formats=("junit", "go-test-json", "vitest-json", "dotnet-xml", "tap", "ctrf", "pytest-json"),
    ),
    Kind(
        name="latency",
        unit="requests",
        age_max=7 * _DAY,
        about_data=False,
        proves="under this load, from this generator, the service answered so fast and failed so often",
        does_not_prove="any other load, machine or data; a figure measured beside its generator is a shape, not a capacity",
        facts=(
            ("latency_p50", "ms", "half of the requests were faster"),
            ("latency_p95", "ms", "95 % of the requests were faster"),
            ("latency_max", "ms", "the slowest request"),
            ("error_rate", "ratio", "requests that failed"),
            ("checks_rate", "ratio", "checks that held"),
            ("requests", "requests", "requests sent"),
            ("throughput", "1/s", "requests a second"),
        ),
        formats=("k6-summary", "load-dossier"),
    ),
    Kind(
        name="alert-coverage",
        unit="alerts",
        age_max=14 * _DAY,
        about_data=False,
        proves="these alerts were seen firing and resolving when something was broken on purpose",
        does_not_prove="that somebody is awake; an alert that was not provoked is not looked at",
        facts=(
            ("alerts_declared", "alerts", "that should be seen"),
            ("alerts_fired", "alerts", "of them seen firing"),
            ("alerts_resolved", "alerts", "of them seen resolving again"),
            ("rules", "rules", "rules that were checked"),
        ),
        formats=("fire-drill", "promtool"),
    ),
    Kind(
        name="replay-protection",
        unit="scenarios",
        age_max=14 * _DAY,
        about_data=True,
        proves="how often a request that was sent several times was accepted, and what it moved",
        does_not_prove="other requests, or another interleaving of these",
        facts=(
            ("scenarios", "scenarios", "in the file"),
            ("accepted_too_often", "scenarios", "in which more was accepted than there was"),
        ),
        formats=("replay-scenarios",),
    ),
    Kind(
        name="ledger-invariants",
        unit="checks",
        age_max=_DAY,
        about_data=True,
        proves="the rows of this ledger hold their own laws",
        does_not_prove="what left no row; see docs/ledger-checks.md",
        facts=(
            ("checks_failed", "checks", "laws that are broken"),
            ("checks_warned", "checks", "laws that hold, with something worth a look"),
            ("minted", "credits", "made by sales, lawfully and unbacked"),
            ("burned", "credits", "lost in pools nobody won"),
            ("ruleset", "name", "the rules it was judged under"),
        ),
        formats=("dossier ledger verify",),
    ),
    Kind(
        name="payouts",
        unit="users",
        age_max=_DAY,
        about_data=True,
        proves="every user's balance is what an independent replay of the rules gives",
        does_not_prove="that the rules are wise, or what happens to the next order",
        facts=(
            ("users", "users", "looked at"),
            ("users_wrong", "users", "with another balance than the rules give"),
            ("unexplained", "credits", "by which balances are off, taken together"),
            ("dust_high", "credits", "the most that rounding of sales can account for"),
            ("ruleset", "name", "the rules it was judged under"),
        ),
        formats=("dossier ledger verify",),
    ),
    Kind(
        name="static-analysis",
        unit="analyses",
        age_max=14 * _DAY,
        about_data=False,
        proves="these tools looked at this code, and this is what they found that nobody suppressed",
        does_not_prove="what no rule of theirs asks; a limit of the tool on how much it reports hides the rest",
        facts=(
            ("results", "results", "findings in the file, suppressed ones among them"),
            ("suppressed", "results", "of them suppressed"),
            ("errors", "results", "open, of level error"),
            ("warnings", "results", "open, of level warning"),
            ("notes", "results", "open, of level note"),
            ("results_new", "results", "new against the base, where the file says so"),
            ("results_old", "results", "there in the base already"),
            ("results_gone", "results", "there in the base and no more"),
            ("rules", "rules", "that found something"),
            ("files", "files", "in which something was found"),
        ),
        formats=("sarif", "go-vet-json"),
    ),
)


def kind(name: str) -> Kind:
    """The kind of this name.

    Raises:
        Refused: `kind.unknown`.
    """
    found = next((k for k in KINDS if k.name == name), None)
    if found is None:
        raise Refused("kind.unknown", at="kind", found=name, expected=", ".join(k.name for k in KINDS), help="dossier evidence kinds")
    return found


def page(k: Kind) -> str:
    """docs/evidence/NAME.md."""
    lines = [f"# {k.name}", "", f"Counts {k.unit}. Fresh for {k.age_max.days} days unless the plan or a rule says less.", ""]
    lines += [f"**Proves** {k.proves}.", "", f"**Does not prove** {k.does_not_prove}.", ""]
    if k.about_data:
        lines += [
            "It looks at data some build wrote: without `--written-by` it says that this environment stands clean, and no more.",
            "",
        ]
    lines += ["| fact | unit | meaning |", "|---|---|---|", *(f"| `{n}` | {u} | {m} |" for n, u, m in k.facts), ""]
    lines += [f"Read from: {', '.join(f'`{f}`' for f in k.formats)}.", ""]
    return "\n".join(lines)
