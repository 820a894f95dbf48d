"""The sweep over numbers of components: score each size on held-out rows, stop when it only gets worse."""

from typing import Any, NamedTuple

import numpy as np

#: Sizes tried, small to large; each needs `ROWS_PER_COMPONENT` rows a component.
SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 48)
ROWS_PER_COMPONENT = 6
#: The sweep ends when a size is this many nats a row worse than the best so far.
GIVE_UP = 0.25


class Selection(NamedTuple):
    """What a sweep came to.

    Attributes
    ----------
    best : int
        The size with the best score.
    table : dict of lists
        'n_components' and 'score' (mean held-out log density, nats a row; larger is better), one entry a size tried.
    """

    best: Any
    table: dict


def candidate_sizes(n, sizes=SIZES) -> list:
    """Those of the sizes that n rows can carry."""
    return [k for k in sizes if k * ROWS_PER_COMPONENT <= n] or [1]


def sweep(held_out_scores, sizes, *, at_once=1, patience=None, ended=lambda: False) -> Selection:
    """Score sizes in order until one falls `GIVE_UP` behind, or patience ends; the best is chosen.

    Parameters
    ----------
    held_out_scores : callable (list of int) -> list of float
        Mean held-out log density with that many components, of `at_once` sizes at a time; larger is better.
    sizes : sequence of int
    at_once : int
        How many sizes can be scored side by side. Changes nothing but the time: what comes after the end is thrown away.
    patience : int, optional
        The sweep ends after so many sizes in a row that are no better than the best before them.
    ended : callable () -> bool, optional
        Whether to try no more sizes.

    Raises
    ------
    ArithmeticError
        For a score that is nan: it would win every comparison.
    """
    table: dict[str, list] = {"n_components": [], "score": []}

    def far_behind(group):
        for size, score in zip(group, held_out_scores(group), strict=True):
            if np.isnan(score):
                raise ArithmeticError(f"the held-out score of {size} components is nan")
            table["n_components"].append(size)
            table["score"].append(float(score))
            best = int(np.argmax(table["score"]))
            if score < table["score"][best] - GIVE_UP or len(table["score"]) - 1 - best == patience:
                return True
        return False

    for first in range(0, len(sizes), at_once):
        if far_behind(list(sizes[first : first + at_once])) or ended():
            break
    return Selection(table["n_components"][int(np.argmax(table["score"]))], table)
