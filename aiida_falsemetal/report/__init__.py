"""Rows to a page, a table, JSON and CSV. Knows nothing of AiiDA: rows come in, files go out.

The page is :func:`.build.build_report`. It is not imported here, for the matrix of `falsemetal status` does without.
"""
