"""`hwnas devices calibrate`: measure a space's operations and some networks, and keep a table of
latencies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli.outside import echo, echo_json
from profilers.errors import InputError
from profilers.limits import check_input, check_numbers

if TYPE_CHECKING:
    from hwnas.space.space import Space
    from profilers.table import Table


def size_of_networks(known: Space, channels: int | None, cells: int | None) -> tuple[int, int]:
    """Initial channels and searched cells of the networks of a space; None stands for what is
    usual.

    A chain of blocks has those of its table, and no other depth. Raises InputError for cells that
    it can't have.
    """
    from hwnas.space.genotype import check_cells

    usual = (16, {"nasbench201": 15}.get(known.name, 8))
    usual = usual if known.depth is None else known.published_size
    cells = usual[1] if cells is None else cells
    try:
        check_cells(known, cells)
    except InputError as error:
        raise InputError(f"--cells: {str(error).removeprefix('cells: ')}") from None
    return usual[0] if channels is None else channels, cells


def calibrate(
    target: Annotated[str, typer.Option(help="Device: a name, an alias or a .toml file.")] = "cpu",
    space: Annotated[
        str, typer.Option(help="Search space of the networks; a chain of your own: its .toml.")
    ] = "darts",
    channels: Annotated[
        int | None, typer.Option(min=1, help="Initial channels. Default: 16; a chain's own.")
    ] = None,
    cells: Annotated[
        int | None, typer.Option(min=1, help="Searched cells. Default: 8; 15; a chain's own.")
    ] = None,
    classes: Annotated[
        int, typer.Option(min=1, help="Classes of the networks; tables serve any number of them.")
    ] = 10,
    image: Annotated[
        str,
        typer.Option(help="Image: its side, or channels, height and width: 32 or 3x32x32."),
    ] = "32",
    batch: Annotated[int, typer.Option(min=1, help="Images that are measured at once.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads that a network runs on.")] = 1,
    backend: Annotated[
        str | None,
        typer.Option(
            help="onnxruntime, openvino, ncnn, torch, a plug-in. Default: onnxruntime; CUDA torch."
        ),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="fp32, fp16, bf16 or int8, where the back end has it.")
    ] = "fp32",
    cuda_graph: Annotated[
        bool, typer.Option("--cuda-graph", help="torch on CUDA: replay captured graphs.")
    ] = False,
    ssh: Annotated[
        str | None, typer.Option(help="Measure on user@host (numpy and the runtime there).")
    ] = None,
    run_with: Annotated[
        str | None, typer.Option(help="Measure there by COMMAND 'SHELL LINE'.")
    ] = None,
    remote_python: Annotated[
        str, typer.Option(help="The Python to run there, 3.9 or later.")
    ] = "python3",
    networks: Annotated[
        int | None,
        typer.Option(
            min=5,
            max=1000,
            help="Measure so few (10, 20, 50), chosen by what tables of known devices leave open.",
        ),
    ] = None,
    choose: Annotated[
        Path | None, typer.Option(help="With --networks: only write which to measure, CSV.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Few networks measured already: arch, latency_ms.")
    ] = None,
    train: Annotated[
        int, typer.Option(min=10, max=10_000, help="Networks to fit to, at most.")
    ] = 100,
    held_out: Annotated[
        int | None,
        typer.Option(
            min=5,
            max=10_000,
            help="Networks to judge the table by. Default: 40; none with --networks.",
        ),
    ] = None,
    budget: Annotated[
        float,
        typer.Option(min=10, help="Seconds for everything; what the least is, is said first."),
    ] = 270.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Which networks are drawn.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="The table to write. Default: kept by name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")] = False,
) -> None:
    """Measure a space's operations and some networks; write a table that predicts the others."""
    from hwnas.catalog import find_device
    from hwnas.cli.devices_bench import make_bench
    from hwnas.cli.devices_few import from_csv, print_few, write_design
    from hwnas.cli.devices_saved import save_beside
    from hwnas.cli.values import image_size, one_of
    from hwnas.config.typed_space import typed_space
    from hwnas.costs.table_runtime import runtime_words
    from hwnas.costs.tables import default_path
    from hwnas.measuring.calibrate import calibrate
    from hwnas.measuring.calibration_runs import USUAL, CalibrationPlan
    from hwnas.measuring.few_networks import placing
    from hwnas.measuring.few_runs import calibrate_few
    from hwnas.space.family import family
    from hwnas.space.genotype import check_cells
    from profilers.device import load
    from profilers.onnx_latency import utc_now

    known = typed_space(space)
    channels, cells = size_of_networks(known, channels, cells)
    check_numbers(
        "--",
        channels=channels,
        cells=cells,
        classes=classes,
        batch=batch,
        threads=threads,
        budget=budget,
    )
    device = load(find_device(target))
    of = family(
        known,
        channels=channels,
        cells=cells,
        classes=classes,
        image=image_size(image),
    )
    check_cells(of.space, of.size.cells)
    check_input(f"--batch {batch}", (batch, *of.task.image))
    path = out or default_path(device.name, of, batch, runtime_words(backend, precision))
    path.parent.mkdir(parents=True, exist_ok=True)
    if csv is not None:
        table = from_csv(csv, of, device, batch, seed)
        save_beside(table, path)
        print_few(table, path, target, space, as_json)
        return
    if choose is not None:
        if networks is None:
            raise InputError("--choose: say how many with --networks")
        write_design(placing(of, device, networks, seed), networks, choose)
        return
    bench = make_bench(
        device,
        of,
        batch=batch,
        threads=threads,
        backend=backend,
        precision=one_of("--precision", precision, ("fp32", "fp16", "bf16", "int8")),
        ssh=ssh,
        run_with=run_with,
        remote_python=remote_python,
        cuda_graph=cuda_graph,
    )
    if networks is not None:
        table = calibrate_few(
            of,
            bench,
            device,
            batch,
            count=networks,
            held_out=held_out or 0,
            seed=seed,
            say=lambda line: echo(line, err=True),
            now=utc_now(),
        )
        save_beside(table, path)
        print_few(table, path, target, space, as_json)
        return
    plan = CalibrationPlan(
        family=of,
        train=train,
        held_out=40 if held_out is None else held_out,
        budget_s=budget,
        seed=seed,
    )
    table = calibrate(
        plan,
        bench(USUAL),
        device=device.name,
        batch=batch,
        say=lambda line: echo(line, err=True),
        now=utc_now(),
    )
    save_beside(table, path)
    if as_json:
        echo_json(summary(table, path))
    else:
        _print(table, path, target, space)


def summary(table: Table, path: Path) -> dict[str, Any]:
    """What `calibrate --json` prints."""
    held, repeat = table.agreement["held_out"], table.agreement["repeat"]
    return {
        "device": table.device,
        "space": table.space,
        "batch": table.batch,
        "network": None if table.network is None else vars(table.network),
        "unit": "ms",
        "operations": len(table.measured),
        "held_out": held["networks"],
        "mape_percent": held["mape_percent"],
        "kendall_tau": held["kendall_tau"],
        "ceiling_kendall_tau": repeat["kendall_tau"],
        "repeat_mape_percent": repeat["mape_percent"],
        "agreement": table.agreement,
        "seconds": table.provenance["seconds"],
        "receipt": table.provenance["receipt"],
        "out": str(path),
    }


def _print(table: Table, path: Path, target: str, space: str) -> None:
    from hwnas.costs.table_words import images_words, search_words

    found = summary(table, path)
    receipt = found["receipt"]
    echo(f"{path}: latency table of {found['device']} for {found['space']}, in ms")
    echo(f"  measured on {receipt.get('host', '?')} by {receipt.get('backend', '?')}")
    echo(f"  {table.provenance['how']} in {found['seconds']:.0f} s")
    echo(
        f"  on {found['held_out']} networks held out: MAPE {found['mape_percent']:.2f} %, "
        f"Kendall tau {found['kendall_tau']:.3f}"
    )
    echo(
        f"  measured twice, for comparison: MAPE {found['repeat_mape_percent']:.2f} %, Kendall tau "
        f"{found['ceiling_kendall_tau']:.3f}"
    )
    echo(f"A search finds it for {images_words(table)}.")
    echo(f"Next: {search_words(table, path, target, space)}")
