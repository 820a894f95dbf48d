"""The inputs given outputs, p(x | y) ∝ p̂(x) p(y | x), for models that have no closed form of it.

One input: quadrature on a grid that is refined until it is exact, and draws that are quantiles of it, all of one weight. Several:
draws from a proposal with weights p̂(x) p(y | x) / q(x | y), their largest smoothed by a Pareto tail whose shape k̂ says whether
the weights have a mean that they settle at (`models/inverse_sampling.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import logsumexp

from condensity import em
from condensity.compute import Compute
from condensity.data.encoders import InputEncoder, TargetEncoder
from condensity.distributions import Mixture, arguments
from condensity.models import ConditionalModel, InputDensity, inverse_sampling
from condensity.models.inputs import TOLERANCE
from condensity.models.weighted_verbs import WeightedVerbs
from condensity.random import RandomState, as_generator
from condensity.support import SupportModel
from condensity.warning import warn_user

#: Above this shape of their tail, weighted means settle too slowly to be trusted (Vehtari et al.).
TRUSTED_K = 0.7

#: Fewer effective draws than this are too few.
MIN_EFFECTIVE_SIZE = 100.0

#: Inputs with a smaller p-value among the training rows are outside of these; above this share of them an answer is no answer.
RARE, MAX_OUTSIDE_SHARE = 0.01, 0.2

#: Draws of each row by which a joint mixture's share is worked out.
DRAWS_OF_JOINT = 256

#: The proposal for several inputs: a joint mixture of this size fitted to this many draws of the model, with a share of the draws
#: from the density of the inputs itself, so that no weight is unbounded.
PROPOSAL_ROWS, PROPOSAL_COMPONENTS, DEFENSIVE_SHARE = 20_000, 32, 0.1

#: Inputs up to which draws from the proposal can find p(x | y).
MAX_INVERTED_INPUTS = 15

#: Nodes of the first grid around each component of the density of one input, in its σ.
NODES = np.linspace(-10.0, 10.0, 41)


@dataclass(frozen=True, eq=False)
class WeightedDraws(WeightedVerbs):
    """p(x | y) for n rows of y: s weighted draws each, and its density.

    Attributes
    ----------
    draws : ndarray (n, s, d)
        In data units.
    log_weights : ndarray (n, s)
        Normalised: their exponentials sum to one in every row.
    effective_size : ndarray (n,)
        1 / Σ w²: the number of draws of equal weight with the same variance.
    pareto_k : ndarray (n,)
        Shape k̂ of the tail of the weights: above .7 the row should not be trusted. −inf where the draws are exact quantiles.
    log_evidence : ndarray (n,)
        Log p(y), in nats per unit of y.
    outside_share : ndarray (n,)
        Probability on inputs rarer than 99 % of the training rows: near 1, nothing in the table had such a y.
    output_names : list of str or None
        Names of the inputs.

    Examples
    --------
    >>> from condensity import MDNRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> problem = make_cross(200, random_state=0)
    >>> model = MDNRegressor(init="gmm", random_state=0).fit(problem.X, problem.y)
    >>> inputs = model.predict_inputs([0.5], n_draws=100)
    >>> inputs.draws.shape, inputs.mean().shape, inputs.logpdf([[0.0]]).shape
    ((1, 100, 1), (1,), (1, 1))
    >>> [len(row) for row in inputs.modes()], inputs.interval(0.5).shape
    ([2], (1, 2))
    """

    draws: np.ndarray
    log_weights: np.ndarray
    effective_size: np.ndarray
    pareto_k: np.ndarray
    log_evidence: np.ndarray
    outside_share: np.ndarray
    _log_joint: Callable[[np.ndarray], np.ndarray] | None = field(repr=False)  # points (n, g, d) → log p(x, y) (n, g)
    output_names: list[str] | None = None

    @property
    def trusted(self) -> np.ndarray:
        """Rows whose weights can be relied on, and whose inputs are like the training rows, bool (n,)."""
        return self._settled & (self.outside_share <= MAX_OUTSIDE_SHARE)

    @property
    def _settled(self) -> np.ndarray:
        return (self.pareto_k <= TRUSTED_K) & (self.effective_size >= MIN_EFFECTIVE_SIZE)

    @property
    def diagnosis(self) -> list[str]:
        """A sentence for each of the n rows."""
        return [
            _outside_sentence(share)
            if settled
            else f"The proposal does not cover p(x | y): Pareto k = {k:.2f}, {size:.0f} effective draws."
            for settled, share, k, size in zip(
                self._settled, self.outside_share, self.pareto_k, self.effective_size, strict=True
            )
        ]

    def sample(self, n_samples: int = 1, *, random_state: RandomState = None) -> np.ndarray:
        """Draws (n, n_samples, d), in data units, with replacement from the weighted ones of every row, by `random_state`."""
        rng = as_generator(random_state, "sample")
        cumulated = np.cumsum(np.exp(self.log_weights), axis=1)
        uniforms = rng.random((len(self), n_samples)) * cumulated[:, -1:]
        chosen = [np.searchsorted(row, u, side="right") for row, u in zip(cumulated, uniforms, strict=True)]
        return np.take_along_axis(self.draws, np.array(chosen, dtype=int).reshape(len(self), n_samples, 1), axis=1)

    def logpdf(self, x: npt.ArrayLike) -> np.ndarray:
        """Log p(x | y), (n,) or (n, g), in nats per unit of x.

        Parameters
        ----------
        x : array-like
            One input: a scalar, (n,) for a point per row, or a grid (1, g) or (n, g). Several: (d,), (n, d), (1, g, d) or
            (n, g, d). In data units.

        Returns
        -------
        ndarray (n,), or (n, g) for a grid
        """
        if self._log_joint is None:
            raise ValueError(
                "logpdf is for all inputs together; this is a marginal, which has draws and quantiles alone."
            )
        d = self.draws.shape[2]
        grid, flat = arguments.points(x, len(self), d)
        result = self._log_joint(grid.reshape(len(self), -1, d)) - self.log_evidence[:, None]
        return result[:, 0] if flat else result

    def pdf(self, x: npt.ArrayLike) -> np.ndarray:
        """Density p(x | y), (n,) or (n, g), per unit of x; shapes as for `logpdf`."""
        return np.exp(self.logpdf(x))

    def _of_inputs(self, chosen: list[int]) -> "WeightedDraws":
        if chosen == list(range(self.n_outputs)):
            return self
        names = None if self.output_names is None else [self.output_names[j] for j in chosen]
        return replace(self, draws=self.draws[:, :, chosen], _log_joint=None, output_names=names)

    def _log_density_at(self, row: int, points: np.ndarray) -> np.ndarray:
        """Log p(x, y) (g,) at points x (g, d); of a marginal, that of a kernel estimate."""
        if self._log_joint is not None:
            everywhere = np.broadcast_to(points, (len(self), *points.shape))
            return self._log_joint(everywhere)[row]
        kernel = stats.gaussian_kde(self.draws[row].T, bw_method="silverman", weights=self.weights[row])
        with np.errstate(divide="ignore"):
            return np.log(kernel(points.T))

    def __len__(self) -> int:
        return len(self.draws)

    def __repr__(self) -> str:
        n, s, d = self.draws.shape
        return (
            f"<WeightedDraws: {n} rows, {s} draws of {d} input{'s' if d > 1 else ''}, effective size "
            f"{self.effective_size.min():.0f} or more, {int(self.trusted.sum())} rows trusted>"
        )


class InputMixture(Mixture):
    """p(x | y) of a joint mixture, exact: a `Mixture` over the inputs by name, with the diagnosis that `WeightedDraws` have.

    Rows, marginals and other parts of it are a `Mixture` without a diagnosis.
    """

    __slots__ = ("_share",)

    _share: Callable[[], np.ndarray]

    @classmethod
    def judged(cls, dist: Mixture, share: Callable[[], np.ndarray]) -> "InputMixture":
        """The n rows of `dist`, with a function that works out the share (n,) of probability outside of the training rows."""
        self = cls.from_parameters(dist.parameters, dist.output_names)
        object.__setattr__(self, "_share", share)
        return self

    @property
    def outside_share(self) -> np.ndarray:
        """Probability (n,) on inputs rarer than 99 % of the training rows, by draws: near 1 where no row had such a y."""
        if not hasattr(self, "_share"):
            raise ValueError(
                "The diagnosis is of the whole answer of predict_inputs; ask for it before rows or inputs are chosen."
            )
        return self._share()

    @property
    def trusted(self) -> np.ndarray:
        """Rows whose inputs are like the training rows, bool (n,)."""
        return self.outside_share <= MAX_OUTSIDE_SHARE

    @property
    def diagnosis(self) -> list[str]:
        """A sentence for each of the n rows."""
        return [_outside_sentence(share) for share in self.outside_share]


def inputs_of_joint(dist: Mixture, encoder: InputEncoder, support: Any, compute: Compute) -> InputMixture:
    """p(x | y) over the inputs that are numbers, from `dist` over all model inputs of an encoder: categories are integrated out.

    Parameters
    ----------
    dist : Mixture
        n rows over the e model inputs, in data units.
    encoder : InputEncoder
    support : SupportModel or NoSupport
    compute : Compute

    Raises
    ------
    ValueError
        For tables of categories alone.
    """

    def share() -> np.ndarray:
        if not isinstance(support, SupportModel):
            return np.zeros(len(dist))
        draws = dist.sample(DRAWS_OF_JOINT, random_state=0).reshape(-1, encoder.n_inputs)
        p_values = support.p_values(encoder.standardize(draws), compute=compute).reshape(len(dist), -1)
        return (p_values <= max(RARE, support.min_p_value)).mean(axis=1)

    columns = encoder.schema.encoded_categories.values()
    words = {j for own in columns for j in range(encoder.n_inputs)[own]}
    numbers = [j for j in range(encoder.n_inputs) if j not in words]
    if not numbers:
        raise ValueError(
            "predict_inputs needs an input that is a number, and X holds categories alone; see `condition`."
        )
    return InputMixture.judged(dist if not words else dist.marginal(numbers), share)


@dataclass(frozen=True, eq=False)
class InverseModel:
    """p(x | y) of a conditional model and a density of its inputs.

    Attributes
    ----------
    model : ConditionalModel
    density : InputDensity
    encoder : InputEncoder
    target : TargetEncoder
    compute : Compute
    support : SupportModel or None
        For the share of draws outside of the training rows.
    """

    model: ConditionalModel
    density: InputDensity
    encoder: InputEncoder
    target: TargetEncoder
    compute: Compute
    support: SupportModel | None = None

    def predict(self, y: np.ndarray, n_draws: Any, random_state: RandomState) -> WeightedDraws:
        """Weighted draws of the inputs, `n_draws` for each row of standardised outputs y (n, q), by `random_state`.

        Raises
        ------
        ValueError
            For fewer than 100 draws, and where no input or more than `MAX_INVERTED_INPUTS` vary.

        Warns
        -----
        UserWarning
            Where weights are too uneven for a row to be trusted.
        """
        if not isinstance(n_draws, (int, np.integer)) or n_draws < 100:
            raise ValueError(f"n_draws must be an integer >= 100; got {n_draws!r}.")
        c = len(self.density.columns)
        if not 1 <= c <= MAX_INVERTED_INPUTS:
            raise ValueError(
                f"predict_inputs is for 1 to {MAX_INVERTED_INPUTS} inputs that vary, and X has {c}. JointGMMRegressor answers "
                "it for any number, in closed form."
            )
        seed = int(as_generator(random_state, "predict_inputs").integers(2**31))
        result = self._by_grid(y, int(n_draws)) if c == 1 else self._by_importance(y, int(n_draws), seed)
        _warn_of_untrusted(result)
        return result

    def log_joint(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Log p(x, y) at points X (n, g, d) in data units, for standardised y (n, q), per unit of both: (n, g)."""
        n, g, d = X.shape
        columns, flat = self.density.columns, self.encoder.standardize(X.reshape(n * g, d))
        x = flat.reshape(n, g, d)
        units = self.encoder.log_units(flat, columns).reshape(n, g) + self.target.log_units(y)[:, None]
        return np.stack([self._log_joint_at(x[i][:, columns], y[i]) for i in range(n)]) - units

    @cached_property
    def _proposal(self) -> em.GaussianMixtureParameters:
        """A joint mixture over the inputs that vary and y, fitted to draws from the model."""
        rng = np.random.default_rng(0)
        x, y = draw_joint(self.model, self.density, PROPOSAL_ROWS, rng, compute=self.compute)
        z = np.column_stack([x[:, self.density.columns], y])
        return em.fit_gmm(z, PROPOSAL_COMPONENTS, rng, tol=TOLERANCE, compute=self.compute).parameters

    def _by_grid(self, y: np.ndarray, n_draws: int) -> WeightedDraws:
        mixture = self.density.mixture()
        nodes = np.unique(mixture.means.T + mixture.scales.T * NODES)
        draws, log_evidence = inverse_sampling.on_grid(partial(self._log_joint_on_line, y=y), nodes, n_draws)
        log_weights, shapes = np.full(draws.shape, -np.log(n_draws)), np.full(len(y), -np.inf)
        return self._weighted(y, draws[:, :, None], log_weights, shapes, log_evidence)

    def _by_importance(self, y: np.ndarray, n_draws: int, seed: int) -> WeightedDraws:
        c, q = len(self.density.columns), y.shape[1]
        given = em.conditional(self._proposal, range(c, c + q), range(c), y, compute=self.compute)
        alone = self.density.mixture()[np.zeros(len(y), dtype=int)]
        proposal = Mixture.mix([given, alone], [1.0 - DEFENSIVE_SHARE, DEFENSIVE_SHARE])
        x = inverse_sampling.propose(proposal, n_draws, seed)
        log_ratios = np.stack([self._log_joint_at(x[i], y[i]) for i in range(len(y))]) - proposal.logpdf(x)
        log_evidence = logsumexp(log_ratios, axis=1) - np.log(n_draws)
        log_weights, shapes = inverse_sampling.smoothed(log_ratios)
        return self._weighted(y, x, log_weights, shapes, log_evidence)

    def _weighted(
        self, y: np.ndarray, z: np.ndarray, log_weights: np.ndarray, shapes: np.ndarray, log_evidence: np.ndarray
    ) -> WeightedDraws:
        """`WeightedDraws` in data units, from standardised draws z (n, s, c)."""
        n, s, _ = z.shape
        x = np.zeros((n, s, self.encoder.n_inputs))
        x[:, :, self.density.columns] = z
        return WeightedDraws(
            draws=self.encoder.decode(x),
            log_weights=log_weights,
            effective_size=1.0 / np.exp(2.0 * log_weights).sum(axis=1),
            pareto_k=shapes,
            log_evidence=log_evidence - self.target.log_units(y),
            outside_share=self._outside_share(x, log_weights),
            _log_joint=partial(self.log_joint, y=y),
            output_names=list(self.encoder.schema.encoded_names),
        )

    def _outside_share(self, x: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
        """Weight (n,) of standardised draws x (n, s, e) that are rarer than 99 % of the calibration rows; 0 without these."""
        if self.support is None:
            return np.zeros(len(x))
        p_values = self.support.p_values(x.reshape(-1, x.shape[2]), compute=self.compute).reshape(x.shape[:2])
        return (np.exp(log_weights) * (p_values <= max(RARE, self.support.min_p_value))).sum(axis=1)

    def _log_joint_at(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Log p(x, y) at standardised points z (s, c), for one standardised y (q,): (s,)."""
        dist, log_inputs = self._at(z)
        return log_inputs + dist.logpdf(np.broadcast_to(y, (len(z), len(y))) if len(y) > 1 else y[0])

    def _log_joint_on_line(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Log p(x, y) at standardised points z (g,) of the one input that varies, for every standardised y (n, q): (n, g)."""
        dist, log_inputs = self._at(z[:, None])
        return log_inputs + dist.logpdf(y[None] if y.shape[1] > 1 else y.T).T

    def _at(self, z: np.ndarray) -> tuple[Mixture, np.ndarray]:
        """p(y | x) and log p̂(x) at standardised points z (s, c) of the inputs that vary."""
        x = np.zeros((len(z), self.encoder.n_inputs))
        x[:, self.density.columns] = z
        return self.model.predict(x, compute=self.compute), self.density.log_density(x, compute=self.compute)


def draw_joint(
    model: ConditionalModel, density: InputDensity, n_samples: int, rng: np.random.Generator, *, compute: Compute
) -> tuple[np.ndarray, np.ndarray]:
    """Standardised rows x (n_samples, d) from `density` and y (n_samples, q) from `model`, drawn by `rng` on `compute`."""
    drawn = density.draw(n_samples, rng)
    x = np.zeros((n_samples, model.n_inputs))
    x[:, density.columns] = drawn
    y = model.predict(x, compute=compute).sample(1, random_state=rng)[:, 0]
    return x, y.reshape(n_samples, -1)


def _outside_sentence(share: float) -> str:
    """What a share of draws outside of the training rows says of an answer."""
    if share <= MAX_OUTSIDE_SHARE:
        return f"{share:.0%} of the probability is on inputs rarer than 99 % of the training rows."
    return f"{share:.0%} of the probability is on inputs rarer than 99 % of the training rows: an extrapolation."


def _warn_of_untrusted(result: WeightedDraws) -> None:
    if result.trusted.all():
        return
    bad = np.flatnonzero(~result.trusted)
    worst = int(bad[np.argmax(np.where(result._settled[bad], -np.inf, result.pareto_k[bad]))])
    advice = "" if result._settled[worst] else " Raise n_draws, or ask JointGMMRegressor."
    warn_user(
        f"p(x | y) of {len(bad)} of {len(result)} rows should not be trusted. Row {worst}: {result.diagnosis[worst]}{advice}"
    )
