"""Errors of clients that are installed where this runs are the real ones; the others are made to look like theirs."""

import asyncio
from email.message import Message
from urllib.error import HTTPError

import pytest

from taskfleet.models import Failure, Release
from taskfleet.words import ErrorCode
from taskfleet_worker import PreconditionFailed
from taskfleet_worker.rules.conclusions import conclude_error
from taskfleet_worker.rules.overload import Overload, overload_of, retry_after_of
from tests.support.workers import claimed_task


class Response:
    def __init__(self, status: int, headers: dict[str, str], name: str = "status_code") -> None:
        setattr(self, name, status)
        self.headers = headers


class StatusError(Exception):
    """As httpx and requests raise it."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"status {status}")
        self.response = Response(status, headers or {})


class ClientResponseError(Exception):
    """As aiohttp raises it."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"status {status}")
        self.status, self.headers = status, headers


class ClientError(Exception):
    """As botocore raises it."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {"retry-after": "3"}}}


def http_error(status: int) -> HTTPError:
    headers = Message()
    headers["Retry-After"] = "9"
    return HTTPError("http://localhost", status, "asked for less", headers, None)


def made(package: str, name: str) -> type[Exception]:
    """A class as another package has it."""
    return type(name, (Exception,), {"__module__": package})


class PoolTimeout(made("httpx", "TimeoutException")):  # type: ignore[misc]
    """A descendant of it."""


@pytest.mark.requirement("B6")
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(StatusError(429, {"Retry-After": "7"}), Overload(retry_after=7.0), id="httpx and requests: 429"),
        pytest.param(StatusError(503), Overload(), id="503 without Retry-After"),
        pytest.param(ClientResponseError(429, {"Retry-After": "2.5"}), Overload(retry_after=2.5), id="aiohttp"),
        pytest.param(ClientResponseError(503), Overload(), id="aiohttp without headers"),
        pytest.param(ClientError(503), Overload(retry_after=3.0), id="botocore"),
        pytest.param(http_error(429), Overload(retry_after=9.0), id="urllib"),
        pytest.param(TimeoutError(), Overload(), id="asyncio and sockets"),
        pytest.param(made("requests.exceptions", "Timeout")(), Overload(), id="requests: a time-out"),
        pytest.param(made("urllib3.exceptions", "TimeoutError")(), Overload(), id="urllib3: a time-out"),
        pytest.param(PoolTimeout(), Overload(), id="httpx: a time-out"),
        pytest.param(StatusError(404), None, id="404 is for the handler to judge"),
        pytest.param(StatusError(410), None, id="and so is 410"),
        pytest.param(StatusError(500), None, id="a broken server is none that is busy"),
        pytest.param(made("shop", "TimeoutException")(), None, id="a class of somebody else"),
        pytest.param(asyncio.CancelledError(), None, id="a cancellation"),
        pytest.param(ExceptionGroup("g", [StatusError(429, {"Retry-After": "7"}), TimeoutError()]), Overload(retry_after=7.0), id="group"),
        pytest.param(ExceptionGroup("g", [StatusError(429), ValueError()]), None, id="a group with another error"),
    ],
)
def test_overload_is_told_by_what_an_error_looks_like(error: BaseException, expected: Overload | None) -> None:
    assert overload_of(error) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"Retry-After": "120"}, 120.0, id="seconds"),
        pytest.param({"retry-after": "120"}, 120.0, id="lower case"),
        pytest.param(
            {"Date": "Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"},
            30.0,
            id="a date",
        ),
        pytest.param({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, None, id="a date that nothing can be compared with"),
        pytest.param({"Date": "now", "Retry-After": "soon"}, None, id="nonsense"),
        pytest.param({"Retry-After": "-3"}, 0.0, id="the past"),
        pytest.param({"Retry-After": "inf"}, None, id="for ever"),
        pytest.param(None, None, id="no headers"),
    ],
)
def test_retry_after_is_a_number_of_seconds(headers: object, expected: float | None) -> None:
    assert retry_after_of(headers) == expected


@pytest.mark.requirement("B6")
def test_an_overload_answer_releases_the_task_and_pauses_its_slot() -> None:
    (concluded,) = conclude_error([claimed_task()], StatusError(429, {"Retry-After": "7"}), overload_pause_seconds=1.0)

    assert concluded.record == Release(lease=claimed_task().lease, code=ErrorCode.OVERLOADED, delay_seconds=7.0)
    assert (concluded.pause_seconds, concluded.message) == (7.0, "StatusError: status 429")


def test_what_a_handler_says_on_purpose_is_not_second_guessed() -> None:
    error = PreconditionFailed("no account")
    error.status_code = 503  # type: ignore[attr-defined]
    (concluded,) = conclude_error([claimed_task()], error, overload_pause_seconds=1.0)

    assert isinstance(concluded.record, Failure)
    assert concluded.record.code is ErrorCode.PRECONDITION_FAILED
