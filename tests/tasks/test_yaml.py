"""The YAML files agree with the table of tasks, and their functions exist."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

import lmms_humansense.tasks.humansense as benchmark
import lmms_humansense.tasks.humansense_sample as sample
from lmms_humansense.tasks.humansense import wrappers
from lmms_humansense.tasks.humansense.taxonomy import BY_CODE, LEVELS, TASKS
from lmms_humansense.tasks.humansense.variants import VARIANTS, Variant, tasks_of

BENCHMARK = Path(str(benchmark.__file__)).parent
SAMPLE = Path(str(sample.__file__)).parent
METRICS = ["paper", "acc", "answered", "failed", "empty", "truncated"]
GROUPS = {
    "humansense": [f"humansense_{level.lower()}" for level in LEVELS],
    **{
        f"humansense_{level.lower()}": [f"humansense_{task.code.lower()}" for task in TASKS if task.level == level]
        for level in LEVELS
    },
    "humansense_video": [f"humansense_{task.code.lower()}" for task in TASKS if not task.is_audio],
    "humansense_audio": [f"humansense_{task.code.lower()}" for task in TASKS if task.is_audio],
}
SAMPLE_GROUPS = {
    group: [f"humansense_sample_{task.code.lower()}" for task in tasks]
    for group, tasks in {
        "humansense_sample": TASKS,
        "humansense_sample_video": [task for task in TASKS if not task.is_audio],
        "humansense_sample_audio": [task for task in TASKS if task.is_audio],
    }.items()
}


class Function(str):
    """The text after a `!function` tag."""


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader with lmms-eval's tag."""


def _function(loader: Loader, node: Any) -> Function:
    return Function(loader.construct_scalar(node))


Loader.add_constructor("!function", _function)


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader)
    return content


OTHERS = [variant for variant in VARIANTS if variant.name]


def functions(content: Any) -> list[Function]:
    if isinstance(content, dict):
        return [name for value in content.values() for name in functions(value)]
    return [content] if isinstance(content, Function) else []


@pytest.mark.parametrize("code", BY_CODE)
@pytest.mark.parametrize(
    ("folder", "prefix", "template"),
    [(BENCHMARK, "humansense", "_default_template_yaml"), (SAMPLE, "humansense_sample", "_sample_template_yaml")],
    ids=["benchmark", "sample"],
)
def test_each_task_has_a_leaf_of_three_lines(code: str, folder: Path, prefix: str, template: str) -> None:
    name = f"{prefix}_{code.lower()}"
    lines = (folder / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert lines == [f"include: {template}", f"task: {name}", f"dataset_name: {code.lower()}"]


@pytest.mark.parametrize("variant", OTHERS, ids=lambda variant: variant.name)
@pytest.mark.parametrize(
    ("folder", "prefix", "template"),
    [(BENCHMARK, "humansense", "../_default_template_yaml"), (SAMPLE, "humansense_sample", "../_sample_template_yaml")],
    ids=["benchmark", "sample"],
)
def test_a_variant_is_a_folder_with_a_group_and_leaves_of_three_lines(
    variant: Variant, folder: Path, prefix: str, template: str
) -> None:
    group = f"{prefix}_{variant.name}"
    leaves = [f"{group}_{task.code.lower()}" for task in variant.tasks]
    above = "../_group_template_yaml" if folder == BENCHMARK else "../../humansense/_group_template_yaml"
    inside = folder / variant.name
    assert {path.stem for path in inside.iterdir()} == {group, *leaves}
    assert read(inside / f"{group}.yaml") == {"include": above, "group": group, "task": leaves}
    for leaf, task in zip(leaves, variant.tasks, strict=True):
        name = f"{variant.name}_{task.code.lower()}"
        assert (inside / f"{leaf}.yaml").read_text(encoding="utf-8").splitlines() == [
            f"include: {template}",
            f"task: {leaf}",
            f"dataset_name: {name}",
        ]


def test_there_are_no_other_files_than_leaves_and_groups() -> None:
    leaves = {f"humansense_{code.lower()}.yaml" for code in BY_CODE}
    assert {path.name for path in BENCHMARK.glob("*.yaml")} == leaves | {f"{group}.yaml" for group in GROUPS}
    sample_leaves = {f"humansense_sample_{code.lower()}.yaml" for code in BY_CODE}
    assert {path.name for path in SAMPLE.glob("*.yaml")} == sample_leaves | {f"{group}.yaml" for group in SAMPLE_GROUPS}
    for folder in (BENCHMARK, SAMPLE):
        assert {path.parent.name for path in folder.glob("*/*.yaml")} == {variant.name for variant in OTHERS}


@pytest.mark.parametrize(("group", "members"), GROUPS.items())
def test_a_group_has_exactly_its_tasks(group: str, members: list[str]) -> None:
    assert read(BENCHMARK / f"{group}.yaml") == {"include": "_group_template_yaml", "group": group, "task": members}


@pytest.mark.parametrize(("group", "members"), SAMPLE_GROUPS.items())
def test_a_group_of_the_sample_has_exactly_its_tasks(group: str, members: list[str]) -> None:
    assert read(SAMPLE / f"{group}.yaml") == {
        "include": "../humansense/_group_template_yaml",
        "group": group,
        "task": members,
    }


ALL_YAML = sorted([*BENCHMARK.rglob("*yaml"), *SAMPLE.rglob("*yaml")])


@pytest.mark.parametrize("path", ALL_YAML, ids=lambda path: path.name)
def test_included_files_exist(path: Path) -> None:
    included = read(path).get("include")
    assert included is None or (path.parent / included).is_file()


@pytest.mark.parametrize("path", [BENCHMARK / "_default_template_yaml", SAMPLE / "_sample_template_yaml"], ids=str)
def test_functions_are_named_absolutely_and_exist(path: Path) -> None:
    named = functions(read(path))
    assert named
    for name in named:
        module, _, function = name.rpartition(".")
        assert module.startswith("lmms_humansense.tasks.")
        assert callable(getattr(importlib.import_module(module), function))


def test_only_the_two_templates_name_functions() -> None:
    for path in [*BENCHMARK.rglob("*.yaml"), *SAMPLE.rglob("*.yaml"), *BENCHMARK.glob("_[gt]*_yaml")]:
        assert functions(read(path)) == []


def test_tasks_and_groups_have_the_same_metrics() -> None:
    leaf = read(BENCHMARK / "_default_template_yaml")["metric_list"]
    group = read(BENCHMARK / "_group_template_yaml")["aggregate_metric_list"]
    assert [entry["metric"] for entry in leaf] == METRICS
    assert [entry["metric"] for entry in group] == METRICS
    assert {entry["metric"]: entry["higher_is_better"] for entry in leaf} == {
        metric: metric not in ("failed", "empty", "truncated") for metric in METRICS
    }
    assert {entry["weight_by_size"] for entry in group} == {False}


def test_the_samples_template_changes_only_the_docs_and_the_length_of_a_response() -> None:
    own, base = read(SAMPLE / "_sample_template_yaml"), read(BENCHMARK / "_default_template_yaml")
    assert set(own) == {"include", "process_docs", "generation_kwargs"}
    assert {**own["generation_kwargs"], "max_new_tokens": 0} == {**base["generation_kwargs"], "max_new_tokens": 0}


def test_decoding_is_greedy() -> None:
    decoding = read(BENCHMARK / "_default_template_yaml")["generation_kwargs"]
    assert (decoding["do_sample"], decoding["temperature"], decoding["num_beams"]) == (False, 0, 1)


def test_each_wrapper_gets_its_own_name() -> None:
    models = read(BENCHMARK / "_default_template_yaml")["lmms_eval_specific_kwargs"]
    assert models.pop("default") == {"wrapper": ""}
    assert models == {name: {"wrapper": name} for name in {*wrappers.WRAPPERS, *wrappers.ALIASES}}


def leaves(name: str) -> list[str]:
    """The leaves of a group, or the leaf itself, by the files."""
    (path,) = BENCHMARK.rglob(f"{name}.yaml")
    members = read(path)["task"]
    if isinstance(members, str):
        return [name]
    return [leaf for member in members for leaf in leaves(member)]


@pytest.mark.parametrize("path", sorted(BENCHMARK.rglob("*.yaml")), ids=lambda path: path.stem)
def test_a_name_means_the_same_tasks_to_the_tables_as_to_the_files(path: Path) -> None:
    codes = [task.code.lower() for task in tasks_of(path.stem)]
    assert sorted(codes) == sorted(leaf.rpartition("_")[2] for leaf in leaves(path.stem))
