"""Encodings of text: stated by a byte order mark, certain by themselves, or asked of the user; characters are never replaced."""

import codecs
from os import PathLike

from condensity.io.compression import open_decompressed
from condensity.io.errors import TableError

#: Byte order marks and Python's codecs that drop them; UTF-32 before UTF-16, whose mark it begins with.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

#: Encodings shown to a user whose file is in none that is certain: of Windows in western and central Europe and Russia, of DOS.
SHOWN_ENCODINGS = ("cp1252", "cp1250", "cp1251", "cp850")


def find_encoding(head: bytes, file: str) -> str:
    """Python's name of the encoding of a text file, called `file` in messages, that begins with the bytes `head`.

    Returns
    -------
    str
        That of a byte order mark; UTF-16 where every second byte is zero; 'utf-8' if all of `head` is.

    Raises
    ------
    TableError
        For other bytes, with how usual encodings read them, and for bytes that are no text.
    """
    for mark, name in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return name
    if b"\0" in head:
        return _utf16_without_mark(head, file)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError as error:
        raise TableError(undecodable(file, "utf-8", head[: error.start].count(b"\n"), head, error.start)) from None
    return "utf-8"


def _utf16_without_mark(head: bytes, file: str) -> str:
    """UTF-16 by its zeros: most letters of most tables are ASCII, so every second byte is 0 and the others hardly ever."""
    even, odd = head[0::2], head[1::2]
    for zeros, others, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros.count(0) > 0.7 * len(zeros) and others.count(0) == 0:
            return name
    raise TableError(
        f"{file} is neither Parquet, Arrow, Excel, JSON lines nor CSV text; save it as CSV in UTF-8, or say --encoding."
    )


def undecodable(file: str, encoding: str, line: int, content: bytes, start: int) -> str:
    """Message about a byte at `start` in `content`, in the line number `line` from 0, that is not in the `encoding`."""
    begin = max(content.rfind(b"\n", 0, start) + 1, start - 12)
    end = content.find(b"\n", start)
    piece = content[begin : min(end if end >= 0 else len(content), start + 12)].strip()
    readings = [f"{name} reads {text!r}" for name in SHOWN_ENCODINGS if (text := _decoded(piece, name))]
    return (
        f"{file} is not {encoding.upper()}: line {line + 1} has the byte 0x{content[start]:02X}. Say --encoding: "
        f"{', '.join(readings)}."
    )


def _decoded(piece: bytes, encoding: str) -> str:
    try:
        return piece.decode(encoding)
    except UnicodeDecodeError:
        return ""


def first_undecodable(path: str | PathLike[str], encoding: str, file: str) -> str | None:
    """Message about the first line of the file at `path`, called `file`, that `encoding` cannot read, or None."""
    decoder, line, before = codecs.getincrementaldecoder(encoding)(), 0, b""
    with open_decompressed(path) as stream:
        while block := stream.read(2**20):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                joined = before[-64:] + block
                start = min(max(len(joined) - len(error.object) + error.start, 0), len(joined) - 1)
                return undecodable(
                    file, encoding, line + block[: max(start - len(before[-64:]), 0)].count(b"\n"), joined, start
                )
            line, before = line + block.count(b"\n"), block
    return None
