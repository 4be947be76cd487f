"""What every implementation of an interface promises: suites to inherit, here and in plug-ins."""

import pkgutil

import pytest

# Plain asserts of suites that another project inherits say what they compared, too.
pytest.register_assert_rewrite(*(f"{__name__}.{m.name}" for m in pkgutil.iter_modules(__path__)))
