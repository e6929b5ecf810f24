"""The command line.

Commands import what they need when they run, so that ``hwnas --help`` loads no torch.
"""

from __future__ import annotations

import sys
from typing import Any

import typer

from hwnas import __version__
from hwnas.cli import (
    derive,
    devices,
    doctor,
    export,
    plan,
    predict,
    processes,
    profile,
    progress,
    report,
    resume,
    search,
    show,
    sweep,
    train,
)
from hwnas.cli.optional import WithRay
from hwnas.cli.outside import echo
from hwnas.cli.standard import ReaderGone, ended_in_order, standard_streams
from hwnas.errors import NO_MEMORY, Stopped, is_memory, reason_of
from hwnas.heard import heard
from profilers.errors import InputError
from profilers.lock import Busy

# What typer raises for misspelt commands and options; it has no public name there, but a public
# child.
_MISTYPED: Any = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="hwnas",
    help="Find small, fast, accurate networks for your device from your images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _top(
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    if version:
        echo(__version__)
        raise typer.Exit


app.command("search")(search.search)
app.command("plan")(plan.plan)
app.command("profile", cls=WithRay)(profile.profile)
app.add_typer(devices.app, name="devices")
app.command("resume")(resume.resume)
app.command("derive")(derive.derive)
app.command("show")(show.show)
app.command("train", cls=WithRay)(train.train)
app.command("export")(export.export)
app.command("predict")(predict.predict)
app.command("sweep", cls=WithRay)(sweep.sweep)
app.command("report")(report.report)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command line: exit code 2 and one line for bad input, 3 where work can't go on,
    130 after Ctrl-C."""
    with standard_streams(), ended_in_order(), heard(progress.reading):
        try:
            code = app(standalone_mode=False, obj=main)
            sys.stdout.flush()  # a full disk shows here, not when the interpreter ends
            sys.exit(code if isinstance(code, int) else 0)
        except _MISTYPED as error:
            line = " ".join(error.format_message().split())
            if line:  # empty where no command was given: help has been printed
                echo(f"error: {line}", err=True)
            sys.exit(2)
        except InputError as error:
            if not processes.follows():  # what all processes of a search find out is said once
                echo(f"error: {error}", err=True)
            sys.exit(2)
        except (Stopped, Busy) as stop:
            echo(f"stopped: {stop}", err=True)
            sys.exit(3)
        except OSError as error:  # of a file that nobody above had in mind
            echo(f"stopped: {_system_line(error)}", err=True)
            sys.exit(3)
        except (MemoryError, RuntimeError, ImportError) as error:  # a library may not fit at all
            if not is_memory(error):
                raise
            echo(f"stopped: {NO_MEMORY}", err=True)
            sys.exit(3)
        except ReaderGone:
            sys.exit(0)
        except KeyboardInterrupt:
            sys.exit(130)


def _system_line(error: OSError) -> str:
    """What the system refused, in a line; raises the error itself where it does not say."""
    if error.filename is not None:
        return f"{error.filename}: {reason_of(error)}"
    if is_memory(error):
        return NO_MEMORY
    if str(error.strerror).startswith("No usable temporary directory"):
        return "no temporary file can be written: free space, lift a limit of files, or set TMPDIR"
    if error.errno is not None:
        return f"a file could not be written or read: {reason_of(error)}"
    raise error
