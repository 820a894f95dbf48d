"""Texts that come from files, made fit for a terminal."""


def printable(text: str) -> str:
    r"""The text with control characters, line ends and marks that turn the reading direction shown as escapes.

    A name in a file can then neither move the cursor, nor change colours, nor add lines that look like ours.

    Examples
    --------
    >>> print(printable("price\x1b[2J\n! done"))
    price\x1b[2J\n! done
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
