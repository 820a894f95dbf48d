"""Networks that stand on a joint mixture: where they start, what they may know, and every way to fit them."""

import numpy as np
import pytest
from scipy.special import logsumexp

from condensity import JointGMMRegressor, MDNRegressor, em
from condensity.datasets.synthetic import make_cross, make_inverse_wave, make_noisy_wave, make_ring, make_two_branch
from condensity.engines.reference.network import forward, row_log_density, soft_clamp
from condensity.engines.types import Network
from condensity.models import mdn
from condensity.models.mdn import FittedGaussianInit
from condensity.training import predict
from condensity.training.copies import merge_copies
from condensity.training.gaussian_init import head_offset, undo_clamp
from condensity.training.initialization import initialize_silent

#: Forty epochs are enough for a shape and too few to converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"init": "gmm", "hidden_layer_sizes": (16,), "max_iter": 30, "random_state": 0}


def base_over(d, q, n_components=3, n=300, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, d + q)) @ (np.eye(d + q) + 0.4 * rng.normal(size=(d + q, d + q)))
    z[: n // 3] += 2.0
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    return FittedGaussianInit(em.fit_gmm(z, n_components, rng).parameters, d), z


@pytest.mark.parametrize("bounds", [None, (-6.9, 2.0), ((-6.9, -3.0), 2.0)])
def test_the_clamp_is_undone(bounds):
    log_scales = np.random.default_rng(0).uniform(-2.5, 1.8, size=(5, 2))
    np.testing.assert_allclose(
        soft_clamp(undo_clamp(log_scales, bounds), bounds)[0], log_scales, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(("d", "q"), [(1, 1), (2, 1), (2, 3)])
def test_the_first_network_is_the_conditioned_mixture(d, q):
    """float32 offsets: 1e-5; log weights below −20 are lifted, which the density does not see."""
    base, z = base_over(d, q)
    network = Network(d, (8,), 3, "silu", ((-6.9,) * q, 2.0), q)
    theta = initialize_silent(network, np.random.default_rng(0))
    x, y = z[:, :d], z[:, d:]
    dist = em.conditional(base.parameters, range(d), range(d, d + q), x)
    got = row_log_density(forward(theta, network, x, head_offset(base, network, x)), y)[0]
    np.testing.assert_allclose(got, dist.logpdf(y[:, 0] if q == 1 else y), atol=2e-5)
    np.testing.assert_allclose(predict(theta[None], network, x, [base]).cov(), dist.cov(), atol=1e-5)


def test_a_diagonal_network_starts_from_the_deviations():
    base, z = base_over(2, 2)
    network = Network(2, (8,), 3, "silu", None, 2, coupled=False)
    theta = initialize_silent(network, np.random.default_rng(0))
    dist = em.conditional(base.parameters, range(2), range(2, 4), z[:, :2])
    np.testing.assert_allclose(predict(theta[None], network, z[:, :2], [base]).std(), dist.std(), rtol=1e-5)


@pytest.mark.parametrize(("n", "n_members"), [(400, 1), (120, 1), (200, 5), (200, 7)])
def test_no_base_knows_the_rows_that_judge_it(monkeypatch, n, n_members):
    """Every base is fitted to the kept rows of its members alone; the last one, of a refit, to all."""
    seen = []
    real = mdn.em.fit_joint

    def spy(settings, z, *arguments, **options):
        seen.append(len(z))
        return real(settings, z, *arguments, **options)

    monkeypatch.setattr(mdn.em, "fit_joint", spy)
    data = make_two_branch(n, random_state=0)
    model = MDNRegressor(3, n_members=n_members, **SMALL).fit(data.X, data.y)
    kept = {400: 340, 120: 96, 200: 160}[n]
    expected = [kept] * (1 if n == 400 else 5 if n_members == 1 else n_members)
    assert seen == expected + [n] * (n_members == 1)
    assert len(model.model_.gaussian_inits) == n_members
    assert np.isfinite(model.oof_score_samples_).sum() == (60 if n == 400 else n)


def test_densities_of_copies_are_averaged():
    copies = np.log([[0.1, np.nan, 0.4], [0.3, np.nan, np.nan]])
    np.testing.assert_allclose(merge_copies(copies.ravel(), 2), np.log([0.2, np.nan, 0.4]))
    far = np.array([-1e4, -1e4 - 1.0])
    assert merge_copies(far, 2)[0] == pytest.approx(logsumexp(far) - np.log(2))


def test_it_is_no_worse_than_its_mixture_on_fresh_rows():
    """Mean of five sets at 300 rows; a held-out part of 50 rows errs by some .05 nats, of which the mean keeps .02."""
    gains = []
    for make in (make_cross, make_two_branch, make_inverse_wave, make_noisy_wave, make_ring):
        data, fresh = make(300, random_state=3), make(5000, random_state=4)
        model = MDNRegressor(init="gmm", random_state=0).fit(data.X, data.y)
        mixture = JointGMMRegressor(model.model_.network.n_components, random_state=0)
        gains.append(model.score(fresh.X, fresh.y) - mixture.fit(data.X, data.y).score(fresh.X, fresh.y))
    assert np.mean(gains) > -0.02


def test_a_network_that_finds_nothing_is_left_out():
    """One component is the truth, so nothing is left to learn; by chance a network seems better in some of six splits."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 1))
    y = x[:, 0] + rng.normal(size=1000)
    expected = JointGMMRegressor(1, random_state=0).fit(x, y).score_samples(x, y)
    models = [MDNRegressor(1, init="gmm", random_state=seed).fit(x, y) for seed in range(6)]
    alone = [model for model in models if "was not improved on" in model.outcome_]
    assert len(alone) > 1
    for model in alone:
        assert model.converged_
        np.testing.assert_allclose(model.score_samples(x, y), expected, atol=1e-4)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_every_way_to_fit(engine):
    data = make_cross(320, random_state=0)
    options = {**SMALL, "max_iter": 5, "engine": engine, "n_components": 4}
    for extra in ({}, {"n_members": 2}, {"early_stopping": False}, {"noise": 0.5}, {"numeric_encoding": "piecewise"}):
        model = MDNRegressor(**options, **extra).fit(data.X, data.y)
        assert np.isfinite(model.score_samples(data.X, data.y)).all()
        assert np.isfinite(np.concatenate(model.predict_variance_parts(data.X))).all()
    model.fit(data.X, data.y, X_val=data.X[:50], y_val=data.y[:50])
    assert model.predict_dist(data.X).n_components == 4
    both = np.column_stack([data.y, data.X[:, 0] ** 2 + 0.1 * data.y])
    assert MDNRegressor(**options).fit(data.X, both).predict_dist(data.X).n_outputs == 2


def test_going_on_keeps_the_mixture():
    data = make_cross(320, random_state=0)
    model = MDNRegressor(warm_start=True, **SMALL).fit(data.X, data.y)
    base = model.model_.gaussian_inits[0]
    model.fit(data.X, data.y)
    assert model.model_.gaussian_inits[0] is base
    online = MDNRegressor(**SMALL).partial_fit(data.X, data.y)
    first = online.score(data.X, data.y)
    base = online.model_.gaussian_inits[0]
    for _ in range(10):
        online.partial_fit(data.X, data.y)
    assert online.model_.gaussian_inits[0] is base
    assert online.score(data.X, data.y) > first - 0.01


def test_a_broken_off_fit_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr("condensity.training.checkpoint.SECONDS_PER_WRITE", 0.0)
    monkeypatch.setattr("condensity.engines.driver.SLICE_SECONDS", 0.005)
    monkeypatch.setattr("condensity.monitor.SECONDS_PER_REPORT", 0.0)
    data = make_two_branch(800, random_state=0)
    all_rows = MDNRegressor(**{**SMALL, "max_iter": 200}).fit(data.X, data.y)
    calls = []

    def stop(progress):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("pulled the plug")

    part = MDNRegressor(checkpoint=tmp_path / "fit", callback=stop, **{**SMALL, "max_iter": 200})
    try:
        part.fit(data.X, data.y)
    except RuntimeError:
        part.set_params(callback=None).fit(data.X, data.y)
    np.testing.assert_array_equal(part.predict(data.X), all_rows.predict(data.X))
