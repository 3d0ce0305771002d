"""A campaign: many pairs, a bounded number at a time."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ToContext, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec

from .conclude import conclude_campaign
from .pair import PairWorkChain
from .steady import SteadyWorkChain

MAX_PAIRS = 16
"""Pairs under way at once where the campaign does not say. Slots bound the computing; this bounds the waiting jobs."""


class ScreenWorkChain(SteadyWorkChain):
    """Run every pair in ``pairs``. A pair that fails is counted and does not stop the others."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Ports, outline and exit codes."""
        super().define(spec)
        spec.input("campaign", valid_type=orm.Dict, help="The campaign file's content.")
        spec.input_namespace("pairs", dynamic=True, help="Inputs of one PairWorkChain each.")
        spec.input("max_pairs", valid_type=orm.Int, default=lambda: orm.Int(MAX_PAIRS))
        spec.outline(cls.setup, while_(cls.has_more)(cls.run_some, cls.inspect), cls.conclude)
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

        :param campaign: the campaign file's content.
        :param pairs: builders of :meth:`PairWorkChain.get_builder_from_protocol` by any key.
        """
        builder = cls.get_builder()
        builder.campaign = orm.Dict(campaign)
        builder.max_pairs = orm.Int(max_pairs)
        builder.pairs = {key: dict(pair) for key, pair in pairs.items()}
        return builder

    def found_by(self) -> dict[str, Any]:
        """Extras by which the campaign is found, and the pairs that wait."""
        pairs = [pair["labels"].get_dict().get("fingerprint", "") for pair in self.inputs.get("pairs", {}).values()]
        name = self.inputs.campaign.get_dict().get("name", "")
        return {"falsemetal_campaign": name, "falsemetal_fingerprints": pairs}

    def setup(self) -> None:
        """List what is to be done."""
        self.ctx.waiting = sorted(self.inputs.pairs)
        self.ctx.failed = 0

    def has_more(self) -> bool:
        """Whether a pair waits."""
        return bool(self.ctx.waiting)

    def run_some(self) -> ToContext:
        """Submit the next pairs."""
        count = self.inputs.max_pairs.value
        self.ctx.now, self.ctx.waiting = self.ctx.waiting[:count], self.ctx.waiting[count:]
        submitted = {}
        for key in self.ctx.now:
            inputs = {name: value for name, value in self.inputs.pairs[key].items() if name != "metadata"}
            submitted[f"pair_{key}"] = self.submit(PairWorkChain, **inputs, metadata={"call_link_label": f"pair_{key}"})
        self.report(f"{len(submitted)} pairs submitted, {len(self.ctx.waiting)} wait")
        return ToContext(**submitted)

    def inspect(self) -> None:
        """Count failures."""
        for key in self.ctx.now:
            node = self.ctx[f"pair_{key}"]
            if not node.is_finished_ok:
                self.ctx.failed += 1
                self.report(f"{node.label}: {node.exit_message}")

    def conclude(self) -> Any:
        """Judge the campaign, with what earlier workchains have left; say how many pairs failed."""
        campaign = self.inputs.campaign.get_dict()
        if "name" in campaign:
            for sentence in conclude_campaign(campaign["name"], campaign.get("verdict")):
                self.report(sentence)
        if self.ctx.failed:
            total = len(self.inputs.pairs)
            return self.exit_codes.ERROR_PAIRS_FAILED.format(failed=self.ctx.failed, total=total)
        return None
