"""What is trained in a TwinWorkChain, committees and twins alike: training set, trainings, models."""

from __future__ import annotations

from typing import Any

from aiida import orm

from ..calculations.twins import make_twin, training_set
from ..data.mlip import MlipData
from ..names import TWINS_GROUP
from .known import known_checkpoint, known_training
from .options import md_options
from .outputs import outputs_of
from .steady import SteadyWorkChain
from .train import MaceTrainWorkChain, training_fingerprint


class TrainingSteps(SteadyWorkChain):
    """Steps of :class:`.twin.TwinWorkChain`.

    In the context: ``name``, ``round``, ``labels`` and ``configurations`` (by key), which it has; ``training_set``,
    ``parts``, ``training`` (names) and ``trained`` (PKs by name), which these make.
    """

    def gather_training(self) -> Any:
        """The training set of the labels so far, the same for all that are trained on them."""
        nodes: dict[str, Any] = {}
        used: set[int] = set()
        for key, pk in sorted(self.ctx.labels.items()):
            if pk in used:  # the same configuration twice would be trained on and held out
                continue
            used.add(pk)
            outputs = outputs_of(orm.load_node(pk))
            nodes[f"structure_{key}"] = orm.load_node(self.ctx.configurations[key]["frame"])
            nodes[f"label_{key}"], nodes[f"forces_{key}"] = outputs["label"], outputs["forces"]
        named = self.ctx.configurations.items()
        names = {key: found["names"] for key, found in named if found["names"] and f"label_{key}" in nodes}
        settings = orm.Dict({**self.inputs.twins.get_dict()["split"], "names": names})
        try:
            made = training_set(settings, **nodes, metadata={"call_link_label": f"training_set_{self.ctx.round}"})
        except ValueError as error:
            return self.exit_codes.ERROR_TOO_FEW_LABELS.format(message=str(error))
        self.ctx.training_set, self.ctx.parts = made["labels"], made["split"]
        return None

    def _train(self, wanted: dict[str, dict[str, Any]], job: dict[str, Any]) -> dict[str, Any]:
        """Submit the trainings that the graph does not have; where one was stopped, from its last checkpoint.

        :param wanted: parameters by the name of what is trained. What is known is put into ``ctx.trained``.
        :param job: ``walltime``, ``threads`` and ``max_jobs`` of each.
        """
        slots = self.inputs.twins.get_dict()["slots"]
        submitted, self.ctx.trained, self.ctx.training = {}, {}, sorted(wanted)
        for name, parameters in wanted.items():
            digest = training_fingerprint(self.ctx.training_set, parameters)
            known = known_training(digest)
            if known is not None:
                self.ctx.trained[name] = known
                continue
            builder = MaceTrainWorkChain.get_builder()
            builder.train.code = self.inputs.train_code
            builder.train.labels = self.ctx.training_set
            builder.train.parameters = orm.Dict(parameters)
            checkpoint = known_checkpoint(digest)
            if checkpoint is not None:
                builder.train.checkpoint = checkpoint
            options = {"slots": slots, "max_wallclock_seconds": job["walltime"]}
            builder.train.metadata.options = md_options(options, job["threads"])
            builder.max_iterations = orm.Int(job["max_jobs"])
            builder.metadata.call_link_label = f"train_{name}"
            submitted[f"train_{name}"] = self.submit(builder)
        return submitted

    def _trainings(self) -> Any:
        """Put the trainings that have ended into ``ctx.trained`` and into the group; an exit code if one has failed."""
        for name in self.ctx.training:
            if name in self.ctx.trained:
                continue
            node = self.ctx[f"train_{name}"]
            if not node.is_finished_ok:
                return self.exit_codes.ERROR_TRAINING.format(message=str(node.exit_message or node.process_state))
            self.ctx.trained = {**self.ctx.trained, name: node.pk}
        self._add(self.ctx.trained.values())
        return None

    def _model(self, name: str, label: str, parameters: dict[str, Any]) -> MlipData:
        """What was trained as ``name``, as a model."""
        outputs = outputs_of(orm.load_node(self.ctx.trained[name]))
        described = {
            "family": parameters["family"],
            "kwargs": parameters["kwargs"],
            "label": label,
            "licence": self.inputs.twins.get_dict()["licence"],
            "reference": reference(self.ctx.name, len(self.ctx.labels), self.inputs.label.get_dict()),
        }
        link = {"call_link_label": f"make_{name}"}
        made: MlipData = make_twin(outputs["model"], outputs["results"], orm.Dict(described), metadata=link)
        return made

    def _group(self) -> orm.Group:
        return orm.Group.collection.get_or_create(label=TWINS_GROUP + self.ctx.name)[0]

    def _add(self, pks: Any) -> None:
        """Put nodes that someone else has made into the group too: an archive is made from it."""
        nodes = [orm.load_node(pk) for pk in pks]
        if nodes:
            self._group().add_nodes(nodes)


def reference(name: str, labels: int, settings: dict[str, Any]) -> str:
    """What a twin says of its training."""
    return (
        f"falsemetal twins {name}: {labels} labels of {settings['functional']}, {settings['ecutwfc']:g} Ry, "
        f"{settings['pseudo_family']}"
    )
