"""The default MDN against the truth: NLL − H* on the four odd data sets."""

import numpy as np
import pytest

from condensity import JointGMMRegressor, MDNRegressor
from condensity.datasets.synthetic import ODD_SETS, make_cross

GOAL = 0.10  # nats, at n = 2000: issue 2
TEST_SEED = 1_000_000


def excess(make, seed, n_test, model=MDNRegressor):
    train, test = make(2000, random_state=seed), make(n_test, random_state=TEST_SEED)
    fitted = model(random_state=seed).fit(train.X, train.y)
    return -fitted.score(test.X, test.y) - test.conditional_entropy


@pytest.mark.filterwarnings("ignore:Reached max_iter:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ODD_SETS)
def test_the_default_mdn_is_close_to_the_truth(name):
    # One seed and 20,000 rows, whose mean log density has a standard error of about .008.
    assert excess(ODD_SETS[name], 0, 20_000) <= GOAL


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Reached max_iter:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ODD_SETS)
def test_the_default_mdn_meets_the_goal_over_five_seeds(name):
    assert np.mean([excess(ODD_SETS[name], seed, 100_000) for seed in range(5)]) <= GOAL


def test_the_final_fit_of_a_sweep_is_as_good_as_the_one_that_won_it():
    # A fresh start on all rows ended 1.3 nats worse with these seeds (two components, one on each arm of the cross).
    for seed in (1, 2):
        assert excess(make_cross, seed, 20_000, JointGMMRegressor) < 0.02
