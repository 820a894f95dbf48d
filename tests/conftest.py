import pytest
from sklearn.base import clone

from registry import QUICK


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")
    parser.addoption("--trap", help="run only the tests of one row of docs/traps.md, such as T13 or 8")


def pytest_collection_modifyitems(config, items):
    trap = config.getoption("--trap")
    if trap is not None:
        items[:] = [item for item in items if trap.upper() in traps_of(item)]
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="takes minutes; give --slow"))


def traps_of(item):
    """Rows of docs/traps.md that a test covers, as words."""
    return {str(row) for marker in item.iter_markers("trap") for row in marker.args}


@pytest.fixture(params=QUICK)
def model(request):
    """Every estimator in turn, unfitted."""
    return clone(QUICK[request.param])
