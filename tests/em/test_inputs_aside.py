"""Inputs that say nothing about y: found, set aside, and without a part in p(y | x)."""

import numpy as np
import pytest

from condensity import JointGMMRegressor, em, load
from condensity.datasets.synthetic import make_noisy_wave, make_two_branch
from condensity.em.aside import InputsAside, redundant_inputs

pytestmark = pytest.mark.filterwarnings("ignore:X is constant", "ignore:Columns . and . of X are equal")

rng = np.random.default_rng(0)
BRANCHES, TEST = make_two_branch(1000, random_state=0), make_two_branch(3000, random_state=1)


@pytest.fixture(scope="module")
def alone():
    """Fit without any column added, and its test score."""
    return score(np.empty((1000, 0)), np.empty((3000, 0)))


def score(columns, columns_of_test, **options):
    """Test score of a fit to the two branches with columns added."""
    model = JointGMMRegressor(random_state=1, support_model=None, **options)
    model.fit(np.column_stack([BRANCHES.X, columns]), BRANCHES.y)
    return model, model.score(np.column_stack([TEST.X, columns_of_test]), TEST.y)


def added(kind, n, seed):
    """Columns (n, …) that say nothing about y."""
    rng = np.random.default_rng(seed)
    return {
        "binary": rng.integers(0, 2, (n, 1)),
        "three binary": rng.integers(0, 2, (n, 3)),
        "constant": np.ones((n, 1)),
        "five levels": rng.integers(0, 5, (n, 1)),
        "noise": rng.normal(size=(n, 1)),
        "rare flag": rng.random((n, 1)) < 0.03,
    }[kind].astype(float)


@pytest.mark.trap("T38", 140)
@pytest.mark.parametrize("kind", ["binary", "three binary", "constant", "five levels", "noise", "rare flag"])
def test_columns_that_say_nothing_cost_nothing(kind, alone):
    model, score_with = score(added(kind, 1000, 100), added(kind, 3000, 101))
    assert score_with > alone[1] - 0.02
    assert model.model_.aside is not None


@pytest.mark.trap(141)
@pytest.mark.parametrize("copy", [lambda x: x, lambda x: 3.0 - 2.0 * x, lambda x: 1e6 * x])
def test_a_copy_in_any_unit_changes_nothing(copy, alone):
    model, with_copy = score(copy(BRANCHES.X), copy(TEST.X))
    assert with_copy == pytest.approx(alone[1], abs=1e-6)
    assert model.model_.n_components == alone[0].model_.n_components


def test_an_ordinary_table_keeps_all_its_columns():
    problem = make_noisy_wave(300, random_state=0)
    x = np.column_stack([problem.X, rng.normal(size=300)])
    model = JointGMMRegressor(2, random_state=0).fit(x, problem.y + x[:, 1])
    assert model.model_.aside is None


def test_a_binary_column_that_matters_stays():
    flag = rng.integers(0, 2, 1000).astype(float)
    y = np.where(flag == 1, BRANCHES.y, -BRANCHES.y + 3.0)
    model = JointGMMRegressor(random_state=0).fit(np.column_stack([BRANCHES.X, flag]), y)
    assert model.model_.aside is None


@pytest.mark.parametrize("spec", [em.CovarianceSpec(), em.CovarianceSpec("diag")])
def test_the_mixture_over_all_columns_has_the_regression_and_no_part_in_the_conditional(spec):
    z = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4))
    aside = InputsAside.fit(np.array([1]), z, np.ones(500), 3, spec)
    others = em.fit_gmm(z[:, aside.others], 3, np.random.default_rng(0), spec=spec).parameters
    over_all = aside.over_all(others)
    np.linalg.cholesky(over_all.covariances)
    some = z[:20].copy()
    with_it = em.conditional(over_all, [0, 1, 2], [3], some[:, :3])
    without = em.conditional(others, [0, 1], [2], some[:, [0, 2]])
    np.testing.assert_allclose(with_it.logpdf(some[:, 3]), without.logpdf(some[:, 3]), rtol=1e-9, atol=1e-9)
    back = over_all.over(aside.others)
    np.testing.assert_allclose(back.covariances, others.covariances, rtol=1e-12)
    if not spec.independent:  # least squares of the column set aside on the other inputs
        design = np.column_stack([np.ones(500), z[:, [0, 2]]])
        solution = np.linalg.lstsq(design, z[:, 1], rcond=None)[0]
        np.testing.assert_allclose([*aside.intercept, *aside.slopes[0]], solution, atol=2e-3)


def test_redundant_inputs_are_constants_and_later_copies():
    x = rng.normal(size=(50, 3))
    z = np.column_stack([x[:, 0], np.full(50, 2.0), x[:, 1], -x[:, 0], x[:, 2], x[:, 1], x[:, 2] + 1e-3, x[:, 2]])
    assert redundant_inputs(z, 7).tolist() == [1, 3, 5]
    z[3, 2] = np.nan  # no longer a copy
    assert redundant_inputs(z, 7).tolist() == [1, 3]
    assert redundant_inputs(np.ones((5, 3)), 2).tolist() == [1]


@pytest.mark.trap(142)
def test_a_model_with_inputs_aside_is_saved_continued_and_has_every_verb(tmp_path):
    x = np.column_stack([BRANCHES.X, added("binary", 1000, 3), BRANCHES.X])
    model = JointGMMRegressor(random_state=0, warm_start=True).fit(x, BRANCHES.y)
    assert model.model_.aside.tolist()[-1] == 2
    back = load(model.save(tmp_path / "aside.condensity"))
    np.testing.assert_array_equal(back.predict(x[:5]), model.predict(x[:5]))
    assert back.model_.aside.tolist() == model.model_.aside.tolist()
    gone = x[:5].copy()
    gone[:, 0] = np.nan  # its copy is still there
    np.testing.assert_allclose(model.predict(gone), model.predict(x[:5]), atol=0.02)
    assert model.condition({"y": [0.5]}).n_outputs == 3
    assert np.isfinite(model.score_joint(x, BRANCHES.y)).all()
    assert (model.support(x) > 0.01).mean() > 0.95
    before = model.score(x, BRANCHES.y)
    assert model.fit(x, BRANCHES.y).score(x, BRANCHES.y) > before - 0.01
    assert model.model_.aside is not None


def test_positions_aside_of_files_are_checked():
    model = JointGMMRegressor(1, random_state=0).fit(np.column_stack([BRANCHES.X, np.ones(1000)]), BRANCHES.y).model_
    model.check_loaded()
    for bad in (np.array([0, 1]), np.array([2]), np.array([0.5]), "1"):
        object.__setattr__(model, "aside", bad)
        with pytest.raises(ValueError, match="set aside"):
            model.check_loaded()
