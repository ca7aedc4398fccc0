"""Small local data for lmms-eval's own tasks, in the form that the hooks of these tasks expect.

A local task is upstream's YAML file with another name and other data. Prompts, hooks, metrics and generation arguments
stay the same. The media are those of the embedded sample.
"""

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import soundfile
import yaml
from PIL import Image

from lmms_humansense.tasks.humansense_sample.utils import ROOT

Rows = list[dict[str, Any]]

OPTIONS = ["A. one", "B. two", "C. three", "D. four"]


@dataclass(frozen=True)
class LocalTask:
    """A task of lmms-eval on local data.

    `path` is its YAML file among lmms-eval's tasks. `make_rows` writes the media and returns the rows. `features` are
    those of the parquet file; None means JSON lines. `cache` is the folder in HF_HOME into which lmms-eval unpacks
    videos. `needs` are the modules that upstream's module imports and lmms-eval does not require.
    """

    path: str
    split: str
    make_rows: Callable[[Path], Rows]
    features: datasets.Features | None = None
    cache: str | None = None
    needs: tuple[str, ...] = ()

    def write(self, name: str, folder: Path) -> None:
        """Write data and YAML into `folder`. HF_HOME and XMODBENCH, where upstream finds media, have to be `folder`."""
        media = folder / (self.cache or "media")
        media.mkdir()
        rows = self.make_rows(media)
        if self.features is None:
            data = folder / f"{name}.jsonl"
            data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        else:
            data = folder / f"{name}.parquet"
            datasets.Dataset.from_list(rows).cast(self.features).to_parquet(data)
        kwargs: dict[str, Any] = {"data_files": {self.split: str(data)}}
        if self.cache:
            kwargs |= {"cache_dir": self.cache, "video": True}
        config = {
            "include": str(upstream_tasks() / self.path),
            "task": name,
            "dataset_path": "parquet" if self.features else "json",
            "dataset_kwargs": kwargs,
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def upstream_tasks() -> Path:
    """The folder of lmms-eval's own tasks."""
    import lmms_eval.tasks

    return Path(lmms_eval.tasks.__file__).parent


def _picture(width: int, height: int) -> Image.Image:
    """A picture of `width` x `height` patches of 28 x 28 pixels. Each patch is one token of the model."""
    return Image.linear_gradient("L").convert("RGB").resize((28 * width, 28 * height))


def _sound(name: str, format: str) -> dict[str, Any]:
    """A sound as in published parquet files: bytes, and the mere name of a file that does not exist."""
    samples, rate = soundfile.read(ROOT / "audios" / name)
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format=format)
    return {"bytes": content.getvalue(), "path": f"{Path(name).stem}.{format.lower()}"}


def _copy(name: str, target: Path) -> None:
    """Copy a file of the sample."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / name, target)


def _librispeech(media: Path) -> Rows:
    names = ("calls/call_02.wav", "chat/exam.wav", "chat/new_town.wav")
    return [{"audio": _sound(name, "FLAC"), "gt": "WELL", "source": "dev", "task": "asr_en"} for name in names]


def _omni_bench(media: Path) -> Rows:
    shared = {
        "task type": "Action and Activity",
        "question": "What is it?",
        "options": ["one", "two", "three", "four"],
        "answer": "two",
        "audio content": "Words.",
        "image content": "Grey.",
        "audio": _sound("chat/exam.wav", "WAV"),
    }
    return [{"index": index, **shared, "image": _picture(10 + 10 * index, 10)} for index in range(2)]


def _mmmu(media: Path) -> Rows:
    shared = {"explanation": "", "question_type": "multiple-choice", "answer": "B", "options": "['one', 'two']"}
    absent = {f"image_{number}": None for number in range(3, 8)}
    two = "First <image 1> and then <image 2>, which is wider?"
    pictures = [(_picture(4, 10), _picture(10, 10)), (_picture(4, 10), _picture(20, 10))]
    return [
        {"id": f"validation_Art_{place}", "question": two, **shared, **absent, "image_1": first, "image_2": second}
        for place, (first, second) in enumerate(pictures)
    ]


def _worldsense(media: Path) -> Rows:
    for name in ("motion/arms.mp4", "action/ball.mp4"):
        _copy(f"videos/{name}", media / "videos" / Path(name).name)
    shared = {
        "question": "Who?",
        "candidates": OPTIONS,
        "answer": "A",
        "task_type": "Event Sorting",
        "task_domain": "Music",
        "duration": "<1min",
        "audio_class": ["Speech"],
    }
    return [
        {"index": place, "video_path": f"videos/{name}.mp4", **shared} for place, name in enumerate(("arms", "ball"))
    ]


def _videomme(media: Path) -> Rows:
    _copy("videos/emotion/gift.mp4", media / "data" / "gift.mp4")
    shared = {
        "video_id": "001",
        "videoID": "gift",
        "duration": "short",
        "domain": "Knowledge",
        "sub_category": "Technology",
        "task_type": "OCR Problems",
        "options": OPTIONS,
        "answer": "C",
    }
    return [{"question_id": f"001-{number}", "question": f"What is {number}?", **shared} for number in (1, 2, 3)]


def _xmod(condition: dict[str, str], options: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "index": 0,
        "subtask": "01_perception/instruments",
        "question": "Which fits?",
        "conditions": condition,
        "options": dict(zip("ABCD", options, strict=True)),
        "correct_answer": "D",
        "category": "01_perception/instruments",
    }


def _xmod_medium(modality: str, name: str, media: Path) -> dict[str, str]:
    _copy(name, media / name)
    return {"modality": modality, "input": f"./{media.name}/{name}"}


def _xmod_audio_video(media: Path) -> Rows:
    names = ("motion/sequence", "action/ball", "abnormal/bag", "gesture/portrait")
    videos = [_xmod_medium("Video", f"videos/{name}.mp4", media) for name in names]
    return [_xmod(_xmod_medium("Audio", "audios/chat/exam.wav", media), videos)]


def _xmod_video_text(media: Path) -> Rows:
    words = [{"modality": "Text", "input": option[3:]} for option in OPTIONS]
    return [
        _xmod(_xmod_medium("Video", f"videos/{name}.mp4", media), words) for name in ("action/ball", "emotion/gift")
    ]


_TEXT, _WHOLE = datasets.Value("string"), datasets.Value("int64")


def _features(texts: str, **others: Any) -> datasets.Features:
    return datasets.Features({**dict.fromkeys(texts.split(","), _TEXT), **others})


LOCAL_TASKS = {
    "local_librispeech": LocalTask(
        "librispeech/librispeech_dev_clean.yaml",
        "librispeech_dev_clean",
        _librispeech,
        _features("gt,source,task", audio=datasets.Audio()),
        needs=("editdistance", "more_itertools"),
    ),
    "local_omni_bench": LocalTask(
        "omni_bench/omni_bench.yaml",
        "train",
        _omni_bench,
        _features(
            "task type,question,answer,audio content,image content",
            index=_WHOLE, options=datasets.List(_TEXT), audio=datasets.Audio(), image=datasets.Image(),
        ),
    ),
    "local_mmmu": LocalTask(
        "mmmu/mmmu_val.yaml",
        "validation",
        _mmmu,
        _features(
            "id,question,options,explanation,answer,question_type",
            **{f"image_{number}": datasets.Image() for number in range(1, 8)},
        ),
    ),
    "local_worldsense": LocalTask(
        "worldsense/worldsense.yaml",
        "test",
        _worldsense,
        _features(
            "video_path,question,answer,task_type,task_domain,duration",
            index=_WHOLE, candidates=datasets.List(_TEXT), audio_class=datasets.List(_TEXT),
        ),
        cache="WorldSense",
    ),
    "local_videomme": LocalTask(
        "videomme/videomme.yaml",
        "test",
        _videomme,
        _features(
            "question_id,question,video_id,videoID,duration,domain,sub_category,task_type,answer",
            options=datasets.List(_TEXT),
        ),
        cache="videomme",
    ),
    "local_xmod_audio_video": LocalTask("xmod_bench/xmod_bench_audio_video.yaml", "train", _xmod_audio_video),
    "local_xmod_video_text": LocalTask("xmod_bench/xmod_bench_video_text.yaml", "train", _xmod_video_text),
}  # fmt: skip
