"""A monotone map is one class in one file: everything else takes it as it is."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone

from condensity import Mixture, TransformedMixture, load, persistence
from condensity.distributions import Distribution, MonotoneMap
from condensity.distributions.mapped import MappedFormulas
from condensity.distributions.transforms import make_transform

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@dataclass(frozen=True)
class Arsinh(MonotoneMap):
    """u = arsinh(y / unit), for heavy tails on either side."""

    unit: float = 1.0

    def forward(self, y):
        return np.arcsinh(y / self.unit)

    def inverse(self, u):
        return self.unit * np.sinh(u)

    def log_derivative(self, y):
        return -0.5 * np.log(self.unit**2 + y**2)


class Clip(MonotoneMap):
    """y = max(u, 0): a flat part of the inverse, and so an atom of y."""

    strict = False

    def forward(self, y):
        return np.where(y < 0.0, -np.inf, y)

    def inverse(self, u):
        return np.maximum(u, 0.0)

    def log_derivative(self, y):
        return np.where(y > 0.0, 0.0, -np.inf)

    def closed_forms(self, base):
        return ClipFormulas(base, self)


class ClipFormulas(MappedFormulas):
    """Log probability at the atom, log density beyond it."""

    def logpdf(self, y):
        return np.where(y == 0.0, self.base.formulas.logcdf(y), super().logpdf(y))


RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 1))
U = X[:, 0] + 0.4 * RNG.normal(size=300)
Y = 3.0 * np.sinh(2.0 * U)
MAP = Arsinh(3.0)


@pytest.fixture
def fitted(model):
    """Every estimator in turn, fitted to u through the map."""
    return model.set_params(y_transform=MAP).fit(X, Y)


def test_it_trains_predicts_and_draws(fitted, model):
    dist = fitted.predict_dist(X)
    assert isinstance(dist, TransformedMixture)
    assert dist.transform == MAP
    plain = clone(model).set_params(y_transform=None).fit(X, 2.0 * U)
    assert fitted.score(X, Y) == pytest.approx(plain.score(X, 2.0 * U) + MAP.log_derivative(Y).mean(), rel=1e-9)
    np.testing.assert_allclose(fitted.predict_quantiles(X), MAP.inverse(plain.predict_quantiles(X)), rtol=1e-8)
    np.testing.assert_array_equal(fitted.sample(X, 4, random_state=0), dist.sample(4, random_state=0))
    assert 0.8 < np.mean((dist.interval(0.9)[:, 0] < Y) & (dist.interval(0.9)[:, 1] > Y)) < 0.98
    pickle.loads(pickle.dumps(fitted)).predict(X)


@pytest.mark.skipif(not hasattr(persistence, "saveable"), reason="files hold the classes of a fixed table so far")
def test_a_registered_map_is_saved_with_the_model(fitted, tmp_path):
    persistence.saveable("Arsinh")(Arsinh)
    back = load(fitted.save(tmp_path / "m"))
    assert back.predict_dist(X).transform == MAP
    np.testing.assert_array_equal(back.predict_quantiles(X), fitted.predict_quantiles(X))


def test_its_distributions_are_closed(fitted):
    dist = fitted.predict_dist(X)
    mixed = Distribution.mix([dist, fitted.predict_dist(X, outside="prior")])
    assert isinstance(mixed, TransformedMixture)
    assert np.isfinite(mixed.logpdf(Y)).all()
    with pytest.raises(ValueError, match="one and the same transform"):
        Distribution.mix([dist, TransformedMixture(dist.base, Arsinh(2.0))])


def test_a_map_is_checked_against_the_targets():
    assert make_transform(MAP, Y[:, None]) is MAP

    class Positive(Arsinh):
        domain = (0.0, np.inf)

    with pytest.raises(ValueError, match="y_transform='positive' needs y between 0 and inf"):
        make_transform(Positive(), Y[:, None])


def test_a_flat_part_makes_an_atom():
    normal = stats.norm(0.5, 1.0)
    dist = TransformedMixture(Mixture(weights=[[1.0]], means=[[0.5]], scales=[[1.0]]), Clip())
    y = np.array([[-1.0, 0.0, 0.7]])
    np.testing.assert_allclose(dist.cdf(y)[0], [0.0, normal.cdf(0.0), normal.cdf(0.7)], rtol=1e-12)
    np.testing.assert_allclose(dist.sf(y)[0], [1.0, normal.sf(0.0), normal.sf(0.7)], rtol=1e-12)
    np.testing.assert_allclose(dist.pdf(y)[0], [0.0, normal.cdf(0.0), normal.pdf(0.7)], rtol=1e-12)
    np.testing.assert_allclose(dist.ppf([0.1, 0.9])[0], [0.0, normal.ppf(0.9)], rtol=1e-12)
    draws = dist.sample(20_000, random_state=0)
    assert draws.min() == 0.0
    assert (draws == 0.0).mean() == pytest.approx(normal.cdf(0.0), abs=0.015)  # four standard errors
    for verb in (dist.region, dist.modes, dist.entropy, lambda: dist.crps(0.5), lambda: dist.hpd_value(0.5)):
        with pytest.raises(ValueError, match="gives different u the same y; draw samples"):
            verb()
    # E max(U, 0) = μ Φ(μ) + φ(μ); the kink costs the quadrature digits.
    assert dist.mean()[0] == pytest.approx(0.5 * stats.norm.cdf(0.5) + stats.norm.pdf(0.5), abs=1e-3)
