"""What runs with which resources."""

from __future__ import annotations

from release_dossier.evidence.kind import DAY, Kind

KIND = Kind(
    name="topology",
    unit="containers",
    age_max=14 * DAY,
    about_data=False,
    proves="these containers are declared to run, in this number, with these limits",
    does_not_prove="that they run, or run on the machine that was meant; readiness and latency say more",
    facts=(
        ("containers", "containers", "that are declared"),
        ("containers_limited", "containers", "of them with a limit of CPU or memory"),
        ("containers_probed", "containers", "of them asked whether they are ready"),
        ("containers_risky", "containers", "of them that may steer their host"),
        ("images_pinned", "containers", "of them with an image named by digest"),
        ("instances", "instances", "of all containers together"),
        ("cpu_limit", "cores", "that those with a limit may use together"),
        ("memory_limit", "bytes", "that those with a limit may use together"),
        ("shape", "words", "of names, images without version, numbers and limits: another one is another topology"),
        ("replicas", "instances", "that are wanted, as the cluster says"),
        ("replicas_ready", "instances", "of them ready, as the cluster says"),
    ),
    formats=("compose", "kubernetes"),
)
