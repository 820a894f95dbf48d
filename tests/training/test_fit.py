"""What a fit does with its rows: candidates, refit, ensembles, several outputs, and what it says about itself."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning

from condensity import MDNRegressor, engines
from condensity.compute import Compute
from condensity.datasets.synthetic import make_cross, make_noisy_wave
from condensity.engines import driver
from condensity.engines.types import TrainingRows
from condensity.evaluation.diagnostics import baseline_log_density
from condensity.training import fit as fitting
from condensity.training import race
from condensity.training.initialization import initial_means
from condensity.training.settings import bin_edges, encodings_to_try

SMALL = {"hidden_layer_sizes": (16,), "n_components": 4, "random_state": 0}


def table(n=400, seed=0):
    """A step along the first input, which bins describe and a smooth network does not, and a wave along the second."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 2))
    return x, np.floor(8 * x[:, 0]) + np.sin(3 * x[:, 1]) + 0.1 * rng.normal(size=n)


# --------------------------------------------------------------------------------------------------------- encodings
def test_edges_lie_at_quantiles_and_few_values_have_a_bin_between_each_two():
    rng = np.random.default_rng(0)
    column = rng.normal(size=1000)
    few = rng.integers(0, 5, 1000).astype(float)
    edges = bin_edges(np.column_stack([column, few, np.zeros(1000)]))
    assert len(edges[0]) == 33
    np.testing.assert_allclose(np.searchsorted(np.sort(column), edges[0][1:-1]), np.arange(1, 32) * 1000 / 32, atol=1)
    np.testing.assert_array_equal(edges[1], np.arange(5.0))
    np.testing.assert_array_equal(edges[2], [0.0])
    assert len(bin_edges(rng.normal(size=(5000, 1)))[0]) == 65


def test_held_out_likelihood_chooses_the_encoding():
    steps = MDNRegressor(random_state=0).fit(*table())
    assert [each["numeric_encoding"] for each in steps.candidates_] == [None, "piecewise"]
    assert steps.model_.network.edges is not None
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    smooth = MDNRegressor(random_state=0).fit(x, np.sin(x @ [1.0, 0.7, -0.5]) + 0.1 * rng.normal(size=400))
    assert smooth.model_.network.edges is None
    for fitted in (steps, smooth):
        kept = [each["held_out_nll"] for each in fitted.candidates_ if not each["dropped"]]
        assert min(kept) == min(each["held_out_nll"] for each in fitted.candidates_)
    # One input, few rows, or a fixed choice: nothing is tried.
    assert len(MDNRegressor(**SMALL).fit(x[:, :1], x[:, 1]).candidates_) == 1
    assert len(MDNRegressor(numeric_encoding="piecewise", **SMALL).fit(*table()).candidates_) == 1


def test_dropping_a_candidate_early_changes_no_bit_of_the_other(monkeypatch):
    monkeypatch.setattr(race, "RACE_MARGIN", 0.0)
    raced = MDNRegressor(**SMALL).fit(*table())
    assert sorted(each["dropped"] for each in raced.candidates_) == [False, True]
    monkeypatch.setattr(race, "RACE_MARGIN", np.inf)
    both = MDNRegressor(**SMALL).fit(*table())
    np.testing.assert_array_equal(raced.model_.parameters, both.model_.parameters)
    assert not any(each["dropped"] for each in both.candidates_)
    assert MDNRegressor(**SMALL).fit(*table()).candidates_ == both.candidates_


def test_how_fast_a_machine_is_decides_nothing(monkeypatch):
    """Work comes in slices of time; what is compared, dropped and kept must not depend on where they end."""
    fits = []
    for seconds in (0.0, 0.01, 10.0):
        monkeypatch.setattr(driver, "SLICE_SECONDS", seconds)
        fits.append(MDNRegressor(**SMALL).fit(*table()))
    for other in fits[1:]:
        np.testing.assert_array_equal(other.model_.parameters, fits[0].model_.parameters)
        assert other.candidates_ == fits[0].candidates_


# ------------------------------------------------------------------------------------------------------------- refit
def test_refit_trains_on_all_rows_for_as_many_epochs():
    data = make_cross(1000, random_state=0)
    once = MDNRegressor(refit=False, **SMALL).fit(data.X, data.y)
    again = MDNRegressor(**SMALL).fit(data.X, data.y)
    (candidate,) = again.candidates_
    assert candidate == once.candidates_[0]
    assert again.outcome_.startswith(f"Trained on all 1000 rows for {round(candidate['n_steps'] / 0.85)} steps")
    assert not np.array_equal(once.model_.parameters, again.model_.parameters)
    np.testing.assert_array_equal(once.oof_score_samples_, again.oof_score_samples_)


def test_own_validation_rows_choose_and_are_never_trained_on():
    data, held_out = make_cross(400, random_state=0), make_cross(100, random_state=1)
    fitted = MDNRegressor(**SMALL).fit(data.X, data.y, X_val=held_out.X, y_val=held_out.y)
    moved = MDNRegressor(**SMALL).fit(data.X, data.y, X_val=held_out.X, y_val=held_out.y + 1e-6)
    assert fitted.oof_score_samples_.shape == (400,)
    assert np.isnan(fitted.oof_score_samples_).all()
    np.testing.assert_array_equal(fitted.model_.parameters, moved.model_.parameters)
    assert fitted.history_["validation_nll"] != moved.history_["validation_nll"]


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_own_validation_rows_are_judged_with_their_own_offsets(engine):
    if engine == "native" and not engines.native_available():
        pytest.skip("the compiled extension is not built")
    rng = np.random.default_rng(0)
    x, cause = rng.normal(size=(400, 1)), 2.0 * rng.normal(size=(400, 1))
    offset = np.zeros((400, 12))  # logits, means, log σ of four components
    offset[:, 4:8] = cause
    rows = TrainingRows(x, cause + 0.3 * rng.normal(size=(400, 1)), np.ones(400), offset)
    kept, held_out = rows.take(slice(300)), rows.take(slice(300, None))
    settings = MDNRegressor(**SMALL)._settings()
    fitted = fitting.fit_mdn(settings, kept, np.random.default_rng(0), held_out, compute=Compute(engine))
    # A normal of spread .3 costs .22 nats; of spread 2, the best without the offset, 2.1.
    assert min(fitted.history["validation_nll"]) < 0.5
    with pytest.raises(ValueError, match="must have an offset, or none"):
        fitting.fit_mdn(
            settings, kept, np.random.default_rng(0), held_out._replace(offset=None), compute=Compute(engine)
        )


def test_own_validation_rows_without_early_stopping_are_refused():
    data = make_cross(100, random_state=0)
    with pytest.raises(ValueError, match="early_stopping=False"):
        MDNRegressor(early_stopping=False, **SMALL).fit(data.X, data.y, X_val=data.X, y_val=data.y)


# --------------------------------------------------------------------------------------------------------- ensembles
def test_an_ensemble_is_the_mean_density_of_its_members():
    data = make_cross(400, random_state=0)
    fitted = MDNRegressor(n_members=6, **SMALL).fit(data.X, data.y)
    dist = fitted.predict_dist(data.X[:9])
    assert dist.n_components == 6 * 4
    one = MDNRegressor(n_members=6, **SMALL).fit(data.X, data.y)
    densities = []
    for theta in fitted.model_.parameters:
        one.model_ = fitting.replace(fitted.model_, parameters=theta[None])
        densities.append(one.predict_dist(data.X[:9]).pdf(data.y[:9]))
    np.testing.assert_allclose(dist.pdf(data.y[:9]), np.mean(densities, axis=0), rtol=1e-12)


def test_out_of_fold_scores_are_honest_and_in_data_units():
    """Their mean forecasts the test score: the folds' models have four fifths of the rows, and half the members each."""
    data, test = make_cross(600, random_state=0), make_cross(20_000, random_state=1)
    fitted = MDNRegressor(n_members=10, random_state=0).fit(data.X, data.y * 100.0)
    assert fitted.oof_score_samples_.shape == (600,)
    error = np.std(fitted.oof_score_samples_) / np.sqrt(600)
    assert abs(fitted.oof_score_samples_.mean() - fitted.score(test.X, test.y * 100.0)) < 3 * error
    weight = np.ones(600)
    weight[[3, 77]] = 0.0
    weighted = MDNRegressor(n_members=5, **SMALL).fit(data.X, data.y, sample_weight=weight)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(weighted.oof_score_samples_)), [3, 77])


@pytest.mark.skipif(not engines.native_available(), reason="the compiled extension is not built")
def test_n_jobs_changes_no_bit():
    data = make_cross(400, random_state=0)
    fits = [MDNRegressor(n_members=5, n_jobs=n_jobs, **SMALL).fit(data.X, data.y) for n_jobs in (None, 1, 2, -1)]
    for other in fits[1:]:
        np.testing.assert_array_equal(other.model_.parameters, fits[0].model_.parameters)
        np.testing.assert_array_equal(other.oof_score_samples_, fits[0].oof_score_samples_)


@pytest.mark.filterwarnings("ignore:.*Reached max_iter:sklearn.exceptions.ConvergenceWarning")
def test_an_ensemble_splits_its_variance():
    """Aleatoric: the mean of the members' variances. Epistemic: the variance of their means. Together: the whole."""
    data = make_noisy_wave(300, random_state=0)
    fitted = MDNRegressor(n_members=5, **SMALL).fit(data.X, data.y)
    x = np.linspace(-8, 8, 50)[:, None]
    aleatoric, epistemic = fitted.predict_variance_parts(x)
    np.testing.assert_allclose(aleatoric + epistemic, fitted.predict_dist(x).var(), rtol=1e-9)
    assert (epistemic >= 0).all()
    outside, inside = np.abs(x[:, 0]) > 4, np.abs(x[:, 0]) < 2
    assert epistemic[outside].mean() > 3 * epistemic[inside].mean()
    single = MDNRegressor(**SMALL).fit(data.X, data.y)
    aleatoric, epistemic = single.predict_variance_parts(x)
    np.testing.assert_array_equal(epistemic, 0.0)
    np.testing.assert_allclose(aleatoric, single.predict_dist(x).var(), rtol=1e-12)


# --------------------------------------------------------------------------------------------------- several outputs
def correlated(n, seed=0):
    """Two outputs whose correlation turns with x: its exact log density too."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 1))
    correlation = 0.95 * np.sin(3 * x[:, 0])
    noise = rng.normal(size=(n, 2))
    noise[:, 1] = correlation * noise[:, 0] + np.sqrt(1 - correlation**2) * noise[:, 1]
    y = np.column_stack([x[:, 0], x[:, 0] ** 2]) + 0.1 * noise
    determinant = np.log(1 - correlation**2)
    squares = (noise[:, 0] ** 2 - 2 * correlation * noise[:, 0] * noise[:, 1] + noise[:, 1] ** 2) / (1 - correlation**2)
    return x, y, -np.log(2 * np.pi) - 2 * np.log(0.1) - 0.5 * determinant - 0.5 * squares


def test_full_covariance_learns_what_diagonal_cannot():
    x, y, _ = correlated(2000)
    test_x, test_y, truth = correlated(20_000, seed=1)
    full = MDNRegressor(random_state=0).fit(x, y)
    diagonal = MDNRegressor(covariance_type="diag", n_components=1, random_state=0).fit(x, y)
    assert truth.mean() - full.score(test_x, test_y) < 0.08
    assert truth.mean() - diagonal.score(test_x, test_y) > 0.2
    one = MDNRegressor(n_components=1, random_state=0).fit(x, y)
    dist = one.predict_dist([[0.5]])
    covariance = dist.covariances[0, 0]
    assert covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]) == pytest.approx(
        0.95 * np.sin(1.5), abs=0.06
    )


def test_several_outputs_keep_their_shape_names_and_units():
    x, y, _ = correlated(400)
    frame = pd.DataFrame(y * [1.0, 1000.0], columns=["left", "right"])
    fitted = MDNRegressor(**SMALL).fit(x, frame)
    dist = fitted.predict_dist(x[:5])
    assert dist.output_names == ["left", "right"]
    assert fitted.predict(x[:5]).shape == (5, 2)
    assert fitted.sample(x[:5], 3, random_state=0).shape == (5, 3, 2)
    assert dist.marginal("right").ppf(0.5).shape == (5,)
    plain = MDNRegressor(**SMALL).fit(x, y)
    assert plain.predict_dist(x[:5]).output_names is None
    np.testing.assert_allclose(fitted.score(x, frame), plain.score(x, y) - np.log(1000.0), atol=0.1)
    np.testing.assert_allclose(fitted.score_samples(x[:5], frame[:5]), dist.logpdf(frame[:5].to_numpy()))
    with pytest.raises(ValueError, match="marginal"):
        fitted.predict_quantiles(x[:5])
    with pytest.raises(ValueError, match="y must have 2 columns"):
        fitted.score(x, y[:, 0])
    with pytest.raises(ValueError, match=r"y contains NaN .*'right'"):
        MDNRegressor().fit(x, frame.assign(right=frame["right"].where(frame.index != 3)))


@pytest.mark.trap(20)
@pytest.mark.filterwarnings("ignore:1 of 400 values of y lie more than 1000 times:UserWarning")
@pytest.mark.parametrize("wild", [1e6, 1e200])
def test_a_wild_row_of_several_outputs_leaves_the_others_alone(wild):
    x, y, _ = correlated(400)
    test_x, test_y, _ = correlated(5000, seed=1)
    clean = MDNRegressor(**SMALL).fit(x, y).score(test_x, test_y)
    y[7] = [wild, -wild]
    hurt = MDNRegressor(**SMALL).fit(x, y)
    assert clean - hurt.score(test_x, test_y) < 0.2
    assert np.isfinite(hurt.score_samples(x, y)).all() or wild > 1e100  # −z²/2 of 10²⁰⁰ leaves float64


@pytest.mark.trap(8, 9)
@pytest.mark.filterwarnings(
    "ignore:Column 1 of y is constant:UserWarning",
    "ignore:y1 seems to be:UserWarning",
    "ignore:.*Reached max_iter",
)
@pytest.mark.parametrize("kind", ["constant", "copy", "noise-free"])
def test_degenerate_outputs_have_finite_densities(kind):
    x, y, _ = correlated(300)
    y[:, 1] = {"constant": 1.0, "copy": y[:, 0], "noise-free": x[:, 0] ** 2}[kind]
    fitted = MDNRegressor(max_iter=40, **SMALL).fit(x, y)
    assert np.isfinite(fitted.score_samples(x, y)).all()
    assert np.isfinite(fitted.predict_dist(x).cov()).all()
    assert np.isfinite(fitted.sample(x, 2, random_state=0)).all()


def test_tiny_tables_of_several_outputs_get_one_linear_normal():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(19, 1))
    noise = rng.normal(size=(19, 2)) @ [[1.0, 0.8], [0.0, 0.6]]
    y = x * [2.0, -1.0] + 0.3 * noise
    fitted = MDNRegressor(fallback=None, random_state=0).fit(x, y)
    dist = fitted.predict_dist(x)
    assert dist.n_components == 1
    np.testing.assert_allclose(dist.mean(), x * [2.0, -1.0], atol=0.6)  # a prior worth one row in 19 pulls to the mean
    covariance = dist.covariances[0, 0]
    assert covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]) > 0.4
    expected = multivariate_normal.logpdf(y[0], dist.means[0, 0], covariance)
    assert fitted.score_samples(x[:1], y[:1])[0] == pytest.approx(expected)


def test_components_of_several_outputs_start_along_their_main_axis():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(500, 1)) * [1.0, -1.0, 0.5] + 0.01 * rng.normal(size=(500, 3))
    centers = initial_means(TrainingRows(np.zeros((500, 1)), y, np.ones(500)), 5)
    np.testing.assert_allclose(centers, centers[:, :1] * [1.0, -1.0, 0.5], atol=0.05)
    assert np.ptp(centers[:, 0]) > 2.0


# ------------------------------------------------------------------------------------------------------------ health
def names(fitted):
    return {finding.name: finding for finding in fitted.health_}


def test_a_healthy_model_says_so_with_numbers():
    data = make_cross(1000, random_state=0)
    fitted = MDNRegressor(random_state=0).fit(data.X, data.y)
    found = names(fitted)
    assert set(found) == {"stopping", "baseline", "components", "bounds of sigma", "steps", "ties"}
    assert not any(finding.serious for finding in fitted.health_)
    assert "held-out rows" in found["baseline"].text
    assert str(found["stopping"]).strip() == f"stopping: {fitted.outcome_}"
    assert fitted.health_ is fitted.health_


def test_a_model_that_loses_to_a_normal_without_x_warns():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 30)), rng.normal(size=60)
    with pytest.warns(ConvergenceWarning, match="no better than one normal that ignores X") as caught:
        fitted = MDNRegressor(random_state=0).fit(x, y)
    assert names(fitted)["baseline"].serious
    assert len(caught) == 1


def test_the_baseline_is_the_normal_of_the_rows():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 3)) + 1.0
    weight = rng.integers(1, 4, 50).astype(float)
    covariance = np.cov(y.T, fweights=weight.astype(int), bias=True)
    expected = multivariate_normal.logpdf(y, np.average(y, axis=0, weights=weight), covariance)
    np.testing.assert_allclose(baseline_log_density(y, weight, y), expected, atol=1e-6)


def test_findings_name_ties_bounds_and_steps():
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"wind": rng.uniform(-1, 1, 600), "rain": rng.uniform(-1, 1, 600)})
    y = np.round(np.where(x["wind"] > 0, 10.0, 0.0) + 0.3 * rng.normal(size=600), 1)
    fitted = MDNRegressor(scale_bounds=(0.2, 0.4), random_state=0).fit(x, y)
    found = names(fitted)
    assert "% of the values of y repeat another" in found["ties"].text
    assert found["bounds of sigma"].serious
    assert "floor (0.2 of y's scale)" in found["bounds of sigma"].text
    assert "along 'wind'" in found["steps"].text


def test_too_few_held_out_rows_are_told():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 1))
    with pytest.warns(ConvergenceWarning):  # of the baseline, or of stopping: there is nothing to learn
        fitted = MDNRegressor(random_state=0).fit(x, rng.standard_t(2, size=40))
    assert "too few to trust" in names(fitted)["held-out rows"].text


# ------------------------------------------------------------------------------------------- long and wide tables
@pytest.mark.trap(145)
@pytest.mark.parametrize("options", [{}, {"n_members": 2}, {"refit": False}])
def test_candidates_of_a_long_table_are_compared_on_a_sample_and_the_best_is_trained_once(monkeypatch, options):
    monkeypatch.setattr(fitting, "MAX_COMPARISON_ROWS", 300)
    monkeypatch.setattr(fitting, "MAX_HELD_OUT_ROWS", 60)
    sizes = []
    train = race.CandidateRace.train_candidates

    def recorded(self, recipes, splits):
        sizes.append((len(recipes), len(splits[0].kept), len(splits[0].held_out)))
        return train(self, recipes, splits)

    monkeypatch.setattr(race.CandidateRace, "train_candidates", recorded)
    monkeypatch.setattr(race.CandidateRace, "train_on_all_rows", None)  # is not called
    model = MDNRegressor(**SMALL, max_iter=20, **options).fit(*table(1000))
    held_out = 200 if "n_members" in options else 60
    assert sizes == [(2, 300, 60), (1, 1000 - held_out, held_out)]
    assert [each["dropped"] for each in model.candidates_] == [False, True]
    assert np.isfinite(model.score(*table(200, seed=1)))


@pytest.mark.trap("T40", 146)
def test_the_encoding_of_wide_tables_has_few_inputs_or_is_not_tried():
    rng = np.random.default_rng(0)
    rows = [TrainingRows(rng.normal(size=(200, d)), rng.normal(size=(200, 1)), np.ones(200)) for d in (120, 250, 300)]
    settings = MDNRegressor()._settings()
    assert [len(encodings_to_try(settings, each)) for each in rows] == [2, 2, 1]
    assert [len(bin_edges(each.x)[0]) for each in rows] == [33, 17, 14]
