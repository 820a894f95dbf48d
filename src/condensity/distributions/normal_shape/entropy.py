"""Differential entropy of row-wise normal mixtures, by adaptive Gauss–Kronrod quadrature."""

import numpy as np

from condensity import engines
from condensity.distributions.normal_shape.rootfinding import row_blocks

#: Gauss–Kronrod 7–15 (Kronrod 1965, as in QUADPACK): the positive nodes, descending, their weights, and Gauss's weights.
_KRONROD_NODES = np.array(
    [
        0.991455371120812639206854697526329,
        0.949107912342758524526189684047851,
        0.864864423359769072789712788640926,
        0.741531185599394439863864773280788,
        0.586087235467691130294144691693013,
        0.405845151377397166906606412076961,
        0.207784955007898467600689403773245,
        0.0,
    ]
)
_KRONROD_WEIGHTS = np.array(
    [
        0.022935322010529224963732008058970,
        0.063092092629978553290700663189204,
        0.104790010322250183839876322541518,
        0.140653259715525918745189590510238,
        0.169004726639267902826583426598550,
        0.190350578064785409913256402421014,
        0.204432940075298892414161999234649,
        0.209482141084727828012999174891714,
    ]
)
_GAUSS_WEIGHTS = np.array(
    [
        0.0,
        0.129484966168869693270611432679082,
        0.0,
        0.279705391489276667901467771423780,
        0.0,
        0.381830050505118944950369775488975,
        0.0,
        0.417959183673469387755102040816327,
    ]
)
ABSCISSAE = np.concatenate([-_KRONROD_NODES[:-1], _KRONROD_NODES[::-1]])
KRONROD = np.concatenate([_KRONROD_WEIGHTS[:-1], _KRONROD_WEIGHTS[::-1]])
DIFFERENCE = KRONROD - np.concatenate([_GAUSS_WEIGHTS[:-1], _GAUSS_WEIGHTS[::-1]])

#: First cells end at these z of every component; beyond 9 σ of all of them −p log p integrates to less than 1e-16.
NODES = np.array([-9.0, -3.0, 0.0, 3.0, 9.0])

#: A cell is halved while its two rules differ by more than this. The better rule is by far closer than the difference.
CELL_TOLERANCE = 1e-10

#: Halving cells from the largest σ down to a kink between two components takes about 30 rounds at σ ratios of e^10.
MAX_ROUNDS = 1100


def entropy(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Differential entropy −∫ p log p of one-dimensional normal mixtures, in nats.

    Parameters
    ----------
    log_weights, means, scales : ndarray (n, K)
        Weights of a row sum to one; −inf is an empty component.

    Returns
    -------
    ndarray (n,)
        To 1e-10 absolute; entropy of aY is that of Y plus log |a|.

    Notes
    -----
    Computed as log s − ∫ p log(p s) with the row's smallest σ for s, so that no unit of y loses digits.
    """
    n, k = means.shape
    total = np.empty(n)
    # About 6 arrays (n, cells, 15) live at once.
    for block in row_blocks(n, 6 * ABSCISSAE.size * NODES.size * k):
        total[block] = _entropy_block(log_weights[block], means[block], scales[block])
    return total


def _entropy_block(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Entropies of one block of rows."""
    n = len(means)
    unit = np.where(np.isneginf(log_weights), np.inf, scales).min(axis=1)
    heaviest = np.argmax(log_weights, axis=1)[:, None]
    empty = np.isneginf(log_weights)
    if empty.any():
        means = np.where(empty, np.take_along_axis(means, heaviest, axis=1), means)
        scales = np.where(empty, np.take_along_axis(scales, heaviest, axis=1), scales)
    nodes = (means[:, :, None] + scales[:, :, None] * NODES).reshape(n, -1)
    nodes.sort(axis=1)
    value, doubtful = _integrate(log_weights, means, scales, unit, nodes[:, :-1], nodes[:, 1:])
    total = np.where(doubtful, 0.0, value).sum(axis=1)
    rows, cells = np.nonzero(doubtful)
    left, right = nodes[rows, cells], nodes[rows, cells + 1]
    for _ in range(MAX_ROUNDS):
        if rows.size == 0:
            break
        middle = 0.5 * left + 0.5 * right
        left, right = np.stack([left, middle], axis=1), np.stack([middle, right], axis=1)
        value, doubtful = _integrate(log_weights[rows], means[rows], scales[rows], unit[rows], left, right)
        total += np.bincount(rows, np.where(doubtful, 0.0, value).sum(axis=1), minlength=n)
        part, half = np.nonzero(doubtful)
        rows, left, right = rows[part], left[part, half], right[part, half]
    return total + np.log(unit)


def _integrate(
    log_weights: np.ndarray,
    means: np.ndarray,
    scales: np.ndarray,
    unit: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """−∫ p log(p·unit) over cells (n, m), and whether they need halving."""
    middle, half = 0.5 * left + 0.5 * right, 0.5 * right - 0.5 * left
    y = middle[:, :, None] + half[:, :, None] * ABSCISSAE
    n, m, order = y.shape
    log_p = engines.mixture_logpdf(log_weights, means, scales, y.reshape(n, m * order)).reshape(y.shape)
    log_p += np.log(unit)[:, None, None]
    with np.errstate(invalid="ignore"):
        integrand = np.exp(log_p) * log_p
    integrand = -np.where(np.isneginf(log_p), 0.0, integrand)
    half = half / unit[:, None]
    value, error = integrand @ KRONROD * half, np.abs(integrand @ DIFFERENCE) * half
    coarse = right - left <= 4 * np.spacing(np.maximum(np.abs(left), np.abs(right)))
    return value, (error > CELL_TOLERANCE) & ~coarse
