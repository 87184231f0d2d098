"""KEDA as it is set up with and without care, by somebody who knows the true service time."""

from taskfleet_operator.scaling import Behavior
from taskfleet_operator.simulation.rivals.keda import Keda, ScaledObject


def default_keda(
    *, goal: float, service: float, max_replicas: int, slots: int = 1, behavior: Behavior | None = None, seed: int = 1
) -> Keda:
    """The target that a pod gets done in the goal, everything else left alone."""
    spec = ScaledObject(target=max(1.0, slots * goal / service), max_replicas=max_replicas, behavior=behavior)
    return Keda(spec, name=f"KEDA, defaults ({_path(behavior)})", seed=seed)


def tuned_keda(*, goal: float, service: float, max_replicas: int, slots: int = 1, behavior: Behavior | None = None, seed: int = 1) -> Keda:
    """Half that target, polled every five seconds."""
    target = max(1.0, slots * goal / (2 * service))
    spec = ScaledObject(target=target, max_replicas=max_replicas, polling_seconds=5, behavior=behavior)
    return Keda(spec, name=f"KEDA, tuned ({_path(behavior)})", seed=seed)


def _path(behavior: Behavior | None) -> str:
    return "nil behavior" if behavior is None else "behavior written out"
