"""Modes over several outputs, against dense grids, an optimiser from many starts, and cases known from the literature."""

import numpy as np
import pytest
from scipy.optimize import minimize

from condensity import Mixture

#: Points of a grid along each of its two axes.
SIDE = 600


def make(n, k, q, seed=0, spread=2.0):
    rng = np.random.default_rng(seed)
    factors = np.tril(rng.normal(size=(n, k, q, q)), -1) + np.exp(rng.uniform(-1.5, 1.5, (n, k, 1, q))) * np.eye(q)
    return Mixture(
        weights=rng.dirichlet(np.ones(k), n),
        means=rng.normal(0, spread, (n, k, q)),
        covariances=factors @ np.swapaxes(factors, 2, 3),
    )


def is_among(point, points, tolerance):
    return (np.abs(points - point).max(axis=1) < tolerance).any()


def test_every_mode_of_a_dense_grid_is_found_and_none_besides():
    dist = make(30, 4, 2, seed=1)
    for row, modes in zip((dist[i] for i in range(len(dist))), dist.modes(), strict=True):
        low, high = row.means[0].min(axis=0) - 4, row.means[0].max(axis=0) + 4
        axes = [np.linspace(a, b, SIDE) for a, b in zip(low, high, strict=True)]
        step = max(axis[1] - axis[0] for axis in axes)
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        height = row.logpdf(points.reshape(1, -1, 2))[0].reshape(SIDE, SIDE)
        inner, top = height[1:-1, 1:-1], np.ones((SIDE - 2, SIDE - 2), dtype=bool)
        for i in range(3):
            for j in range(3):
                if (i, j) != (1, 1):
                    top &= inner > height[i : i + SIDE - 2, j : j + SIDE - 2]
        on_grid = points[1:-1, 1:-1][top]
        # A grid can show a mode on a slanting ridge that is none, so climb from there first.
        climbed = np.array([minimize(lambda y, row=row: -row.logpdf(y)[0], start, tol=1e-12).x for start in on_grid])
        assert all(is_among(point, modes, 1e-3) for point in climbed)
        assert all(is_among(point, on_grid, 2 * step) for point in modes)


@pytest.mark.parametrize(("k", "q"), [(3, 2), (4, 3), (2, 5)])
def test_each_is_a_mode_and_they_come_densest_first(k, q):
    dist = make(50, k, q, seed=2)
    densest = dist.mode()
    for i, modes in enumerate(dist.modes()):
        density = dist[i].logpdf(modes[None])[0]
        assert (np.diff(density) <= 0).all()
        np.testing.assert_array_equal(densest[i], modes[0])
        assert density[0] >= dist[i].logpdf(dist.means[[i]])[0].max()
        for point, height in zip(modes, density, strict=True):  # lower all around, at a thousandth of the smallest σ
            around = np.random.default_rng(0).normal(size=(50, q))
            around *= 1e-3 * dist.scales[i].min() / np.linalg.norm(around, axis=1, keepdims=True)
            assert dist[i].logpdf((point + around)[None]).max() < height


def test_two_components_may_have_three_modes():
    """Ray & Lindsay (2005), figure 1: two crossing cigars."""
    dist = Mixture(
        weights=[[0.5, 0.5]], means=[[[0.0, 0.0], [1.0, 1.0]]], scales=[[[1.0, 0.05**0.5], [0.05**0.5, 1.0]]]
    )
    (modes,) = dist.modes()
    assert len(modes) == 3
    for corner in ([0.0, 0.0], [1.0, 1.0], [1.0, 0.0]):
        assert is_among(corner, modes, 0.15)
    mirrored = 1.0 - modes[:, ::-1]  # the mixture is symmetric about x + y = 1
    assert all(is_among(point, modes, 1e-9) for point in mirrored)


def test_three_round_components_may_have_four_modes():
    """Carreira-Perpiñán & Williams (2003): an equilateral triangle of isotropic normals, within a narrow range of sizes."""
    corners = np.exp(2j * np.pi * np.arange(3) / 3)
    means = np.column_stack([corners.real, corners.imag])
    (modes,) = Mixture(weights=[[1 / 3] * 3], means=means[None], scales=np.full((1, 3, 2), 0.715)).modes()
    assert len(modes) == 4
    assert is_among([0.0, 0.0], modes, 1e-9)
    (modes,) = Mixture(weights=[[1 / 3] * 3], means=means[None], scales=np.full((1, 3, 2), 0.75)).modes()
    np.testing.assert_allclose(modes, [[0.0, 0.0]], atol=1e-9)


def test_one_component_and_empty_ones():
    one = Mixture(weights=[[1.0]], means=[[[3.0, -1e9]]], covariances=[[[[2.0, 1.0], [1.0, 2.0]]]])
    np.testing.assert_array_equal(one.mode(), [[3.0, -1e9]])
    padded = Mixture(
        weights=[[0.0, 1.0, 0.0]], means=[[[9.0, 9.0], [3.0, -1.0], [0.0, 0.0]]], scales=np.ones((1, 3, 2))
    )
    assert [len(points) for points in padded.modes()] == [1]
    np.testing.assert_allclose(padded.mode(), [[3.0, -1.0]], rtol=1e-15)
    assert padded[[]].modes() == []
    assert padded[[]].mode().shape == (0, 2)


def test_two_components_that_just_merge_have_one_mode():
    dist = Mixture(weights=[[0.5, 0.5]], means=[[[-1.0, 0.0], [1.0, 0.0]]], scales=np.ones((1, 2, 2)))
    (modes,) = dist.modes()
    np.testing.assert_allclose(modes, [[0.0, 0.0]], atol=1e-3)  # a fourth-order top: log p is flat to rounding there
    (modes,) = dist.affine(1.0, [0.0, 5.0])[:1].modes()
    assert len(modes) == 1


@pytest.mark.parametrize("scale", [1e-9, 1e9, -2.0])
def test_modes_move_with_units(scale):
    dist = make(20, 3, 2, seed=4)
    moved = dist.affine([scale, 1.0], [3.0 * scale, -2.0])
    for before, after in zip(dist.modes(), moved.modes(), strict=True):
        assert before.shape == after.shape
        np.testing.assert_allclose(
            after, before * [scale, 1.0] + [3.0 * scale, -2.0], rtol=1e-6, atol=1e-6 * abs(scale) + 1e-6
        )
