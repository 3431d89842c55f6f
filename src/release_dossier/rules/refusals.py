"""Why rules and the gate refuse, and what to do about it. docs/refusals.md is made from this."""

from __future__ import annotations

CODES = {
    "gate.naive-time": ("A decision was asked for a time without its offset.", "Give the time as UTC: 2026-11-24T13:40:00Z."),
    "rules.case": (
        "A table test has an unknown key, or lacks name, requirement or state.",
        "docs/rules.md shows a case; the message names the key.",
    ),
    "rules.condition-differs": (
        "A condition uses what CEL engines answer differently about, or only some know: a decision must be the same on all.",
        "Use comparisons joined by &&, arithmetic, `in [...]`, contains, startsWith, endsWith, double and int.",
    ),
    "rules.condition-hides": (
        "A condition uses `||`, `!`, `?:`, `has`, a list macro, or `!=` beside arithmetic: with them absence looks like a pass.",
        "Write comparisons joined by &&. What must be absent is a requirement of its own.",
    ),
    "rules.condition-index": (
        "A condition speaks of `facts` without naming one, as in `facts['x']` or `size(facts)`.",
        "Name the fact: `facts.NAME`, or `facts['last_min.up']` where its name is no word.",
    ),
    "rules.condition-long": ("A condition is longer than people read.", "Split it into several requirements."),
    "rules.condition-needs": (
        "A condition names a fact that `needs` does not list, so nobody would check that it is there.",
        "Add it to needs with its type and unit.",
    ),
    "rules.condition-nothing": (
        "A condition names no fact, so it says the same about everything.",
        "Name the fact it is about, or leave it out.",
    ),
    "rules.condition-syntax": ("A condition is not CEL.", "See https://cel.dev for the language; the message says where it stopped."),
    "rules.condition-text": (
        "A condition has a line break, comment, backslash, tripled quotes, a sign nobody sees or non-ASCII letters outside of text: "
        "part of it could hide.",
        "Write it on one line without them.",
    ),
    "rules.edition": (
        "The rules are frozen under an edition this program does not know.",
        "Use the release-dossier that froze them, or a newer one.",
    ),
    "rules.empty": ("The change touches no service: such a gate would allow everything.", "Declare the service its files belong to."),
    "rules.key": ("Settings name a rule key that does not exist, often a misspelt one.", "Use one of the keys the message lists."),
    "rules.loosened": (
        "Settings or a pack loosen what may not be loosened: a requirement nobody may waive, or a pack that is narrowed.",
        "Take the key out; what the requirement asks for has to pass.",
    ),
    "rules.no-service": ("No service of these settings has this name.", "Use one of dossier.toml."),
    "rules.no-settings": ("There are no settings to try.", "Name a file with --settings, or a commit with --ref."),
    "rules.pack": (
        "A service or a pack names a pack there is none of.",
        "Use one of the packs the message lists; docs/rules.md says what each demands.",
    ),
    "rules.syntax": ("A pack is not TOML.", "The message says where it stopped."),
    "rules.shape": (
        "A requirement or an approval rule lacks a key, or one is of another type or out of its range.",
        "The message names the key. A count of people is at least 1, a share 0 to 100.",
    ),
    "rules.unknown-requirement": ("The dossier's rules ask nothing of this name.", "Use one of those listed."),
    "rules.which-service": ("Several services ask a requirement of this name.", "Say which with --service."),
}
