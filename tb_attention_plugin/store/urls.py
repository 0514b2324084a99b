"""Telling URLs from paths, without importing what URLs need."""

from __future__ import annotations

import os


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a log directory is for fsspec, as `s3://bucket/logs` is."""
    return "://" in os.fspath(path)
