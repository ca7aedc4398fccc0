"""The settings in which a run differs from the release's code, which produced the paper's numbers.

The settings of the release are taken from its code (arXiv 2508.10576): its Qwen2.5-Omni-7B model file, prompts and
scorers.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas

from ..plugin.unanswered import WHY_EMPTY
from ..results.runs import Run
from ..tasks.humansense.prompts import SYSTEM_PROMPT, Style, build
from ..tasks.humansense.taxonomy import BY_CODE, TASKS

NOT_REPORTED = "not reported"

_RELEASE_TOKENS = 1024
"""transformers' default of `thinker_max_new_tokens` for Qwen2.5-Omni, which the release does not change."""


class Setting(NamedTuple):
    """The values of a setting in a run (`here`) and in the `release`."""

    name: str
    here: str
    release: str


def differences(run: Run) -> list[Setting]:
    """List the settings of a run that differ from the release's, or that the results do not report."""
    settings = [*_coverage(run), *_questions(run)]
    if run.is_rescored:
        source = f"{NOT_REPORTED} by the release's result files"
        return [*settings, Setting("how the responses were made", source, "its own code")]
    return [*settings, *_prompts(run), *_decoding(run), *_shown(run), *_model(run), *_software(run)]


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
        yield Setting("requests", f"failed, so not in the metric paper: {_counted(failed)}", "errors stop the run")
    blocked = {leaf.code: leaf.failed_as("blocked") for leaf in run.leaves.values()}
    if any(blocked.values()):
        yield Setting("failed requests", f"blocked by a safety filter: {_counted(blocked)}", "not counted")
    empty = {leaf.code: f"{leaf.empty:,} of {len(leaf.samples):,}" for leaf in run.leaves.values() if leaf.empty}
    if empty:
        why = f" ({WHY_EMPTY})" if run.is_of_wrapper else ""
        counts = ", ".join(f"{code} {count}" for code, count in empty.items())
        yield Setting("empty responses", f"not in the metric paper: {counts}{why}", "left out")
    truncated = {leaf.code: leaf.truncated for leaf in run.leaves.values()}
    if any(truncated.values()):
        yield Setting("responses", f"cut off at max_new_tokens: {_counted(truncated)}", "not counted")
    stopped = {leaf.code: leaf.stopped for leaf in run.leaves.values()}
    if any(stopped.values()):
        yield Setting("scorer", f"counts 0 where the release's stops with an error: {_counted(stopped)}", "stops")


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
        setting.style: setting.style != "plain",
        "transcript before the prompt": setting.transcript,
        "guide before the prompt (in our words)": setting.guide,
        "without sound": setting.shown == "silent",
        "without media": setting.shown == "none",
    }
    if setting.name:
        changes = ", ".join(what for what, is_so in asked.items() if is_so)
        yield Setting("variant", f"{setting.group}: {changes}", "plain prompts, all media of the task (main table)")
    if run.settings.get("version") is not None:
        yield Setting("task version", f"{run.settings['version']}", "unversioned")
    other = {code: _other_prompts(leaf.samples, setting.style) for code, leaf in run.leaves.items()}
    if any(other.values()):
        yield Setting("prompts", f"other than the release's: {_counted(other)}", "its own")
    system_prompt = run.info.get("system_prompt", NOT_REPORTED)
    if system_prompt != SYSTEM_PROMPT:
        yield Setting("system prompt", _short(system_prompt), "Qwen2.5-Omni's own")


def _other_prompts(samples: pandas.DataFrame, style: Style) -> int:
    """How many logged prompts do not end with the release's prompt."""
    return sum(
        not row.prompt.endswith(build(row.question, row.pattern, row.options, style)) for row in samples.itertuples()
    )


def _decoding(run: Run) -> Iterator[Setting]:
    generation = run.settings.get("generation") or {}
    if "temperature" in run.info.get("refused_arguments", ()):
        yield Setting("decoding", "chosen by the server, which accepts no temperature", "sampled, no arguments")
    elif not generation.get("do_sample"):
        yield Setting("decoding", "greedy", "sampled, which is transformers' default for this model")
    else:
        given = [f"{key} {value}" for key, value in generation.items() if key in ("temperature", "top_p", "top_k")]
        yield Setting("decoding", f"sampled ({', '.join(given) or 'no arguments'})", "sampled, no arguments")
    most = generation.get("max_new_tokens")
    if most != _RELEASE_TOKENS:
        yield Setting("max_new_tokens", str(most), f"the default, {_RELEASE_TOKENS:,} for the thinker")
    stops = [stop for stop in generation.get("until") or [] if stop]
    if stops:
        yield Setting("stop strings", ", ".join(map(repr, stops)), "none")
    if run.settings["model"] == "humansense_omni" and run.settings.get("model_type") != "qwen2_audio":
        yield Setting("speech", "not generated (only the thinker runs)", "generated by the talker and discarded")


def _shown(run: Run) -> Iterator[Setting]:
    axes = {str(axis) for leaf in run.leaves.values() for axis in leaf.samples["time_axis"].dropna()}
    axis = ", ".join(sorted(axes)) or str(run.settings.get("time_axis", NOT_REPORTED))
    if axis not in ("release", "auto") and run.setting.shown != "none":
        yield Setting("time axis", axis, "assumes 2 frames per second at any sampling rate")
    wanted: dict[str, tuple[Any, str]] = {
        "frames": ("release", "at most 24, 1 per second or fewer for long clips"),
        "fps": (None, "see frames"),
        "nframes": (None, "see frames"),
        "max_pixels": (None, "360×420 per frame"),
        "video_reader": ("decord", "decord, which also counts what a cut left in a file and no player shows"),
        "use_audio_in_video": ("auto", "heard in the tasks that have it"),
    }
    for name, (usual, release) in wanted.items():
        value = run.settings.get(name, NOT_REPORTED if usual else None)
        if value != usual:
            yield Setting(name, str(value), release)
    if run.settings.get("media") not in (None, "vllm"):
        sent = f"{run.settings['media']}: pictures ({run.settings.get('frame_format')}), then sound"
        yield Setting("media", sent, "decoded frames, interleaved with their sound")
    yield from _heard(run)
    yield from _senses(run)


def _senses(run: Run) -> Iterator[Setting]:
    found = run.info.get("senses")
    if isinstance(found, dict):
        unknown = [
            what for what, sense in (("pictures", "sight"), ("sounds", "sound")) if found.get(sense) == "unknown"
        ]
        if unknown:
            yield Setting("senses", f"not known whether {' and '.join(unknown)} arrive at the model", "they do")
    elif found is not None:
        why = "earlier runs had all answers" if found == "check" else f"senses={found}"
        yield Setting("senses", f"not checked ({why})", "pictures and sounds arrive")


def _heard(run: Run) -> Iterator[Setting]:
    reported = {code: leaf.samples["seconds_heard"].dropna() for code, leaf in run.leaves.items()}
    known = {code: bool((seconds > 0).any()) for code, seconds in reported.items() if len(seconds)}
    deaf = [task.code for task in TASKS if task.has_sound and known.get(task.code) is False]
    hearing = [task.code for task in TASKS if not task.has_sound and known.get(task.code)]
    if deaf:
        yield Setting("sound", f"not heard in {', '.join(deaf)}", "heard there")
    if hearing:
        yield Setting("sound", f"heard in {', '.join(hearing)}", "not heard there")


def _model(run: Run) -> Iterator[Setting]:
    if run.settings.get("random_weights"):
        yield Setting("weights", "random", "trained")
    wanted = {"dtype": "bfloat16", "attn_implementation": "flash_attention_2", "quantization": "None"}
    for name, usual in wanted.items():
        value = str(run.settings.get(name, NOT_REPORTED))
        if value != usual:
            yield Setting(name, value, "none" if usual == "None" else usual)
    yield from _engine(run)
    size = run.info.get("batch_size")
    if size not in (None, 1):
        yield Setting("batch size", str(size), "1")


def _engine(run: Run) -> Iterator[Setting]:
    """What runs the model, if it is vLLM, and how many answers each of its known faults concerns."""
    if run.settings.get("engine") == "vllm":
        version = (run.info.get("versions") or {}).get("vllm", NOT_REPORTED)
        mends = run.settings.get("vllm_mends") or {}
        open_faults = [f"{name} ({state})" for name, state in mends.items() if state != "applied"]
    elif run.settings.get("media") == "vllm":
        server = run.settings.get("vllm_server") or {}
        version = server.get("version") or NOT_REPORTED
        open_faults = [] if server.get("mended") else ["all of its faults"]
    else:
        return
    marked = _marked(run)
    corrected = "its other faults corrected" if marked else "its faults corrected"
    state = f"not corrected: {', '.join(open_faults)}" if open_faults else corrected
    concerned = [f"{fault} ({_counted(counts)})" for fault, counts in marked.items()]
    answers = f"; answers that may differ: {'; '.join(concerned)}" if concerned else ""
    yield Setting("engine", f"vLLM {version}, {state}{answers}", "transformers")


def _marked(run: Run) -> dict[str, dict[str, int]]:
    """How many samples of each task have the mark of each fault of vLLM."""
    marked: dict[str, dict[str, int]] = {}
    for code, leaf in run.leaves.items():
        for fault, count in Counter(fault for faults in leaf.samples["vllm_faults"] for fault in faults).items():
            marked.setdefault(fault, {})[code] = count
    return marked


def _software(run: Run) -> Iterator[Setting]:
    versions = run.info.get("versions") or {}
    of_model = [f"{name} {versions[name]}" for name in ("transformers", "torch") if name in versions]
    yield Setting("versions", ", ".join(of_model) or NOT_REPORTED, "not pinned")
    if run.settings["model"] == "humansense_omni":
        decoders = ", ".join(f"{name} {versions[name]}" for name in ("av", "decord") if name in versions)
        here = f"{decoders}: the same frames" if decoders else "the same frames"
        yield Setting("decoding of media", here, "decord and ffmpeg through qwen-omni-utils")
    responses = {code: leaf.samples["response"] for code, leaf in run.leaves.items()}
    spaced = {code: int((given != given.str.strip()).sum()) for code, given in responses.items()}
    if any(spaced.values()):
        yield Setting("white space around responses", f"stripped by lmms-eval: {_counted(spaced)}", "scored")


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{code} {count:,}" for code, count in counts.items() if count)


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
