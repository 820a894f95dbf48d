"""Columns of X as learned in a fit, by which every later table is turned into the same float columns."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from condensity.data.columns import Levels, RawTable
from condensity.data.levels import LevelIndex
from condensity.data.names import label_of
from condensity.data.values import is_missing, text_of
from condensity.persistence import require_positions, saveable
from condensity.warning import warn_user

#: Categories without order of at most this many levels get a column for each; those of more get codes. See docs/decisions.md.
MAX_ONE_HOT = 128

#: Columns of ±1 that tell the levels of long categories apart.
HASH_BITS = 32

MISSING = "(missing)"


@saveable("Category")
@dataclass(frozen=True)
class Category:
    """A column that is a category.

    Attributes
    ----------
    column : int
        Its position in X.
    levels : tuple of str
        In order; `MISSING` is the last one if the fit saw missing values.
    ordered : bool
        Whether it is shown by its rank: it has an order, or the model is a mixture of normals, which can cut a line into levels
        but not tell the corners of a simplex apart.
    hashed : bool
        Whether it is shown by signs made from the levels' texts.
    """

    column: int
    levels: tuple[str, ...]
    ordered: bool
    hashed: bool = False

    def check_loaded(self) -> None:
        """Refuse what no fit learns; a column for each of very many levels among it, whose codes are their square."""
        if self.column < 0 or not self.levels or len(set(self.levels)) < len(self.levels):
            raise ValueError("a category must have a column, and levels that differ")
        if self.hashed and self.ordered:
            raise ValueError("a category must be shown by ranks or by signs, not by both")
        if not (self.ordered or self.hashed) and len(self.levels) > MAX_ONE_HOT:
            raise ValueError(f"a category must have a column for each of at most {MAX_ONE_HOT} levels")

    @property
    def width(self) -> int:
        """Number of columns of `codes`."""
        m = len(self.levels)
        if self.ordered:
            return 2 if self.levels[-1:] == (MISSING,) else 1
        if m <= 2:
            return 1
        return HASH_BITS if self.hashed else m

    @cached_property
    def codes(self) -> np.ndarray:
        """Encoding of every level, (m, w): its rank, one 0/1 column for two levels, one each for more, ±1 codes for many."""
        m = len(self.levels)
        if self.ordered:
            return self._ranks()
        if m <= 2:
            return np.arange(float(m))[:, None]
        return np.array([_hash_signs(self.index.name(k)) for k in range(m)]) if self.hashed else np.eye(m)

    @cached_property
    def index(self) -> LevelIndex:
        """Places of the levels, however a table spells them."""
        return LevelIndex(self.levels)

    def _ranks(self) -> np.ndarray:
        """Of levels in order; a missing value has the middle one, and a column that says so."""
        ranks = np.arange(float(len(self.levels)))
        if self.levels[-1:] != (MISSING,):
            return ranks[:, None]
        missing = ranks == ranks[-1]
        return np.column_stack([np.where(missing, ranks[:-1].mean() if len(ranks) > 1 else 0.0, ranks), missing])

    def labels(self, name: str) -> list[str]:
        """Names of the columns that the category `name` becomes."""
        m, width = self.codes.shape
        if self.ordered:
            return [name, f"{name} is missing"][:width]
        if self.hashed:
            return [f"{name}#{bit}" for bit in range(width)]
        if width == 1:
            return [name if m != 2 else f"{name}={self.levels[1]}"]
        return [f"{name}={level}" for level in self.levels]

    def encode(self, codes: np.ndarray, levels: Levels, label: str) -> np.ndarray:
        """Columns (n, w) of codes (n,) of a table's `levels`; NaN, after a warning about `label`, for levels not in the fit."""
        moved = np.array([*map(self.index.find, levels.texts), self.index.find(MISSING)])
        index = moved[np.where(np.isnan(codes), -1, codes).astype(int)]
        unseen = index < 0
        result = self.codes[index]
        if unseen.any():
            result[unseen] = np.nan
            named = sorted(
                {MISSING if np.isnan(code) else levels.texts[int(code)] for code in np.unique(codes[unseen])}
            )
            shown = ", ".join(map(repr, named[:5])) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
            warn_user(
                f"{label} of X holds levels that were not there in fit: {shown}, in {int(unseen.sum())} of "
                f"{len(unseen)} rows. They are taken as unknown.",
                once=f"unknown levels of {label}",
            )
        return result


@saveable("Schema")
@dataclass(frozen=True)
class Schema:
    """The columns of X as a fit saw them.

    A column of numbers stays one column, and, if values are missing and the model cannot integrate them out, gets a second one,
    their indicator. An ordered category, and any in a joint mixture, becomes its rank; another one a 0/1 column per level or,
    with more levels than `MAX_ONE_HOT`, `HASH_BITS` signs made from the level's text.

    Attributes
    ----------
    n_features : int
        Columns of X.
    names : tuple of str or None
    categories : tuple of Category
    indicated : tuple of int
        Columns of numbers with missing values and an indicator of them, one for each pattern of missing rows.
    handles_missing : bool
        Whether the model integrates missing values out: then every column of numbers may have NaN.
    had_missing : tuple of int
        Columns of numbers that had missing values.
    """

    n_features: int
    names: tuple[str, ...] | None = None
    categories: tuple[Category, ...] = ()
    indicated: tuple[int, ...] = ()
    handles_missing: bool = False
    had_missing: tuple[int, ...] = field(default=(), repr=False)

    @classmethod
    def fit(cls, table: RawTable, *, handles_missing: bool) -> "Schema":
        """Learn the columns of the training table, for a model that `handles_missing` values or does not."""
        values, d = table.values, table.values.shape[1]
        names = None if table.names is None else tuple(table.names)
        categories = tuple(
            _category(j, values[:, j], levels, ranked=levels.ordered or handles_missing)
            for j, levels in sorted(table.categories.items())
        )
        numeric = [j for j in range(d) if j not in table.categories]
        has_missing = np.isnan(values).any(axis=0)
        seen = tuple(j for j in numeric if has_missing[j])
        patterns = {np.packbits(np.isnan(values[:, j])).tobytes(): j for j in reversed(seen)}
        own = () if handles_missing else tuple(sorted(patterns.values()))
        return cls(d, names, categories, own, handles_missing, seen)

    def check_loaded(self) -> None:
        """Refuse what no fit learns; that there are scales for each column is a matter of the `InputEncoder`."""
        d, categories = self.n_features, [category.column for category in self.categories]
        if d < 1 or (self.names is not None and len(self.names) != d):
            raise ValueError("the columns of X and their names differ in number")
        for name, positions in (("categories", categories), ("indicated", self.indicated), ("gaps", self.had_missing)):
            require_positions(name, positions, d)
        if set(categories) & set(self.had_missing) or not set(self.indicated) <= set(self.had_missing):
            raise ValueError("columns with missing values must be columns of numbers")
        if self.handles_missing and self.indicated:
            raise ValueError("missing values must be integrated out or have indicators, not both")

    @property
    def n_encoded(self) -> int:
        """Number of the model's inputs, e."""
        return self.n_features + len(self.indicated) + sum(category.width - 1 for category in self.categories)

    @property
    def is_identity(self) -> bool:
        """Whether the model's inputs are the columns of X as they are."""
        return not (self.categories or self.indicated)

    @cached_property
    def flags_of_categories(self) -> np.ndarray | str:
        """Which of the columns are categories, bool (d,), as `categorical_features` takes them; 'from_dtype' where none is."""
        if not self.categories:
            return "from_dtype"
        flags = np.zeros(self.n_features, dtype=bool)
        flags[[category.column for category in self.categories]] = True
        return flags

    def label(self, j: int, *, capital: bool = False) -> str:
        """Column j of X as messages call it, with a `capital` at the beginning of a sentence."""
        return label_of(self.names, j, capital=capital)

    @property
    def feature_names(self) -> list[str]:
        """Names of the columns of X; x0, x1, … where it has none."""
        return list(self.names or (f"x{j}" for j in range(self.n_features)))

    @property
    def encoded_names(self) -> list[str]:
        """Names of the model's inputs."""
        names = self.feature_names
        known = {category.column: category.labels(names[category.column]) for category in self.categories}
        for j in self.indicated:
            known[j] = [names[j], f"{names[j]} is missing"]
        return [label for j in range(self.n_features) for label in known.get(j, [names[j]])]

    @property
    def all_names(self) -> list[str]:
        """Names of the columns of X, and of model inputs that are none."""
        return list(dict.fromkeys([*self.feature_names, *self.encoded_names]))

    @property
    def encoded_categories(self) -> dict[int, slice]:
        """Which of the model's inputs a category became, by its position in X."""
        widths = np.ones(self.n_features, dtype=int)
        widths[list(self.indicated)] = 2
        for category in self.categories:
            widths[category.column] = category.width
        ends = np.cumsum(widths)
        return {c.column: slice(int(ends[c.column] - widths[c.column]), int(ends[c.column])) for c in self.categories}

    def encode(self, table: RawTable) -> np.ndarray:
        """Model inputs (n, e) of a table: NaN for a missing value, and in all columns of a category whose level is unknown.

        Raises
        ------
        ValueError
            For missing values in a column that had none in fit, unless they are integrated out; for text where there were
            numbers, and the other way round.
        """
        self._require_same_kinds(table)
        if self.is_identity:
            return table.values
        known, indicated = {category.column: category for category in self.categories}, set(self.indicated)
        blocks = []
        for j in range(self.n_features):
            column = table.values[:, j]
            if j in known:
                blocks.append(known[j].encode(column, table.categories[j], self.label(j, capital=True)))
            elif j in indicated:
                blocks.append(np.column_stack([column, np.isnan(column)]))
            else:
                blocks.append(column[:, None])
        return np.hstack(blocks)

    def expand(self, given: Mapping[Any, Any]) -> dict[Any, Any]:
        """Values `given` by name or position, those of categories replaced by the columns that these became.

        Raises
        ------
        ValueError
            For levels that fit did not see.
        """
        known = {j: j for j in range(self.n_features)} | {name: j for j, name in enumerate(self.names or ())}
        categories, places = {c.column: c for c in self.categories}, self.encoded_categories
        expanded = {}
        for key, value in given.items():
            j = known.get(key) if isinstance(key, str) or not self.categories else None
            if j not in categories:
                expanded[key] = value
                continue
            category, columns = categories[j], places[j]
            texts = [
                MISSING if is_missing(value) else text_of(value)
                for value in np.atleast_1d(np.asarray(value, dtype=object))
            ]
            unknown = next((text for text in texts if category.index.find(text) < 0), None)
            if unknown is not None:
                levels = ", ".join(map(repr, category.levels[:12]))
                raise ValueError(f"{unknown!r} is no level of {self.label(j)}; its levels are {levels}.")
            codes = category.codes[[category.index.find(text) for text in texts]]
            for place, column in zip(range(columns.start, columns.stop), codes.T, strict=True):
                expanded[place] = column if np.ndim(value) else column[0]
        return expanded

    def require_mask_of_fit(self, masked: np.ndarray) -> None:
        """Refuse a masked array whose columns with masked values, bool (d,), had no missing values in fit.

        Masks often mark what a reader held for implausible. Where missing values are learned or integrated out, NaN says more.

        Raises
        ------
        ValueError
        """
        had_missing = {*self.had_missing, *(c.column for c in self.categories if c.levels[-1:] == (MISSING,))}
        fresh = [j for j in np.flatnonzero(masked).tolist() if j not in had_missing]
        if fresh:
            raise ValueError(
                f"X is a masked array with masked, that is missing, values in {self.label(fresh[0])}, which had none in fit; "
                "drop or impute these rows, or write X.filled(numpy.nan) for a model that integrates missing values out."
            )

    def _require_same_kinds(self, table: RawTable) -> None:
        expected = {category.column for category in self.categories}
        for j in sorted(expected ^ set(table.categories)):
            was, now = ("a category", "numbers") if j in expected else ("numbers", "text or a category")
            raise ValueError(
                f"{self.label(j, capital=True)} of X was {was} in fit and holds {now} now; give it the same type."
            )
        if self.handles_missing:
            return
        numeric = np.ones(self.n_features, dtype=bool)
        numeric[[*expected, *self.had_missing]] = False
        has_missing = np.isnan(table.values).any(axis=0) & numeric
        if has_missing.any():
            j = int(np.argmax(has_missing))
            missing = np.isnan(table.values[:, j])
            raise ValueError(
                f"Input X contains NaN ({self.label(j)}: {int(missing.sum())} of {len(missing)} rows, the first at row "
                f"{int(np.argmax(missing))}), and in fit that column had none. Impute it first, or fit on rows where it "
                "has missing values."
            )


def _category(column: int, codes: np.ndarray, levels: Levels, *, ranked: bool) -> Category:
    missing = (MISSING,) if np.isnan(codes).any() else ()
    every = (*levels.texts, *missing)
    return Category(column, every, ranked, hashed=not ranked and len(every) > MAX_ONE_HOT)


def _hash_signs(text: str) -> np.ndarray:
    """±1 (HASH_BITS,) from a text, the same in every process: two levels differ in half of them."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BITS // 8).digest()
    return 2.0 * np.unpackbits(np.frombuffer(digest, dtype=np.uint8)) - 1.0
