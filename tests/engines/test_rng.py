"""From a user's random_state to random numbers."""

import numpy as np
import pytest

from condensity.random import as_generator


def test_an_integer_gives_numpys_numbers_and_each_stream_its_own():
    plain = as_generator(3).random(4)
    np.testing.assert_array_equal(plain, np.random.default_rng(3).random(4))
    fit, sample = as_generator(3, "fit").random(4), as_generator(np.int64(3), "sample").random(4)
    assert len({tuple(plain), tuple(fit), tuple(sample)}) == 3
    np.testing.assert_array_equal(fit, as_generator(3, "fit").random(4))


def test_generators_are_advanced_and_none_is_fresh():
    generator = np.random.default_rng(0)
    assert as_generator(generator, "fit") is generator
    legacy = np.random.RandomState(0)
    assert as_generator(legacy).random() != as_generator(legacy).random()
    assert as_generator(None).random() != as_generator(None).random()


@pytest.mark.trap("T11")
def test_the_global_generator_is_neither_read_nor_moved():
    def draws():
        return [
            as_generator(5).random(),
            as_generator(5, "fit").random(),
            as_generator(np.random.RandomState(5)).random(),
        ]

    before = np.random.get_state()  # noqa: NPY002
    first = draws()
    as_generator(None).random(100)
    # Kind, key, position and the spare normal deviate: all five parts of the state.
    for now, then in zip(np.random.get_state(), before, strict=True):  # noqa: NPY002
        np.testing.assert_array_equal(now, then)
    np.random.seed(1)  # noqa: NPY002
    try:
        assert draws() == first
    finally:
        np.random.set_state(before)  # noqa: NPY002


def test_streams_of_one_seed_are_uncorrelated():
    fit, sample, plain = (as_generator(0, stream).standard_normal(40_000) for stream in ("fit", "sample", None))
    for one, other in ((fit, sample), (fit, plain), (sample, plain)):
        assert abs(np.mean(one * other)) < 4 / 200  # standard error 1/√40,000 = 1/200


@pytest.mark.parametrize("bad", [-1, 1.5, "0", [1, 2], np.nan])
def test_anything_else_is_refused(bad):
    with pytest.raises(ValueError, match="random_state must be None, a non-negative integer"):
        as_generator(bad)
