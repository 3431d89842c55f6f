"""A compose file: its services with image, limits, health check and number. Variables are shown, never filled in; other files it names are
not opened."""

from __future__ import annotations

from typing import IO, Any

from release_dossier.evidence import topology
from release_dossier.evidence.readers.given import Given, count, mapping, word, wrong_shape
from release_dossier.evidence.readers.sniff import top
from release_dossier.evidence.readers.yaml_tree import documents_and_doubt
from release_dossier.evidence.reading import Reading
from release_dossier.evidence.topology import Container

NAME = "compose"
_OTHERS = {"openapi", "apiVersion", "slos", "groups", "resource", "provider", "scrape_configs"}


def recognises(head: bytes) -> bool:
    """`services`, each with an image or a build."""
    keys = top(head)
    return "services" in keys and not _OTHERS & keys.keys() and any(w in head for w in (b"image:", b"build:", b'"image"', b'"build"'))


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every service.

    Raises:
        Refused: `yaml.*`, `evidence.shape`.
    """
    docs, doubt = documents_and_doubt(stream, given.exit_status)
    if len(docs) != 1 or not isinstance(docs[0], dict):
        wrong_shape("file", f"{len(docs)} documents", "one compose file")
    containers, broken = [], []
    for name, service in mapping(docs[0].get("services"), "services").items():
        if not isinstance(service, dict):
            broken.append(f"service {name} is no mapping")
            continue
        containers.append(_container(name, service))
        if "extends" in service:
            broken.append(f"service {name} extends another file")
    if docs[0].get("include"):
        broken.append("it includes other files")
    return topology.reading(NAME, containers, given, broken=[*broken, doubt] if doubt else broken, of_known=not doubt, tool="compose")


def _container(name: str, service: dict[str, Any]) -> Container:
    deploy = mapping(service.get("deploy"), f"services.{name}.deploy")
    limits = mapping(mapping(deploy.get("resources"), f"services.{name}.resources").get("limits"), f"services.{name}.limits")
    check = service.get("healthcheck")
    risky = ["do anything on its host (privileged)"] if service.get("privileged") is True else []
    volumes = service.get("volumes")
    sockets = [str(v) for v in volumes if "docker.sock" in str(v)] if isinstance(volumes, list) else []
    risky += ["steer its host's containers (docker.sock)" for v in sockets if not v.endswith(":ro")]
    return Container(
        name=name,
        image=word(service.get("image")) or ("built here" if "build" in service else ""),
        count=count(asked) if (asked := deploy.get("replicas", service.get("scale"))) is not None else 1,
        cpu=topology.cores(limits.get("cpus", service.get("cpus"))),
        memory=topology.size(limits.get("memory", service.get("mem_limit")), binary=True),
        probed=isinstance(check, dict) and check.get("disable") is not True and "test" in check,
        risky=tuple(risky),
    )
