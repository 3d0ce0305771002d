#!/usr/bin/env python
"""Run a campaign: ``verdi run workflows/screen.py FILE``; the same as ``falsemetal screen FILE --follow``."""

from __future__ import annotations

import sys

from aiida_falsemetal.cli.screen import screen

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if not {"--follow", "--no-follow", "--dry-run", "--help"} & set(arguments):
        arguments.append("--follow")
    screen(arguments)
