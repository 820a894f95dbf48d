"""Native Gaussians against the reference, on random shapes, on every instruction set; n ≠ K ≠ a ≠ q."""

import numpy as np
import pytest

from condensity import engines
from condensity.compute import Compute
from condensity.engines.reference import gaussians as reference
from condensity.engines.reference.kmeans import kmeans
from condensity.engines.types import GaussianComponents

native = pytest.importorskip("condensity.engines.native")


def case(n, n_components, a, *, independent=False, seed=0):
    """Rows, weights and normals of unlike places and widths."""
    rng = np.random.default_rng(seed)
    factors = np.tril(0.4 * rng.normal(size=(n_components, a, a))) * np.exp(rng.normal(size=(n_components, 1, 1)))
    factors[:, range(a), range(a)] = np.exp(0.7 * rng.normal(size=(n_components, a)))
    if independent:
        factors = np.diagonal(factors, axis1=1, axis2=2).copy()
    weights = rng.dirichlet(np.ones(n_components))
    normals = GaussianComponents.from_factors(weights, 2.0 * rng.normal(size=(n_components, a)), factors)
    return normals, 2.0 * rng.normal(size=(n, a)), rng.uniform(0.1, 3.0, n), rng


#: Tails of tiles, pairs and lanes: odd and even columns, one row, more rows than a chunk.
SHAPES = [(1, 3, 2), (7, 1, 1), (127, 4, 3), (129, 5, 6), (300, 2, 7), (1000, 9, 13), (9001, 3, 4)]


@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize(("n", "n_components", "a"), SHAPES)
def test_log_density_and_sums(n, n_components, a, independent, isa):
    """float64 on both sides: 1e-12 of the size of the sums."""
    normals, x, weight, _ = case(n, n_components, a, independent=independent)
    np.testing.assert_allclose(
        native.gaussian_log_density(normals, x), reference.gaussian_log_density(normals, x), rtol=1e-12, atol=1e-12
    )
    got, expected = native.gaussian_sums(normals, x, weight), reference.gaussian_sums(normals, x, weight)
    for one, other in zip(got, expected, strict=True):
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11 * max(1.0, np.abs(other).max()))


@pytest.mark.parametrize(("n", "n_components", "a"), SHAPES)
@pytest.mark.parametrize("q", [1, 3])
def test_conditional(n, n_components, a, q, isa):
    normals, x, _, rng = case(n, n_components, a)
    slopes, offsets = rng.normal(size=(n_components, q, a)), rng.normal(size=(n_components, q))
    got = native.gaussian_conditional(normals, slopes, offsets, x)
    for one, other in zip(got, reference.gaussian_conditional(normals, slopes, offsets, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


def test_threads_change_no_bit(isa):
    normals, x, weight, rng = case(20_001, 5, 3)
    for name, arguments in (
        ("gaussian_sums", (x, weight)), ("gaussian_log_density", (x,)),
        ("gaussian_conditional", (rng.normal(size=(5, 2, 3)), rng.normal(size=(5, 2)), x)),
    ):  # fmt: skip
        one, four = (engines.operation(name, Compute("native", t))(normals, *arguments) for t in (1, 4))
        one, four = (result if isinstance(result, tuple) else (result,) for result in (one, four))
        assert all(np.array_equal(a, b) for a, b in zip(one, four, strict=True))


def test_far_rows_are_finite_and_dead_components_have_no_share(isa):
    """z of 1e150 still has a square; a component of weight 0 takes nothing; shares below 4e-44 count as 0."""
    normals, x, weight, _ = case(140, 3, 2)
    constants = normals.log_constants.copy()
    constants[1] = -np.inf
    x[3] = 1e100
    normals = normals._replace(log_constants=constants)
    sums = native.gaussian_sums(normals, x, weight)
    assert all(np.isfinite(part).all() for part in sums)
    assert sums.counts[1] == 0
    assert sums.counts.sum() == pytest.approx(weight.sum(), rel=1e-14)
    np.testing.assert_allclose(
        native.gaussian_log_density(normals, x), reference.gaussian_log_density(normals, x), rtol=1e-12
    )


@pytest.mark.parametrize(("n", "n_components", "d"), [(1, 3, 2), (50, 7, 1), (400, 12, 5), (2000, 40, 3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_kmeans(n, n_components, d, weighted):
    """The same draws choose the same rows: centres are means of the same rows."""
    rng = np.random.default_rng(n)
    x, uniforms = rng.normal(size=(n, d)), rng.random((n_components, 4))
    weight = rng.integers(0, 3, n).astype(float) + (np.arange(n) == 0) if weighted else np.ones(n)
    for steps in (0, 3):
        (centres, nearest), (expected, expected_nearest) = (
            function(x, weight, uniforms, steps) for function in (native.kmeans, kmeans)
        )
        np.testing.assert_allclose(centres, expected, rtol=1e-13, atol=1e-13)
        assert np.array_equal(nearest, expected_nearest)


def test_kmeans_on_fewer_distinct_rows_than_centres():
    x = np.repeat(np.array([[0.0, 1.0], [2.0, -1.0]]), 5, axis=0)
    centres, nearest = native.kmeans(x, np.ones(10), np.random.default_rng(0).random((4, 3)), 3)
    assert {tuple(centre) for centre in centres} == {(0.0, 1.0), (2.0, -1.0)}
    assert len(np.unique(nearest)) == 2


def test_wrong_shapes_are_named():
    normals, x, weight, _ = case(10, 3, 2)
    with pytest.raises(ValueError, match=r"x must have shape \(n, a\)"):
        native.gaussian_log_density(normals, x[:, :1])
    with pytest.raises(ValueError, match="weight must have shape"):
        native.gaussian_sums(normals, x, weight[:3])
    with pytest.raises(ValueError, match="log_constants must have shape"):
        native.gaussian_sums(normals._replace(log_constants=np.ones(4)), x, weight)
    with pytest.raises(ValueError, match="threads must be >= 1"):
        native.gaussian_sums(normals, x, weight, threads=0)
