"""The part of the GPU check that needs vLLM: long responses with vLLM's engine and a model of the 7B's size."""

import importlib.util
import json
import time
from pathlib import Path

from bench_media import media_costs
from gpu_setup import Bench, Findings, NotRunError, messages_of, questions, requests_of

from lmms_humansense.demo.tiny_model import write_tiny_model
from lmms_humansense.models.runtime.ledger import Ledger
from lmms_humansense.models.runtime.settings import RunSettings
from lmms_humansense.models.runtime.signals import SigtermGuard
from lmms_humansense.models.vllm.engine import VllmEngine, plan
from lmms_humansense.models.vllm.runner import VllmRunner
from lmms_humansense.models.vllm.settings import read_vllm_settings

_TOKENS, _LONGEST = 512, 8192


def vllm(bench: Bench) -> Findings:
    """Long responses with vLLM's engine: its start, and tokens per second by how many questions it answers at once.

    Also the CPU seconds for the media of a vLLM server.
    """
    if importlib.util.find_spec("vllm") is None:
        raise NotRunError("vllm cannot be imported")
    if bench.small:
        raise NotRunError("vLLM's attention on a CPU does not know the heads of the tiny model")
    checkpoint = write_sized(bench.folder / "vllm")
    started = time.perf_counter()
    settings = read_vllm_settings(
        {"pretrained": str(checkpoint), "load_format": "dummy", "max_model_len": _LONGEST, "max_num_seqs": 64}
    )
    engine = VllmEngine(settings, plan(settings))
    seconds = time.perf_counter() - started
    yield f"The engine starts in {seconds:.0f} s; {engine.info['dtype']}, {engine.info['vllm_mends']}."
    wanted = {"max_new_tokens": _TOKENS, "min_new_tokens": _TOKENS}
    docs = questions()
    for count in (1, 16, 64):
        started = time.perf_counter()
        runner = VllmRunner(engine, None, Ledger(RunSettings(max_failures=0), count), SigtermGuard())
        tokens = sum(response.output_tokens for response in runner.run(requests_of(docs, count, wanted)))
        seconds = time.perf_counter() - started
        yield {"questions": count, "new tokens": tokens, "tokens/s": tokens / seconds, "seconds": seconds}
    engine.close()
    ratio = media_costs([messages_of(doc) for doc in docs], rounds=1)["ratio"]
    yield f"Media for a vLLM server (media=vllm) cost {ratio:.2f} times the CPU seconds of those for engine=local."


def write_sized(folder: Path) -> Path:
    """Write a checkpoint whose configuration has the 7B's sizes, for `load_format=dummy`, which needs no weights."""
    from transformers import PretrainedConfig, Qwen2_5OmniThinkerConfig

    write_tiny_model(folder)
    config = PretrainedConfig.get_config_dict(folder)[0]
    tiny = config["thinker_config"]
    published = Qwen2_5OmniThinkerConfig().to_dict()
    config["thinker_config"] = {
        **tiny, **{name: published[name] for name in ("audio_config", "vision_config", "text_config")}
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return folder
