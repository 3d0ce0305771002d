"""Campaign files and files of twins, as read by the commands up to the point where the profile is needed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import strategies as st

from aiida_falsemetal.cli.screen import read_campaign
from aiida_falsemetal.cli.twins import read_twins

from . import grown
from .harness import fuzzed, sentence

pytestmark = pytest.mark.usefixtures("aiida_profile")  # campaigns name nodes
_FOLDER = tempfile.TemporaryDirectory(prefix="falsemetal-fuzz-")
FOLDER = Path(_FOLDER.name)
grown.write_beside(FOLDER)


def _asked(read: Any, text: bytes) -> str:
    path = FOLDER / "file.yaml"
    path.write_bytes(text)
    try:
        read(path)
    except click.ClickException as error:
        assert sentence(error.message).startswith(str(path))
        return "refused"
    finally:
        assert not list(FOLDER.glob("pwned*")) and not Path("pwned").exists()
    return "accepted"


def check_campaign_files(text: bytes) -> str:
    return _asked(read_campaign, text)


def check_texts_of_campaign_files(text: bytes) -> str:
    return _asked(read_campaign, text)


def check_files_of_twins(text: bytes) -> str:
    return _asked(read_twins, text)


test_campaigns, test_campaigns_long = fuzzed(check_campaign_files, grown.campaign_files, 120, 4000)
test_texts, test_texts_long = fuzzed(check_texts_of_campaign_files, grown.texts_of(grown.campaigns()), 60, 2000)
test_twins, test_twins_long = fuzzed(
    check_files_of_twins, st.one_of(grown.twin_texts, grown.texts_of(grown.twin_files())), 60, 2000
)
