"""aiida-falsemetal: does this machine-learned potential turn this interface into a metal it is not?

This package file imports nothing: parts of the package travel to compute machines that have no AiiDA.
"""

__version__ = "0.1.0"
