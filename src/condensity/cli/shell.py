"""Behaviour of every command: errors in one line, Ctrl-C, notes, progress on a terminal."""

import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from condensity.printable import printable

try:
    import click
except ModuleNotFoundError as error:
    raise SystemExit(
        'condensity: error: the command line is not installed; run pip install "condensity[cli]".'
    ) from error

#: Modules that the extra [cli] installs.
EXTRA_MODULES = {"matplotlib", "jinja2", "markupsafe", "pyarrow", "PIL"}

Progress = Callable[[str], None]


class CommandError(click.ClickException):
    """Something about the data or the files, in one line."""


class Interrupted(click.ClickException):
    """The end by a signal: Ctrl-C, or one of `ENDING_SIGNALS` by `number`."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        self.exit_code = 128 + number  # type: ignore[misc]
        how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
        super().__init__(f"{how}; nothing was written.")


class Stop(BaseException):
    """The signal of this `number` within a command: unlike at a KeyboardInterrupt, a fit does not go on with its best model."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        self.number = number
        super().__init__(number)


#: Signals that end a command, once what it has begun is cleaned up; those of them that this system has.
ENDING_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU", "SIGBREAK") if hasattr(signal, name)
]


@contextmanager
def signals_stop_everything() -> Iterator[None]:
    """Let `ENDING_SIGNALS` raise `Stop`, but those that are ignored, as under nohup.

    In other threads than the main one, which alone can set this, do nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: object) -> None:
        for each in before:  # another one must not disturb the cleaning up
            if each != signal.SIGINT:
                signal.signal(each, signal.SIG_IGN)
        raise Stop(number)

    before = {each: signal.getsignal(each) for each in ENDING_SIGNALS}
    before = {each: handler for each, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for each in before:
        signal.signal(each, stop)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class OneLineErrors(click.Group):
    """A group of commands with errors of one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of a context `ctx`; errors of data, files and missing extras become a `CommandError`."""
        try:
            with signals_stop_everything():
                result = super().invoke(ctx)
                if sys.stdout is not None:
                    sys.stdout.flush()  # a full disk is an error now, and none at the end of the process
                return result
        except KeyboardInterrupt:
            raise Interrupted() from None
        except Stop as stop:
            raise Interrupted(stop.number) from None
        except BrokenPipeError:
            raise
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in EXTRA_MODULES:
                raise
            raise CommandError(f'{error.name} is not installed; run pip install "condensity[cli]".') from error
        except (ValueError, ArithmeticError, OSError, MemoryError) as error:
            raise CommandError(str(error) or type(error).__name__) from error

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run as a console script, with the `args` and `extra` of `click.Group.main`, and exit."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a narrow encoding shows ? in place of σ rather than fail
                stream.reconfigure(errors="replace")
        extra["standalone_mode"] = False
        try:
            code = super().main(*args, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = error.exit_code
        except (click.ClickException, click.Abort) as error:
            # click aborts when Ctrl-C comes before the command has begun.
            failure = Interrupted() if isinstance(error, click.Abort) else error
            echo("condensity: error: " + re.sub(r"\s*\n\s*", " ", failure.format_message().strip()), err=True)
            code = failure.exit_code
        sys.exit(code or 0)


def echo(text: str, *, err: bool = False) -> None:
    """Print one line of `text` on stdout or, with `err`, on stderr; what names and values could do to a terminal is escaped."""
    click.echo(printable(text), err=err)


def echo_decisions(decisions: str) -> None:
    """Print what was found out about a text file, its `decisions`, as a line on stderr; nothing for ''."""
    if decisions:
        echo(f"condensity: {decisions}", err=True)


def echo_notes(notes: Iterable[str]) -> None:
    """Print warnings, collected as `notes`, as lines on stderr."""
    for note in notes:
        echo(f"condensity: note: {note}", err=True)


@contextmanager
def progress_line() -> Iterator[Progress]:
    """Yield a function that shows a line in place of its last one on a terminal, and does nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    def show(text: str) -> None:
        click.echo(f"\r\x1b[2K{printable(text)}", nl=False, err=True)

    try:
        yield show
    finally:
        show("")


def count_rows(progress: Progress, name: str) -> Callable[[int, int | None], None]:
    """Return a function of the rows done and, where known, their total that shows them as `progress` of the table `name`."""

    def show(done: int, total: int | None) -> None:
        progress(f"{name}: {done:,} rows" + (f" of {total:,} ({done / total:.0%})" if total else ""))

    return show
