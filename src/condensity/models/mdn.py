"""Mixture density networks as fitted models."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from condensity import em, training
from condensity.compute import Compute
from condensity.data.splitting import held_out_splits
from condensity.distributions import Mixture
from condensity.engines.types import ACTIVATIONS, Network, TrainingRows
from condensity.models.conditional import CrossFit, FitReport
from condensity.persistence import require_numbers, saveable

saveable("Network")(Network)

#: Bounds of log σ, at most: exp of more is no number.
MAX_LOG_SCALE = 700.0

#: Networks of an ensemble, at most.
MAX_MEMBERS = 1000

#: Covariances of joint mixtures in files without them.
PLAIN = em.CovarianceSpec()


@saveable("MDNModel")
@dataclass(frozen=True, eq=False)
class MDNModel:
    """One network or an ensemble of networks, whose components are the components of one mixture.

    Attributes
    ----------
    parameters : ndarray (m, n_parameters)
        Of every member.
    network : Network
        Layers that all members share.
    gaussian_inits : list of FittedGaussianInit or None
        Joint mixture that each member corrects, for init='gmm'.
    """

    parameters: np.ndarray
    network: Network
    gaussian_inits: list["FittedGaussianInit"] | None = None

    @property
    def n_inputs(self) -> int:
        """Number of standardised inputs, d."""
        return self.network.n_inputs

    @property
    def n_outputs(self) -> int:
        """Number of standardised outputs, q."""
        return self.network.n_outputs

    @property
    def log_scale_bounds(self) -> tuple[Any, float] | None:
        """Bounds of log σ, or None."""
        return self.network.log_scale_bounds

    def predict(self, x: np.ndarray, *, compute: Compute) -> Mixture:
        """Mixture of y for each row of standardised x (n, d), predicted on `compute`."""
        return training.predict(self.parameters, self.network, x, self.gaussian_inits, compute=compute)

    def predict_members(self, x: np.ndarray, *, compute: Compute) -> list[Mixture]:
        """Mixture of every member for each row of standardised x (n, d), predicted on `compute`."""
        return training.predict_members(self.parameters, self.network, x, self.gaussian_inits, compute=compute)

    def check_loaded(self) -> None:
        """Refuse networks whose layers and parameters differ in size, before anything is allocated for them."""
        network, shape = self.network, np.shape(self.parameters)
        _check_network(network)
        if len(shape) != 2 or not 1 <= shape[0] <= MAX_MEMBERS or shape[1] != network.n_parameters:
            raise ValueError("a network must have as many numbers as its layers need")
        require_numbers("the numbers of a network", self.parameters, shape, dtype=(np.float64, np.float32))
        if self.gaussian_inits is None:
            return
        columns = network.n_inputs + network.n_outputs
        if len(self.gaussian_inits) != shape[0]:
            raise ValueError("there must be one joint mixture for each network")
        for init in self.gaussian_inits:
            if init.n_inputs != network.n_inputs or init.parameters.means.shape != (network.n_components, columns):
                raise ValueError("a network and its joint mixture must have the same columns and components")


def _check_network(network: Network) -> None:
    """Refuse layers that no network can have."""
    widths = (*network.hidden, network.n_components, network.n_outputs, network.n_inputs)
    if not all(type(width) is int and width > 0 for width in widths) or network.activation not in ACTIVATIONS:
        raise ValueError("widths must be positive numbers, and the activation one that there is")
    _check_bounds(network)
    if network.edges is None:
        return
    if len(network.edges) != network.n_inputs:
        raise ValueError("there must be bin edges for each input")
    for edges in network.edges:
        require_numbers("bin edges", edges, (None,), dtype=(np.float64, np.float32))
        if (np.diff(edges) <= 0).any():
            raise ValueError("bin edges must ascend")


def _check_bounds(network: Network) -> None:
    """Refuse bounds of log σ that are not a lower one, or one for each output, and an upper one."""
    if network.log_scale_bounds is None:
        return
    low, high = (np.asarray(bound, dtype=float) for bound in network.log_scale_bounds)
    if low.shape not in ((), (network.n_outputs,)) or high.shape != () or not (low < high).all():
        raise ValueError("bounds of log σ must be a lower one for each output and an upper one")
    if not (np.abs([*np.ravel(low), high]) <= MAX_LOG_SCALE).all():
        raise ValueError("bounds of σ must be numbers")


@saveable("GaussianInit")
@dataclass(frozen=True, eq=False)
class FittedGaussianInit:
    """Joint mixture over standardised (x, y) from which a network starts, as `training.GaussianInit`.

    Attributes
    ----------
    parameters : em.GaussianMixtureParameters
    n_inputs : int
    spec : em.CovarianceSpec
    """

    parameters: em.GaussianMixtureParameters
    n_inputs: int
    spec: em.CovarianceSpec = PLAIN

    def check_loaded(self) -> None:
        """Refuse a mixture that is not over inputs and outputs."""
        if not 1 <= self.n_inputs < self.parameters.means.shape[1]:
            raise ValueError("a joint mixture must be over inputs and outputs")

    @property
    def n_components(self) -> int:
        """Number of components of the mixture."""
        return len(self.parameters.weights)

    def terms(self, x: np.ndarray) -> training.Terms:
        """Log weights, means and factors of the mixture of y given standardised x (n, d)."""
        d = self.n_inputs
        target = range(d, self.parameters.means.shape[1])
        return training.Terms(*em.conditional_terms(self.parameters, range(d), target, np.asarray(x, dtype=float)))


def gaussian_init_fitter(
    n_components: int | str, validation_fraction: float, compute: Compute
) -> training.GaussianInitFitter:
    """A function that fits a `FittedGaussianInit` of `n_components` to rows, on `compute`.

    With n_components='auto', and for covariances where rows are few for the columns, a sweep chooses the first time, a
    `validation_fraction` of the rows held out; later fits start from the parameters of the earlier one.
    """
    settings = em.Settings(covariance_type="auto")

    def fit(rows: TrainingRows, rng: Any, earlier: Any) -> training.GaussianInit:
        z, d = np.column_stack([rows.x, rows.y]).astype(float), rows.x.shape[1]
        if earlier is not None:
            choice = em.Choice(settings.like(earlier.spec), earlier.n_components, earlier.parameters)
        else:
            choice = em.choose(
                settings, z, rows.weight, d, n_components, rng, compute=compute,
                splits=lambda: held_out_splits(len(z), validation_fraction, rng, rows.splitter),
            )  # fmt: skip
        joint = em.fit_joint(
            choice.settings, z, rows.weight, choice.n_components, rng, start=choice.start, compute=compute
        )
        return FittedGaussianInit(joint.parameters, d, choice.settings.spec)

    return fit


def resumable_fit(model: MDNModel, report: FitReport, **_: Any) -> training.MDNFit:
    """The fit that a model and its report came from, for the next epoch to continue; other parts `_` are ignored."""
    return training.MDNFit(
        model.parameters, model.network, report.converged, report.outcome, report.n_iter, report.history,
        np.empty(0), gaussian_inits=model.gaussian_inits,
    )  # fmt: skip


def _cross_fit(fit: training.MDNFit, part: training.NetworkCrossFit) -> CrossFit:
    """A network of a cross-fit as a model."""
    inits = None if part.gaussian_init is None else [part.gaussian_init]
    of_table = None if (part.out >= len(fit.held_out_log_density)).any() else part.out
    return CrossFit(part.kept, part.held_out, of_table, MDNModel(part.parameters[None], part.network, inits))


def model_and_report(fit: training.MDNFit, candidates: list[dict[str, Any]]) -> tuple[MDNModel, FitReport]:
    """The parts of a fit that predict, and those that describe it, the `candidates` compared among them."""
    model = MDNModel(fit.parameters, fit.network, fit.gaussian_inits)
    report = FitReport(
        fit.converged, fit.outcome, fit.n_iter, fit.history, candidates,
        validation_log_density=fit.held_out_log_density, cross_fits=[_cross_fit(fit, each) for each in fit.cross_fits],
    )  # fmt: skip
    return model, report
