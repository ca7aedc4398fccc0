"""Flags of lmms-eval, and what they do with this package's tasks and models: what the tests expect and the docs say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MODEL = "{model}"
TWO = "--tasks humansense_sample_ar,humansense_sample_tr --limit 1"
OMNI = f"--model humansense_omni --model_args pretrained={MODEL},device=cpu,media_workers=0"
SEEN = {"sample_ar": (560, 0.0), "sample_tr": (1069, 9.536)}
"""The prompt tokens and seconds heard of the first question of each of the two tasks."""


@dataclass(frozen=True)
class Case:
    """A command line.

    Attributes:
        flag: What is tried, as the docs name it.
        arguments: The arguments of lmms-eval, with `{model}` for a tiny checkpoint and `{folder}` for an empty folder.
        effect: What happens, as the docs say it.
        status: The exit status of lmms-eval.
        shown: By task, the prompt tokens and seconds heard of its first question; empty if no results are written.
        asked: How many questions are asked in all.
        responses: By task, the response to its first question.
        recorded: Values in the results file, by their path with points.
        says: A part of what is printed.
        writes: Whether an output folder is given.
    """

    flag: str
    arguments: str
    effect: str
    status: int = 0
    shown: Mapping[str, tuple[int, float]] = field(default_factory=lambda: SEEN)
    asked: int = 2
    responses: Mapping[str, str] = field(default_factory=dict)
    recorded: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""
    writes: bool = True


def broken(flag: str, arguments: str, effect: str, says: str, status: int = 0) -> Case:
    """A command line that ends without results."""
    return Case(flag, arguments, effect, status, shown={}, asked=0, says=says)


RUNS = {
    "plain": Case("(none)", f"{OMNI} {TWO}", "Each question is asked."),
    "max_new_tokens": Case(
        "--gen_kwargs max_new_tokens=3",
        f"{OMNI} {TWO} --gen_kwargs max_new_tokens=3",
        "The limit of the task is replaced.",
        responses={"sample_tr": "[response truncated] 3AB"},
        recorded={"configs.humansense_sample_ar.generation_kwargs.max_new_tokens": 3},
    ),
    "until": Case(
        "--gen_kwargs until=A",
        f"{OMNI} {TWO} --gen_kwargs until=A",
        "The response ends before this text.",
        responses={"sample_tr": "[response complete] 3"},
    ),
    "limit": Case("--limit 2", f"{OMNI} {TWO} --limit 2", "The first questions of each task.", asked=4),
    "half": Case(
        "--limit 0.5",
        f"{OMNI} {TWO} --limit 0.5",
        "lmms-eval takes the share of the first task as the number of questions of every task. Give a whole number.",
        asked=4,
    ),
    "offset": Case(
        "--offset 1",
        f"{OMNI} {TWO} --offset 1",
        "The questions from the second one on.",
        shown={"sample_ar": (589, 0.0), "sample_tr": (1080, 9.536)},
    ),
    "seed": Case("--seed 42", f"{OMNI} {TWO} --seed 42", "Used if answers are sampled."),
    "batch_size": Case("--batch_size 4", f"{OMNI} {TWO} --batch_size 4", "The most prompts of a batch."),
    "predict_only": Case(
        "--predict_only",
        f"{OMNI} {TWO} --predict_only",
        "Responses without scores. `report` names the flag.",
        recorded={"results.humansense_sample_ar.bypass,none": 999},
    ),
    "process_docs_parallel": Case(
        "--process_docs_parallel 2", f"{OMNI} {TWO} --process_docs_parallel 2", "No effect on scores."
    ),
    "force_simple": Case("--force_simple", f"{OMNI} {TWO} --force_simple", "No effect on this package's models."),
    "reasoning_tags": Case(
        "--reasoning_tags",
        f"""{OMNI} {TWO} --reasoning_tags '[["<a>","</a>"]]'""",
        "lmms-eval takes these parts off before it scores, also off responses to think prompts. Leave it out.",
    ),
    "process_with_media": Case("--process_with_media", f"{OMNI} {TWO} --process_with_media", "No effect on scores."),
    "write_out": Case("--write_out", f"{OMNI} {TWO} --write_out", "Prompts are printed."),
    "show_config": Case("--show_config", f"{OMNI} {TWO} --show_config", "The settings of the tasks are printed."),
    "include_path": Case(
        "--include_path FOLDER", f"{OMNI} {TWO} --include_path {{folder}}", "Tasks of yours are added."
    ),
    "temperature": Case(
        "--gen_kwargs temperature=1",
        f"{OMNI} {TWO} --gen_kwargs temperature=1,max_new_tokens=6 --seed 7",
        "Answers are sampled, though the task says `do_sample: false`.",
        recorded={"model_info.generation_of_tasks.humansense_sample_ar.do_sample": True},
    ),
    "contradiction": broken(
        "--gen_kwargs do_sample=True,temperature=0",
        f"{OMNI} {TWO} --gen_kwargs do_sample=True,temperature=0",
        "Refused: one of the two has to go.",
        "contradicts temperature=0",
        1,
    ),
    "bad_value": broken(
        "--gen_kwargs max_new_tokens=abc",
        f"{OMNI} {TWO} --gen_kwargs max_new_tokens=abc",
        "Refused before the model is loaded.",
        "max_new_tokens='abc' cannot be used",
        1,
    ),
    "system_instruction": Case(
        "--system_instruction TEXT",
        f"{OMNI} {TWO} --system_instruction PIRATE",
        "Takes the place of the release's system message, with a remark.",
        shown={"sample_ar": (470, 0.0), "sample_tr": (979, 9.536)},
        recorded={"model_info.system_prompt": "PIRATE"},
    ),
    "cache_requests": broken(
        "--cache_requests true",
        f"{OMNI} {TWO} --cache_requests true",
        "Refused: lmms-eval loses the messages of chat models. `--use_cache` keeps answers.",
        "--cache_requests loses the messages",
        1,
    ),
    "baseline": Case(
        "--baseline FILE",
        f"{OMNI} {TWO} --baseline {{folder}}/old.jsonl",
        "A warning: nothing is compared. Use `lmms-humansense report A B`.",
        says="--baseline compares nothing here",
    ),
    "repeats": Case(
        "-n 3",
        f"{OMNI} {TWO} -n 3",
        "A warning: each question is asked three times, and only the first response is scored. Use several `--seed`.",
        says="-n 3 asks each question 3 times",
    ),
    "power": Case(
        "--power-analysis",
        "--model humansense_omni --power-analysis --tasks humansense_sample",
        "The numbers of questions that a difference needs; no model is loaded.",
        shown={},
        asked=0,
        says="Minimum sample size",
        writes=False,
    ),
    "sees_only": broken(
        "a task of sound for a model that only sees",
        "--model llava_hf --tasks humansense_sample_fr2 --limit 1",
        "Refused before the model is loaded.",
        "HumanSense",
        1,
    ),
    "device_twice": broken(
        "--device and device=", f"{OMNI} {TWO} --device cpu", "Refused: give it once.", "use --device instead", 1
    ),
    "auto": broken(
        "--batch_size auto",
        f"{OMNI} {TWO} --batch_size auto",
        "Refused. A batch that does not fit into memory is split, so a large number is safe.",
        "batch_size=auto",
        1,
    ),
    "fewshot": broken(
        "--num_fewshot 1",
        f"{OMNI} {TWO} --num_fewshot 1",
        "lmms-eval breaks off: its chat tasks have no examples. The benchmark is asked without.",
        "no attribute 'sampler'",
        3,
    ),
    "json": broken(
        "--gen_kwargs with JSON",
        f"""{OMNI} {TWO} --gen_kwargs '{{{{"max_new_tokens": 3}}}}'""",
        "lmms-eval breaks off: write `max_new_tokens=3,temperature=0`.",
        "not enough values to unpack",
        1,
    ),
    "chat_template": broken(
        "--apply_chat_template",
        f"{OMNI} {TWO} --apply_chat_template",
        "lmms-eval breaks off. The model's chat template is always applied; leave it out.",
        "no attribute 'chat_template'",
        1,
    ),
    "integrity": broken(
        "--check_integrity",
        f"{OMNI} {TWO} --check_integrity",
        "lmms-eval breaks off: it looks for its own tests. Run `lmms-humansense prepare --check`.",
        "Unable to find package root",
        1,
    ),
    "file": broken(
        "--tasks FILE.yaml",
        f"{OMNI} --tasks {{folder}}/humansense_sample_ar.yaml --limit 1",
        "Not found. Name the task; `--include_path` adds folders.",
        "Tasks not found",
    ),
    "wildcard_of_a_group": broken(
        "--tasks humansense_sample_blind*",
        f"{OMNI} --tasks humansense_sample_blind* --limit 1",
        "Refused: it names the group and its tasks, so that each question would be asked twice.",
        "more than once",
        1,
    ),
    "from_log": broken(
        "--model from_log",
        f"--model from_log --model_args logs={{folder}},have_limits=True {TWO}",
        "lmms-eval cannot read the logs that it writes. `--use_cache` keeps answers.",
        "KeyError: 'humansense_sample_tr'",
        3,
    ),
    "wildcard": broken(
        "--tasks with a wildcard",
        f"{OMNI} --tasks humansense_sample_a? --limit 1",
        "Not found. Name groups or tasks.",
        "Tasks not found",
    ),
}
"""The cases by name. A name is that of an output folder."""
