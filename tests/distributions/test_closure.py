"""Predictions with a transform are distributions like others: they are summarised, mixed, stacked and gated."""

import numpy as np
import pytest

from condensity import Mixture, TransformedMixture, scores
from condensity.distributions import Distribution
from condensity.distributions.transforms import FunctionTransform, Log, Logit

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 1))
U = X[:, 0] + 0.4 * RNG.normal(size=300)
Y = np.exp(U)


@pytest.fixture
def logged(model):
    """Every estimator in turn, fitted to logarithms."""
    return model.set_params(y_transform="log").fit(X, Y)


def test_components_of_transformed_predictions_are_in_units_of_y(logged):
    dist = logged.predict_dist(X)
    weights, centers, widths = dist.component_summary()
    np.testing.assert_array_equal(weights, dist.base.weights)
    np.testing.assert_array_equal(centers, np.exp(dist.base.means))
    ends = np.exp(dist.base.means - dist.base.scales), np.exp(dist.base.means + dist.base.scales)
    np.testing.assert_allclose(widths, 0.5 * (ends[1] - ends[0]), rtol=1e-12)
    frame = dist[:2].to_frame()
    assert list(frame.columns) == ["row", "component", "weight", "center", "width"]
    np.testing.assert_array_equal(frame["center"], centers[:2].ravel())


def test_widths_of_falling_maps_are_positive():
    falling = FunctionTransform(lambda y: 1.0 / y, lambda u: 1.0 / u, rises=False)
    dist = TransformedMixture(Mixture(weights=[[1.0]], means=[[2.0]], scales=[[0.5]]), falling)
    assert dist.component_summary().widths[0, 0] == pytest.approx(0.5 * (1 / 1.5 - 1 / 2.5), rel=1e-12)


def test_transformed_predictions_mix_and_stack(logged):
    near, prior = logged.predict_dist(X), logged.predict_dist(X + 5.0, outside="prior")
    for mix in (Mixture.mix, TransformedMixture.mix, Distribution.mix):
        mixed = mix([near, prior], [0.5, 0.5])
        assert isinstance(mixed, TransformedMixture)
        np.testing.assert_allclose(mixed.pdf(Y), 0.5 * near.pdf(Y) + 0.5 * prior.pdf(Y), rtol=1e-12)
        np.testing.assert_allclose(mixed.mean(), 0.5 * near.mean() + 0.5 * prior.mean(), rtol=1e-12)
        assert np.isfinite(mixed.crps(Y)).all()
    both = Distribution.concatenate([near, prior])
    np.testing.assert_array_equal(both.logpdf(np.append(Y, Y)), np.append(near.logpdf(Y), prior.logpdf(Y)))


def test_weights_of_a_stack_may_differ_by_row(logged):
    near, prior = logged.predict_dist(X), logged.predict_dist(X + 5.0, outside="prior")
    share = RNG.dirichlet([1.0, 1.0], len(X))
    mixed = Distribution.mix([near, prior], share)
    np.testing.assert_allclose(mixed.cdf(Y), share[:, 0] * near.cdf(Y) + share[:, 1] * prior.cdf(Y), rtol=1e-12)


@pytest.mark.parametrize("verb", ["mean", "var", "std", "cov", "median", "entropy", "mode", "modes", "interval"])
def test_a_refusal_names_the_verb_that_was_called(logged, verb):
    far = logged.predict_dist([[100.0]], outside="deficient")
    with pytest.raises(ValueError, match=rf"^{verb} needs every row's mass to be 1; .* Call normalized\(\)\.{verb} to"):
        getattr(far, verb)()


def test_the_known_part_of_a_falling_map_has_a_distribution_function():
    falling = FunctionTransform(np.negative, np.negative, rises=False)
    dist = TransformedMixture(Mixture(weights=[[0.5]], means=[[0.0]], scales=[[1.0]]), falling)
    np.testing.assert_allclose(dist.cdf([[-50.0, 0.0, 50.0]])[0], [0.0, 0.25, 0.5], atol=1e-12)
    with pytest.raises(ValueError, match=r"^sf needs every row's mass"):
        dist.sf(0.0)


def test_parts_of_different_kinds_are_refused_in_a_sentence():
    base = Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]])
    words = r"^parts must be of one kind, with one and the same transform; got Mixture, TransformedMixture \('log'\)\. Fit all"
    with pytest.raises(ValueError, match=words):
        Mixture.mix([base, TransformedMixture(base, Log())])
    with pytest.raises(
        ValueError, match=r"got TransformedMixture \('log'\), TransformedMixture \('logit'\)\. .*target_\.transform"
    ):
        Mixture.mix([TransformedMixture(base, Log()), TransformedMixture(base, Logit())])


def test_scores_take_every_kind(logged):
    dist = logged.predict_dist(X)
    for score in (scores.log_score, scores.crps, scores.energy_score, scores.interval_score):
        assert np.isfinite(score(dist, Y)).all()
