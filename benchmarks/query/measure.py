"""Time the questions of `falsemetal query` on the loaded profile, beside plain SQL on the same tables.

    AIIDA_PROFILE=speed python -m benchmarks.query.measure

CPU seconds are this process's own: on SQLite the database's too, on PostgreSQL not. Imports are not in them.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Sized

from aiida import load_profile, orm
from aiida.manage import get_manager
from sqlalchemy import text

from aiida_falsemetal.query.graph import GAP, PAIR
from aiida_falsemetal.query.subjects import table

FILTERED = "gap < 0.5 and mlip like 'mace%' and interface = 'cu111'"
QUESTIONS = (FILTERED, "gap < 0.5", "gap < -1")
RUNS = 3


def plain(where: str) -> Callable[[], Sized]:
    """The same question as SQL on AiiDA's tables: what a query of these tables cannot be faster than by much."""
    session = get_manager().get_profile_storage().get_session()
    assert session.bind is not None
    postgres = session.bind.dialect.name == "postgresql"
    gap = "(d.attributes ->> 'gap')::float" if postgres else "json_extract(d.attributes, '$.gap')"
    mlip, interface = (
        f"p.extras ->> 'falsemetal_{name}'" if postgres else f"json_extract(p.extras, '$.falsemetal_{name}')"
        for name in ("mlip", "interface")
    )
    condition = where.replace("gap", gap, 1).replace("mlip", mlip).replace("interface", interface)
    # The sign keeps SQLite from starting at the label.
    label = "r.label" if postgres else "+r.label"
    statement = (
        (
            f"SELECT p.id, g.id, d.id, {gap} FROM db_dbnode p JOIN db_dblink c ON c.input_id = p.id "
            f"JOIN db_dbnode g ON g.id = c.output_id AND {'' if postgres else '+'}g.process_type = '{GAP}' "
            f"JOIN db_dblink r ON r.input_id = g.id AND {label} = 'result' JOIN db_dbnode d ON d.id = r.output_id "
            f"WHERE p.process_type = '{PAIR}' AND {condition}"
        )
        .replace(":float", "\\:float")
        .replace(":\\:", "\\:\\:")
    )

    def ask() -> Sized:
        found = session.execute(text(statement)).fetchall()
        session.commit()
        return found

    return ask


def timed(ask: Callable[[], Sized]) -> tuple[float, float, int]:
    """Least wall time and CPU time of some runs (s), and the number of rows."""
    walls, cpus, count = [], [], 0
    for _ in range(RUNS):
        wall, cpu = time.perf_counter(), time.process_time()
        count = len(ask())
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus), count


def main() -> None:
    """Print a CSV."""
    load_profile(os.environ.get("AIIDA_PROFILE", "speed"))
    orm.QueryBuilder().append(orm.User).count()
    print("question,rows,wall_s,cpu_s,plain_sql_wall_s,plain_sql_cpu_s,ratio_wall,ratio_cpu")
    for where in QUESTIONS:
        # Rows of every pair, as plain SQL has them.
        wall, cpu, count = timed(lambda where=where: table("frames", where, columns="step,gap", all_runs=True)[1])
        sql_wall, sql_cpu, sql_count = timed(plain(where))
        if count != sql_count:
            sys.exit(f"{where}: {count} rows, and {sql_count} by plain SQL")
        ratios = f"{wall / sql_wall:.2f},{cpu / sql_cpu:.2f}"
        print(f'"{where}",{count},{wall:.3f},{cpu:.3f},{sql_wall:.3f},{sql_cpu:.3f},{ratios}', flush=True)
    print(f"peak memory,,{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
