"""The package as a newcomer meets it: imports, examples in docstrings and README, promises about dependencies."""

import doctest
import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import condensity

ROOT = Path(__file__).parents[1]
MODULES = [module.name for module in pkgutil.walk_packages(condensity.__path__, "condensity.")]
PURE = [name for name in MODULES if not name.endswith("._native")]


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_loads_nothing_heavy():
    out = run_python("import sys, condensity; print([m for m in ('numpy', 'scipy', 'sklearn') if m in sys.modules])")
    assert out.strip() == "[]"


def test_every_public_name_can_be_had():
    for name in condensity.__all__:
        assert getattr(condensity, name) is not None
    assert set(dir(condensity)) == set(condensity.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        condensity.nothing  # noqa: B018


def test_version_is_that_of_the_installed_package():
    assert condensity.__version__ == version("condensity")


def test_estimators_need_no_plotting_and_no_command_line():
    out = run_python(
        "import sys; from condensity import MDNRegressor, JointGMMRegressor;"
        "print([m for m in ('matplotlib', 'click', 'jinja2') if m in sys.modules])"
    )
    assert out.strip() == "[]"


@pytest.mark.parametrize("name", PURE)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(name)
    failures, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failures == 0


def test_the_readme_tour_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # it saves a model
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    names = {}
    for block in blocks:
        exec(block, names)
    assert names["dist"].ppf([0.05, 0.5, 0.95]).shape == (2, 3)
    assert names["dist"].sample(100, random_state=0).shape == (2, 100)


def test_the_package_never_looks_for_shared_files():
    for path in (ROOT / "src").rglob("*.py"):
        assert "../shared" not in path.read_text(encoding="utf-8"), path


@pytest.mark.trap(115)
def test_licences_of_what_the_extension_contains_are_shipped():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [path.read_text() for pattern in project["license-files"] for path in sorted(ROOT.glob(pattern))]
    for owner in ("condensity developers", "Wenzel Jakob", "Goetghebuer-Planchon"):
        assert sum(owner in text for text in texts) == 1


@pytest.mark.trap(115)
@pytest.mark.skipif(sys.platform != "linux" or shutil.which("readelf") is None, reason="needs Linux and readelf")
def test_the_extension_is_hardened():
    native = pytest.importorskip("condensity.engines._native")
    told = subprocess.run(["readelf", "-dslW", native.__file__], capture_output=True, text=True, check=True).stdout
    for mark in ("GNU_RELRO", "BIND_NOW", "__stack_chk_fail", "_chk@"):
        assert mark in told
