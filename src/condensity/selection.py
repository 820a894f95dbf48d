"""How many components: sweep a list of sizes, score each on held-out rows, stop when it only gets worse."""

import numpy as np

#: Sizes tried, small to large; each needs `ROWS_PER_COMPONENT` rows a component.
SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 48)
ROWS_PER_COMPONENT = 6
#: The sweep ends when a size is this many nats a row worse than the best so far.
GIVE_UP = 0.25


def candidate_sizes(n) -> list:
    """Numbers of components worth trying on n rows."""
    return [k for k in SIZES if k * ROWS_PER_COMPONENT <= n] or [1]


def sweep(held_out_score, sizes):
    """Score sizes in order until one falls `GIVE_UP` behind; the best is chosen.

    Parameters
    ----------
    held_out_score : callable (int) -> float
        Mean held-out log density with that many components; larger is better.
    sizes : sequence of int

    Returns
    -------
    best : int
    table : dict of lists
        'n_components' and 'score', one entry a size tried.

    Raises
    ------
    ArithmeticError
        For a score that is nan: it would win every comparison.
    """
    table: dict[str, list] = {"n_components": [], "score": []}
    for size in sizes:
        score = float(held_out_score(size))
        if np.isnan(score):
            raise ArithmeticError(f"the held-out score of {size} components is nan")
        table["n_components"].append(size)
        table["score"].append(score)
        if score < max(table["score"]) - GIVE_UP:
            break
    return table["n_components"][int(np.argmax(table["score"]))], table
