"""Rows to a page, a table, JSON and CSV. Knows nothing of AiiDA: rows come in, files go out."""

from __future__ import annotations

from .build import build_report

__all__ = ["build_report"]
