"""A plug-in of Armillary: importing it registers what its modules define."""

from example_plugin import cost, goal, metric, model, planner, reduction, section, source, task

__all__ = ["cost", "goal", "metric", "model", "planner", "reduction", "section", "source", "task"]
