"""Several systems that move side by side, their forces computed together: a step of each is one batch.

Each system has a thread of its own, and in it the code that would move it alone. Its calculator asks and waits; when
all systems that are still under way have asked, the thread that serves computes all answers at once. So relaxation, MD,
samples and checkpoints need not know that there are others, and a system that ends early leaves the others going on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

Results = dict[str, Any]
Evaluate = Callable[[Mapping[int, Atoms]], Mapping[int, Results]]
"""Results of each system, by its place: energy in eV, forces in eV/Å, shape (atoms, 3)."""


class Lockstep:
    """The meeting point.

    :param evaluate: is called in the thread that serves, with the systems that have asked.
    :param count: of systems; all of them are under way until they leave.
    """

    def __init__(self, evaluate: Evaluate, count: int) -> None:
        self._evaluate = evaluate
        self._active = set(range(count))
        self._asked: dict[int, Atoms] = {}
        self._answers: dict[int, Results] = {}
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def calculator(self, place: int) -> Calculator:
        """The calculator of one system."""
        return _Member(self, place)

    def ask(self, place: int, atoms: Atoms) -> Results:
        """Wait for the answer to one system.

        :raises RuntimeError: if the evaluation has failed, for all of them.
        """
        with self._changed:
            self._asked[place] = atoms
            self._changed.notify_all()
            self._changed.wait_for(lambda: place in self._answers or self._error is not None)
            if self._error is not None:
                raise RuntimeError(f"{type(self._error).__name__}: {self._error}") from self._error
            return self._answers.pop(place)

    def leave(self, place: int) -> None:
        """A system has ended: nobody waits for it any more."""
        with self._changed:
            self._active.discard(place)
            self._changed.notify_all()

    def serve(self) -> None:
        """Answer until every system has left.

        :raises BaseException: what the evaluation raised, when all systems have been told and have left.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._error is not None or self._active <= set(self._asked))
                if self._error is not None:
                    self._changed.wait_for(lambda: not self._active)
                    raise self._error
                if not self._active:
                    return
                asked, self._asked = self._asked, {}
            try:
                answers = self._evaluate(asked)
            except BaseException as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                continue
            with self._changed:
                self._answers.update(answers)
                self._changed.notify_all()


class _Member(Calculator):
    """One system's calculator."""

    implemented_properties = ["energy", "free_energy", "forces"]  # noqa: RUF012  (ASE's own convention)

    def __init__(self, lockstep: Lockstep, place: int) -> None:
        super().__init__()
        self._lockstep, self._place = lockstep, place

    def calculate(self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """ASE's entry point; fills ``results``."""
        super().calculate(atoms, properties, system_changes)
        self.results = self._lockstep.ask(self._place, self.atoms)
