"""A stacked estimator, forty lines that no other file knows of: it trains, predicts, is saved, and is drawn."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from condensity import JointGMMRegressor, MDNRegressor, Mixture, load, plots, write_report
from condensity.datasets.synthetic import make_cross
from condensity.estimators.base import AbstractDensityRegressor
from condensity.estimators.constraints import COMMON
from condensity.models import FitReport
from condensity.persistence import saveable

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# ------------------------------------------------------------------------------------------------------ the stack
@saveable("ToyStackedModel")
@dataclass(frozen=True)
class StackedModel:
    models: list
    n_inputs: int
    n_outputs: int
    log_scale_bounds = None

    def predict(self, x, *, compute):
        return Mixture.mix([model.predict(x, compute=compute) for model in self.models])


@saveable("ToyStack")
class ToyStack(AbstractDensityRegressor):
    _parameter_constraints: ClassVar[dict] = {**COMMON, "estimators": [list]}

    def __init__(
        self, estimators=None, *, categorical_features="from_dtype", y_transform=None, support_model="auto",
        engine="auto", n_jobs=None, random_state=None, callback=None, verbose=0,
    ):  # fmt: skip
        self.estimators, self.random_state, self.callback, self.verbose = estimators, random_state, callback, verbose
        self.categorical_features, self.y_transform, self.support_model = (
            categorical_features,
            y_transform,
            support_model,
        )
        self.engine, self.n_jobs = engine, n_jobs

    def fit_model(self, rows, task):
        copies = [rows._replace(x=rows.x.copy()) for _ in self.estimators]
        fits = [member.fit_model(copy, task) for member, copy in zip(self.estimators, copies, strict=True)]
        models, reports = zip(*fits, strict=True)
        outcome = " ".join(report.outcome for report in reports)
        converged = all(report.converged for report in reports)
        report = FitReport(converged, outcome, max(report.n_iter for report in reports), {}, [])
        return StackedModel(list(models), rows.x.shape[1], rows.y.shape[1]), report


# ------------------------------------------------------------------------------------------------------ its test
@pytest.mark.parametrize("y_transform", [None, "log"])
def test_a_stack_trains_predicts_is_saved_and_is_drawn(tmp_path, y_transform):
    problem = make_cross(200, random_state=0)
    y = np.exp(problem.y)
    members = [JointGMMRegressor(3), MDNRegressor(3, max_iter=20)]
    stack = ToyStack(members, y_transform=y_transform, random_state=0).fit(problem.X, y)
    dist = stack.predict_dist(problem.X[:5])
    assert dist.n_components == 6
    assert np.isfinite(stack.score(problem.X, y))
    assert stack.sample(problem.X[:5], 3, random_state=0).shape == (5, 3)
    assert (stack.support(problem.X) > 0).all()
    back = load(stack.save(tmp_path / "stack.condensity"))
    assert [type(member) for member in back.estimators] == [JointGMMRegressor, MDNRegressor]
    np.testing.assert_array_equal(back.predict_dist(problem.X[:5]).mean(), dist.mean())
    plots.samples_panel(stack, problem.X, y, random_state=0)
    page = write_report({"stack": stack}, problem.X, y, tmp_path / "stack.html")
    assert "stack" in page.read_text()
