"""Levels of a category that files and libraries spell differently: '007', 7 and 7.0; 'true' and True."""

import re
from collections.abc import Sequence
from decimal import Decimal

#: Digits of the longest number that is one; anything longer is text.
MAX_DIGITS = 300

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_FLAGS = {"true": 1, "false": 0}


def level_key(text: str) -> int | float | str:
    """The number that a level's text spells, exact if it is whole; 1 for true, 0 for false; other text stripped of blanks.

    Examples
    --------
    >>> [level_key(text) for text in ("007", " 7", "7.0", "+7", "1e3", "1.10", "True", "7a ")]
    [7, 7, 7, 7, 1000, 1.1, 1, '7a']
    """
    stripped = text.strip()
    if len(stripped) > MAX_DIGITS or not _NUMBER.fullmatch(stripped):
        return _FLAGS.get(stripped.lower(), stripped)
    number = Decimal(stripped)
    return int(number) if number == number.to_integral_value() else float(stripped)


class LevelIndex:
    """Places of levels: a level is found by its text, else by its key where only one level has it.

    Parameters
    ----------
    levels : sequence of str
        Different texts.

    Examples
    --------
    >>> index = LevelIndex(["007", "1.1", "1.10"])
    >>> [index.find(text) for text in ("007", "7", "1.10", "1.100", "8")]
    [0, 0, 2, -1, -1]
    """

    def __init__(self, levels: Sequence[str]):
        self._levels = tuple(levels)
        self._by_text = {level: k for k, level in enumerate(self._levels)}
        self._by_key: dict[int | float | str, int] = {}
        for k, level in enumerate(self._levels):
            key = level_key(level)
            self._by_key[key] = -1 if key in self._by_key else k

    def find(self, text: str) -> int:
        """Place of the level that `text` spells; -1 where there is none, or more than one."""
        place = self._by_text.get(text)
        return self._by_key.get(level_key(text), -1) if place is None else place

    def name(self, k: int) -> str:
        """Text of level `k` that is the same however it is spelled, where no other level is spelled so."""
        key = level_key(self._levels[k])
        return str(key) if self._by_key[key] == k and not isinstance(key, str) else self._levels[k]
