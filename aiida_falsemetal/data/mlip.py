"""The data node of an MLIP: its file, and what the file says about itself."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from aiida import orm


class MlipData(orm.SinglefileData):
    """A model file with its family, keyword arguments, sha256 and facts.

    Attributes ``family``, ``kwargs``, ``sha256`` and ``facts`` (see
    :class:`aiida_falsemetal.mlips.family.ModelFacts`) are set once, when the node is made, and can be queried.
    """

    @classmethod
    def from_model(
        cls, path: Path, family: str, kwargs: dict[str, Any], facts: dict[str, Any], label: str = ""
    ) -> MlipData:
        """An unstored node.

        :param path: the model's file.
        :param family: name of the family, see :mod:`aiida_falsemetal.mlips.registry`.
        :param kwargs: keyword arguments of the calculator.
        :param facts: :meth:`ModelFacts.as_dict`.
        :param label: name in campaigns.
        """
        content = path.read_bytes()
        node = cls(file=path.resolve(), filename=path.name, label=label)
        node.base.attributes.set_many(
            {"family": family, "kwargs": kwargs, "facts": facts, "sha256": hashlib.sha256(content).hexdigest()}
        )
        return node

    @classmethod
    def get_or_create(
        cls, path: Path, family: str, kwargs: dict[str, Any], facts: dict[str, Any], label: str
    ) -> MlipData:
        """The stored node with the same file, settings and label, or a new stored one."""
        fresh = cls.from_model(path, family, kwargs, facts, label)
        query = orm.QueryBuilder()
        query.append(
            cls,
            filters={"label": label, "attributes.sha256": fresh.sha256, "attributes.family": family},
        )
        for (node,) in query.iterall():
            if node.kwargs == kwargs and node.facts == facts:
                found: MlipData = node
                return found
        fresh.store()
        return fresh

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

    def _validate(self) -> bool:
        super()._validate()
        missing = [key for key in ("family", "kwargs", "facts", "sha256") if key not in self.base.attributes.all]
        if missing:
            from aiida.common.exceptions import ValidationError

            raise ValidationError(f"an MlipData needs the attribute {missing[0]!r}: make it with `from_model`.")
        return True
