from .reader import EpisodeFile
from .sampling import (
    StepSampler,
    ordered_batches,
    step_indices,
    training_batches,
)
from .schema import DataError, Layout, Provenance, SplitInfo
from .split import Episodes, MemoryEpisodes, Split
from .statistics import ActionStatistics, action_statistics
from .windows import RawWindow, WindowDataset
from .writer import EpisodeWriter

__all__ = [
    "ActionStatistics",
    "DataError",
    "EpisodeFile",
    "EpisodeWriter",
    "Episodes",
    "Layout",
    "MemoryEpisodes",
    "Provenance",
    "RawWindow",
    "Split",
    "SplitInfo",
    "StepSampler",
    "WindowDataset",
    "action_statistics",
    "ordered_batches",
    "step_indices",
    "training_batches",
]
