"""Charts as small PNG pictures, each with a text for those who cannot see it."""

import base64
import io
from typing import Any, NamedTuple

import numpy as np

DOTS_PER_INCH = 200

#: Colours kept in a picture: lines and dots on white need no more, and the file is a third of the size.
COLOURS_KEPT = 256


class Picture(NamedTuple):
    """A PNG as a ``data:`` address, with its caption, the text that stands in for it, and its size in pixels."""

    source: str
    caption: str
    alternative: str
    width: int
    height: int


def to_picture(figure: Any, caption: str, alternative: str) -> Picture:
    """Draw a matplotlib figure with its own canvas and pack it into a palette PNG.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        With a canvas of Agg.
    caption : str
    alternative : str
        Stands in for the picture.

    Examples
    --------
    >>> from condensity.plots import small_multiples
    >>> picture = to_picture(small_multiples(1)[0], "empty", "An axes without data.")
    >>> picture.caption, picture.width, picture.height
    ('empty', 580, 460)
    """
    from PIL import Image

    figure.set_dpi(DOTS_PER_INCH)
    figure.canvas.draw()
    pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())
    packed = pixels.quantize(COLOURS_KEPT, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    packed.save(buffer, format="PNG", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(source, caption, alternative, pixels.width, pixels.height)
