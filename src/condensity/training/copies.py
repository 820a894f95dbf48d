"""Several versions of one table, one copy after the other, for members that each train on their own version."""

from collections.abc import Sequence

import numpy as np

from condensity.engines.types import Split, TrainingRows


def stack_copies(versions: Sequence[TrainingRows], splits: Sequence[Split]) -> tuple[TrainingRows, list[Split], int]:
    """One table of the distinct `versions` of a table, one for each member; the members' `splits` as its rows; how many copies.

    Members that share a version, the same object, share a copy.
    """
    distinct = list({id(each): each for each in versions}.values())
    first_row = {id(each): i * len(each.y) for i, each in enumerate(distinct)}
    table, *copies = distinct
    for copy in copies:
        table = table.followed_by(copy)
    starts = [first_row[id(each)] for each in versions]
    moved = [Split(kept + start, held_out + start) for (kept, held_out), start in zip(splits, starts, strict=True)]
    return table, moved, len(distinct)


def merge_copies(log_density: np.ndarray, n_copies: int) -> np.ndarray:
    """Mean density of `n_copies` copies of n rows: log densities (n,) from `log_density` (n_copies · n,), nan left out."""
    if n_copies == 1:
        return log_density
    copies = log_density.reshape(n_copies, -1)
    scored = ~np.isnan(copies)
    top = np.where(scored, copies, -np.inf).max(axis=0)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.where(scored, np.exp(np.where(scored, copies - top, 0.0)), 0.0).sum(axis=0)
    count = scored.sum(axis=0)
    with np.errstate(divide="ignore"):
        return np.where(count > 0, top + np.log(total / np.maximum(count, 1)), np.nan)
