"""Fixtures of the kernel tests."""

import pytest

try:
    from condensity.engines import native
except ImportError:  # a checkout that was never built
    native = None


@pytest.fixture(params=native.available_isas() if native else [])
def isa(request):
    """Every instruction set that this machine runs, one after the other."""
    before = native.isa()
    native.use_isa(request.param)
    yield request.param
    native.use_isa(before)
