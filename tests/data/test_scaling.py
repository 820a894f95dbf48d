"""Robust standardisation, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from condensity import Mixture
from condensity.data.scaling import Standardizer, resolution, weighted_quantiles


def column(seed=0, n=200):
    return np.random.default_rng(seed).normal(3.0, 2.0, (n, 1))


def test_a_plain_column_gets_its_mean_and_standard_deviation():
    values = column()
    scaler = Standardizer.fit(values)
    assert scaler.center[0] == pytest.approx(values.mean(), rel=1e-13)
    assert scaler.scale[0] == pytest.approx(values.std(), rel=1e-13)
    z = scaler.transform(values)
    assert z.mean() == pytest.approx(0, abs=1e-12)
    assert z.std() == pytest.approx(1, rel=1e-12)


@given(exponent=st.integers(-900, 900), seed=st.integers(0, 100))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_powers_of_two_move_center_and_scale_to_the_bit(exponent, seed):
    values = column(seed)
    plain, scaled = Standardizer.fit(values), Standardizer.fit(values * 2.0**exponent)
    np.testing.assert_array_equal(scaled.center, plain.center * 2.0**exponent)
    np.testing.assert_array_equal(scaled.scale, plain.scale * 2.0**exponent)
    np.testing.assert_array_equal(scaled.transform(values * 2.0**exponent), plain.transform(values))


@pytest.mark.parametrize("size", [1e6, 1e100, 1e300])
def test_one_outlier_cannot_squeeze_the_bulk(size):
    values = column()
    clean = Standardizer.fit(values)
    hurt = Standardizer.fit(np.vstack([values, [[size]]]))
    assert hurt.scale[0] == pytest.approx(clean.scale[0], rel=0.2)
    assert abs(hurt.center[0] - clean.center[0]) < 0.3 * clean.scale[0]
    assert np.isfinite(hurt.transform(np.array([[size], [-size]]))).all()


@pytest.mark.parametrize(
    ("values", "z"),
    [
        ([0.0, 5e-324], [0.0, 1.0]),  # the smallest scale that float64 has, the half of it rounded up
        ([5e-324, 1e-323, 1.5e-323], [-1.0, 0.0, 1.0]),
        ([0.0, 1e-310, 2e-310], [-np.sqrt(1.5), 0.0, np.sqrt(1.5)]),
        ([-1.7e308, 1.7e308], [-1.0, 1.0]),
        ([1.7e308, 1.7e308, 1.6e308], [np.sqrt(0.5), np.sqrt(0.5), -np.sqrt(2.0)]),
    ],
)
def test_the_ends_of_float64_are_standardised(values, z):
    values = np.array(values)[:, None]
    # Subnormals near 1e-310 have 13 digits left; 1.7e308 − 1.6e308 loses one.
    np.testing.assert_allclose(Standardizer.fit(values).transform(values)[:, 0], z, rtol=1e-11, atol=1e-11)


def test_columns_do_not_see_each_other():
    columns = np.hstack([column(1), column(2) * 1e30, np.full((200, 1), 4.0), column(3) + 1e9])
    together = Standardizer.fit(columns)
    for j in range(4):
        alone = Standardizer.fit(columns[:, [j]])
        assert (together.center[j], together.scale[j], together.constant[j]) == (
            alone.center[0],
            alone.scale[0],
            alone.constant[0],
        )
        np.testing.assert_array_equal(together.transform(columns)[:, [j]], alone.transform(columns[:, [j]]))


@pytest.mark.parametrize("factor", [1e30, 1e-30, 1e300, 1e-300])
def test_any_magnitude_is_standardised(factor):
    z = Standardizer.fit(column() * factor).transform(column() * factor)
    np.testing.assert_allclose(z, Standardizer.fit(column()).transform(column()), rtol=1e-12, atol=1e-12)


def test_a_signal_on_a_huge_offset_keeps_the_digits_that_float64_has():
    z = Standardizer.fit(column() + 1e9).transform(column() + 1e9)
    # One unit in the last place of 1e9 is 1.2e-7, against a standard deviation of 2.
    np.testing.assert_allclose(z, Standardizer.fit(column()).transform(column()), atol=2e-7)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e12, 1e-310, 1e300])
def test_a_constant_column_has_a_usable_scale_and_becomes_zero(value):
    scaler = Standardizer.fit(np.full((9, 1), value))
    assert scaler.constant[0]
    assert scaler.scale[0] > 0
    assert np.isfinite(1.0 / scaler.scale[0])
    np.testing.assert_array_equal(scaler.transform(np.array([[value], [7.0]])), 0.0)


def test_integer_weights_are_repeated_rows():
    values, weight = column(n=50), np.random.default_rng(1).integers(1, 4, 50)
    weighted, repeated = (
        Standardizer.fit(values, weight.astype(float)),
        Standardizer.fit(np.repeat(values, weight, axis=0)),
    )
    np.testing.assert_allclose(weighted.center, repeated.center, rtol=1e-13)
    np.testing.assert_allclose(weighted.scale, repeated.scale, rtol=1e-13)


def test_weighted_quantiles_are_numpys_hazen_ones_for_equal_weights():
    values = column()[:, 0]
    levels = [0.1, 0.25, 0.5, 0.9]
    np.testing.assert_allclose(
        weighted_quantiles(values, np.full(200, 0.3), levels), np.quantile(values, levels, method="hazen"), rtol=1e-12
    )


def test_restoring_carries_densities_with_their_jacobian():
    scaler = Standardizer.fit(column())
    dist = Mixture(weights=[[0.4, 0.6]], means=[[-1.0, 0.5]], scales=[[0.3, 0.8]])
    z = np.array([0.2])
    y = scaler.center + scaler.scale * z
    np.testing.assert_allclose(scaler.restore(dist).logpdf(y), dist.logpdf(z) - np.log(scaler.scale), rtol=1e-12)


def test_inputs_are_not_written_to():
    values = column()
    values.setflags(write=False)
    Standardizer.fit(values).transform(values)


def test_an_outlier_hands_over_to_the_median_and_the_interquartile_range():
    values = np.append(column()[:, 0], 3.0 + 2e6)[:, None]
    scaler = Standardizer.fit(values)
    # 201 draws of N(3, 2²): standard errors .18 of the median and .18 of IQR/1.349; three of each.
    assert scaler.center[0] == pytest.approx(3.0, abs=0.54)
    assert scaler.scale[0] == pytest.approx(2.0, abs=0.54)
    np.testing.assert_allclose(scaler.center[0], np.median(values), rtol=1e-13)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_resolution_needs_one_value_in_ten_to_be_tied(share):
    distinct = np.cumsum(np.full(100, 0.25))
    tied = np.append(distinct, distinct[: round(100 * share)])
    assert resolution(tied) == (0.25 if share == 0.5 else 0.0)


def test_resolution_is_the_gap_of_a_rounded_column_and_nothing_for_a_smooth_one():
    smooth = column()[:, 0]
    assert resolution(smooth) == 0.0
    assert resolution(np.round(smooth, 1)) == pytest.approx(0.1, rel=1e-9)
    assert resolution(np.append(smooth, smooth[:3])) == 0.0  # three copies are accidents
    assert resolution(np.zeros(9)) == 0.0
