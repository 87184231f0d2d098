"""The product on a real cluster: `make e2e`, or `python -m tests.cluster.e2e [--json FILE] [--keep]`.

kind cluster, images built and loaded, PostgreSQL in the cluster, the chart installed with Helm, a TaskQueue applied, 2,000 tasks done by
real worker pods, back to zero; a worker pod deleted mid-task. Every pod runs under Pod Security "restricted". Ends with what took how long.

  KIND_NODE_IMAGE   image of the node; kind's own by default
  POSTGRES_IMAGE    image of PostgreSQL; the official one by default, built from Debian's package where that cannot be pulled
"""

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cluster.e2e.guide import GREETED, Reader
from tests.cluster.e2e.images import build_images, check_worker_image
from tests.cluster.e2e.report import Report
from tests.cluster.e2e.stage import clean_up, create_cluster, describe_failure, install_chart, start_database, uninstall_chart
from tests.cluster.e2e.story import Story
from tests.cluster.e2e.tools import E2eError, Tools, find_tools


def main() -> int:
    """Run the test: 0 when all went well, 1 when something did not, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="make e2e", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the times here too")
    parser.add_argument("--keep", action="store_true", help="leave the cluster running, to look around")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="taskfleet-e2e-"))
    try:
        tools = find_tools(folder)
    except E2eError as error:
        sys.stderr.write(f"e2e: {error}\n")
        return 1
    report = Report()
    try:
        play(tools, report, folder)
    except E2eError as error:
        sys.stderr.write(f"{describe_failure(tools)}\ne2e: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception:
        sys.stderr.write(describe_failure(tools))
        raise
    finally:
        clean_up(tools, folder, keep=chosen.keep)
    report.show()
    if chosen.json:
        report.write(chosen.json)
    if chosen.keep:
        sys.stdout.write(f"The cluster is still there: export KUBECONFIG={tools.kubeconfig}; kind delete cluster --name taskfleet-e2e\n")
    return 0


def play(tools: Tools, report: Report, folder: Path) -> None:
    """Set the stage and tell the story."""
    with ThreadPoolExecutor() as pool:
        images = pool.submit(build_images, tools)
        with report.stage("cluster"):
            create_cluster(tools)
        with report.stage("images") as notes:
            postgres = images.result()
            notes.append(f"beyond the cluster's time; worker {check_worker_image(tools)} MB, without kopf, client or web framework")
    with report.stage("PostgreSQL") as notes:
        start_database(tools, postgres)
        notes.append(postgres)
    with report.stage("install"):
        install_chart(tools)
    story = Story(tools, report)
    story.apply_task_queue()
    story.drain_the_backlog()
    story.lose_a_pod()
    story.check_the_operator()
    sys.stdout.write(story.show())
    uninstall_chart(tools)
    with report.stage("docs/kubernetes.md, as written") as notes:
        reader = Reader(tools, folder)
        reader.follow()
        notes.append(f"{reader.commands} blocks of commands; {GREETED:,} greetings by the reader's own image")


if __name__ == "__main__":
    sys.exit(main())
