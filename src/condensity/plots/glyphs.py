"""Characters that the fonts of charts have: other installed fonts help out, and what none of them has is named in words."""

import unicodedata
from functools import cache

#: Fonts with many scripts or symbols whose outlines matplotlib can draw, tried in this order where they are installed.
HELPERS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Source Han Sans", "Hiragino Sans", "PingFang SC", "Microsoft YaHei", "Yu Gothic",
    "Malgun Gothic", "WenQuanYi Zen Hei", "IPAGothic", "Noto Sans", "Noto Sans Devanagari", "Noto Sans Thai", "Arial Unicode MS",
    "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Symbola", "Unifont",
)  # fmt: skip

#: Marks that only change how the character before them looks, and are left out.
JOINERS = "\ufe0e\ufe0f\u200d"


def drawable(text: str) -> str:
    """The text with characters that no font has replaced: symbols by their names between colons, letters by their numbers.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> drawable("price, €"), drawable("\U0010fffd")
    ('price, €', 'U+10FFFD')
    """
    kept = (character for character in text if character not in JOINERS)
    return "".join(character if _is_drawn(character) else _in_words(character) for character in kept)


def families(text: str) -> list[str]:
    """Families of fonts for a text: the usual ones, and those of the `HELPERS` that have a character which these lack.

    Parameters
    ----------
    text : str
    """
    from matplotlib import rcParams

    needed = {helper for character in text if (helper := _helper(character))}
    return [*rcParams["font.family"], *(name for name in HELPERS if name in needed)]


def _is_drawn(character: str) -> bool:
    return character in _usual() or character == "\n" or _helper(character) is not None


def _helper(character: str) -> str | None:
    """The first of the helpers that has a character which the usual font lacks."""
    if character in _usual():
        return None
    return next((name for name in _installed_helpers() if character in _characters(name)), None)


def _in_words(character: str) -> str:
    """An emoji by its name, such as :house building:, and other characters by their numbers."""
    name = unicodedata.name(character, "")
    return (
        f":{name.lower()}:" if name and unicodedata.category(character).startswith("S") else f"U+{ord(character):04X}"
    )


def _usual() -> frozenset[str]:
    from matplotlib import rcParams

    return _characters(*rcParams["font.family"])


@cache
def _installed_helpers() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    installed = {entry.name for entry in fontManager.ttflist}
    return tuple(name for name in HELPERS if name in installed)


@cache
def _characters(*family: str) -> frozenset[str]:
    """Characters of the font that is found for a family."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(map(chr, get_font(findfont(FontProperties(family=list(family)))).get_charmap()))
