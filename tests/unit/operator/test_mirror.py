import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from taskfleet_operator import mirror
from taskfleet_operator.errors import ClusterUnreachableError
from taskfleet_operator.mirror import Mirror
from taskfleet_operator.objects import PODS, ObjectKey, ObjectKind, Sighting


def manifest(name: str, *, fleet: str = "a", namespace: str = "work") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name, "labels": {"fleet": fleet}}}


def fleet_of(seen: Mapping[str, Any]) -> str:
    return str(seen["metadata"]["labels"]["fleet"])


class Script:
    """Plays sightings, one stream after the other; then the API server is away."""

    def __init__(self, *streams: list[Sighting]) -> None:
        self.streams = list(streams)
        self.asked: list[tuple[str | None, str]] = []

    async def watch(self, kind: ObjectKind, /, *, namespace: str | None = None, labels: str = "") -> AsyncIterator[Sighting]:
        self.asked.append((namespace, labels))
        if not self.streams:
            raise ClusterUnreachableError("connection refused")
        for sighting in self.streams.pop(0):
            yield sighting


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "REOPEN_SECONDS", 0)


def everything(*present: dict[str, Any]) -> Sighting:
    return Sighting(everything=True, present=present)


async def mirrored(script: Script, *, namespaces: tuple[str, ...] = ()) -> Mirror[str, Mapping[str, Any]]:
    """Play the whole script."""
    made = Mirror(script, PODS, labels="app=x", read=lambda seen: seen, group=fleet_of, namespaces=namespaces)
    beats: list[None] = []
    with pytest.raises(ExceptionGroup) as caught:
        await made.run(lambda: beats.append(None))
    assert caught.group_contains(ClusterUnreachableError)
    return made


def names(made: Mirror[str, Mapping[str, Any]], fleet: str) -> list[str]:
    return sorted(key.name for key in made.of(fleet))


@pytest.mark.parametrize(
    ("streams", "expected"),
    [
        pytest.param([[everything(manifest("p1"), manifest("p2", fleet="b"))]], (["p1"], ["p2"]), id="each object is in its group"),
        pytest.param([[everything(), Sighting(present=(manifest("p1"),))]], (["p1"], []), id="what comes later is added"),
        pytest.param(
            [[everything(manifest("p1")), Sighting(present=(manifest("p1", fleet="b"),))]], ([], ["p1"]), id="an object changes its group"
        ),
        pytest.param([[everything(manifest("p1")), Sighting(gone=(manifest("p1"),))]], ([], []), id="what is gone is dropped"),
        pytest.param([[everything(), Sighting(gone=(manifest("p1"),))]], ([], []), id="the end of an unknown object is nothing new"),
        pytest.param([[everything(manifest("p1"))], [everything(manifest("p2"))]], (["p2"], []), id="a new stream replaces everything"),
        pytest.param([[everything(manifest("p1")), Sighting()]], (["p1"], []), id="a sign of life changes nothing"),
    ],
)
async def test_a_mirror_shows_what_was_seen(streams: list[list[Sighting]], expected: tuple[list[str], list[str]]) -> None:
    made = await mirrored(Script(*streams))

    assert (names(made, "a"), names(made, "b")) == expected


async def test_a_mirror_keeps_what_it_knew_while_the_api_server_is_away() -> None:
    script = Script([everything(manifest("p1"))])
    made = await mirrored(script)
    with pytest.raises(ExceptionGroup):
        await made.run(lambda: None)

    assert names(made, "a") == ["p1"]


async def test_several_namespaces_are_watched_apart() -> None:
    script = Script([everything(manifest("p1", namespace="one"))], [everything(manifest("p2", namespace="two"))])

    made = await mirrored(script, namespaces=("one", "two"))

    assert set(made.of("a")) == {ObjectKey(namespace="one", name="p1"), ObjectKey(namespace="two", name="p2")}
    assert {namespace for namespace, _ in script.asked} == {"one", "two"}
    assert made.complete.is_set()


async def test_a_mirror_is_complete_only_when_every_namespace_is() -> None:
    made = await mirrored(Script([everything(manifest("p1", namespace="one"))]), namespaces=("one", "two"))

    assert not made.complete.is_set()


async def test_each_sighting_is_a_sign_of_life() -> None:
    beats: list[float] = []
    made = Mirror(Script([everything(), Sighting()]), PODS, labels="", read=lambda seen: seen, group=fleet_of)

    with pytest.raises(ExceptionGroup):
        await made.run(lambda: beats.append(asyncio.get_running_loop().time()))

    assert len(beats) == 2
