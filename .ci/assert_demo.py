"""Holds the figures of the demo to what it promises: `assert_demo.py FILE.json`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MOST_LEASED = 8 * 8
"""Workers times slots of the demo."""


def broken_promises(run: Mapping[str, Any]) -> list[str]:
    """Each promise that the figures do not keep, in words."""
    good, gone = run["good"], run["gone"]
    calls = run["calls_for_good"] + run["calls_for_gone"] + run["overload_answers"]
    promises = {
        "every good task succeeded exactly once": good["succeeded"] == good["total"] and good["duplicates"] == 0,
        "every gone task failed": gone["failed"] == gone["total"],
        "at its first answered attempt": gone["max_attempts_used"] == 1,
        "no task was lost": run["lost"] == 0,
        "no busy worker was killed": run["killed"] == 0,
        "the fleet grew": run["peak_workers"] > 1,
        "and returned to nothing": run["final_workers"] == 0,
        "at most 1.1 calls for each good task": run["calls_for_good"] <= 1.1 * good["total"],
        "a gone source is asked for once": run["calls_for_gone"] <= gone["distinct_entities"] + MOST_LEASED,
        "overload answers are at most a tenth of all calls": run["overload_answers"] <= 0.1 * calls,
    }
    return [promise for promise, kept in promises.items() if not kept]


def main() -> None:
    """Exit 1 and name the broken promises."""
    run = json.loads(Path(sys.argv[1]).read_text())
    broken = broken_promises(run)
    for promise in broken:
        sys.stderr.write(f"broken: {promise}\n")
    sys.stdout.write(json.dumps(run, indent=2) + "\n")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
