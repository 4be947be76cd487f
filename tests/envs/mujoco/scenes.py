"""A small model: a table, a wall, a ball and two boxes that fall."""

from __future__ import annotations

from armillary.envs.mujoco.camera import Camera
from armillary.envs.mujoco.simulation import Simulation

CAMERA = Camera((0.0, -3.0, 3.0), (0.0, 0.0, 0.3), 50.0)
MODEL = """
<mujoco>
  <option timestep="0.01" integrator="implicitfast"/>
  <worldbody>
    <geom type="plane" size="5 5 1" rgba=".6 .6 .6 1"/>
    <geom type="box" pos="0 1 .5" size="1 .1 .5" rgba=".2 .2 .9 1"/>
    <body pos="-.6 .2 1"><freejoint/><geom type="sphere" size=".3" rgba=".9 .1 .1 1"/></body>
    <body pos=".5 .3 1.2" euler="20 30 0"><freejoint/>
      <geom type="box" size=".3 .2 .3" rgba=".1 .9 .1 1"/></body>
    <body pos=".6 -.5 .6"><freejoint/><geom type="box" size=".2 .2 .2" rgba=".9 .9 .1 1"/></body>
  </worldbody>
</mujoco>"""


def fallen(steps: int) -> Simulation:
    """The simulation after so many steps."""
    simulation = Simulation(MODEL)
    if steps:
        simulation.step(steps)
    simulation.place()
    return simulation
