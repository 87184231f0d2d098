import pytest

from taskfleet_worker.rules.missing import MissingEntities


@pytest.mark.requirement("A5")
def test_a_missing_entity_is_known_for_a_while() -> None:
    missing = MissingEntities(seconds=60, size=10)
    missing.remember("episode-1", now=0.0)

    assert missing.knows("episode-1", now=59.9)
    assert not missing.knows("episode-1", now=60.0)
    assert not missing.knows("episode-2", now=0.0)


def test_what_is_over_takes_no_room() -> None:
    missing = MissingEntities(seconds=60, size=10)
    missing.remember("episode-1", now=0.0)
    missing.knows("episode-1", now=100.0)

    assert len(missing) == 0


def test_the_entity_that_was_not_asked_for_longest_is_forgotten_first() -> None:
    missing = MissingEntities(seconds=60, size=2)
    missing.remember("a", now=0.0)
    missing.remember("b", now=1.0)
    missing.knows("a", now=2.0)
    missing.remember("c", now=3.0)

    assert [name for name in "abc" if missing.knows(name, now=4.0)] == ["a", "c"]


def test_remembering_again_starts_the_time_anew() -> None:
    missing = MissingEntities(seconds=60, size=2)
    missing.remember("a", now=0.0)
    missing.remember("a", now=50.0)

    assert missing.knows("a", now=100.0)
    assert len(missing) == 1
