"""Figures for a paper, and the numbers behind them. Rows come in, bytes go out."""

from __future__ import annotations

from .beside import Figures, begun
from .collect import CHOICES, FOLDER, MOST, Choice, Published, publish

__all__ = ["CHOICES", "FOLDER", "MOST", "Choice", "Figures", "Published", "begun", "publish"]
