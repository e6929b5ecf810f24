"""Every parser of something that comes from outside, with real inputs to begin from."""

from __future__ import annotations

from pathlib import Path

from benchmarks.fuzz.genotypes import genotype_parsers
from benchmarks.fuzz.images import image_parsers
from benchmarks.fuzz.onnx_files import onnx_parsers
from benchmarks.fuzz.parser import Parser
from benchmarks.fuzz.remote import remote_parsers
from benchmarks.fuzz.run_files import run_parsers
from benchmarks.fuzz.settings import settings_parsers
from benchmarks.fuzz.tables import table_parsers
from benchmarks.fuzz.weights import weight_parsers


def parsers(folder: Path) -> list[Parser]:
    """All of them; they write into ``folder``."""
    return [
        *genotype_parsers(),
        *settings_parsers(folder),
        *table_parsers(folder),
        *image_parsers(folder),
        *onnx_parsers(folder),
        *remote_parsers(),
        *run_parsers(folder),
        *weight_parsers(folder),
    ]
