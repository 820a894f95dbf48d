"""Rows in blocks: verbs whose results have a few numbers per row take memory for inputs and results, not for distributions.

Rows with missing values are taken in the order of their patterns, so that a pattern is in few blocks: a joint mixture factorises
its covariances for each pattern of a block.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

#: Rows at least in a block, and bytes that one with more rows may take.
MIN_BLOCK_ROWS, BLOCK_BYTES = 64, 2**24

#: Rows at most in a block, and rows that are put in the order of their patterns at a time.
MAX_BLOCK_ROWS, SORTED_ROWS = 2**14, 2**18

#: Tables of at most this many rows are one block.
MAX_ROWS_AT_ONCE = 512

#: Numbers that a verb needs for each one of the mixture's parameters: those in standardised units and in data units, and
#: temporaries.
COPIES = 6

Rows = slice | np.ndarray


def in_blocks(
    verb: Callable[[Rows], Any], inputs: np.ndarray, numbers_per_row: Callable[[], int], width: int = 1
) -> Any:
    """Result (n, …) of a verb of rows, or a tuple of such results, worked out in blocks of the rows.

    Parameters
    ----------
    verb : callable (slice or ndarray of int) -> ndarray (m, …), or tuple of them
        Results for some of the rows, each of which depends on its own row alone.
    inputs : ndarray (n, e)
        Model inputs; NaN where a value is missing.
    numbers_per_row : callable () -> int
        Numbers that the distribution of one row has; called where there are many rows.
    width : int
        Numbers of one row's result.
    """
    n = len(inputs)
    if n <= MAX_ROWS_AT_ONCE:
        return verb(slice(None))
    size = block_rows(COPIES * numbers_per_row() + 4 * inputs.shape[1] + 4 * width)
    if n <= size:
        return verb(slice(None))
    results: Any = None
    for rows in blocks_of(inputs, size):
        found = verb(rows)
        parts = found if isinstance(found, tuple) else (found,)
        if results is None:
            results = tuple(np.empty((n, *part.shape[1:]), part.dtype) for part in parts)
        for result, part in zip(results, parts, strict=True):
            result[rows] = part
    return results if isinstance(found, tuple) else results[0]


def block_rows(numbers: int) -> int:
    """Rows of a block that need `numbers` float64 numbers each: a power of two, so that SIMD lanes are filled as in one block."""
    return 1 << (min(max(BLOCK_BYTES // (8 * numbers), MIN_BLOCK_ROWS), MAX_BLOCK_ROWS).bit_length() - 1)


def blocks_of(inputs: np.ndarray, size: int) -> Iterator[Rows]:
    """The rows of `inputs` (n, e) in blocks of `size`: slices or, where values are missing, positions of similar rows."""
    n = len(inputs)
    for start in range(0, n, SORTED_ROWS):
        some = inputs[start : start + SORTED_ROWS]
        order = _order_of_patterns(some)
        for first in range(0, len(some), size):
            block = slice(first, min(first + size, len(some)))
            yield slice(start + block.start, start + block.stop) if order is None else start + order[block]


def _order_of_patterns(inputs: np.ndarray) -> np.ndarray | None:
    """Positions (m,) that put rows with the same missing values next to each other; None where nothing is missing."""
    missing = np.isnan(inputs)
    if not missing.any():
        return None
    codes = np.packbits(missing, axis=1)
    return np.lexsort(codes.T)
