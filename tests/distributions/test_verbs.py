"""The verbs of `Mixture` that hand over to other modules: shapes, refusals, and one outside truth each."""

import builtins

import numpy as np
import pytest
from scipy.stats import norm

from condensity import Mixture

N, K = 5, 3


def make(mass=1.0):
    rng = np.random.default_rng(0)
    return Mixture(
        weights=mass * rng.dirichlet(np.ones(K), N), means=rng.normal(0, 3, (N, K)), scales=rng.uniform(0.3, 2, (N, K))
    )


def test_shape_verbs_answer_for_every_row():
    dist = make()
    modes, regions = dist.modes(), dist.region(0.8)
    assert len(modes) == len(regions) == N
    for i in range(N):
        density = dist[i].logpdf(modes[i][None, :])[0]
        assert (np.diff(density) <= 0).all()
        assert dist.mode()[i] == modes[i][0]
        assert regions[i].shape[1] == 2
        assert (np.diff(regions[i].ravel()) > 0).all()
        # ΔF summed over the intervals; the threshold is solved for to 1e-14.
        low, high = dist[i].cdf(regions[i].T[:1])[0], dist[i].cdf(regions[i].T[1:])[0]
        assert (high - low).sum() == pytest.approx(0.8, abs=1e-12)
        ends = regions[i].ravel()[None, :]
        np.testing.assert_allclose(dist[i].hpd_value(ends), 0.8, atol=1e-9)
    assert dist.hpd_value(0.0).shape == dist.entropy().shape == (N,)
    assert dist.cov().shape == (N, 1, 1)
    np.testing.assert_array_equal(dist.cov()[:, 0, 0], dist.var())


def test_one_normal_component_is_scipys():
    dist = Mixture(weights=[[1.0]], means=[[2.0]], scales=[[3.0]])
    truth = norm(2, 3)
    np.testing.assert_allclose(dist.region(0.9)[0], [truth.interval(0.9)], rtol=1e-9)
    assert dist.entropy()[0] == pytest.approx(truth.entropy(), abs=1e-10)
    assert dist.mode()[0] == pytest.approx(2.0, abs=1e-12)
    z = (4.0 - 2.0) / 3.0
    crps = 3.0 * (
        z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi)
    )  # Gneiting and Raftery (2007), eq. 21
    assert dist.crps(4.0)[0] == pytest.approx(crps, rel=1e-14)
    assert dist.energy_score(4.0)[0] == pytest.approx(crps, rel=1e-14)


@pytest.mark.parametrize(
    "call",
    [
        lambda d: d.mode(),
        lambda d: d.modes(),
        lambda d: d.region(),
        lambda d: d.hpd_value(0.0),
        lambda d: d.entropy(),
        lambda d: d.crps(0.0),
        lambda d: d.energy_score(0.0),
        lambda d: d.cov(),
        lambda d: d.to_scipy(0),
    ],
)
def test_what_is_partly_unknown_asks_for_normalized(call):
    with pytest.raises(ValueError, match=r"normalized\(\)"):
        call(make(mass=0.5))


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, np.nan, [0.5]])
def test_levels_of_regions_are_checked(level):
    with pytest.raises(ValueError, match="level must be a number between 0 and 1"):
        make().region(level)


def test_frame_has_one_line_for_each_component(monkeypatch):
    dist = make()
    frame = dist.to_frame()
    assert list(frame.columns) == ["row", "component", "weight", "mean", "scale"]
    assert len(frame) == N * K
    line = frame[(frame.row == 3) & (frame.component == 1)].iloc[0]
    assert (line["mean"], line["scale"]) == (dist.means[3, 1], dist.scales[3, 1])

    real_import = builtins.__import__

    def without_pandas(name, *rest):
        if name == "pandas":
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(ImportError, match="pip install pandas"):
        dist.to_frame()


def test_scipys_mixture_agrees():
    pytest.importorskip("scipy", minversion="1.15")
    dist = make()
    for row in (0, 4, -1):
        other = dist.to_scipy(row)
        assert float(other.mean()) == pytest.approx(dist.mean()[row], rel=1e-12)
        assert float(other.cdf(1.5)) == pytest.approx(dist.cdf(1.5)[row], rel=1e-12)
        assert float(other.logpdf(1.5)) == pytest.approx(dist.logpdf(1.5)[row], rel=1e-12)
