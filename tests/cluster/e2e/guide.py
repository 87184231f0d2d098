"""docs/kubernetes.md as a reader follows it: its files are written and its commands run, in order, as they stand."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.e2e.images import ROOT
from tests.cluster.e2e.stage import CLUSTER, wait_until
from tests.cluster.e2e.tools import E2eError, Tools

PAGE = ROOT / "docs" / "kubernetes.md"
GREETED = 1_001
_BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<role>[^\n]+))?\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block: its language, what its first line says of it, and its text."""

    language: str
    role: str
    text: str


def blocks(page: str) -> list[Block]:
    """Give the blocks of a page, in order."""
    return [Block(language=found["language"], role=found["role"] or "", text=found["text"]) for found in _BLOCK.finditer(page)]


class Reader:
    """Somebody who copies block after block."""

    def __init__(self, tools: Tools, folder: Path) -> None:
        self._tools = tools
        self._folder = folder
        self.commands = 0

    def follow(self) -> None:
        """Follow the whole page; E2eError names the block that does not work."""
        for block in blocks(PAGE.read_text()):
            match block:
                case Block(language="python" | "dockerfile", role=name):
                    (self._folder / name).write_text(block.text)
                case Block(language="sh", role="" | "kind"):
                    self._type(block.text, folder=ROOT)
                case Block(language="sh", role="your folder"):
                    self._type(block.text, folder=self._folder)
                case Block(language="sh", role="until all are greeted"):
                    wait_until(lambda: self._greeted() == GREETED, within=120, what=f"{GREETED:,} greetings")
                    said = self._type(block.text, folder=ROOT)
                    if "hello guest" not in said:
                        message = f"the handler's own output is not in the workers' logs:\n{said}"
                        raise E2eError(message)
                case Block(language="sh", role="a cluster of your own" | "watch" | "later"):
                    pass  # the cluster is there; a watch ends by Ctrl-C; what comes later is for another day
                case Block(language="text" | "yaml"):
                    pass  # what a reader sees, or may write
                case other:
                    message = f"{PAGE.name}: a block of the kind {other.language} {other.role!r} that nobody knows how to follow"
                    raise E2eError(message)

    def _greeted(self) -> int:
        stats = json.loads(self._tools.kubectl_in("default", "exec", "console", "--", "taskfleet", "stats", "--output", "json"))
        return sum(int(kind["succeeded"]) for kind in stats["kinds"])

    def _type(self, text: str, *, folder: Path) -> str:
        self.commands += 1
        places = [str(Path(program).parent) for program in (self._tools.kubectl, self._tools.kind, self._tools.helm)]
        environment = {
            **os.environ,
            **self._tools.environment,
            "PATH": ":".join([*places, os.environ["PATH"]]),
            "KIND_CLUSTER_NAME": CLUSTER,
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], check=False, capture_output=True, text=True, cwd=folder, env=environment, timeout=600
        )
        if done.returncode != 0:
            message = f"{PAGE.name}: these commands fail with {done.returncode}:\n{text}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
            raise E2eError(message)
        return done.stdout
