"""Makes the environments known to Gymnasium, now or as soon as it is imported."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any


def register_all() -> None:
    """Registers every environment of this package; imports none of them."""
    from gymnasium.envs.registration import register

    register(
        id="armillary/PushBlocks-v0",
        entry_point="armillary.envs.push_blocks.environment:PushBlocksEnv",
        max_episode_steps=20,
    )
    register(
        id="armillary/PushBlocksNoisy-v0",
        entry_point="armillary.envs.push_blocks.environment:PushBlocksEnv",
        max_episode_steps=20,
        kwargs={"action_noise": 0.05},
    )
    register(
        id="armillary/StackBlocks-v0",
        entry_point="armillary.envs.stack_blocks.environment:StackBlocksEnv",
        max_episode_steps=6,
    )
    register(
        id="armillary/TowelPick-v0",
        entry_point="armillary.envs.towel_pick.environment:TowelPickEnv",
        max_episode_steps=25,
    )
    register(
        id="armillary/PushT-v0",
        entry_point="armillary.envs.push_t.environment:PushTEnv",
    )
    register(
        id="armillary/MovingSprites-v0",
        entry_point="armillary.envs.moving_sprites.environment:MovingSpritesEnv",
        max_episode_steps=10,
    )
    register(
        id="armillary/SpriteGoals-v0",
        entry_point="armillary.envs.sprite_goals.environment:SpriteGoalsEnv",
        max_episode_steps=20,
    )
    register(
        id="armillary/ImageGoal-v0",
        entry_point="armillary.envs.image_goal.environment:ImageGoalEnv",
    )


def task_id(plugin: str, name: str) -> str:
    """Gymnasium's name of a task that a plug-in registers."""
    return f"{plugin.partition('.')[0] or 'armillary'}/{name}-v0"


def register_task(plugin: str, name: str, environment: Callable[..., Any]) -> None:
    """Makes the environment of a task known to Gymnasium as ``task_id(plugin, name)``."""
    from gymnasium.envs.registration import register, registry

    registry.pop(task_id(plugin, name), None)
    register(id=task_id(plugin, name), entry_point=environment)


def register_with_gymnasium() -> None:
    """``register_all`` at once if Gymnasium is there, else right after somebody imports it.

    Gymnasium 1.0 took away the entry point by which packages made their environments known, and
    importing it here would make ``import armillary`` slow.
    """
    if "gymnasium" in sys.modules:
        register_all()
    else:
        sys.meta_path.insert(0, _AfterGymnasium())


class _AfterGymnasium(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports Gymnasium as usual, then registers; steps aside for everything else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "gymnasium":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            self._loader = spec.loader
            spec.loader = self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        register_all()
