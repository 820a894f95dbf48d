"""Rows that are worked on at once, by the bytes that they take."""

from typing import Any

#: Bytes of a batch, about: enough rows of ordinary models for the kernels, and little beside the libraries themselves.
BATCH_BYTES = 2**26

#: Bytes of a number, with the copies of it that are alive at a time.
NUMBER_BYTES = 4 * 8


def distribution_bytes(dist: Any) -> int:
    """Bytes of one row of a distribution: weights, means and covariances of all components, and what comes of them.

    Parameters
    ----------
    dist : Distribution

    Examples
    --------
    >>> from condensity import Mixture
    >>> from condensity.cli.batches import distribution_bytes
    >>> distribution_bytes(Mixture(weights=[[1.0]], means=[[0.0]], scales=[[1.0]]))
    96
    """
    return int(NUMBER_BYTES * dist.n_components * (1 + dist.n_outputs + dist.n_outputs**2))


def rows_within(row_bytes: int) -> int:
    """Rows of `row_bytes` each that are worked on at once, at least one.

    Examples
    --------
    >>> from condensity.cli.batches import rows_within
    >>> rows_within(2**20), rows_within(2**40)
    (64, 1)
    """
    return max(1, BATCH_BYTES // max(1, row_bytes))
