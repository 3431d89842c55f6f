"""What answers of Prometheus' HTTP API have in common: their envelope, samples as text, and the window a range was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import msgspec

from release_dossier.errors import Refused
from release_dossier.evidence.readers.given import mapping, objects, word, wrong_shape

SERIES_MAX = 100_000  # series of one answer; a server refuses far smaller ones


class Window(msgspec.Struct, frozen=True):
    """A range that was asked for, in seconds since 1970; `step` too."""

    start: float
    end: float
    step: float

    @property
    def moments(self) -> int:
        """Samples a series can have in it."""
        return int((self.end - self.start) / self.step) + 1


class Series(msgspec.Struct, frozen=True):
    """One series: labels, and (seconds, value) in the order of the answer. NaN and infinities are in `strange`, not among the samples."""

    labels: dict[str, str]
    samples: tuple[tuple[float, float], ...]
    strange: int

    @property
    def last(self) -> float:
        """When its last sample is of; 0 when it has none."""
        return self.samples[-1][0] if self.samples else 0.0

    def name(self) -> str:
        """As people write it."""
        rest = ",".join(f'{k}="{v}"' for k, v in sorted(self.labels.items()) if k != "__name__")
        return f"{self.labels.get('__name__', '')}{{{rest}}}" if rest else self.labels.get("__name__", "{}")


def data(value: Any) -> tuple[dict[str, Any], str]:
    """(what a successful answer holds, ""), or (nothing, the error it is).

    Raises:
        Refused: `evidence.shape`.
    """
    answer = mapping(value, "file")
    if answer.get("status") == "error":
        return {}, f"{word(answer.get('errorType')) or 'error'}: {word(answer.get('error')) or 'no word why'}"
    if answer.get("status") != "success":
        wrong_shape("status", answer.get("status"), "success or error")
    return mapping(answer.get("data"), "data"), ""


def warned(value: dict[str, Any]) -> str:
    """What a successful answer warns of, a part of the data that is missing among it; empty where it warns of nothing."""
    warnings = value.get("warnings")
    return "; ".join(word(w) or "no word of what" for w in warnings)[:300] if isinstance(warnings, list) else ""


def series(found: dict[str, Any]) -> tuple[Series, ...]:
    """The series of a query's answer, a single value being one.

    Raises:
        Refused: `evidence.shape`, naming the sample.
    """
    kind, result = found.get("resultType"), found.get("result")
    if kind in ("scalar", "string"):
        result = [{"metric": {}, "value": result}]
    if kind not in ("matrix", "vector", "scalar", "string"):
        wrong_shape("data.resultType", kind, "matrix, vector or scalar")
    every = objects(result, "data.result")
    if len(every) > SERIES_MAX:
        wrong_shape("data.result", f"{len(every)} series", f"at most {SERIES_MAX}")
    return tuple(_one(each, f"data.result[{i}]") for i, each in enumerate(every))


def _one(each: dict[str, Any], at: str) -> Series:
    labels = {k: word(v) for k, v in mapping(each.get("metric"), f"{at}.metric").items()}
    values = each.get("values") if "values" in each else [each["value"]] if "value" in each else []
    if not isinstance(values, list):
        wrong_shape(f"{at}.values", values, "a list of samples")
    samples: list[tuple[float, float]] = []
    strange = 0
    for j, pair in enumerate(values):
        if not isinstance(pair, list) or len(pair) != 2 or isinstance(pair[0], bool) or not isinstance(pair[0], (int, float)):
            wrong_shape(f"{at}.values[{j}]", pair, "[seconds, text]")
        try:
            number = float(pair[1])
        except (TypeError, ValueError) as e:
            raise Refused("evidence.shape", at=f"{at}.values[{j}]", found=repr(pair[1])[:40], expected="a number as text") from e
        if isfinite(number):
            samples.append((float(pair[0]), number))
        else:
            strange += 1
    return Series(labels, tuple(samples), strange)


def window(asked: Mapping[str, Any], expectations: Mapping[str, str]) -> Window | None:
    """The window that came with a file, None when none did or it cannot be one. Times are RFC 3339 or seconds since 1970."""
    said = {k: asked.get(k, expectations.get(k)) for k in ("start", "end", "step")}
    try:
        start, end, step = (_seconds(said[k]) for k in ("start", "end", "step"))
    except (TypeError, ValueError):
        return None
    return Window(start, end, step) if 0 < step <= end - start and (end - start) / step < 1_000_000 else None


def _seconds(value: Any) -> float:
    if isinstance(value, str) and "T" in value:
        return datetime.fromisoformat(value).timestamp()
    if isinstance(value, str) and value[-1:] in "smhd" and value[:-1].isdigit():
        return float(value[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[value[-1]]
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def moment(seconds: float) -> str:
    """RFC 3339 UTC with milliseconds; empty when it is no moment a calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return ""
