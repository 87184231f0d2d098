import taskfleet
from taskfleet import errors


def test_a_full_queue_says_how_long_it_is_and_what_it_takes() -> None:
    error = errors.QueueFullError(queue="mail", length=1_000, limit=1_000)

    assert str(error) == "queue 'mail' holds 1,000 tasks, its limit is 1,000: let it drain, or raise limits.maxLength"
    assert (error.queue, error.length, error.limit, error.adding) == ("mail", 1_000, 1_000, 1)


def test_a_batch_that_does_not_fit_says_how_large_it_is() -> None:
    assert "; 20 more do not fit: let it drain" in str(errors.QueueFullError(queue="mail", length=5, limit=10, adding=20))


def test_schema_errors_say_what_to_run() -> None:
    missing, newer = errors.SchemaMissingError(schema="jobs"), errors.SchemaTooNewError(schema="jobs", found=9, known=7)

    assert "run `taskfleet migrate up`" in str(missing)
    assert str(newer) == "schema 'jobs' is at migration 9, this release knows 7: upgrade taskfleet here, or roll back there"


def test_every_error_is_one_of_ours_and_stands_in_the_tree_at_the_top() -> None:
    own = [error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, Exception)]

    assert [error for error in own if not issubclass(error, errors.TaskfleetError)] == []
    assert [error.__name__ for error in own if error.__name__ not in (errors.__doc__ or "")] == []
    assert [error.__name__ for error in own if error.__name__ not in taskfleet.__all__] == []
