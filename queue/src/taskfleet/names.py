"""Names of queues and kinds: what is allowed, the same in Python, in the database and in the TaskQueue resource."""

import re

QUEUE_PATTERN = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
QUEUE_LENGTH = 63
"""A queue's name is also a label value."""
KIND_PATTERN = r"[A-Za-z0-9_]([A-Za-z0-9_.:/-]*[A-Za-z0-9_])?"
KIND_LENGTH = 100


def validated_queue(name: object) -> str:
    """The name itself; raises ValueError that says what is allowed."""
    if not isinstance(name, str) or len(name) > QUEUE_LENGTH or not re.fullmatch(QUEUE_PATTERN, name):
        message = (
            f"queue {_shown(name)} is no name of a queue: 1 to {QUEUE_LENGTH} letters, digits, '.', '_' or '-', "
            "letter or digit at both ends"
        )
        raise ValueError(message)
    return name


def validated_kind(name: object) -> str:
    """The name itself; raises ValueError that says what is allowed."""
    if not isinstance(name, str) or len(name) > KIND_LENGTH or not re.fullmatch(KIND_PATTERN, name):
        message = (
            f"kind {_shown(name)} is no name of a kind: 1 to {KIND_LENGTH} letters, digits, '_', '.', ':', '/' or '-', "
            "letter, digit or '_' at both ends"
        )
        raise ValueError(message)
    return name


def _shown(name: object) -> str:
    text = repr(name)
    return text if len(text) <= 120 else text[:117] + "…"
