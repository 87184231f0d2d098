"""Which errors of common clients mean that a downstream asks for less, told by what they look like: no client is imported for it.

An answer with status 429 or 503, and a time-out. Anything else is for the handler to judge: 404 and 410 may mean that an entity is gone,
or that an address is wrong. Known: httpx, requests, aiohttp, urllib and urllib3, botocore, and all that look like one of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

STATUSES = frozenset({429, 503})
TIME_OUTS = frozenset(
    {
        ("builtins", "TimeoutError"),  # asyncio's and the sockets' as well, and aiohttp's by descent
        ("httpx", "TimeoutException"),
        ("httpx2", "TimeoutException"),
        ("requests", "Timeout"),
        ("urllib3", "TimeoutError"),
        ("botocore", "ConnectTimeoutError"),
        ("botocore", "ReadTimeoutError"),
    }
)
"""Classes by the package that they come from; their descendants count as well."""


@dataclass(frozen=True, kw_only=True)
class Overload:
    """A downstream asks for less."""

    retry_after: float | None = None
    """Seconds, if it says so."""


def overload_of(error: BaseException) -> Overload | None:
    """What an error says about overload; None if nothing. Of several errors (of a task group) each has to say so; the longest counts."""
    if isinstance(error, BaseExceptionGroup):
        found = [overload_of(inner) for inner in error.exceptions]
        if any(sign is None for sign in found):
            return None
        waits = [sign.retry_after for sign in found if sign is not None and sign.retry_after is not None]
        return Overload(retry_after=max(waits, default=None))
    if _status(error) in STATUSES:
        return Overload(retry_after=retry_after_of(_headers(error)))
    is_time_out = any((base.__module__.partition(".")[0], base.__name__) in TIME_OUTS for base in type(error).__mro__)
    return Overload() if is_time_out else None


def retry_after_of(headers: object) -> float | None:
    """Seconds from a Retry-After header: a number, or a date, counted from the answer's own Date, whatever our clock says."""
    value = _header(headers, "Retry-After")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_between(_header(headers, "Date"), value)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _status(error: BaseException) -> object:
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        return _metadata(response).get("HTTPStatusCode")
    for holder in (response, error):
        for name in ("status_code", "status"):
            status = getattr(holder, name, None)
            if isinstance(status, int):
                return status
    return None


def _headers(error: BaseException) -> object:
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        return _metadata(response).get("HTTPHeaders")
    return getattr(response, "headers", None) or getattr(error, "headers", None)


def _metadata(response: Mapping[str, object]) -> Mapping[str, object]:
    """What botocore keeps of an answer."""
    metadata = response.get("ResponseMetadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _header(headers: object, name: str) -> str | None:
    """The header, in mappings that care about upper and lower case and in those that do not."""
    get = getattr(headers, "get", None)
    value = (get(name) or get(name.lower())) if callable(get) else None
    return str(value) if isinstance(value, str | int | float) else None


def _seconds_between(start: str | None, end: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return None if start is None else max(0.0, (parsedate_to_datetime(end) - parsedate_to_datetime(start)).total_seconds())
    except (TypeError, ValueError):
        return None
