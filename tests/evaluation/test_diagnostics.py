"""Comparisons with a joint mixture: in words, on rows that neither model has seen."""

import re

import numpy as np
import pytest

from condensity import JointGMMRegressor, MDNRegressor
from condensity.datasets.synthetic import make_cross, make_inverse_wave, make_noisy_wave
from condensity.evaluation.comparison import compare_held_out, compare_with_joint
from condensity.report.study import DataSet, Fit, Study


@pytest.mark.parametrize(
    ("gain", "serious", "words"),
    [
        (0.5, False, "better than a joint Gaussian mixture of 3 components, by 0.5 nats a row on 400 fresh rows"),
        (-0.5, True, "worse than .* Use JointGMMRegressor, or MDNRegressor"),
        (-0.01, False, "worse than .* That is within chance"),
    ],
)
def test_the_sentence_says_who_is_better_and_by_how_much(gain, serious, words):
    noise = np.random.default_rng(0).normal(size=400)
    noise -= noise.mean()
    finding = compare_with_joint(gain + noise, np.zeros(400), 3)
    assert finding.name == "joint mixture"
    assert finding.serious is serious
    assert re.search(words, finding.text)


def test_one_wild_row_counts_for_little():
    own = np.full(400, 0.1)
    own[3] = -1e9
    assert "better" in compare_with_joint(own, np.zeros(400), 1).text


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("n", "n_members", "rows"), [(600, 1, 90), (120, 1, 120), (400, 3, 240), (400, 5, 400)])
def test_held_out_rows_of_the_network_are_fresh_for_the_mixture(monkeypatch, n, n_members, rows):
    """What it fits and what it scores never share a row."""
    data = make_noisy_wave(n, random_state=0)
    model = MDNRegressor(n_members=n_members, max_iter=20, random_state=0).fit(data.X, data.y)
    fitted, real = [], JointGMMRegressor.fit
    monkeypatch.setattr(
        JointGMMRegressor, "fit", lambda self, X, y, *_: fitted.append(set(X[:, 0])) or real(self, X, y)
    )
    scored, real_score = [], JointGMMRegressor.score_samples
    monkeypatch.setattr(
        JointGMMRegressor, "score_samples", lambda self, X, y: scored.append(set(X[:, 0])) or real_score(self, X, y)
    )
    finding = compare_held_out(model, data.X, data.y, 0)
    assert f"on {rows} fresh rows" in finding.text
    assert all(not (inside & outside) for inside, outside in zip(fitted, scored, strict=True))


def test_nothing_is_compared_where_nothing_was_held_out():
    data = make_cross(15, random_state=0)
    assert compare_held_out(MDNRegressor(random_state=0, fallback=None).fit(data.X, data.y), data.X, data.y, 0) is None


def test_a_study_compares_its_networks_with_its_joint_mixture():
    """The inverse wave at 400 rows: each network is compared on the study's own test rows, the mixture with nothing."""
    data, fresh = make_inverse_wave(400, random_state=0), make_inverse_wave(3000, random_state=1)
    study = Study(DataSet("wave", data.X, data.y, fresh.X, fresh.y, ""))
    network, mixture = MDNRegressor(random_state=0), JointGMMRegressor(random_state=0)
    for name, model in (("MDN", network), ("GMM", mixture)):
        study.add(Fit(name, model.fit(data.X, data.y)))
    finding = study.findings(0)[-1]
    gain = network.score(fresh.X, fresh.y) - mixture.score(fresh.X, fresh.y)
    assert finding.name == "joint mixture"
    assert f"{abs(gain):.3g} nats a row on 3000 fresh rows" in finding.text
    assert finding.text.startswith("better" if gain > 0 else "worse")
    assert study.findings(1) == study.measures[1].health
