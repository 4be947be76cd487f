from .agent import Agent as Agent
from .agent import NoopAgent as NoopAgent
from .agent import RandomAgent as RandomAgent
from .episodes import Episode as Episode
from .episodes import run_episodes as run_episodes
from .mpc import MPCAgent as MPCAgent
from .mpc import PlanningTime as PlanningTime
from .statistics import wilson_interval as wilson_interval
