import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import MagicMock

import pytest

from taskfleet_operator.cluster import Cluster
from taskfleet_operator.errors import (
    ClusterError,
    ClusterRefusedError,
    ClusterUnreachableError,
    ObjectConflictError,
    ObjectInvalidError,
    ObjectMissingError,
    refusal_of,
)
from taskfleet_operator.objects import PODS, Sighting

SAID = json.dumps({"kind": "Status", "message": "the API server's own words"})


@pytest.mark.parametrize(
    ("status", "text", "expected", "words"),
    [
        pytest.param(400, SAID, ObjectInvalidError, "own words", id="a malformed object"),
        pytest.param(401, SAID, ClusterRefusedError, "operator's Role", id="not let in"),
        pytest.param(403, SAID, ClusterRefusedError, "operator's Role", id="not allowed"),
        pytest.param(404, "404 page not found", ObjectMissingError, "page not found", id="an answer without a status object"),
        pytest.param(409, SAID, ObjectConflictError, "own words", id="somebody was first"),
        pytest.param(422, SAID, ObjectInvalidError, "own words", id="an invalid object"),
        pytest.param(429, SAID, ClusterUnreachableError, "answered GET /x with 429", id="too busy"),
        pytest.param(503, "", ClusterUnreachableError, "status 503", id="not there now"),
    ],
)
def test_every_refusal_becomes_an_error_that_says_why(status: int, text: str, expected: type[ClusterError], words: str) -> None:
    error = refusal_of(status, text, attempt="GET /x")

    assert type(error) is expected
    assert words in str(error)


class Stream:
    """Plays the API server's answers: one list, then the lines of one watch."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self._lines = [json.dumps(event).encode() + b"\n" for event in events]

    async def _request(self, *_: object, **__: object) -> dict[str, Any]:
        return {"items": [], "metadata": {"resourceVersion": "7"}}

    @asynccontextmanager
    async def _answer(self, *_: object, **__: object) -> AsyncIterator[MagicMock]:
        async def lines() -> AsyncIterator[bytes]:
            for line in self._lines:
                yield line

        yield MagicMock(content=lines())


async def watched(*events: dict[str, Any]) -> list[Sighting]:
    cluster = Cluster(MagicMock())
    stream = Stream(*events)
    cluster._request = stream._request  # type: ignore[method-assign]
    cluster._answer = stream._answer  # type: ignore[method-assign]
    return [sighting async for sighting in cluster.watch(PODS)]


async def test_a_bookmark_is_a_mere_sign_of_life() -> None:
    seen = await watched({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "8"}}})

    assert seen == [Sighting(everything=True), Sighting()]


async def test_an_error_in_the_stream_ends_it() -> None:
    pod = {"metadata": {"name": "p1"}}
    seen = await watched({"type": "ADDED", "object": pod}, {"type": "ERROR", "object": {"code": 410}}, {"type": "ADDED", "object": pod})

    assert seen == [Sighting(everything=True), Sighting(present=(pod,))]


async def test_an_unknown_kind_of_event_is_passed_over() -> None:
    seen = await watched({"type": "SOMETHING", "object": {}})

    assert seen == [Sighting(everything=True)]
