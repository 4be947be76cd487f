"""Gymnasium environments that pose planning tasks; importing this package registers them."""

from gymnasium.envs.registration import register

register(
    id="armillary/PushBlocks-v0",
    entry_point="envs.push_blocks:PushBlocksEnv",
    max_episode_steps=20,
)
register(
    id="armillary/PushBlocksNoisy-v0",
    entry_point="envs.push_blocks:PushBlocksEnv",
    max_episode_steps=20,
    kwargs={"action_noise": 0.05},
)
register(
    id="armillary/MovingSprites-v0",
    entry_point="envs.moving_sprites:MovingSpritesEnv",
    max_episode_steps=10,
)
