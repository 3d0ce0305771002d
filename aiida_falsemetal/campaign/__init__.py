"""The campaign file: reading it (``schema``), checking it against its models (``check``), expanding it (``expand``).

This package file imports nothing, so that one part can be used without the others.
"""
