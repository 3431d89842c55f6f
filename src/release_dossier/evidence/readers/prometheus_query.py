"""An answer of Prometheus to a query over a range or at a moment: are the series there, do they reach the end, what are their values.

No series is `missing`; one that ended before the window does is `inconclusive` and named with its last sample; an error answer is
`inconclusive`. The answer does not say what was asked: `start`, `end` and `step` come with it (`--asked`, or the plan's options), and so
may `at_least` and `at_most`, which every sample must keep. Without a window nothing says whether the end is there.
"""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers.given import Given, numbers, whole_json
from release_dossier.evidence.readers.prometheus_answer import Series, Window, data, moment, series, warned, window
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Counterexample, Fact, Reading, example, first

NAME = "prometheus-query"
_STEPS_LATE = 1.5  # steps before the end at which a series may have its last sample: a scrape may fall between


def recognises(head: bytes) -> bool:
    """A result that is no history of alerts, or an error answer."""
    keys = outline(head)
    if keys.get("status") == "error" and "errorType" in keys:
        return True
    return keys.get("status") == "success" and "data.resultType" in keys and not (b'"alertstate"' in head and b'"ALERTS"' in head)


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every sample of every series.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    value = whole_json(stream)
    found, error = data(value)
    every, asked = () if error else series(found), window(given.asked, given.expectations)
    return answer(every, error, asked, given.expectations, instant=found.get("resultType") != "matrix", partial=warned(value))


def answer(
    every: tuple[Series, ...], error: str, asked: Window | None, wanted: dict[str, str], *, instant: bool, partial: str = ""
) -> Reading:
    """What an answer proves. `partial` is why it may not be whole."""
    full = [s for s in every if s.samples]
    samples = sum(len(s.samples) for s in full)
    strange = sum(s.strange for s in every)
    late = [s for s in full if asked and not instant and s.last < asked.end - _STEPS_LATE * asked.step]
    bad = _outside(full, wanted)
    words = [error] if error else []
    words += [f"it warns: {partial}"] if partial else []
    words += [f"{s.name()} ended {moment(s.last)}, before the window does" for s in late[:5]]
    words += [f"{len(late) - 5} more ended early"] if len(late) > 5 else []
    empty = [s for s in every if not s.samples]
    words += [f"{len(empty)} series have no number in them: {empty[0].name()}"] if empty and full else []
    if asked is None and not instant and not error:
        words.append("which window was asked for did not come with it: start, end, step")
    verdict: Any = "fail" if bad else "inconclusive" if error else "missing" if not full else "inconclusive" if words else "pass"
    last = max((s.last for s in full), default=0.0)
    of = asked.moments * len(every) if asked and not instant else (samples + strange if instant else None)
    limits = [f"{strange} samples are NaN or infinite and count as none"] if strange else []
    limits += [f"{of - samples - strange} of {of} moments have no sample"] if of is not None and of > samples + strange else []
    return Reading(
        kind="observability",
        format=NAME,
        verdict=verdict,
        looked_at=samples,
        of=None if of is None else max(of, samples),
        cause="" if verdict in ("pass", "fail") else "no series" if verdict == "missing" and not every else "; ".join(words) or "no number",
        counterexamples=first(bad),
        counterexamples_total=len(bad),
        facts=_facts(every, full, samples, strange, asked),
        limits=tuple(limits),
        tool="prometheus",
        observed_at=moment(last) or None if full else None,
    )


def _facts(every: tuple[Series, ...], full: list[Series], samples: int, strange: int, asked: Window | None) -> dict[str, Fact]:
    values = [v for s in full for _, v in s.samples]
    facts = {"series": Fact(len(every), "series"), "samples": Fact(samples + strange, "samples"), "samples_nan": Fact(strange, "samples")}
    if values:
        ends = [s.samples[-1][1] for s in full]
        for name, value in (("min", min(values)), ("max", max(values)), ("last_min", min(ends)), ("last_max", max(ends))):
            facts[name] = Fact(value, "value", samples=len(values))
    if asked and full:
        facts |= numbers({"age_at_end": (max(0.0, asked.end - min(s.last for s in full)), "s")})
    return facts


def _outside(full: list[Series], wanted: dict[str, str]) -> list[Counterexample]:
    """Samples beyond what was declared, the furthest first."""
    out: list[tuple[float, Counterexample]] = []
    for key, sign in (("at_least", -1.0), ("at_most", 1.0)):
        try:
            limit = float(wanted[key])
        except (KeyError, ValueError):
            continue
        for s in full:
            out += [(sign * (v - limit), example(f"{v:g}, {key.replace('_', ' ')} {limit:g} is wanted", f"{s.name()} {moment(t)}"))
                    for t, v in s.samples if sign * (v - limit) > 0]  # fmt: skip
    return [x for _, x in sorted(out, key=lambda pair: -pair[0])]
