"""Options in groups, as ``--help`` shows them; those of no group come first."""

from __future__ import annotations

from functools import partial

import typer

Option = typer.Option
DataOption = partial(typer.Option, rich_help_panel="Data")
SearchOption = partial(typer.Option, rich_help_panel="Search")
TrainingOption = partial(typer.Option, rich_help_panel="Training")
HardwareOption = partial(typer.Option, rich_help_panel="Hardware")
OutputOption = partial(typer.Option, rich_help_panel="Output")
