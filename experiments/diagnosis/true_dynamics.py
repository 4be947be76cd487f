"""True dynamics under a model's cost: imagined states are what it makes of the true frames."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from armillary.experiments.diagnosis.exchanged import Exchanged, Known
from armillary.world_models.simulator import Rollout


class TrueDynamics(Exchanged):
    """Candidates are simulated by the physics and drawn, and the model filters every frame."""

    def rollout(
        self,
        state: Known,
        actions: Tensor,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Rollout:
        """See ``Simulator``; P = 1.

        Raises:
            ArmillaryError: the actions require gradients, which the true physics do not have.
        """
        problems, candidates, horizon, size = actions.shape
        scenes = self.oracle.rollout(state.truth, actions.cpu()).state.scene
        scenes = scenes.unflatten(0, (-1, horizon)).numpy()
        taken = actions.reshape(-1, horizon, size).float().cpu().numpy()
        belief, beliefs = state.belief.repeat(candidates), []
        for moment in range(horizon):
            seen = [
                {"image": self.physics.draw(scene)[0], "state": scene}
                for scene in scenes[:, moment]
            ]
            belief = self.model.observe(belief, taken[:, moment], seen)
            beliefs.append(belief)
        states = type(belief).stack(beliefs, 1).flatten(2)
        return self.model.view(states).imagined((problems, candidates, 1, horizon), actions)
