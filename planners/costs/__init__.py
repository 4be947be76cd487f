"""Costs: how far every imagined state is from the goal, and what the way there costs."""

from armillary.planners.costs.cost import Cost
from armillary.planners.costs.distances import (
    Approach,
    LatentDistance,
    ObjectPosition,
    PixelDistance,
    Pose,
    ReadoutDistance,
    SlotMatching,
)
from armillary.planners.costs.ways import Disagreement, Effort, KeepOut, Limits, Smoothness

__all__ = [
    "Approach",
    "Cost",
    "Disagreement",
    "Effort",
    "KeepOut",
    "LatentDistance",
    "Limits",
    "ObjectPosition",
    "PixelDistance",
    "Pose",
    "ReadoutDistance",
    "SlotMatching",
    "Smoothness",
]
