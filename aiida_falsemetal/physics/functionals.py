"""Exchange-correlation functionals: the names that pw.x 6.7 computes with, and the one that a UPF file was made for.

The list is closed on purpose. pw.x takes whatever contains a name it knows: its ``BP86`` is a gradient correction to
correlation and nothing else, so a slip of the pen would be computed and not refused. Left out: SCAN and TB09, which
need a pw.x built with libxc (Debian's is not); OLYP and HCTH, which pw.x 6.7 calls suspicious and refuses; TPSS and
M06L, whose SCF cycle stops on a film of water; non-local van der Waals functionals, which need a kernel table; hybrids,
whose exchange at Gamma in a long cell needs settings of its own before its gap means anything. Dispersion corrections
of the D2 and D3 kind add no potential: the gap of revPBE-D3 is that of revPBE.
"""

from __future__ import annotations

import difflib
import re

FUNCTIONALS = {
    "PBE": "PBE",
    "revPBE": "REVPBE",
    "RPBE": "RPBE",
    "PBEsol": "PBESOL",
    "BLYP": "BLYP",
    "BP86": "BP",
    "PW91": "PW91",
    "WC": "WC",
    "B86bPBE": "B86BPBE",
    "PW86PBE": "PW86PBE",
    "LDA": "PZ",
    "LDA-PW": "PW",
}
"""Names here, and what pw.x calls them in ``input_dft``."""

SPELLINGS = {
    "PBE": ("SLA PW PBX PBC", "SLA PW PBE PBE"),
    "revPBE": ("SLA PW RPB PBC",),
    "PBEsol": ("SLA PW PSX PSC",),
    "BLYP": ("SLA LYP B88 BLYP",),
    "BP86": ("SLA PZ B88 P86", "BP"),
    "PW91": ("SLA PW GGX GGC",),
    "WC": ("SLA PW WCX PBC",),
    "LDA": ("SLA PZ NOGX NOGC", "PZ"),
    "LDA-PW": ("SLA PW NOGX NOGC", "PW"),
}
"""How UPF files spell some of them, besides the name itself; each tried with pw.x 6.7.

RPBE's ``SLA PW HHNX PBC`` is missing: pw.x 6.7 reads it as no exchange gradient at all, so its name must be given.
"""

_ATTRIBUTE = re.compile(r"""\bfunctional\s*=\s*['"]([^'"]*)['"]""")
_OLD_LINE = re.compile(r"^\s*(.*?)\s+Exchange-Correlation functional", re.MULTILINE | re.IGNORECASE)
_TYPE = re.compile(r"""\bpseudo_type\s*=\s*['"]\s*(\w+)\s*['"]""")
_OLD_TYPE = re.compile(r"^\s*(NC|US|PAW)\s+(?:Norm|Ultrasoft|PAW)", re.MULTILINE | re.IGNORECASE)


def known_functional(name: object) -> str:
    """The name as this package writes it, whatever the case it is given in.

    :raises ValueError: if it is not known; the message lists those that are.
    """
    by_key = {key.lower(): key for key in FUNCTIONALS} | {value.lower(): key for key, value in FUNCTIONALS.items()}
    found = by_key.get(str(name).strip().lower())
    if found is None:
        close = difflib.get_close_matches(str(name).lower(), by_key, n=1)
        hint = f"did you mean {by_key[close[0]]}? " if close else ""
        raise ValueError(f"there is no functional {name!r}; {hint}known are {', '.join(FUNCTIONALS)}.")
    return found


def functional_of(upf: str) -> str | None:
    """The functional that a pseudopotential was made with, None where its header does not tell.

    :param upf: text of a UPF file, version 1 or 2; its head is enough.
    """
    match = _ATTRIBUTE.search(upf) or _OLD_LINE.search(upf)
    if match is None:
        return None
    written = " ".join(re.split(r"[\s+-]+", match.group(1).strip().upper()))
    for name, code in FUNCTIONALS.items():
        spellings = (code, *SPELLINGS.get(name, ()))
        # Version 1 says it twice: "SLA PW PBE PBE PBE".
        if written in spellings or written in [f"{spelling} {code}" for spelling in spellings]:
            return name
    return None


def is_norm_conserving(upf: str) -> bool | None:
    """Whether a pseudopotential is norm-conserving; False for ultrasoft and PAW, None where its header does not tell.

    :param upf: text of a UPF file.
    """
    match = _TYPE.search(upf) or _OLD_TYPE.search(upf)
    return None if match is None else match.group(1).upper() in ("NC", "SL")
