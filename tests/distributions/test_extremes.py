"""Regions and scores at the ends of float64: right to the nearest floats, or refused; never below 0, never a warning."""

import contextlib

import numpy as np
import pytest
from scipy.special import ndtr

from condensity import Mixture


def probability(weights, means, scales, region):
    z = (np.asarray(region)[:, :, None] - means) / scales
    return float(((ndtr(z[:, 1]) - ndtr(z[:, 0])) * weights).sum())


@pytest.mark.trap("T36", 112)
@pytest.mark.parametrize("spread", [1e6, 1e9, 1e12, 1e15, 1e20, 1e40])
def test_regions_are_right_however_unlike_the_components_are(spread):
    rng = np.random.default_rng(0)
    for _ in range(8):
        weights, scales = rng.dirichlet(np.ones(3)), np.array([1.0, spread ** rng.uniform(), spread])
        means = rng.normal(size=3) * scales * rng.choice([0.0, 0.3, 3.0])
        means[0] = 3.0 * rng.normal()
        for level in (0.5, 0.99):
            region = Mixture(weights=[weights], means=[means], scales=[scales]).region(level)[0]
            assert probability(weights, means, scales, region) == pytest.approx(level, abs=1e-7)


@pytest.mark.trap("T36", 112)
def test_a_narrow_peak_on_the_foot_of_a_broad_one_is_cut_at_its_own_height():
    weights = [0.54230362, 0.08098491, 0.37671147]
    means, scales = [12.52083939, 0.0, 0.0], [1.0, 4.90319689e7, 1e9]
    region = Mixture(weights=[weights], means=[means], scales=[scales]).region(0.5)[0]
    assert probability(weights, means, scales, region) == pytest.approx(0.5, abs=1e-9)


@pytest.mark.trap("T36", 112)
@pytest.mark.parametrize(("mean", "scale"), [(1.0, 1e-17), (1e8, 1e-9), (-1e300, 1e280)])
def test_a_component_between_two_floats_has_no_region(mean, scale):
    with pytest.raises(ValueError, match="no floats are the ends"):
        Mixture(weights=[[0.5, 0.5]], means=[[mean, mean]], scales=[[scale, 1.7 * scale]]).region(0.9)


@pytest.mark.trap(113)
@pytest.mark.parametrize(("mean", "scale"), [(1.0, 1e-12), (1e9, 1e-6), (0.0, 1e-300), (1e200, 1e150)])
def test_scores_are_not_negative(mean, scale):
    dist = Mixture(weights=[[0.3, 0.3, 0.4]], means=[[mean] * 3], scales=[[scale, 2 * scale, 3 * scale]])
    assert (dist.crps(mean + scale * np.linspace(-3, 3, 101)[None]) >= 0).all()


@pytest.mark.trap(114)
@pytest.mark.parametrize("spread", [1e6, 1e100, 1e290])
@pytest.mark.parametrize("verb", ["modes", "mode", "entropy", "region", "hpd_value", "crps", "std"])
def test_no_warning_escapes_a_verb(verb, spread):
    dist = Mixture(weights=[[0.5, 0.5]], means=[[0.0, spread]], scales=[[1.0 / spread, spread]])
    arguments = {"region": [0.9], "hpd_value": [[0.5]], "crps": [[1.0]]}.get(verb, [])
    with contextlib.suppress(ValueError):  # a region of σ's from 1e-290 to 1e290 is refused
        getattr(dist, verb)(*arguments)  # warnings are errors here
