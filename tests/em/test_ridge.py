"""Scores of shrunk covariances by ridge regression, against the mixture itself and against the ridge of scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from condensity import em
from condensity.em.ridge import ridge_log_density


def weighted_table(n, d, q, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, d + q))
    z[:, d] += z[:, 0]
    weight = rng.uniform(0.5, 1.5, n)
    return z / z.std(axis=0), weight / weight.mean(), rng.standard_normal((20, d + q))


@pytest.mark.parametrize(("n", "d", "q"), [(60, 5, 1), (40, 80, 1), (50, 60, 3)])
@pytest.mark.parametrize("shrinkage", [0.1, 0.5, 1.0])
def test_ridge_regression_is_the_conditional_of_shrunk_covariances(n, d, q, shrinkage):
    z, weight, held_out = weighted_table(n, d, q)
    spec = em.CovarianceSpec("full", shrinkage=shrinkage)
    fit = em.fit_gmm(z, 1, np.random.default_rng(0), sample_weight=weight, spec=spec)
    mixture = em.held_out_scores(fit.parameters, spec, held_out, d)
    # They differ by s₀/n = 1e-4 times the variation of the columns' variances.
    np.testing.assert_allclose(ridge_log_density(spec, z, weight, held_out, d, [shrinkage])[0], mixture, atol=2e-3)


def test_the_mean_of_shrunk_covariances_is_that_of_ridge_regression():
    z, _, held_out = weighted_table(40, 80, 1)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    fit = em.fit_gmm(z, 1, np.random.default_rng(0), spec=em.CovarianceSpec("full", 0.0, 0.0, shrinkage=0.3))
    mean = em.conditional(fit.parameters, range(80), [80], held_out[:, :80]).means[:, 0]
    ridge = Ridge(alpha=40 * 0.3 / 0.7).fit(z[:, :80], z[:, 80])
    np.testing.assert_allclose(mean, ridge.predict(held_out[:, :80]), atol=1e-10)


def test_rows_that_lack_y_have_no_score_and_missing_inputs_count_as_the_mean():
    z, weight, held_out = weighted_table(60, 5, 1)
    gappy, centred = held_out.copy(), held_out.copy()
    gappy[0, 5], gappy[1, 2] = np.nan, np.nan
    centred[1, 2] = np.average(z[:, 2], weights=weight)
    spec = em.CovarianceSpec()
    found, full = (ridge_log_density(spec, z, weight, rows, 5, [0.2])[0] for rows in (gappy, centred))
    assert np.isnan(found).tolist() == [True] + [False] * 19
    np.testing.assert_allclose(found[1:], full[1:], rtol=1e-12)
