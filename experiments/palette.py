"""The colours of plots and films, and what they mean.

Okabe and Ito's palette, which people with any kind of colour vision can tell apart, on quiet greys.
"""

from __future__ import annotations

Color = tuple[int, int, int]
"""Red, green and blue in 0..255."""

ORANGE: Color = (230, 159, 0)
SKY: Color = (86, 180, 233)
GREEN: Color = (0, 158, 115)
PURPLE: Color = (204, 121, 167)
YELLOW: Color = (240, 228, 66)
BLUE: Color = (0, 114, 178)
VERMILION: Color = (213, 94, 0)

PAPER: Color = (255, 255, 255)
RULE: Color = (228, 228, 224)
SHADED: Color = (222, 222, 216)
PALE: Color = (168, 168, 168)
MUTED: Color = (104, 106, 112)
INK: Color = (32, 33, 36)
BLACK: Color = (0, 0, 0)

CONTEXT = BLUE
"""What was seen by the model."""
IMAGINED = VERMILION
"""What the model made up."""
REAL: Color = (150, 150, 146)
"""What happened."""
SUCCESS: Color = (0, 140, 100)
"""A goal reached."""
SLOTS = (ORANGE, SKY, GREEN, PURPLE, YELLOW, BLUE, VERMILION)
"""Of a model's slots, in their order."""


def hexadecimal(color: Color) -> str:
    """``#rrggbb``, as CSS and Matplotlib write it."""
    return "#" + bytes(color).hex()
