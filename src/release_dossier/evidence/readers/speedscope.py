"""speedscope's own JSON: frames, and profiles of samples or of frames that open and close."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence.readers import stacks
from release_dossier.evidence.readers.given import Given, mapping, objects, whole_json, word, wrong_shape
from release_dossier.evidence.readers.sniff import outline
from release_dossier.evidence.reading import Reading

NAME = "speedscope"
_UNITS = {
    "none": "count",
    "nanoseconds": "nanoseconds",
    "microseconds": "microseconds",
    "milliseconds": "milliseconds",
    "seconds": "seconds",
    "bytes": "bytes",
}


def recognises(head: bytes) -> bool:
    """Its schema."""
    return "speedscope" in outline(head).get("$schema", "") or ("shared.frames" in outline(head) and "profiles" in outline(head))


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every profile in it; all must measure in one unit.

    Raises:
        Refused: `evidence.shape`, `json.*`.
    """
    d = mapping(whole_json(stream), "file")
    listed = objects(mapping(d.get("shared"), "shared").get("frames"), "shared.frames")
    frames = [(word(f.get("name")) or "anonymous", word(f.get("file"))) for f in listed]
    profiles = objects(d.get("profiles"), "profiles")
    units = {word(p.get("unit")) for p in profiles}
    if len(units) > 1 or not units <= _UNITS.keys():
        wrong_shape("profiles.unit", ", ".join(sorted(units)), "one of " + ", ".join(_UNITS))
    out = stacks.Profile(word(d.get("exporter")) or "speedscope", _UNITS[units.pop()] if units else "count", given)
    for i, p in enumerate(profiles):
        if p.get("type") == "sampled":
            _sampled(out, p, frames, f"profiles[{i}]")
        elif p.get("type") == "evented":
            _evented(out, p, frames, f"profiles[{i}]")
        else:
            wrong_shape(f"profiles[{i}].type", word(p.get("type")) or None, "sampled or evented")
    return stacks.reading(NAME, out, given)


def _number(value: Any, at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        wrong_shape(at, value, "a number")
    return float(value)


def _frame(index: Any, frames: list[stacks.Frame], at: str) -> stacks.Frame:
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(frames):
        wrong_shape(at, str(index), f"the place of one of {len(frames)} frames")
    return frames[index]


def _sampled(out: stacks.Profile, p: dict[str, Any], frames: list[stacks.Frame], at: str) -> None:
    samples, weights = p.get("samples"), p.get("weights")
    if not isinstance(samples, list) or not isinstance(weights, list) or len(samples) != len(weights):
        wrong_shape(f"{at}.weights", "another number of weights than of samples", "as many")
    for i, (stack, weight) in enumerate(zip(samples, weights, strict=True)):
        if not isinstance(stack, list):
            wrong_shape(f"{at}.samples[{i}]", stack, "a list of frames")
        found = [_frame(x, frames, f"{at}.samples[{i}]") for x in reversed(stack)]
        value = _number(weight, f"{at}.weights[{i}]")
        if value < 0:
            wrong_shape(f"{at}.weights[{i}]", str(value), "a number from 0")
        out.add(found, value)


def _evented(out: stacks.Profile, p: dict[str, Any], frames: list[stacks.Frame], at: str) -> None:
    open_: list[int] = []
    last = _number(p.get("startValue"), f"{at}.startValue")
    for i, e in enumerate(objects(p.get("events"), f"{at}.events")):
        now = _number(e.get("at"), f"{at}.events[{i}].at")
        if now < last:
            wrong_shape(f"{at}.events[{i}].at", f"{now:g} after {last:g}", "events in order")
        if now > last and open_:
            out.add([frames[x] for x in reversed(open_)], now - last)
        last = now
        _frame(e.get("frame"), frames, f"{at}.events[{i}].frame")
        if e.get("type") == "O":
            open_.append(e["frame"])
        elif e.get("type") == "C" and open_ and open_[-1] == e["frame"]:
            open_.pop()
        else:
            wrong_shape(
                f"{at}.events[{i}]", f"{e.get('type')!r} of frame {e.get('frame')}", "a frame that opens, or the innermost that closes"
            )
    if open_:
        wrong_shape(f"{at}.events", f"{len(open_)} frames that never close", "a close for each open: it may have been cut off")
