"""MuJoCo itself, imported when a world first needs it."""

from __future__ import annotations

import importlib
from types import ModuleType

from armillary.errors import ArmillaryError

LEAST = (3, 5)
"""The first version whose rays tell normals."""


def mujoco() -> ModuleType:
    """The library.

    Raises:
        ArmillaryError: it is missing, too old or cannot be loaded; the message says the remedy.
    """
    remedy = f"pip install 'mujoco>={LEAST[0]}.{LEAST[1]}' brings it"
    try:
        library = importlib.import_module("mujoco")
    except (ImportError, OSError) as error:
        raise ArmillaryError(
            f"this world needs the library mujoco, which cannot be loaded ({error}); {remedy}"
        ) from error
    version = str(getattr(library, "__version__", "0"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < LEAST:
        raise ArmillaryError(
            f"this world needs mujoco of version {LEAST[0]}.{LEAST[1]} or later, got {version}; "
            f"{remedy}"
        )
    return library
