"""Private names of scikit-learn stand in one module."""

import ast
from pathlib import Path

import pytest

import condensity
from condensity import _sklearn_compat

PACKAGE = Path(condensity.__file__).parent
PROMISED = {"validate_data", "CallbackSupportMixin", "with_callbacks"}  # public, but new in some version


def imports_of(path):
    """Pairs (module, name) of what a file imports from scikit-learn."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sklearn":
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_private_names_of_scikit_learn_are_imported_in_one_place(path):
    if path.name == "_sklearn_compat.py":
        return
    private = [
        f"{module}.{name}"
        for module, name in imports_of(path)
        if name in PROMISED or any(part.startswith("_") for part in (*module.split("."), name))
    ]
    assert not private


def test_everything_listed_is_there():
    assert all(hasattr(_sklearn_compat, name) for name in _sklearn_compat.__all__)
