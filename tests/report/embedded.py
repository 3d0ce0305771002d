"""What a page has embedded, read back."""

from __future__ import annotations

import json
import re
from typing import Any


def numbers_of(page: str, name: str) -> Any:
    """Content of its JSON element ``name``."""
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])
