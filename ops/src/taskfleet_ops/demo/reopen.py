"""Looking at a kept demo: its database served again, nothing else."""

import signal
from pathlib import Path

from rich.console import Console

from taskfleet.embedded import EmbeddedServer
from taskfleet_ops.demo.stage.endings import tidy_end
from taskfleet_ops.demo.stage.folder import database_of
from taskfleet_ops.errors import OperationError


def reopen(folder: Path) -> None:
    """Serve the database of a kept folder until Ctrl-C, and say how to look at it.

    Raises OperationError when the folder is no kept demo, EmbeddedServerError when its server does not start.
    """
    database = database_of(folder)
    if not (database / "data").is_dir():
        raise OperationError(f"{folder} is no kept demo: name the folder that `taskfleet demo --keep` printed")
    console = Console(highlight=False)
    with tidy_end(), EmbeddedServer(database) as server:
        console.print(f"export TASKFLEET_DATABASE_URL={server.url} TASKFLEET_QUEUE=episodes", soft_wrap=True)
        console.print("Paste that line into another terminal, then: taskfleet stats, taskfleet explain episodes, …", soft_wrap=True)
        console.print(f"Ctrl-C here ends it; `rm -r {folder}` when you are done with it.", soft_wrap=True)
        signal.pause()
