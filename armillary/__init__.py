"""Planning with learned, object-centric world models.

The front door: every name below is imported when it is first used, so that ``import armillary``
loads no torch. ``__init__.pyi`` beside this file says where each one lives. The environments are
made known to Gymnasium without importing it.
"""

import lazy_loader

from armillary.envs.registration import register_with_gymnasium

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

register_with_gymnasium()
