"""Whole runs through `simple_evaluate`: leaves, levels, groups, both layouts of a release, and what stops a run."""

import json
import statistics
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lmms_humansense.tasks.humansense.taxonomy import LEVELS, TASKS
from lmms_humansense.tasks.humansense.variants import VARIANTS
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers.chat_server import ChatServer, Reply, message

METRICS = ("paper", "acc", "answered", "failed", "empty")


def pack(target: Path) -> Path:
    """The sample as a release that was downloaded and not unpacked."""
    target.mkdir()
    for name in ("HumanSense_VQA.json", "HumanSense_AQA.json"):
        (target / name).write_bytes((ROOT / name).read_bytes())
    for folder in ("videos", "audios"):
        with zipfile.ZipFile(target / f"{folder}.zip", "w") as archive:
            for path in sorted((ROOT / folder).rglob("*.*")):
                archive.write(path, path.relative_to(ROOT))
    return target


def test_one_leaf(evaluate: Any) -> None:
    results = evaluate("humansense_sample_ar")
    assert list(results["results"]) == ["humansense_sample_ar"]
    assert all(f"{metric},none" in results["results"]["humansense_sample_ar"] for metric in METRICS)


def test_a_group_is_the_unweighted_mean_of_its_leaves_with_standard_errors(evaluate: Any) -> None:
    everything = evaluate("humansense_sample")
    results = everything["results"]
    leaves = [results[f"humansense_sample_{task.code.lower()}"] for task in TASKS]
    group = results["humansense_sample"]
    sizes = {leaf["effective"] for leaf in everything["n-samples"].values()}
    assert len(sizes) > 1, "a weighted mean differs only if leaves differ in size"
    for metric in METRICS:
        assert group[f"{metric},none"] == pytest.approx(statistics.mean(leaf[f"{metric},none"] for leaf in leaves))
    assert group["acc_stderr,none"] > 0
    assert all(isinstance(leaf["acc_stderr,none"], float) for leaf in leaves)
    assert any(leaf["acc_stderr_clustered,none"] != leaf["acc_stderr_clt,none"] for leaf in leaves)


def test_no_row_but_the_metrics_stands_in_the_results(evaluate: Any) -> None:
    row = evaluate("humansense_sample_tr")["results"]["humansense_sample_tr"]
    names = {key.partition(",")[0].partition("_stderr")[0] for key in row if "," in key}
    assert names == set(METRICS)


def test_how_responses_ended_is_a_metric_that_is_missing_where_it_is_not_known(evaluate: Any) -> None:
    def replies(number: int, _: int) -> Reply:
        text = json.dumps(server.requests[-1])
        if "How many" in text:
            return message("4", None)
        return message("B", "length" if len(server.requests) % 2 else "stop")

    with ChatServer(replies) as server:
        arguments = f"base_url={server.url},model=m,media=frames,concurrency=1,senses=off"
        everything = evaluate("humansense_sample", model="humansense_server", model_args=arguments, log_samples=True)
    results, samples = everything["results"], everything["samples"]
    known = {}
    for task in TASKS:
        name = f"humansense_sample_{task.code.lower()}"
        said = [sample["truncated"]["score"] for sample in samples[name] if "truncated" in sample]
        logged = [sample["token_counts"][0]["truncated"] for sample in samples[name]]
        assert said == [float(each) for each in logged if each is not None]
        assert results[name]["acc,none"] == statistics.mean(sample["acc"]["score"] for sample in samples[name])
        if said:
            known[name] = results[name]["truncated,none"]
            assert known[name] == statistics.mean(said)
        else:
            assert "truncated,none" not in results[name]
    assert "humansense_sample_hc" not in known
    assert len(known) == 14
    assert results["humansense_sample"]["truncated,none"] == pytest.approx(statistics.mean(known.values()))
    assert 0 < results["humansense_sample"]["truncated,none"] < 1


def test_what_a_report_needs_is_logged_with_each_sample(evaluate: Any) -> None:
    (sample, *_) = evaluate("humansense_sample_fr2", log_samples=True)["samples"]["humansense_sample_fr2"]
    logged = sample["acc"]
    assert {"code": "FR2", "level": "L3", "parsed": "A", "gold": "A"}.items() <= logged.items()
    assert logged["clip"] == logged["media"] == "data/audios/calls/call_01.wav"
    assert logged["duration"] > 1


def test_a_level_on_an_unpacked_release(evaluate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", str(ROOT))
    results = evaluate("humansense_l2")["results"]
    assert set(results) == {"humansense_l2"} | {f"humansense_{code}" for code in ("ac", "cm", "hc", "tr")}


def test_everything_with_levels_as_sub_groups(evaluate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", str(ROOT))
    results = evaluate("humansense")["results"]
    leaves = [results[f"humansense_{task.code.lower()}"]["acc,none"] for task in TASKS]
    assert results["humansense"]["acc,none"] == pytest.approx(statistics.mean(leaves))
    for level in ("L1", "L2", "L3", "L4"):
        of_level = [results[f"humansense_{task.code.lower()}"]["acc,none"] for task in TASKS if task.level == level]
        assert results[f"humansense_{level.lower()}"]["acc,none"] == pytest.approx(statistics.mean(of_level))


def test_all_settings_in_one_call(evaluate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", str(ROOT))
    results = evaluate(*(variant.group for variant in VARIANTS), limit=1)["results"]
    for variant in VARIANTS:
        leaves = [f"{variant.group}_{task.code.lower()}" for task in variant.tasks]
        assert results[variant.group]["acc,none"] == pytest.approx(
            statistics.mean(results[x]["acc,none"] for x in leaves)
        )
    assert len(results) == sum(len(variant.tasks) for variant in VARIANTS) + len(VARIANTS) + len(LEVELS)


def test_the_video_group_is_the_papers_average(evaluate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", str(ROOT))
    results = evaluate("humansense_video")["results"]
    leaves = [results[f"humansense_{task.code.lower()}"]["paper,none"] for task in TASKS if not task.is_audio]
    assert len(leaves) == 13
    assert results["humansense_video"]["paper,none"] == pytest.approx(statistics.mean(leaves))


def test_two_groups_on_a_packed_release_take_out_only_what_they_show(
    evaluate: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", str(pack(tmp_path / "release")))
    # This dummy reads the start of each video, so each has to be a file by then.
    arguments = "read_bytes=4"
    results = evaluate("humansense_l1", "humansense_audio", model_args=arguments, limit=1)["results"]
    assert {"humansense_l1", "humansense_audio", "humansense_ar", "humansense_pc"} <= set(results)
    taken = {path.name for path in (tmp_path / "hf").rglob("*.*") if path.is_file()}
    packed = {path.name for path in ROOT.rglob("*.mp4")}
    assert 1 <= len(taken & packed) <= 4


def test_a_model_that_does_not_hear_is_stopped_with_the_group_to_run(
    evaluate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUMANSENSE_HEARS", "0")
    with pytest.raises(ValueError, match="humansense_sample_video"):
        evaluate("humansense_sample_pc")


def test_bad_data_stops_the_run_with_one_sentence(
    evaluate: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "HumanSense_VQA.json").write_text('[{"video_path": "x.mp4", "questions": {"question": "?"}}]')
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"HumanSense_VQA.json, item 0 .* questions.task_type is missing"):
        evaluate("humansense_ar")


def test_the_omni_model_answers_in_order_and_counts_what_fails(
    evaluate: Any, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    release = pack(tmp_path / "release")
    with zipfile.ZipFile(release / "videos.zip") as archive:
        archive.extractall(release / "unpacked")
    (release / "unpacked" / "videos").rename(release / "videos")
    broken = sorted((release / "videos").rglob("*.mp4"))
    for path in broken:
        path.write_bytes(b"not a video")
    monkeypatch.setenv("HUMANSENSE_DATA", str(release))
    results = evaluate(
        "humansense_ar", "humansense_fr2", model="humansense_omni",
        model_args=f"pretrained={tiny_model},max_failures=100%", device="cpu",
        gen_kwargs="max_new_tokens=4", log_samples=True,
    )  # fmt: skip
    assert results["results"]["humansense_ar"]["failed,none"] == 1
    assert results["results"]["humansense_ar"]["acc,none"] == 0
    assert "paper,none" not in results["results"]["humansense_ar"]
    assert results["results"]["humansense_fr2"]["failed,none"] == 0
    responses = [sample["filtered_resps"][0] for sample in results["samples"]["humansense_ar"]]
    assert all(response.startswith("[request failed] MediaError: ") for response in responses)
