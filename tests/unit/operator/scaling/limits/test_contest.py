from taskfleet_operator.scaling.limits.contest import contested
from taskfleet_operator.scaling.memory import Contest
from tests.support.scaling import at


def test_a_foreign_change_is_corrected_once() -> None:
    first = contested(Contest(), foreign_change=True, now=at())

    assert not first.hands_off
    assert not contested(first.memory, foreign_change=False, now=at(minutes=1)).hands_off


def test_a_second_one_within_ten_minutes_keeps_the_hands_off_for_ten() -> None:
    first = contested(Contest(), foreign_change=True, now=at())
    second = contested(first.memory, foreign_change=True, now=at(minutes=9))

    assert second.hands_off
    assert contested(second.memory, foreign_change=False, now=at(minutes=18)).hands_off
    assert not contested(second.memory, foreign_change=False, now=at(minutes=19)).hands_off


def test_a_second_one_after_ten_minutes_is_a_first_one() -> None:
    first = contested(Contest(), foreign_change=True, now=at())

    assert not contested(first.memory, foreign_change=True, now=at(minutes=10)).hands_off
