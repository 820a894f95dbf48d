"""Errors about a user's table."""

import re


class TableError(ValueError):
    """A table that cannot be used; the message is one line with the reason."""


def one_line(error: Exception) -> str:
    """An error's text as one line of bounded length, ending in a full stop."""
    text = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
    return f"{text[:200].rstrip('.')}."
