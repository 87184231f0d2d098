"""Numbers, spans of time and moments as people read them."""

from datetime import datetime


def count(number: float) -> str:
    """A whole number with separators: 88,000."""
    return f"{number:,.0f}"


def percent(part: float, whole: float) -> str:
    """A share: 12.5 %; a dash of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def span(seconds: float) -> str:
    """A span of time in the two units that matter: 350 ms, 4.2 s, 1 min 32 s, 2 h 5 min, 2 d 22 h."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for size, unit, smaller, small in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if round(seconds) >= size:
            whole, rest = divmod(round(seconds / smaller), size // smaller)
            return f"{whole} {unit} {rest} {small}" if rest else f"{whole} {unit}"
    return f"{seconds:.0f} s"


def moment(when: datetime | None) -> str:
    """A moment to the second, in UTC offset notation; a dash for none."""
    return "–" if when is None else when.isoformat(sep=" ", timespec="seconds")


def ago(when: datetime | None, *, now: datetime) -> str:
    """How long ago, or in how long."""
    if when is None:
        return "–"
    seconds = (now - when).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"
