"""A campaign: many pairs, a bounded number at a time."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ToContext, if_, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from ..calculations.md_batch import port_of
from .batches import batch_builder, batches_of, keep_of, seed_of
from .cleaning import clean_job
from .conclude import conclude_campaign
from .pair import PairWorkChain
from .plan import fingerprint_of, make_plan, plan_fingerprints, plan_length, read_plan
from .steady import SteadyWorkChain

MAX_PAIRS = 16
"""Pairs under way at once where the campaign does not say. Slots bound the computing; this bounds the waiting jobs."""
AS_INPUTS = 16
"""Pairs that are inputs of the workchain; of a campaign of more there is a plan, see :mod:`.plan`."""


class ScreenWorkChain(SteadyWorkChain):
    """Run every pair in ``pairs`` or ``plan``. A pair that fails is counted and does not stop the others."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Ports, outline and exit codes."""
        super().define(spec)
        spec.input("campaign", valid_type=orm.Dict, help="The campaign file's content.")
        spec.input_namespace("pairs", dynamic=True, required=False, help="Inputs of one PairWorkChain each.")
        spec.input(
            "plan", valid_type=orm.FolderData, required=False, help="In place of pairs: which stored nodes they are of."
        )
        spec.input("max_pairs", valid_type=orm.Int, default=lambda: orm.Int(MAX_PAIRS))
        spec.outline(
            cls.setup,
            while_(cls.has_more)(if_(cls.has_batches)(cls.run_batches), cls.run_some, cls.inspect),
            cls.conclude,
        )
        spec.exit_code(
            401,
            "ERROR_PAIRS_FAILED",
            message="{failed} of {total} pairs failed; `falsemetal status` names each one's reason.",
        )

    @classmethod
    def get_builder_from_protocol(
        cls, campaign: dict[str, Any], pairs: dict[str, Any], max_pairs: int = MAX_PAIRS
    ) -> Any:
        """A builder.

        More than ``AS_INPUTS`` pairs become a plan, whose nodes (:func:`.plan.planned_nodes`) have to be stored before
        the builder is submitted.

        :param campaign: the campaign file's content.
        :param pairs: builders of :meth:`PairWorkChain.get_builder_from_protocol` by any key.
        """
        builder = cls.get_builder()
        builder.campaign = orm.Dict(campaign)
        builder.max_pairs = orm.Int(max_pairs)
        if len(pairs) > AS_INPUTS:
            builder.plan = make_plan(pairs)
        else:
            builder.pairs = {key: dict(pair) for key, pair in pairs.items()}
        return builder

    def found_by(self) -> dict[str, Any]:
        """Extras by which the campaign is found, and the pairs that wait."""
        if "plan" in self.inputs:
            pairs = plan_fingerprints(self.inputs.plan)
        else:
            pairs = [fingerprint_of(pair) for pair in self.inputs.get("pairs", {}).values()]
        name = self.inputs.campaign.get_dict().get("name", "")
        return {"falsemetal_campaign": name, "falsemetal_fingerprints": pairs}

    def setup(self) -> None:
        """Begin at the first pair."""
        self.ctx.total = plan_length(self.inputs.plan) if "plan" in self.inputs else len(self.inputs.get("pairs", {}))
        self.ctx.begun, self.ctx.batches = 0, {}
        self.ctx.failed = 0

    def has_more(self) -> bool:
        """Whether a pair waits."""
        return bool(self.ctx.begun < self.ctx.total)

    def _next_pairs(self) -> dict[str, Any]:
        """Inputs of the pairs that are submitted next, by their keys."""
        begun, count = self.ctx.begun, self.inputs.max_pairs.value
        if "plan" in self.inputs:
            return read_plan(self.inputs.plan, begun, count)
        return {key: self.inputs.pairs[key] for key in sorted(self.inputs.pairs)[begun : begun + count]}

    def has_batches(self) -> bool:
        """Whether some of the next pairs run their MD in one process."""
        pairs = self._next_pairs()
        self.ctx.batches = {f"batch_{keys[0]}": [keys, keep_of(pairs[keys[0]])] for keys in batches_of(pairs)}
        return bool(self.ctx.batches)

    def run_batches(self) -> ToContext:
        """Submit the MD of the next pairs that run it together. Where that fails, each runs its own."""
        pairs, submitted = self._next_pairs(), {}
        for name, (keys, _) in self.ctx.batches.items():
            try:
                builder = batch_builder(pairs, keys)
                builder.metadata.call_link_label = name
                submitted[name] = self.submit(builder)
            except Exception as error:
                self.report(f"the MD of {len(keys)} pairs is not run together: {error}")
        return ToContext(**submitted)

    def _folders(self, pairs: dict[str, Any]) -> dict[str, orm.RemoteData]:
        """Where batches have left the MD of pairs, by the pairs' keys."""
        found = {}
        for name, (keys, _) in self.ctx.batches.items():
            if name in self.ctx and "seeds" in self.ctx[name].outputs:
                seeds = self.ctx[name].outputs.seeds
                found.update({key: seeds[port_of(seed_of(pairs[key]))] for key in keys})
        return found

    def run_some(self) -> ToContext:
        """Submit the next pairs."""
        submitted, pairs = {}, self._next_pairs()
        folders = self._folders(pairs)
        for key, pair in pairs.items():
            inputs = {name: value for name, value in pair.items() if name != "metadata"}
            if key in folders:
                inputs["md_batch"] = folders[key]
            submitted[f"pair_{key}"] = self.submit(PairWorkChain, **inputs, metadata={"call_link_label": f"pair_{key}"})
        self.ctx.now = list(submitted)
        self.ctx.begun += len(submitted)
        self.report(f"{len(submitted)} pairs submitted, {self.ctx.total - self.ctx.begun} wait")
        return ToContext(**submitted)

    def inspect(self) -> None:
        """Count failures. What is counted leaves the context, which is in every checkpoint."""
        for name in self.ctx.now:
            node = self.ctx[name]
            if not node.is_finished_ok:
                self.ctx.failed += 1
                self.report(f"{node.label}: {node.exit_message}")
            del self.ctx[name]
        self.ctx.now = []
        for name, (_, keep) in self.ctx.batches.items():
            # Every pair has its own copy of what was in the folder.
            if name in self.ctx:
                clean_job(self.ctx[name], self.ctx[name], keep)
                del self.ctx[name]
        self.ctx.batches = {}

    def conclude(self) -> Any:
        """Judge the campaign, with what earlier workchains have left; say how many pairs failed."""
        campaign = self.inputs.campaign.get_dict()
        if "name" in campaign:
            for sentence in conclude_campaign(campaign["name"], campaign.get("verdict")):
                self.report(sentence)
        if self.ctx.failed:
            return self.exit_codes.ERROR_PAIRS_FAILED.format(failed=self.ctx.failed, total=self.ctx.total)
        return None
