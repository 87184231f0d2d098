from taskfleet_ops.demo.downstream.answers import AnswerBook, AnswerCounts


def test_a_second_good_answer_for_a_task_is_a_duplicate() -> None:
    book = AnswerBook()
    for task in (1, 2, 2, 2):
        book.good(task)
    book.gone()
    book.overload()

    actual = book.counts()

    assert actual == AnswerCounts(good_answers=4, good_tasks=2, duplicates=1, gone_answers=1, overload_answers=1)
    assert actual.calls == 6


def test_counts_travel_as_json() -> None:
    counts = AnswerCounts(good_answers=3, good_tasks=2, duplicates=1)

    actual = AnswerCounts.from_dict(counts.to_dict())

    assert actual == counts
