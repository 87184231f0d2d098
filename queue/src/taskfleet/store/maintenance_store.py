"""Placeholder"""


class MaintenanceStore: ...
