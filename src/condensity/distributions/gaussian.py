"""Row-wise mixtures of normals over several outputs: density, draws, marginals and conditionals.

A component's covariance Σ is kept as its `factors`: standard deviations (n, K, q) where the outputs are independent, else
the lower Cholesky factor L (n, K, q, q), Σ = L Lᵀ with a positive diagonal. With z = L⁻¹ (y − μ)

    log N(y | μ, Σ) = − ½ |z|² − Σ_i log L_ii − ½ q log 2π

and with the outputs in the order (a, b), L = [[L_aa, 0], [L_ba, L_bb]]: the marginal of a has the factor L_aa, and given
y_a the rest has mean μ_b + L_ba z_a and factor L_bb, with weights ∝ π N(y_a | μ_a, Σ_aa). Rows of L in another order make
the same covariance, but no triangle; an orthogonal rotation from the right (QR) makes it one again.
So Σ is never formed, nor inverted, and nothing is squared that need not be.
"""

import numpy as np
from scipy.special import logsumexp

from condensity.random import choose_components

HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)

#: Numbers in one temporary array: 1 MB, so that the few of them stay in cache.
BLOCK = 2**17

#: Entries of a covariance matrix may differ from their mirror images by this, relative to the standard deviations.
ASYMMETRY = 1e-8


# ------------------------------------------------------------------------------------------------ factors
def factorise(covariances: np.ndarray) -> np.ndarray:
    """Lower Cholesky factors of covariances (n, K, q, q).

    Outputs are brought to deviations between ½ and 1 by powers of two, so that units of 1e±100 side by side do no harm,
    and a change of units by powers of two changes no bit.

    Raises
    ------
    ValueError
        For matrices that are not symmetric or not positive definite.
    """
    variances = np.einsum("nkii->nki", covariances)
    if (variances <= 0).any():
        raise ValueError(f"covariances must have diagonals > 0; the smallest is {variances.min()!r}.")
    deviations = np.sqrt(variances)
    exponents = np.frexp(deviations)[1]
    scaled = np.ldexp(np.ldexp(covariances, -exponents[..., None]), -exponents[..., None, :])
    mirrored = np.swapaxes(scaled, 2, 3)
    crooked = np.abs(scaled - mirrored).max(axis=(2, 3), initial=0.0) > ASYMMETRY
    if crooked.any():
        row, component = np.argwhere(crooked)[0]
        raise ValueError(f"covariances must be symmetric; row {row}, component {component} is not.")
    scaled = 0.5 * (scaled + mirrored)
    try:
        factors = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError as error:
        smallest = np.linalg.eigvalsh(scaled)[:, :, 0]
        row, component = np.unravel_index(np.argmin(smallest), smallest.shape)
        raise ValueError(
            f"covariances must be positive definite; row {row}, component {component} is not (smallest eigenvalue "
            f"{smallest[row, component]:.3g} with outputs scaled to deviations near 1). Add a little to its diagonal."
        ) from error
    return np.ldexp(factors, exponents[..., None])


def deviations(factors: np.ndarray) -> np.ndarray:
    """Standard deviations (n, K, q) of factors (n, K, q) or (n, K, q, q), without overflow."""
    if factors.ndim == 3:
        return factors
    exponents = np.frexp(np.abs(factors).max(axis=3))[1]
    scaled = np.ldexp(factors, -exponents[..., None])
    return np.ldexp(np.sqrt(np.einsum("nkij,nkij->nki", scaled, scaled)), exponents)


def full(factors: np.ndarray) -> np.ndarray:
    """Triangles (n, K, q, q) of factors (n, K, q) or (n, K, q, q)."""
    return factors if factors.ndim == 4 else factors[..., None] * np.eye(factors.shape[2])


def covariances(factors: np.ndarray) -> np.ndarray:
    """Covariance matrices (n, K, q, q) of factors (n, K, q) or (n, K, q, q)."""
    if factors.ndim == 3:
        return full(factors**2)
    return factors @ np.swapaxes(factors, 2, 3)


def diagonal(factors: np.ndarray) -> np.ndarray:
    """Diagonals (n, K, q) of factors (n, K, q, q); factors of one output or independent ones as they are."""
    return factors if factors.ndim < 4 else np.einsum("nkii->nki", factors)


def rescaled(factors: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Factors after a change of units: factors (n, K), (n, K, q) or (n, K, q, q), scale (n, 1) or (n, 1, q) of either sign."""
    if factors.ndim < 4:
        return np.abs(scale) * factors
    return scale[..., None] * factors * np.sign(scale)[:, :, None]  # rows and columns, so that diagonals stay positive


def _triangle(rows: np.ndarray) -> np.ndarray:
    """Lower triangles (…, m, m) with positive diagonals, of the same products L Lᵀ as the matrices (…, m, q ≥ m)."""
    triangle = np.swapaxes(np.linalg.qr(np.swapaxes(rows, -1, -2), mode="r"), -1, -2)
    return triangle * np.where(diagonal(triangle) < 0, -1.0, 1.0)[..., None, :]


# ------------------------------------------------------------------------------------------------ density and draws
def _whiten(factors: np.ndarray, difference: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Parts of z = L⁻¹ difference, and log det L, for differences (n, …, K, q): a list of q arrays (n, …, K), and (n, K)."""
    n, n_components, q = factors.shape[:3]
    edge = diagonal(factors)
    middle = (1,) * (difference.ndim - 3)
    z: list[np.ndarray] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(q):
            rest = difference[..., i]
            for j in range(i if factors.ndim == 4 else 0):
                rest = rest - factors[:, :, i, j].reshape(n, *middle, n_components) * z[j]
            z.append(rest / edge[:, :, i].reshape(n, *middle, n_components))
    return z, np.log(edge).sum(axis=2)


def _log_components(log_weights: np.ndarray, means: np.ndarray, factors: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Terms log π + log N(y) without the constant, (n, g, K), at points (n, g, q); −inf where the distance overflows."""
    z, log_determinant = _whiten(factors, y[:, :, None, :] - means[:, None])
    with np.errstate(over="ignore", invalid="ignore"):
        square = sum(part * part for part in z)
    square = np.where(np.isnan(square), np.inf, square)  # inf − inf on the way: farther than float64 reaches
    return (log_weights - log_determinant)[:, None] - 0.5 * square


def log_density(log_weights: np.ndarray, means: np.ndarray, factors: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log density in nats.

    Parameters
    ----------
    log_weights : ndarray (n, K)
    means : ndarray (n, K, q)
    factors : ndarray (n, K, q) or (n, K, q, q)
    y : ndarray (n, g, q)

    Returns
    -------
    ndarray (n, g)
        −inf where y is infinite, nan where it is nan.
    """
    n, n_components, q = means.shape
    extent = np.abs(y).max(axis=2, initial=0.0)
    y = np.where(np.isfinite(extent)[:, :, None], y, 0.0)
    result = np.empty(y.shape[:2])
    n_points = max(1, min(y.shape[1], BLOCK // n_components))
    n_rows = max(1, BLOCK // (n_components * n_points))
    for start in range(0, n, n_rows):
        rows = slice(start, start + n_rows)
        for first in range(0, y.shape[1], n_points):
            columns = slice(first, first + n_points)
            terms = _log_components(log_weights[rows], means[rows], factors[rows], y[rows, columns])
            result[rows, columns] = logsumexp(terms, axis=2)
    return np.where(np.isfinite(extent), result - q * HALF_LOG_2PI, -extent)


def draw(
    log_weights: np.ndarray, means: np.ndarray, factors: np.ndarray, n_samples: int, generator: np.random.Generator
) -> np.ndarray:
    """Draw from every row, (n, n_samples, q); nan with probability 1 − mass.

    Parameters
    ----------
    log_weights : ndarray (n, K)
    means : ndarray (n, K, q)
    factors : ndarray (n, K, q) or (n, K, q, q)
    n_samples : int
    generator : numpy Generator
    """
    n, n_components, q = means.shape
    result = np.empty((n, n_samples, q))
    n_rows = max(1, BLOCK // max(1, n_samples * q * q))
    for start in range(0, n, n_rows):
        rows = slice(start, min(start + n_rows, n))
        uniform = generator.random((rows.stop - start, n_samples))
        normal = generator.standard_normal((rows.stop - start, n_samples, q))
        chosen = choose_components(np.exp(log_weights[rows]), uniform)
        component = np.minimum(chosen, n_components - 1)
        row = np.arange(rows.start, rows.stop)[:, None]
        factor = factors[row, component]
        spread = factor * normal if factors.ndim == 3 else (factor @ normal[..., None])[..., 0]
        result[rows] = np.where((chosen < n_components)[..., None], means[row, component] + spread, np.nan)
    return result


# ------------------------------------------------------------------------------------------------ marginals, conditionals
def marginal(means: np.ndarray, factors: np.ndarray, outputs: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Means (n, K, m), and factors (n, K, m) or (n, K, m, m), of m outputs in the order listed.

    Parameters
    ----------
    means : ndarray (n, K, q)
    factors : ndarray (n, K, q) or (n, K, q, q)
    outputs : list of int
    """
    means = means[:, :, outputs]
    if factors.ndim == 3:
        return means, factors[:, :, outputs]
    if len(outputs) == 1:
        return means, deviations(factors[:, :, outputs])[..., None]  # the norm of one row needs no rotation
    return means, _in_order(factors, outputs)


def _in_order(factors: np.ndarray, outputs: list[int]) -> np.ndarray:
    """Triangles (n, K, m, m) of the outputs listed; the leading block as it is, where it holds them in order."""
    m = len(outputs)
    if outputs == list(range(m)):
        return factors[:, :, :m, :m]
    return _triangle(factors[:, :, outputs])


def condition(
    log_weights: np.ndarray,
    means: np.ndarray,
    factors: np.ndarray,
    given: list[int],
    rest: list[int],
    values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distribution of some outputs given others; outputs in neither list are integrated out.

    Parameters
    ----------
    log_weights : ndarray (n, K)
        Weights sum to one in every row.
    means : ndarray (n, K, q)
    factors : ndarray (n, K, q) or (n, K, q, q)
    given, rest : list of int
        Positions of a and b outputs, disjoint.
    values : ndarray (n, a)
        Finite values of the outputs given.

    Returns
    -------
    log_weights : ndarray (n, K)
        Weights sum to one in every row.
    means : ndarray (n, K, b)
    factors : ndarray (n, K, b[, b])
    """
    a = len(given)
    if a == 0:
        return log_weights, *marginal(means, factors, rest)
    difference = values[:, None] - means[:, :, given]
    if factors.ndim == 3:
        z, log_determinant = _whiten(factors[:, :, given], difference)
        factors, shift = factors[:, :, rest], np.zeros(())
    else:
        ordered = _in_order(factors, given + rest)
        z, log_determinant = _whiten(ordered[:, :, :a, :a], difference)
        with np.errstate(over="ignore", invalid="ignore"):
            shift = np.einsum("nkba,ank->nkb", ordered[:, :, a:, :a], np.stack(z))
        factors = ordered[:, :, a:, a:]
    means = means[:, :, rest] + shift
    return _reweigh(log_weights, z, log_determinant), means, factors


def condition_by_pattern(
    log_weights: np.ndarray,
    means: np.ndarray,
    factors: np.ndarray,
    given: list[int],
    rest: list[int],
    values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`condition`, in each row, on the outputs given there; rows that miss the same ones go together.

    Parameters
    ----------
    log_weights : ndarray (n, K)
    means : ndarray (n, K, q)
    factors : ndarray (n, K, q) or (n, K, q, q)
    given, rest : list of int
        Positions of a and b outputs, disjoint.
    values : ndarray (n, a)
        NaN where a value is missing.
    """
    patterns, members = np.unique(np.isnan(values), axis=0, return_inverse=True)
    if len(patterns) == 1 and not patterns.any():
        return condition(log_weights, means, factors, given, rest, values)
    shape = (len(rest),) * (factors.ndim - 2)
    result = log_weights.copy(), means[:, :, rest], np.empty((*log_weights.shape, *shape))
    for number, missing in enumerate(patterns):
        rows = np.flatnonzero(members == number)
        present = [output for output, absent in zip(given, missing, strict=True) if not absent]
        part = condition(log_weights[rows], means[rows], factors[rows], present, rest, values[rows][:, ~missing])
        for whole, of_rows in zip(result, part, strict=True):
            whole[rows] = of_rows
    return result


def _reweigh(log_weights: np.ndarray, z: list[np.ndarray], log_determinant: np.ndarray) -> np.ndarray:
    """Log weights ∝ π N(y_a), summing to one; where every density underflows to nothing, the nearest component has all."""
    with np.errstate(over="ignore", invalid="ignore"):
        square = sum(part * part for part in z)
    terms = log_weights - log_determinant - 0.5 * np.where(np.isnan(square), np.inf, square)
    lost = np.isneginf(terms).all(axis=1)
    if lost.any():
        distance = np.abs(np.stack(z)).max(axis=0)
        nearest = np.where(np.isneginf(log_weights) | np.isnan(distance), np.inf, distance).argmin(axis=1)
        alone = np.where(np.arange(log_weights.shape[1]) == nearest[:, None], 0.0, -np.inf)
        terms = np.where(lost[:, None], alone, terms)
    return terms - logsumexp(terms, axis=1, keepdims=True)
