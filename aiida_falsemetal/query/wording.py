"""Pieces of the sentences of :mod:`.story`."""

from __future__ import annotations

from typing import Any

from ..names import ENDED

LONGEST = 60
"""Characters of a parameter's value in a sentence; the data have all of it."""
VERDICT_KEYS = ("verdict", "reason", "would_decide", "metallic", "converged", "selected", "seeds", "reference")


def figure(value: float | None, digits: int = 4) -> str:
    """A number with so many digits; nodes of older versions lack some."""
    return "unknown" if value is None else f"{value:.{digits}g}"


def interface_in_words(data: dict[str, Any]) -> str:
    """An interface in words."""
    parts = [f"{data['atoms']} atoms ({data['formula']})"]
    if data["molecules"] is not None:
        parts.append(f"{data['molecules']} molecules" + (f" of {data['solvent']}" if data["solvent"] else ""))
    for key, unit in (("area", "Å^2"), ("thickness", "Å"), ("vacuum", "Å")):
        if data[key] is not None:
            parts.append(f"{key} {data[key]:.4g} {unit}")
    return ", ".join(parts)


def edges_in_words(data: dict[str, Any]) -> str:
    """Edges and drop, as far as they are known."""
    edges = [
        f"{word} at {data[key]:.4g} eV"
        for word, key in (("valence edge", "vbm"), ("conduction edge", "cbm"))
        if data[key] is not None
    ]
    drop = [f"a drop of {data['drop']:.3g} V across the film"] if data["drop"] is not None else []
    parts = [*edges, *drop]
    return f" ({', '.join(parts)})" if parts else ""


def judged(content: dict[str, Any]) -> str:
    """A verdict with its reason, which is a sentence or several."""
    reason = str(content.get("reason") or "").strip()
    return f"{content.get('verdict')}: {reason}" if reason else f"{content.get('verdict')}."


def picked(content: dict[str, Any]) -> dict[str, Any]:
    """Of a verdict, what the story has."""
    return {key: content.get(key) for key in VERDICT_KEYS}


def state_of(node: Any) -> dict[str, Any]:
    """How far a process is."""
    state = node.process_state.value if node.process_state is not None else None
    return {"state": state, "exit_code": node.exit_status, "exit_message": node.exit_message or ""}


def ended(data: dict[str, Any]) -> str:
    """How a process ended, or that it has not."""
    if data["state"] not in ENDED:
        return f"is {data['state'] or 'not started'}"
    if data["exit_code"] is None:
        return f"was {data['state']}" if data["state"] == "killed" else "ended with an exception"
    message = f" ({data['exit_message'].rstrip('.')})" if data["exit_message"] else ""
    return f"ended with exit code {data['exit_code']}{message}"


def parameters_in_words(values: dict[str, Any]) -> str:
    """Parameters in words; long ones are cut short."""
    words = [f"{key} {value}" for key, value in values.items() if value is not None]
    short = [word if len(word) <= LONGEST else f"{word[:LONGEST]}..." for word in words]
    return ", ".join(short) or "no parameters"


def from_where(origin: dict[str, Any]) -> str:
    """The file that something was read from, where that is known."""
    return f" from {origin['path']}" if origin.get("path") else ""
