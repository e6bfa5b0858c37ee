"""The conformance kit: what every dialect, engine, store and object storage promises, as tests to be joined.

The author of an adapter joins in a test file of a few lines; each module here says how. The server imports none of it.
"""

from __future__ import annotations

import pkgutil

import pytest

for _module in pkgutil.iter_modules(__path__):  # so that a failed assertion of a suite shows its values
    pytest.register_assert_rewrite(f"{__name__}.{_module.name}")
