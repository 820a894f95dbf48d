"""`Mixture` over several outputs, against scipy, 50 digits, Bayes' rule, sampling and its own algebra."""

import pickle
import tracemalloc
from itertools import chain, combinations, permutations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, multivariate_normal

from condensity import Mixture

N, K, Q, G = 4, 3, 2, 5
KINDS = ("diagonal", "full")


def triangles(rng, n, k, q, kind="full"):
    factors = rng.uniform(0.3, 2, (n, k, 1, q)) * np.eye(q)
    return factors if kind == "diagonal" else factors + np.tril(rng.normal(size=(n, k, q, q)), -1)


def make(n=N, k=K, q=Q, kind="full", seed=0, mass=1.0, **changes):
    rng = np.random.default_rng(seed)
    factors = triangles(rng, n, k, q, kind)
    spread = (
        {"covariances": factors @ np.swapaxes(factors, 2, 3)}
        if kind == "full"
        else {"scales": np.einsum("nkii->nki", factors)}
    )
    parts = {"weights": mass * rng.dirichlet(np.ones(k), n), "means": rng.normal(0, 3, (n, k, q)), **spread}
    return Mixture(**{**parts, **changes})


def points_of(dist, seed=9):
    return np.random.default_rng(seed).normal(0, 3, (len(dist), dist.n_outputs))


# ------------------------------------------------------------------------------------------------------- construction
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"covariances": None}, "exactly one of scales and covariances; got none"),
        ({"scales": np.ones((N, K, Q))}, "exactly one of scales and covariances; got both"),
        ({"means": np.zeros((N, K, Q + 1))}, r"means of shape \(4, 3, 3\) need .* covariances of shape \(4, 3, 3, 3\)"),
        ({"means": np.zeros((N, K))}, r"means of shape \(4, 3\) need .* covariances of shape \(4, 3, 1, 1\)"),
        ({"means": np.zeros((N, K, 0))}, r"means must have shape \(n, K\) or \(n, K, q\) with K >= 1 and q >= 1"),
        ({"covariances": np.ones((N, K, Q))}, r"covariances must have shape \(n, K, q, q\)"),
        ({"covariances": np.ones((N, K, Q, Q))}, "covariances must be positive definite; row 0, component 0"),
        ({"covariances": -np.ones((N, K, Q, Q))}, "covariances must have diagonals > 0; the smallest is .*-1.0"),
        ({"covariances": np.tile([[1.0, 0.5], [0.4, 1.0]], (N, K, 1, 1))}, "covariances must be symmetric; row 0"),
        ({"covariances": np.full((N, K, Q, Q), np.nan)}, "covariances must be finite; row 0, component 0"),
        ({"output_names": ["a"]}, "output_names must be 2 different strings"),
        ({"output_names": ["a", "a"]}, "output_names must be 2 different strings"),
        ({"output_names": ["a", 1]}, "output_names must be 2 different strings"),
    ],
)
def test_bad_parameters_are_named(changes, words):
    with pytest.raises(ValueError, match=words):
        make(**changes)


def test_which_matrix_is_not_positive_definite_is_told():
    covariances = np.tile(np.eye(Q), (N, K, 1, 1))
    covariances[2, 1] = [[4.0, -3.0], [-3.0, 1.0]]
    with pytest.raises(ValueError, match=r"row 2, component 1 is not \(smallest eigenvalue -0"):
        make(covariances=covariances)


def test_one_output_may_come_with_an_axis_of_its_own():
    rng = np.random.default_rng(0)
    weights, means, scales = rng.dirichlet(np.ones(K), N), rng.normal(size=(N, K)), rng.uniform(0.5, 2, (N, K))
    plain = Mixture(weights=weights, means=means, scales=scales)
    for spread in ({"scales": scales[:, :, None]}, {"covariances": scales[:, :, None, None] ** 2}):
        dist = Mixture(weights=weights, means=means[:, :, None], **spread, output_names=["y"])
        assert (dist.n_outputs, dist.means.shape, dist.scales.shape) == (1, (N, K), (N, K))
        assert dist.covariances.shape == (N, K, 1, 1)
        np.testing.assert_allclose(dist.ppf([0.1, 0.9]), plain.ppf([0.1, 0.9]), rtol=1e-12)
        assert dist.marginal("y") is dist.marginal(-1) is dist.condition({}) is dist


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_come_back_as_they_were_given(kind):
    dist = make(kind=kind)
    factors = triangles(np.random.default_rng(0), N, K, Q, kind)
    np.testing.assert_allclose(dist.covariances, factors @ np.swapaxes(factors, 2, 3), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(dist.scales**2, np.einsum("nkii->nki", dist.covariances), rtol=1e-14)
    for name in ("means", "scales", "covariances", "weights"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(dist, name)[0] = 1.0


def test_it_survives_pickling_and_says_what_it_is():
    dist = make(output_names=("price", "volume"))
    back = pickle.loads(pickle.dumps(dist))
    np.testing.assert_array_equal(back.logpdf(points_of(dist)), dist.logpdf(points_of(dist)))
    assert repr(back) == "<Mixture: 4 rows, 3 components, 2 outputs (price, volume)>"
    assert back.output_names == ["price", "volume"]
    assert make(mass=0.5).output_names is None
    assert repr(make(mass=0.5)) == "<Mixture: 4 rows, 3 components, 2 outputs, mass 0.5 to 0.5>"


def test_scales_of_any_unit_side_by_side():
    units = np.array([1e-150, 1e120, 1.0])
    correlation = np.array([[1.0, 0.9, -0.3], [0.9, 1.0, 0.1], [-0.3, 0.1, 1.0]])
    dist = Mixture(weights=[[1.0]], means=np.zeros((1, 1, 3)), covariances=[[np.outer(units, units) * correlation]])
    plain = multivariate_normal(np.zeros(3), correlation)
    y = np.array([0.3, -2.0, 1.0])
    assert dist.logpdf(y * units)[0] == pytest.approx(plain.logpdf(y) - np.log(units).sum(), rel=1e-12)
    assert dist.condition({0: units[0]}).mean()[0] == pytest.approx([0.9 * units[1], -0.3], rel=1e-12)
    np.testing.assert_allclose(dist.std()[0], units, rtol=1e-14)


# -------------------------------------------------------------------------------------------------------- shape rules
@pytest.mark.parametrize("verb", ["logpdf", "pdf", "log_prob", "energy_score"])
@pytest.mark.parametrize("kind", KINDS)
def test_points_follow_their_three_rules(verb, kind):
    dist = make(kind=kind)
    ask = getattr(dist, verb)
    grid, rowwise = np.random.default_rng(1).normal(0, 3, (G, Q)), points_of(dist)
    assert ask(grid[0]).shape == ask(rowwise).shape == (N,)
    full = ask(grid[None])
    assert full.shape == (N, G)
    np.testing.assert_array_equal(ask(np.tile(grid, (N, 1, 1))), full)
    for i in range(N):
        assert ask(rowwise)[i] == pytest.approx(ask(rowwise[i])[i], rel=1e-13)
        np.testing.assert_allclose(full[i], [ask(point)[i] for point in grid], rtol=1e-12)
        np.testing.assert_allclose(getattr(dist[i], verb)(grid[None])[0], full[i], rtol=1e-12)
    for bad in (
        0.0,
        np.zeros(N),
        np.zeros((N, Q + 1)),
        np.zeros((N + 1, Q)),
        np.zeros((N + 1, G, Q)),
        grid[None, None],
    ):
        with pytest.raises(ValueError, match=r"y must be one point \(2,\), \(4, 2\) row-wise, or a grid \(1, g, 2\)"):
            ask(bad)
    assert getattr(dist[[]], verb)(grid[None]).shape == (0, G)
    assert ask(np.zeros((1, 0, Q))).shape == (N, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_infinite_and_missing_points(kind):
    dist = make(kind=kind)
    y = np.array([[np.inf, 0.0], [0.0, -np.inf], [np.nan, 0.0], [np.inf, np.nan]])
    np.testing.assert_array_equal(dist.logpdf(y), [-np.inf, -np.inf, np.nan, np.nan])
    np.testing.assert_array_equal(dist.energy_score(y), [np.inf, np.inf, np.nan, np.nan])
    assert (dist.logpdf(np.full(Q, 1e200)) == -np.inf).all()
    tiny = dist.affine(1e-300, 0.0)
    assert (tiny.logpdf(np.array([1e300, -1e300])) == -np.inf).all()


ONE_OUTPUT = {
    "logcdf": (0.0,), "cdf": (0.0,), "logsf": (0.0,), "sf": (0.0,), "ppf": (0.5,), "quantile": (0.5,), "isf": (0.5,),
    "median": (), "interval": (), "region": (), "hpd_value": (0.0,), "crps": (0.0,), "entropy": (), "to_scipy": (0,),
}  # fmt: skip


@pytest.mark.parametrize("verb", ONE_OUTPUT)
def test_verbs_of_one_output_name_the_way_out(verb):
    with pytest.raises(
        ValueError, match=r"is for one output, and this mixture has 2. Choose output j with .marginal\(j\)"
    ):
        getattr(make(), verb)(*ONE_OUTPUT[verb])
    if verb == "to_scipy":
        pytest.importorskip("scipy", minversion="1.15", reason="scipy before 1.15 has no mixtures")
    getattr(make().marginal(1), verb)(*ONE_OUTPUT[verb])


@pytest.mark.parametrize(
    "call",
    [
        lambda d: d.mean(),
        lambda d: d.var(),
        lambda d: d.std(),
        lambda d: d.cov(),
        lambda d: d.mode(),
        lambda d: d.modes(),
        lambda d: d.energy_score(np.zeros(Q)),
        lambda d: d.marginal(0),
        lambda d: d.condition({0: 0.0}),
    ],
)
def test_what_is_partly_unknown_asks_for_normalized(call):
    with pytest.raises(ValueError, match=r"normalized\(\)"):
        call(make(mass=0.5))
    call(make(mass=0.5).normalized())


# -------------------------------------------------------------------------------------------------- density, moments
@pytest.mark.parametrize("kind", KINDS)
def test_components_are_scipys_normals(kind):
    dist = make(q=3, kind=kind)
    y = points_of(dist)
    for i in range(N):
        normals = [multivariate_normal(m, c) for m, c in zip(dist.means[i], dist.covariances[i], strict=True)]
        density = sum(w * normal.pdf(y[i]) for w, normal in zip(dist.weights[i], normals, strict=True))
        assert dist.pdf(y)[i] == pytest.approx(density, rel=1e-12)
        mean = dist.weights[i] @ dist.means[i]
        off = dist.means[i] - mean
        cov = np.einsum("k,kij->ij", dist.weights[i], dist.covariances[i] + off[:, :, None] * off[:, None])
        np.testing.assert_allclose(dist.mean()[i], mean, rtol=1e-13, atol=1e-15)  # a sum that may nearly cancel
        np.testing.assert_allclose(dist.cov()[i], cov, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(dist.var()[i], np.diag(cov), rtol=1e-12)
        np.testing.assert_allclose(dist.std()[i], np.sqrt(np.diag(cov)), rtol=1e-12)


def exact_log_density(log_weights, means, factors, y):
    with mpmath.workdps(50):
        total = mpmath.mpf(0)
        for log_weight, mean, factor in zip(log_weights, means, factors, strict=True):
            z = mpmath.lu_solve(
                mpmath.matrix(factor.tolist()), mpmath.matrix((y - 0).tolist()) - mpmath.matrix(mean.tolist())
            )
            log_term = mpmath.mpf(float(log_weight)) - sum(v * v for v in z) / 2
            log_term -= (
                sum(mpmath.log(mpmath.mpf(float(v))) for v in np.diag(factor)) + len(y) * mpmath.log(2 * mpmath.pi) / 2
            )
            total += mpmath.exp(log_term)
        return float(mpmath.log(total))


@pytest.mark.parametrize("kind", KINDS)
def test_log_densities_of_hard_mixtures_equal_50_digits_to_ten_thousand_sigma(kind):
    """The factors are exact binary fractions, so that their covariances and the mixture's own factors are exact too."""
    rng = np.random.default_rng(4)
    n, k, q = 12, 4, 3
    factors = np.exp2(rng.integers(-7, 8, (n, k, 1, q))) * np.eye(q)
    if kind == "full":
        factors = factors + np.tril(rng.integers(-8, 9, (n, k, q, q)) / 4, -1)
    log_weights = -rng.uniform(0, 40, (n, k))
    log_weights -= np.log(np.exp(log_weights).sum(axis=1, keepdims=True))
    means = rng.normal(0, 20, (n, k, q))
    spread = (
        {"covariances": factors @ np.swapaxes(factors, 2, 3)}
        if kind == "full"
        else {"scales": np.einsum("nkii->nki", factors)}
    )
    dist = Mixture(log_weights=log_weights, means=means, **spread)
    for distance in (0.0, 1.0, 30.0, 1e4):
        y = means[:, 0] + distance * np.einsum("nij,nj->ni", factors[:, 0], rng.normal(size=(n, q)))
        truth = np.array([exact_log_density(*row) for row in zip(dist.log_weights, means, factors, y, strict=True)])
        assert (np.abs(dist.logpdf(y) - truth) <= 1e-12 * np.maximum(1, np.abs(truth))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_moments_do_not_cancel_or_overflow(kind):
    near = make(kind=kind)
    far = near.affine(1e-6, 1e9)
    np.testing.assert_allclose(far.std(), 1e-6 * near.std(), rtol=0.2)  # the means are rounded by a tenth of σ
    np.testing.assert_allclose(near.affine(1e200, 0.0).std(), 1e200 * near.std(), rtol=1e-13)
    np.testing.assert_allclose(near.affine(1e-200, 0.0).std(), 1e-200 * near.std(), rtol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_the_energy_score_is_what_draws_say(kind):
    rng = np.random.default_rng(3)
    dist = make(kind=kind)
    y = points_of(dist)
    one, other = dist.sample(200_000, random_state=rng), dist.sample(200_000, random_state=rng)
    to_y, apart = (np.linalg.norm(one - b, axis=2) for b in (y[:, None], other))
    draws = to_y - 0.5 * apart
    error = draws.std(axis=1) / np.sqrt(draws.shape[1])
    assert (np.abs(dist.energy_score(y) - draws.mean(axis=1)) < 4 * error).all()


def test_large_batches_are_evaluated_in_little_memory():
    n, k, q = 20_000, 10, 3
    dist = make(n, k, q)
    y = points_of(dist)
    tracemalloc.start()
    dist.logpdf(y)
    dist.logpdf(np.zeros((1, 20, q)))
    dist.sample(20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32e6 + 20 * n * q * 8


# ---------------------------------------------------------------------------------------------- marginal, conditional
def proper_subsets(q):
    return chain.from_iterable(combinations(range(q), size) for size in range(1, q))


@pytest.mark.trap("T22")
@pytest.mark.parametrize("kind", KINDS)
def test_marginal_times_conditional_is_the_joint_for_every_split_of_five_outputs(kind):
    q = 5
    dist = make(q=q, kind=kind)
    y = points_of(dist)
    joint = dist.logpdf(y)
    for given_ones in proper_subsets(q):
        known = list(given_ones)
        rest = [j for j in range(q) if j not in known]
        first = dist.marginal(known[0] if len(known) == 1 else known)
        then = dist.condition({j: y[:, j] for j in known})
        at_first, at_rest = (y[:, v[0]] if len(v) == 1 else y[:, v] for v in (known, rest))
        assert then.n_outputs == len(rest)
        np.testing.assert_allclose(first.logpdf(at_first) + then.logpdf(at_rest), joint, rtol=1e-12, atol=1e-12)


@pytest.mark.trap("T22")
@pytest.mark.parametrize("kind", KINDS)
def test_the_chain_rule_holds_in_every_order_of_five_outputs(kind):
    q = 5
    dist = make(3, 2, q, kind)
    y = points_of(dist)
    joint = dist.logpdf(y)
    for order in permutations(range(q)):
        np.testing.assert_allclose(dist.marginal(list(order)).logpdf(y[:, order]), joint, rtol=1e-12, atol=1e-12)
        total, left, names = 0.0, dist, list(range(q))
        for output in order:  # one after the other, each from what is left
            place = names.index(output)
            total = total + left.marginal(place).logpdf(y[:, output])
            if len(names) > 1:
                left = left.condition({place: y[:, output]})
            names.pop(place)
        np.testing.assert_allclose(total, joint, rtol=1e-11, atol=1e-11)


def test_conditioning_one_normal_is_the_textbooks_regression():
    dist = make(k=1, q=4)
    y = points_of(dist)
    got = dist.condition({3: y[:, 3], 1: y[:, 1]})
    for i in range(N):
        mean, cov = dist.means[i, 0], dist.covariances[i, 0]
        a, b = [1, 3], [0, 2]
        gain = cov[np.ix_(b, a)] @ np.linalg.inv(cov[np.ix_(a, a)])
        np.testing.assert_allclose(got.mean()[i], mean[b] + gain @ (y[i, a] - mean[a]), rtol=1e-10)
        np.testing.assert_allclose(got.cov()[i], cov[np.ix_(b, b)] - gain @ cov[np.ix_(a, b)], rtol=1e-10, atol=1e-12)


def test_conditioning_is_bayes_rule_on_a_grid():
    dist = make()
    grid = np.linspace(-40, 40, 4001)
    for i in range(N):
        density = dist[i].pdf(np.column_stack([np.full(grid.size, 0.7), grid])[None])[0]
        np.testing.assert_allclose(
            dist[i].condition({0: 0.7}).pdf(grid[None])[0], density / np.trapezoid(density, grid), rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize("kind", KINDS)
def test_rows_with_the_same_gaps_go_together_and_each_is_right(kind):
    n, q = 12, 4
    dist = make(n, K, q, kind, output_names=list("abcd"))
    rng = np.random.default_rng(5)
    values = rng.normal(0, 2, (n, 3))
    values[rng.random((n, 3)) < 0.5] = np.nan
    values[0], values[1] = np.nan, 1.0
    y = rng.normal(0, 3, n)
    got = dist.condition({"d": values[:, 0], 0: values[:, 1], "c": values[:, 2]})
    assert (got.n_outputs, got.output_names) == (1, ["b"])
    for i in range(n):
        known = {j: v for j, v in zip([3, 0, 2], values[i], strict=True) if not np.isnan(v)}
        kept = sorted([*known, 1])
        row = dist[i].marginal(kept)
        alone = row.condition({kept.index(j): v for j, v in known.items()})
        np.testing.assert_allclose(got[i].logpdf(y[i]), alone.logpdf(y[i]), rtol=1e-11)
    two = dist.condition({"d": values[:, 0], "a": values[:, 1]})
    assert two.output_names == ["b", "c"]
    np.testing.assert_allclose(two.condition({"c": values[:, 2]}).logpdf(y), got.logpdf(y), rtol=1e-11)
    assert dist[[]].condition({"a": []}).n_outputs == 3
    np.testing.assert_array_equal(
        dist.condition({0: np.nan}).logpdf(y[:, None] + np.zeros(3)),
        dist.marginal([1, 2, 3]).logpdf(y[:, None] + np.zeros(3)),
    )


def test_marginals_are_parameters_of_the_outputs_asked():
    dist = make(q=4, output_names=list("abcd"))
    for outputs, places in (
        (["d", "b"], [3, 1]),
        ("c", [2]),
        (-1, [3]),
        ([0, "b"], [0, 1]),
        (np.array([2, 0]), [2, 0]),
    ):
        part = dist.marginal(outputs)
        assert part.output_names == ["abcd"[j] for j in places]
        means = part.means if part.n_outputs > 1 else part.means[:, :, None]
        np.testing.assert_array_equal(means, dist.means[:, :, places])
        np.testing.assert_allclose(
            part.covariances, dist.covariances[:, :, places][:, :, :, places], rtol=1e-13, atol=1e-15
        )


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ("x", "there is no output 'x'; known: a, b"),
        (2, "there is no output 2; positions are 0 to 1"),
        (-3, "there is no output -3"),
        ([], "outputs must be one output, or several different ones"),
        ([0, 0], "several different ones"),
        ([0, "a"], "several different ones"),
        (True, "an output is given by its name or position; got True"),
        (0.5, "an output is given by its name or position"),
        ([None], "an output is given by its name or position"),
    ],
)
def test_unknown_outputs_are_named(outputs, words):
    with pytest.raises(ValueError, match=words):
        make(output_names=["a", "b"]).marginal(outputs)


def test_names_that_were_never_given_are_not_looked_up():
    with pytest.raises(ValueError, match="there is no output 'a'; the outputs have no names, use positions"):
        make().marginal("a")


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ([1.0], "given must be a mapping from outputs to values"),
        ({0: 1.0, 1: 2.0}, "must leave an output to ask about; got values for all 2"),
        ({0: 1.0, "a": 2.0}, "given names an output twice"),
        ({0: np.inf}, r"given\[0\] must be finite, or nan where it is not given"),
        ({0: np.zeros(N + 1)}, r"given\[0\] must be a number or have shape \(4,\); got shape \(5,\)"),
        ({"b": "x"}, r"given\['b'\] must be real numbers"),
        ({"z": 1.0}, "there is no output 'z'"),
    ],
)
def test_bad_conditions_are_named(known, words):
    with pytest.raises(ValueError, match=words):
        make(output_names=["a", "b"]).condition(known)


@pytest.mark.parametrize("kind", KINDS)
def test_far_from_every_component_the_nearest_has_all_the_weight(kind):
    dist = make(kind=kind)
    far = dist.condition({0: 1e170})  # where z² overflows
    assert np.isfinite(far.means).all()
    np.testing.assert_allclose(far.weights.max(axis=1), 1.0)
    np.testing.assert_array_equal(far.weights.argmax(axis=1), dist.marginal(0).scales.argmax(axis=1))
    with pytest.raises(ValueError, match="leaves the range of float64"):
        make(kind="full").affine([1e-300, 1.0], 0.0).condition({0: 1e300})


def test_correlations_near_one_keep_what_the_factors_know():
    rho = 1 - 1e-12
    dist = Mixture(weights=[[1.0]], means=np.zeros((1, 1, 2)), covariances=[[[[1.0, rho], [rho, 1.0]]]])
    assert dist.condition({0: 1.0}).std()[0] == pytest.approx(np.sqrt((1 - rho) * (1 + rho)), rel=1e-4)
    assert dist.condition({1: 1.0}).std()[0] == pytest.approx(np.sqrt((1 - rho) * (1 + rho)), rel=1e-4)


# ------------------------------------------------------------------------------------------------------------ draws
@pytest.mark.trap("T23")
@pytest.mark.parametrize("kind", KINDS)
def test_draws_have_the_distribution_along_every_direction(kind):
    dist = make(q=3, kind=kind, seed=7)
    draws = dist.sample(50_000, random_state=1)
    assert draws.shape == (N, 50_000, 3)
    rng = np.random.default_rng(2)
    p_values = []
    for i in range(N):
        for direction in rng.normal(size=(4, 3)):
            scales = np.sqrt(np.einsum("i,kij,j->k", direction, dist.covariances[i], direction))
            along = Mixture(weights=dist.weights[[i]], means=dist.means[[i]] @ direction, scales=scales[None])
            p_values.append(kstest(draws[i] @ direction, lambda y, along=along: along.cdf(y[None])[0]).pvalue)
    assert min(p_values) > 1e-3 / len(p_values)
    for i in range(N):
        np.testing.assert_allclose(draws[i].mean(axis=0), dist.mean()[i], atol=5 * dist.std()[i].max() / 50_000**0.5)
        np.testing.assert_allclose(np.cov(draws[i].T), dist.cov()[i], atol=0.05 * dist.var()[i].max())
        for j in range(i):  # rows are independent
            assert abs(np.corrcoef(draws[i, :, 0], draws[j, :, 0])[0, 1]) < 5 / 50_000**0.5


def test_draws_are_repeatable_and_nan_where_nothing_is_known():
    dist = make(mass=0.6)
    draws = dist.sample(20_000, random_state=0)
    np.testing.assert_array_equal(draws, dist.sample(20_000, random_state=0))
    lost = np.isnan(draws)
    assert (lost.all(axis=2) == lost.any(axis=2)).all()
    assert np.abs(lost[:, :, 0].mean(axis=1) - 0.4).max() < 5 * np.sqrt(0.24 / 20_000)
    assert make().sample(0).shape == (N, 0, Q)
    assert make().rvs(3).shape == (N, 3, Q)


# ------------------------------------------------------------------------------------------------------------ algebra
sizes = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(2, 5)).filter(lambda s: len(set(s)) == 3)


@pytest.mark.trap("T9")
@settings(max_examples=40, deadline=None)
@given(size=sizes, kind=st.sampled_from(KINDS), seed=st.integers(0, 1000))
def test_identities_of_rows_and_components(size, kind, seed):
    n, k, q = size
    dist = make(n, k, q, kind, seed)
    y = points_of(dist, seed + 1)
    density = dist.logpdf(y)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, n, n + 2)
    np.testing.assert_allclose(dist[rows].logpdf(y[rows]), density[rows], rtol=1e-12)
    np.testing.assert_allclose(
        Mixture.concatenate([dist[:1], dist[1:]]).logpdf(y) if n > 1 else density, density, rtol=1e-12
    )
    order = rng.permutation(k)
    twice = np.concatenate([order, order])
    for chosen, share in ((order, 1.0), (twice, 0.5)):
        other = Mixture(
            weights=share * dist.weights[:, chosen],
            means=dist.means[:, chosen],
            covariances=dist.covariances[:, chosen],
        )
        np.testing.assert_allclose(other.logpdf(y), density, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(other.energy_score(y), dist.energy_score(y), rtol=1e-9)
        np.testing.assert_allclose(other.cov(), dist.cov(), rtol=1e-10, atol=1e-12)
    far = dist.affine(1.0, 2.0)
    mixed = Mixture.mix([dist, far], [0.25, 0.75])
    np.testing.assert_allclose(mixed.pdf(y), 0.25 * dist.pdf(y) + 0.75 * far.pdf(y), rtol=1e-12)
    outputs = rng.permutation(q).tolist()
    np.testing.assert_allclose(dist.marginal(outputs).logpdf(y[:, outputs]), density, rtol=1e-11, atol=1e-11)


@settings(max_examples=40, deadline=None)
@given(size=sizes, kind=st.sampled_from(KINDS), seed=st.integers(0, 1000), layout=st.integers(0, 3))
def test_affine_maps_from_a_billionth_to_a_billion(size, kind, seed, layout):
    n, k, q = size
    dist = make(n, k, q, kind, seed)
    rng = np.random.default_rng(seed)
    shape = [(), (q,), (n, 1), (n, q)][layout]
    scale = np.exp(rng.uniform(np.log(1e-9), np.log(1e9), shape)) * rng.choice([-1.0, 1.0], shape)
    shift = scale * rng.normal(size=shape)
    y = points_of(dist)
    moved = dist.affine(scale, shift)
    jacobian = np.log(np.abs(np.broadcast_to(scale, (n, q)))).sum(axis=1)
    np.testing.assert_allclose(moved.logpdf(scale * y + shift), dist.logpdf(y) - jacobian, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(moved.mean(), scale * dist.mean() + shift, rtol=1e-9, atol=1e-12 * np.abs(scale).max())
    np.testing.assert_allclose(moved.std(), np.abs(np.broadcast_to(scale, (n, q))) * dist.std(), rtol=1e-11)
    powers = np.exp2(rng.integers(-30, 31, shape))
    exact = dist.affine(powers, 0.0)
    given_first = {0: y[:, 0]}, {0: np.broadcast_to(powers, (n, q))[:, 0] * y[:, 0]}
    before, after = (d.condition(v) for d, v in zip((dist, exact), given_first, strict=True))
    rest = np.broadcast_to(powers, (n, q))[:, None, 1:]
    np.testing.assert_array_equal(after.means, (before.means.reshape(n, k, -1) * rest).reshape(before.means.shape))
    np.testing.assert_array_equal(
        exact.marginal(q - 1).scales, dist.marginal(q - 1).scales * np.broadcast_to(powers, (n, q))[:, -1:]
    )


def test_a_unit_of_a_power_of_two_changes_no_bit_of_given_covariances():
    dist = make(q=3)
    units = np.array([2.0**-20, 8.0, 2.0**31])
    scaled = make(q=3, means=dist.means * units, covariances=dist.covariances * np.outer(units, units))
    same = make(q=3, means=dist.means, covariances=dist.covariances)
    np.testing.assert_array_equal(scaled.affine(1 / units, 0.0).covariances, same.covariances)


def test_parts_of_different_kinds_and_sizes_go_together():
    independent, dependent = make(k=2, kind="diagonal", output_names=["a", "b"]), make(k=4)
    y = points_of(dependent)
    rows = Mixture.concatenate([independent, dependent])
    assert (len(rows), rows.n_components, rows.output_names) == (2 * N, 4, ["a", "b"])
    np.testing.assert_allclose(
        rows.logpdf(np.tile(y, (2, 1))), np.concatenate([independent.logpdf(y), dependent.logpdf(y)]), rtol=1e-12
    )
    np.testing.assert_allclose(
        Mixture.mix([independent, dependent]).pdf(y), 0.5 * (independent.pdf(y) + dependent.pdf(y)), rtol=1e-12
    )
    with pytest.raises(ValueError, match=r"parts must be over the same outputs; got \[2, 3\]"):
        Mixture.mix([make(), make(q=3)])
    with pytest.raises(ValueError, match=r"parts must be over the same outputs; got \[\('a', 'b'\), \('b', 'a'\)\]"):
        Mixture.concatenate([make(output_names=["a", "b"]), make(output_names=["b", "a"])])


@pytest.mark.parametrize("bad", [np.zeros(N) + 1, np.ones((Q, N)), [1.0, np.nan], [1.0, 0.0]])
def test_bad_maps_are_refused(bad):
    with pytest.raises(ValueError, match="scale must"):
        make().affine(bad, 0.0)


def test_the_frame_has_one_line_for_each_output():
    dist = make(output_names=["a", "b"])
    frame = dist.to_frame()
    assert list(frame.columns) == ["row", "component", "output", "weight", "mean", "scale"]
    line = frame[(frame.row == 3) & (frame.component == 1) & (frame.output == "b")].iloc[0]
    assert (line["weight"], line["mean"], line["scale"]) == (
        dist.weights[3, 1],
        dist.means[3, 1, 1],
        dist.scales[3, 1, 1],
    )
    assert set(make().to_frame().output) == {0, 1}
