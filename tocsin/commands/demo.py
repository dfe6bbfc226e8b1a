"""Invented traffic with incidents through the whole pipeline, and what was found of them.

Everything happens in one directory and in this process: the log is a file, ClickHouse is embedded.
"""

from tocsin.demo import arguments, run

__all__ = ["arguments", "run"]
