"""The data node of an MLIP: its file, and what the file says about itself."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from aiida import orm

from ..mlips.scan import ScanReport, UnsafeModelError, refusal, scan_bytes


class MlipData(orm.SinglefileData):
    """A model file with its family, keyword arguments, sha256, facts and what a scan of it found.

    Attributes ``family``, ``kwargs``, ``sha256``, ``facts`` (see :class:`aiida_falsemetal.mlips.family.ModelFacts`),
    ``scan`` (see :class:`aiida_falsemetal.mlips.scan.ScanReport`) and, where the scan did not find the file safe,
    ``accepted`` are set once, when the node is made, and can be queried. Nodes that were made before files were scanned
    have no ``scan``.
    """

    @classmethod
    def from_model(
        cls,
        path: Path,
        family: str,
        kwargs: dict[str, Any],
        facts: dict[str, Any],
        label: str = "",
        accepted: str | None = None,
    ) -> MlipData:
        """An unstored node.

        :param path: the model's file.
        :param family: name of the family, see :mod:`aiida_falsemetal.mlips.registry`.
        :param kwargs: keyword arguments of the calculator.
        :param facts: :meth:`ModelFacts.as_dict`.
        :param label: name in campaigns.
        :param accepted: the user's reason to take a file that the scan does not find safe.
        :raises UnsafeModelError: if it does not, and there is no reason.
        """
        content = path.read_bytes()  # once: what is scanned is what is stored
        report = scan_bytes(content, path.name)
        reason = (accepted or "").strip()
        if report.verdict != "safe" and not reason:
            raise UnsafeModelError(refusal(path.name, report))
        node = cls(file=io.BytesIO(content), filename=path.name, label=label)
        node.base.attributes.set_many(
            {"family": family, "kwargs": kwargs, "facts": facts, "sha256": report.sha256, "scan": _without_hash(report)}
        )
        if report.verdict != "safe":
            node.base.attributes.set("accepted", reason)
        return node

    @classmethod
    def get_or_create(
        cls,
        path: Path,
        family: str,
        kwargs: dict[str, Any],
        facts: dict[str, Any],
        label: str,
        accepted: str | None = None,
    ) -> MlipData:
        """As ``find_or_make``, and stored."""
        node = cls.find_or_make(path, family, kwargs, facts, label, accepted)
        if not node.is_stored:
            node.store()
        return node

    @classmethod
    def find_or_make(
        cls,
        path: Path,
        family: str,
        kwargs: dict[str, Any],
        facts: dict[str, Any],
        label: str,
        accepted: str | None = None,
    ) -> MlipData:
        """The stored node with the same file and settings, or a new one, which is not stored.

        One that was trained in the graph comes first, whatever it is called and whatever licence and reference a
        catalogue or a campaign gives: its history is the model's. Of others label and facts must be the same, too. A
        node that was made when the file was scanned by other rules is the same, and so is one of a safe file that was
        never scanned. Of a file that is not safe there is one node for each reason to accept it.

        :raises UnsafeModelError: as :meth:`from_model`.
        """
        fresh = cls.from_model(path, family, kwargs, facts, label, accepted)
        query = orm.QueryBuilder()
        query.append(cls, filters={"attributes.sha256": fresh.sha256, "attributes.family": family})
        query.order_by({cls: {"id": "asc"}})
        same = [
            node
            for node in query.all(flat=True)
            if node.kwargs == kwargs and (fresh.accepted is None or node.accepted == fresh.accepted)
        ]
        trained = [node for node in same if node.creator is not None]
        # Of several trainings to the same file, one whose workchain came to its end.
        ended = [node for node in trained if node.creator.caller is not None and node.creator.caller.is_finished_ok]
        named = [node for node in same if node.creator is None and node.label == label and node.facts == facts]
        found: list[MlipData] = (ended or trained)[-1:] + named
        return found[0] if found else fresh

    @property
    def family(self) -> str:
        """Name of the family."""
        return str(self.base.attributes.get("family"))

    @property
    def kwargs(self) -> dict[str, Any]:
        """Keyword arguments of the calculator."""
        return dict(self.base.attributes.get("kwargs"))

    @property
    def facts(self) -> dict[str, Any]:
        """Cutoff, layers, elements and the like."""
        return dict(self.base.attributes.get("facts"))

    @property
    def sha256(self) -> str:
        """Hash of the file's content."""
        return str(self.base.attributes.get("sha256"))

    @property
    def scan(self) -> dict[str, Any] | None:
        """Scanner, verdict and findings; None for a node that was made before files were scanned."""
        found = self.base.attributes.get("scan", None)
        return None if found is None else dict(found)

    @property
    def accepted(self) -> str | None:
        """Why the file was taken although the scan does not find it safe; None where it does."""
        found = self.base.attributes.get("accepted", None)
        return None if found is None else str(found)

    def _validate(self) -> bool:
        super()._validate()
        missing = [key for key in ("family", "kwargs", "facts", "sha256") if key not in self.base.attributes.all]
        if missing:
            from aiida.common.exceptions import ValidationError

            raise ValidationError(f"an MlipData needs the attribute {missing[0]!r}: make it with `from_model`.")
        return True


def _without_hash(report: ScanReport) -> dict[str, Any]:
    """The report without its checksum, which is the node's own."""
    return {key: value for key, value in report.as_dict().items() if key != "sha256"}
