"""Draws a simulation by casting rays: needs no graphics library, and knows every pixel's geom.

What never moves is cast once; of a frame only the pixels in which something that moves may be seen.
Geoms that nothing collides with need a body of their own: MuJoCo looks for those of a body in the
box round the ones that collide.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.camera import Camera
from armillary.envs.mujoco.library import mujoco
from armillary.envs.mujoco.simulation import FORGET, Simulation
from armillary.errors import ArmillaryError

NOTHING = -1
"""The number of what is no geom: where a ray meets nothing."""
_FAR = 1e6
_LAMP, _GRAZE = 1e3, 1e-3
"""How far away the lamp is whose light counts as parallel, and how far from a surface what covers
it is at least, in units of the scene."""
_CORNERS = np.array([*product((-1.0, 1.0), repeat=3)])


@dataclass(frozen=True)
class Light:
    """How surfaces are shaded: by their angle to parallel light, the same from everywhere.

    Attributes:
        towards: the light, from the scene.
        ambient: brightness of what is turned away from it.
        diffuse: what is added for a surface that faces it.
        shadow: the share of ``diffuse`` that what moves keeps off what never moves; with 0 nothing
            casts a shadow.
        sky: red, green and blue in [0, 1] where there is nothing.
    """

    towards: tuple[float, float, float] = (-0.35, -0.55, 0.76)
    ambient: float = 0.42
    diffuse: float = 0.62
    shadow: float = 0.0
    sky: tuple[float, float, float] = (0.05, 0.05, 0.06)

    def __post_init__(self) -> None:
        if not 0.0 <= self.shadow <= 1.0:
            raise ArmillaryError(f"shadow must be a share from 0 to 1, got {self.shadow}")
        if self.shadow > 0.0 and not self.towards[2] > 0.0:
            raise ArmillaryError(
                f"light that casts shadows must come from above, got towards={self.towards}"
            )

    def shade(
        self, colors: NDArray[Any], normals: NDArray[np.float64], share: float = 1.0
    ) -> NDArray[np.float64]:
        """(N, 3) colours of surfaces and (N, 3) their normals -> (N, 3) in [0, 1].

        A ``share`` of the light reaches them.
        """
        facing = normals @ self.direction
        brightness = self.ambient + share * self.diffuse * np.maximum(facing, 0.0)
        shaded = colors * brightness[:, None]
        return np.minimum(shaded, 1.0, out=shaded)

    @cached_property
    def direction(self) -> NDArray[np.float64]:
        """(3,) ``towards``, of length 1."""
        return np.asarray(self.towards) / np.linalg.norm(self.towards)


DAYLIGHT = Light()
"""Without shadows."""


class RayRenderer:
    """Draws what a camera sees of the simulations of one model.

    Args:
        simulation: of the model; where its static geoms are must not change.
        camera: sees a square image.
        size: H = W, in pixels.
        supersampling: rays along each side of a pixel.
        light: shades; ``DAYLIGHT`` by default. Shadows fall as far as the plane at height 0.
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
        self._light = light or DAYLIGHT
        self._origin = np.asarray(camera.position, np.float64)
        self._lamp = self._light.direction * _LAMP
        self._rays = camera.rays(size, supersampling).reshape(size * size, self._each, 3)
        model = simulation.model
        moves = model.body_weldid[model.geom_bodyid] != 0
        visible = model.geom_rgba[:, 3] > 0
        self._moving = np.flatnonzero(moves & visible)
        boxes = model.geom_aabb[self._moving]  # middles and half sides, in the geoms' own axes
        self._corners = boxes[:, None, :3] + _CORNERS * boxes[:, None, 3:]
        self._colors = model.geom_rgba[:, :3].astype(np.float64)
        self._static(simulation, moves)

    def _static(self, simulation: Simulation, moves: NDArray[np.bool_]) -> None:
        alpha = simulation.model.geom_rgba[:, 3]
        kept = alpha.copy()
        alpha[moves] = 0.0  # rays pass through what cannot be seen
        flat = self._rays.reshape(-1, 3)
        found, distances, normals = self._cast(simulation, self._origin, flat, static=True)
        alpha[:] = kept
        light, each = self._light, self._each
        shown = np.tile(np.asarray(light.sky), (len(flat), 1))
        dark = shown.copy()
        hit = found != NOTHING
        surfaces = self._colors[found[hit]], normals[hit]
        shown[hit] = light.shade(*surfaces)
        dark[hit] = light.shade(*surfaces, 1.0 - light.shadow)
        distances[~hit] = _FAR
        self._behind, self._dark = shown.reshape(-1, each, 3), dark.reshape(-1, each, 3)
        self._distances = distances.reshape(-1, each)
        self._geoms = found.reshape(-1, each)
        ways = self._origin + flat * distances[:, None] - self._lamp
        away = np.linalg.norm(ways, axis=1)
        away[~hit] = 0.0  # nothing is nearer
        self._ways = (ways / np.maximum(away, _GRAZE)[:, None]).reshape(-1, each, 3)
        self._from_lamp = away.reshape(-1, each)
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
        size, each = self._size, self._each
        albedo: NDArray[np.float64] = self._colors if colors is None else colors
        frame, labels = self._frame.copy(), self._labels.copy()
        near, dim = self._windows(simulation)
        pixels = np.flatnonzero(near | dim)
        if len(pixels):
            shown, geoms = self._behind.take(pixels, 0), self._geoms.take(pixels, 0)
            changed = np.zeros((len(pixels), each), bool)
            if self._light.shadow > 0.0:
                where = np.flatnonzero(dim[pixels])
                changed[where] = covered = self._covered(simulation, pixels[where])
                shown[where] = np.where(
                    covered[..., None], self._dark.take(pixels[where], 0), shown[where]
                )
            where = np.flatnonzero(near[pixels])
            rays = self._rays.take(pixels[where], 0).reshape(-1, 3)
            found, distances, normals = self._cast(simulation, self._origin, rays, static=False)
            behind = self._distances.take(pixels[where], 0).ravel()
            hit = (found != NOTHING) & (distances < behind)
            seen = np.flatnonzero(hit)
            met = found.take(seen)
            which = where[seen // each], seen % each
            shown[which] = self._light.shade(albedo.take(met, 0), normals.take(seen, 0))
            geoms[which] = met
            changed[which] = True
            touched = np.flatnonzero(_any(changed))
            pixels = pixels.take(touched)
            frame[pixels] = _bytes(shown.take(touched, 0))
            labels[pixels] = _most(geoms.take(touched, 0))
        return frame.reshape(size, size, 3), labels.reshape(size, size)

    def _windows(self, simulation: Simulation) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """In which pixels (H W,) something that moves may be seen, and in which its shadow."""
        data, moving = simulation.data, self._moving
        turned = data.geom_xmat[moving].reshape(-1, 3, 3).transpose(0, 2, 1)
        corners = data.geom_xpos[moving, None] + self._corners @ turned
        near = self._marked(corners)
        if not self._light.shadow:
            return near, near
        down = self._light.direction / self._light.direction[2]
        ends = corners - corners[..., 2:] * down
        return near, self._marked(np.concatenate([corners, ends], 1))

    def _marked(self, corners: NDArray[np.float64]) -> NDArray[np.bool_]:
        """In which pixels (H W,) bodies between corners (N, P, 3) may be seen."""
        marked = np.zeros((self._size, self._size), bool)
        for window in self._camera.windows(corners, self._size):
            marked[window] = True
        return marked.ravel()

    def _covered(self, simulation: Simulation, pixels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(P,) pixels -> for their rays (P, rays), whether what never moves is in shadow."""
        ways = self._ways.take(pixels, 0).reshape(-1, 3)
        first = self._cast(simulation, self._lamp, ways, static=False)[1]
        away = self._from_lamp.take(pixels, 0)
        first = first.reshape(away.shape)
        return (first >= 0.0) & (first < away - _GRAZE)

    def _cast(
        self,
        simulation: Simulation,
        origin: NDArray[np.float64],
        rays: NDArray[np.float64],
        static: bool,
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
        """(N, 3) -> what they meet (N,), how far away (N,), and its normals (N, 3)."""
        count = len(rays)
        found = np.full(count, NOTHING, np.int32)
        distances, normals = np.empty(count), np.empty((count, 3))
        self._library.mj_multiRay(
            *(simulation.model, simulation.data, origin, rays.ravel(), None, static, -1),
            *(found, distances, normals.reshape(-1), count, _FAR),
        )
        return found, distances, normals


def renderer_of(
    simulation: Simulation, camera: Camera, size: int, supersampling: int, light: Light = DAYLIGHT
) -> RayRenderer:
    """The renderer of these arguments of ``RayRenderer``, kept for each thread."""
    return _renderer(threading.get_ident(), simulation, camera, size, supersampling, light)


@lru_cache(maxsize=FORGET)
def _renderer(
    thread: int,
    simulation: Simulation,
    camera: Camera,
    size: int,
    supersampling: int,
    light: Light,
) -> RayRenderer:
    return RayRenderer(simulation, camera, size, supersampling, light)


def _bytes(colors: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(P, rays, 3) in [0, 1] -> (P, 3)."""
    total = colors[:, 0].copy()
    for ray in range(1, colors.shape[1]):
        total += colors[:, ray]
    return (total / colors.shape[1] * 255.0 + 0.5).astype(np.uint8)


def _most(geoms: NDArray[np.int32]) -> NDArray[np.int32]:
    """(P, rays) -> (P,): what most rays of a pixel meet; of equals the one of the first ray."""
    most = geoms[:, 0].copy()
    mixed = np.flatnonzero(_any(geoms != geoms[:, :1]))
    several = geoms.take(mixed, 0)
    votes = np.zeros(several.shape, np.int8)
    for ray in range(several.shape[1]):
        votes += several == several[:, ray : ray + 1]
    most[mixed] = several[np.arange(len(mixed)), votes.argmax(1)]
    return most


def _any(rays: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(P, rays) -> (P,): much faster than numpy along so short an axis."""
    some = rays[:, 0].copy()
    for ray in range(1, rays.shape[1]):
        some |= rays[:, ray]
    return some
