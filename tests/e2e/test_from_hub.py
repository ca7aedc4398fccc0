"""Runs whose data come from the Hub: the first answers at once, and later ones without any network."""

import json
import subprocess
from pathlib import Path

import pytest

from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers import hub, releases
from tests.helpers.commands import SCRIPTS, responses_of, results_of, run

pytestmark = pytest.mark.slow  # lmms-eval starts in a process of its own, which takes 10 s

FILLING = 160 << 20
"""Bytes of media without questions, so that the archives are much larger than a clip, as in the release."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded sample as a dataset repository."""
    media = {
        name: {path.relative_to(ROOT / name).as_posix(): path.read_bytes() for path in (ROOT / name).rglob("*.*")}
        for name in ("videos", "audios")
    }
    content = releases.Content(
        videos={**media["videos"], "filling.mp4": bytes(FILLING)},
        audios=media["audios"],
        vqa=json.loads((ROOT / "HumanSense_VQA.json").read_text()),
        aqa=json.loads((ROOT / "HumanSense_AQA.json").read_text()),
    )
    folder = tmp_path_factory.mktemp("repository")
    releases.write(folder, "repository", content)
    return folder


def test_a_run_takes_what_it_needs_and_what_is_prepared_needs_no_network(
    repository: Path, tiny_model: Path, tmp_path: Path
) -> None:
    evaluate = [str(SCRIPTS / "lmms-eval"), "--model", "humansense_omni", "--model_args", f"pretrained={tiny_model}"]
    with hub.serving(hub.dataset({"main": repository})) as server:
        here = hub.client_environment(tmp_path / "home", server.url)
        arguments = ["--tasks", "humansense", "--limit", "2", "--log_samples", "--output_path", "out"]
        run(*evaluate, *arguments, cwd=tmp_path, only=here)
        sent = sum(request.sent for request in server.requests if request.path.startswith("/large/"))
        share = sent / sum(path.stat().st_size for path in repository.glob("bench_data/*.zip"))
        print(f"{sent:,} bytes were sent, {share:.2%} of the archives")
        assert 0 < share < 0.02
        subprocess.run([str(SCRIPTS / "lmms-humansense"), "prepare"], env=here, check=True, capture_output=True)
    results = results_of(tmp_path / "out")
    assert results["results"]["humansense"]["failed,none"] == 0
    assert len(responses_of(tmp_path / "out")) == 30
    (origin,) = results["humansense_data"]
    assert (origin["source"], origin["commit"]) == (f"hf://datasets/{hub.REPOSITORY}", hub.commit("main"))
    info = results["model_info"]
    assert list(info["time_axis_of_tasks"].values()) == ["release"] * 13
    assert {"lmms-humansense", "lmms_eval", "transformers", "torch"} <= info["versions"].keys()

    arguments = ["--tasks", "humansense_hc,humansense_fr2", "--log_samples", "--output_path", "offline"]
    run(*evaluate, *arguments, cwd=tmp_path, only={**here, "HF_HUB_OFFLINE": "1"})
    offline = responses_of(tmp_path / "offline")
    assert len(offline) > 4
    assert {**offline, **responses_of(tmp_path / "out")} == {**responses_of(tmp_path / "out"), **offline}
