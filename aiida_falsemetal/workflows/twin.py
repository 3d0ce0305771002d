"""Matched twins: configurations, their labels, and two potentials trained on the same labels with the same split.

What the graph has already is not computed again: sampling runs and labels are found by their fingerprints, so a
workchain that is submitted after another one was stopped, or after an archive of labels was imported, does what is
missing. A number of runs and labels are under way at once; the slots bound the computing.

The first round is that of the file's sources. In an active round a committee, trained on the labels so far, moves
sources, and the frames on which it disagrees are labelled.
"""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ToContext, if_, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from ..calculations.configurations import outlier_record
from ..calculations.twins import evaluate_twin
from ..data.mlip import MlipData
from .asked import digest_of, in_turn
from .known import known_labels, known_samples
from .label import LabelWorkChain
from .outputs import outputs_of
from .pseudos import decided_once, pseudos_of
from .rounds import MOVERS, Member, active_run, committee, round_training
from .sample import SampleWorkChain
from .train import training_parameters
from .trainings import TrainingSteps

RUNS_AT_ONCE = 8
NAMES = ("source", "sampler", "round")
"""Of a run or a record, what is of the file and not of the content."""
STAGES = ("samples", "labels", "rounds", "training")
"""What a workchain may stop after; ``labels`` are those of the sources, ``rounds`` those of active rounds too."""
TWINS = {"short_ranged": "sr", "long_ranged": "lr"}
"""Outputs, and what the models' names end in."""


class TwinWorkChain(TrainingSteps):
    """See the module."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Ports, outline and exit codes."""
        super().define(spec)
        spec.input("twins", valid_type=orm.Dict, help="The file's content.")
        spec.input_namespace("runs", valid_type=orm.Dict, dynamic=True, help="Of the sampling runs, by number.")
        spec.input("active_runs", valid_type=orm.List, default=lambda: orm.List([]), help="Of the active rounds.")
        spec.input_namespace(
            "outliers", dynamic=True, required=False, help="By number: structure, result, info, parameters."
        )
        spec.input_namespace("samplers", valid_type=MlipData, dynamic=True, help="By number, as `sampler` of a run.")
        spec.input_namespace("sampler_codes", valid_type=orm.AbstractCode, dynamic=True, help="By number.")
        spec.input("label", valid_type=orm.Dict, help="Settings of the labels, see label_settings.")
        spec.input("pw_code", valid_type=orm.AbstractCode)
        spec.input("pw_options", valid_type=orm.Dict, help="resources, max_wallclock_seconds, slots.")
        spec.input("at_once", valid_type=orm.Int, default=lambda: orm.Int(16), help="Labels under way at once.")
        spec.input("train_code", valid_type=orm.AbstractCode, required=False, help="A Python with mace-torch.")
        spec.input("stop_after", valid_type=orm.Str, default=lambda: orm.Str(STAGES[-1]), help=", ".join(STAGES))
        spec.input("retry", valid_type=orm.Bool, default=lambda: orm.Bool(False), help="Failed labels again.")
        spec.outline(
            cls.setup,
            while_(cls.another_round)(
                if_(cls.is_active)(cls.gather_training, cls.run_committee, cls.inspect_committee),
                cls.look_up_samples,
                while_(cls.samples_wait)(cls.run_samples, cls.inspect_samples),
                cls.gather,
                while_(cls.labels_wait)(cls.run_labels, cls.inspect_labels),
                cls.conclude,
            ),
            if_(cls.should_train)(cls.gather_training, cls.split, cls.run_training, cls.evaluate),
        )
        for name in TWINS:
            spec.output(name, valid_type=MlipData, required=False, help="The trained model.")
            spec.output(f"{name}_errors", valid_type=orm.Dict, required=False, help="Held out; missing-energy slopes.")
        spec.output("labels", valid_type=orm.SinglefileData, required=False, help="Extended XYZ of all usable labels.")
        spec.output("split", valid_type=orm.Dict, required=False, help="Which label is for what; the same for both.")
        spec.exit_code(
            401,
            "ERROR_NO_CONFIGURATIONS",
            message="No sampling run gave a configuration; look at them with `verdi process report PK`.",
        )
        spec.exit_code(
            402,
            "ERROR_LABELS_LOST",
            message="{count} labels ended for reasons that are not pw.x's; the same command computes them again.",
        )
        spec.exit_code(
            404,
            "ERROR_SAMPLES_LOST",
            message="{count} sampling runs failed ({message}), and nothing is trained on less than was asked for. The "
            "same command runs them again; a source that cannot be built or run has to be mended in the file.",
        )
        spec.exit_code(403, "ERROR_TOO_FEW_LABELS", message="There is nothing to train on: {message}")
        spec.exit_code(
            410, "ERROR_TRAINING", message="A twin could not be trained: {message} The same command goes on."
        )

    def found_by(self) -> dict[str, Any]:
        """The extra by which the twins are found."""
        return {"falsemetal_twins": self.inputs.twins.get_dict()["name"]}

    def setup(self) -> None:
        """Group; the runs of the sources."""
        self.ctx.name = self.inputs.twins.get_dict()["name"]
        self.node.label = self.ctx.name
        self._group().add_nodes(self.node)
        self.ctx.round = -1
        self.ctx.names = {}
        self.ctx.outliers = self._outliers()
        self.ctx.samples, self.ctx.models, self.ctx.unsampled = {}, {}, []

    def _outliers(self) -> dict[str, tuple[int, int]]:
        """PKs of configuration and record of the campaigns' frames; a record is made once for each frame."""
        found = {}
        for key, nodes in sorted(self.inputs.get("outliers", {}).items()):
            record = outlier_record(**nodes, metadata={"call_link_label": f"record_{key}"})
            found[key] = (nodes["structure"].pk, record.pk)
            self.ctx.names[key] = {name: record.get_dict().get(name) for name in NAMES}
        return found

    def another_round(self) -> bool:
        """Whether there is one more; the first has number 0."""
        self.ctx.round += 1
        active = [] if self.inputs.stop_after.value in STAGES[:2] else self.inputs.active_runs.get_list()
        return bool(self.ctx.round <= max([run["round"] for run in active], default=0))

    def is_active(self) -> bool:
        """Whether this round is one of the active ones."""
        return bool(self.ctx.round > 0)

    def run_committee(self) -> ToContext:
        """Train the members, unless that was done."""
        wanted = {f"round{self.ctx.round}_{member.name}": member.parameters for member in self._members()}
        return ToContext(**self._train(wanted, round_training(self.inputs.twins.get_dict())))

    def _members(self) -> list[Member]:
        return committee(self.inputs.twins.get_dict(), self.ctx.round)

    def inspect_committee(self) -> Any:
        """The members as models."""
        fault = self._trainings()
        if fault is not None:
            return fault
        models = {}
        for member in self._members():
            key = f"round{self.ctx.round}_{member.name}"
            models[member.name] = self._model(key, member.label, member.parameters)
        self.ctx.models = {name: node.pk for name, node in models.items()}
        return None

    def look_up_samples(self) -> None:
        """Which sampling runs of this round are missing."""
        self.ctx.runs = self._runs()
        # A run that was found has the names of the file that it was made for.
        mine = {key: {name: run.get(name) for name in NAMES} for key, run in self.ctx.runs.items()}
        self.ctx.names = {**self.ctx.names, **mine}
        wanted = {key: run["fingerprint"] for key, run in self.ctx.runs.items()}
        known = known_samples(wanted.values())
        found = {key: known[digest] for key, digest in wanted.items() if digest in known}
        self.ctx.samples = {**self.ctx.samples, **found}
        self._add(found.values())
        self.ctx.waiting = sorted(key for key in wanted if key not in found)
        self.report(f"round {self.ctx.round}: {len(found)} of {len(wanted)} sampling runs are in the graph")

    def _runs(self) -> dict[str, dict[str, Any]]:
        """Runs of this round by a key of their own."""
        if not self.is_active():
            return {key: run.get_dict() for key, run in self.inputs.runs.items()}
        models = {name: orm.load_node(pk) for name, pk in self.ctx.models.items()}
        own = [run for run in self.inputs.active_runs.get_list() if run["round"] == self.ctx.round]
        slots = self.inputs.twins.get_dict()["slots"]
        runs = {}
        for mover in sorted(models)[:MOVERS]:
            for number, run in enumerate(own):
                key = f"a{self.ctx.round:02d}_{mover}_{number:04d}"
                runs[key] = active_run(run, mover, models, slots)
        return runs

    def samples_wait(self) -> bool:
        """Whether a sampling run is missing."""
        return bool(self.ctx.waiting)

    def run_samples(self) -> ToContext:
        """Submit the next sampling runs."""
        self.ctx.now, self.ctx.waiting = self.ctx.waiting[:RUNS_AT_ONCE], self.ctx.waiting[RUNS_AT_ONCE:]
        return ToContext(**{f"sample_{key}": self._sample(key) for key in self.ctx.now})

    def _sample(self, key: str) -> orm.WorkChainNode:
        """Submit one run: of a source, or of a round."""
        run = self.ctx.runs[key]
        number = run["sampler_number"]
        if self.is_active():
            models = {name: orm.load_node(pk) for name, pk in self.ctx.models.items()}
            code = self.inputs.train_code
            by = {"run": orm.Dict(run), "mlip": models[number], "committee": models, "committee_code": code}
        else:
            code = self.inputs.sampler_codes[number]
            by = {"run": self.inputs.runs[key], "mlip": self.inputs.samplers[number]}
        return self.submit(
            SampleWorkChain,
            **by,
            code=code,
            options=orm.Dict({"slots": run["slots"], "max_wallclock_seconds": run["walltime"]}),
            fingerprint=orm.Str(run["fingerprint"]),
            twins=orm.Str(self.ctx.name),
            metadata={"call_link_label": f"sample_{key}"},
        )

    def inspect_samples(self) -> None:
        """Keep those that gave configurations; the others are labelled whatever becomes of one."""
        for key in self.ctx.now:
            node = self.ctx[f"sample_{key}"]
            if node.is_finished_ok:
                self.ctx.samples = {**self.ctx.samples, key: node.pk}
            else:
                source = self.ctx.runs[key]["source"]
                self.ctx.unsampled.append(f"{source}: {node.exit_message or node.process_state}")
                self.report(f"sampling {self.ctx.unsampled[-1]}")

    def gather(self) -> Any:
        """All configurations, and which of them have no label yet."""
        settings = self.inputs.label.get_dict()
        samples, own = self.ctx.samples, self.inputs.runs
        most = self.inputs.twins.get_dict().get("label", {}).get("most")
        chosen = in_turn({key: pk for key, pk in samples.items() if key in own}, most)
        chosen += [(key, frame, record) for key, (frame, record) in self.ctx.outliers.items()]
        chosen += in_turn({key: pk for key, pk in samples.items() if key not in own})
        with decided_once():
            self.ctx.configurations = {
                f"c{number:05d}": {
                    **{"frame": frame, "record": record, "fingerprint": digest_of(frame, settings)},
                    "names": self.ctx.names.get(key, {}),
                }
                for number, (key, frame, record) in enumerate(chosen)
            }
        if not self.ctx.configurations:
            return self.exit_codes.ERROR_NO_CONFIGURATIONS
        self._look_up()
        done, failed = len(self.ctx.labels), len(self.ctx.failed)
        stop = self.inputs.stop_after.value == "samples"
        again = set() if self.inputs.retry.value else set(self.ctx.failed)
        self.ctx.waiting = [] if stop else self._unlabelled(again)
        self.ctx.lost = 0
        total = len(self.ctx.configurations)
        self.report(f"{total} configurations, {done} labelled, {failed} failed, {len(self.ctx.waiting)} to label")
        return None

    def _unlabelled(self, but: set[str]) -> list[str]:
        """Keys of configurations to label; of two that are the same, the first."""
        seen: set[str] = set()
        keys = []
        for key, found in sorted(self.ctx.configurations.items()):
            if key not in self.ctx.labels and key not in but and found["fingerprint"] not in seen:
                keys.append(key)
            seen.add(found["fingerprint"])
        return keys

    def _look_up(self) -> None:
        """Labels of the configurations, those that failed among them, as the graph has them now."""
        wanted = {key: found["fingerprint"] for key, found in self.ctx.configurations.items()}
        done, failed = known_labels(wanted.values())
        self.ctx.labels = {key: done[digest] for key, digest in wanted.items() if digest in done}
        self.ctx.failed = {key: failed[digest] for key, digest in wanted.items() if digest in failed}
        self._add([*self.ctx.labels.values(), *self.ctx.failed.values()])

    def labels_wait(self) -> bool:
        """Whether a label is missing."""
        return bool(self.ctx.waiting)

    def run_labels(self) -> ToContext:
        """Submit the next labels."""
        count = self.inputs.at_once.value
        self.ctx.now, self.ctx.waiting = self.ctx.waiting[:count], self.ctx.waiting[count:]
        family = self.inputs.label.get_dict()["pseudo_family"]
        submitted = {}
        with decided_once():
            for key in self.ctx.now:
                found = self.ctx.configurations[key]
                structure = orm.load_node(found["frame"])
                submitted[_label_link(found)] = self.submit(
                    LabelWorkChain,
                    structure=structure,
                    record=orm.load_node(found["record"]),
                    parameters=self.inputs.label,
                    code=self.inputs.pw_code,
                    pseudos=pseudos_of(family, structure),
                    options=self.inputs.pw_options,
                    twins=orm.Str(self.ctx.name),
                    metadata={"call_link_label": _label_link(found)},
                )
        return ToContext(**submitted)

    def inspect_labels(self) -> None:
        """Count what ended without a label and without pw.x's saying why."""
        for key in self.ctx.now:
            node = self.ctx[_label_link(self.ctx.configurations[key])]
            if not node.is_finished or node.exit_status not in (0, 401):
                self.ctx.lost += 1
                self.report(f"label {key}: {node.exit_message or node.process_state}")

    def conclude(self) -> Any:
        """Say how many labels there are. What is trained must not depend on what happened to a machine."""
        self._look_up()
        self.report(f"{len(self.ctx.labels)} labels, {len(self.ctx.failed)} failed")
        if self.ctx.lost:
            return self.exit_codes.ERROR_LABELS_LOST.format(count=self.ctx.lost)
        lost = self.ctx.unsampled
        if lost and self.inputs.stop_after.value not in STAGES[:2]:
            return self.exit_codes.ERROR_SAMPLES_LOST.format(count=len(lost), message=lost[0].rstrip("."))
        return None

    def should_train(self) -> bool:
        """Whether the twins are wanted."""
        return bool(self.inputs.stop_after.value == STAGES[-1])

    def split(self) -> None:
        """Give out what the twins are trained on."""
        self.out("labels", self.ctx.training_set)
        self.out("split", self.ctx.parts)

    def run_training(self) -> ToContext:
        """Train both twins, unless that was done."""
        content = self.inputs.twins.get_dict()
        self.ctx.parameters = {
            name: training_parameters(content["training"], content["baseline"] if suffix == "lr" else None)
            for name, suffix in TWINS.items()
        }
        return ToContext(**self._train(self.ctx.parameters, content["training"]))

    def evaluate(self) -> Any:
        """Errors and models."""
        fault = self._trainings()
        if fault is not None:
            return fault
        for name, suffix in TWINS.items():
            predictions = outputs_of(orm.load_node(self.ctx.trained[name]))["predictions"]
            link = {"call_link_label": f"evaluate_{name}"}
            self.out(f"{name}_errors", evaluate_twin(self.ctx.training_set, predictions, metadata=link))
            self.out(name, self._model(name, f"{self.ctx.name}-{suffix}", self.ctx.parameters[name]))
        return None


def _label_link(configuration: dict[str, Any]) -> str:
    """What a label is called among the workchain's children. Configurations are numbered anew in every round, and a
    child of a name that was there before would be taken for it: so by its content."""
    return f"label_{configuration['fingerprint'][:16]}"
