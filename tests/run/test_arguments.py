"""Arguments survive the way into a file of a run and back, without secrets."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lmms_humansense.models.runtime.arguments import read_model_args
from lmms_humansense.plugin import harness_names
from lmms_humansense.run.arguments import (
    ArgumentsError,
    Own,
    as_file,
    check_options,
    only_informs,
    own,
    read,
    with_file,
)
from lmms_humansense.run.redaction import without_secrets

OPTIONS = {name: option for option in harness_names.known_options() for name in option.names}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def again(content: str) -> list[str]:
    """The arguments of a file with this content."""
    Path("run.yaml").write_text(content)
    return with_file(["--config", "run.yaml"])


@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "--config"])
def test_every_option_of_lmms_eval_is_the_same_after_a_file(name: str) -> None:
    option = OPTIONS[name]
    value = (option.choices or ("4",))[0]
    typed = [name, value] if option.takes_value else [name]
    found = again(as_file(typed))
    check_options(found)
    full, _, kept = found[0].partition("=")
    assert full in option.names
    assert full.startswith("--")
    assert (kept, len(found)) == (value if option.takes_value else "", 1)


@pytest.mark.parametrize("spelt", [["-b", "8"], ["-b8"], ["-b=8"], ["--batch", "8"], ["--batch_size=8"]])
def test_an_option_is_kept_however_it_is_spelt(spelt: list[str]) -> None:
    assert as_file(spelt) == "batch_size: '8'\n"


@pytest.mark.parametrize("dash", ["-", "_"])
def test_the_options_of_the_command_itself_are_kept_except_dry_run(dash: str) -> None:
    typed = ["--max_failures", "10%", "--price_in=2.5", "--dry_run", "--price_out", "3", "--limit", "1"]
    typed = [each.replace("_", dash) if each.startswith("--") else each for each in typed]
    content = as_file(typed)
    assert yaml.safe_load(content) == {"max_failures": "10%", "price_in": "2.5", "price_out": "3", "limit": "1"}
    assert own(again(content)) == (["--limit=1"], Own("10%", price_in=2.5, price_out=3.0))


@pytest.mark.parametrize("pairs", [[["<think>", "</think>"]], [["<a>", "</a>"], ["“", "”"]]])
def test_lmms_eval_reads_the_nested_lists_of_a_file(pairs: list[list[str]]) -> None:
    (found,) = again(yaml.safe_dump({"reasoning_tags": pairs}, allow_unicode=True))
    name, _, value = found.partition("=")
    assert name == "--reasoning_tags"
    assert json.loads(value) == pairs  # lmms-eval's parse_reasoning_tags_config does this


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"media_cache": None, "fps": 2}, {"fps": 2}),
        ({"media_cache": None}, {}),
        ({"limits": {"image": 2, "audio": [1, 2]}}, {"limits": '{"image": 2, "audio": [1, 2]}'}),
        ({"stop": ["a", "it's"]}, {"stop": '["a", "it\'s"]'}),
        ({"limits": '{"image": 2, "audio": 1}'}, {"limits": '{"image": 2, "audio": 1}'}),
        ({"system_prompt": "[sad", "fps": 2}, {"system_prompt": "[sad", "fps": 2}),
        ({"system_prompt": "[Note] be kind, be brief"}, {"system_prompt": "[Note] be kind, be brief"}),
        ({"on_error": True, "system_prompt": "Smile :]"}, {"on_error": True, "system_prompt": "Smile :]"}),
    ],
)
def test_the_arguments_of_a_model_in_a_file_reach_the_model(given: dict[str, Any], values: dict[str, Any]) -> None:
    assert read_model_args(read(again(yaml.safe_dump({"model_args": given}, sort_keys=False)))["model_args"]) == values


@pytest.mark.parametrize("given", [["--task", "list"], ["--task=list_groups"], ["--tasks", "a", "--tas", "list_tags"]])
def test_an_abbreviation_of_tasks_asks_for_a_list_too(given: list[str]) -> None:
    assert only_informs(given)


@pytest.mark.parametrize("given", [["--power", "0.8"], ["--task", "listen"], ["--tasks", "list", "--task", "mmmu"]])
def test_other_arguments_ask_for_no_list(given: list[str]) -> None:
    assert not only_informs(given)


def test_an_abbreviation_of_several_options_is_refused_with_one_sentence() -> None:
    with pytest.raises(ArgumentsError, match="Ambiguous option: --mod could match --model, --model_args"):
        only_informs(["--mod", "x"])


SECRETS = [
    ("model_args", "base_url=http://h,api_key=sk-1234,model=m"),
    ("model_args", "OPENAI_API_KEY=sk-1234 my_secret=b db_password=c"),
    ("hf_hub_log_args", "hub_results_org=o,token=abcd,push=true"),
    ("model_args", "pretrained=hf_abcdefghijklmnopqrstuvwxyz,revision=x"),
    *((name, "abcd") for name in ("token", "hf_token", "API_KEY", "client_secret", "huggingfacehub_api_token")),
]

OPEN = [("gen_kwargs", "max_new_tokens=4096,token_count=2"), ("max_tokens", "9"), ("output_path", "hf_short/tokens")]


@pytest.mark.parametrize(("name", "value"), SECRETS)
def test_a_file_has_no_secret_and_says_so(name: str, value: str) -> None:
    content = as_file([f"--{name}", value])
    assert content.startswith("# A secret was left out. Where [REDACTED] stands")
    assert "[REDACTED]" in yaml.safe_load(content)[name]
    assert not any(secret in content for secret in ("sk-1234", "abcd", "=b", "=c"))


@pytest.mark.parametrize(("name", "value"), OPEN)
def test_a_file_without_a_secret_is_complete(name: str, value: str) -> None:
    assert as_file([f"--{name}", value]) == yaml.safe_dump({name: value})


@pytest.mark.slow
def test_what_is_a_secret_is_what_lmms_eval_takes_for_one() -> None:
    from lmms_eval.evaluator import _redact_eval_config_secrets

    for name, value in SECRETS + OPEN:
        assert {name: without_secrets(name, value)} == _redact_eval_config_secrets({name: value})
