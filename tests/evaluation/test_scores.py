"""Proper scores against their definitions, scipy's normal, 50 digits and each other; and that they are proper."""

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from condensity import Mixture, TransformedMixture, scores
from condensity.distributions.transforms import FunctionTransform, Log, Logit

N, K, Q, M = 6, 3, 2, 4


def make(n=N, k=K, seed=0, mass=1.0, **changes):
    rng = np.random.default_rng(seed)
    parts = {
        "weights": mass * rng.dirichlet(np.ones(k), n),
        "means": rng.normal(0, 3, (n, k)),
        "scales": rng.uniform(0.3, 2, (n, k)),
    }
    return Mixture(**{**parts, **changes})


def normal(n=N):
    """One component a row, for which scipy knows the answers."""
    rng = np.random.default_rng(1)
    mean, scale = rng.normal(0, 3, (n, 1)), rng.uniform(0.3, 2, (n, 1))
    return Mixture(weights=np.ones((n, 1)), means=mean, scales=scale), norm(mean[:, 0], scale[:, 0])


def several(n=N, seed=2):
    rng = np.random.default_rng(seed)
    factors = np.tril(rng.normal(size=(n, K, Q, Q)), -1) + rng.uniform(0.3, 2, (n, K, 1, Q)) * np.eye(Q)
    return Mixture(weights=rng.dirichlet(np.ones(K), n), means=rng.normal(0, 3, (n, K, Q)),
                   covariances=factors @ np.swapaxes(factors, -1, -2))  # fmt: skip


Y = np.linspace(-5.0, 5.0, N)
#: Every score as a function of (mixture, y).
SINGLE = {
    "log_score": scores.log_score,
    "crps": scores.crps,
    "energy_score": scores.energy_score,
    "pinball": lambda dist, y: scores.pinball(dist, y, 0.8),
    "interval_score": scores.interval_score,
    "grid_proof_score": lambda dist, y: scores.grid_proof_score(dist, y, 0.1),
}


# ------------------------------------------------------------------------------------------------------- definitions
def test_one_component_gives_what_scipy_gives():
    dist, truth = normal()
    z = (Y - truth.mean()) / truth.std()
    np.testing.assert_allclose(scores.log_score(dist, Y), -truth.logpdf(Y), rtol=1e-13)
    crps = truth.std() * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(scores.crps(dist, Y), crps, rtol=1e-12)
    np.testing.assert_allclose(scores.energy_score(dist, Y), crps, rtol=1e-11)
    levels = np.array([0.05, 0.5, 0.9, 0.99])
    excess = Y[:, None] - truth.ppf(levels[:, None]).T
    np.testing.assert_allclose(scores.pinball(dist, Y, levels), np.where(excess > 0, levels, levels - 1) * excess,
                               rtol=1e-11, atol=1e-13)  # fmt: skip
    low, high = truth.interval(0.8)
    outside = np.where(low > Y, low - Y, np.where(high < Y, Y - high, 0.0))
    np.testing.assert_allclose(scores.interval_score(dist, Y, 0.8), high - low + 10 * outside, rtol=1e-11)
    near = truth.mean() + truth.std() * np.linspace(-4, 2, N)  # further up scipy subtracts two ones
    cell = (truth.cdf(near + 0.05) - truth.cdf(near - 0.05)) / 0.1
    np.testing.assert_allclose(scores.grid_proof_score(dist, near, 0.1), -np.log(cell), rtol=1e-11)


def test_the_log_score_knows_several_outputs():
    dist = several()
    y = np.random.default_rng(3).normal(0, 3, (N, Q))
    truth = [
        -np.log(sum(dist.weights[i, k] * multivariate_normal(dist.means[i, k], dist.covariances[i, k]).pdf(y[i])
                    for k in range(K)))
        for i in range(N)
    ]  # fmt: skip
    np.testing.assert_allclose(scores.log_score(dist, y), truth, rtol=1e-12)
    np.testing.assert_array_equal(scores.energy_score(dist, y), dist.energy_score(y))


def test_pinball_over_all_levels_is_half_the_crps_and_the_interval_score_is_two_pinballs():
    dist = make()
    # Gauss–Legendre in logit(p), where the loss is smooth but for the kink at y's own level.
    nodes, weights = np.polynomial.legendre.leggauss(60)
    for i in range(N):
        kink = float((dist.logcdf(Y) - dist.logsf(Y))[i])
        total = 0.0
        edges = np.sort([-40.0, -12.0, -6.0, -3.0, 0.0, 3.0, 6.0, 12.0, 40.0, kink])
        for low, high in pairwise(edges):
            logit = 0.5 * (low + high) + 0.5 * (high - low) * nodes
            p = 1 / (1 + np.exp(-logit))
            inside = (p > 0) & (p < 1)
            loss = scores.pinball(dist[i], Y[i : i + 1], p[inside])[0]
            total += 0.5 * (high - low) * (weights[inside] * loss * (p * (1 - p))[inside]).sum()
        # The rule is good to about 1e-8 where the quantile function turns sharply between two modes.
        assert 2 * total == pytest.approx(scores.crps(dist, Y)[i], rel=1e-5)
    both = scores.pinball(dist, Y, [0.1, 0.9]).sum(axis=1)
    np.testing.assert_allclose(scores.interval_score(dist, Y, 0.8), 2 / 0.2 * both, rtol=1e-9)


def test_crps_is_the_integral_of_the_brier_score():
    dist = make()
    for i, y in enumerate(Y):
        pieces = [-40.0, *sorted([y, *dist.means[i]]), 40.0]
        brier = sum(
            quad(lambda x, i=i, y=y: (dist[i].cdf(x)[0] - (y <= x)) ** 2, a, b, epsabs=1e-11)[0]
            for a, b in pairwise(pieces)
        )
        assert scores.crps(dist, Y)[i] == pytest.approx(brier, abs=1e-9)


# ------------------------------------------------------------------------------------------------------- grid-proof score
def exact_cell(dist, y, width):
    """−log of the mean density over the cell, of a one-row mixture, in 60 digits."""
    with mpmath.workdps(60):
        half, total = mpmath.mpf(float(width)) / 2, mpmath.mpf(0)
        for w, m, s in zip(dist.log_weights[0], dist.means[0], dist.scales[0], strict=True):
            distance, root = abs(mpmath.mpf(float(y)) - mpmath.mpf(float(m))), mpmath.mpf(float(s)) * mpmath.sqrt(2)
            near, far = mpmath.erfc((distance - half) / root), mpmath.erfc((distance + half) / root)
            if distance < half:
                near = 2 - mpmath.erfc((half - distance) / root)
            total += mpmath.exp(mpmath.mpf(float(w))) * (near - far) / 2
        return float(-mpmath.log(total / (2 * half)))


@pytest.mark.parametrize("reach", [0.0, 1.0, 6.0, 40.0, 1e4])
def test_the_grid_proof_score_is_exact_for_cells_of_any_width_anywhere(reach):
    rng = np.random.default_rng(int(reach))
    for width in 10.0 ** np.arange(-12, 5, 2.0):
        dist = make(n=1, seed=int(rng.integers(1000)))
        y = dist.means[:, 0] + rng.choice([-1, 1]) * reach * dist.scales[:, 0]
        truth = exact_cell(dist, y[0], width)
        # The contract of log probabilities; measured: 1e-15.
        assert scores.grid_proof_score(dist, y, width)[0] == pytest.approx(truth, rel=1e-12, abs=1e-12)


def test_the_grid_proof_score_tends_to_the_log_score_and_is_not_fooled_by_spikes():
    dist = make()
    np.testing.assert_allclose(scores.grid_proof_score(dist, Y, 1e-7), scores.log_score(dist, Y), rtol=1e-11)
    y = np.round(np.random.default_rng(0).normal(5, 1, 500))
    grid = np.arange(1.0, 10.0)
    honest = Mixture(weights=np.ones((500, 1)), means=np.full((500, 1), 5.0), scales=np.ones((500, 1)))
    share = norm.cdf(grid + 0.5, 5, 1) - norm.cdf(grid - 0.5, 5, 1)
    spikes = Mixture(weights=np.tile(share / share.sum(), (500, 1)), means=np.tile(grid, (500, 1)),
                     scales=np.full((500, 9), 1e-6))  # fmt: skip
    gain = scores.mean(scores.log_score(honest, y)) - scores.mean(scores.log_score(spikes, y))
    assert gain > 10  # nats, for knowing the grid and nothing else
    np.testing.assert_allclose(
        scores.grid_proof_score(honest, y, 1.0), scores.grid_proof_score(spikes, y, 1.0), atol=1e-4
    )


def test_the_resolution_may_differ_by_row():
    dist = make()
    width = np.geomspace(0.01, 10, N)
    got = scores.grid_proof_score(dist, Y, width)
    np.testing.assert_allclose(got, [scores.grid_proof_score(dist[i], Y[[i]], w)[0] for i, w in enumerate(width)])


@pytest.mark.parametrize("transform", [Log(), Logit(), FunctionTransform(np.negative, np.negative, rises=False)])
@pytest.mark.parametrize("width", [1e-9, 1e-3, 0.3, 3.0])
def test_the_grid_proof_score_of_a_transformed_mixture_is_that_of_its_cell(transform, width):
    dist = TransformedMixture(make(), transform)
    y = np.clip(dist.ppf(np.linspace(0.05, 0.95, N))[np.arange(N), np.arange(N)], 1e-3, None)
    y[0] = transform.inverse(dist.base.ppf(1e-9))[0]
    got = scores.grid_proof_score(dist, y, width)
    if width == 1e-9:
        np.testing.assert_allclose(got[1:], dist.logpdf(y)[1:] * -1, rtol=1e-6, atol=1e-6)
        return
    inside = dist.cdf(y + width / 2) - dist.cdf(y - width / 2)
    np.testing.assert_allclose(np.exp(-got) * width, inside, rtol=1e-6, atol=1e-14)


def test_cells_at_and_beyond_the_end_of_the_domain():
    dist = TransformedMixture(Mixture(weights=[[1.0]] * 3, means=[[0.0]] * 3, scales=[[1.0]] * 3), Log())
    got = scores.grid_proof_score(dist, [0.0, -5.0, np.nan], 1.0)
    assert got[0] == pytest.approx(-norm.logcdf(np.log(0.5)), rel=1e-12)
    np.testing.assert_array_equal(got[1:], [np.inf, np.nan])


# ---------------------------------------------------------------------------------------------------------- propriety
@pytest.mark.parametrize("name", SINGLE)
def test_the_true_distribution_scores_best(name):
    n = 20_000
    truth = Mixture(weights=np.tile([0.3, 0.7], (n, 1)), means=np.tile([-2.0, 1.0], (n, 1)),
                    scales=np.tile([0.5, 1.0], (n, 1)))  # fmt: skip
    y = truth.sample(1, random_state=0)[:, 0]
    own = SINGLE[name](truth, y)
    for change in (
        {"means": truth.means + 0.5},
        {"scales": truth.scales * 2.0},
        {"scales": truth.scales * 0.5},
        {"weights": truth.weights[:, ::-1]},
    ):
        wrong = Mixture(**{"weights": truth.weights, "means": truth.means, "scales": truth.scales, **change})
        worse = SINGLE[name](wrong, y) - own
        assert worse.mean() > 4 * worse.std() / np.sqrt(n)


# ------------------------------------------------------------------------------------------------------ shapes and input
@pytest.mark.parametrize("name", SINGLE)
def test_a_column_of_y_is_one_output_and_rows_are_scored_alone(name):
    dist = make()
    got = SINGLE[name](dist, Y)
    assert got.shape == (N,)
    np.testing.assert_array_equal(SINGLE[name](dist, Y[:, None]), got)
    np.testing.assert_array_equal(SINGLE[name](dist, list(Y)), got)
    np.testing.assert_allclose([SINGLE[name](dist[i], Y[[i]])[0] for i in range(N)], got, rtol=1e-11)
    for bad in (0.5, Y[:-1], Y[None], np.zeros((N, 2))):
        with pytest.raises(ValueError, match=rf"y must be row-wise, shape \({N},\)"):
            SINGLE[name](dist, bad)
    for bad in (["a"] * N, None, [None] * N, [1j] * N, [[1.0], [1.0, 2.0]]):
        with pytest.raises(ValueError, match="y must be real numbers"):
            SINGLE[name](dist, bad)


@pytest.mark.parametrize("name", SINGLE)
def test_impossible_and_missing_rows_are_told(name):
    y = np.array([np.inf, -np.inf, np.nan, 0.0, 1.0, 2.0])
    got = SINGLE[name](make(), y)
    np.testing.assert_array_equal(got[:3], [np.inf, np.inf, np.nan])
    assert np.isfinite(got[3:]).all()
    assert scores.mean(got[[0, 3, 4]]) == np.inf
    assert np.isnan(scores.mean(got))


@pytest.mark.parametrize("name", SINGLE)
def test_where_mass_is_missing_the_rule_of_the_mixture_holds(name):
    gated, whole = make(mass=0.6), make()
    if name in {"log_score", "grid_proof_score"}:
        np.testing.assert_allclose(SINGLE[name](gated, Y), SINGLE[name](whole, Y) - np.log(0.6), rtol=1e-12)
    else:
        with pytest.raises(ValueError, match=r"normalized\(\)"):
            SINGLE[name](gated, Y)


@pytest.mark.parametrize("name", sorted(set(SINGLE) - {"log_score", "energy_score"}))
def test_scores_of_one_output_name_the_way_out_for_several(name):
    with pytest.raises(ValueError, match="marginal"):
        SINGLE[name](several(), np.zeros((N, Q)))


def test_several_outputs_are_row_wise_too():
    for bad in (np.zeros(N), np.zeros((N, Q + 1)), np.zeros((1, N, Q)), np.zeros(Q)):
        with pytest.raises(ValueError, match=rf"y must be row-wise, shape \({N}, {Q}\)"):
            scores.energy_score(several(), bad)


def test_levels_are_checked_and_shape_the_result():
    dist = make()
    assert scores.pinball(dist, Y, 0.5).shape == (N,)
    assert scores.pinball(dist, Y, [0.5]).shape == (N, 1)
    assert scores.pinball(dist, Y, np.linspace(0.1, 0.9, N)).shape == (N, N)
    np.testing.assert_array_equal(scores.pinball(dist, Y, [0.1, 0.5])[:, 1], scores.pinball(dist, Y, 0.5))
    for bad in (0.0, 1.0, -0.1, 1.1, np.nan, [0.5, 1.0]):
        with pytest.raises(ValueError, match="levels must lie between 0 and 1, both excluded"):
            scores.pinball(dist, Y, bad)
    for bad in ([], [[0.5]], np.zeros((N, M))):
        with pytest.raises(ValueError, match="levels must be a number or a list"):
            scores.pinball(dist, Y, bad)
    for bad in (0, 1, 90):
        with pytest.raises(ValueError, match="level must be a number between 0 and 1"):
            scores.interval_score(dist, Y, bad)
    for bad in (0, -1.0, np.nan, np.inf, np.zeros(N)):
        with pytest.raises(ValueError, match="resolution must be > 0 and finite"):
            scores.grid_proof_score(dist, Y, bad)
    with pytest.raises(ValueError, match=r"resolution must be a number or have shape \(6,\); got shape \(3,\)"):
        scores.grid_proof_score(dist, Y, np.ones(3))


# ------------------------------------------------------------------------------------------------------------- averages
@pytest.mark.trap("T25")
def test_weights_count_rows():
    values = np.array([1.0, 2.0, 6.0])
    assert scores.mean(values) == pytest.approx(3.0)
    assert scores.mean(values, sample_weight=[2, 0, 1]) == pytest.approx(np.mean([1.0, 1.0, 6.0]))
    table = np.stack([values, -values], axis=1)
    np.testing.assert_allclose(scores.mean(table, sample_weight=[2, 0, 1]), [8 / 3, -8 / 3])
    assert scores.mean(values, sample_weight=[2e300, 0, 1e300]) == pytest.approx(8 / 3)
    assert scores.mean(values, sample_weight=[True, False, True]) == pytest.approx(3.5)


def test_infinite_scores_are_kept_unless_their_row_is_absent():
    assert scores.mean([np.inf, 1.0]) == np.inf
    assert scores.mean([np.inf, 1.0], sample_weight=[1e-300, 1.0]) == np.inf
    assert scores.mean([np.inf, 1.0, np.nan], sample_weight=[0.0, 1.0, 0.0]) == 1.0
    assert np.isnan(scores.mean([np.inf, -np.inf]))


@pytest.mark.parametrize(
    ("values", "weights", "words"),
    [
        ([1.0, 2.0], [1.0], r"sample_weight must have one number a row, shape \(2,\); got \(1,\)"),
        ([1.0, 2.0], [[1.0, 1.0]], "sample_weight must have one number a row"),
        ([1.0, 2.0], [1.0, -1.0], "sample_weight must be finite and >= 0; row 1 is .*-1.0"),
        ([1.0, 2.0], [np.nan, 1.0], "sample_weight must be finite and >= 0; row 0 is .*nan"),
        ([1.0, 2.0], [1.0, np.inf], "sample_weight must be finite and >= 0; row 1 is .*inf"),
        ([1.0, 2.0], [0.0, 0.0], "sample_weight must not be 0 in every row"),
        ([1.0, 2.0], ["a", "b"], "sample_weight must be real numbers"),
        ([], None, r"values must have shape \(n,\) or \(n, m\) with n >= 1; got \(0,\)"),
        (3.0, None, r"values must have shape \(n,\) or \(n, m\)"),
        (["x"], None, "values must be real numbers"),
    ],
)
def test_bad_weights_and_values_are_named(values, weights, words):
    with pytest.raises(ValueError, match=words):
        scores.mean(values, sample_weight=weights)
