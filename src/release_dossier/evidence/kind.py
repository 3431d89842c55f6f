"""What a kind of evidence is: what it counts, how long it stays fresh by default, what it proves and what it does not.

A default age is short where the thing looked at changes by itself (a ledger goes on being written) and long where it changes only with
the code, because then the fingerprint says so anyway. Each kind is one file in `kinds/`.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

DAY = timedelta(days=1)


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
