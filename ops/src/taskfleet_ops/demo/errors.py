"""What can go wrong with the demo itself.

TaskfleetError
└── DemoError        a part of the demo did not start, or ended by itself; everything else was stopped
"""

from taskfleet.errors import TaskfleetError


class DemoError(TaskfleetError):
    """A part of the demo did not start, or ended by itself."""
