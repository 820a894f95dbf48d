"""Training epoch by epoch, for `partial_fit`."""

from dataclasses import replace
from typing import Any

import numpy as np

from condensity import engines
from condensity.compute import AUTO, Compute
from condensity.engines.driver import run_to_end
from condensity.engines.types import History, Network, TrainingResult, TrainingRows, all_rows
from condensity.training.gaussian_init import GaussianInitFitter, rows_with_offsets
from condensity.training.initialization import initial_parameters
from condensity.training.predict import limit_inputs
from condensity.training.result import MDNFit
from condensity.training.settings import Settings, make_network, make_plan, recipes_to_try, require_same_network
from condensity.training.tied import (
    decorrelate,
    decorrelate_members,
    regressions_between_outputs,
    tie_members,
    untie_members,
)

#: State of a solver between two epochs: steps taken, and the saved run.
SolverState = tuple[int, Any]


def train_one_epoch(
    settings: Settings,
    rows: TrainingRows,
    rng: np.random.Generator,
    earlier: MDNFit | None,
    state: SolverState | None,
    *,
    compute: Compute = AUTO,
    fit_gaussian_init: GaussianInitFitter | None = None,
) -> tuple[MDNFit, SolverState]:
    """One pass over rows, continuing an earlier fit: the new fit, and the solver's state for the next pass.

    Without a horizon to plan for, 'auto' is the schedule-free solver.

    Parameters
    ----------
    settings : Settings
    rows : TrainingRows
        In the units of the first call.
    rng : numpy Generator
    earlier : MDNFit or None
    state : SolverState or None
        As returned; None for a fresh solver.
    compute : Compute
    fit_gaussian_init : callable, optional
        As in `fit_mdn`.
    """
    rows, n = rows._replace(x=limit_inputs(rows.x)), len(rows.y)
    solver = "schedule_free_adamw" if settings.solver == "auto" else settings.solver
    settings = replace(settings, solver=solver, max_iter=1)
    if earlier is None:
        earlier = _untrained(settings, rows, rng, fit_gaussian_init)
    else:
        require_same_network(settings, rows, earlier.network)
    n_done, solver_state = (0, None) if state is None else state
    plan = make_plan(settings, rows, n)
    last = n_done + plan.max_steps
    plan = plan._replace(
        horizon=0, warm_up=50, min_steps=0, max_steps=last, check_every=last, input_noise=0.0, target_noise=0.0
    )
    splits = [all_rows(n)] * len(earlier.parameters)
    network, parameters = earlier.network, earlier.parameters
    tied = None if settings.covariance_type == "full" or earlier.gaussian_inits else untie_members(parameters, network)
    if tied is not None:
        network, parameters = network._replace(coupled=False), tied[0]
        rows, splits, _ = decorrelate_members(rows, splits, tied[1])
    if earlier.gaussian_inits is not None:
        rows, splits = rows_with_offsets(rows, splits, earlier.gaussian_inits, earlier.network)
    start_run = engines.operation("train", compute.one_thread)
    run = start_run(parameters, network, plan, rng, rows, splits)
    if solver_state is not None:
        run.load_optimizer_state(solver_state)
    training = run_to_end(run)
    if tied is not None:
        training = training._replace(parameters=tie_members(training.parameters, network, tied[1]))
    return _continued(earlier, training, n), (training.n_steps, run.save())


def _untrained(
    settings: Settings, rows: TrainingRows, rng: np.random.Generator, fit_gaussian_init: GaussianInitFitter | None
) -> MDNFit:
    """Networks before the first epoch."""
    gaussian_inits = None
    if fit_gaussian_init is not None:
        gaussian_inits = [fit_gaussian_init(rows, rng, None)] * settings.n_members
        settings = replace(settings, n_components=gaussian_inits[0].n_components)
    recipe = recipes_to_try(replace(settings, early_stopping=False), rows)[0]
    network = make_network(recipe.applied_to(settings), rows, "piecewise" if recipe.encoding else None)
    if recipe.covariance_type == "tied" and network.n_outputs > 1:
        parameters = _untrained_tied(settings, rows, network, rng)
    else:
        parameters = initial_parameters(settings, rows, network, settings.n_members, rng)
    history: History = {"step": [], "train_loss": [], "validation_nll": []}
    return MDNFit(parameters, network, False, "", 0, history, np.empty(0), gaussian_inits=gaussian_inits)


def _untrained_tied(settings: Settings, rows: TrainingRows, network: Network, rng: np.random.Generator) -> np.ndarray:
    """Parameters (m, n_parameters) of tied networks before the first epoch, their regressions those of the `rows`."""
    regressions, untied = regressions_between_outputs(rows), network._replace(coupled=False)
    parameters = initial_parameters(settings, decorrelate(rows, regressions), untied, settings.n_members, rng)
    return tie_members(parameters, untied, [regressions] * settings.n_members)


def _continued(earlier: MDNFit, training: TrainingResult, n: int) -> MDNFit:
    """The fit after one more epoch over n rows."""
    n_epochs = earlier.n_iter + 1
    sentence = f"Trained for one more epoch ({n} rows), {n_epochs} in all; partial_fit does not judge convergence."
    if training.status != "max_steps":
        sentence = f"Ended early ({training.status}). {sentence}"
    return MDNFit(
        parameters=training.parameters,
        network=earlier.network,
        converged=False,
        outcome=sentence,
        n_iter=n_epochs,
        history={name: [*earlier.history[name], *values] for name, values in training.history.items()},
        held_out_log_density=np.full(n, np.nan),
        gaussian_inits=earlier.gaussian_inits,
    )
