"""The ineffective-scale-up guard: against a downstream that slows down without saying so.

When service times rise because too much runs at once, every other step reads that as more work and feeds it. So: compare steady
windows only (backlog throughout, nothing starting, running tasks within ±10 %, enough finished).

- At least 25 % more busy slots that bring less than a quarter of the extra goodput: back to 1.1 × the smaller level.
- At the allowed maximum for two windows: try 0.75 × as many. If the goodput holds, keep the lower level and try again, else restore
  and wait twice as long before the next try (300 s to an hour).
- Under a cap: now and then try 1.33 × as many, and keep what pays.

A try is judged with the luck of counting in mind: of 100 finished tasks 10 are chance.
"""

from dataclasses import dataclass, replace
from math import sqrt

from taskfleet_operator.scaling.memory import Guard, SteadyLevel, SteadyWindow, Trial

WINDOW_SECONDS = 15.0
ENOUGH_FINISHED = 100
STEADY_SPREAD = 0.1
MORE_SLOTS = 1.25
GAIN_SHARE = 0.25
BACK_TO = 1.1
LOWER = 0.75
HIGHER = 1.33
HOLDS = 0.93
LUCK = 2.5
"""Standard deviations."""
FULL_WINDOWS = 2
FIRST_GAP_SECONDS = 300.0
LONGEST_GAP_SECONDS = 3600.0
LEVEL_SECONDS = 600.0
"""A level older than this is no comparison any more: the world has moved."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What one tick shows the guard."""

    running: float
    finished: int
    seconds: float
    backlog: bool
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
    window = before.window
    if window is None or not _within(window, seen.running):
        return replace(before, window=_begun(seen, now))
    window = replace(
        window,
        finished=window.finished + seen.finished,
        running_seconds=window.running_seconds + seen.running * seen.seconds,
        lowest=min(window.lowest, seen.running),
        highest=max(window.highest, seen.running),
    )
    elapsed = now - window.since
    if elapsed < max(WINDOW_SECONDS, 2 * seen.service_seconds) or window.finished < ENOUGH_FINISHED:
        return replace(before, window=window)
    level = SteadyLevel(running=window.running_seconds / elapsed, goodput=window.finished / elapsed, finished=window.finished, at=now)
    return replace(_judged(before, level, seen, now=now), window=_begun(seen, now))


def _interrupted(before: Guard, seen: Seen, *, now: float) -> Guard:
    """No steady backlog: a try ends where it began; with nothing waiting, a cap whose time is over is gone."""
    if before.trial is not None and not seen.backlog:
        return replace(before, window=None, trial=None, cap_slots=before.trial.back, full_windows=0)
    lapsed = not seen.backlog and now >= before.probe_after
    return replace(before, window=None, full_windows=0, cap_slots=None if lapsed else before.cap_slots)


def _judged(before: Guard, level: SteadyLevel, seen: Seen, *, now: float) -> Guard:
    if before.trial is not None:
        lower = before.trial.gate < before.trial.start.running
        return _lower_tried(before, before.trial, level, now=now) if lower else _higher_tried(before, before.trial, level, seen, now=now)
    if before.level is not None and level.at - before.level.at <= LEVEL_SECONDS and _brought_nothing(before.level, level):
        cap = BACK_TO * before.level.running
        return replace(before, cap_slots=cap, probe_after=now + before.probe_gap_seconds, full_windows=0)
    kept = _comparison(before.level, level)
    if before.cap_slots is not None:
        return _try_higher(replace(before, level=kept), level, before.cap_slots, now=now)
    full = before.full_windows + 1 if seen.full else 0
    guard = replace(before, level=kept, full_windows=full)
    if full >= FULL_WINDOWS and now >= before.probe_after:
        trial = Trial(start=level, gate=LOWER * level.running, back=None, since=now)
        return replace(guard, trial=trial, full_windows=0)
    return guard


def _lower_tried(before: Guard, trial: Trial, level: SteadyLevel, *, now: float) -> Guard:
    """Keep a lower level that finishes as much and try again; else restore."""
    start = trial.start
    chance = LUCK * sqrt(LOWER * LOWER / start.finished + LOWER / level.finished)
    if level.goodput >= max(HOLDS, LOWER + chance) * start.goodput:
        # Compare with the first level, or ten steps of −6 % each would pass.
        again = Trial(
            start=replace(level, goodput=max(level.goodput, start.goodput)), gate=LOWER * level.running, back=trial.gate, since=now
        )
        return replace(before, trial=again, cap_slots=trial.gate, level=level)
    gap = min(LONGEST_GAP_SECONDS, 2 * before.probe_gap_seconds)
    return replace(before, trial=None, cap_slots=trial.back, level=start, probe_after=now + before.probe_gap_seconds, probe_gap_seconds=gap)


def _try_higher(guard: Guard, level: SteadyLevel, cap: float, *, now: float) -> Guard:
    if now < guard.probe_after or level.running < cap * (1 - STEADY_SPREAD):
        return guard
    return replace(guard, trial=Trial(start=level, gate=HIGHER * cap, back=cap, since=now))


def _higher_tried(before: Guard, trial: Trial, level: SteadyLevel, seen: Seen, *, now: float) -> Guard:
    """Keep a higher level that pays and try again; else go back."""
    expected = level.running / trial.start.running - 1
    gained = level.goodput / trial.start.goodput - 1
    if expected <= STEADY_SPREAD or gained < GAIN_SHARE * expected:
        gap = min(LONGEST_GAP_SECONDS, 2 * before.probe_gap_seconds)
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
    """The level later windows are compared with: the older one while it is near and recent, so that small steps add up."""
    if before is None or level.at - before.at > LEVEL_SECONDS:
        return level
    near = before.running <= level.running < MORE_SLOTS * before.running
    return before if near else level


def _within(window: SteadyWindow, running: float) -> bool:
    low, high = min(window.lowest, running), max(window.highest, running)
    return high - low <= STEADY_SPREAD * (high + low)


def _begun(seen: Seen, now: float) -> SteadyWindow:
    return SteadyWindow(since=now, lowest=seen.running, highest=seen.running)
