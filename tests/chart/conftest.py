"""What all tests of the chart share."""

from tests.chart.fixtures import helm, render, template

__all__ = ["helm", "render", "template"]
