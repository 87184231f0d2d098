"""taskfleet's producer under the commands of benchmarks/peers/__init__.py; its worker is the real `taskfleet-worker`."""

import json
import os
import random
import sys
import time

import tally

import taskfleet
from taskfleet.migrations import Migrator

KIND = os.environ.get("BENCH_KIND", "noop")


def install() -> None:
    Migrator(os.environ["DATABASE_URL"]).up()


def bulk() -> None:
    with taskfleet.Producer(os.environ["DATABASE_URL"]) as producer:
        producer.length()
        began = time.perf_counter()
        producer.enqueue_many(taskfleet.NewTask(kind=KIND, payload=tally.PAYLOAD) for _ in range(tally.tasks()))
        sys.stdout.write(json.dumps({"seconds": time.perf_counter() - began}))


def single() -> None:
    with taskfleet.Producer(os.environ["DATABASE_URL"]) as producer:
        producer.enqueue(KIND, tally.PAYLOAD)
        began = time.perf_counter()
        for _ in range(tally.tasks()):
            producer.enqueue(KIND, tally.PAYLOAD)
        sys.stdout.write(json.dumps({"seconds": time.perf_counter() - began}))


def lone() -> None:
    with taskfleet.Producer(os.environ["DATABASE_URL"]) as producer:
        for _ in range(tally.tasks()):
            time.sleep(tally.PAUSE_SECONDS * random.uniform(0.5, 1.5))
            producer.enqueue(KIND, {**tally.PAYLOAD, "sent": time.time()})


{"install": install, "bulk": bulk, "single": single, "lone": lone}[sys.argv[1]]()
