"""Kubernetes resources, files or `kubectl get -o json`: what runs in which number with which limits and probes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from release_dossier.evidence import topology
from release_dossier.evidence.readers.given import Given, mapping, objects, word
from release_dossier.evidence.readers.sniff import top
from release_dossier.evidence.readers.yaml_tree import documents_and_doubt
from release_dossier.evidence.reading import Fact, Reading
from release_dossier.evidence.topology import Container

NAME = "kubernetes"
_GROUPS = (
    "v1",
    "apps/v1",
    "batch/v1",
    "networking.k8s.io/v1",
    "policy/v1",
    "autoscaling/",
    "rbac.authorization.k8s.io/",
    "apiextensions.k8s.io/",
)
_RUNS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod", "ReplicationController")


def recognises(head: bytes) -> bool:
    """A resource of Kubernetes' own groups. A list may hold anything: what it holds decides."""
    keys = top(head)
    if not ("kind" in keys and keys.get("apiVersion", "").startswith(_GROUPS)):
        return False
    return keys["kind"] != "List" or b"PrometheusRule" not in head


def read(stream: IO[bytes], given: Given) -> Reading:
    """Every container of every resource that runs one.

    Raises:
        Refused: `yaml.*`, `json.*`, `evidence.shape`.
    """
    docs, doubt = documents_and_doubt(stream, given.exit_status)
    containers: list[Container] = []
    resources = ready = wanted = 0
    seen_status = False
    for item in _items(docs):
        resources += 1
        if item.get("kind") not in _RUNS:
            continue
        name = word(mapping(item.get("metadata"), "metadata").get("name"))
        spec, pod = _pod(item)
        count = spec.get("replicas", 1)
        number = count if isinstance(count, int) and not isinstance(count, bool) else 1
        status = item.get("status")
        if isinstance(status, dict) and "replicas" in spec:
            seen_status = True
            wanted += number
            there = status.get("readyReplicas", 0)
            ready += there if isinstance(there, int) and not isinstance(there, bool) else 0
        each = objects(pod.get("containers"), f"{name}.containers")
        containers += [_container(name if len(each) == 1 else f"{name}/{word(c.get('name'))}", c, pod, number) for c in each]
    facts = {"resources": Fact(resources, "resources")}
    broken = []
    if seen_status:
        facts |= {"replicas": Fact(wanted, "instances"), "replicas_ready": Fact(ready, "instances")}
        broken = [f"{ready} of {wanted} replicas are ready"] if ready < wanted else []
    return topology.reading(
        NAME, containers, given, broken=[*broken, doubt] if doubt else broken, of_known=not doubt, facts=facts, tool="kubernetes"
    )


def _items(docs: list[Any]) -> Iterator[dict[str, Any]]:
    for i, doc in enumerate(docs):
        table = mapping(doc, f"document {i + 1}")
        if word(table.get("kind")).endswith("List") and "items" in table:
            yield from objects(table.get("items"), f"document {i + 1} items")
        else:
            yield table


def _pod(item: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(spec of the resource, spec of its pods)."""
    spec = mapping(item.get("spec"), "spec")
    if item.get("kind") == "Pod":
        return spec, spec
    inner = (
        mapping(mapping(spec.get("jobTemplate"), "jobTemplate").get("spec"), "jobTemplate.spec") if item.get("kind") == "CronJob" else spec
    )
    return spec, mapping(mapping(inner.get("template"), "template").get("spec"), "template.spec")


def _container(name: str, c: dict[str, Any], pod: dict[str, Any], number: int) -> Container:
    limits = mapping(mapping(c.get("resources"), f"{name}.resources").get("limits"), f"{name}.limits")
    context = mapping(c.get("securityContext"), f"{name}.securityContext")
    risky = ["do anything on its host (privileged)"] if context.get("privileged") is True else []
    risky += [f"see its host's {what}" for key, what in (("hostPID", "processes"), ("hostNetwork", "network")) if pod.get(key) is True]
    return Container(
        name=name,
        image=word(c.get("image")),
        count=max(0, number),
        cpu=topology.cores(limits["cpu"]) if "cpu" in limits else None,
        memory=topology.size(limits["memory"]) if "memory" in limits else None,
        probed=any(k in c for k in ("readinessProbe", "livenessProbe", "startupProbe")),
        risky=tuple(risky),
    )
