"""Readers from other packages: entry points of the group `release_dossier.readers`, each a module as every reader here is.

A plugged reader is asked only about files no reader here recognises, or by its name: installing one never changes what other files say.
One that cannot be loaded, or bears a name that is taken, is left out and said by `dossier evidence kinds`. A module may bring a `KIND` of
its own. `dossier evidence try MODULE FILE` holds one against the contract every reader keeps.
"""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType

from release_dossier.evidence.kind import Kind

GROUP = "release_dossier.readers"


@lru_cache(maxsize=1)
def plugged() -> tuple[tuple[ModuleType, ...], tuple[str, ...]]:
    """(modules by their names' alphabet, what is wrong with those left out)."""
    from importlib.metadata import entry_points

    from release_dossier.evidence.readers import NAMES

    found: dict[str, ModuleType] = {}
    wrong = []
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        try:
            module = point.load()
        except Exception as e:  # noqa: BLE001  another package's fault takes nobody down
            wrong.append(f"{point.name}: {type(e).__name__}: {e}")
            continue
        name = getattr(module, "NAME", None)
        if not isinstance(name, str) or not callable(getattr(module, "recognises", None)) or not callable(getattr(module, "read", None)):
            wrong.append(f"{point.name}: no NAME, recognises and read")
        elif name in NAMES or name in found:
            wrong.append(f"{point.name}: a reader called {name} is there already")
        else:
            found[name] = module
    return tuple(found.values()), tuple(wrong)


def kinds_plugged() -> tuple[Kind, ...]:
    """Kinds that plugged readers bring, each name once, none that is there already."""
    from release_dossier.evidence.kinds import KINDS

    taken = {k.name for k in KINDS}
    out: dict[str, Kind] = {}
    for module in plugged()[0]:
        kind = getattr(module, "KIND", None)
        if isinstance(kind, Kind) and kind.name not in taken:
            out.setdefault(kind.name, kind)
    return tuple(out.values())
