"""The verb ``render``: what a model imagines, its slots and a planned episode, as GIFs and PNGs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from armillary.experiments.command.console import results
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.stored import write
from armillary.experiments.evaluation.model_data import at, episodes_for
from armillary.experiments.evaluation.results import RESULTS, RenderedPlan, Rendering
from armillary.experiments.films.drawing import write_gif, write_png
from armillary.experiments.films.figures import plan_figure, rollout_figure, slots_figure
from armillary.experiments.films.imagination import imagine
from armillary.experiments.planning.entries import learned_entry
from armillary.experiments.planning.planned_episode import PlannedEpisode, play
from armillary.world_models.checkpoints.checkpoint import load_model, read_info
from armillary.world_models.data import EpisodeFile, WindowDataset
from armillary.world_models.data.identity import CONTENT_ID
from armillary.world_models.imagine import Imaginer
from armillary.world_models.model import Window, WorldModel
from armillary.world_models.validation.crowding import look


def run(config: DictConfig) -> Path:
    """Writes the GIFs, a contact sheet of each and ``results.json``; returns their directory.

    Raises:
        DataError: the file of episodes cannot be used, or has no such split.
        CheckpointError: there is no usable checkpoint.
        UsageError: the episode, the frames or a number is out of range, or the model does not suit
            the data or the task.
    """
    model = load_model(config.checkpoint, num_slots=config.num_slots)
    file = episodes_for(model, config.checkpoint, config.data)
    window = read_clip(config, model, file, read_info(config.checkpoint).stride)
    episode = plan_episode(config, model) if is_planned(config, file) else None
    precision = config.simulator.get("precision", "float32")
    look(Imaginer(model, precision), window.frames[:, 0])
    imagination = imagine(model, window, config.samples, config.seed, precision)
    figures = {
        "rollout": rollout_figure(imagination, config.side),
        "slots": slots_figure(imagination, config.side),
    }
    if episode:
        figures["plan"] = plan_figure(episode, config.side)
    output = Path(config.output).expanduser()
    files: list[Path] = []
    for name, figure in figures.items():
        files += [output / f"{name}.gif", output / f"{name}.png"]
        write_gif(output / f"{name}.gif", figure.film, config.fps)
        write_png(output / f"{name}.png", figure.contact_sheet)
    write(output / RESULTS, _results(config, file, files, imagination.measures(), episode))
    for written in files:
        size = written.stat().st_size / 1e3
        results.print(f"{written}  {size:.0f} kB", highlight=False, soft_wrap=True)
    return output


def is_planned(config: DictConfig, file: EpisodeFile) -> bool:
    """Whether an episode of the task is planned; ``auto``: where the file was recorded in it."""
    if config.plan == "auto":
        own = config.task.environment
        same = file.attributes.get("environment") == own.id
        return same and file.attributes.get("environment_env") == own.get("env")
    return config.plan == "always"


def plan_episode(config: DictConfig, model: WorldModel) -> PlannedEpisode:
    """Plays one problem of the task with plans of the model."""
    entry = learned_entry(str(config.checkpoint), model, config)
    return play(entry.make_env, entry.agent, entry.simulator, [config.seed])[0]


def read_clip(config: DictConfig, model: WorldModel, file: EpisodeFile, stride: int = 1) -> Window:
    """The clip that is rendered: one episode from its first frame, the context and the rest."""
    split = file.split(config.split)
    if not 0 <= config.episode < len(split):
        raise UsageError(
            f"episode must be in 0..{len(split) - 1} for split {split.name!r} of {file.path}, "
            f"got {config.episode}"
        )
    length = (split.length - 1) // stride + 1
    longest = length - model.context_length
    frames = longest if config.frames is None else config.frames
    if not 1 <= frames <= longest:
        raise UsageError(
            f"frames must be in 1..{longest}: episodes of split {split.name!r} have "
            f"{length}{at(stride)}, of which {model.context_length} are the model's context; "
            f"got {frames}"
        )
    clips = WindowDataset(split, model.context_length + frames, stride, in_memory=False)
    return clips.batch([config.episode * clips.starts]).to_window()


def _results(
    config: DictConfig,
    data: EpisodeFile,
    files: list[Path],
    measures: dict[str, Any],
    episode: PlannedEpisode | None,
) -> Rendering:
    plan = episode and RenderedPlan(
        seed=config.seed,
        success=episode.episode.success,
        steps=episode.episode.steps,
        distances=[round(distance, 4) for distance in episode.distances],
    )
    return Rendering(
        checkpoint=str(config.checkpoint),
        data=str(config.data.path),
        digest=data.identity[CONTENT_ID],
        split=config.split,
        episode=config.episode,
        files=[file.name for file in files],
        rollout=measures,
        plan=plan,
    )
