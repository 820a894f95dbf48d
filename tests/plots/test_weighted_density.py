"""Densities of weighted draws: their lobes are as wide as the draws'."""

import numpy as np
import pytest
from scipy.stats import norm

from condensity import MDNRegressor
from condensity.plots import inverse_panel, small_multiples
from condensity.plots.weighted_density import bandwidth, weighted_density

GRID = np.linspace(-6.0, 6.0, 2001)


def lobe_sd(grid, density):
    """Standard deviation of the part of a density above 0."""
    mass = np.where(grid > 0, density, 0.0)
    mass = mass / mass.sum()
    return np.sqrt(mass @ grid**2 - (mass @ grid) ** 2)


@pytest.mark.trap("T37", 127)
@pytest.mark.parametrize("sd", [0.02, 0.12, 0.5])
@pytest.mark.parametrize("uneven", [False, True])
def test_two_lobes_keep_their_width(sd, uneven):
    rng = np.random.default_rng(0)
    draws = rng.choice([-2.0, 2.0], 4000) + sd * rng.normal(size=4000)
    weights = rng.exponential(size=4000) if uneven else np.ones(4000)
    density = weighted_density(draws, weights / weights.sum(), GRID)
    truth = 0.5 * norm.pdf(GRID, -2.0, sd) + 0.5 * norm.pdf(GRID, 2.0, sd)
    assert lobe_sd(GRID, density) == pytest.approx(sd, rel=0.1)
    assert np.abs(density - truth).sum() / truth.sum() < 0.15
    assert np.trapezoid(density, GRID) == pytest.approx(1.0, abs=0.01)


@pytest.mark.trap(127)
@pytest.mark.parametrize(
    "draws",
    [
        np.random.default_rng(1).normal(size=1000),  # one lobe
        np.concatenate([np.linspace(0.0, 1.0, 990), np.linspace(50.0, 51.0, 10)]),  # a small one far away
        np.repeat([0.0, 1.0, 1e6], [500, 300, 1]),  # few values
        1e-9 * np.random.default_rng(2).normal(size=200) + 1e3,  # narrow and far from 0
    ],
)
def test_any_draws_have_a_bandwidth(draws):
    width = bandwidth(draws, np.full(len(draws), 1.0 / len(draws)))
    assert 0.0 < width < np.ptp(draws)
    assert np.isfinite(weighted_density(draws, np.full(len(draws), 1.0 / len(draws)), np.linspace(-9.0, 9.0, 50))).all()
    assert not weighted_density(np.ones(5), np.full(5, 0.2), GRID).any()


@pytest.mark.trap(127)
def test_the_panel_draws_the_lobes_of_its_models_draws():
    """y = |x₀| + noise has two x₀ for every y; a bandwidth by the spread of all draws makes both lobes nearly thrice as wide."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(-3.0, 3.0, 800), rng.normal(size=800)])
    y = np.abs(X[:, 0]) + 0.1 * rng.normal(size=800)
    model = MDNRegressor(4, random_state=0, max_iter=200).fit(X, y)
    (ax,) = small_multiples(1)[1]
    inverse_panel({"m": model}, X, 2.0, ax=ax, along=0)
    grid, density = ax.lines[0].get_data()
    inputs = model.predict_inputs([[2.0]])
    weights, draws = np.exp(inputs.log_weights[0]), inputs.draws[0, :, 0]
    above = draws > 0
    share = weights[above] / weights[above].sum()
    own = np.sqrt(share @ draws[above] ** 2 - (share @ draws[above]) ** 2)
    assert lobe_sd(grid, density) == pytest.approx(own, rel=0.15)
    assert np.trapezoid(np.where(grid > 0, density, 0.0), grid) == pytest.approx(weights[above].sum(), abs=0.02)
