"""outside='warn': a test of the batch that keeps its false-alarm rate, and finds shifts that no single row shows."""

import numpy as np
import pytest
from scipy import stats

from condensity import JointGMMRegressor, Mixture, TransformedMixture
from condensity.distributions.transforms import Log
from condensity.models.batch_test import FALSE_ALARM, SHARES, judge

DRAWS = {
    "normal": lambda rng, n: -0.5 * stats.chi2.rvs(3, size=n, random_state=rng),
    "heavy": lambda rng, n: -(stats.cauchy.rvs(size=n, random_state=rng) ** 2),
    "bounded": lambda rng, n: rng.random(n),
    "ties": lambda rng, n: -rng.integers(0, 5, n).astype(float),
}


@pytest.mark.trap(90)
@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("m", [30, 300])
def test_clean_batches_are_told_of_at_the_stated_rate_at_most(kind, m):
    """600 calibrations, each with a batch of 1, 30 or 500 rows: three standard errors of the rate are .027."""
    rng = np.random.default_rng(0)
    alarms = sum(
        judge(DRAWS[kind](rng, n), np.sort(DRAWS[kind](rng, m))) is not None for n in (1, 30, 500) for _ in range(200)
    )
    assert alarms / 600 <= FALSE_ALARM + 0.027


@pytest.mark.trap(90)
def test_clean_batches_of_fitted_models_too():
    rng, alarms = np.random.default_rng(0), 0
    for seed in range(8):
        X = rng.normal(size=(200, 2))
        model = JointGMMRegressor(1, random_state=seed, fallback=None).fit(X, X[:, 0] + rng.normal(size=200))
        for n in (1, 40, 400) * 4:
            scores = model.support_.density.scores(model.encoder_.standardize(rng.normal(size=(n, 2))))
            alarms += judge(scores, model.support_.scores) is not None
    assert alarms / 96 <= FALSE_ALARM + 0.067  # three standard errors


@pytest.mark.trap(90)
@pytest.mark.parametrize(
    "change", [lambda X: X + 1.0, lambda X: 1.5 * X, lambda X: np.where(np.arange(len(X))[:, None] % 5, X, X + 2.5)],
    ids=["shifted", "spread", "a fifth shifted"],
)  # fmt: skip
def test_shifts_of_many_rows_are_found_although_none_is_far(change):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    model = JointGMMRegressor(1, random_state=0, fallback=None).fit(X, X[:, 0] + rng.normal(size=len(X)))
    batch = change(rng.normal(size=(500, 2)))
    with pytest.warns(UserWarning, match=r"of 500 rows .* rarer than .*extrapolation.*False alarms: 5% of batches"):
        model.predict_dist(batch, outside="warn")
    with pytest.raises(ValueError, match="extrapolation"):
        model.predict_dist(batch, outside="raise")


@pytest.mark.trap(90)
def test_one_absurd_row_is_found_in_a_large_batch_or_alone():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    model = JointGMMRegressor(1, random_state=0, fallback=None).fit(X, X[:, 0] + rng.normal(size=len(X)))
    for n in (1, 1000):
        batch = rng.normal(size=(n, 2))
        batch[0] = 1e6
        with pytest.warns(UserWarning, match=f"1 of {n} rows of X, the first of them row 0, are far rarer"):
            model.predict_dist(batch, outside="warn")


def test_the_number_of_rare_rows_is_beta_binomial():
    rng = np.random.default_rng(1)
    m, n, k = 99, 50, int(SHARES[2] * 100)
    counts = [int((rng.random(n) < np.sort(rng.random(m))[k - 1]).sum()) for _ in range(4000)]
    expected = stats.betabinom(n, k, m + 1 - k)
    assert np.mean(counts) == pytest.approx(expected.mean(), abs=4 * expected.std() / np.sqrt(4000))
    assert np.var(counts) == pytest.approx(expected.var(), rel=0.15)


@pytest.mark.trap(91)
def test_quantiles_of_a_defective_distribution_invert_its_distribution_function():
    base = Mixture(weights=[[0.5, 0.5]] * 3, means=[[-1.0, 2.0]] * 3, scales=[[0.5, 1.0]] * 3).gated(
        np.array([0.0, np.log(0.3), -1e4])
    )
    for dist in (base, TransformedMixture(base, Log())):
        levels = np.array([0.05, 0.29, 0.31, 0.9])
        found = dist.ppf(levels)
        np.testing.assert_array_equal(np.isnan(found), [[False] * 4, [False, False, True, True], [True] * 4])
        np.testing.assert_allclose(dist[:1].cdf(found[:1]), levels[None], rtol=1e-9)
        np.testing.assert_allclose(dist[1:2].cdf(found[1:2, :2]), levels[None, :2], rtol=1e-9)
        assert dist.quantile(0.05).shape == (3,)
        np.testing.assert_array_equal(dist.ppf(np.tile(levels, (3, 1))), found)
        for verb in ("mean", "interval", "median"):
            with pytest.raises(ValueError, match=rf"^{verb} needs every row's mass to be 1.*normalized\(\)\.{verb}"):
                getattr(dist, verb)()
