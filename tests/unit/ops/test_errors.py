import pytest

from taskfleet_ops.errors import PayloadNotJsonError, QueueNotFoundError


@pytest.mark.requirement("E10")
@pytest.mark.parametrize(
    ("known", "way_out"),
    [
        pytest.param([], "this database has none yet; the first task or policy makes one", id="an empty database"),
        pytest.param(["media", "mail"], "did you mean 'media'?", id="a near miss"),
        pytest.param(["orders", "billing"], "this database has billing, orders", id="something else"),
        pytest.param([f"q{number}" for number in range(20)], "this database has q0, q1, q10, q11, q12, q13, q14, q15, …", id="many others"),
    ],
)
def test_an_unknown_queue_names_the_way_out(known: list[str], way_out: str) -> None:
    error = QueueNotFoundError(queue="medai", known=known)

    assert str(error) == f"there is no queue 'medai': {way_out}"


def test_a_long_payload_is_quoted_in_part() -> None:
    error = PayloadNotJsonError(text="x" * 100, fault="Expecting value")

    assert f"the payload '{'x' * 60}…' is no JSON (Expecting value): pass an object such as" in str(error)
