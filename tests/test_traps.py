"""Traps that no single area owns (T20, T21, T24, 43, 44, 53), and that every trap has a test that names it."""

import ast
import os
import re
import subprocess
import sys
import time
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest

from condensity import JointGMMRegressor, MDNRegressor, Mixture
from condensity.datasets.synthetic import make_noisy_wave

ROOT = Path(__file__).parents[1]
PROBLEM = make_noisy_wave(200, random_state=0)


# -------------------------------------------------------------------------------------------------- the two tables
def traps_by_test():
    """(file, test) → rows of docs/traps.md that its marker names, as words."""
    tests = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                name = (path.relative_to(ROOT / "tests").as_posix(), node.name)
                tests[name] = {row for decorator in node.decorator_list for row in rows_of_marker(decorator)}
    return tests


def rows_of_marker(decorator):
    """Rows that `@pytest.mark.trap(…)` names."""
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.trap":
        yield from (str(ast.literal_eval(argument)) for argument in decorator.args)


def rows_of_table():
    """Row → the (file, test)s that docs/traps.md names for it."""
    for line in (ROOT / "docs" / "traps.md").read_text(encoding="utf-8").splitlines():
        cells = line.split("|")
        if len(cells) >= 4 and re.fullmatch(r"\s*T?\d+\s*", cells[1]):
            yield cells[1].strip(), re.findall(r"`([\w/]+\.py)::(\w+)`", line)


ROWS = {f"T{i}" for i in range(1, 27)} | {str(i) for i in range(1, 61)} - {"58"}
ROWS |= {"T35", "T36"} | {str(i) for i in range(105, 116)}
ROWS |= {"T27", "T28", "T29"} | {str(i) for i in range(61, 75)}
ROWS |= {"T30", "T31"} | {str(i) for i in range(75, 90)}


def test_every_row_of_the_tables_names_a_test_that_is_marked_with_its_number():
    marked, covered = traps_by_test(), set()
    for row, tests in rows_of_table():
        assert tests, f"row {row} names no test"
        for name in tests:
            assert name in marked, f"row {row} names {name}, which is not there"
        assert any(row in marked[name] for name in tests), f"row {row}: no test that it names has its number"
        covered.add(row)
    assert covered >= ROWS


def test_every_marker_names_a_row_of_the_tables():
    known = {row for row, _ in rows_of_table()}
    for name, rows in traps_by_test().items():
        assert rows <= known, f"{name} is marked with {rows - known}"


def test_the_numeric_contract_names_tests_that_are_there():
    names = [name for _, name in traps_by_test()]
    contract = (ROOT / "docs" / "numeric-contract.md").read_text(encoding="utf-8")
    for shown in re.findall(r"`(…?[\w…*]+)`", contract):
        if shown.startswith(("test_", "…")):
            pattern = re.sub(r"[…*]+", r"\\w*", shown)
            assert any(re.fullmatch(pattern, name) for name in names), shown
    for path in re.findall(r"`(tests/[\w/]+\.py)`", contract):
        assert (ROOT / path).exists(), path


# ------------------------------------------------------------------------------------------------- T20: dependencies
#: joblib comes with scikit-learn, Pillow with matplotlib, MarkupSafe with Jinja; pandas is asked for frames only where it is.
FOUND_WITH_OTHERS = {"condensity", "joblib", "markupsafe", "pillow", "pandas"}


def imported_packages():
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


@pytest.mark.trap("T20")
def test_every_import_is_declared_and_nothing_is_pinned_from_above():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *extras["cli"], *extras["onnx"], *extras["excel"]]
    assert all(re.fullmatch(r"[\w-]+>=[\d.]+", each) for each in listed), listed
    names = {re.split(r"[>=]", each)[0].lower() for each in listed} | FOUND_WITH_OTHERS
    own = packages_distributions()
    for package in set(imported_packages()) - set(sys.stdlib_module_names):
        found = {name.lower() for name in own.get(package, [package])}
        assert found & names, f"{package} is imported and not declared"


# ------------------------------------------------------------------------------------- T21: impossible observations
@pytest.mark.trap("T21")
@pytest.mark.parametrize(
    "model", [MDNRegressor(3, max_iter=10, fallback=None), JointGMMRegressor(3)], ids=["MDN", "GMM"]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore:p.x . y. of")
@pytest.mark.parametrize("d", [1, 3])
def test_an_impossible_observation_has_an_answer_in_bounded_time(model, d):
    X = np.column_stack([PROBLEM.X, np.random.default_rng(0).normal(size=(200, d - 1))])
    model.set_params(random_state=0).fit(X, PROBLEM.y)
    start = time.perf_counter()
    if isinstance(model, MDNRegressor) and d > 1:
        with pytest.warns(UserWarning, match="should not be trusted"):
            found = model.predict_inputs([1e9])
    else:
        found = model.predict_inputs([1e9])
    assert time.perf_counter() - start < 30.0
    assert np.isfinite(found.mean()).all()
    assert model.predict_dist([[1e9] * d], outside="deficient").sample(1000, random_state=0).shape == (1, 1000)


# ------------------------------------------------------------------------------------------------- T24: accelerators
@pytest.mark.trap("T24")
@pytest.mark.parametrize("engine", ["gpu", "cuda", "", None])
def test_an_engine_that_does_not_exist_is_refused_and_never_replaced(model, engine):
    with pytest.raises(ValueError, match="engine"):
        model.set_params(engine=engine).fit(PROBLEM.X, PROBLEM.y)


# --------------------------------------------------------------------------------------------------- 43, 44: memory
@pytest.mark.trap(43)
def test_predictions_take_memory_for_their_results_alone():
    code = """
import resource, sys, numpy as np
from condensity import MDNRegressor
from condensity.datasets.synthetic import make_noisy_wave
p = make_noisy_wave(300, random_state=0)
model = MDNRegressor(3, max_iter=5, random_state=0, hidden_layer_sizes=(512, 512)).fit(p.X, p.y)
X = np.zeros((200_000, 1))
model.predict(X[:10_000])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model.predict(X)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    pytest.importorskip("resource", reason="peak memory is asked of Unix")
    grown = float(
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True).stdout
    )
    # The mixture, three arrays (n, 3), several times over: 5 MB each. One hidden layer of all rows would be 800 MB.
    assert grown < 200


@pytest.mark.trap(44)
def test_results_that_fit_no_memory_are_refused_with_their_size():
    dist = Mixture(weights=np.ones((100_000, 1)), means=np.zeros((100_000, 1)), scales=np.ones((100_000, 1)))
    points = np.zeros((1, 1_000_000))
    for ask, what in [
        (lambda: dist.logpdf(points), "points"),
        (lambda: dist.ppf(np.full(1_000_000, 0.5)), "levels"),
        (lambda: dist.sample(1_000_000), "draws"),
    ]:
        with pytest.raises(ValueError, match=rf"100000 rows times 1000000 {what} take 745 GiB.*dist\[:1000\]"):
            ask()


# ------------------------------------------------------------------------------------------------------- 53: forks
FORK = """
import os, warnings
import numpy as np
from condensity import MDNRegressor
from condensity.datasets.synthetic import make_noisy_wave
warnings.simplefilter("ignore")
p = make_noisy_wave(200, random_state=0)
def fit():
    return MDNRegressor(3, n_members=2, max_iter=10, random_state=0, n_jobs=2).fit(p.X, p.y)
model = fit()
expected = model.predict_quantiles(p.X)
child = os.fork()
if child == 0:
    same = np.array_equal(model.predict_quantiles(p.X), expected) and np.array_equal(fit().predict_quantiles(p.X), expected)
    os._exit(0 if same else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.trap(53)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_computes_as_its_parent():
    result = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True, timeout=120)
    assert result.stdout.strip() == "0"
