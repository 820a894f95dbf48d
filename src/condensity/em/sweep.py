"""Sweep over numbers of components: each size is scored on validation rows, until scores only get worse."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

#: Sizes tried, small to large; each needs `ROWS_PER_COMPONENT` rows per component.
SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 48)
ROWS_PER_COMPONENT = 6
#: The sweep ends when a size is this many nats per row worse than the best so far.
MAX_SCORE_LOSS = 0.25


class Selection(NamedTuple):
    """Result of a sweep.

    Attributes
    ----------
    best : int
        The size with the best score.
    table : dict of lists
        'n_components' and 'score' (mean held-out log density, nats per row; larger is better), one entry per size tried.
    """

    best: int
    table: dict[str, list[Any]]


def candidate_sizes(n: int, sizes: Sequence[int] = SIZES) -> list[int]:
    """Those of the sizes for which n rows suffice; [1] if none.

    Examples
    --------
    >>> candidate_sizes(60)
    [1, 2, 4, 8]
    """
    return [k for k in sizes if k * ROWS_PER_COMPONENT <= n] or [1]


def sweep(
    held_out_scores: Callable[[list[int]], Sequence[float]],
    sizes: Sequence[int],
    *,
    at_once: int = 1,
    patience: int | None = None,
    tolerated: int = 0,
    ended: Callable[[], bool] = lambda: False,
) -> Selection:
    """Score sizes in order until one falls `MAX_SCORE_LOSS` behind, or patience ends; the best is chosen.

    Parameters
    ----------
    held_out_scores : callable (list of int) -> list of float
        Mean held-out log density with that many components, of `at_once` sizes at a time; larger is better.
    sizes : sequence of int
    at_once : int
        Sizes scored in parallel. Changes nothing but the time: scores after the end are discarded.
    patience : int, optional
        The sweep ends after this many sizes in a row that are no better than the best before them.
    tolerated : int
        So many sizes in a row may fall `MAX_SCORE_LOSS` behind before one ends the sweep.
    ended : callable () -> bool, optional
        Whether to try no more sizes.

    Raises
    ------
    ArithmeticError
        For a score that is nan: it would win every comparison.
    """
    table: dict[str, list[Any]] = {"n_components": [], "score": []}

    def is_behind(score: float) -> bool:
        return score < max(table["score"]) - MAX_SCORE_LOSS

    def far_behind(group: list[int]) -> bool:
        for size, score in zip(group, held_out_scores(group), strict=True):
            if np.isnan(score):
                raise ArithmeticError(f"the held-out score of {size} components is nan")
            table["n_components"].append(size)
            table["score"].append(float(score))
            best = int(np.argmax(table["score"]))
            last = table["score"][-1 - tolerated :]
            if (len(last) > tolerated and all(map(is_behind, last))) or len(table["score"]) - 1 - best == patience:
                return True
        return False

    for first in range(0, len(sizes), at_once):
        if far_behind(list(sizes[first : first + at_once])) or ended():
            break
    return Selection(table["n_components"][int(np.argmax(table["score"]))], table)
