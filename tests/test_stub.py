"""The stub that type checkers read and the lazy `__init__.py` have the same names, from the same homes."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

import condensity

STUB = ast.parse(Path(condensity.__file__).with_name("__init__.pyi").read_text(encoding="utf-8"))


def stub_imports():
    """Name → the module that the stub imports it from."""
    imports = {}
    for node in STUB.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name, (
                    f"{alias.name} is not re-exported: write `import {alias.name} as {alias.name}`"
                )
                imports[alias.name] = node.module
    return imports


def test_names_are_the_same():
    declared = {node.target.id for node in STUB.body if isinstance(node, ast.AnnAssign)}
    assert {*stub_imports(), *declared} == set(condensity.__all__)


@pytest.mark.parametrize("name", stub_imports())
def test_objects_are_the_same(name):
    home = import_module(stub_imports()[name])
    assert getattr(condensity, name) is getattr(home, name)


def test_names_are_sorted_and_once():
    assert list(condensity.__all__) == sorted(set(condensity.__all__))


def test_the_package_is_marked_as_typed():
    assert Path(condensity.__file__).with_name("py.typed").exists()
