"""What the operator can run into.

OperatorError
└── ClusterError                  something between the operator and Kubernetes
    ├── ClusterUnreachableError   no proper answer: try again at the next tick
    ├── ClusterRefusedError       the operator may not do this: its Role lacks a verb
    ├── ObjectMissingError        there is no such object, or no such key in it
    ├── ObjectConflictError       somebody else changed or created the object first
    └── ObjectInvalidError        Kubernetes will not have it: the message says which field and why
"""


class OperatorError(Exception):
    """Base of every error that this package raises on purpose."""


class ClusterError(OperatorError):
    """Something between the operator and Kubernetes."""


class ClusterUnreachableError(ClusterError):
    """No proper answer came: try again at the next tick."""


class ClusterRefusedError(ClusterError):
    """The operator may not do this: its Role lacks a verb."""


class ObjectMissingError(ClusterError):
    """There is no such object, or no such key in it."""


class ObjectConflictError(ClusterError):
    """Somebody else changed or created the object first."""


class ObjectInvalidError(ClusterError):
    """Kubernetes will not have it; the message says which field and why."""
