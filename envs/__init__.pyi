from .moving_sprites.environment import MovingSpritesEnv as MovingSpritesEnv
from .push_blocks.environment import PushBlocksEnv as PushBlocksEnv
from .push_blocks.oracle import PushOracle as PushOracle
from .wrappers import PrivilegedState as PrivilegedState
