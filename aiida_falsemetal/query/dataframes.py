"""The graph's tables as pandas DataFrames, for notebooks: the same rows and arguments as `falsemetal query`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .select import Names

if TYPE_CHECKING:
    import pandas


def frames(
    where: str | None = None,
    columns: Names = None,
    sort: Names = None,
    limit: int | None = None,
    campaign: str | None = None,
    all_runs: bool = False,
) -> pandas.DataFrame:
    """One row a frame whose gap was asked for, failed ones too. A profile must be loaded.

    :param where: a condition, see docs/query.md; None for all rows.
    :param columns: ``"a,b"`` or ``["a", "b"]``; None for all.
    :param sort: as ``columns``; ``-`` before a name turns its order round.
    :param limit: rows at most.
    :param campaign: its name; None for all.
    :param all_runs: also frames of pairs that were submitted again later.
    :raises QueryError: on a condition, a column or a limit that makes no sense.
    """
    return _dataframe("frames", where, columns, sort, limit, campaign, all_runs)


def pairs(
    where: str | None = None,
    columns: Names = None,
    sort: Names = None,
    limit: int | None = None,
    campaign: str | None = None,
    all_runs: bool = False,
) -> pandas.DataFrame:
    """One row an interface, MLIP and seed; arguments and errors as of :func:`frames`."""
    return _dataframe("pairs", where, columns, sort, limit, campaign, all_runs)


def interfaces(
    where: str | None = None,
    columns: Names = None,
    sort: Names = None,
    limit: int | None = None,
    campaign: str | None = None,
) -> pandas.DataFrame:
    """One row an interface; arguments and errors as of :func:`frames`."""
    return _dataframe("interfaces", where, columns, sort, limit, campaign)


def mlips(
    where: str | None = None,
    columns: Names = None,
    sort: Names = None,
    limit: int | None = None,
    campaign: str | None = None,
) -> pandas.DataFrame:
    """One row a model; arguments and errors as of :func:`frames`. Without a campaign also models that none has used."""
    return _dataframe("mlips", where, columns, sort, limit, campaign)


def _dataframe(subject: str, *arguments: Any) -> pandas.DataFrame:
    from .subjects import table

    names, rows = table(subject, *arguments)
    return as_dataframe(names, rows)


def as_dataframe(names: list[str], rows: list[dict[str, Any]]) -> pandas.DataFrame:
    """Rows as a DataFrame. Whole numbers and truths stay what they are where one is missing: a pk is never 12.0."""
    import pandas

    data = {}
    for name in names:
        values = [row.get(name) for row in rows]
        found = {type(value) for value in values if value is not None}
        dtype = "boolean" if found == {bool} else "Int64" if found == {int} else None
        data[name] = pandas.Series(values, dtype=dtype if None in values else None if found else object)
    return pandas.DataFrame(data, columns=names)
