"""A frame with everything that led to it, as nodes made by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.links import LinkType

from aiida_falsemetal.names import JUDGED_BY
from aiida_falsemetal.workflows.protocols import load_protocol
from tests.data import nodes

from .test_rows import INFO, MD, RECORD, SELECTION, Graph

STEP = 20
RECIPE = {"recipe": "film", "parameters": {"molecules": 8, "lateral": 6.5, "seed": 3}}
VERDICT = {"verdict": "undecided", "reason": "Two frames are few.", "metallic": 1, "converged": 2, "selected": 3}
GAP = {"gap": 0.12, "vbm": -2.5, "cbm": -2.38, "drop": -4.4, "metallic": True, "gap_of": "film", "exit_code": 0}


@dataclass
class Told:
    """The nodes of a story.

    :param given: the trajectory was imported: no recipe, no model, no MD.
    :param result: of the frame; None where there is none yet.
    """

    graph: Graph
    given: bool = False
    result: dict[str, Any] | None = field(default_factory=lambda: dict(GAP))

    def __post_init__(self) -> None:
        structure, _ = nodes.film_nodes()
        self.trajectory = nodes.trajectory([0, 10, STEP])
        self.structure = structure.store()
        self.md, self.recipe, self.model = orm.Dict({**MD, "seed": 5}), orm.Dict(RECIPE), nodes.mlip(label="sr")
        self.dft = orm.Dict({**load_protocol("gap"), "functional": "PBE", "protocol": "fast"})
        self.verdict = orm.Dict(VERDICT)
        if self.given:
            self.trajectory.base.extras.set("falsemetal_origin", {"path": "/data/run 7.xyz"})
        self.pair = self._pair()
        self.md_job = None if self.given else self._md()
        self.record, self.frame = self._choose()
        self.gap, self.jobs = self._gap()

    def _pair(self) -> orm.WorkChainNode:
        inputs = {"md": self.md, "selection": orm.Dict(SELECTION), "gap": self.dft}
        source = {"trajectory": self.trajectory} if self.given else {"recipe": self.recipe, "mlip": self.model}
        population = orm.ArrayData()
        population.set_array("step", np.array([0, 10, STEP]))
        outputs = {
            "interface": self.structure,
            "interface_info": orm.Dict({**INFO, "solvent": "water"}),
            "trajectory": self.trajectory,
            "population": population,
            "verdict": self.verdict,
        }
        pair = nodes.workchain("falsemetal.pair", {**inputs, **source}, outputs)
        labels = {"campaign": self.graph.campaign, "interface": "film8", "mlip": "sr", "seed": 1, "fingerprint": "f00"}
        pair.base.extras.set_many({f"falsemetal_{key}": value for key, value in labels.items()})
        return pair

    def _md(self) -> orm.CalcJobNode:
        caller = nodes.workchain("falsemetal.md", caller=self.pair, label="md")
        results = orm.Dict({"first_step": 0, "last_step": 4000, "wall_seconds": 9.0})
        return nodes.calculation("falsemetal.md", self.graph.computer, outputs={"results": results}, caller=caller)

    def _choose(self) -> tuple[orm.Dict, orm.StructureData]:
        """What a calcfunction chose: the third frame, in the second batch."""
        function = orm.CalcFunctionNode().store()
        function.set_process_label("select_frames")
        record = orm.Dict({"step": STEP, **RECORD})
        frame = self.trajectory.get_step_structure(2)
        outputs: dict[str, orm.Data] = {f"record_{STEP:08d}": record, f"frame_{STEP:08d}": frame}
        for number, index in enumerate(([0], [1, 2])):
            batch = orm.ArrayData()
            batch.set_array("index", np.array(index))
            outputs[f"batch_{number:02d}"] = batch
        for label, node in outputs.items():
            node.base.links.add_incoming(function, LinkType.CREATE, label)
            node.store()
        return record, frame

    def _gap(self) -> tuple[orm.WorkChainNode, list[orm.CalcJobNode]]:
        """A first run that failed in one try, and a second one that took two."""
        inputs = {"structure": self.frame, "record": self.record, "parameters": self.dft}
        outputs = {} if self.result is None else {"result": orm.Dict({**RECORD, "step": STEP, **self.result})}
        over = None if self.result is None else 0
        gap = nodes.workchain("falsemetal.gap", inputs, outputs, self.pair, f"gap_{STEP:08d}", over)
        jobs = []
        for number, codes in enumerate(([410], [400, 0]), start=1):
            base = nodes.workchain("quantumespresso.pw.base", caller=gap, label=f"pw_run_{number}")
            for code in codes:
                jobs.append(self._job(base, code, 0.01 / number))
        return gap, jobs

    def _job(self, base: orm.WorkChainNode, code: int, degauss: float) -> orm.CalcJobNode:
        message = "The electronic minimization cycle did not reach self-consistency." if code == 410 else ""
        asked = orm.Dict({"SYSTEM": {"degauss": degauss}})
        made = orm.Dict({"total_number_of_scf_iterations": 12}) if code == 0 else None
        return nodes.calculation(
            "quantumespresso.pw",
            self.graph.computer,
            {"parameters": asked},
            {} if made is None else {"output_parameters": made},
            base,
            code,
            message,
        )

    def judge(self, **content: Any) -> orm.Dict:
        """A verdict on all seeds, as `conclude_campaign` leaves it."""
        function = orm.CalcFunctionNode(process_type=JUDGED_BY["cell"])
        function.base.links.add_incoming(self.verdict, LinkType.INPUT_CALC, "verdict_1")
        function.store()
        function.base.extras.set("falsemetal_kind", "cell")
        result = orm.Dict({"verdict": "safe", "reason": "By the gap law.", "seeds": 1, **content})
        result.base.links.add_incoming(function, LinkType.CREATE, "result")
        return result.store()
