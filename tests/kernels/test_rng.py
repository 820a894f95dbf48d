"""From a user's random_state to random numbers."""

import numpy as np
import pytest

from condensity.kernels.rng import as_generator


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


@pytest.mark.parametrize("bad", [-1, 1.5, "0", [1, 2]])
def test_anything_else_is_refused(bad):
    with pytest.raises(ValueError, match="random_state must be None, a non-negative integer"):
        as_generator(bad)
