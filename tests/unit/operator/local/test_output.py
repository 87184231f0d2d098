import os
from unittest.mock import patch

from taskfleet_operator.local import output
from taskfleet_operator.local.output import KEPT_LINES, Output


def test_output_is_shown_as_it_comes_and_its_end_kept() -> None:
    shown: list[bytes] = []
    written = Output(shown.append)
    os.write(written.fileno(), b"one\n")
    written.forward()
    written.forward()
    os.write(written.fileno(), b"".join(b"line %d\n" % number for number in range(100)))
    written.close()

    assert b"".join(shown).startswith(b"one\nline 0\n")
    assert len(shown) == 2
    assert written.last_lines.splitlines() == [f"line {number}" for number in range(100 - KEPT_LINES, 100)]


def test_file_does_not_grow_for_ever() -> None:
    shown: list[bytes] = []
    written = Output(shown.append)
    with patch.object(output, "LONGEST_FILE_BYTES", 10):
        for _ in range(5):
            os.write(written.fileno(), b"0123456789abcdef\n")
            written.forward()
    size = os.fstat(written.fileno()).st_size
    written.close()

    assert b"".join(shown) == b"0123456789abcdef\n" * 5
    assert size == 0
