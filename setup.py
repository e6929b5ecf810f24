"""List the packages; everything else about the project stands in pyproject.toml.

The wheel installs two names, `hwnas` and `profilers`. `devices/` and `configs/` hold data that
people read and edit in the checkout, so they stay where they are and travel as
`hwnas/_data/devices` and `hwnas/_data/configs`: installed under their own names they would collide
with users' packages, and copied inside `hwnas` they would exist twice.
"""

from setuptools import find_packages, setup

DATA = {"hwnas._data.devices": "devices", "hwnas._data.configs": "configs"}

setup(
    packages=[*find_packages(include=["hwnas", "hwnas.*", "profilers", "profilers.*"]), *DATA],
    package_dir=DATA,
    package_data={"": ["py.typed", "*.toml", "*.json", "page.*"]},
    # README.md of devices/ is for the checkout.
    include_package_data=False,
)
