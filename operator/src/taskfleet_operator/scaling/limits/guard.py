"""The ineffective-scale-up guard: against a downstream that slows down without saying so.

When service times rise because too much runs at once, every other step reads that as more work and feeds it. So: compare steady
windows only (backlog throughout, nothing starting, running tasks within ±10 %, enough finished).

- At least 25 % more busy slots that bring less than a quarter of the extra goodput: back to 1.1 × the smaller level.
- At the allowed maximum with a backlog, after a window if it is deep, else after two: try half as many. If the goodput holds, keep that and
  halve again. If it falls by less than half, the downstream's knee lies in between: go there. If it halves, every slot pays: restore, and
  wait twice as long before the next try (300 s to an hour).
- A knee that a short try told is tried with a fifth less, on more tasks, until that costs something.
- Under a cap: now and then try 1.33 × as many, and keep what pays.

Half is tried and not a little less, because luck drowns a small step: of 100 finished tasks 10 are chance. So a try of half
ends as soon as it is plain: what a fleet of a hundred finishes and what half of it would are told apart by sixty tasks. A hundred slots
before a downstream that carries twenty come down to about 22 in three tries, within two minutes.
"""

from math import sqrt

from msgspec import Struct
from msgspec.structs import replace

from taskfleet_operator.scaling.extremes import larger, smaller
from taskfleet_operator.scaling.memory import Guard, SteadyLevel, SteadyWindow, Trial

WINDOW_SECONDS = 15.0
ENOUGH_FINISHED = 100
STEADY_SPREAD = 0.1
MORE_SLOTS = 1.25
GAIN_SHARE = 0.25
BACK_TO = 1.1
LOWER = 0.5
HIGHER = 1.33
HOLDS = 0.93
PAYS_SHARE = 0.5
"""Of the goodput that more slots should bring: a try of more is dear, so it must pay better than a scale-up that work asked for."""
KNEE_MARGIN = 1.05
WORTH_LOWERING = 0.9
LOWER_TRIED_ON = 200
HIGHER_TRIED_ON = 400
"""Finished tasks: halves are told apart on fewer than thirds."""
LONGEST_TRY_SECONDS = 200.0
"""A fleet that finishes so little that a try would last longer is left alone."""
BELOW_KNEE = 0.8
"""A goodput that falls to this part or less says that the knee was passed; above, it may be luck, and half is tried once more."""
FINE = 0.8
FINE_HOLDS = 0.95
FINE_ABOVE = 0.7
"""A try that leaves more than this part of the slots is a fine one."""
FINE_TRIED_ON = 400
SHORTEST_TRY_SECONDS = 5.0
PLAIN_ON = 60
"""Tasks that would have finished without the try, from which on its end can be plain."""
HIGHER_PLAIN_ON = 150
HIGHER_PLAIN = 1.05
"""More slots that bring less than 5 % more after so many tasks will not bring the sixth that they must."""
SETTLED_WITHIN_SECONDS = 60.0
SAME_LEVEL = 0.05
LUCK = 2.5
"""Standard deviations that a comparison does not trust."""
FULL_WINDOWS = 2
DEEP_TRIES = 10
"""A backlog is deep when it lasts so many tries."""
FIRST_GAP_SECONDS = 300.0
LONGEST_GAP_SECONDS = 3600.0
LEVEL_SECONDS = 600.0
"""A level older than this is no comparison any more: the world has moved."""


class Seen(Struct, frozen=True, kw_only=True, gc=False):
    """What one tick shows the guard."""

    running: float
    finished: int
    seconds: float
    backlog: bool
    waiting: float = 0.0
    """Admissible tasks."""
    steady: bool
    """Nothing is starting and no other ceiling is at work."""
    full: bool
    """The fleet is at its allowed maximum."""
    service_seconds: float
    allowed_slots: float


def gate(guard: Guard) -> float | None:
    """How many tasks may run at once; None: as many as there are slots."""
    return guard.trial.gate if guard.trial is not None else guard.cap_slots


def kept_slots(guard: Guard) -> float | None:
    """The slots worth keeping workers for; a short try of fewer running tasks sends nobody home."""
    trial = guard.trial
    if trial is None or trial.gate < trial.start.running:
        return guard.cap_slots
    return trial.gate


def watch(before: Guard, seen: Seen, *, now: float) -> Guard:
    """The guard after one more tick."""
    if not seen.backlog or not seen.steady:
        return _interrupted(before, seen, now=now)
    trial = before.trial
    if trial is not None and now - trial.since < smaller(seen.service_seconds, SETTLED_WITHIN_SECONDS):
        # Those that ran before the try still end at the pace of that time.
        return replace(before, window=None)
    window = before.window
    if window is None or not _within(window, seen.running):
        return replace(before, window=_begun(seen, now))
    window = replace(
        window,
        finished=window.finished + seen.finished,
        running_seconds=window.running_seconds + seen.running * seen.seconds,
        lowest=smaller(window.lowest, seen.running),
        highest=larger(window.highest, seen.running),
    )
    elapsed = now - window.since
    if not (_full_window(window, seen, elapsed) if trial is None else _clear(trial, window, seen, elapsed)):
        return replace(before, window=window)
    if not window.running_seconds:
        # Tasks so short that no look met one at work say nothing about how many may run.
        return replace(before, window=_begun(seen, now))
    level = SteadyLevel(running=window.running_seconds / elapsed, goodput=window.finished / elapsed, finished=window.finished, at=now)
    return replace(_judged(before, level, seen, now=now), window=_begun(seen, now))


def _interrupted(before: Guard, seen: Seen, *, now: float) -> Guard:
    """No steady backlog: a try ends where it began; with nothing waiting, a cap whose time is over is gone."""
    if before.trial is not None and not seen.backlog:
        return replace(before, window=None, trial=None, cap_slots=before.trial.back, full_windows=0)
    if before.window is None and before.cap_slots is None and not before.full_windows:
        return before
    lapsed = not seen.backlog and now >= before.probe_after
    return replace(before, window=None, full_windows=0, cap_slots=None if lapsed else before.cap_slots)


def _full_window(window: SteadyWindow, seen: Seen, elapsed: float) -> bool:
    return elapsed >= larger(WINDOW_SECONDS, 2 * seen.service_seconds) and window.finished >= ENOUGH_FINISHED


def _clear(trial: Trial, window: SteadyWindow, seen: Seen, elapsed: float) -> bool:
    """Whether a try has shown what it can: when enough has finished, or when what has is plain already.

    Of a try of half, 60 tasks are plain when they are what the whole fleet would have finished (nothing is lost), or what half a healthy
    fleet would have (every slot pays). A fleet that does well thus runs at half for some seconds only.
    """
    if elapsed < larger(SHORTEST_TRY_SECONDS, seen.service_seconds / 2):
        return False
    whole = trial.start.goodput * elapsed
    ratio = window.finished / whole
    if not _lowers(trial):
        plain = whole >= HIGHER_PLAIN_ON and ratio <= HIGHER_PLAIN
        return window.finished >= HIGHER_TRIED_ON or plain
    if trial.gate > FINE_ABOVE * trial.start.running:
        return window.finished >= FINE_TRIED_ON
    enough = window.finished >= LOWER_TRIED_ON and elapsed >= WINDOW_SECONDS
    nothing_lost = ratio >= HOLDS
    every_slot_pays = trial.back is None and ratio <= KNEE_MARGIN * LOWER / WORTH_LOWERING
    return enough or (whole >= PLAIN_ON and (nothing_lost or every_slot_pays))


def _lowers(trial: Trial) -> bool:
    return trial.gate < trial.start.running


def _judged(before: Guard, level: SteadyLevel, seen: Seen, *, now: float) -> Guard:
    if before.trial is not None:
        lower = _lowers(before.trial)
        return _lower_tried(before, before.trial, level, now=now) if lower else _higher_tried(before, before.trial, level, seen, now=now)
    if before.level is not None and level.at - before.level.at <= LEVEL_SECONDS and _brought_nothing(before.level, level):
        cap = BACK_TO * before.level.running
        return replace(before, cap_slots=cap, probe_after=now + before.probe_gap_seconds, full_windows=0)
    kept = _comparison(before.level, level)
    if before.cap_slots is not None:
        guard = replace(before, level=kept)
        if before.coarse and LONGEST_TRY_SECONDS * FINE * level.goodput >= FINE_TRIED_ON:
            return _refine(guard, kept, before.cap_slots, now=now)
        return _try_higher(guard, level, before.cap_slots, now=now)
    guard = replace(before, level=kept, full_windows=before.full_windows + 1 if seen.full else 0)
    soon = LONGEST_TRY_SECONDS * LOWER * level.goodput >= LOWER_TRIED_ON
    if soon and guard.full_windows >= _windows_before_a_try(level, seen) and now >= before.probe_after:
        start = kept if _same(kept, level) else level
        return replace(guard, trial=Trial(start=start, gate=larger(1.0, LOWER * start.running), back=None, since=now), full_windows=0)
    return guard


def _windows_before_a_try(level: SteadyLevel, seen: Seen) -> int:
    """One where the backlog is so deep that a try of half hardly lengthens it; else two, for a batch may be over before."""
    try_seconds = seen.service_seconds + PLAIN_ON / level.goodput
    return 1 if seen.waiting >= DEEP_TRIES * try_seconds * level.goodput else FULL_WINDOWS


def _lower_tried(before: Guard, trial: Trial, level: SteadyLevel, *, now: float) -> Guard:
    """Keep fewer slots as far as they finish as much, and try again from there; where every slot pays, restore."""
    start = trial.start
    held = level.goodput / start.goodput
    if trial.gate > FINE_ABOVE * start.running:
        return _refined(before, trial, held, now=now)
    knee = trial.gate if held >= HOLDS else KNEE_MARGIN * trial.gate / held if held > 0 else start.running
    if knee <= WORTH_LOWERING * start.running and knee >= 2:
        # The goodput to hold stays the best one, or ten steps of −6 % each would pass.
        if held < BELOW_KNEE:
            return replace(before, trial=None, cap_slots=knee, level=None, coarse=True)
        plateau = SteadyLevel(running=knee, goodput=larger(level.goodput, start.goodput), finished=level.finished, at=now)
        again = Trial(start=plateau, gate=larger(1.0, LOWER * knee), back=knee, since=now)
        return replace(before, trial=again, cap_slots=knee, level=None)
    gap = smaller(LONGEST_GAP_SECONDS, 2 * before.probe_gap_seconds)
    cap = None if trial.back is None else larger(1.0, smaller(trial.back, knee))
    return replace(before, trial=None, cap_slots=cap, level=None, probe_after=now + before.probe_gap_seconds, probe_gap_seconds=gap)


def _refine(guard: Guard, known: SteadyLevel, cap: float, *, now: float) -> Guard:
    """A knee that few tasks told is tried with a little less once enough have finished under it."""
    if known.finished < FINE_TRIED_ON or known.running < cap * (1 - STEADY_SPREAD):
        return guard
    return replace(guard, trial=Trial(start=known, gate=FINE * known.running, back=cap, since=now), coarse=False)


def _refined(before: Guard, trial: Trial, held: float, *, now: float) -> Guard:
    """Keep a fifth less if it costs nothing, and try once more; else what the try says that the knee is, at most what there was."""
    if held >= FINE_HOLDS:
        return replace(before, trial=None, cap_slots=trial.gate, level=None, coarse=True)
    gap = smaller(LONGEST_GAP_SECONDS, 2 * before.probe_gap_seconds)
    back = trial.start.running if trial.back is None else trial.back
    cap = smaller(back, KNEE_MARGIN * trial.gate / larger(held, FINE))
    return replace(before, trial=None, cap_slots=cap, level=None, probe_after=now + before.probe_gap_seconds, probe_gap_seconds=gap)


def _try_higher(guard: Guard, level: SteadyLevel, cap: float, *, now: float) -> Guard:
    known = guard.level if guard.level is not None and _same(guard.level, level) else level
    soon = LONGEST_TRY_SECONDS * level.goodput >= HIGHER_TRIED_ON
    if now < guard.probe_after or level.running < cap * (1 - STEADY_SPREAD) or not soon or known.finished < HIGHER_TRIED_ON:
        return guard
    return replace(guard, trial=Trial(start=known, gate=larger(HIGHER * cap, cap + 1), back=cap, since=now))


def _higher_tried(before: Guard, trial: Trial, level: SteadyLevel, seen: Seen, *, now: float) -> Guard:
    """Keep a higher level that pays and try again; else go back."""
    expected = level.running / trial.start.running - 1
    gained = level.goodput / trial.start.goodput - 1
    if expected <= STEADY_SPREAD or gained < PAYS_SHARE * expected:
        gap = smaller(LONGEST_GAP_SECONDS, 2 * before.probe_gap_seconds)
        return replace(before, trial=None, cap_slots=trial.back, probe_after=now + before.probe_gap_seconds, probe_gap_seconds=gap)
    if trial.gate >= seen.allowed_slots:
        return Guard(level=level, probe_after=now + FIRST_GAP_SECONDS)
    again = Trial(start=level, gate=HIGHER * trial.gate, back=trial.gate, since=now)
    return replace(before, trial=again, cap_slots=trial.gate, level=level, probe_gap_seconds=FIRST_GAP_SECONDS)


def _brought_nothing(smaller: SteadyLevel, larger: SteadyLevel) -> bool:
    if larger.running < MORE_SLOTS * smaller.running:
        return False
    expected = larger.running / smaller.running - 1
    gained = larger.goodput / smaller.goodput - 1
    chance = LUCK * sqrt(1 / smaller.finished + 1 / larger.finished)
    return gained < GAIN_SHARE * expected and expected - gained > chance


def _comparison(before: SteadyLevel | None, level: SteadyLevel) -> SteadyLevel:
    """The level later windows are compared with: the older one while it is near and recent, so that small steps add up.

    Windows at the same level are counted together: the more tasks, the less luck.
    """
    if before is None or level.at - before.at > LEVEL_SECONDS:
        return level
    if _same(before, level):
        finished = before.finished + level.finished
        seconds = before.finished / before.goodput + level.finished / level.goodput
        return replace(before, goodput=finished / seconds, finished=finished)
    near = before.running <= level.running < MORE_SLOTS * before.running
    return before if near else level


def _same(one: SteadyLevel, other: SteadyLevel) -> bool:
    return abs(one.running - other.running) <= SAME_LEVEL * one.running


def _within(window: SteadyWindow, running: float) -> bool:
    low, high = smaller(window.lowest, running), larger(window.highest, running)
    return high - low <= STEADY_SPREAD * (high + low)


def _begun(seen: Seen, now: float) -> SteadyWindow:
    return SteadyWindow(since=now, lowest=seen.running, highest=seen.running)
