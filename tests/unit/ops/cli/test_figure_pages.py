from datetime import UTC, datetime

import pytest

from taskfleet.reports import KindStats, QueueStats
from taskfleet_ops.cli.figure_pages import write_stats
from taskfleet_ops.cli.options import Format


@pytest.mark.requirement("D5")
@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], "by kind: none"),
        ([3, 1], "by kind: q/kind-0 75.0 %, q/kind-1 25.0 %"),
        ([1] * 10 + [5, 5], "by kind: q/kind-10 25.0 %, q/kind-11 25.0 %"),
    ],
)
def test_shares_of_the_largest_kinds_and_of_the_rest(capsys: pytest.CaptureFixture[str], kinds: list[int], expected: str) -> None:
    stats = tuple(KindStats(queue="q", kind=f"kind-{number}", ready=count) for number, count in enumerate(kinds))

    write_stats(QueueStats(measured_at=datetime.now(UTC), kinds=stats), output=Format.TABLE)

    said = capsys.readouterr().out
    assert expected in said
    assert ("2 others 10.0 %" in said) is (len(kinds) > 10)
