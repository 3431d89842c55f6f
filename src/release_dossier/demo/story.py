"""The demo, in acts. Every step is a command a user has; what it prints is what the user would see.

The captures are of 2026-11-23, so the demo's clock starts the day after: evidence is judged as it was then. Nothing else is set up
for effect: the same commands on another day would say `stale`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from release_dossier.demo.place import Place
from release_dossier.errors import Corrupt
from release_dossier.gate import STATES

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
UNTIL = "2026-12-23T00:00:00Z"

# What each act proposes, in the words of a scoped issue.
ISSUE_SALES = """# Ship selling shares as 3.6.0

## Objective
Selling shares pays what the position is worth, once.

## In scope
- selling shares

## Out of scope
- `frontend/**`

## Risks
- R1 (high, @ledger): a sale that pays too much mints credits. Mitigation: audit every ledger with dossier ledger verify.

## Owner
ann
"""
ISSUE_FRONTEND = """# Ship the sell page as 3.8.0

## Objective
The sell page shows what can be sold.

## In scope
- `frontend/**`

## Owner
ann
"""
ISSUE_380 = """# Ship 3.8.0

## Objective
Earlier sales use up the lots they came from.

## In scope
- selling shares

## Risks
- R1 (high, @ledger): parallel resolves of one market pay winners more than once.

## Owner
ann
"""
ISSUE_381 = """# Ship 3.8.1

## Objective
Guide users to the value they can sell.

## In scope
- selling shares

## Out of scope
- `frontend/**`

## Risks
- R1 (high, @ledger): parallel resolves of one market pay winners more than once. Mitigation: moderators resolve one at a time.
- R2 (high, @ledger): a repeated order is a second real order. Mitigation: clients wait for the answer before they send again.
- R3 (medium, @ops): latency was measured with load generator, server and database on one machine.

## Owner
ann
"""
SKIPS = """
[[rules.requirement]]
id = "tests"
service = "trading"
skips = [
  { name = "TestPostgresStartupReadinessAndMigrationPosture", reason = "needs a server; its result is brought as tests-postgres" },
  { name = "TestResolveMarketDistributesAllBetVolumePostgres", reason = "the test makes no market_tag_assignments; see tests-postgres" },
  { name = "TestGormRepositoryPlaceBetTransactionPostgres", reason = "needs a server; its result is brought as tests-postgres" },
  { name = "TestGormRepositorySellBetTransactionPostgres", reason = "needs a server; its result is brought as tests-postgres" },
]
"""


class Stage(msgspec.Struct):
    """The demo as it runs: its place, its clock, how to run and print a command, and what each act came to."""

    place: Place
    run: Callable[[list[str]], tuple[int, Any]]
    say: Callable[[str], None]
    now: datetime
    rounds: list[tuple[str, str, str]] = []

    def clock(self) -> datetime:
        """Time moves with every look at it, so that every record has a moment of its own."""
        self.now += timedelta(milliseconds=20)
        return self.now

    def dossier(self, *args: str) -> Any:
        """Show the command, run it, return its JSON."""
        return self.run(list(args))[1]

    def gate(self, what: str, expected: str = "DENY") -> Any:
        """Decide, and remember how this round ended. An end the story does not tell stops it."""
        decision = self.dossier("gate")["decision"]
        found = sorted(
            (r for r in decision["requirements"] if r["state"] not in ("pass", "waived")), key=lambda r: STATES.index(r["state"])
        )
        unmet = [f"{r['id']} {r['state']}" for r in found]
        self.rounds.append((what, decision["outcome"], ", ".join(unmet[:3]) + (f" and {len(unmet) - 3} more" if len(unmet) > 3 else "")))
        if decision["outcome"] != expected:
            raise Corrupt("demo.other-outcome", at=what, found=f"{decision['outcome']}: {', '.join(unmet)}", expected=expected)
        return decision

    def issue(self, name: str, text: str) -> str:
        """Write an issue beside the repository and name it relative to it."""
        (self.place.root / name).write_text(text, encoding="utf-8")
        return f"../{name}"

    def bring(self, names: str, capture: str, version: str, *more: str) -> Any:
        """Import a capture as evidence written by `version`."""
        return self.dossier("collect", *names.split(), "--from", f"../captures/{capture}", "--written-by", version, *more)


def prologue(s: Stage) -> None:
    """A project is made and adopted: its settings and its people stand on the protected branch."""
    s.say("\n## A project\n\nSocialPredict's services, rules and people, on its protected branch.")
    s.dossier("init", "--profile", "socialpredict")
    roles = {"bo": ("release-manager",), "cy": ("ops",), "dee": ("risk-owner", "rule-owner", "ledger")}
    for person, held in roles.items():
        words = [w for r in held for w in ("--role", r)]
        s.dossier("trust", "propose", "--person", person, *words, "--public", f"../keys/{person}.pub", "--key", "../keys/ann")
    s.place.commit("release dossier project", s.clock())


def act_one(s: Stage) -> None:
    """A money bug that shipped, denied to the credit; rework; the same requests against the repaired build."""
    s.say(
        "\n## Act 1: a money bug that shipped\n\nBefore #770 a position could be sold again and again. The ledger below was"
        "\nwritten by that build while six people traded; the rules are those of the repair."
    )
    s.place.git("switch", "-qc", "release/3.6.0")
    s.place.commit("sell: show what a sale pays\n\nStands for 0e84d07e.", s.clock(), **{_SELL: _sell("0e84d07e")})
    s.dossier("open", "--issue", s.issue("issue-3.6.0.md", ISSUE_SALES), "--service", "trading=3.6.0")
    s.bring("ledger-invariants payouts", "before-770/ledger.sqlite", "3.6.0")
    s.dossier("assemble")
    s.gate("3.6.0, as it was")
    s.say("\nBack to the branch with .dossier/rework.md. The repair of #770 goes in; the same requests run against it; fresh evidence.")
    s.place.commit(
        "sell: never pay out more than the position holds (#770)\n\nStands for b31b8188.", s.clock(), **{_SELL: _sell("b31b8188")}
    )
    s.dossier("open", "--issue", "../issue-3.6.0.md", "--service", "trading=3.6.0")
    s.bring("ledger-invariants payouts", "after-770/ledger.sqlite", "3.6.0")
    s.dossier("assemble")
    s.gate("3.6.0, repaired")
    s.say("\nThe money is right now. The rest was never measured for that release, so it stays denied: missing is not passed.")


def act_two(s: Stage) -> None:
    """Green only because the failing tests were skipped, or never run."""
    s.say(
        "\n## Act 2: green, because nobody looked\n\nSocialPredict's own CI runs neither the front end's unit tests nor anything that"
        "\nneeds a database. Both were run for the capture."
    )
    s.place.git("switch", "-qc", "release/frontend-3.8.0", "main")
    s.place.commit(
        "sell page\n\nStands for 9ef6530b (v3.8.0).", s.clock(), **{"frontend/src/sell.jsx": "// The page to sell shares, 3.8.0.\n"}
    )
    s.dossier("open", "--issue", s.issue("issue-frontend.md", ISSUE_FRONTEND), "--service", "frontend=3.8.0")
    s.bring("tests-frontend", "v3.8.0/vitest-junit.xml", "3.8.0", "--observed-at", "2026-11-23T01:30:00Z")
    s.place.git("switch", "-qc", "release/3.8.1", "main")
    s.place.commit(
        "sell: guide users to what they can sell (#789)\n\nStands for 3d978faa (v3.8.1).", s.clock(), **{_SELL: _sell("3d978faa")}
    )
    s.dossier("open", "--issue", s.issue("issue-3.8.1.md", ISSUE_381), "--service", "trading=3.8.1")
    s.dossier("collect", "tests", "--from", "../captures/v3.8.1/go-test.ndjson", "--exit", "0", "--written-by", "3.8.1")
    s.dossier("collect", "tests-postgres", "--from", "../captures/v3.8.1/go-test-postgres.ndjson", "--exit", "1", "--written-by", "3.8.1")
    s.dossier("assemble")
    s.gate("3.8.1, green by skipping")


def act_three(s: Stage) -> str:
    """An honest ALLOW. Returns the digest of the dossier that was released."""
    s.say(
        "\n## Act 3: an honest ALLOW\n\nThe four skips are named on the protected branch, each with its reason, like any rule."
        "\nThe branch starts again from there; every piece of evidence is fresh."
    )
    s.place.git("switch", "-q", "main")
    settings = (s.place.repo / "dossier.toml").read_text(encoding="utf-8")
    s.place.commit("rules: name the four skipped tests and why", s.clock(), **{"dossier.toml": settings + SKIPS})
    _release_380(s)
    s.place.git("switch", "-qc", "release/3.8.1-again", "main")
    s.place.commit(
        "sell: guide users to what they can sell (#789)\n\nStands for 3d978faa (v3.8.1).", s.clock(), **{_SELL: _sell("3d978faa, again")}
    )
    s.dossier("open", "--issue", "../issue-3.8.1.md", "--service", "trading=3.8.1")
    _bring_all(s, "3.8.1")
    s.bring("replay-protection", "v3.8.1/scenarios.json", "3.8.1", "--observed-at", "2026-11-23T01:23:00Z")
    s.bring("alert-coverage", "v3.8.1/alertmanager-webhook.ndjson", "3.8.1")
    digest = str(s.dossier("assemble")["dossier"]["digest"])[:19]
    s.gate("3.8.1, everything measured")
    s.say("\nDouble submits and double resolves are live in 3.8.1. Its risk owner says so, until a date; then the reviewers sign.")
    _waive(
        s, digest, "replay-protection", "double submit and double resolve are live in 3.8.1: R1 and R2, moderators resolve one at a time"
    )
    _approve(s, digest)
    s.gate("3.8.1, waived and signed", "ALLOW")
    s.dossier("release")
    s.dossier("deployed", "--service", "trading", "--environment", "production", "--version", "3.8.1")
    s.dossier("posture")
    return digest


def _release_380(s: Stage) -> None:
    """The baseline 3.8.1 is compared with: released on waivers for what was never captured, and labelled so for ever."""
    s.say("\nFirst 3.8.0, to compare with. Neither replays nor a fire drill were captured for it: waived by name, not invented.")
    s.place.git("switch", "-qc", "release/3.8.0", "main")
    s.place.commit("sell: earlier sales use up lots (#784)\n\nStands for 9ef6530b (v3.8.0).", s.clock(), **{_SELL: _sell("9ef6530b")})
    s.dossier("open", "--issue", s.issue("issue-3.8.0.md", ISSUE_380), "--service", "trading=3.8.0")
    _bring_all(s, "3.8.0")
    digest = str(s.dossier("assemble")["dossier"]["digest"])[:19]
    for requirement in ("replay-protection", "alert-coverage"):
        _waive(s, digest, requirement, "never captured for 3.8.0; 3.8.1 has it")
    _approve(s, digest)
    s.gate("3.8.0, waived and signed", "ALLOW")
    s.dossier("release")
    s.place.git("switch", "-q", "main")
    s.place.git("merge", "-q", "--ff-only", "release/3.8.0")


def _bring_all(s: Stage, version: str) -> None:
    s.bring("ledger-invariants payouts", f"v{version}/ledger.sqlite", version)
    s.dossier("collect", "tests", "--from", f"../captures/v{version}/go-test.ndjson", "--exit", "0", "--written-by", version)
    s.bring("latency", f"v{version}/k6-summary.json", version, "--observed-at", "2026-11-23T01:40:00Z")


def _waive(s: Stage, digest: str, requirement: str, reason: str) -> None:
    words = ("--service", "trading", "--as", "dee", "--key", "../keys/dee", "--reason", reason, "--until", UNTIL)
    s.dossier("waive", digest, requirement, *words)


def _approve(s: Stage, digest: str) -> None:
    for person, role in (("bo", "release-manager"), ("cy", "ops"), ("dee", "owner")):
        s.dossier("approve", digest, "--as", person, "--role", role, "--key", f"../keys/{person}")


def epilogue(s: Stage, digest: str) -> Path:
    """The one file that came out, checked again. Returns where it lies."""
    s.say("\n## One file for another reviewer\n\nWith their own copy of the trust document, and nothing of this project.")
    bundle = s.place.root / "trading-3.8.1.dossier"
    s.dossier("export", digest, "-o", f"../{bundle.name}")
    s.dossier("verify", f"../{bundle.name}", "--trust", "dossier.trust.json")
    return bundle


def picture(rounds: list[tuple[str, str, str]]) -> Iterator[str]:
    """Where the change went round."""
    yield "  issue ─► branch ─► evidence ─► dossier ─► gate"
    for what, outcome, unmet in rounds:
        if outcome == "ALLOW":
            yield f"                                             ├─ ✓ ALLOW  {what} ─► tag ─► posture"
        else:
            yield f"             ▲                               ├─ ✗ DENY   {what}: {unmet}"
            yield "             └────────── rework ◄────────────┘"


_SELL = "backend/internal/domain/bets/bet_sell.go"


def _sell(build: str) -> str:
    return f"// Selling shares: what a position may be sold for.\n// Stands for the code of {build}.\npackage bets\n"
