"""What every estimator owes on every kind of table and on every scale of y: the members of `registry`, each with each."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from condensity import AbstractDensityRegressor, load, predict_dist
from registry import QUICK, TABLES, TARGET, TRANSFORMS, first_rows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
QUANTILES = [0.05, 0.5, 0.95]


def quick(name, transform):
    """An estimator of few components and few iterations, on a scale of y."""
    estimator = clone(QUICK[name]).set_params(n_components=2, y_transform=TRANSFORMS[transform].y_transform)
    return estimator.set_params(max_iter=8) if name == "MDN" else estimator


@pytest.fixture(scope="module", params=TRANSFORMS)
def transform(request):
    return request.param


@pytest.fixture(scope="module", params=TABLES)
def table(request):
    return TABLES[request.param]


@pytest.fixture(scope="module", params=QUICK)
def fitted(request, table, transform):
    return quick(request.param, transform).fit(table, TARGET)


def test_what_is_learned(fitted, table):
    check_is_fitted(fitted)
    assert isinstance(fitted, AbstractDensityRegressor)
    assert fitted.n_features_in_ == table.shape[1]
    assert hasattr(fitted, "feature_names_in_") == (not isinstance(table, np.ndarray))
    assert fitted.target_names_ == ["y"]
    assert isinstance(fitted.converged_, bool)
    assert fitted.outcome_.endswith(".")
    assert fitted.n_iter_ >= 1
    assert fitted.history_
    assert all(str(finding) for finding in fitted.health_)


def test_the_distribution_is_one(fitted, table, transform):
    case, dist = TRANSFORMS[transform], fitted.predict_dist(table)
    assert len(dist) == len(TARGET)
    assert_allclose(dist.mass, 1.0, rtol=1e-12)
    quantiles = dist.ppf(QUANTILES)
    assert quantiles.shape == (len(TARGET), 3)
    assert (np.diff(quantiles, axis=1) > 0).all()
    assert ((case.low < quantiles) & (quantiles < case.high)).all()
    assert_allclose(dist.cdf(quantiles), np.broadcast_to(QUANTILES, quantiles.shape), rtol=1e-9)
    assert np.isfinite(dist.logpdf(TARGET)).all()


def test_verbs_agree_with_the_distribution(fitted, table):
    dist = fitted.predict_dist(table)
    assert_array_equal(fitted.predict(table), dist.mean())
    assert_array_equal(fitted.predict_quantiles(table, QUANTILES), dist.ppf(QUANTILES))
    assert_array_equal(fitted.predict_interval(table, 0.8), dist.interval(0.8))
    assert_array_equal(fitted.score_samples(table, TARGET), dist.logpdf(TARGET))
    assert fitted.score(table, TARGET) == pytest.approx(dist.logpdf(TARGET).mean(), rel=1e-12)


def test_draws_are_those_of_the_seed(fitted, table, transform):
    case, draws = TRANSFORMS[transform], fitted.sample(table, 5, random_state=3)
    assert draws.shape == (len(TARGET), 5)
    assert ((case.low <= draws) & (draws <= case.high)).all()
    assert_array_equal(fitted.sample(table, 5, random_state=3), draws)


def test_support_is_a_p_value(fitted, table):
    p = fitted.support(table)
    assert ((p > 0) & (p <= 1)).all()
    mass = fitted.predict_dist(table, outside="deficient").mass
    assert ((mass >= 0) & (mass <= 1)).all()


def test_a_row_alone_is_the_row_in_the_table(fitted, table):
    alone, together = fitted.predict_dist(first_rows(table, 3)), fitted.predict_dist(table)[:3]
    # Products of matrices of other sizes may round differently.
    assert_allclose(alone.ppf(QUANTILES), together.ppf(QUANTILES), rtol=1e-10)


def test_a_pipeline_gives_the_same_distribution(fitted, table):
    got = predict_dist(make_pipeline("passthrough", fitted), table)
    assert_array_equal(got.ppf(QUANTILES), fitted.predict_dist(table).ppf(QUANTILES))


def test_files_and_pickles_hold_all_of_it(fitted, table, transform, tmp_path):
    copies = [pickle.loads(pickle.dumps(fitted))]
    if TRANSFORMS[transform].can_be_saved:
        copies.append(load(fitted.save(tmp_path / "m")))
    else:
        with pytest.raises(TypeError, match="y_transform"):
            fitted.save(tmp_path / "m")
    for copy in copies:
        assert_array_equal(copy.predict_quantiles(table, QUANTILES), fitted.predict_quantiles(table, QUANTILES))
        assert_array_equal(copy.support(table), fitted.support(table))
        assert copy.outcome_ == fitted.outcome_


def test_a_clone_is_unfitted_and_becomes_the_same_model(fitted, table):
    copy = clone(fitted)
    with pytest.raises(NotFittedError):
        copy.predict_dist(table)
    assert_array_equal(copy.fit(table, TARGET).predict(table), fitted.predict(table))
