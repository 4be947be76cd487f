"""A plug-in of Armillary: importing it registers what its modules define."""

from example_plugin import cost, metric, model, planner, reduction, section, source, task

__all__ = ["cost", "metric", "model", "planner", "reduction", "section", "source", "task"]
