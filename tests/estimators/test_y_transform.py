"""Targets on another scale: densities, quantiles, draws and scores come back in units of y."""

import numpy as np
import pytest
from scipy import integrate
from sklearn.base import clone

from condensity import MDNRegressor, TransformedMixture, load
from registry import QUICK

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 1))
U = X[:, 0] + 0.4 * RNG.normal(size=300)
Y = np.exp(U)


def test_it_is_the_fit_of_the_logarithm_with_its_jacobian(model):
    plain, logged = clone(model).fit(X, U), model.set_params(y_transform="log").fit(X, Y)
    dist = logged.predict_dist(X)
    assert isinstance(dist, TransformedMixture)
    np.testing.assert_allclose(logged.score_samples(X, Y), plain.score_samples(X, U) - U, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(logged.predict_quantiles(X), np.exp(plain.predict_quantiles(X)), rtol=1e-9)
    np.testing.assert_allclose(logged.score_joint(X, Y), plain.score_joint(X, U) - U, rtol=1e-9, atol=1e-9)
    assert logged.predict(X).shape == (300,)
    assert (logged.predict(X) > 0).all()
    assert integrate.quad(lambda y: dist.pdf(y)[0], 0, np.inf, limit=500)[0] == pytest.approx(1.0, abs=1e-6)


def test_every_verb_speaks_in_units_of_y(model):
    model.set_params(y_transform="log").fit(X, Y, X_val=X[:50], y_val=Y[:50])
    assert (model.sample(X, 3, random_state=0) > 0).all()
    assert (model.sample_joint(100, random_state=0)[1] > 0).all()
    assert (model.predict_interval(X) > 0).all()
    prior = model.predict_dist([[100.0]], outside="prior")
    assert prior.median()[0] > 0
    assert model.predict_dist([[100.0]], outside="deficient").mass[0] < 1e-3
    inputs = model.predict_inputs([np.e])
    assert np.ravel(inputs.mean())[0] == pytest.approx(0.86, abs=0.25)  # E[x | u = 1] = 1 / 1.16
    if isinstance(model, MDNRegressor):
        aleatoric, epistemic = model.predict_variance_parts(X)
        np.testing.assert_allclose(aleatoric + epistemic, model.predict_dist(X).var(), rtol=1e-6)
    else:
        assert model.joint_.output_names == ["x0", "log(y)"]


def test_log_densities_of_p_x_given_y_integrate_to_one():
    model = clone(QUICK["MDN"]).set_params(y_transform="log").fit(X, Y)
    draws = model.predict_inputs([2.0])
    line = np.linspace(-6, 6, 2001)
    density = np.exp(draws.logpdf(line[None]))[0]
    assert np.trapezoid(density, line) == pytest.approx(1.0, abs=1e-3)


def test_held_out_scores_are_in_units_of_y():
    settings = {
        "n_members": 3,
        "max_iter": 40,
        "random_state": 0,
        "fallback": None,
    }  # its tails end where the transform asks
    model = MDNRegressor(3, **settings, y_transform="log").fit(X, Y)
    plain = MDNRegressor(3, **settings).fit(X, U)
    np.testing.assert_allclose(model.oof_score_samples_, plain.oof_score_samples_ - U, rtol=1e-6, atol=1e-6)


def test_auto_pairs_and_several_outputs(model):
    assert isinstance(clone(model).set_params(y_transform="auto").fit(X, Y).predict_dist(X), TransformedMixture)
    assert not isinstance(
        clone(model).set_params(y_transform="auto").fit(X, U + 100).predict_dist(X), TransformedMixture
    )
    pair = clone(model).set_params(y_transform=(np.log, np.exp)).fit(X, Y)
    logged = clone(model).set_params(y_transform="log").fit(X, Y)
    np.testing.assert_allclose(pair.score_samples(X, Y), logged.score_samples(X, Y), atol=1e-8)
    both = clone(model).set_params(y_transform="log").fit(X, np.column_stack([Y, 2 * Y]))
    assert np.isfinite(both.score(X, np.column_stack([Y, 2 * Y])))


def test_targets_outside_the_domain_are_refused(model):
    with pytest.raises(ValueError, match="needs y between 0 and inf"):
        clone(model).set_params(y_transform="log").fit(X, U)
    with pytest.raises(ValueError, match="y_transform"):
        clone(model).set_params(y_transform="square").fit(X, Y)
    with pytest.raises(ValueError, match="needs y between"):
        clone(model).set_params(y_transform="log").fit(X, Y, X_val=X, y_val=U)
    fitted = clone(model).set_params(y_transform="log").fit(X, Y)
    assert (fitted.score_samples(X[:3], [-1.0, 0.0, 1.0])[:2] == -np.inf).all()
    with pytest.raises(ValueError, match="needs y between"):
        fitted.predict_inputs([-1.0])


def test_named_transforms_are_saved_and_functions_are_not(model, tmp_path):
    logged = clone(model).set_params(y_transform="log").fit(X, Y)
    back = load(logged.save(tmp_path / "m"))
    np.testing.assert_array_equal(back.score_samples(X, Y), logged.score_samples(X, Y))
    with pytest.raises(TypeError, match=r"y_transform.*is a function, and a file holds no code; use ufuncs .* 'log1p'"):
        clone(model).set_params(y_transform=(lambda y: np.log(y), lambda u: np.exp(u))).fit(X, Y).save(tmp_path / "n")


@pytest.mark.trap("T5")
def test_scale_of_y_does_not_matter(model):
    """Multiplying y shifts its logarithm, which the standardiser takes out."""
    plain = clone(model).set_params(y_transform="log").fit(X, Y).score(X, Y)
    large = clone(model).set_params(y_transform="log").fit(X, Y * 2.0**40).score(X, Y * 2.0**40)
    assert large + 40 * np.log(2.0) == pytest.approx(plain, abs=0.05)


def test_warm_starts_and_parts_keep_the_transform():
    model = MDNRegressor(3, max_iter=5, random_state=0, y_transform="log", warm_start=True).fit(X, Y)
    assert np.isfinite(model.fit(X, Y).score(X, Y))
    part = MDNRegressor(3, random_state=0, y_transform="log").partial_fit(X, Y).partial_fit(X, Y)
    assert np.isfinite(part.score(X, Y))
    with pytest.raises(ValueError, match="needs y between"):
        part.partial_fit(X, U)
