"""What each model of lmms-eval is given of a video and its sound: the only table of them. Standard library only.

lmms-eval calls the class behind a `--model` name a wrapper. Many names have two: the chat wrapper, which gets messages,
and the simple wrapper (`--force_simple`), which gets a text and a list of media. Wrappers take sound in different
forms, and some lose it without an error, so that a form stands here only if lmms-eval 0.7.3's wrapper was run with it.
Wrappers whose package cannot be had were only read (`tried=False`). Of all others nothing is known.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from .taxonomy import Task
from .variants import Variant

Form = Literal["chat", "simple"]
"""Which of the two wrappers of a name is meant."""

Sound = Literal["own", "wav", "data", "array"]
"""How a sound is handed over: the file itself, a WAV file of its sound, this WAV as a `data:` URL, or its samples."""

Video = Literal["own", "any", "heard", "silent"]
"""How a video is handed over: the file itself; with a suffix that is true; the same, and it must have a sound track;
the same, and without its sound."""

Case = Literal["video", "video+sound", "audio", "blind"]
"""What a question shows: a video without its sound, a video with its sound, an audio file, nothing."""


@dataclass(frozen=True)
class Wrapper:
    """What a wrapper takes.

    Attributes:
        sees: Whether it takes our videos.
        hears: Whether its models hear. If not, and sound can reach them, HUMANSENSE_HEARS=1 says that this model does.
        sound: The form in which it takes a sound; None if no sound reaches its models.
        plays: Whether it plays the sound that a video file has. It then gets no second medium.
        stops: Questions for which it cannot be used, each with a sentence part that says why and what works.
        tried: Whether it was run with our tasks, and not only read.
        known: Whether it is in the table.
    """

    sees: bool = True
    hears: bool = False
    sound: Sound | None = None
    plays: bool = False
    stops: Mapping[Case, str] = field(default_factory=dict)
    tried: bool = True
    known: bool = True


@dataclass(frozen=True)
class MediaForms:
    """How the media of a question are handed over.

    Attributes:
        video: The form of its video; None without a video.
        sound: The form of its sound; None without a sound beside the video.
    """

    video: Video | None = None
    sound: Sound | None = None


class Unfit(ValueError):
    """A question cannot be asked through a wrapper; the message says what to run instead."""


def _no_video(instead: str) -> Wrapper:
    why = f"it takes no videos and sounds of ours, nor those of lmms-eval's own video tasks; {instead}"
    return Wrapper(stops={"video": why, "video+sound": why, "audio": why})


_CHAT_FORM = "leave --force_simple out"
_SERVED = "serve the model, and run --model humansense_server --model_args media=frames-only"
_WITHOUT_SOUND = "set HUMANSENSE_HEARS=0 to ask about videos without their sound"
_ONE_MEDIUM = f"it ignores a second medium, which the sound of the video would be; {_CHAT_FORM}, or {_WITHOUT_SOUND}"

_OURS = Wrapper(hears=True, sound="own")
_SEES = Wrapper()
_HEARS = Wrapper(sees=False, hears=True, sound="array")
_CLIENT = Wrapper(sound="data")
_PLAYS = Wrapper(hears=True, sound="array", plays=True)

WRAPPERS: Mapping[str, Mapping[Form, Wrapper]] = {
    "humansense_omni": {"chat": _OURS},
    "humansense_server": {"chat": _OURS},
    "dummy": {"simple": _PLAYS},
    # They see and hear.
    "gemini": {"chat": replace(_PLAYS, sound="wav"), "simple": replace(_PLAYS, sound="wav")},
    "minicpm_o": {
        "chat": Wrapper(hears=True, sound="wav"),
        "simple": Wrapper(hears=True, sound="array", stops={"video+sound": _ONE_MEDIUM}),
    },
    "phi4_multimodal": {
        "chat": _no_video("add --force_simple"),
        "simple": Wrapper(hears=True, sound="array"),
    },
    "qwen2_5_omni": {
        "chat": Wrapper(hears=True, sound="wav"),
        "simple": replace(_PLAYS, stops={"blind": f"it sends no text if there are no media; {_CHAT_FORM}"}),
    },
    "qwen3_omni": {"chat": Wrapper(hears=True, sound="wav"), "simple": _PLAYS},
    "baichuan_omni": {
        "chat": Wrapper(hears=True, sound="wav", tried=False),
        "simple": Wrapper(hears=True, sound="array", stops={"video+sound": _ONE_MEDIUM}, tried=False),
    },
    "ola": {
        "simple": replace(
            _PLAYS,
            stops={
                "video": "it fails on a clip without a sound track, and would play the sound of one that has it; "
                "no other form of it exists"
            },
            tried=False,
        )
    },
    "omnivinci": {
        "chat": Wrapper(hears=True, sound="wav", plays=True, tried=False),
        "simple": replace(_PLAYS, tried=False),
    },
    "uni_moe_2_omni": {"simple": replace(_PLAYS, tried=False)},
    "vita": {
        "simple": Wrapper(
            hears=True,
            sound="array",
            stops={"video+sound": f"it plays no sound of a video; {_WITHOUT_SOUND}"},
            tried=False,
        )
    },
    # Their servers or checkpoints decide what they hear.
    "async_openai": {"chat": _CLIENT},
    "litellm": {"chat": _CLIENT, "simple": Wrapper(sound="wav")},
    "openai": {"chat": _CLIENT, "simple": Wrapper(sound="wav")},
    "vllm": {"chat": replace(_CLIENT, tried=False), "simple": replace(_SEES, tried=False)},
    # They only hear.
    "audio_flamingo_3": {"simple": _HEARS},
    "gpt4o_audio": {"simple": _HEARS},
    "kimi_audio": {"simple": _HEARS},
    "qwen2_audio": {"simple": replace(_HEARS, stops={"blind": "it fails on a question without a sound; leave it out"})},
    # They only see: no sound reaches their models.
    "gemma3": {"simple": replace(_SEES, tried=False)},
    "internvl2": {"simple": _SEES},
    "internvl3": {"simple": _SEES},
    "internvl3_5": {"simple": _SEES},
    "internvl_hf": {"chat": _SEES},
    "llava_hf": {"chat": _no_video("add --force_simple"), "simple": _SEES},
    "llava_onevision": {"simple": replace(_SEES, tried=False)},
    "llava_vid": {"simple": replace(_SEES, tried=False)},
    "qwen2_5_vl": {"chat": _SEES, "simple": _SEES},
    "qwen2_vl": {"simple": _SEES},
    "qwen3_5": {"chat": _SEES, "simple": _SEES},
    "qwen3_vl": {"chat": _SEES, "simple": _SEES},
    "sglang": {"chat": replace(_SEES, tried=False)},
    "video_salmonn_2": {"simple": _SEES},
    "videollama3": {"simple": _SEES},
    # They take no video.
    "glm4v": {"simple": _no_video(_SERVED)},
    "huggingface": {"chat": _no_video("run the wrapper of the model's family, such as qwen2_5_vl or internvl_hf")},
    "minicpm_v": {"simple": _no_video(f"run --model minicpm_o with a checkpoint of it, or {_SERVED}")},
}
"""The wrappers by the names of `--model`."""

ALIASES: Mapping[str, str] = {
    "async_openai_compatible": "async_openai",
    "async_openai_compatible_chat": "async_openai",
    "dummy_video_reader": "dummy",
    "gemini_api": "gemini",
    "litellm_chat": "litellm",
    "litellm_compatible": "litellm",
    "openai_compatible": "openai",
    "openai_compatible_chat": "openai",
}
"""Other names that lmms-eval has for them."""

_UNKNOWN: Mapping[Form, Wrapper] = {
    "chat": Wrapper(sound="wav", known=False),
    "simple": Wrapper(sound="array", plays=True, known=False),
}
"""What is assumed of a wrapper that is not in the table: it sees. If it is said to hear, it gets sound in the most
common forms."""


def wrapper(name: str, form: Form) -> Wrapper:
    """Find a wrapper.

    Args:
        name: The name after `--model`.
        form: Which of its wrappers.

    Returns:
        The wrapper; an unknown one if the table does not have it.
    """
    return WRAPPERS.get(ALIASES.get(name, name), {}).get(form, _UNKNOWN[form])


def plan(name: str, form: Form, task: Task, variant: Variant, group: str) -> MediaForms:
    """Say how the media of a task are handed over.

    Args:
        name: The name after `--model`; "" if it is not known.
        form: Which of its wrappers.
        task: The task.
        variant: How it is asked.
        group: The group of lmms-eval whose tasks it is one of, without the variant ("humansense").

    Returns:
        The forms of the media.

    Raises:
        Unfit: The task cannot be asked through this wrapper, or an environment variable is neither 1 nor 0.
    """
    found = wrapper(name, form)
    hears = _decided("hears", found.hears)
    case = _case(task, variant, hears)
    if case in found.stops:
        flag = " --force_simple" if form == "simple" and len(WRAPPERS[ALIASES.get(name, name)]) > 1 else ""
        raise Unfit(f"{_title(task)} cannot be asked through --model {name}{flag}: {found.stops[case]}.")
    why = _why_not(found, case, task, variant, f"--model {name}" if name else "this model")
    if why:
        raise Unfit(why.format(**_advice(task, variant, group)))
    return _handed_over(found, case, hears)


def _decided(sense: str, known: bool) -> bool:
    override = _override(sense)
    return known if override is None else override


def _override(sense: str) -> bool | None:
    """What the user says of a sense; None if nothing."""
    setting = f"HUMANSENSE_{sense.upper()}"
    said = os.environ.get(setting, "").strip()
    if said not in ("", "0", "1"):
        raise Unfit(f"{setting} is {said!r}; set it to 1 or 0.")
    return said == "1" if said else None


def _case(task: Task, variant: Variant, hears: bool) -> Case:
    if variant.shown == "none":
        return "blind"
    if task.is_audio:
        return "audio"
    return "video+sound" if variant.shown == "all" and task.has_sound and hears else "video"


def _why_not(found: Wrapper, case: Case, task: Task, variant: Variant, model: str) -> str | None:
    """Why the senses of a wrapper's models do not suffice, with places for `_advice`; None if they do."""
    is_heard = variant.shown == "all" and task.has_sound
    if is_heard and found.sound is None and _override("hears"):
        return f"HUMANSENSE_HEARS=1 does not make a model hear: no sound reaches {model}. Unset it, and run {{video}}."
    if case == "audio" and not _decided("hears", found.hears):
        if found.sound is None:
            return f"{_title(task)} is asked about a sound, and no sound reaches {model}: {{without_audio}}."
        return (
            f"{_title(task)} is asked about a sound and this model is not known to hear: {{without_audio}}, or set "
            "HUMANSENSE_HEARS=1 if the model does hear."
        )
    if case in ("audio", "blind") or (found.sees and _decided("sees", found.sees)):
        return None
    if not found.sees:
        return f"{_title(task)} is asked about a video, and no video reaches {model}: run the group {{audio}}."
    return (
        f"{_title(task)} is asked about a video and HUMANSENSE_SEES=0 says that this model does not see: run the group "
        "{audio}, or unset it."
    )


def _advice(task: Task, variant: Variant, group: str) -> dict[str, str]:
    """What to run instead."""
    leaf = f"{group}_{variant.name}_{task.code.lower()}"
    video = f"the group {group}_video, which leaves FR2 and PC out"
    without = f"leave {leaf} out" if variant.name else f"run {video}"
    return {"video": video, "audio": f"{group}_audio", "without_audio": without}


def _title(task: Task) -> str:
    return f"{task.code} ({task.name})"


def _handed_over(found: Wrapper, case: Case, hears: bool) -> MediaForms:
    if case == "blind":
        return MediaForms()
    if case == "audio":
        return MediaForms(sound=found.sound)
    if found.sound == "own":
        return MediaForms("own", "own" if case == "video+sound" else None)
    if case == "video+sound":
        return MediaForms("heard") if found.plays else MediaForms("any", found.sound)
    # A model that is not known to hear gets the file as it is: copies of all videos would take much space.
    return MediaForms("silent" if found.plays and (found.hears or hears) else "any")
