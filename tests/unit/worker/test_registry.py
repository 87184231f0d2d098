from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from taskfleet_worker import Context, Tasks
from taskfleet_worker import tasks as shared
from taskfleet_worker.errors import HandlerError
from taskfleet_worker.payload import PayloadRefusedError
from taskfleet_worker.registry import Handler
from tests.support.workers import claimed_task

if TYPE_CHECKING:
    from decimal import Decimal

CONTEXT = Context(claimed_task())


@dataclass
class Letter:
    to: str


def registered(function: Callable[..., object], **options: Any) -> Handler:
    tasks = Tasks()
    tasks.task("mail", **options)(function)
    return tasks.handlers["mail"]


def complaint(function: Callable[..., object], kind: str = "mail") -> str:
    with pytest.raises(HandlerError) as caught:
        Tasks().task(kind)(function)
    return str(caught.value)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param(lambda payload, context: (payload, context), ({"n": 1}, CONTEXT), id="payload and context"),
        pytest.param(lambda payload: payload, {"n": 1}, id="payload"),
        pytest.param(lambda: "nothing", "nothing", id="nothing"),
        pytest.param(lambda payload, context, extra=3: extra, 3, id="more with defaults"),
        pytest.param(lambda *everything: everything, (), id="any number"),
        pytest.param(partial(lambda payload, *, client: (payload, client), client="c"), ({"n": 1}, "c"), id="a partial"),
    ],
)
def test_a_handler_is_called_with_what_it_takes(function: Callable[..., object], expected: object) -> None:
    handler = registered(function)

    assert handler.call(handler.decode({"n": 1}), CONTEXT) == expected


def test_the_decorator_leaves_the_function_as_it_is() -> None:
    def mail() -> None: ...

    assert Tasks().task("mail")(mail) is mail


async def in_loop() -> None: ...


class Callee:
    async def __call__(self, payload: object) -> None: ...


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param(in_loop, True, id="async def"),
        pytest.param(partial(in_loop), True, id="partial of async def"),
        pytest.param(Callee(), True, id="object with async __call__"),
        pytest.param(Callee().__call__, True, id="bound method"),
        pytest.param(lambda: None, False, id="plain function"),
    ],
)
def test_async_handlers_are_recognised(function: Callable[..., object], expected: bool) -> None:
    assert registered(function).is_async is expected


def test_the_annotation_says_what_the_payload_becomes() -> None:
    def mail(payload: Letter) -> None: ...

    def named(payload: "Letter") -> None: ...

    assert registered(mail).decode({"to": "Ann"}) == Letter(to="Ann")
    assert registered(named).decode({"to": "Ann"}) == Letter(to="Ann")


def test_a_type_given_to_the_decorator_wins() -> None:
    def mail(payload: dict[str, object]) -> None: ...

    assert registered(mail, payload=Letter).decode({"to": "Ann"}) == Letter(to="Ann")


def test_a_type_that_is_not_there_when_registering_is_named_with_the_way_out() -> None:
    def mail(payload: "Decimal") -> None: ...

    message = complaint(mail)

    assert "'Decimal'" in message
    assert "outside `if TYPE_CHECKING`" in message


@pytest.mark.parametrize(
    "function",
    [lambda payload, context, extra: None, lambda *, payload: None],
    ids=["three arguments", "keyword only"],
)
def test_a_signature_that_does_not_fit_is_refused(function: Callable[..., object]) -> None:
    assert "a handler takes (payload, context), (payload) or ()" in complaint(function)


def test_a_payload_type_that_cannot_be_is_refused() -> None:
    class Opaque: ...

    def mail(payload: Opaque) -> None: ...

    assert "kind 'mail'" in complaint(mail)


def test_a_kind_has_one_handler() -> None:
    tasks = Tasks()
    tasks.task("mail")(lambda: None)

    with pytest.raises(HandlerError, match="kind 'mail' has a handler already"):
        tasks.task("mail")(lambda: None)


@pytest.mark.parametrize("kind", ["", "no spaces", "x" * 200])
def test_a_kind_has_a_proper_name(kind: str) -> None:
    assert "no name of a kind" in complaint(lambda: None, kind)


def test_registries_can_be_joined() -> None:
    tasks, mail, fax = Tasks(), Tasks(), Tasks()
    mail.task("mail")(lambda: None)
    fax.task("fax")(lambda: None)
    tasks.include(mail)
    tasks.include(fax)
    tasks.include(mail)
    clash = Tasks()
    clash.task("mail")(lambda: None)

    assert set(tasks.handlers) == {"mail", "fax"}
    with pytest.raises(HandlerError):
        tasks.include(clash)


def test_there_is_a_registry_for_those_who_need_only_one() -> None:
    assert isinstance(shared, Tasks)


@pytest.mark.parametrize("size", [0, -1, 2.5, True], ids=str)
def test_a_batch_size_is_a_whole_number(size: int) -> None:
    with pytest.raises(HandlerError, match=r"batch size of .*'mail'.* allowed is a whole number from 1"):
        Tasks().batch("mail", size=size)(lambda _payloads: None)


def test_a_batch_handler_takes_a_list_of_payloads() -> None:
    def send(letter: dict[str, object]) -> None: ...

    with pytest.raises(HandlerError, match=r"send does a batch: annotate its first argument like list\[Letter\]"):
        Tasks().batch("mail", size=2)(send)


def test_the_payload_type_of_a_batch_is_the_element_of_its_list() -> None:
    tasks = Tasks()

    def typed(numbers: "list[int]") -> None: ...
    def bare(numbers: list) -> None: ...  # type: ignore[type-arg]
    def given(numbers: list[object]) -> None: ...

    tasks.batch("typed", size=2)(typed)
    tasks.batch("bare", size=2)(bare)
    tasks.batch("given", size=2, payload=int)(given)

    assert [tasks.handlers[kind].decode("7" if kind == "bare" else 7) for kind in ("typed", "bare", "given")] == [7, "7", 7]
    with pytest.raises(PayloadRefusedError):
        tasks.handlers["typed"].decode("seven")


async def crunch() -> None: ...


@pytest.mark.parametrize(
    ("function", "fault"),
    [(crunch, "crunch is async"), (lambda: None, "cannot be found by another process: define it at the top level")],
    ids=["async", "local"],
)
def test_what_runs_in_a_process_is_a_plain_function_that_the_process_can_find(function: Callable[[], object], fault: str) -> None:
    with pytest.raises(HandlerError, match=fault):
        Tasks().task("mail", process=True)(function)
