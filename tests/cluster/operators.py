"""Operators for tests: real processes with the rights that the chart gives, each following one namespace."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.fixtures import Namespace
from tests.support.processes import COMMANDS, Processes, RunningProcess

TICK_SECONDS = 0.25
LEASE = "taskfleet-operator"
"""As the chart names it for a release called taskfleet."""


@dataclass
class Operator:
    """One running operator."""

    process: RunningProcess

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its log lines so far."""
        lines = []
        for line in self.process.output.splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"event": "unreadable", "line": line})
        return lines

    def said(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of one event."""
        return [line for line in self.log if line.get("event") == event]


@dataclass
class Operators:
    """Starts operators for one namespace."""

    namespace: Namespace
    processes: Processes
    kubeconfig: Path

    def start(self, **environment: str) -> Operator:
        """Start one more."""
        given = {
            "KUBECONFIG": str(self.kubeconfig),
            "TASKFLEET_OPERATOR_NAMESPACES": self.namespace.name,
            "TASKFLEET_OPERATOR_LEASE_NAMESPACE": self.namespace.name,
            "TASKFLEET_OPERATOR_LEASE_NAME": LEASE,
            "TASKFLEET_OPERATOR_TICK_SECONDS": str(TICK_SECONDS),
            "TASKFLEET_OPERATOR_METRICS_PORT": "0",
            "TASKFLEET_OPERATOR_LOG_FORMAT": "json",
            "TASKFLEET_OPERATOR_STATUS_SECONDS": "1",
            "TASKFLEET_OPERATOR_SECRET_SECONDS": "2",
            **environment,
        }
        return Operator(self.processes.start([COMMANDS / "taskfleet-operator", "run"], environment=given))


def grant_what_the_chart_grants(namespace: Namespace, template: Callable[..., str]) -> str:
    """Make the chart's service account and roles in the namespace, for this namespace only; give a token of the account."""
    chosen = ("--namespace", namespace.name, "--set", f"settings.namespaces={{{namespace.name}}}", "--set", "rbac.aggregate=false")
    shown = [part for name in ("serviceaccount", "rbac") for part in ("--show-only", f"templates/{name}.yaml")]
    namespace.kubectl("apply", "-f", "-", stdin=template(*chosen, *shown))
    return namespace.kubectl("create", "token", "taskfleet", "--duration=1h").strip()
