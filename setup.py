"""Kept for `python setup.py develop` habits; everything is declared in pyproject.toml."""

from setuptools import setup

setup()
