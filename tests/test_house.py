"""`tools/house.py` on a package small enough to count by hand."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {
    "__init__.py": '"""A package."""\n',
    "engines/reference/kernels.py": '"""Formulas."""\n\n\ndef kernel(x):\n    """Of x (n,)."""\n    return x\n',
    "engines/inside.py": '"""A neighbour."""\nfrom small.engines.reference import kernels\n',
    "outside.py": '"""A stranger."""\nimport numpy as np\nfrom small.engines import reference\n'
    "from small.model import _helper\n",
    "model.py": '''"""A model."""

import numpy as np


class Model:
    """A model of rates (K,).

    >>> Model([1.0]).double(2.0)
    4.0
    """

    def __init__(self, rates: np.ndarray):
        self._rates = rates

    def double(self, x: float, *rest, times: int = 2) -> float:
        """Twice x."""
        return times * x + self._rates

    def same(self, other):
        """Whether another model has the same rates."""
        return other._rates == self._rates


def shaped(points: np.ndarray):
    """Of points (n, K), as they are."""
    return points


def shapeless(points: np.ndarray):
    """Of points, as they are."""
    return points


def _helper(model):
    return model._secret, model._asdict()
''',
}


@pytest.fixture(scope="module")
def house():
    spec = importlib.util.spec_from_file_location("house", ROOT / "tools" / "house.py")
    module = sys.modules["house"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["house"]


@pytest.fixture
def tree(tmp_path):
    for name, text in SOURCES.items():
        path = tmp_path / "small" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "small" / "long.py").write_text("x = 1\n" * 401, encoding="utf-8")
    return tmp_path / "small"


def test_a_small_package_is_measured_as_by_hand(house, tree):
    assert (
        house.measure(tree)
        == {
            "private attributes read across modules": "2",  # _helper and _secret; not _rates, which model.py owns, nor _asdict
            "imports of reference from outside": "1 in 1 files",
            "largest class, methods / next": "3 Model",
            "files over 400 lines": "1",
            "arguments annotated": "56% of 9",  # rates, x, times, points twice; not x of kernel, rest, other, model
            "public docstrings that give their arguments": "50% of 6",  # kernel, Model, shaped; not double, same, shapeless
            "public objects with a runnable example": "1",
            "function lines, median / p90": "3 / 3",
            "modules, lines, functions": f"6, {sum(len(text.splitlines()) for text in SOURCES.values()) + 401}, 7",
        }
    )


def test_offenders_are_named(house, tree):
    lines = "\n".join(house.offenders(tree))
    for line in (
        "private: model.py: _secret",
        "private: outside.py: _helper",
        "reference: outside.py: 1",
        "long.py: 401",
    ):
        assert line in lines


def test_trees_stand_side_by_side(house, tree):
    written = []
    house.main([str(tree), str(ROOT / "src" / "condensity"), "--offenders"], written.append)
    assert written[1].startswith("imports of reference from outside")
    assert "1 in 1 files" in written[1]
    with pytest.raises(SystemExit, match="no Python files"):
        house.measure(tree / "empty")


# ----------------------------------------------------------------------------------------------------------- this tree
@pytest.fixture(scope="module")
def modules(house):
    return house.read_tree(ROOT / "src" / "condensity")


def test_no_module_reads_private_names_of_another(house, modules):
    assert {
        str(module.path): names for module in modules if (names := house.foreign_private_names(module, "condensity"))
    } == {}


def test_classes_stay_small(house, modules):
    assert house.class_sizes(modules)[0][0] <= 45
    assert house.class_sizes(modules)[1][0] <= 25


def test_nobody_outside_engines_imports_the_reference(house, modules):
    assert house.outside_imports("reference", modules) == {}


def test_files_stay_short(house, modules):
    assert [str(module.path) for module in modules if module.n_lines > house.MAX_FILE_LINES] == []
