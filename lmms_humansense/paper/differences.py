"""In which settings a run differs from the release's code, which the paper's numbers come from.

What the release does is in its code (arXiv 2508.10576): its own Qwen2.5-Omni-7B model file, prompts and scorers.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pandas

from ..results.runs import Run
from ..tasks.humansense.prompts import SYSTEM_PROMPT, Style, build
from ..tasks.humansense.taxonomy import BY_CODE, TASKS

NOT_TOLD = "not told"


class Setting(NamedTuple):
    """One setting: what it was `here`, and what it is in the `release`."""

    name: str
    here: str
    release: str


def differences(run: Run) -> list[Setting]:
    """The settings of a run that differ from the release's, or that the results do not tell."""
    kinds = (_coverage, _questions) if run.is_rescored else (_coverage, _questions, *_OF_A_RUN)
    found = [setting for kind in kinds for setting in kind(run)]
    if run.is_rescored:
        found.append(
            Setting("how the responses were made", f"{NOT_TOLD} by the release's result files", "its own code")
        )
    return found


def _coverage(run: Run) -> Iterator[Setting]:
    whole = "all questions"
    if run.is_sample:
        yield Setting("questions", "the embedded sample", "the benchmark's 3,882")
    limit, offset = run.settings.get("limit"), run.settings.get("offset")
    if limit is not None or offset:
        yield Setting("questions asked", f"--limit {limit} --offset {offset or 0}", whole)
    absent = [task.code for task in run.setting.tasks if task.code not in run.leaves]
    if absent:
        yield Setting("tasks", f"without {', '.join(absent)}", "all")
    missing = {leaf.code: leaf.missing for leaf in run.leaves.values() if leaf.missing}
    if missing and limit is None:
        yield Setting("samples", f"missing: {_counted(missing)}", whole)
    failed = {leaf.code: leaf.failed for leaf in run.leaves.values()}
    if any(failed.values()):
        yield Setting("requests", f"failed, so not in paper: {_counted(failed)}", "errors stop the run")
    stopped = {leaf.code: leaf.stopped for leaf in run.leaves.values()}
    if any(stopped.values()):
        yield Setting("scorer", f"counts 0 where the release's stops: {_counted(stopped)}", "stops")


def _questions(run: Run) -> Iterator[Setting]:
    sizes = {leaf.code: leaf.total for leaf in run.leaves.values() if leaf.total != BY_CODE[leaf.code].count}
    if sizes and not run.is_sample:
        paper = {code: BY_CODE[code].count for code in sizes}
        yield Setting("questions per task", _counted(sizes), f"in the paper {_counted(paper)}")
    for origin in run.origins:
        if origin.get("commit"):
            yield Setting("data", f"{origin['source']} at {str(origin['commit'])[:12]}", "commit not published")


def _prompts(run: Run) -> Iterator[Setting]:
    setting = run.setting
    asked = {
        "think": setting.style == "think",
        "transcript before the prompt": setting.transcript,
        "guide before the prompt (in our words)": setting.guide,
        "without sound": setting.shown == "silent",
        "without media": setting.shown == "none",
    }
    if setting.name:
        told = ", ".join(what for what, is_so in asked.items() if is_so)
        yield Setting(
            "variant", f"{setting.group}: {told}", "the paper's main table: plain prompts, media as the task has"
        )
    if run.settings.get("version") is not None:
        yield Setting("task version", f"{run.settings['version']}", "unversioned")
    other = {code: _other_prompts(leaf.samples, setting.style) for code, leaf in run.leaves.items()}
    if any(other.values()):
        yield Setting("prompts", f"others than the release's: {_counted(other)}", "its own")
    said = run.info.get("system_prompt", NOT_TOLD)
    if said != SYSTEM_PROMPT:
        yield Setting("system prompt", _short(said), "Qwen2.5-Omni's own")


def _other_prompts(samples: pandas.DataFrame, style: Style) -> int:
    """How many logged prompts do not end with that of the release."""
    return sum(
        not row.prompt.endswith(build(row.question, row.pattern, row.options, style)) for row in samples.itertuples()
    )


def _decoding(run: Run) -> Iterator[Setting]:
    generation = run.settings.get("generation") or {}
    if "temperature" in run.info.get("refused_arguments", ()):
        yield Setting("decoding", "as the server does, which takes no temperature", "sampled, no arguments")
    elif not generation.get("do_sample"):
        yield Setting("decoding", "greedy", "sampled, as transformers does for this model if not told otherwise")
    else:
        told = ", ".join(
            f"{key} {value}" for key, value in generation.items() if key in ("temperature", "top_p", "top_k")
        )
        yield Setting("decoding", f"sampled ({told or 'no arguments'})", "sampled, no arguments")
    most = generation.get("max_new_tokens")
    if most != _RELEASE_TOKENS:
        yield Setting("max_new_tokens", str(most), f"not given, which is {_RELEASE_TOKENS:,} for the thinker")
    stops = [stop for stop in generation.get("until") or [] if stop]
    if stops:
        yield Setting("stop strings", ", ".join(map(repr, stops)), "none")
    if run.settings["model"] == "humansense_omni":
        yield Setting("speech", "not generated (the thinker alone)", "talker on, its speech thrown away")


_RELEASE_TOKENS = 1024
"""transformers' `thinker_max_new_tokens` of Qwen2.5-Omni, which the release leaves as it is."""


def _shown(run: Run) -> Iterator[Setting]:
    axes = {str(axis) for leaf in run.leaves.values() for axis in leaf.samples["time_axis"].dropna()}
    axis = ", ".join(sorted(axes)) or str(run.settings.get("time_axis", NOT_TOLD))
    if axis not in ("release", "auto") and run.setting.shown != "none":
        yield Setting("time axis", axis, "2 frames per second assumed, whatever was sampled")
    wanted: dict[str, tuple[Any, str]] = {
        "frames": ("release", "at most 24, 1 per second or fewer for long clips"),
        "fps": (None, "as the frames"),
        "nframes": (None, "as the frames"),
        "max_pixels": (None, "360×420 for a frame"),
        "use_audio_in_video": ("auto", "heard in the tasks that have it"),
    }
    for name, (usual, release) in wanted.items():
        value = run.settings.get(name, NOT_TOLD)
        if value != usual and not (usual is None and value == NOT_TOLD):
            yield Setting(name, str(value), release)
    if run.settings.get("media") is not None:
        form = run.settings.get("frame_format")
        is_whole = run.settings["media"] == "vllm"
        told = "clips and sounds, decoded by the server" if is_whole else f"pictures ({form}), then sound"
        yield Setting("media", f"{run.settings['media']}: {told}", "decoded frames, their sound between them")
    yield from _heard(run)


def _heard(run: Run) -> Iterator[Setting]:
    told = {code: leaf.samples["seconds_heard"].dropna() for code, leaf in run.leaves.items()}
    known = {code: bool((seconds > 0).any()) for code, seconds in told.items() if len(seconds)}
    deaf = [task.code for task in TASKS if task.has_sound and known.get(task.code) is False]
    hearing = [task.code for task in TASKS if not task.has_sound and known.get(task.code)]
    if deaf:
        yield Setting("sound", f"not heard in {', '.join(deaf)}", "heard there")
    if hearing:
        yield Setting("sound", f"heard in {', '.join(hearing)}", "not heard there")


def _model(run: Run) -> Iterator[Setting]:
    if run.settings.get("random_weights"):
        yield Setting("weights", "random", "trained")
    wanted: dict[str, tuple[str, ...]] = {
        "dtype": ("bfloat16",), "attn_implementation": ("flash_attention_2",), "quantization": ("None",),
    }  # fmt: skip
    for name, usual in wanted.items():
        value = str(run.settings.get(name, NOT_TOLD))
        if value not in usual:
            yield Setting(name, value, "none" if usual == ("None",) else usual[0])
    size = run.info.get("batch_size")
    if size not in (None, 1):
        yield Setting("batch size", str(size), "1")


def _software(run: Run) -> Iterator[Setting]:
    versions = run.info.get("versions") or {}
    of_model = [f"{name} {versions[name]}" for name in ("transformers", "torch") if name in versions]
    yield Setting("versions", ", ".join(of_model) or NOT_TOLD, "not pinned")
    if run.settings["model"] == "humansense_omni":
        decoders = ", ".join(f"{name} {versions[name]}" for name in ("av", "decord") if name in versions)
        said = f"{decoders}: the same frames" if decoders else "the same frames"
        yield Setting("decoding of media", said, "decord and ffmpeg through qwen-omni-utils")
    spaced = {leaf.code: int((leaf.samples["response"] != leaf.samples["response"].str.strip()).sum())
              for leaf in run.leaves.values()}  # fmt: skip
    if any(spaced.values()):
        yield Setting("white space around responses", f"taken off by lmms-eval: {_counted(spaced)}", "scored")


_OF_A_RUN: tuple[Callable[[Run], Iterator[Setting]], ...] = (_prompts, _decoding, _shown, _model, _software)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{code} {count:,}" for code, count in counts.items() if count)


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
