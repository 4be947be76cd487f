"""Draws a simulation by casting rays: needs no graphics library, and knows every pixel's geom.

What never moves is cast once; of a frame only the pixels in which something that moves may be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.camera import Camera
from armillary.envs.mujoco.library import mujoco
from armillary.envs.mujoco.simulation import Simulation

NOTHING = -1
"""The number of what is no geom: where a ray meets nothing."""
_FAR = 1e6


@dataclass(frozen=True)
class Light:
    """How surfaces are shaded: by their angle to parallel light, the same from everywhere.

    Attributes:
        towards: the light, from the scene.
        ambient: brightness of what is turned away from it.
        diffuse: what is added for a surface that faces it.
        sky: red, green and blue in [0, 1] where there is nothing.
    """

    towards: tuple[float, float, float] = (-0.35, -0.55, 0.76)
    ambient: float = 0.42
    diffuse: float = 0.62
    sky: tuple[float, float, float] = (0.05, 0.05, 0.06)

    def shade(self, colors: NDArray[Any], normals: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 3) colours of surfaces and (N, 3) their normals -> (N, 3) in [0, 1]."""
        facing = normals @ (np.asarray(self.towards) / np.linalg.norm(self.towards))
        brightness = self.ambient + self.diffuse * np.maximum(facing, 0.0)
        return np.minimum(colors * brightness[:, None], 1.0)


class RayRenderer:
    """Draws what a camera sees of the simulations of one model.

    Args:
        simulation: of the model; where its static geoms are must not change.
        camera: sees a square image.
        size: H = W, in pixels.
        supersampling: rays along each side of a pixel.
        light: shades.
    """

    def __init__(
        self,
        simulation: Simulation,
        camera: Camera,
        size: int,
        supersampling: int = 1,
        light: Light | None = None,
    ) -> None:
        self._library: Any = mujoco()
        self._camera, self._size, self._each = camera, size, supersampling**2
        self._light = light or Light()
        self._origin = np.asarray(camera.position, np.float64)
        self._rays = camera.rays(size, supersampling).reshape(size * size, self._each, 3)
        model = simulation.model
        moves = model.body_weldid[model.geom_bodyid] != 0
        visible = model.geom_rgba[:, 3] > 0
        self._moving = np.flatnonzero(moves & visible).tolist()
        self._colors = model.geom_rgba[:, :3].astype(np.float64)
        self._static(simulation, moves)

    def _static(self, simulation: Simulation, moves: NDArray[np.bool_]) -> None:
        alpha = simulation.model.geom_rgba[:, 3]
        kept = alpha.copy()
        alpha[moves] = 0.0  # rays pass through what cannot be seen
        flat = self._rays.reshape(-1, 3)
        found, distances, normals = self._cast(simulation, flat, static=True)
        alpha[:] = kept
        shown = np.tile(np.asarray(self._light.sky), (len(flat), 1))
        hit = found != NOTHING
        shown[hit] = self._light.shade(self._colors[found[hit]], normals[hit])
        distances[~hit] = _FAR
        each = self._each
        self._behind = shown.reshape(-1, each, 3)
        self._distances = distances.reshape(-1, each)
        self._geoms = found.reshape(-1, each)
        self._frame = _bytes(self._behind)
        self._labels = _most(self._geoms)

    def __call__(
        self, simulation: Simulation, colors: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """Draws a state of the model.

        Args:
            simulation: that has placed its geoms.
            colors: (G, 3) of the geoms that move, the others' rows are not looked at; by default
                those of the model.

        Returns:
            The frame (H, W, 3), and the geom that most rays of every pixel meet (H, W), or NOTHING.
        """
        size = self._size
        albedo: NDArray[np.float64] = self._colors if colors is None else colors
        frame, labels = self._frame.copy(), self._labels.copy()
        pixels = self._pixels(simulation)
        if len(pixels):
            rays = self._rays[pixels]
            found, distances, normals = self._cast(simulation, rays.reshape(-1, 3), static=False)
            hit = (found != NOTHING) & (distances < self._distances[pixels].ravel())
            shown, geoms = self._behind[pixels], self._geoms[pixels]
            flat = shown.reshape(-1, 3)
            flat[hit] = self._light.shade(albedo[found[hit]], normals[hit])
            geoms.reshape(-1)[hit] = found[hit]
            frame[pixels], labels[pixels] = _bytes(shown), _most(geoms)
        return frame.reshape(size, size, 3), labels.reshape(size, size)

    def _pixels(self, simulation: Simulation) -> NDArray[np.int64]:
        """Numbers of the pixels in which something that moves may be seen."""
        places, reach = simulation.data.geom_xpos, simulation.model.geom_rbound
        marked = np.zeros((self._size, self._size), bool)
        for geom in self._moving:
            marked[self._camera.window(places[geom], float(reach[geom]), self._size)] = True
        return np.flatnonzero(marked)

    def _cast(
        self, simulation: Simulation, rays: NDArray[np.float64], static: bool
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
        """(N, 3) -> what they meet (N,), how far away (N,), and its normals (N, 3)."""
        count = len(rays)
        found = np.full(count, NOTHING, np.int32)
        distances, normals = np.empty(count), np.empty((count, 3))
        self._library.mj_multiRay(
            *(simulation.model, simulation.data, self._origin, rays.ravel(), None, static, -1),
            *(found, distances, normals.reshape(-1), count, _FAR),
        )
        return found, distances, normals


def _bytes(colors: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(P, rays, 3) in [0, 1] -> (P, 3)."""
    return (colors.mean(1) * 255.0 + 0.5).astype(np.uint8)


def _most(geoms: NDArray[np.int32]) -> NDArray[np.int32]:
    """(P, rays) -> (P,): what most rays of a pixel meet; of equals the one of the first ray."""
    if geoms.shape[1] == 1:
        return geoms[:, 0].copy()
    votes = (geoms[:, :, None] == geoms[:, None, :]).sum(-1)
    return geoms[np.arange(len(geoms)), votes.argmax(1)]
