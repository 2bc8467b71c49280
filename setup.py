"""The packages and their files, the configs among them; everything else is declared in pyproject.toml.

`configs/` is the package `slowfast.configs` of an installed distribution, so that `bmvit train --cfg configs/...` finds
the shipped files from any directory. In a clone it stays where it is, and is no package.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["slowfast", "slowfast.*"]), "slowfast.configs"],
    package_dir={"slowfast": "slowfast", "slowfast.configs": "configs"},
    package_data={"slowfast": ["py.typed"], "slowfast.configs": ["*/*.yaml"]},
    include_package_data=False,
)
