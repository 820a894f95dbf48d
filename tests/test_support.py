"""The density of the inputs, its p-values and its gate: against nominal levels, exact densities and plain counting."""

import numpy as np
import pytest
from scipy import stats

from condensity import em, support
from condensity.compute import Compute
from condensity.engines.types import TrainingRows
from condensity.evaluation.selection import sweep
from condensity.models import InputDensity
from condensity.support import GATE_COST, calibrated, calibration_scores, fit_support, why_unavailable


def even(n, rng):
    return rng.uniform(-1.7, 1.7, (n, 1))


def circle(n, rng):
    angle, radius = rng.uniform(0, 2 * np.pi, n), rng.normal(1.4, 0.35, n)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def heavy(n, rng):
    return rng.standard_t(3, (n, 4))


SOURCES = {"even": even, "circle": circle, "heavy tails": heavy}


def fit(x, seed=0, **options):
    rows = TrainingRows(x, x[:, :1], np.ones(len(x)))
    return fit_support(rows, np.ones(x.shape[1], dtype=bool), np.random.default_rng(seed), **options)


@pytest.fixture(scope="module")
def known():
    return fit(circle(600, np.random.default_rng(0)))


# ------------------------------------------------------------------------------------------------ p-values
@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("n", [150, 600])
def test_false_alarms_keep_their_level(name, n):
    """P(p ≤ α) ≤ α on fresh rows, pooled over seeds; the bound is four standard errors of beta-binomial counts."""
    n_seeds, n_fresh = 10, 2000
    p = []
    for seed in range(n_seeds):
        rng = np.random.default_rng([seed, n])
        p.append(fit(SOURCES[name](n, rng), seed).p_values(SOURCES[name](n_fresh, rng)))
    for alpha in (0.01, 0.05, 0.1, 0.3):
        k = np.floor(alpha * (n + 1))
        error = np.sqrt(stats.betabinom(n_fresh, k, n + 1 - k).var() / n_seeds) / n_fresh
        assert np.mean(np.array(p) <= alpha) <= alpha + 4 * error


def test_held_out_rows_calibrate_exactly():
    """With a density that has nothing to do with the data, p-values of fresh rows are uniform on k / (m + 1)."""
    rng = np.random.default_rng(1)
    alien = em.GaussianMixtureParameters(np.ones(1), np.full((1, 1), 5.0), np.ones((1, 1, 1)))
    density = InputDensity(alien, np.arange(1), em.CovarianceSpec())
    counts = np.zeros(20)
    for _ in range(300):
        scores, _ = calibration_scores(density, None, None, rng, held_out=rng.normal(size=(19, 1)))
        known = calibrated(density, scores, None, alien)
        counts += np.bincount(np.round(known.p_values(rng.normal(size=(50, 1))) * 20).astype(int) - 1, minlength=20)
    # 300 calibrations of 50 rows each are not 15 000 independent rows: a beta-binomial's variance is counted instead.
    error = np.sqrt(300 * stats.betabinom(50, 1, 19).var())
    assert np.abs(counts - 750).max() < 4 * error


def test_p_values_count_calibration_rows_by_weight():
    unit = InputDensity(
        em.GaussianMixtureParameters(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1))),
        np.arange(1),
        em.CovarianceSpec(),
    )
    x = np.array([[0.1], [-0.5], [1.0], [2.0]])
    prior = unit.parameters
    plain = calibrated(unit, unit.scores(x), None, prior)
    np.testing.assert_allclose(plain.p_values([[0.0], [0.5], [1.5], [-3.0]]), [5 / 5, 4 / 5, 2 / 5, 1 / 5])
    assert plain.min_p_value == 1 / 5
    doubled = calibrated(unit, unit.scores(x), np.array([1.0, 1, 1, 2]), prior)
    repeated = calibrated(unit, unit.scores(x[[0, 1, 2, 3, 3]]), None, prior)
    points = [[0.3], [1.2], [2.5]]
    np.testing.assert_allclose(doubled.p_values(points), repeated.p_values(points))
    np.testing.assert_allclose(doubled.log_threshold, repeated.log_threshold, atol=1e-9)


# ------------------------------------------------------------------------------------------------ the gate
@pytest.mark.parametrize("name", SOURCES)
def test_the_gate_costs_what_it_says(name):
    """Mean of 1 − g is .01 on the calibration rows, and .012 at most on fresh ones, on average over seeds."""
    costs = []
    for seed in range(25):  # the mean of 1 − g has a standard error of .003 a seed
        rng = np.random.default_rng(seed)
        known = fit(SOURCES[name](800, rng), seed)
        on_scores = 1 / (1 + np.exp(support.SHARPNESS * (known.scores - known.log_threshold)))
        assert on_scores.mean() == pytest.approx(GATE_COST, abs=1e-9)
        costs.append(np.mean(-np.expm1(known.log_gate(SOURCES[name](4000, rng)))))
    assert np.mean(costs) <= 0.012


def test_the_gate_closes_away_from_the_data_and_stays_finite(known):
    gate = known.log_gate(np.array([[1.4, 0.0], [0.0, 0.0], [5.0, 0.0], [1e100, -1e100]]))
    assert gate[0] > -1e-3
    assert (gate[1:] < -5).all()  # the hole of the circle too
    assert np.isfinite(gate).all()


# ------------------------------------------------------------------------------------------------ the density
def test_density_is_close_to_the_truth():
    rng = np.random.default_rng(0)
    known, fresh = fit(circle(3000, rng)), circle(20_000, rng)
    radius = np.hypot(*fresh.T)
    truth = stats.norm.logpdf(radius, 1.4, 0.35) - np.log(2 * np.pi * radius)
    gap = np.mean(truth - known.density.log_density(fresh))
    assert 0 < gap < 0.03  # nats; sixteen components measure .01


def test_draws_follow_the_density(known):
    """The score of draws has the density's own mean, the negative entropy: two Monte Carlo estimates of 10⁴ draws."""
    first, second = (known.density.draw(10_000, np.random.default_rng(seed)) for seed in (1, 2))
    a, b = known.density.log_density(first), known.density.log_density(second)
    assert abs(a.mean() - b.mean()) < 4 * a.std() * np.sqrt(2 / 10_000)


def test_rows_with_gaps_are_as_rare_as_they_are_among_their_like():
    """Scores of rows that lost columns at random keep the level that complete rows have."""
    rng = np.random.default_rng(3)
    known = fit(circle(2000, rng))
    fresh = circle(4000, rng)
    fresh[::2, 1] = np.nan
    p = known.p_values(fresh[::2])
    assert abs(np.mean(p <= 0.05) - 0.05) < 0.02  # 2000 draws stand for the density: ± .005, and 2000 rows ± .005
    far = np.array([[5.0, np.nan], [np.nan, np.nan]])
    assert known.p_values(far)[0] == known.min_p_value
    assert known.p_values(far)[1] > 0.2  # nothing is known of it, so nothing is strange
    np.testing.assert_array_equal(known.density.scores(fresh[1::2]), known.density.log_density(fresh[1::2]))


@pytest.mark.trap("T13")
@pytest.mark.parametrize(
    "table", ["one-hot", "duplicates", "constant", "all constant", "n < d", "two rows", "wild cell", "columns equal"]
)
def test_hard_inputs_have_finite_densities(table):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4))
    varying = np.ones(4, dtype=bool)
    if table == "one-hot":
        x = np.eye(4)[rng.integers(0, 4, 120)]
    elif table == "duplicates":
        x = np.repeat(x[:10], 12, axis=0)
    elif table == "constant":
        varying[1] = False
    elif table == "all constant":
        varying[:] = False
    elif table == "n < d":
        x, varying = rng.normal(size=(12, 25)), np.ones(25, dtype=bool)
    elif table == "two rows":
        x = x[:2]
    elif table == "wild cell":
        x[3, 2] = 1e100
    else:
        x[:, 2] = x[:, 0]
    known = fit_support(TrainingRows(x, x[:, :1], np.ones(len(x))), varying, rng)
    assert np.isfinite(known.density.log_density(x)).all()
    p = known.p_values(x)
    assert ((p > 0) & (p <= 1)).all()
    assert np.isfinite(known.log_gate(x)).all()


@pytest.mark.parametrize("d", [31, 60])
def test_many_columns_share_a_covariance_or_have_none_of_their_own(d):
    rng = np.random.default_rng(d)
    x = rng.normal(size=(400, 3)) @ rng.normal(size=(3, d)) + 0.3 * rng.normal(size=(400, d))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    known = fit(x[:200])
    assert known.density.spec.covariance_type in ("tied", "diag")
    shuffled = np.column_stack([rng.permutation(column) for column in x[200:].T])
    assert np.median(known.p_values(shuffled)) < 0.05 < np.median(known.p_values(x[200:]))


def test_too_many_columns_are_refused_in_words():
    assert why_unavailable(300) is None
    assert "301 columns" in why_unavailable(301)


def test_long_tables_hold_a_fifth_out(monkeypatch):
    monkeypatch.setattr(support, "CROSS_FIT_ROWS", 500)
    known = fit(circle(1000, np.random.default_rng(0)))
    assert len(known.scores) == 200


def test_threads_and_engines_agree():
    x = circle(700, np.random.default_rng(0))
    one, two = fit(x), fit(x, compute=Compute(n_threads=2))
    np.testing.assert_array_equal(one.scores, two.scores)
    slow = fit(x, compute=Compute("reference"))
    np.testing.assert_allclose(slow.scores, one.scores, atol=1e-6)  # the same steps, rounded otherwise


def test_a_sweep_with_patience_ends_early():
    scores = {1: 0.0, 2: 0.1, 4: 0.05, 8: 0.06, 16: 0.5}
    chosen = sweep(lambda group: [scores[size] for size in group], list(scores), patience=2)
    assert chosen.best == 2
    assert chosen.table["n_components"] == [1, 2, 4, 8]
