"""What cannot work is answered before lmms-eval is started, with one sentence that says what was meant."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lmms_humansense.plugin import harness_names
from lmms_humansense.run import device_checks, first_checks, generation_checks, model_checks, wrapper_arguments
from lmms_humansense.run.arguments import ArgumentsError
from lmms_humansense.tasks.humansense_sample.utils import ROOT

MODEL = ("--model", "humansense_omni", "--model_args", "pretrained=owner/name", "--tasks")
SAMPLE = (*MODEL, "humansense_sample")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HUMANSENSE_DATA", "LMMS_EVAL_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    reach(monkeypatch, None)


def reach(monkeypatch: pytest.MonkeyPatch, reason: str | None) -> None:
    """Let all servers be out of reach for a reason; None for within reach."""
    for module in (first_checks, model_checks):
        monkeypatch.setattr(module, "why_out_of_reach", lambda _: reason)


def refusal(*arguments: str) -> str:
    with pytest.raises(ArgumentsError) as raised:
        first_checks.check(arguments)
    return str(raised.value)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((*MODEL, "humansense_thin"), "There is no task 'humansense_thin'; did you mean humansense_think"),
        ((*MODEL, "humansense_sample, humansense_er"), "There is no task ' humansense_er': leave out the space"),
        ((*MODEL, "humansence"), "did you mean humansense? `lmms"),
        ((*MODEL, "humansense_sample,humansense_sample_er"), "--tasks names humansense_sample_er more than once"),
        ((*MODEL, "humansense_sample_think*"), "--tasks names humansense_sample_think_"),
        ((*SAMPLE, "--limit", "0"), "--limit 0 leaves no question"),
        ((*SAMPLE, "--verbosity", "debug"), "--verbosity debug: the levels are TRACE, DEBUG"),
        ((*SAMPLE, "--verbosity", "debug"), "did you mean DEBUG?"),
        ((*SAMPLE, "--verbosity", "FOO"), "ERROR, CRITICAL."),
        ((*SAMPLE, "--gen_kwargs", "max_new_tokens=abc"), "max_new_tokens='abc' cannot be used: it has to be a whole"),
        ((*SAMPLE, "--gen_kwargs", "max_new_tokens"), "contains 'max_new_tokens', which is not of the form name=value"),
        ((*SAMPLE, "--gen_kwargs", "max_new_token=3"), "no argument 'max_new_token'; did you mean max_new_tokens?"),
        ((*SAMPLE, "--gen_kwargs", "top_p=1,temperture=1"), "no argument 'temperture'; did you mean temperature?"),
        ((*SAMPLE, "--max_new_tokens", "5"), "did you mean --gen_kwargs max_new_tokens=5?"),
        ((*SAMPLE, "--max-new-tokens=5"), "did you mean --gen_kwargs max_new_tokens=5?"),
        ((*SAMPLE, "--pretrained", "DIR"), "did you mean --model_args pretrained=DIR?"),
        ((*SAMPLE, "--device", "cdua"), "device=cdua: there is no such device; did you mean cuda?"),
        ((*SAMPLE, "--system_instruction", "no/system.txt"), "--system_instruction=no/system.txt is neither a file"),
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
        (
            "omni",
            "pretrained=owner/name,system_prompt=sytem.txt",
            "system_prompt=sytem.txt is neither a file nor a text",
        ),
        ("omni", "pretrained=owner/name,attn_implementation=sdpaa", "no such implementation; did you mean sdpa?"),
        ("omni", "pretrained=owner/name,device=gpu", "device=gpu: there is no such device; did you mean cuda?"),
        ("omni", "pretrained=owner/name,media_cache=/proc/no/such", "media_cache=/proc/no/such cannot be made"),
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


@pytest.mark.parametrize("tasks", ["humansense_sample", "humansense_sample_e?,mmmu_val", "humansense_sample_think"])
@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--limit=3", "-b", "2", "--use_cache", "kept", "--verbosity", "DEBUG", "--device", "cpu"),
        ("--gen_kwargs", "max_new_tokens=5,top_p=0.5,guidance_scale=2,presence_penalty=1"),
        ("--gen_kwargs", 'until=["max_new_tokens", "b"]', "--system_instruction", "Answer with yes/no."),
    ],
    ids=["plain", "more", "generation", "texts"],
)
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


def test_a_folder_with_a_similar_name_is_meant(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text("{}")
    for given, said in (("tinyy", "did you mean tiny?"), ("./tinyy", "no such folder; did you mean tiny?")):
        asked = ("--model", "humansense_omni", "--model_args", f"pretrained={given}", "--tasks", "humansense_sample")
        assert said in refusal(*asked)
    first_checks.check(SAMPLE)


def test_a_device_is_refused_only_if_it_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise OSError

    monkeypatch.setattr("ctypes.CDLL", fail)
    monkeypatch.setattr("sys.platform", "linux")
    for build, sentence in (
        ("2.9.0+cpu", "is one for the CPU"),
        ("2.9.0", "no NVIDIA driver"),
        ("2.9.0+cu130", "no NV"),
    ):
        monkeypatch.setattr("importlib.metadata.version", lambda _, build=build: build)
        with pytest.raises(ValueError, match=sentence):
            device_checks.check_device("cuda:1")
    monkeypatch.setattr("importlib.metadata.version", lambda _: "2.9.0+rocm6.4")
    for device in ("cuda", "auto", "cpu", "mps", "npu:0", "xpu", "a_new_kind"):
        device_checks.check_device(device)


@pytest.mark.parametrize("name", ["auto", "eager", "paged|sdpa", "kernels-community/flash-attn", "my_own_attention"])
def test_names_of_attention_that_may_be_known_pass(name: str) -> None:
    device_checks.check_attention(name)


def test_nothing_is_refused_if_the_names_of_the_libraries_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation_checks, "generation_arguments", lambda: None)
    generation_checks.check_generation("max_new_token=3")
    monkeypatch.setattr(device_checks, "source_of", lambda *_: "")
    device_checks.check_attention("sdpaa")


SERVER = (
    "--model",
    "humansense_server",
    "--model_args",
    "base_url=http://localhost:1/v1,model=m,media=vllm",
    "--tasks",
)


def test_a_server_and_the_hub_have_to_be_within_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first_checks.check((*SERVER, "humansense_sample", "--batch_size", "1"))
    assert "makes no batches (batch_size=4)" in refusal(*SERVER, "humansense_sample", "--batch_size", "4")
    first_checks.check((*MODEL, "humansense"))
    reach(monkeypatch, "Connection refused")
    assert "base_url=http://localhost:1/v1 cannot be reached (Connection refused)" in refusal(
        *SERVER, "humansense_sample"
    )
    assert "pretrained=owner/name is no folder and not in the Hub's cache, and https" in refusal(*SAMPLE)
    said = refusal(*MODEL, "humansense")
    assert said.startswith("The questions are not in the Hub's cache, and https://")
    assert "run `lmms-humansense prepare` with a network" in said
    first_checks.check((*SERVER, "humansense_sample"), loads=False)
    first_checks.check(SAMPLE, loads=False)
    monkeypatch.setenv("HUMANSENSE_DATA", str(ROOT))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    (tmp_path / "models--owner--name").mkdir()
    first_checks.check((*MODEL, "humansense"))


def test_each_evaluation_of_a_file_is_checked(tmp_path: Path) -> None:
    def asked(*evaluations: dict[str, object]) -> tuple[str, str]:
        (tmp_path / "all.yaml").write_text(json.dumps(evaluations))
        return ("--config", "all.yaml")

    fine = {"model": "humansense_omni", "model_args": {"pretrained": "o/n"}, "tasks": "humansense_sample", "limit": 2}
    first_checks.check(asked(fine, {**fine, "log_samples": True, "cache_requests": True}))
    first_checks.check(asked({**fine, "tasks": "humansense_thin", "env": {"HUMANSENSE_DATA": "/data"}}))
    assert "--config all.yaml, evaluation 2: There is no task 'humansense_thin'" in refusal(
        *asked(fine, {**fine, "tasks": "humansense_thin"})
    )
    assert "evaluation 1: humansense_omni has no argument 'ftp'" in refusal(
        *asked({**fine, "model_args": {"pretrained": "o/n", "ftp": 1}})
    )
    assert "taskss in --config all.yaml is not an option of lmms-eval; did you mean tasks?" in refusal(
        *asked(fine, {**fine, "taskss": "x"})
    )


@pytest.mark.parametrize(
    ("model", "arguments", "said"),
    [
        ("qwen2_5_omni", "pretraned=x", "--model qwen2_5_omni has no argument 'pretraned'; did you mean pretrained?"),
        ("qwen2_5_omni", "pretrained", "--model_args contains 'pretrained', which is not of the form name=value"),
    ],
)
def test_an_argument_of_a_model_of_lmms_eval_is_checked(model: str, arguments: str, said: str) -> None:
    assert said in refusal("--model", model, "--model_args", arguments, "--tasks", "humansense_sample")


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        ("qwen2_5_omni", "pretrained=x,device_map=auto,fps=1"),
        ("qwen2_5_omni", "an_argument_of_another_release=1"),
        ("dummy", "responses=x"),
        ("openai", "modelversion=x"),
    ],
)
def test_arguments_that_a_model_of_lmms_eval_may_take_pass(model: str, arguments: str) -> None:
    first_checks.check(("--model", model, "--model_args", arguments, "--tasks", "humansense_sample"))


def test_what_a_model_of_lmms_eval_does_with_others_has_to_be_certain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(signature: str, body: str = "pass") -> None:
        source = f"class A:\n    def __init__({signature}):\n        {body}\n"
        monkeypatch.setattr(wrapper_arguments, "source_of", lambda _, file: source if "simple" in file else "")
        wrapper_arguments.check_wrapper_args("a", "pretraned=x")

    taken("self, pretrained='', **more")
    taken("self, pretrained='', **more", "assert more, 'some'")
    for signature, body in (("self, pretrained=''", "pass"), ("self, *, pretrained='', **more", "assert more == {}")):
        with pytest.raises(ValueError, match="did you mean pretrained"):
            taken(signature, body)
