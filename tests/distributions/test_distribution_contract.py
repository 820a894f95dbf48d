"""What every kind of distribution owes: the members of `registry.DISTRIBUTIONS`, each with every verb."""

import inspect
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest

from condensity import Mixture
from condensity.compute import Compute, using
from condensity.distributions import ComponentSummary, Distribution
from condensity.distributions.gathered import Gathered
from condensity.distributions.guards import COMPLETE, ONE_OUTPUT, VERBS
from registry import DISTRIBUTIONS

POINTWISE = {"cdf", "crps", "energy_score", "hpd_value", "log_prob", "logcdf", "logpdf", "logsf", "pdf", "sf"}
QUANTILES = {"isf", "ppf", "quantile"}
TABLES = {"component_summary", "to_frame", "to_scipy"}
ALGEBRA = {"affine", "condition", "gated", "marginal", "named", "normalized"}
NUMBERS = sorted(VERBS - TABLES - ALGEBRA - {"rvs", "sample"})
LEVELS = np.array([0.05, 0.5, 0.95])


@pytest.fixture(params=DISTRIBUTIONS)
def dist(request):
    return DISTRIBUTIONS[request.param]


@pytest.fixture
def whole(dist):
    """The distribution with mass 1."""
    return dist.normalized()


def point(dist, value=0.4):
    return value if dist.n_outputs == 1 else np.full(dist.n_outputs, value)


def ask(dist, verb):
    """What a verb answers: at one point, at one level, or as it is."""
    given = {"affine": (2.0, 1.0), "condition": ({0: 0.4},), "marginal": (0,), "named": (None,), "to_scipy": (0,)}
    given |= dict.fromkeys(POINTWISE, (point(dist),)) | dict.fromkeys(QUANTILES, (0.3,))
    given["gated"] = (np.zeros(len(dist)),)
    return getattr(dist, verb)(*given.get(verb, ()))


# -------------------------------------------------------------------------------------------------------------- words
def test_the_table_of_verbs_is_complete():
    public = {name for name, _ in inspect.getmembers(Distribution, inspect.isfunction) if not name.startswith("_")}
    assert public - {"concatenate", "has", "mix"} == VERBS


def test_it_tells_its_size_and_cannot_be_changed(dist):
    n, q = len(dist), dist.n_outputs
    assert dist.mass.shape == (n,)
    assert dist.weights.shape == (n, dist.n_components)
    assert_allclose(dist.weights.sum(axis=1), dist.mass, rtol=1e-12)
    assert dist.output_names is None or len(dist.output_names) == q
    assert repr(dist).startswith(f"<{type(dist).__name__}: ")
    for change in (lambda: setattr(dist, "mass", 1.0), lambda: delattr(dist, "anything")):
        with pytest.raises(AttributeError, match=f"{type(dist).__name__} is immutable"):
            change()
    with pytest.raises(ValueError, match="read-only"):
        dist.weights[0] = 1.0


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_verb_answers_or_names_itself(whole, verb):
    if whole.n_outputs == 1 and verb == "condition":
        with pytest.raises(ValueError, match="given must leave an output"):
            ask(whole, verb)
    elif whole.has(verb):
        assert ask(whole, verb) is not None
    else:
        name = {"quantile": "ppf"}.get(verb, verb)
        with pytest.raises(ValueError, match=f"^{name} (is|has) "):
            ask(whole, verb)


@pytest.mark.parametrize("verb", sorted(COMPLETE - {"quantile"}))
def test_incomplete_rows_are_refused_in_the_name_of_the_verb(dist, verb):
    if (dist.mass < 1).any() and dist.has(verb):
        with pytest.raises(ValueError, match=rf"^{verb} needs every row's mass to be 1; .* normalized\(\)\.{verb}"):
            ask(dist, verb)


@pytest.mark.parametrize("verb", sorted(ONE_OUTPUT - {"quantile"}))
def test_verbs_of_one_output_name_themselves(dist, verb):
    if dist.n_outputs > 1:
        assert not dist.has(verb)
        with pytest.raises(ValueError, match=f"^{verb} is for (one output|mixtures of normals)"):
            ask(dist.normalized(), verb)


def test_what_is_no_verb_is_told(dist):
    with pytest.raises(ValueError, match=r"verb must be one of affine, cdf, .*; got .means."):
        dist.has("means")


# ------------------------------------------------------------------------------------------------------------- shapes
@pytest.mark.parametrize("verb", sorted(POINTWISE))
def test_points_follow_their_rules(whole, verb):
    if not whole.has(verb):
        return
    n, q = len(whole), whole.n_outputs
    rng = np.random.default_rng(0)
    one, rows, grid = (rng.uniform(0.1, 0.9, shape if q == 1 else (*shape, q)) for shape in ((), (n,), (n, 4)))
    verb = getattr(whole, verb)
    at_grid = verb(grid)
    assert at_grid.shape == (n, 4)
    assert verb(one).shape == verb(rows).shape == (n,)
    assert_allclose(verb(grid[:, 1]), at_grid[:, 1], rtol=1e-12)
    assert_allclose(verb(grid[:1])[2:3], verb(np.broadcast_to(grid[:1], grid.shape))[2:3], rtol=1e-12)
    with pytest.raises(ValueError, match="y must be"):
        verb(np.zeros((n + 1, 2, q, 1)))


@pytest.mark.parametrize("verb", sorted(QUANTILES))
def test_levels_follow_their_rules(whole, verb):
    if not whole.has(verb):
        return
    n, verb = len(whole), getattr(whole, verb)
    assert verb(0.3).shape == (n,)
    assert verb(LEVELS).shape == verb(np.tile(LEVELS, (n, 1))).shape == (n, 3)
    assert_array_equal(verb(LEVELS)[:, 1], verb(0.5))
    with pytest.raises(ValueError, match=r"p must lie in \[0, 1\]"):
        verb(1.1)


def test_moments_and_components_have_the_shape_of_a_row(whole):
    n, q, k = len(whole), whole.n_outputs, whole.n_components
    row = (n,) if q == 1 else (n, q)
    assert whole.mean().shape == whole.var().shape == whole.std().shape == row
    assert_allclose(whole.std() ** 2, whole.var(), rtol=1e-12)
    if whole.has("cov"):
        assert_allclose(np.einsum("nii->ni", whole.cov()), whole.var().reshape(n, q), rtol=1e-10)
    summary = whole.component_summary()
    assert isinstance(summary, ComponentSummary)
    assert summary.centers.shape == summary.widths.shape == ((n, k) if q == 1 else (n, k, q))
    assert_array_equal(summary.weights, whole.weights)
    assert (summary.widths > 0).all()
    assert len(whole.to_frame()) == summary.centers.size


# ------------------------------------------------------------------------------------------------------------- numbers
def test_quantiles_invert_both_tails(whole):
    if whole.n_outputs > 1:
        return
    y = whole.ppf(LEVELS)
    assert (np.diff(y, axis=1) > 0).all()
    assert_allclose(whole.cdf(y), np.broadcast_to(LEVELS, y.shape), rtol=1e-9)
    assert_allclose(whole.cdf(y) + whole.sf(y), 1.0, rtol=1e-12)
    assert_allclose(whole.isf(1 - LEVELS), y, rtol=1e-9)
    assert_array_equal(whole.interval(0.9)[:, 0], whole.ppf(0.5 * (1 - 0.9)))
    assert_array_equal(whole.median(), whole.ppf(0.5))


def test_the_density_is_the_slope_of_the_distribution_function(whole):
    if whole.n_outputs > 1:
        return
    y, step = whole.ppf(LEVELS), 1e-5 * whole.std()[:, None]
    assert_allclose((whole.cdf(y + step) - whole.cdf(y - step)) / (2 * step), whole.pdf(y), rtol=1e-5)


def test_draws_are_those_of_the_seed_and_of_the_distribution(whole):
    draws = whole.sample(4000, random_state=0)
    assert_array_equal(draws, whole.sample(4000, random_state=0))
    error = draws.std(axis=1) / np.sqrt(4000)
    assert (np.abs(draws.mean(axis=1) - whole.mean()) < 5 * error).all()
    for output in range(whole.n_outputs):
        alone = whole if whole.n_outputs == 1 else whole.marginal(output)
        one = draws[0] if whole.n_outputs == 1 else draws[0, :, output]
        assert kstest(one, lambda y, alone=alone: alone[0].cdf(y[None])[0]).pvalue > 1e-4


def test_the_known_part_scales_and_the_rest_is_drawn_as_nan(dist, whole):
    y = point(dist)
    assert_allclose(dist.pdf(y), dist.mass * whole.pdf(y), rtol=1e-12)
    if dist.n_outputs == 1:
        assert_allclose(dist.cdf(y), dist.mass * whole.cdf(y), rtol=1e-12)
    missing = np.isnan(dist.sample(2000, random_state=1)).reshape(len(dist), 2000, -1)[..., 0].mean(axis=1)
    assert_allclose(missing, 1 - dist.mass, atol=0.06)


@pytest.mark.parametrize("name", ["one output", "log", "falling functions"])
def test_verbs_run_on_the_engine_around_the_call(name):
    dist, y = DISTRIBUTIONS[name], np.linspace(0.1, 0.9, 5)[None]
    with using(Compute("no such engine")), pytest.raises(ValueError, match="no such engine"):
        dist.logpdf(y)
    with using(Compute("reference")):
        numbers = dist.logpdf(y), dist.cdf(y), dist.ppf(LEVELS), dist.sample(3, random_state=0)
    for one, other in zip(
        numbers, (dist.logpdf(y), dist.cdf(y), dist.ppf(LEVELS), dist.sample(3, random_state=0)), strict=True
    ):
        assert_allclose(one, other, rtol=1e-9, atol=1e-12)


# ------------------------------------------------------------------------------------------------------------- algebra
def all_numbers(dist):
    """Verb → numbers, for the verbs that a distribution has."""
    numbers = {verb: ask(dist, verb) for verb in NUMBERS if dist.has(verb)}
    return {verb: np.concatenate(list(value)) if isinstance(value, list) else value for verb, value in numbers.items()}


def test_a_pickle_is_the_same_distribution(whole):
    copy = pickle.loads(pickle.dumps(whole))
    assert copy.output_names == whole.output_names
    for verb, numbers in all_numbers(whole).items():
        assert_array_equal(ask_again(copy, verb), numbers)


def ask_again(dist, verb):
    value = ask(dist, verb)
    return np.concatenate(value) if isinstance(value, list) else value


@pytest.mark.parametrize("rows", [[3, 0], slice(1, None, 2), -1, np.array([True, False, False, True, True])], ids=str)
def test_rows_keep_their_numbers(whole, rows):
    part = whole[rows]
    assert type(part) is type(whole)
    chosen = np.atleast_1d(np.arange(len(whole))[rows])
    for verb in NUMBERS:
        if whole.has(verb):
            got, expected = ask(part, verb), ask(whole, verb)
            expected = [expected[row] for row in chosen]
            assert len(got) == len(expected)
            for one, other in zip(got, expected, strict=True):
                assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    with pytest.raises(TypeError, match="indexed by rows only"):
        whole[0, 0]


def test_gates_multiply(dist):
    gate = np.linspace(0.1, 1.0, len(dist))
    gated = dist.gated(np.log(gate))
    assert type(gated) is type(dist)
    assert_allclose(gated.mass, gate * dist.mass, rtol=1e-12)
    assert_allclose(gated.pdf(point(dist)), gate * dist.pdf(point(dist)), rtol=1e-12)


def test_names_are_kept_by_every_operation(whole):
    names = [f"output {j}" for j in range(whole.n_outputs)]
    named = whole.named(names)
    for other in (named[1:], named.normalized(), named.gated(np.zeros(len(named)))):
        assert other.output_names == names
    nameless = named.named(None)
    assert Distribution.mix([named, nameless]).output_names == names
    assert Distribution.concatenate([nameless, named]).output_names == names
    assert named.marginal(names[-1]).output_names == names[-1:]
    assert nameless.output_names is None


def test_concatenation_and_mixing_give_the_same_kind(whole):
    turned, y = whole[::-1], point(whole)
    both = Distribution.concatenate([whole, turned])
    assert type(both) is type(whole)
    assert_allclose(both.pdf(y), np.concatenate([whole.pdf(y), turned.pdf(y)]), rtol=1e-12)
    if isinstance(whole, Gathered):  # a row of one kind and a row of another have no common form
        with pytest.raises(ValueError, match="parts must be of one kind"):
            Distribution.mix([whole, turned])
        return
    mixed = Distribution.mix([whole, turned], [0.25, 0.75])
    assert type(mixed) is type(whole)
    assert_allclose(mixed.pdf(y), 0.25 * whole.pdf(y) + 0.75 * turned.pdf(y), rtol=1e-12)
    assert_allclose(mixed.mean(), 0.25 * whole.mean() + 0.75 * turned.mean(), rtol=1e-12)
    assert mixed.has("crps") == whole.has("crps")


def test_marginals_and_conditionals_make_the_joint(whole):
    if whole.n_outputs == 1:
        return
    y = np.linspace(0.2, 0.6, whole.n_outputs)
    first, rest = whole.marginal(0), whole.condition({0: y[0]})
    assert type(first) is type(rest) is type(whole)
    remaining = y[1] if whole.n_outputs == 2 else y[1:]
    assert_allclose(whole.logpdf(y), first.logpdf(y[0]) + rest.logpdf(remaining), rtol=1e-10)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_kinds_do_not_mix(name):
    one = DISTRIBUTIONS[name].normalized()
    for other in DISTRIBUTIONS.values():
        if one.kind == other.kind:
            continue
        with pytest.raises(
            ValueError,
            match=r"parts must be (of one kind, with one and the same transform|over the same outputs); got ",
        ):
            Distribution.mix([one, other])
    with pytest.raises(ValueError, match="non-empty sequence of distributions"):
        Mixture.mix(one)
