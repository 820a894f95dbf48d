"""`condensity.testing`: our estimators keep what it asks, wrappers by outsiders can, and a broken promise is found and named."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.linear_model import LinearRegression
from sklearn.utils.validation import check_is_fitted, validate_data

from condensity.testing import CHECKS, check_density_estimator
from registry import QUICK


@pytest.mark.parametrize("name", QUICK)
def test_our_estimators_keep_their_promises(name):
    check_density_estimator(clone(QUICK[name]).set_params(n_components=2))


class Normals:
    """Rows of normals, as an outsider would write them with scipy."""

    def __init__(self, means, scale):
        self.frozen = stats.norm(means, scale)
        self.column = stats.norm(means[:, None], scale)

    def __len__(self):
        return len(self.frozen.mean())

    def __getattr__(self, verb):
        def ask(values):
            return getattr(self.frozen if np.shape(values) == (len(self),) else self.column, verb)(values)

        return ask

    def mean(self):
        return self.frozen.mean()

    def std(self):
        return self.frozen.std()

    def ppf(self, levels):
        return self.column.ppf(levels)

    def interval(self, level):
        return self.ppf([0.5 - level / 2, 0.5 + level / 2])

    def sample(self, n_samples, random_state=None):
        return self.column.rvs((len(self), n_samples), random_state=random_state)


class NormalRegressor(RegressorMixin, BaseEstimator):
    """A line with normal noise; `fault` breaks one promise."""

    def __init__(self, fault=None):
        self.fault = fault

    def fit(self, X, y):
        X, y = validate_data(self, X, y)
        self.line_ = LinearRegression().fit(X, y)
        self.scale_ = np.std(y - self.line_.predict(X))
        return None if self.fault == "fit" else self

    def predict_dist(self, X):
        if self.fault != "clone":
            check_is_fitted(self)
        elif not hasattr(self, "line_"):
            return None
        means = self.line_.predict(
            X if self.fault == "bad inputs" and X.shape[1] == 2 else validate_data(self, X, reset=False)
        )
        return FAULTY.get(self.fault, Normals)(0.0 * means if self.fault == "dependence" else means, self.scale_)

    def predict(self, X):
        return self.predict_dist(X).mean()

    def sample(self, X, n_samples=1, random_state=None):
        return self.predict_dist(X).sample(n_samples, 0 if self.fault == "seeds" else random_state)

    def score_samples(self, X, y):
        return self.predict_dist(X).logpdf(y)

    def score(self, X, y):
        return self.score_samples(X, y).mean()


class ShiftedDraws(Normals):
    def sample(self, n_samples, random_state=None):
        return super().sample(n_samples, random_state) + 0.1 * self.std()[:, None]


class Unnormalised(Normals):
    def pdf(self, values):
        return np.exp(self.logpdf(values))

    def logpdf(self, values):
        return self.__getattr__("logpdf")(values) + 0.1


class WrongQuantiles(Normals):
    def ppf(self, levels):
        return super().ppf(levels) * 1.01


FAULTY = {"draws": ShiftedDraws, "density integrates": Unnormalised, "quantiles": WrongQuantiles}


def test_an_outsiders_estimator_passes():
    check_density_estimator(NormalRegressor())


@pytest.mark.parametrize("fault", ["fit", "clone", "quantiles", "density integrates", "draws", "seeds", "dependence"])
def test_a_broken_promise_is_found_and_named(fault):
    with pytest.raises(Exception) as caught:  # noqa: PT011 # an estimator that is not fitted fails in its own way
        check_density_estimator(NormalRegressor(fault))
    assert f"in the check {fault!r}" in caught.value.__notes__[0]


def test_checks_can_be_left_out_by_name():
    check_density_estimator(NormalRegressor("seeds"), skip=["seeds"])
    with pytest.raises(ValueError, match="skip names"):
        check_density_estimator(NormalRegressor(), skip=["nothing"])
    assert all(check.__doc__ for check in CHECKS.values())
