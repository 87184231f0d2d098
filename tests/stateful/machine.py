"""The state machine: every rule does one thing to the model and to the real queue, and compares the answers."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from taskfleet.models import ClaimedTask, Mark, NewSession, NewTask, Settled, Settlement
from taskfleet.store.maintenance_store import Batch
from taskfleet.words import Verdict
from tests.stateful.answers import in_order, leases_of, meant, seen, settlement_of, state_of
from tests.stateful.model import ENTITY_MEMORY, FRESH, KINDS, MAX_ATTEMPTS, PRIORITIES, UNFINISHED, Limits, Session, Task
from tests.stateful.people import People
from tests.stateful.world import HOUR

PAUSING = {Verdict.PAUSED, Verdict.DRAINING, Verdict.SESSION_LOST}
ENDINGS = ("complete", "fail", "bury", "release", "delay")

kinds = st.sampled_from(KINDS)
some_kinds = st.lists(kinds, min_size=1, max_size=len(KINDS), unique=True)
small = st.integers(1, 6)


class Queue(People):
    """Producers, workers, people, operator, time and maintenance, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: Sequence[Mark] = ()

    @initialize()
    def nothing_has_happened(self) -> None:
        self.world.empty()
        self.world.apply(self.model.limits)

    # Producers.

    @rule(
        kind=kinds,
        priority=st.sampled_from(PRIORITIES),
        count=small,
        delay=st.sampled_from([0.0, 0.0, 0.5, 1.5, 5.5]),
        entity=st.sampled_from([None, "photo"]),
        group=st.sampled_from([None, "tenant"]),
        max_attempts=st.sampled_from([MAX_ATTEMPTS, 1]),
    )
    def enqueue_many(self, kind: str, priority: int, count: int, delay: float, **values: Any) -> None:
        task = NewTask(kind=kind, priority=priority, delay_seconds=delay * HOUR, **values)
        for answer in self.world.do(self.world.producer.enqueue_many([task] * count)):
            self._arrived(answer.task_id, kind, priority, delay, **values)

    @rule(kind=kinds, key=st.sampled_from("abc"), delay=st.sampled_from([0.0, 0.5]))
    def enqueue_with_key(self, kind: str, key: str, delay: float) -> None:
        holder = self.model.holder(kind, key)

        answer = self.world.do(self.world.producer.enqueue(kind, idempotency_key=key, delay_seconds=delay * HOUR))

        assert (answer.duplicate, answer.task_id if holder else None) == (holder is not None, holder)
        if holder is None:
            self._arrived(answer.task_id, kind, 5, delay, key=key)

    def _arrived(self, task_id: int, kind: str, priority: int, delay: float, **values: Any) -> None:
        assert task_id not in self.model.tasks
        at = self.model.now + delay
        self.model.tasks[task_id] = Task(kind=kind, priority=priority, run_at=at, due_since=at, **values)
        self.model.ended["enqueued"] += 1
        if values.get("group") in self.model.paused_groups:
            self.model.tasks[task_id].state = "paused"

    # Workers.

    @rule(lease=st.sampled_from([0.5, 1.5, 50.5]))
    def start_worker(self, lease: float) -> None:
        session = NewSession(
            session_id=uuid4(), queue=self.world.scene.queue, worker="w", slots=10, kinds=KINDS, lease_seconds=lease * HOUR
        )
        self.world.do(self.world.scene.worker.open_session(session))
        self.model.sessions[session.session_id] = Session(lease=lease, expires_at=self.model.now + lease, heartbeat_step=self.model.step)

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data(), asked=some_kinds, limit=small, stale_slots=st.integers(0, 3), heard=st.sampled_from([True, True, True, False]))
    def claim(self, data: st.DataObject, asked: list[str], limit: int, stale_slots: int, heard: bool) -> None:
        """Some replies never arrive: the worker does not know what it holds."""
        session, marks = self._session(data), data.draw(st.sampled_from([(), self.marks]), label="marks")
        expected = self.model.claimable(session, asked, limit)
        must_be_stale = self._stale_share(session, asked, limit, stale_slots)

        claim = self.world.do(self.world.scene.claim(session, *asked, limit=limit, marks=marks, stale_slots=stale_slots))

        stale = sum(self.model.tasks[task.task_id].run_at < self.model.now - FRESH for task in claim.tasks)
        self._claimed(claim.tasks, session, asked, heard=heard)
        assert (len(claim.tasks), claim.verdict is Verdict.CLAIMED) == (expected, expected > 0)
        assert stale >= must_be_stale
        stopped = self.model.limits.held or self.model.queue_paused or self.model.sessions[session].draining
        assert not (stopped or not self.model.alive(session)) or claim.verdict in PAUSING

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data(), endings=st.lists(st.sampled_from(ENDINGS), min_size=1, max_size=6))
    def settle(self, data: st.DataObject, endings: list[str]) -> None:
        settlement, expected, _ = self._endings(data, endings)

        settled = self.world.do(self.world.scene.worker.settle(settlement))

        assert in_order(settled) == expected

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data(), endings=st.lists(st.sampled_from(ENDINGS), min_size=1, max_size=6), asked=some_kinds, limit=small)
    def settle_and_claim(self, data: st.DataObject, endings: list[str], asked: list[str], limit: int) -> None:
        settlement, expected, session = self._endings(data, endings)
        most = self.model.claimable(session, asked, limit)

        settled, claim = self.world.do(
            self.world.scene.worker.settle_and_claim(settlement, session, kinds=asked, limit=limit, marks=self.marks)
        )

        self._claimed(claim.tasks, session, asked, heard=True)
        assert (in_order(settled), len(claim.tasks)) == (expected, most)

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        """A worker names what it believes to hold, or forgets some."""
        session = self._session(data)
        told = self.model.sessions[session].told
        named = data.draw(st.lists(st.sampled_from(told), unique=True) if told else st.just([]), label="named")
        named = data.draw(st.sampled_from([told, named]), label="all or some")
        known = self.model.alive(session)
        lost = {id_ for id_, token in named if not known or not self.model.holds(id_, token)}

        unwanted = {id_ for id_, _ in named if known and id_ not in lost and self.model.tasks[id_].unwanted}

        answer = self.world.do(self.world.scene.worker.heartbeat(session, held=leases_of(named)))

        released = list(self.model.heartbeat(session, named)) if known else []
        for task_id in released:
            self.model.release(task_id)
        assert (answer.known, set(answer.lost), answer.released) == (known, lost, len(released))
        assert set(answer.cancelled) == unwanted
        assert answer.draining == (known and self.model.sessions[session].draining)

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data())
    def stop_worker(self, data: st.DataObject) -> None:
        session = self._session(data)
        held = self.model.running(session=session)

        released = self.world.do(self.world.scene.worker.close_session(session))

        self.model.sessions[session].closed = True
        for task_id in held:
            self.model.release(task_id)
        assert released == len(held)

    @precondition(lambda self: self.model.sessions)
    @rule(data=st.data(), draining=st.booleans())
    def mark(self, data: st.DataObject, draining: bool) -> None:
        session = self._session(data)
        self.world.do(self.world.scene.operator.mark_draining([session], draining=draining, epoch=None))
        self.model.sessions[session].draining = draining

        drained = self.world.do(self.world.scene.worker.mark_drained(session))

        assert drained == (draining and not self.model.running(session=session))

    @rule()
    def ask_for_marks(self) -> None:
        self.marks = self.world.do(self.world.scene.worker.low_water_marks(self.world.scene.queue, kinds=KINDS))

    # The operator, time and maintenance.

    @rule(
        quota=st.dictionaries(kinds, st.integers(0, 3), max_size=2),
        rate=st.dictionaries(kinds, st.integers(1, 3), max_size=1),
        probes=st.dictionaries(kinds, st.integers(0, 1), max_size=1),
        whole=st.sampled_from([None, None, 0, 2, 5]),
        ceiling=st.sampled_from([None, None, 3]),
        held=st.sampled_from([False, False, False, True]),
    )
    def limit(
        self, quota: dict[str, int], rate: dict[str, int], probes: dict[str, int], whole: int | None, ceiling: int | None, held: bool
    ) -> None:
        # A kind that had no rate for a while has forgotten its starts, or not yet: it begins anew.
        self.world.do(self.world.scene.rows("DELETE FROM taskfleet.kind_starts"))
        self.model.starts.clear()
        if self.model.limits.held and not held:
            self.model.resumed_at[None] = self.model.now
        self.model.limits = Limits(quota=quota, rate=rate, probes=probes, max_concurrent=whole, ceiling=ceiling, held=held)
        self.world.apply(self.model.limits)

    @rule()
    def an_hour_passes(self) -> None:
        self.world.let_an_hour_pass()
        self.model.now += 1

    @rule(few=st.sampled_from([1, 100]))
    def recover(self, few: int) -> None:
        closed = {id_: task for id_, task in self.model.running().items() if task.session and self.model.sessions[task.session].closed}
        batch = self.world.do(self.world.scene.maintenance.recover_leases(due_seconds=0, limit=few))
        changed = self._changed(self.model.lost(), few, lambda id_: self.model.fail(id_, retryable=True))
        changed += self._changed(closed, few, self.model.release)

        assert batch.handled == changed

    @rule(few=st.sampled_from([1, 100]))
    def time_out(self, few: int) -> None:
        batch = self.world.do(self.world.scene.maintenance.time_out_running(due_seconds=0, limit=few))
        retryable = {id_: task.kind == "send" for id_, task in self.model.late().items()}

        assert batch.handled == self._changed(self.model.late(), few, lambda id_: self.model.fail(id_, retryable=retryable[id_]))

    @rule(few=st.sampled_from([1, 100]))
    def expire(self, few: int) -> None:
        batch = self.world.do(self.world.scene.maintenance.expire_waiting(due_seconds=0, limit=few))
        over = self.model.expired()

        assert batch.handled == sum(
            self._changed({id_: task for id_, task in over.items() if task.kind == kind}, few, self.model.bury) for kind in KINDS
        )

    @rule(few=st.sampled_from([1, 100]))
    def fold(self, few: int) -> None:
        self.world.do(self.world.scene.maintenance.fold_ledgers(due_seconds=0, limit=few))

    @rule(few=st.sampled_from([1, 100]))
    def forget(self, few: int) -> None:
        old, there = self.model.forgettable(), None
        batch: Batch = self.world.do(self.world.scene.maintenance.trim_dead_letters(due_seconds=0, limit=few))
        there = self.world.where()
        gone = [id_ for id_ in old if id_ not in there]
        for task_id in gone:
            self.model.forget(task_id)

        assert batch.handled == len(gone) == sum(min(few, sum(task.kind == kind for task in old.values())) for kind in KINDS)

    # What always holds.

    @invariant()
    def nothing_is_lost_and_everything_counted(self) -> None:
        self.model.step += 1
        there, keys, wrong = self.world.look()
        note(f"{self.model.now} h: {len(there)} tasks")

        assert wrong == []
        assert {(row["kind"], row["key"]): row["task_id"] for row in keys} == {
            (task.kind, task.key): id_ for id_, task in self.model.tasks.items() if task.key and task.state in UNFINISHED
        }
        assert {id_: seen(row, self.model.now) for id_, row in there.items()} == {
            id_: meant(task) for id_, task in self.model.tasks.items()
        }

    @invariant()
    def counters_never_forget(self) -> None:
        counted: Counter[str] = Counter()
        for (outcome, _), count in self.world.do(self.world.scene.outcomes()).items():
            if outcome not in ("retried", "released"):
                counted[outcome] += count

        assert counted == self.model.ended

    # Between the two.

    def _session(self, data: st.DataObject) -> UUID:
        return data.draw(st.sampled_from(list(self.model.sessions)), label="session")

    def _stale_share(self, session: UUID, asked: Sequence[str], limit: int, stale_slots: int) -> int:
        """How many stale tasks a claim must bring at least, where no limit of a kind makes that a matter of luck."""
        if any(self.model.gate(kind) is not None for kind in asked):
            return 0
        old = sum(task.run_at < self.model.now - FRESH for kind in asked for task in self.model.due(kind).values())
        return min(stale_slots, old, self.model.claimable(session, asked, limit))

    def _claimed(self, tasks: Sequence[ClaimedTask], session: UUID, asked: Sequence[str], *, heard: bool) -> None:
        before = {kind: self.model.gate(kind) for kind in asked}
        for task in tasks:
            known = self.model.tasks[task.task_id]
            assert task.task_id in self.model.due(task.kind)
            assert (task.kind, task.priority, task.attempt, task.max_attempts) == (
                known.kind,
                known.priority,
                known.attempts + 1,
                known.max_attempts,
            )
            assert task.kind in asked
            assert task.entity_missing == (self.model.missing_until.get(known.entity or "", 0.0) > self.model.now)
            self.model.start(task.task_id, session, task.token)
            if heard:
                self.model.sessions[session].told.append((task.task_id, task.token))
        for kind, gate in before.items():
            assert gate is None or sum(task.kind == kind for task in tasks) <= gate

    def _endings(self, data: st.DataObject, endings: Sequence[str]) -> tuple[Settlement, Settled, UUID]:
        """Endings of what a worker believes to hold, some of it lost long ago, and what must become of each."""
        session = self._session(data)
        told = self.model.sessions[session].told
        chosen = told[: len(endings)]
        del told[: len(endings)]
        ends = list(zip(chosen, endings, strict=False))
        became: dict[str, list[int]] = {"finished": [], "retried": [], "stale": []}
        for (task_id, token), ending in ends:
            became[self._end(task_id, ending) if self.model.holds(task_id, token) else "stale"].append(task_id)
        return settlement_of(ends), in_order(Settled(**became)), session

    def _end(self, task_id: int, ending: str) -> str:
        if ending == "complete":
            return self.model.complete(task_id)
        if ending in ("release", "delay"):
            return self.model.release(task_id, delay=0.5 if ending == "delay" else 0.0)
        if ending == "bury":
            self.model.missing_until["photo"] = self.model.now + ENTITY_MEMORY
        return self.model.fail(task_id, retryable=ending == "fail")

    def _changed(self, candidates: dict[int, Task], few: int, change: Callable[[int], str]) -> int:
        """Carry out on the model what a bounded batch did to some of the candidates; returns how many it must have been."""
        there = self.world.where()
        moved = [id_ for id_, task in candidates.items() if state_of(there[id_]) != task.state]
        for task_id in moved:
            change(task_id)
        assert len(moved) == min(few, len(candidates))
        return len(moved)
