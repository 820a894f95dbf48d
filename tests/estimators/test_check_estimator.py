"""scikit-learn's own contract."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from condensity import JointGMMRegressor, MDNRegressor

WEIGHTS = "a random held-out part and a random start make repeated rows another fit than weighted ones"


def expected_failures(estimator):
    return {"check_sample_weight_equivalence_on_dense_data": WEIGHTS}


# Tables of ten to a hundred rows, some of them constant, repeated or without any signal: these warnings are the point.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:Only .* rows are distinct:UserWarning")
@pytest.mark.filterwarnings("ignore:X is constant in column:UserWarning")
@pytest.mark.filterwarnings("ignore:Columns .* of X are equal:UserWarning")
@pytest.mark.filterwarnings("ignore:y is constant:UserWarning")
@parametrize_with_checks([MDNRegressor(), JointGMMRegressor()], expected_failed_checks=expected_failures)
def test_scikit_learn_contract(estimator, check):
    check(estimator)
