"""The charts of a study as small PNG pictures with a text for those who cannot see them."""

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from condensity.estimators.reverse import MOST_REVERSED_INPUTS
from condensity.plots.panels import data_panel, edges_panel, means_panel, samples_panel, scales_panel, weights_panel
from condensity.plots.slices import inverse_panel, inverse_values, slice_range, slice_rows, slices_panel
from condensity.plots.style import model_colours, padded_range, small_multiples
from condensity.report.study import DataSet, Fit, Measures, Study

DOTS_PER_INCH = 200

#: Colours kept in a picture: lines and dots on white need no more, and the file is a third of the size.
COLOURS_KEPT = 256


@dataclass(frozen=True)
class Picture:
    """A PNG as a ``data:`` address, with its caption and the text that stands in for it."""

    source: str
    caption: str
    alternative: str
    width: int
    height: int


def to_picture(figure: Any, caption: str, alternative: str) -> Picture:
    """Draw a figure with its own canvas and pack it into a palette PNG."""
    from PIL import Image

    figure.set_dpi(DOTS_PER_INCH)
    figure.canvas.draw()
    pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())
    packed = pixels.quantize(COLOURS_KEPT, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    packed.save(buffer, format="PNG", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(source, caption, alternative, pixels.width, pixels.height)


def slice_pictures(study: Study) -> list[Picture]:
    """One picture for each chosen x, with all models and, where it is known, the truth."""
    data = study.data
    name = data.feature_names[data.along]
    models = {fit.name: fit.model for fit in study.fits}
    widest = padded_range(np.concatenate([data.y, data.y_test]), 0.08)
    pictures = []
    for value, row in slice_rows(data.X, data.along):
        figure, (ax,) = small_multiples(1)
        y_range = slice_range(models.values(), row, widest)
        slices_panel(models, row, y_range, ax=ax, truth=data.log_density, target=data.target)
        caption = f"{name} = {value:.3g}"
        truth = " and the true density" if data.log_density is not None else ""
        alternative = f"{data.name}: densities of {data.target} at {caption}, of {', '.join(models)}{truth}."
        pictures.append(to_picture(figure, caption, alternative))
    return pictures


def reverse_pictures(study: Study) -> list[Picture]:
    """One picture for each chosen y: p(x | y) of the models that know p(x) and, where it is known, the truth."""
    data, name = study.data, study.data.feature_names[study.data.along]
    models = {fit.name: fit.model for fit in study.fits if _can_reverse(fit.model)}
    if not models:
        return []
    pictures, colours = [], study_colours(study)
    for value in inverse_values(data.y):
        figure, (ax,) = small_multiples(1)
        shown = {name: colours[name] for name in models}
        truth = data.log_joint_density
        inverse_panel(models, data.X, value, ax=ax, along=data.along, truth=truth, x_label=name, colours=shown)
        caption = f"p({name} | {data.target} = {value:.3g})"
        alternative = f"{data.name}: {caption} of {', '.join(models)}{' and the truth' if truth else ''}."
        pictures.append(to_picture(figure, caption, alternative))
    return pictures


def _can_reverse(model):
    """Whether p(x | y) is known without more than `MOST_REVERSED_INPUTS` inputs to search."""
    return getattr(model, "has_support", False) and model.n_features_in_ <= MOST_REVERSED_INPUTS


def edges_pictures(data: DataSet, fit: Fit, colour: str, random_state: int) -> list[Picture]:
    """Draws beyond the edges of the data, as the model is and with the gate; none for models without support."""
    if not getattr(fit.model, "has_support", False):
        return []
    pictures = []
    for outside, caption in (("ignore", "beyond the edges"), ("deficient", "the same, gated")):
        figure, (ax,) = small_multiples(1)
        edges_panel(
            fit.model, data.X, data.y, ax=ax, along=data.along, x_label=data.feature_names[data.along], target=data.target,
            outside=outside, colour=colour, random_state=random_state,
        )  # fmt: skip
        alternative = f"{data.name}, {fit.name}: draws over a range twice as wide as the data, outside={outside!r}."
        pictures.append(to_picture(figure, caption, alternative))
    return pictures


def data_picture(data: DataSet) -> Picture:
    """The data alone; the same for every model."""
    figure, (ax,) = small_multiples(1)
    data_panel(data.X, data.y, ax=ax, along=data.along, x_label=data.feature_names[data.along], target=data.target)
    return to_picture(figure, "data", f"{data.name}: scatter plot of {len(data.y)} rows.")


def model_pictures(data: DataSet, fit: Fit, measures: Measures, colour: str, random_state: int) -> list[Picture]:
    """The four charts of one model: draws, means, weights, scales."""
    view: dict[str, Any] = {"along": data.along, "x_label": data.feature_names[data.along]}
    table = fit.model, data.X, data.y
    where, components = f"{data.name}, {fit.name}", f"of {measures.components} components along x"
    figures, axes = zip(*(small_multiples(1) for _ in range(4)), strict=True)
    (draws,), (means,), (weights,), (scales,) = axes
    samples_panel(*table, ax=draws, target=data.target, colour=colour, random_state=random_state, **view)
    means_panel(*table, ax=means, **view)
    weights_panel(fit.model, data.X, ax=weights, **view)
    scales_panel(*table, ax=scales, **view)
    texts = [
        ("draws from p(y | x)", f"{where}: draws from the model over the data at the same x."),
        ("means μₖ(x)", f"{where}: means {components}."),
        ("weights πₖ(x)", f"{where}: weights {components}."),
        ("scales σₖ(x)", f"{where}: scales {components}, logarithmic; largest {measures.largest_scale:.3g}."),
    ]
    return [to_picture(figure, *text) for figure, text in zip(figures, texts, strict=True)]


def study_colours(study: Study) -> dict[str, str]:
    """Colour of each model of a study, as in its charts."""
    return model_colours(fit.name for fit in study.fits)
