"""Which rows are held out, and how a number of components is swept."""

import numpy as np
import pytest

from condensity.selection import GIVE_UP, SIZES, candidate_sizes, sweep
from condensity.splitting import MIN_HELD_OUT_ROWS, N_FOLDS, SMALL_N, held_out_splits


@pytest.mark.parametrize("n", [2, 3, 17, SMALL_N - 1, SMALL_N, 5000])
def test_splits_are_disjoint_and_complete(n):
    splits = held_out_splits(n, 0.15, np.random.default_rng(0))
    for kept, held_out in splits:
        assert sorted([*kept, *held_out]) == list(range(n))
        assert len(kept) > 0
        assert len(held_out) > 0
    if n < SMALL_N:
        assert len(splits) == min(N_FOLDS, n)
        assert sorted(np.concatenate([held_out for _, held_out in splits])) == list(range(n))
    else:
        assert len(splits) == 1
        assert len(splits[0][1]) == max(MIN_HELD_OUT_ROWS, round(0.15 * n))


def test_splits_follow_the_generator():
    first, again, other = (held_out_splits(400, 0.2, np.random.default_rng(seed))[0][1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_component_needs_six_rows():
    assert candidate_sizes(2) == [1]
    assert candidate_sizes(12) == [1, 2]
    assert candidate_sizes(10**6) == list(SIZES)


def test_the_sweep_takes_the_best_and_ends_when_it_only_gets_worse():
    scores = {1: -1.0, 2: 0.5, 4: 0.4, 8: 0.5 - GIVE_UP - 0.01, 12: 9.0}
    best, table = sweep(scores.__getitem__, list(scores))
    assert best == 2
    assert table == {"n_components": [1, 2, 4, 8], "score": [-1.0, 0.5, 0.4, scores[8]]}
