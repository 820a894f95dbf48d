"""The compiled kernels against the reference, mpmath, and their own promises (bits, symbols, hash)."""

import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.special import logsumexp, ndtri

from condensity import engines
from condensity.engines.reference import mixture as reference
from condensity.engines.reference import sampling as sampling_reference
from condensity.engines.reference import scores as scores_reference

if not engines.native_available():
    pytest.skip("the compiled extension is not built", allow_module_level=True)

from condensity.engines import native

ROOT = Path(__file__).parents[2]

# The contract of both engines: |error| ≤ 1e-12·max(1, |log p|) for |z| ≤ 1e4 and σ in [e^-300, e^300].
# Rounding explains 2e-13 of it: a few 1e-16 of numbers up to 700 (log π − log σ) that may cancel in log p.
TOLERANCE = 1e-12


def relative_error(got, expected):
    """The largest |got − expected| / max(1, |expected|); where not finite, both must be the same."""
    finite = np.isfinite(expected)
    assert_array_equal(got[~finite], expected[~finite])
    errors = np.abs(got - expected)[finite] / np.maximum(1.0, np.abs(expected[finite]))
    return errors.max(initial=0.0)


def random_mixture(rng, n, n_components, g):
    log_weights = np.log(rng.dirichlet(np.ones(n_components), size=n))
    means = rng.normal(0, 3, size=(n, n_components))
    scales = np.exp(rng.normal(0, 2, size=(n, n_components)))
    return log_weights, means, scales, rng.normal(0, 5, size=(n, g))


def hard_mixture(rng, n, n_components, g):
    """σ over e^±300 between rows and e^±3 within, weights from e^-40, points within 10⁴ σ of a component."""
    base = rng.uniform(-297, 297, size=(n, 1))
    log_weights = rng.uniform(-40, 0, size=(n, n_components))
    scales = np.exp(base + rng.uniform(-3, 3, size=(n, n_components)))
    means = np.exp(base) * rng.normal(0, 3, size=(n, n_components))
    near = rng.integers(n_components, size=(n, g))
    z = rng.choice([-1, 1], size=(n, g)) * 10.0 ** rng.uniform(-3, 4, size=(n, g))
    y = np.take_along_axis(means, near, 1) + z * np.take_along_axis(scales, near, 1)
    return log_weights, means, scales, y


def exact_logpdf(log_weights, means, scales, y):
    """The formula itself at 50 digits."""
    result = np.empty(y.shape)
    with mpmath.workdps(50):
        half_log_2pi = mpmath.log(2 * mpmath.pi) / 2
        for i, j in np.ndindex(y.shape):
            terms = [
                mpmath.mpf(w) - ((mpmath.mpf(y[i, j]) - mpmath.mpf(m)) / mpmath.mpf(s)) ** 2 / 2 - mpmath.log(s)
                for w, m, s in zip(*(a[i].tolist() for a in (log_weights, means, scales)), strict=True)
            ]
            peak = max(terms)  # only to keep exp inside mpmath's patience, not for digits
            result[i, j] = peak - half_log_2pi + mpmath.log(mpmath.fsum(mpmath.exp(t - peak) for t in terms))
    return result


# -------------------------------------------------------------------------------- values
# Fewer points than lanes, one lane group, the block of 64 and one more, several blocks; n ≠ K ≠ g throughout.
@pytest.mark.parametrize(
    ("n", "n_components", "g"),
    [
        *[(1, 1, 1), (1, 2, 3), (23, 5, 1), (1001, 10, 1), (7, 3, 2), (0, 2, 3), (3, 2, 0)],
        *[(5, 4, 7), (3, 64, 8), (4, 65, 9), (2, 10, 64), (3, 130, 65)],
    ],
)
def test_native_equals_reference(isa, n, n_components, g):
    mixture = random_mixture(np.random.default_rng([n, n_components, g]), n, n_components, g)
    got = native.mixture_logpdf(*mixture)
    assert got.shape == (n, g)
    assert got.dtype == np.float64
    # Both err by a few 1e-16 of numbers below 10 here; 1e-14 leaves a factor of ten.
    assert relative_error(got, reference.mixture_logpdf(*mixture)) <= 1e-14


@settings(max_examples=100, deadline=None)
@given(
    n=st.integers(1, 20),
    n_components=st.integers(1, 80),
    g=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
def test_native_equals_reference_on_hard_mixtures(n, n_components, g, seed):
    mixture = hard_mixture(np.random.default_rng(seed), n, n_components, g)
    expected = reference.mixture_logpdf(*mixture)
    assert relative_error(native.mixture_logpdf(*mixture), expected) <= TOLERANCE


@pytest.mark.parametrize("make", [random_mixture, hard_mixture])
def test_native_equals_mpmath(isa, make):
    mixture = make(np.random.default_rng(5), 60, 7, 9)
    assert relative_error(native.mixture_logpdf(*mixture), exact_logpdf(*mixture)) <= TOLERANCE


@pytest.mark.parametrize("make", [random_mixture, hard_mixture])
def test_reference_equals_mpmath(make):
    mixture = make(np.random.default_rng(5), 60, 7, 9)
    assert relative_error(reference.mixture_logpdf(*mixture), exact_logpdf(*mixture)) <= TOLERANCE


@pytest.mark.parametrize("g", [1, 3, 8, 67])
def test_value_does_not_depend_on_its_place(isa, g):
    log_weights, means, scales, y = random_mixture(np.random.default_rng(g), 19, 70, g)
    together = native.mixture_logpdf(log_weights, means, scales, y)
    for i in range(19):
        row = slice(i, i + 1)
        alone = native.mixture_logpdf(log_weights[row], means[row], scales[row], y[row])
        assert_array_equal(alone, together[row], strict=True)
    repeated = (np.repeat(a, g, axis=0) for a in (log_weights, means, scales))
    assert_array_equal(native.mixture_logpdf(*repeated, y.reshape(-1, 1)).reshape(y.shape), together)


EDGES = {  # log_weight, mean, scale, y → log p
    "point at inf": (0.0, 0.0, 1.0, np.inf, -np.inf),
    "point at -inf": (0.0, 0.0, 1.0, -np.inf, -np.inf),
    "point is nan": (0.0, 0.0, 1.0, np.nan, np.nan),
    "absent": (-np.inf, 0.0, 1.0, 0.0, -np.inf),
    "absent, point at inf": (-np.inf, 0.0, 1.0, np.inf, -np.inf),
    "absent, point is nan": (-np.inf, 0.0, 1.0, np.nan, np.nan),
    "weight is nan": (np.nan, 0.0, 1.0, 0.0, np.nan),
    "mean is nan": (0.0, np.nan, 1.0, 0.0, np.nan),
    "scale is nan": (0.0, 0.0, np.nan, 0.0, np.nan),
    "z overflows": (0.0, 0.0, 1e-300, 1e300, -np.inf),
    "smallest scale": (0.0, 0.0, 5e-324, 0.0, 744.4400719213812 - 0.9189385332046728),
}


@pytest.mark.parametrize("n_components", [1, 3, 66])
@pytest.mark.parametrize("g", [1, 9])
@pytest.mark.parametrize("case", EDGES)
def test_edges(isa, case, g, n_components):
    """The case alone, and as the last of several components of which the others are absent."""
    log_weight, mean, scale, y, expected = EDGES[case]
    log_weights = np.full((2, n_components), -np.inf)
    means, scales = np.zeros((2, n_components)), np.ones((2, n_components))
    log_weights[1, -1], means[1, -1], scales[1, -1] = log_weight, mean, scale
    points = np.array([[0.0] * g, [y] * g])
    got = native.mixture_logpdf(log_weights, means, scales, points)
    assert_array_equal(got[0], -np.inf)
    # 1e-13: one ulp of 744.
    np.testing.assert_allclose(got[1], expected, rtol=0, atol=1e-13)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(
            reference.mixture_logpdf(log_weights, means, scales, points)[1], expected, rtol=0, atol=1e-13
        )


# -------------------------------------------------------------------------------- the other kernels
def complete(mixture):
    """The same mixture with weights that sum to one."""
    log_weights, *rest = mixture
    return log_weights - logsumexp(log_weights, axis=1, keepdims=True), *rest


SHAPES = [(1, 1, 1), (23, 5, 1), (1001, 10, 1), (5, 4, 7), (3, 64, 9), (3, 130, 65), (0, 2, 3), (3, 2, 0)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("make", [random_mixture, hard_mixture])
@pytest.mark.parametrize("name", ["mixture_logcdf", "mixture_logsf"])
def test_log_probabilities_equal_the_reference(isa, name, make, shape):
    mixture = complete(make(np.random.default_rng(shape), *shape))
    # Both are within 1e-12·max(1, |log p|) of the truth; so near to each other.
    assert relative_error(getattr(native, name)(*mixture), getattr(reference, name)(*mixture)) <= 2 * TOLERANCE


@pytest.mark.parametrize("shape", SHAPES)
def test_gated_log_probabilities_equal_the_reference(isa, shape):
    log_weights, *rest = random_mixture(np.random.default_rng(shape), *shape)
    for mass in (0.3, 1e-30, 0.0):
        with np.errstate(divide="ignore"):
            mixture = (log_weights + np.log(mass), *rest)
        if mass == 0.0:
            assert_array_equal(native.mixture_logcdf(*mixture), -np.inf)
            continue
        assert relative_error(native.mixture_logcdf(*mixture), reference.mixture_logcdf(*mixture)) <= 2 * TOLERANCE


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("make", [random_mixture, hard_mixture])
def test_quantiles_meet_their_levels(isa, make, shape):
    """The contract of both engines: log F, or log S above the median, is met to 1e-10."""
    rng = np.random.default_rng(shape)
    n, _, m = shape
    log_weights, means, scales, _ = complete(make(rng, *shape))
    lower = np.log(rng.choice([1e-300, 1e-12, 0.05, 0.5, 0.7, 1 - 1e-9], size=(n, m)))
    upper = np.log(-np.expm1(lower))
    got = native.mixture_quantile(log_weights, means, scales, lower, upper)
    log_f = reference.mixture_logcdf(log_weights, means, scales, got)
    log_s = reference.mixture_logsf(log_weights, means, scales, got)
    error = np.where(lower <= upper, log_f - lower, log_s - upper)
    # In the hard rows y is known to an ulp of means that may be 10³ σ away, which costs log F |z|·1e-13 more at p = 1e-300.
    assert np.abs(error).max(initial=0.0) <= 1e-10


def test_quantiles_at_the_ends(isa):
    parameters = [np.tile(a, (9, 1)) for a in ([[0.0]], [[1.0]], [[2.0]])]
    with np.errstate(divide="ignore"):
        levels = np.tile([0.0, 0.3, 0.9, 1.0, np.nan], (9, 1))
        got = native.mixture_quantile(*parameters, np.log(levels), np.log1p(-levels))
    np.testing.assert_allclose(got, 1 + 2 * ndtri(levels), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("n", [1, 3, 5, 8, 21])
@pytest.mark.parametrize("m", [1, 31, 33, 64, 65, 300])
def test_quantiles_do_not_depend_on_their_neighbours(isa, n, m):
    """Lanes take up level after level, at their own pace, in stretches of 32; some levels need no search, or a deep one."""
    rng = np.random.default_rng([n, m])
    parameters = complete(hard_mixture(rng, n, 7, 1))[:3]
    levels = rng.choice([0.0, 1e-305, 1e-300, 0.003, 0.05, 0.3, 0.5, 0.8, 1 - 1e-12, 1.0, np.nan], size=(n, m))
    with np.errstate(divide="ignore"):
        tails = np.log(levels), np.log1p(-levels)
    got = native.mixture_quantile(*parameters, *tails)
    for i in range(n):
        row = [part[[i]] for part in parameters]
        assert_array_equal(native.mixture_quantile(*row, *(tail[[i]] for tail in tails))[0], got[i])
        alone = [native.mixture_quantile(*row, *(tail[[i], [j]][:, None] for tail in tails))[0, 0] for j in range(m)]
        assert_array_equal(alone, got[i])
    shared = [np.broadcast_to(tail[:1], (n, m)) for tail in tails]  # levels that all rows share are prepared once
    assert_array_equal(native.mixture_quantile(*parameters, *shared)[0], got[0])
    assert_array_equal(native.mixture_quantile(*parameters, *(tail.copy() for tail in shared))[0], got[0])


def test_quantiles_of_subnormal_scales(isa):
    """1/σ overflows, beside rows where it does not; and the widest and narrowest scales there are."""
    tiny = np.array([[0.0, 1.0], [5e-324, 5e-324], [1e-310, 1e-309], [1.0, 2.0]])
    parameters = np.log(np.full((4, 2), 0.5)), np.zeros((4, 2)), np.where(tiny > 0, tiny, 1e-320)
    levels = np.array([[0.1, 0.5, 0.8]])
    tails = (np.broadcast_to(part, (4, 3)) for part in (np.log(levels), np.log1p(-levels)))
    got = native.mixture_quantile(*parameters, *tails)
    assert (got[:, 0] <= 0).all()
    assert (got[:, 2] >= 0).all()
    np.testing.assert_allclose(got[1] / 5e-324, np.round(ndtri(levels[0])), atol=1.0)
    expected = reference.mixture_quantile(
        *parameters, *(np.tile(t, (4, 1)) for t in (np.log(levels), np.log1p(-levels)))
    )
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=2e-323)
    huge = np.zeros((1, 1)), np.zeros((1, 1)), np.array([[1.7e308]])
    np.testing.assert_allclose(native.mixture_quantile(*huge, np.log([[0.2]]), np.log([[0.8]])), 1.7e308 * ndtri(0.2))


@pytest.mark.parametrize("shape", SHAPES)
def test_crps_equals_the_reference(isa, shape):
    mixture = random_mixture(np.random.default_rng(shape), *shape)
    spread = np.exp(mixture[0]) * (mixture[2] + np.abs(mixture[1]))
    got, expected = native.mixture_crps(*mixture), scores_reference.mixture_crps(*mixture)
    # Two distances of the size of the spread and of |y| are subtracted.
    allowed = 1e-14 * (spread.sum(axis=1, keepdims=True) + np.abs(mixture[3]))
    assert (np.abs(got - expected) <= allowed).all()
    mixture[3][:] = np.inf
    assert (native.mixture_crps(*mixture) == np.inf).all()


@pytest.mark.parametrize("n_samples", [0, 1, 2, 7, 16, 33])
def test_draws_equal_the_reference(isa, n_samples):
    log_weights, means, scales, _ = random_mixture(np.random.default_rng(n_samples), 23, 5, 1)
    log_weights[::3] += np.log(0.6)  # gated rows draw NaN
    got = native.mixture_sample(log_weights, means, scales, n_samples, 2**64 - 5)
    expected = sampling_reference.mixture_sample(log_weights, means, scales, n_samples, 2**64 - 5)
    assert_array_equal(np.isnan(got), np.isnan(expected))
    assert np.isnan(got[::3]).any() == (n_samples > 0)
    assert not np.isnan(got[1::3]).any()
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(threads):
    mixture = random_mixture(np.random.default_rng(7), 40_001, 5, 3)
    levels = (
        np.broadcast_to(np.log([[0.1, 0.5, 0.8]]), (40_001, 3)),
        np.broadcast_to(np.log([[0.9, 0.5, 0.2]]), (40_001, 3)),
    )
    calls = dict.fromkeys(("mixture_logpdf", "mixture_logcdf", "mixture_logsf", "mixture_crps"), mixture)
    calls |= {"mixture_quantile": (*mixture[:3], *levels), "mixture_sample": (*mixture[:3], 5, 11)}
    for name, arguments in calls.items():
        assert_array_equal(getattr(native, name)(*arguments, threads=threads), getattr(native, name)(*arguments))
    with pytest.raises(ValueError, match="threads must be >= 1; got 0"):
        native.mixture_logpdf(*mixture, threads=0)


def test_parallel_config_asks_for_threads(monkeypatch):
    asked = []
    monkeypatch.setattr(
        engines.resolve("mixture_logpdf", "native"), "mixture_logpdf", lambda *_, threads: asked.append(threads)
    )
    mixture = random_mixture(np.random.default_rng(0), 2, 2, 1)
    monkeypatch.setenv(engines.ENGINE_VARIABLE, "native")
    engines.mixture_logpdf(*mixture)
    with joblib.parallel_config(n_jobs=2):
        engines.mixture_logpdf(*mixture)
    assert asked == [1, 2]


def test_ctrl_c_ends_a_long_call():
    code = """
import numpy as np, signal
from condensity.engines import native
n = 200_000
one = np.zeros((n, 10))
signal.setitimer(signal.ITIMER_REAL, 0.3)
signal.signal(signal.SIGALRM, signal.default_int_handler)
try:
    native.mixture_logcdf(one, one, one + 1, np.broadcast_to(np.zeros((1, 500)), (n, 500)), threads=2)
except KeyboardInterrupt:
    print("stopped")
print(native.mixture_logpdf(one[:1], one[:1], one[:1] + 1, one[:1, :1]).shape)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.split() == ["stopped", "(1,", "1)"], result.stderr


# -------------------------------------------------------------------------------- arrays
def strided(a):
    """The same values in every second row and third column of a larger array."""
    large = np.full((2 * a.shape[0], 3 * a.shape[1]), np.nan)
    large[::2, ::3] = a
    return large[::2, ::3]


def misaligned(a):
    raw = np.zeros(a.nbytes + 1, dtype=np.uint8)
    view = raw[1:].view(np.float64).reshape(a.shape)
    view[:] = a
    return view


def read_only(a):
    view = a.copy()
    view.flags.writeable = False
    return view


LAYOUTS = {
    "read-only": read_only,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "misaligned": misaligned,
    "negative strides": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout(layout):
    mixture = [LAYOUTS[layout](a) for a in random_mixture(np.random.default_rng(0), 6, 5, 7)]
    expected = native.mixture_logpdf(*(np.array(a, order="C") for a in mixture))
    assert_array_equal(native.mixture_logpdf(*mixture), expected)


@pytest.mark.parametrize("position", range(4))
def test_wrong_shapes_name_the_argument(position):
    mixture = list(random_mixture(np.random.default_rng(0), 6, 5, 7))
    name = ["log_weights", "means", "scales", "y"][position]
    flat = [*mixture[:position], mixture[position][0], *mixture[position + 1 :]]
    with pytest.raises(ValueError, match=rf"{name} must have 2 dimensions; got shape"):
        native.mixture_logpdf(*flat)
    if position > 0:
        short = [*mixture[:position], mixture[position][:-1], *mixture[position + 1 :]]
        with pytest.raises(ValueError, match=rf"{name} must have shape .* \(6, .*\); got \(5, "):
            native.mixture_logpdf(*short)


def test_no_component_is_an_error():
    nothing = np.empty((3, 0))
    with pytest.raises(ValueError, match="at least one component"):
        native.mixture_logpdf(nothing, nothing, nothing, np.zeros((3, 1)))


@pytest.mark.parametrize("dtype", ["float32", "int64", "complex128", "bool"])
def test_other_dtypes_name_the_argument(dtype):
    mixture = random_mixture(np.random.default_rng(0), 6, 5, 7)
    with pytest.raises(TypeError, match="y must have dtype float64; got " + dtype.rstrip("0123456789")):
        native.mixture_logpdf(*mixture[:3], np.zeros((6, 7), dtype=dtype))


def test_foreign_byte_order_and_lists_are_type_errors():
    """Conversion belongs to the caller, which validates its input anyway."""
    mixture = random_mixture(np.random.default_rng(0), 6, 5, 7)
    swapped = np.dtype(float).newbyteorder()
    for y in (mixture[3].astype(swapped), mixture[3].tolist(), None):
        with pytest.raises(TypeError):
            native.mixture_logpdf(*mixture[:3], y)


def test_inputs_are_left_alone_and_threads_agree():
    mixture = random_mixture(np.random.default_rng(0), 5000, 10, 9)
    before = [a.copy() for a in mixture]
    expected = native.mixture_logpdf(*mixture)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: native.mixture_logpdf(*mixture), range(6)))
    for result in results:
        assert_array_equal(result, expected)
    for now, then in zip(mixture, before, strict=True):
        assert_array_equal(now, then)


# -------------------------------------------------------------------------------- instruction sets
def isa_in_new_process(name):
    code = "from condensity.engines import native; print(native.isa())"
    environment = {**os.environ, "CONDENSITY_ISA": name}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


def test_environment_chooses_the_instruction_set():
    for name in native.available_isas():
        assert isa_in_new_process(name).stdout.strip() == name
    assert isa_in_new_process("").stdout.strip() == native.available_isas()[-1]


def test_unknown_instruction_set_is_an_error():
    result = isa_in_new_process("mmx")
    assert result.returncode != 0
    assert "ValueError: CONDENSITY_ISA asks for the instruction set 'mmx'" in result.stderr
    assert "available: 'baseline'" in result.stderr
    before = native.isa()
    with pytest.raises(ValueError, match="use_isa asks for the instruction set 'mmx'"):
        native.use_isa("mmx")
    assert native.isa() == before


# -------------------------------------------------------------------------------- engines
def test_auto_takes_native_where_it_can(monkeypatch):
    monkeypatch.delenv(engines.ENGINE_VARIABLE, raising=False)
    assert engines.resolve("mixture_logpdf", "auto").name == "native"
    assert engines.resolve("mixture_logpdf", "native").name == "native"
    assert engines.resolve("mixture_logpdf", "reference").name == "reference"
    monkeypatch.delattr(native.NativeEngine, "kmeans")
    assert engines.resolve("kmeans", "auto").name == "reference"


def test_bad_engines_say_what_to_do(monkeypatch):
    with monkeypatch.context() as patch:
        patch.delattr(native.NativeEngine, "kmeans")
        with pytest.raises(ValueError, match="does not have 'kmeans'; use engine='auto' or 'reference'"):
            engines.resolve("kmeans", "native")
    with pytest.raises(ValueError, match="engine must be 'auto', 'native' or 'reference'; got 'cuda'"):
        engines.resolve("mixture_logpdf", "cuda")
    with pytest.raises(ValueError, match="no engine has the operation 'mixture_mode'"):
        engines.resolve("mixture_mode", "auto")


def test_everything_works_without_the_extension():
    code = """
import sys
sys.modules["condensity.engines._native"] = None  # importing it now raises ImportError
import numpy as np
from condensity import engines
assert not engines.native_available()
assert engines.resolve("mixture_logpdf", "auto").name == "reference"
zero = np.zeros((1, 1))
assert engines.mixture_logpdf(zero, zero, zero + 1, zero).item() == -0.5 * np.log(2 * np.pi)
engines.resolve("mixture_logpdf", "native")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ValueError: engine='native' was asked for 'mixture_logpdf', but the compiled extension")


def test_an_extension_of_other_sources_is_an_error_that_says_so():
    code = """
import sys, types
sys.modules["condensity.engines._native"] = stale = types.ModuleType("_native")
stale.__getattr__ = lambda name: 0  # any name, and version 0
import condensity.engines
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ImportError: the compiled extension of condensity was built from other sources")


def test_environment_chooses_the_engine(monkeypatch):
    mixture = random_mixture(np.random.default_rng(0), 50, 5, 7)
    by_engine = {"native": native.mixture_logpdf(*mixture), "reference": reference.mixture_logpdf(*mixture)}
    assert not np.array_equal(by_engine["native"], by_engine["reference"])  # else the next lines prove nothing
    for name, expected in by_engine.items():
        monkeypatch.setenv(engines.ENGINE_VARIABLE, name)
        assert_array_equal(engines.mixture_logpdf(*mixture), expected)
    monkeypatch.setenv(engines.ENGINE_VARIABLE, "fortran")
    with pytest.raises(ValueError, match="CONDENSITY_ENGINE"):
        engines.mixture_logpdf(*mixture)


# -------------------------------------------------------------------------------- the build
def test_extension_was_built_from_this_tree():
    if not (ROOT / "CMakeLists.txt").exists():
        pytest.skip("the source tree is not here")
    sources = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "native").rglob("*")
        if path.suffix in {".hpp", ".cpp", ".in", ".cmake"} and "tests" not in path.relative_to(ROOT).parts
    ]
    lines = (
        f"{path} {hashlib.sha256((ROOT / path).read_bytes()).hexdigest()}\n"
        for path in sorted([*sources, "CMakeLists.txt"])
    )
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert expected == native.SOURCE_HASH, "stale build: run `pip install --no-build-isolation -e .` again"


def test_kernels_export_one_symbol_and_no_weak_ones():
    """A weak symbol is one that the linker may merge across instruction sets; the build checks this too."""
    objects = [path for path in (ROOT / "build").rglob("kernels_*.o") if "asan" not in str(path)]
    nm = shutil.which("nm")
    if nm is None or not objects:
        pytest.skip("no nm or no object files of the build")
    for path in objects:
        command = [nm, "--extern-only", "--defined-only", "--demangle", path]
        listing = subprocess.run(command, capture_output=True, text=True, check=True)
        symbols = [line.split(maxsplit=2) for line in listing.stdout.splitlines()]
        isa = path.name.removeprefix("kernels_").split(".")[0]
        assert [name for _, _, name in symbols] == [f"condensity::{isa}::kernels"]
        assert all(kind in "DR" for _, kind, _ in symbols)  # ordinary data: V, W and u would be weak or unique
