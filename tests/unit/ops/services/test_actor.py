import pytest

from taskfleet_ops.services.actor import command_actor


def nobody() -> str:
    raise KeyError("getpwuid(): uid not found: 1001")


@pytest.mark.parametrize(("user", "expected"), [(lambda: "ann", "cli:ann"), (nobody, "cli:unknown")])
def test_actor_is_the_user_of_the_machine(monkeypatch: pytest.MonkeyPatch, user: object, expected: str) -> None:
    monkeypatch.setattr("getpass.getuser", user)

    assert command_actor() == expected
