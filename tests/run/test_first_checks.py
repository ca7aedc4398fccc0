"""What cannot work is answered before lmms-eval is started, with one sentence that says what was meant."""

import subprocess
import sys
from pathlib import Path

import pytest

from lmms_humansense.plugin import harness_names
from lmms_humansense.run import first_checks
from lmms_humansense.run.arguments import ArgumentsError
from lmms_humansense.tasks.humansense_sample.utils import ROOT

MODEL = ("--model", "humansense_omni", "--model_args", "pretrained=owner/name", "--tasks")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HUMANSENSE_DATA", "LMMS_EVAL_PLUGINS"):
        monkeypatch.delenv(name, raising=False)


def refusal(*arguments: str) -> str:
    with pytest.raises(ArgumentsError) as raised:
        first_checks.check(arguments)
    return str(raised.value)


SAMPLE = (*MODEL, "humansense_sample")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((*MODEL, "humansense_thin"), "There is no task 'humansense_thin'; did you mean humansense_think"),
        ((*MODEL, "humansense_sample,humansense_er "), "There is no task 'humansense_er '; did you mean humansense_er"),
        ((*MODEL, "mmmu_vall"), "There is no task 'mmmu_vall'; did you mean mmmu_val"),
        ((*MODEL, "humansense_nope*"), "There is no task 'humansense_nope*'"),
        (MODEL[:-1], "--tasks is missing"),
        (("--tasks", "humansense_sample"), "--model is missing"),
        (("--model", "humansense_onmi", "--tasks", "humansense_sample"), "did you mean humansense_omni"),
        (("--model", "qwen2_5_omnii", "--tasks", "humansense_sample"), "did you mean qwen2_5_omni"),
        ((*SAMPLE, "--modell", "x"), "--modell is not an option of run or of lmms-eval; did you mean --model?"),
        ((*SAMPLE, "--limt=3"), "--limt=3 is not an option of run or of lmms-eval; did you mean --limit?"),
        ((*SAMPLE, "--limit", "few"), "Argument --limit: invalid float value: 'few'"),
        ((*SAMPLE, "--cache_requests", "yes"), "invalid choice: 'yes'"),
        ((*SAMPLE, "--output_path", "/proc/no/such"), "--output_path /proc/no/such cannot be written"),
        ((*SAMPLE, "--use_cache", "/proc/no"), "--use_cache /proc/no cannot be written"),
    ],
)
def test_what_cannot_work_is_refused_with_what_was_meant(given: tuple[str, ...], sentence: str) -> None:
    assert sentence in refusal(*given)


@pytest.mark.parametrize(
    ("model", "arguments", "sentence"),
    [
        ("omni", "pretrained=owner/name,ftp=1", "has no argument 'ftp'. Did you mean fps?"),
        ("omni", "dtype=float16", "humansense_omni needs pretrained="),
        ("omni", "pretrained=owner/name,engine=vlm", "knows the engines local and vllm"),
        ("omni", "pretrained=/no/such/folder", "there is no such folder"),
        ("omni", "pretrained=.", "the folder has no config.json"),
        ("omni", "pretrained=owner/name,system_prompt=a, b", "a comma separates arguments"),
        ("server", "base_url=http://localhost:1/v1,model=m,media=vlm", "media=vlm: the value should be 'vllm'"),
        ("server", "base_url=http://localhost:1/v1,model=m,media=vllm,concurency=3", "Did you mean concurrency?"),
    ],
)
def test_an_argument_of_the_model_is_checked(model: str, arguments: str, sentence: str) -> None:
    given = ("--model", f"humansense_{model}", "--model_args", arguments, "--tasks", "humansense_sample")
    assert sentence in refusal(*given)


ENGINE_ARGS = """
@dataclass
class EngineArgs:
    '''vLLM's.'''

    model: str = "m"
    gpu_memory_utilization: float = CacheConfig.gpu_memory_utilization
    max_num_seqs: int | None = None

    def create_engine_config(self) -> VllmConfig:
        found: int = 1
"""


@pytest.fixture
def vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vLLM of which only the names of its engine's arguments can be read. Returns the file that has them."""
    file = tmp_path / "site" / "vllm" / "engine" / "arg_utils.py"
    file.parent.mkdir(parents=True)
    file.write_text(ENGINE_ARGS)
    (file.parent.parent / "__init__.py").write_text("raise AssertionError('vLLM was imported')\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    return file


def with_vllm(more: str) -> tuple[str, ...]:
    arguments = f"pretrained=owner/name,engine=vllm,{more}"
    return ("--model", "humansense_omni", "--model_args", arguments, "--tasks", "humansense_sample")


@pytest.mark.usefixtures("vllm")
def test_vllm_needs_a_checkpoint_too() -> None:
    given = ("--model", "humansense_omni", "--model_args", "engine=vllm,fps=2", "--tasks", "humansense_sample")
    assert "humansense_omni needs pretrained=" in refusal(*given)


@pytest.mark.parametrize("setting", ["HF_HOME", "XDG_CACHE_HOME"])
def test_the_index_is_in_the_users_cache(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.setenv(setting, "~/$PLACE")
    monkeypatch.setenv("PLACE", "here")
    assert first_checks._index().is_relative_to(Path.home() / "here")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("gpu_memory_utilisation=0.5", "no argument 'gpu_memory_utilisation'. Did you mean gpu_memory_utilization?"),
        ("ftp=1", "no argument 'ftp'. Did you mean fps?"),
        ("found=1", "no argument 'found'."),
        ("attn_implementation=sdpa", "no argument 'attn_implementation'."),
    ],
)
@pytest.mark.usefixtures("vllm")
def test_an_argument_that_neither_this_package_nor_vllm_has_is_refused(more: str, sentence: str) -> None:
    assert sentence in refusal(*with_vllm(more))


@pytest.mark.parametrize("more", ["gpu_memory_utilization=0.5,max_num_seqs=8", "vllm_mends=off,fps=2,dtype=float16"])
@pytest.mark.usefixtures("vllm")
def test_arguments_of_this_package_and_of_vllm_pass(more: str) -> None:
    first_checks.check((*with_vllm(more), "--batch_size", "1", "--device", "cpu"))


@pytest.mark.parametrize(
    "text", ["class EngineArgs(Base):\n    model: str\n", "class Other:\n    pass\n", "not Python"]
)
def test_nothing_is_refused_if_the_arguments_of_vllm_cannot_be_read(text: str, vllm: Path) -> None:
    vllm.write_text(text)
    first_checks.check(with_vllm("gpu_memory_utilisation=0.5"))


@pytest.mark.parametrize("tasks", ["humansense_sample", "humansense_sample_t*,mmmu_val", "humansense_sample_think"])
@pytest.mark.parametrize("more", [(), ("--limit=3", "-b", "2", "--use_cache", "kept")], ids=["plain", "more"])
def test_what_can_work_passes(tasks: str, more: tuple[str, ...]) -> None:
    first_checks.check((*MODEL, tasks, *more))


def test_missing_data_are_named_and_the_sample_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path))
    said = refusal(*MODEL, "humansense")
    assert f"There is no HumanSense_VQA.json or HumanSense_AQA.json in {tmp_path}" in said
    assert "--tasks humansense_sample" in said
    first_checks.check((*MODEL, "humansense_sample"))
    monkeypatch.setenv("HUMANSENSE_DATA", str(ROOT))
    first_checks.check((*MODEL, "humansense"))


def test_only_the_data_of_the_tasks_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "HumanSense_VQA.json").write_text("[]")
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path))
    first_checks.check((*MODEL, "humansense_ar,humansense_think_tr"))
    assert f"There is no HumanSense_AQA.json in {tmp_path}" in refusal(*MODEL, "humansense_ar,humansense_pc")


def test_a_pattern_without_a_task_is_refused_if_it_is_alone() -> None:
    first_checks.check((*MODEL, "humansense_sample_er,zzz*"))
    assert "There is no task 'zzz*'" in refusal(*MODEL, "zzz*")


def test_files_for_answers_and_results_are_left_to_lmms_eval(tmp_path: Path) -> None:
    (tmp_path / "answers.db").touch()
    file = str(tmp_path / "answers.db")
    first_checks.check((*MODEL, "humansense_sample", "--use_cache", file, "--output_path", file))


def test_without_a_network_and_without_questions_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "run `lmms-humansense prepare` with a network" in refusal(*MODEL, "humansense_ar")
    assert "HF_HUB_OFFLINE is set" in refusal(*MODEL, "humansense_ar")


def test_tasks_of_an_included_folder_are_known(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.yaml").write_text("task: my_own_task\n")
    assert "my_own_task" in refusal(*MODEL, "my_own_task")
    first_checks.check((*MODEL, "my_own_task", "--include_path", "mine"))


def test_a_task_that_is_newer_than_the_index_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lmms_eval"
    (package / "tasks" / "one").mkdir(parents=True)
    (package / "tasks" / "one" / "one.yaml").write_text("task: one_task\n")
    monkeypatch.setattr(harness_names, "folder", lambda: package)
    assert "There is no task 'two_task'" in (first_checks.unknown_tasks("two_task", None) or "")
    (package / "tasks" / "one" / "two.yaml").write_text("task: two_task\n")
    assert first_checks.unknown_tasks("two_task", None) is None


def test_nothing_heavy_is_imported_for_an_answer(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom lmms_humansense.run.command import run\n"
        "status = run(['--model', 'humansense_omni', '--model_args', 'pretrained=a/b', '--tasks', 'humansense_thin'])\n"
        "heavy = {'torch', 'lmms_eval', 'transformers', 'numpy', 'pandas', 'datasets'} & set(sys.modules)\n"
        "print(status, sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2 []\n"
    assert done.stderr.count("did you mean") == 1
