"""Tied covariances: regressions of outputs on each other that are the same in every component and at every x.

A network of full covariances learns q(q − 1)/2 regression coefficients of every component as functions of x. Where q is large
they are more than the rows can tell. Tied, they are one matrix C, of the residuals of a linear model, and a network of
independent outputs learns the rest: with y′ = (I + C) y,

    p(y | x) = Σ_k π_k(x) N(y′; μ′_k(x), diag σ_k(x)²)        (I + C has determinant 1),

which is the mixture of a network of full covariances whose head gives μ = (I + C)⁻¹ μ′ and, everywhere, C.
"""

from collections.abc import Sequence

import numpy as np

from condensity.engines.types import Network, Split, TrainingRows, regression_matrix, unpack_layers
from condensity.training.copies import stack_copies
from condensity.training.linear import fit_linear_gaussian


def regressions_between_outputs(rows: TrainingRows) -> np.ndarray:
    """C (q, q), strictly lower triangular: regressions of outputs on those before them, with the sign turned, given x.

    Of the residuals of a linear model of the `rows`, their correlations shrunk to 0 (Schäfer & Strimmer 2005).
    """
    theta, network = fit_linear_gaussian(rows)
    _, bias = unpack_layers(theta, network)[0]
    return regression_matrix(bias[None, None, 1 + 2 * network.n_outputs :], network.n_outputs)[0, 0]


def decorrelate(rows: TrainingRows, regressions: np.ndarray) -> TrainingRows:
    """The `rows` with y′ = (I + C) y, for the `regressions` C (q, q)."""
    return rows._replace(y=rows.y + rows.y @ regressions.T.astype(rows.y.dtype))


def decorrelate_members(
    table: TrainingRows, splits: Sequence[Split], regressions: Sequence[np.ndarray]
) -> tuple[TrainingRows, list[Split], int]:
    """The `table` for each distinct one of the members' `regressions`, m of (q, q); `splits` as its rows; how many copies."""
    versions = {id(each): decorrelate(table, each) for each in regressions}
    return stack_copies([versions[id(each)] for each in regressions], splits)


def regressions_of_members(table: TrainingRows, splits: Sequence[Split]) -> list[np.ndarray]:
    """C of the rows of the `table` that each member trains on, by the `splits`; members with the same rows share one."""
    first = regressions_between_outputs(table.take(splits[0].kept))
    return [
        first if np.array_equal(kept, splits[0].kept) else regressions_between_outputs(table.take(kept))
        for kept, _ in splits
    ]


def tie(theta: np.ndarray, network: Network, regressions: np.ndarray) -> np.ndarray:
    """Parameters (n_parameters,) of a coupled network that gives y the density which one of independent outputs gives y′.

    Parameters
    ----------
    theta : ndarray (n_parameters,)
        Of the `network`.
    network : Network
        Not coupled.
    regressions : ndarray (q, q)
        C.
    """
    return _with_means_times(theta, network, np.linalg.inv(np.eye(network.n_outputs) + regressions), regressions)


def untie(theta: np.ndarray, network: Network) -> tuple[np.ndarray, np.ndarray] | None:
    """Parameters (n_parameters,) and C (q, q) of which `tie` makes `theta` (n_parameters,) of a coupled `network`; or None."""
    k, q, pairs = network.n_components, network.n_outputs, network.n_regression_coefficients
    weight, bias = unpack_layers(theta, network)[-1]
    first = k + 2 * k * q
    coefficients = bias[first:].reshape(k, pairs)
    if not pairs or weight[:, first:].any() or (coefficients != coefficients[0]).any():
        return None
    regressions = regression_matrix(coefficients[None, :1].astype(float), q)[0, 0]
    return _with_means_times(theta, network, np.eye(q) + regressions, None), regressions


def tie_members(parameters: np.ndarray, network: Network, regressions: Sequence[np.ndarray]) -> np.ndarray:
    """As `tie`, of all members of `parameters` (m, n_parameters) of a `network`, by their `regressions`, m of (q, q)."""
    return np.array([tie(theta, network, each) for theta, each in zip(parameters, regressions, strict=True)])


def untie_members(parameters: np.ndarray, network: Network) -> tuple[np.ndarray, list[np.ndarray]] | None:
    """As `untie`, of every member of `parameters` (m, n_parameters) of a `network`; None unless all are tied."""
    members = [untie(theta, network) for theta in parameters]
    tied = [each for each in members if each is not None]
    return (np.array([theta for theta, _ in tied]), [each for _, each in tied]) if len(tied) == len(members) else None


def _with_means_times(
    theta: np.ndarray, network: Network, factor: np.ndarray, regressions: np.ndarray | None
) -> np.ndarray:
    """`theta` with the head's means times a `factor` (q, q), coupled by the `regressions` everywhere; None: independent."""
    k, q = network.n_components, network.n_outputs
    target = network._replace(coupled=regressions is not None)
    result = np.zeros(target.n_parameters, dtype=theta.dtype)
    old, new = unpack_layers(theta, network), unpack_layers(result, target)
    for (weight, bias), (new_weight, new_bias) in zip(old[:-1], new[:-1], strict=True):
        new_weight[...], new_bias[...] = weight, bias
    for part, new_part in zip(old[-1], new[-1], strict=True):
        new_part[..., : k + 2 * k * q] = part[..., : k + 2 * k * q]
        means = part[..., k : k + k * q]
        new_part[..., k : k + k * q] = (means.reshape(*means.shape[:-1], k, q) @ factor.T).reshape(means.shape)
    if regressions is not None:
        new[-1][1][k + 2 * k * q :] = np.tile(regressions[np.tril_indices(q, -1)], k)
    return result
