"""The promises of an estimator of conditional densities, as a test for estimators of your own.

`check_density_estimator` asks of any estimator what the tests here ask of ours. It complements scikit-learn's `check_estimator`,
which asks nothing of densities.
"""

import pickle
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import has_fit_parameter

__all__ = ["CHECKS", "check_density_estimator"]

N_ROWS = 200
LEVELS = np.array([0.01, 0.1, 0.5, 0.9, 0.99])

#: A quantile is met to this in probability, and a density integrates to its distribution function.
PROBABILITY_ERROR = 1e-6

#: Standard errors of a mean of draws: passed by chance in all but 6e-7 of rows.
MAX_STANDARD_ERRORS = 5.0


@dataclass(frozen=True)
class Case:
    """An estimator to check, and the rows that it was fitted to.

    Attributes
    ----------
    estimator : BaseEstimator
        Unfitted.
    fitted : BaseEstimator
        A clone, fitted to X and y.
    X : ndarray (n, 2)
    y : ndarray (n,)
        2 x₀ + ε, where the spread of ε grows with x₁.
    """

    estimator: Any
    fitted: Any
    X: np.ndarray
    y: np.ndarray

    def refit(self, *args: object, **kwargs: object) -> Any:
        """Fit another clone, with the `args` and `kwargs` of `fit`."""
        return clone(self.estimator).fit(*args, **kwargs)


def check_density_estimator(estimator: BaseEstimator, *, skip: Sequence[str] = ()) -> None:
    """Check that an estimator of p(y | x) keeps what the estimators here promise, for one output.

    It must have `fit(X, y)`, `predict`, `predict_dist`, `sample`, `score_samples` and `score`. What `predict_dist` returns must
    have a length, `pdf`, `logpdf`, `cdf`, `ppf`, `mean`, `std`, `interval` and `sample`, in units of y. Sample weights,
    `random_state`, `save` and column names are checked where there are such things.

    Parameters
    ----------
    estimator : BaseEstimator
        Unfitted, or fitted: clones are used. Give it few iterations; it is fitted some ten times to 200 rows of two columns.
    skip : sequence of str
        Names of `CHECKS` to leave out.

    Raises
    ------
    AssertionError
        With what was promised and what came; a note names the check.
    ValueError
        If `skip` names no check.

    Examples
    --------
    >>> from condensity import JointGMMRegressor
    >>> from condensity.testing import check_density_estimator
    >>> check_density_estimator(JointGMMRegressor(2, random_state=0))
    """
    unknown = sorted(set(skip) - set(CHECKS))
    if unknown:
        raise ValueError(f"skip names {unknown}, which are no checks; the checks are {sorted(CHECKS)}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        case = make_case(estimator)
        for name, check in CHECKS.items():
            if name not in skip:
                _run(name, check, case)


def make_case(estimator: BaseEstimator) -> Case:
    """Fit a clone of the estimator to 200 rows, always the same."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1.0, 1.0, (N_ROWS, 2))
    y = 2.0 * X[:, 0] + (0.2 + 0.1 * X[:, 1]) * rng.normal(size=N_ROWS)
    unfitted, fitted = clone(estimator), clone(estimator)
    fitted.fit(X, y)
    return Case(unfitted, fitted, X, y)


def _run(name: str, check: Callable[[Case], None], case: Case) -> None:
    try:
        check(case)
    except Exception as error:
        error.add_note(f"in the check {name!r} of {case.estimator!r}")
        raise


# ------------------------------------------------------------------------------------------------------ the estimator
def check_clone(case: Case) -> None:
    """A clone of the case's fitted estimator has its parameters and is not fitted; asking it is a `NotFittedError`."""
    copy = clone(case.fitted)
    assert repr(copy.get_params()) == repr(case.estimator.get_params()), "fit changed the parameters"
    _expect(NotFittedError, lambda: copy.predict_dist(case.X), "predict_dist of an unfitted estimator")
    _expect(NotFittedError, lambda: copy.predict(case.X), "predict of an unfitted estimator")


def check_fit(case: Case) -> None:
    """`fit` returns the estimator of the case, counts the columns, and writes to none of its arguments."""
    X, y = case.X.copy(), case.y.copy()
    estimator = clone(case.estimator)
    assert estimator.fit(X, y) is estimator, "fit must return self"
    assert estimator.n_features_in_ == X.shape[1]
    assert_array_equal(X, case.X, "fit wrote to X")
    assert_array_equal(y, case.y, "fit wrote to y")


def check_bad_inputs(case: Case) -> None:
    """Other columns than in the fit of the case, and targets that are not finite, are a `ValueError`."""
    _expect(ValueError, lambda: case.fitted.predict_dist(case.X[:, :1]), "predict_dist with a column less than in fit")
    y = case.y.copy()
    y[3] = np.inf
    _expect(ValueError, lambda: case.refit(case.X, y), "an infinite target in fit")


def check_repeated_fits(case: Case) -> None:
    """With an integer `random_state`, two fits to the rows of the case give the same density to the bit."""
    if "random_state" in case.estimator.get_params():
        one, other = (
            clone(case.estimator).set_params(random_state=7).fit(case.X, case.y).score_samples(case.X, case.y)
            for _ in range(2)
        )
        assert_array_equal(one, other, "two fits with one random_state differ")


def check_names(case: Case) -> None:
    """Column names of the case as a pandas table are kept, and other names at predict are a `ValueError`."""
    if find_spec("pandas") is None:
        return
    import pandas as pd

    frame = pd.DataFrame(case.X, columns=["first", "second"])
    named = case.refit(frame, case.y)
    assert list(named.feature_names_in_) == ["first", "second"]
    _expect(
        ValueError,
        lambda: named.predict_dist(frame.rename(columns={"second": "other"})),
        "other column names than in fit",
    )


def check_weights(case: Case) -> None:
    """Equal weights of the case's rows equal none, and only ratios count; `score` is the weighted mean of `score_samples`."""
    if not has_fit_parameter(case.estimator, "sample_weight"):
        return
    weight = np.linspace(0.5, 1.5, N_ROWS)
    scores = case.fitted.score_samples(case.X, case.y)
    assert_allclose(case.fitted.score(case.X, case.y, weight), np.average(scores, weights=weight), rtol=1e-9)
    seeded = clone(case.estimator)
    if "random_state" in seeded.get_params():
        seeded.set_params(random_state=7)

    def fitted_scores(sample_weight: np.ndarray | None) -> np.ndarray:
        return clone(seeded).fit(case.X, case.y, sample_weight=sample_weight).score_samples(case.X, case.y)

    assert_allclose(
        fitted_scores(np.full(N_ROWS, 4.0)), fitted_scores(None), rtol=1e-6, err_msg="equal weights change the fit"
    )
    assert_allclose(
        fitted_scores(4.0 * weight), fitted_scores(weight), rtol=1e-6, err_msg="the sum of weights changes the fit"
    )


def check_dependence(case: Case) -> None:
    """The density of held-out rows of the case is higher than that of one normal for all: the model uses X, row by row."""
    fresh, target = case.X[::2], case.y[::2]
    model = case.refit(case.X[1::2], case.y[1::2])
    spread = case.y[1::2].std()
    marginal = -0.5 * np.mean((target - case.y[1::2].mean()) ** 2) / spread**2 - np.log(spread * np.sqrt(2 * np.pi))
    assert model.score(fresh, target) > marginal, "no better than a normal that ignores X, where y is nearly 2 x₀"


# --------------------------------------------------------------------------------------------------- the distribution
def check_shapes(case: Case) -> None:
    """Results for the n rows of the case are (n,) for one number per row, (n, m) for m points, levels or draws per row."""
    n, dist = len(case.X), case.fitted.predict_dist(case.X)
    assert len(dist) == n
    points = np.linspace(-1.0, 1.0, 3)
    for verb in ("pdf", "logpdf", "cdf"):
        assert np.shape(getattr(dist, verb)(case.y)) == (n,), f"{verb} of one point a row"
        assert np.shape(getattr(dist, verb)(points[None, :])) == (n, 3), f"{verb} on a grid"
    assert np.shape(dist.ppf(LEVELS)) == (n, len(LEVELS))
    assert np.shape(dist.mean()) == np.shape(dist.std()) == np.shape(case.fitted.predict(case.X)) == (n,)
    assert np.shape(dist.interval(0.9)) == (n, 2)
    assert np.shape(dist.sample(4, random_state=0)) == np.shape(case.fitted.sample(case.X, 4, random_state=0)) == (n, 4)
    assert np.shape(case.fitted.score_samples(case.X, case.y)) == (n,)
    assert np.isfinite(case.fitted.score(case.X, case.y))


def check_scores(case: Case) -> None:
    """`score_samples` is the log density of the rows of the case, `score` its mean, and `pdf` its exponential."""
    dist = case.fitted.predict_dist(case.X)
    log_density = dist.logpdf(case.y)
    assert_allclose(case.fitted.score_samples(case.X, case.y), log_density, rtol=1e-9)
    assert_allclose(case.fitted.score(case.X, case.y), log_density.mean(), rtol=1e-9)
    assert_allclose(dist.pdf(case.y), np.exp(log_density), rtol=1e-9)


def check_quantiles(case: Case) -> None:
    """Quantiles for the rows of the case rise with the level and invert the distribution function."""
    dist = case.fitted.predict_dist(case.X)
    quantiles = dist.ppf(LEVELS)
    assert (np.diff(quantiles, axis=1) > 0).all(), "quantiles do not rise with the level"
    assert_allclose(dist.cdf(quantiles), np.broadcast_to(LEVELS, quantiles.shape), atol=PROBABILITY_ERROR)
    assert_allclose(dist.interval(0.8), quantiles[:, [1, 3]], rtol=1e-6, atol=PROBABILITY_ERROR)


def check_density_integrates(case: Case) -> None:
    """The density for rows of the case integrates to 1, by Gauss–Legendre between 41 quantiles: nearly all of the mass."""
    dist = case.fitted.predict_dist(case.X[:20])
    ends = dist.ppf(np.concatenate([[1e-7], np.linspace(0.0, 1.0, 41)[1:-1], [1.0 - 1e-7]]))
    nodes, weights = np.polynomial.legendre.leggauss(30)
    center, half = (ends[:, 1:] + ends[:, :-1]) / 2, np.diff(ends, axis=1) / 2
    points = center[:, :, None] + half[:, :, None] * nodes
    density = dist.pdf(points.reshape(len(ends), -1)).reshape(points.shape)
    assert_allclose(
        ((density @ weights) * half).sum(axis=1), 1.0, atol=1e-4, err_msg="the density does not integrate to 1"
    )


def check_draws(case: Case) -> None:
    """Draws for rows of the case have the distribution: on average their probabilities are ½, and their means are its means."""
    dist, count = case.fitted.predict_dist(case.X[:20]), 4000
    draws = dist.sample(count, random_state=0)
    allowed = MAX_STANDARD_ERRORS / np.sqrt(count)
    assert_allclose(
        dist.cdf(draws).mean(axis=1), 0.5, atol=allowed / np.sqrt(12.0), err_msg="draws are not of the distribution"
    )
    assert (np.abs(draws.mean(axis=1) - dist.mean()) <= allowed * dist.std()).all(), "draws have another mean"


def check_seeds(case: Case) -> None:
    """For the rows of the case one `random_state` gives the same draws, another one others, and NumPy's generator stays put."""
    before = np.random.get_state()  # noqa: NPY002
    one, same, other = (case.fitted.sample(case.X, 3, random_state=seed) for seed in (1, 1, 2))
    assert_array_equal(one, same, "one random_state gives two samples")
    assert (one != other).any(), "random_state is ignored"
    for left, right in zip(before, np.random.get_state(), strict=True):  # noqa: NPY002
        assert_array_equal(left, right, "the global generator was moved")


def check_rows(case: Case) -> None:
    """The distribution for a row of the case does not depend on the rows around it."""
    order = np.random.default_rng(0).permutation(N_ROWS)[:50]
    whole = case.fitted.predict_dist(case.X).ppf(LEVELS)[order]
    assert_allclose(case.fitted.predict_dist(case.X[order]).ppf(LEVELS), whole, rtol=1e-6, atol=1e-9)


def check_copies(case: Case) -> None:
    """A pickle of the case's fitted estimator, and a file where there is `save`, predict what it predicts, to the bit."""
    expected = case.fitted.predict_dist(case.X).ppf(LEVELS)
    assert_array_equal(pickle.loads(pickle.dumps(case.fitted)).predict_dist(case.X).ppf(LEVELS), expected)
    if hasattr(case.fitted, "save"):
        from condensity import load

        with tempfile.TemporaryDirectory() as folder:
            copy = load(case.fitted.save(Path(folder) / "model"))
        assert_array_equal(copy.predict_dist(case.X).ppf(LEVELS), expected)


def _expect(kind: type[Exception], call: Callable[[], object], what: str) -> None:
    """Assert that a call raises an exception of a kind."""
    try:
        call()
    except kind:
        return
    raise AssertionError(f"{what} must be a {kind.__name__}; nothing was raised")


#: Name → check, in the order in which they run.
CHECKS: dict[str, Callable[[Case], None]] = {
    "clone": check_clone,
    "fit": check_fit,
    "bad inputs": check_bad_inputs,
    "shapes": check_shapes,
    "scores": check_scores,
    "quantiles": check_quantiles,
    "density integrates": check_density_integrates,
    "draws": check_draws,
    "seeds": check_seeds,
    "rows": check_rows,
    "copies": check_copies,
    "names": check_names,
    "weights": check_weights,
    "repeated fits": check_repeated_fits,
    "dependence": check_dependence,
}
