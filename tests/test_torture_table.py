"""The torture table of `benchmarks/safety.py`: its true densities, its choice of cells, and runs that continue."""

import importlib
import itertools
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import cumulative_trapezoid

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
LAWS = [
    (noise, signal, rows)
    for noise in ("normal", "t(1.5)", "lognormal", "100 × corner", "none")
    for signal in ("none", "linear", "two-branch")
    for rows in ("independent", "grouped")
    if (noise, rows) != ("none", "independent")
]


@pytest.fixture(scope="module")
def table():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield SimpleNamespace(torture=importlib.import_module("torture"), safety=importlib.import_module("safety"))
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.parametrize(("noise", "signal", "rows"), LAWS)
def test_draws_follow_the_true_density(table, noise, signal, rows):
    """One indicator has two scores: integrate the density of each; the probability transform of draws is uniform."""
    torture = table.torture
    drawn = torture.draw_test_rows(torture.Cell(100, 1, 1, noise, signal, "one-hot", rows), 0, 1000)
    grid = np.sinh(np.linspace(-15, 15, 3001))  # to ±1.6 · 10⁶, where t(1.5) has 1e-9 left
    for corner in (False, True):
        those = drawn.corner == corner
        at = np.flatnonzero(those)[0]
        one = torture.Rows(
            drawn.cell,
            drawn.X[[at] * 3001],
            drawn.y[[at] * 3001],
            drawn.groups[:1].repeat(3001),
            drawn.score[at].repeat(3001),
            drawn.corner[at].repeat(3001),
        )
        cdf = cumulative_trapezoid(np.exp(one.log_density(grid[:, None])), grid, initial=0)
        assert cdf[-1] == pytest.approx(1, abs=1e-4)  # the rule's error at steps of .01 to .05 sd
        uniform = np.interp(drawn.y[those, 0], grid, cdf)
        assert stats.kstest(uniform, "uniform").pvalue > 1e-3  # of 56 fixed draws


@pytest.mark.parametrize(("noise", "signal", "rows"), LAWS)
def test_several_outputs_are_drawn_together_from_the_true_density(table, noise, signal, rows):
    """E h(y) / p(y | x) = 1 for draws from p and any density h where p is positive: near the upper branch, above −1."""
    torture = table.torture
    drawn = torture.draw_test_rows(torture.Cell(100, 5, 5, noise, signal, "lognormal", rows), 1, 5000)
    h = stats.gamma(4, loc=-1, scale=0.4).logpdf(drawn.y - torture.signal_of(drawn.cell, drawn.score)).sum(axis=1)
    ratio = np.exp(h - drawn.log_density())[~drawn.corner]
    assert ratio.mean() == pytest.approx(1, abs=5 * ratio.std() / np.sqrt(len(ratio)))
    assert ratio.std() / np.sqrt(len(ratio)) < 0.12


def test_rows_of_a_group_share_inputs_and_effects(table):
    torture = table.torture
    drawn = torture.draw_training_rows(torture.Cell(100, 5, 5, "none", "linear", "normal", "grouped"), 0)
    assert np.array_equal(drawn.groups, np.arange(100) // 5)
    assert np.array_equal(drawn.X, drawn.X[::5].repeat(5, axis=0))
    assert np.array_equal(drawn.y, drawn.y[::5].repeat(5, axis=0))


@pytest.mark.parametrize("inputs", ["normal", "lognormal", "duplicated", "one-hot"])
@pytest.mark.parametrize("d", [1, 5, 20, 200])
def test_scores_are_about_standard_normal_and_a_tenth_is_in_the_corner(table, inputs, d):
    torture = table.torture
    cell = torture.Cell(100, d, 1, "normal", "linear", inputs, "independent")
    X, score, corner = torture.draw_inputs(cell, 20_000, np.random.default_rng(0))
    assert X.shape == (20_000, d)
    assert score.mean() == pytest.approx(0, abs=0.03)
    assert score.std() == pytest.approx(1, abs=0.15)  # five levels have .86 of it
    assert score[corner].min() > score[~corner].max()
    assert 0.09 < corner.mean() < 0.21  # one of five levels, and one indicator that is on in a fifth of rows


def test_any_number_of_cells_has_all_pairs_of_levels(table):
    torture = table.torture
    cells, design = (torture.choose_cells(count, torture.LEVELS) for count in (60, 1))
    assert cells == torture.choose_cells(60, torture.LEVELS)
    assert len(set(cells)) == 60
    assert [cell.cost for cell in cells] == sorted(cell.cost for cell in cells)
    assert set(design) <= set(cells)
    for a, b in itertools.combinations(torture.LEVELS, 2):
        met = {(getattr(cell, a), getattr(cell, b)) for cell in design}
        assert met == set(itertools.product(torture.LEVELS[a], torture.LEVELS[b]))


def test_a_run_continues_where_it_stopped(table, tmp_path):
    safety, path = table.safety, tmp_path / "fits.jsonl"
    cells = [table.torture.Cell(20, 1, q, "normal", "linear", "normal", "grouped") for q in (1, 5)]
    todo = list(safety.missing_fits(cells, 1, ["joint"], []))
    safety.fit_all(todo[:1], path, {"commit": "abc"}, np.inf)
    assert list(safety.missing_fits(cells, 1, ["joint"], safety.read(path))) == todo[1:]
    (verdict,) = safety.verdicts_of(safety.read(path)).values()
    assert not verdict.error
    assert np.isfinite([verdict.above_trivial, verdict.above_truth]).all()


def test_the_trivial_models_are_near_the_truth_where_they_are_true(table):
    """1000 rows: a normal of five outputs costs q (q + 3) / 4n = .01 nats, a line of one input q / 2n = .0025 more."""
    torture, safety = table.torture, table.safety
    for signal, name in {"none": "marginal", "linear": "linear"}.items():
        cell = torture.Cell(1000, 1, 5, "normal", signal, "normal", "independent")
        train, test = torture.draw_training_rows(cell, 0), torture.draw_test_rows(cell, 0, 2000)
        figures = safety.reference_figures(train, test)
        assert figures[name] - figures["truth"] == pytest.approx(0.01, abs=0.02)
