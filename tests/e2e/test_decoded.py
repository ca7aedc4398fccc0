"""Whole runs from a folder that `prepare --decoded` made, after the clips and the network are gone."""

import json
import os
import shutil
from pathlib import Path

import pytest

from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.commands import SCRIPTS, responses_of, results_of, run

pytestmark = pytest.mark.slow  # lmms-eval starts in a process of its own, which takes 10 s

HUMANSENSE = str(SCRIPTS / "lmms-humansense")
TASKS = "humansense_tr,humansense_hc,humansense_fr2"
"""Clips with their sound, clips alone, and sounds."""


def test_a_run_needs_neither_the_clips_nor_a_network(tiny_model: Path, tmp_path: Path) -> None:
    release, to = tmp_path / "release", tmp_path / "to"
    shutil.copytree(ROOT, release, ignore=shutil.ignore_patterns("*.py", "*.yaml", "*_yaml", "__pycache__"))
    here = {**os.environ, "HUMANSENSE_DATA": str(release), "HF_HOME": str(tmp_path / "home")}
    command = [HUMANSENSE, "run", "--model", "humansense_omni", "--model_args", f"pretrained={tiny_model}"]
    command += ["--tasks", TASKS, "--output_path"]
    run(*command, "clips", cwd=tmp_path, only=here)
    done = run(HUMANSENSE, "prepare", "--decoded", "--tasks", TASKS, "--to", str(to), "--json", cwd=tmp_path, only=here)
    told = json.loads(done.stdout)
    assert (told["ok"], told["made"]) == (True, told["files"])
    shutil.rmtree(release)
    shutil.rmtree(tmp_path / "home")

    away = {**here, "HUMANSENSE_DATA": str(to), "HF_HUB_OFFLINE": "1"}
    refused = run(*command, "refused", cwd=tmp_path, check=False, only=away)
    assert refused.returncode == 2
    assert f"set HUMANSENSE_MEDIA_CACHE={to / 'decoded'}" in refused.stderr
    away["HUMANSENSE_MEDIA_CACHE"] = str(to / "decoded")
    run(*command, "decoded", cwd=tmp_path, only=away)
    expected = responses_of(tmp_path / "clips")
    assert len(expected) == told["questions"]
    assert responses_of(tmp_path / "decoded") == expected
    assert results_of(tmp_path / "decoded")["results"]["humansense_tr"]["failed,none"] == 0
    assert not (tmp_path / "home" / "humansense" / "media").exists()

    # The answers about the real clips are those about the small files in their places.
    known = run(*command, "clips", cwd=tmp_path, only=away)
    assert f"Nothing was asked: earlier runs have all {len(expected)} answers" in known.stdout + known.stderr
