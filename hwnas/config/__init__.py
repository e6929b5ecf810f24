"""What a search is told: one frozen value, read from TOML and flags, written back as resolved.

The defaults are those of configs/quickstart.toml: a search that ends in minutes on small images and
a CPU, chosen by measurement (docs/log.md). The settings that the papers print stand in
configs/tnd-*.toml and configs/ndarts-*.toml.
"""

from hwnas.config.changes import with_data, with_epochs
from hwnas.config.files import PASSED_OVER, dump, load, resolve, validate
from hwnas.config.search_config import Config
from hwnas.config.sections import EXPONENTS, Cells, Channels, Evaluation, SearchStage, WeightStep

__all__ = [
    "EXPONENTS",
    "PASSED_OVER",
    "Cells",
    "Channels",
    "Config",
    "Evaluation",
    "SearchStage",
    "WeightStep",
    "dump",
    "load",
    "resolve",
    "validate",
    "with_data",
    "with_epochs",
]
