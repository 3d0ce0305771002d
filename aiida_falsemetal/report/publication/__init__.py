"""Figures for a paper, and the numbers behind them. Rows come in, bytes go out."""

from __future__ import annotations

from .beside import Figures, begun
from .collect import CHOICES, ENDINGS, FOLDER, MOST, Choice, Published, publish
from .numbers import BEGINNING

__all__ = ["BEGINNING", "CHOICES", "ENDINGS", "FOLDER", "MOST", "Choice", "Figures", "Published", "begun", "publish"]
