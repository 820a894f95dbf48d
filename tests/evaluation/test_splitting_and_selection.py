"""Which rows are held out, and how a number of components is swept."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from condensity import JointGMMRegressor
from condensity.data.splitting import (
    MIN_HELD_OUT_ROWS,
    MIN_ROWS_FOR_ONE_SPLIT,
    N_FOLDS,
    GivenSplitter,
    GroupSplitter,
    fold_splits,
    held_out_splits,
)
from condensity.datasets.synthetic import make_cross
from condensity.em.sweep import MAX_SCORE_LOSS, SIZES, candidate_sizes, sweep
from condensity.evaluation.selection import select_n_components


@pytest.mark.parametrize("n", [2, 3, 17, MIN_ROWS_FOR_ONE_SPLIT - 1, MIN_ROWS_FOR_ONE_SPLIT, 5000])
def test_splits_are_disjoint_and_complete(n):
    splits = held_out_splits(n, 0.15, np.random.default_rng(0))
    for kept, held_out in splits:
        assert sorted([*kept, *held_out]) == list(range(n))
        assert len(kept) > 0
        assert len(held_out) > 0
    if n < MIN_ROWS_FOR_ONE_SPLIT:
        assert len(splits) == min(N_FOLDS, n)
        assert sorted(np.concatenate([held_out for _, held_out in splits])) == list(range(n))
    else:
        assert len(splits) == 1
        assert len(splits[0][1]) == max(MIN_HELD_OUT_ROWS, round(0.15 * n))


@pytest.mark.parametrize(("fraction", "held_out"), [(0.01, MIN_HELD_OUT_ROWS), (0.5, 200), (1.0, 399)])
def test_a_held_out_part_is_large_enough_to_decide_and_leaves_rows_to_learn_from(fraction, held_out):
    ((kept, out),) = held_out_splits(400, fraction, np.random.default_rng(0))
    assert (len(kept), len(out)) == (400 - held_out, held_out)


def test_every_row_is_as_likely_to_be_held_out():
    n, repeats = 400, 2000
    rng = np.random.default_rng(1)
    counts = sum(np.bincount(held_out_splits(n, 0.25, rng)[0][1], minlength=n) for _ in range(repeats))
    # Binomial(2000, ¼): standard deviation 19.4; 400 rows stay within 4.5 of them (p = .003), and the seed is fixed.
    assert np.abs(counts - repeats / 4).max() < 4.5 * 19.4


def test_splits_follow_the_generator():
    first, again, other = (held_out_splits(400, 0.2, np.random.default_rng(seed))[0][1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def each(scores):
    """Scores of a group of sizes, from a table."""
    return lambda group: [scores[size] for size in group]


def test_a_component_needs_six_rows():
    assert candidate_sizes(2) == [1]
    assert candidate_sizes(12) == [1, 2]
    assert candidate_sizes(10**6) == list(SIZES)


def test_the_sweep_takes_the_best_and_ends_when_it_only_gets_worse():
    scores = {1: -1.0, 2: 0.5, 4: 0.4, 8: 0.5 - MAX_SCORE_LOSS - 0.01, 12: 9.0}
    best, table = sweep(each(scores), list(scores))
    assert best == 2
    assert table == {"n_components": [1, 2, 4, 8], "score": [-1.0, 0.5, 0.4, scores[8]]}


def test_the_sweep_prefers_the_smaller_of_equals_and_forgives_a_small_setback():
    scores = {1: 0.3, 2: 0.3 - 0.9 * MAX_SCORE_LOSS, 4: 0.3, 8: 0.2}
    best, table = sweep(each(scores), list(scores))
    assert best == 1
    assert table["n_components"] == list(scores)


def test_the_sweep_survives_a_size_of_no_likelihood_but_not_one_of_unknown_likelihood():
    scores = {1: -np.inf, 2: -3.0, 4: -9.0}
    assert sweep(each(scores), list(scores))[0] == 2
    with pytest.raises(ArithmeticError, match="score of 2 components is nan"):
        sweep(each({1: 0.0, 2: np.nan, 4: 1.0}), [1, 2, 4])


@pytest.mark.parametrize("at_once", [1, 2, 3, 7])
def test_sizes_side_by_side_change_nothing(at_once):
    scores = {1: -1.0, 2: 0.5, 4: 0.4, 8: 0.5 - MAX_SCORE_LOSS - 0.01, 12: 9.0, 16: 10.0}
    assert sweep(each(scores), list(scores), at_once=at_once) == sweep(each(scores), list(scores))


def test_a_sweep_that_is_ended_takes_the_best_so_far():
    assert sweep(each({1: 0.0, 2: 1.0, 4: 2.0}), [1, 2, 4], ended=lambda: True).best == 1


def test_sizes_are_chosen_for_any_estimator_through_a_pipeline():
    """The cross needs two components; the sweep of a pipeline finds more than one, the same with two workers."""
    problem = make_cross(400, random_state=0)
    pipeline = make_pipeline(StandardScaler(), JointGMMRegressor(random_state=0))
    options = {"parameter": "jointgmmregressor__n_components", "random_state": 0}
    frame = pd.DataFrame(problem.X, columns=["x"])
    selection = select_n_components(pipeline, frame, problem.y, **options)
    assert selection.best > 1
    assert selection == select_n_components(pipeline, frame, problem.y, n_jobs=2, **options)
    direct = select_n_components(JointGMMRegressor(random_state=0), problem.X, problem.y, sizes=[1, 4], random_state=0)
    assert direct.table["n_components"] == [1, 4]
    assert direct.table["score"][1] > direct.table["score"][0] + 0.2
    with pytest.raises(ValueError, match="sizes must hold"):
        select_n_components(pipeline, frame, problem.y, sizes=[])


# ------------------------------------------------------------------------------------------------- rows that belong together
def sides_share_no_group(splits, groups):
    return all(not set(groups[kept]) & set(groups[out]) and len(kept) and len(out) for kept, out in splits)


@pytest.mark.parametrize("n_groups", [2, 3, 40, MIN_ROWS_FOR_ONE_SPLIT, 1000])
@pytest.mark.parametrize("seed", [0, 1])
def test_groups_are_never_on_both_sides(n_groups, seed):
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(n_groups), rng.integers(1, 20, n_groups)))
    splitter = GroupSplitter(groups)
    held_out = held_out_splits(len(groups), 0.15, rng, splitter)
    assert sides_share_no_group(held_out, groups)
    assert len(held_out) == (1 if n_groups >= MIN_ROWS_FOR_ONE_SPLIT else min(N_FOLDS, n_groups))
    folds = fold_splits(len(groups), 7, rng, splitter)
    assert len(folds) == 7
    assert sides_share_no_group(folds, groups)
    assert sorted(np.concatenate([out for _, out in folds[: min(N_FOLDS, n_groups)]])) == list(range(len(groups)))
    some = rng.choice(len(groups), len(groups) // 2, replace=False)
    part = splitter.take(some)
    assert part is None or sides_share_no_group(part.held_out(0.15, rng), groups[some])


def test_groups_of_one_row_are_split_as_evenly_as_rows():
    rng = np.random.default_rng(0)
    ((kept, out),) = GroupSplitter(np.arange(1000)).held_out(0.15, rng)
    assert (len(kept), len(out)) == (850, 150)
    folds = GroupSplitter(np.arange(103)).folds(5, rng)
    assert sorted(len(out) for _, out in folds) == [20, 20, 21, 21, 21]


def test_given_splits_are_used_as_they_are_and_restricted_to_some_of_the_rows():
    n, rng = 60, np.random.default_rng(0)
    own = list(TimeSeriesSplit(3).split(np.zeros(n)))
    splitter = GivenSplitter.of(own, n)
    for mine, theirs in zip(splitter.held_out(0.5, rng), own, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(mine, theirs, strict=True))
    assert [len(out) for _, out in splitter.folds(5, rng)] == [15] * 5
    assert splitter.take(own[0][0]) is None  # the rows that the first split keeps are on one side of all
    (kept, out), *rest = splitter.take(np.arange(n) % 2 == 0).held_out(0.5, rng)
    assert (kept.max(), out.min(), len(rest)) == (7, 8, 2)
