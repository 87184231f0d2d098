"""Placeholder"""


class ReaderStore: ...
