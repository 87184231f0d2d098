"""Where the tasks of a queue are."""

from taskfleet_operator.api.base import ApiModel
from taskfleet_operator.api.fields import Key, ObjectName


class SecretReference(ApiModel):
    """A key of a Secret in the TaskQueue's namespace."""

    name: ObjectName
    """Name of the Secret."""
    key: Key = "uri"
    """Key that holds a PostgreSQL URL, as CloudNativePG writes it: postgresql://user:password@host:5432/database."""


class DatabaseSource(ApiModel):
    """A database URL from a Secret."""

    secret_ref: SecretReference
    """Where the URL is. The Secret is read by name only; a rotated password is picked up without a restart."""


class DatabaseSpec(ApiModel):
    """The PostgreSQL database that holds the queue."""

    secret_ref: SecretReference
    """Where the URL is. The Secret is read by name only; a rotated password is picked up without a restart."""
    migrate: DatabaseSource | None = None
    """A URL with the right to change the schema. When set, the operator brings the schema up to date itself."""
