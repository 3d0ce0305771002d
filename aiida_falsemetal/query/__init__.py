"""The graph as rows and, from here, as DataFrames. AiiDA and pandas are imported where they are first needed."""

from .dataframes import frames, interfaces, mlips, pairs
from .tokens import QueryError

__all__ = ["QueryError", "frames", "interfaces", "mlips", "pairs"]
