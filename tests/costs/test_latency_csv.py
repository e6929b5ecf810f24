from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from hwnas.costs.latency_csv import read_architectures, read_measured, write_predictions
from hwnas.space import SPACES
from profilers.errors import InputError

NB201 = SPACES["nasbench201"]
CELL = "|none~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|nor_conv_3x3~1|avg_pool_3x3~2|"
OTHER = CELL.replace("|none~0|+", "|skip_connect~0|+")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    return path


def test_columns_are_arch_and_latency(tmp_path: Path) -> None:
    found = read_measured(
        write(tmp_path, f"n,latency,arch\n1,2.5,{CELL}\n"), NB201, None, None, "ms"
    )
    assert found.texts == (CELL,)
    assert found.choices.tolist() == [[0, 0, 1, 2, 3, 4]]
    assert found.latency_ms.tolist() == [2.5]


def test_the_only_other_column_needs_no_name(tmp_path: Path) -> None:
    found = read_measured(write(tmp_path, f"arch,on my phone\n{CELL},2\n"), NB201, None, None, "ms")
    assert found.latency_ms.tolist() == [2.0]


@pytest.mark.parametrize(
    ("column", "expected"),
    [("latency_us", 0.003), ("time (s)", 3000.0), ("latency_ms", 3.0), ("us", 0.003)],
)
def test_a_unit_in_the_columns_name_is_read(tmp_path: Path, column: str, expected: float) -> None:
    path = write(tmp_path, f"arch,{column}\n{CELL},3\n")
    assert read_measured(path, NB201, None, None, None).latency_ms[0] == pytest.approx(expected)
    assert read_measured(path, NB201, None, None, "ms").latency_ms[0] == 3.0


def test_names_that_only_end_like_a_unit_say_none(tmp_path: Path) -> None:
    for column in ("runs", "gpus", "latency", "means"):
        path = write(tmp_path, f"arch,{column}\n{CELL},3\n")
        assert read_measured(path, NB201, None, None, None).latency_ms[0] == 3.0


@pytest.mark.parametrize(
    "header", ["cell,ms", "ms,cell", "arch_str,latency", "latency,cell", "ms,arch", ",a,b"]
)
def test_two_columns_may_have_any_names(tmp_path: Path, header: str) -> None:
    cells = {"": "0", **dict.fromkeys(("ms", "latency", "b"), "2")}
    row = ",".join(cells.get(name, CELL) for name in header.split(","))
    found = read_measured(write(tmp_path, f"{header}\n{row}\n"), NB201, None, None, "ms")
    assert (found.texts, found.latency_ms.tolist()) == ((CELL,), [2.0])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str, quote: str) -> None:
    lines = [["n", "arch", "latency"], *([str(n), CELL, f"{n}.25"] for n in range(1, 30))]
    text = "\n".join(delimiter.join(f"{quote}{cell}{quote}" for cell in line) for line in lines)
    found = read_measured(write(tmp_path, text), NB201, None, None, "ms")
    assert found.latency_ms.tolist() == [n + 0.25 for n in range(1, 30)]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_are_read_where_the_delimiter_is_another(
    tmp_path: Path, delimiter: str
) -> None:
    text = f"arch{delimiter}latency\n{CELL}{delimiter}3,356\n{OTHER}{delimiter}12\n"
    found = read_measured(write(tmp_path, text), NB201, None, None, "ms")
    assert found.latency_ms.tolist() == [3.356, 12.0]


def test_commas_and_points_in_one_column_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, f"arch;latency\n{CELL};3,356\n{OTHER};3.3\n")
    with pytest.raises(InputError, match="numbers with commas and with points in one column"):
        read_measured(path, NB201, None, None, "ms")


@pytest.mark.parametrize("blank", ["N/A", "#N/A", "<NA>", "n/a", "-", " NULL "])
def test_what_spreadsheets_write_for_nothing_is_blank(tmp_path: Path, blank: str) -> None:
    path = write(tmp_path, f"arch,latency\n{CELL},{blank}\n{OTHER},1\n")
    assert read_measured(path, NB201, None, None, "ms").blank == 1


@pytest.mark.parametrize(
    "cell", ["OOM", "-1", "0", "0.0", "inf", "-inf", "1e999", "timeout", "1_000"]
)
def test_failed_rows_are_left_out_only_on_request(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path, f"arch,latency\n{CELL},{cell}\n{OTHER},1\n{CELL},\n")
    with pytest.raises(
        InputError, match=r"line 2, column latency: .*; --skip-failed leaves out rows"
    ):
        read_measured(path, NB201, None, None, "ms")
    found = read_measured(path, NB201, None, None, "ms", skip_failed=True)
    assert (found.texts, found.failed, found.blank) == ((OTHER,), 1, 1)


def test_blanks_between_the_nodes_of_a_cell_are_read(tmp_path: Path) -> None:
    spaced = CELL.replace("+", " + ")
    found = read_measured(write(tmp_path, f"arch,latency\n{spaced},1\n"), NB201, None, None, "ms")
    assert found.texts == (spaced,)
    assert found.choices.tolist() == [[0, 0, 1, 2, 3, 4]]


def test_blank_cells_beyond_the_header_are_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, f"arch,latency\n{CELL},1,\n{OTHER},2, ,\n")
    assert read_measured(path, NB201, None, None, "ms").latency_ms.tolist() == [1.0, 2.0]


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "arch,latency\n" + "x" * 1_000_001)
    with pytest.raises(InputError, match=r"rows.csv, line 2: more than 1,000,000 characters"):
        read_measured(path, NB201, None, None, "ms")


def test_named_columns_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, f"cell,a,b\n{CELL},1,2\n")
    assert read_measured(path, NB201, "cell", "b", "ms").latency_ms.tolist() == [2.0]


@pytest.mark.parametrize(("unit", "expected"), [("ms", 3.0), ("us", 0.003), ("s", 3000.0)])
def test_latencies_become_milliseconds(tmp_path: Path, unit: str, expected: float) -> None:
    path = write(tmp_path, f"arch,latency\n{CELL},3\n")
    assert read_measured(path, NB201, None, None, unit).latency_ms[0] == pytest.approx(expected)


def test_blank_and_nan_latencies_are_skipped_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path, f"arch,latency\n{CELL},\n{OTHER},1\n{CELL},NaN\n{CELL}, \n")
    found = read_measured(path, NB201, None, None, "ms")
    assert (found.texts, found.blank) == ((OTHER,), 3)


def test_gzip_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(f"\ufeffarch,latency\n{CELL},1\n".encode()))
    assert read_measured(path, NB201, None, None, "ms").latency_ms.tolist() == [1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"arch,latency\n{CELL},1\n{CELL},fast\n",
            "line 3, column latency: 'fast' is not a number",
        ),
        (f"arch,latency\n{CELL},-1\n", "line 2, column latency: a latency must be positive"),
        (f"arch,latency\n{CELL},inf\n", "line 2, column latency: a latency must be positive"),
        (f"arch,latency\n{CELL},1\n|conv~0|,2\n", "line 3: genotype"),
        (f"arch,latency\n{CELL}\n", "line 2: expected 2 columns"),
        (f"arch,latency\n{CELL},1,2\n", "line 2: expected 2 columns"),
        (f"arch,latency\n{CELL},1,,2\n", "line 2: expected 2 columns"),
        (f"arch_str,latency,n\n{CELL},1,2\n", "no column 'arch'; did you mean 'arch_str'"),
        (f"arch,arch,latency\n{CELL},{CELL},1\n", "two columns 'arch'"),
        (f"arch,a,b\n{CELL},1,2\n", "no column 'latency'"),
        ("", "no column 'arch'"),
        ("arch,latency\n", "no row with a latency"),
        (f"arch,latency\n{CELL},\n", "no row with a latency"),
        ("arch,latency\nDARTS_V2,1\n", "line 2: genotype of nasbench201"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_measured(path, NB201, None, None, "ms")
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_files_that_are_no_text_or_absent_are_refused(tmp_path: Path) -> None:
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff\xfe\x00")
    (tmp_path / "broken.csv.gz").write_bytes(b"no gzip")
    for name, message in (
        ("image.csv", "not"),
        ("broken.csv.gz", "not"),
        ("absent.csv", "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            read_measured(tmp_path / name, NB201, None, None, "ms")
    with pytest.raises(InputError, match="unknown unit 'min'"):
        read_measured(write(tmp_path, ""), NB201, None, None, "min")


def test_genotypes_of_other_spaces_are_read_in_any_form(tmp_path: Path) -> None:
    path = write(tmp_path, "arch\nDARTS_V1\nPDARTS\n")
    texts, choices = read_architectures(path, SPACES["darts"], None)
    assert texts == ("DARTS_V1", "PDARTS")
    assert choices.shape == (2, 28)


def test_predictions_keep_order_and_text(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    write_predictions(out, (CELL, OTHER), np.array([1.23456789, 1000.0]))
    assert out.read_text() == f"arch,latency_ms\n{CELL},1.234568\n{OTHER},1000\n"
    assert read_architectures(out, NB201, None)[0] == (CELL, OTHER)
