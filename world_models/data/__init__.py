"""Video data: HDF5 files of episodes, windows cut from them and their deterministic batches."""

from armillary.world_models.data.reader import EpisodeFile
from armillary.world_models.data.sampling import (
    StepSampler,
    ordered_batches,
    step_indices,
    training_batches,
)
from armillary.world_models.data.schema import DataError, Layout, Provenance, SplitInfo
from armillary.world_models.data.split import Episodes, MemoryEpisodes, Split
from armillary.world_models.data.statistics import ActionStatistics, action_statistics
from armillary.world_models.data.windows import RawWindow, WindowDataset
from armillary.world_models.data.writer import EpisodeWriter

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
