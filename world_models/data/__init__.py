"""Video data: HDF5 files of episodes, windows cut from them and their deterministic batches.

Each name is imported when it is first used: writing episodes needs no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
