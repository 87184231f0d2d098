"""The store: one class for each kind of user, one method for each `.sql` file, values in and out.

Nothing else in the product runs SQL on the queue's relations (producers do through the client package, migrations by themselves).
A method is one transaction. Nothing here decides what a task is worth: that is done in the database or by the caller.
"""

from taskfleet.store.connection import Database, Pooler
from taskfleet.store.limits import Limits
from taskfleet.store.maintenance_store import MaintenanceStore
from taskfleet.store.operator_store import OperatorStore
from taskfleet.store.reader_store import ReaderStore
from taskfleet.store.wakeups import Wakeups
from taskfleet.store.worker_store import WorkerStore

__all__ = ["Database", "Limits", "MaintenanceStore", "OperatorStore", "Pooler", "ReaderStore", "Wakeups", "WorkerStore"]
