"""The store: one class for each kind of user, one method for each `.sql` file, values in and out.

Nothing else in the product runs SQL on the queue's relations (producers do through the client package, migrations by themselves).
A method is one transaction. Nothing here decides what a task is worth: that is done in the database or by the caller.
"""

from typing import TYPE_CHECKING

from taskfleet.first_use import loaded_on_first_use

if TYPE_CHECKING:
    from taskfleet.store.connection import Database, Pooler
    from taskfleet.store.limits import Limits
    from taskfleet.store.maintenance_store import MaintenanceStore
    from taskfleet.store.operator_store import OperatorStore
    from taskfleet.store.reader_store import ReaderStore
    from taskfleet.store.wakeups import Wakeups
    from taskfleet.store.worker_store import WorkerStore

__all__ = ["Database", "Limits", "MaintenanceStore", "OperatorStore", "Pooler", "ReaderStore", "Wakeups", "WorkerStore"]

_HOMES = {
    "Database": "taskfleet.store.connection",
    "Limits": "taskfleet.store.limits",
    "MaintenanceStore": "taskfleet.store.maintenance_store",
    "OperatorStore": "taskfleet.store.operator_store",
    "Pooler": "taskfleet.store.connection",
    "ReaderStore": "taskfleet.store.reader_store",
    "Wakeups": "taskfleet.store.wakeups",
    "WorkerStore": "taskfleet.store.worker_store",
}

if not TYPE_CHECKING:
    __getattr__ = loaded_on_first_use(__name__, _HOMES)
