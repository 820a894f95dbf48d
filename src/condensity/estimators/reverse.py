"""The question turned round, for models that have no closed form of it: the inputs given outputs."""

from copy import copy
from functools import partial

import numpy as np
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from condensity import em, inverse, support
from condensity.distributions import Mixture
from condensity.estimators.inputs import InputVerbs
from condensity.inverse import WeightedDraws
from condensity.random import as_generator
from condensity.warning import warn_user

#: The joint mixture that proposes inputs given outputs is fitted to so many draws of the model, with so many components; and this
#: share of all proposals comes from the density of the inputs as it is, so that no weight is unbounded.
PROPOSAL_ROWS, PROPOSAL_COMPONENTS, DEFENSIVE_SHARE = 20_000, 32, 0.1

#: Inputs up to which draws from the proposal can find p(x | y).
MOST_REVERSED_INPUTS = 15


class ReverseVerbs(InputVerbs):
    """p(x | y) from p̂(x) and p(y | x)."""

    _proposal: em.GaussianMixtureParameters | None  # made when first asked for

    def predict_inputs(self, y, *, n_draws=4096, random_state=0) -> WeightedDraws:
        """The distribution of the inputs given outputs, p(x | y) ∝ p(x) p(y | x).

        One input: quantiles from an adaptive grid, exact to about 1e-5. Up to 15: Pareto-smoothed importance sampling, its
        proposal a joint mixture of draws from the model, conditioned on y.

        Parameters
        ----------
        y : float or array-like (n,), or (n, q) for several outputs
            Finite, in data units.
        n_draws : int
        random_state : int, numpy Generator or RandomState
            Of the draws for several inputs.

        Returns
        -------
        WeightedDraws
            n rows of draws with weights, a density, and a diagnosis.

        Raises
        ------
        ValueError
            Without a support model, and for more than 15 inputs that vary.

        Warns
        -----
        UserWarning
            Where weights are so uneven that a row should not be trusted.
        """
        check_is_fitted(self)
        density = self._density_over_columns("predict_inputs")
        if not (isinstance(n_draws, (int, np.integer)) and n_draws >= 100):
            raise ValueError(f"n_draws must be an integer >= 100; got {n_draws!r}.")
        y = self._standardised_outputs(self._check_lone_outputs(y))
        c = len(density.columns)
        if not 1 <= c <= MOST_REVERSED_INPUTS:
            raise ValueError(
                f"predict_inputs is for 1 to {MOST_REVERSED_INPUTS} inputs that vary, and X has {c}. JointGMMRegressor answers "
                "it for any number, in closed form."
            )
        seed = int(as_generator(random_state, "predict_inputs").integers(2**31))
        result = self._by_grid(y, int(n_draws)) if c == 1 else self._by_importance(y, int(n_draws), seed)
        if not result.trusted.all():
            worst = int(np.argmax(result.pareto_k))
            warn_user(
                f"p(x | y) of {int((~result.trusted).sum())} of {len(y)} rows should not be trusted: the proposal does not "
                f"cover it. Worst is row {worst}, with Pareto k = {result.pareto_k[worst]:.2f} (up to {inverse.TRUSTED_K} is "
                f"good) and {result.effective_size[worst]:.0f} effective draws. Raise n_draws, or ask JointGMMRegressor."
            )
        return result

    def _by_grid(self, y, n_draws):
        density = self._input_density("predict_inputs")
        draws, log_evidence = inverse.on_grid(partial(self._log_joint_on_line, y=y), _nodes(density), n_draws)
        log_weights, shapes = np.full(draws.shape, -np.log(n_draws)), np.full(len(y), -np.inf)
        return self._weighted(y, draws[:, :, None], log_weights, shapes, log_evidence)

    def _by_importance(self, y, n_draws, seed):
        density = self._input_density("predict_inputs")
        c, q = len(density.columns), y.shape[1]
        given = em.conditional(self._proposal_of(density), range(c, c + q), range(c), y, compute=self._compute())
        alone = density.mixture()[np.zeros(len(y), dtype=int)]
        proposal = Mixture.mix([given, alone], [1.0 - DEFENSIVE_SHARE, DEFENSIVE_SHARE])
        x = inverse.propose(proposal, n_draws, seed)
        log_ratios = np.stack([self._log_joint_at(x[i], y[i]) for i in range(len(y))]) - proposal.logpdf(x)
        log_evidence = logsumexp(log_ratios, axis=1) - np.log(n_draws)
        log_weights, shapes = inverse.smoothed(log_ratios)
        return self._weighted(y, x, log_weights, shapes, log_evidence)

    def _proposal_of(self, density):
        """A joint mixture over the inputs that vary and y, fitted to draws of the model."""
        if self._proposal is None:
            rng = np.random.default_rng(0)
            x, y = self._draw_joint(PROPOSAL_ROWS, rng)
            z = np.column_stack([x[:, density.columns], y])
            self._proposal = em.fit_gmm(
                z, PROPOSAL_COMPONENTS, rng, tol=support.TOLERANCE, compute=self._compute()
            ).parameters
        return self._proposal

    def _weighted(self, y, z, log_weights, shapes, log_evidence):
        """`WeightedDraws` in data units, from standardised draws z (n, s, c)."""
        n, s, _ = z.shape
        columns = self._input_density("predict_inputs").columns
        draws = np.empty((n, s, self._x_scaler.scale.size))
        draws[:] = self._x_scaler.center
        draws[:, :, columns] += z * self._x_scaler.scale[columns]
        return WeightedDraws(
            draws=draws,
            log_weights=log_weights,
            effective_size=1.0 / np.exp(2.0 * log_weights).sum(axis=1),
            pareto_k=shapes,
            log_evidence=log_evidence - self._log_units_of_y(y),
            _log_joint=partial(copy(self)._log_joint_in_data_units, y=y),  # a later fit must not change it
        )

    def _log_joint_in_data_units(self, X, y):
        """Log p(x, y) at points X (n, g, d) in data units, for standardised y (n, q): (n, g)."""
        n, g, d = X.shape
        x = self._x_scaler.transform(X.reshape(n * g, d)).reshape(n, g, d)
        columns = self._input_density("predict_inputs").columns
        units = np.log(self._x_scaler.scale[columns]).sum() + self._log_units_of_y(y)[:, None]
        return np.stack([self._log_joint_at(x[i][:, columns], y[i]) for i in range(n)]) - units

    def _log_joint_at(self, z, y):
        """Log p(x, y) at standardised points z (s, c), for one standardised y (q,): (s,)."""
        dist, log_inputs = self._at(z)
        return log_inputs + dist.logpdf(np.broadcast_to(y, (len(z), len(y))) if len(y) > 1 else y[0])

    def _log_joint_on_line(self, z, y):
        """Log p(x, y) at standardised points z (g,) of the one input that varies, for every standardised y (n, q): (n, g)."""
        dist, log_inputs = self._at(z[:, None])
        return log_inputs + dist.logpdf(y[None] if y.shape[1] > 1 else y.T).T

    def _at(self, z):
        """p(y | x) and log p̂(x) at standardised points z (s, c) of the inputs that vary."""
        density = self._input_density("predict_inputs")
        x = np.zeros((len(z), self._x_scaler.scale.size))
        x[:, density.columns] = z
        return self._predict_standardised(x), density.log_density(x)

    def _forget_inputs(self):
        super()._forget_inputs()
        self._proposal = None


def _nodes(density):
    """Points (g,) that follow every component of the density of the one input."""
    mixture = density.mixture()
    return np.unique(mixture.means.T + mixture.scales.T * np.linspace(-10.0, 10.0, 41))
