import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_operator.scaling.fill import Claimant, fill


def claimant(name: str, demand: int, **changes: object) -> Claimant:
    return Claimant(name=name, demand=demand, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cap", "claimants", "expected"),
    [
        pytest.param(
            100,
            [claimant("a", 200), claimant("b", 30), claimant("c", 60, weight=2.0)],
            [25, 25, 50],
            id="weights one one two share a hundred as 25 25 50",
        ),
        pytest.param(100, [claimant("a", 20), claimant("b", 30)], [20, 30], id="enough for all gives all"),
        pytest.param(10, [claimant("a", 4), claimant("b", 30)], [4, 6], id="what one leaves the other has"),
        pytest.param(7, [claimant("b", 9), claimant("a", 9)], [3, 4], id="the odd one goes to the first name"),
        pytest.param(10, [claimant("a", 30), claimant("b", 8, priority=1)], [2, 8], id="the higher class is filled before the lower"),
        pytest.param(10, [claimant("a", 30, minimum=3), claimant("b", 30, priority=1)], [3, 7], id="minima of the lower class come first"),
        pytest.param(
            5,
            [claimant("a", 9, minimum=4), claimant("b", 9, minimum=4), claimant("c", 9, minimum=4, priority=1)],
            [1, 0, 4],
            id="minima beyond the cap go by priority then name",
        ),
        pytest.param(0, [claimant("a", 9)], [0], id="nothing to share"),
        pytest.param(5, [], [], id="nobody to share with"),
        pytest.param(5, [claimant("a", 2, minimum=4)], [2], id="a minimum above the demand is not given"),
    ],
)
def test_fill(cap: int, claimants: list[Claimant], expected: list[int]) -> None:
    assert fill(claimants, cap) == expected


def one_by_one(claimants: list[Claimant], cap: int) -> list[int]:
    """The definition, pod by pod."""
    shares = [min(one.minimum, one.demand) for one in claimants]
    while sum(shares) < cap:
        lacking = [index for index, one in enumerate(claimants) if shares[index] < one.demand]
        if not lacking:
            break
        best = max(claimants[index].priority for index in lacking)
        poorest = min(
            (index for index in lacking if claimants[index].priority == best),
            key=lambda index: ((shares[index] + 1) / claimants[index].weight, claimants[index].name),
        )
        shares[poorest] += 1
    return shares


def some_claimants(*, minima: bool) -> st.SearchStrategy[list[Claimant]]:
    one = st.builds(
        Claimant,
        name=st.text("abc", min_size=1, max_size=3),
        demand=st.integers(0, 40),
        minimum=st.integers(0, 5) if minima else st.just(0),
        weight=st.sampled_from([0.1, 0.5, 1.0, 2.0, 3.0, 7.0, 1000.0]),
        priority=st.integers(0, 2),
    )
    return st.lists(one, max_size=6, unique_by=lambda claimant: claimant.name)


@given(some_claimants(minima=True), st.integers(30, 150))
def test_levels_give_what_one_by_one_gives(claimants: list[Claimant], cap: int) -> None:
    assert fill(claimants, cap) == one_by_one(claimants, cap)


@given(some_claimants(minima=True), st.integers(0, 150))
def test_the_cap_is_never_exceeded_and_never_left_over_while_somebody_lacks(claimants: list[Claimant], cap: int) -> None:
    shares = fill(claimants, cap)

    assert sum(shares) == min(cap, sum(one.demand for one in claimants))
    assert all(0 <= share <= one.demand for share, one in zip(shares, claimants, strict=True))
