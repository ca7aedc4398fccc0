"""`list`, `doctor` and `--version` say what is there, without loading what is not needed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmms_humansense.about import doctor, listing
from lmms_humansense.about.doctor import Finding
from lmms_humansense.dataset.found import Found, find
from lmms_humansense.plugin.entry_points import task_folder
from lmms_humansense.plugin.harness_names import names_in
from lmms_humansense.tasks.humansense_sample.utils import ROOT

NOTHING = Found("hf://datasets/owner/name", (), (), None)


def test_the_list_has_every_name_of_the_benchmark() -> None:
    listed = {entry.name for entry in listing.entries(NOTHING)}
    assert listed == set(names_in(task_folder()))


def test_sizes_and_needs_are_those_of_the_questions() -> None:
    known = {entry.name: entry for entry in listing.entries(NOTHING)}
    assert (known["humansense"].questions, known["humansense"].gigabytes) == (3882, 26.14)
    assert (known["humansense_l1"].needs, known["humansense_l1"].gigabytes) == ("video", 24.4)
    assert (known["humansense_audio"].needs, known["humansense_audio"].questions) == ("sound", 591)
    assert known["humansense_think_tr"].needs == "video+sound"
    assert known["humansense_asr_silent_tr"].needs == "video"
    assert (known["humansense_blind"].needs, known["humansense_blind"].gigabytes) == ("nothing", 0)


@pytest.mark.parametrize(
    ("found", "offline"),
    [
        (NOTHING, ["no", "no", "no"]),
        (Found("/data", ("VQA", "AQA"), ("VQA", "AQA"), None), ["yes", "yes", "yes"]),
        (Found("/data", ("VQA",), ("VQA",), None), ["no", "yes", "no"]),
        (Found("/data", ("VQA", "AQA"), (), None), ["no", "no", "no"]),
        (Found("/data", ("VQA", "AQA"), ("VQA",), None), ["no", "yes", "no"]),
        (Found("hf://datasets/o/n", ("VQA", "AQA"), ("VQA", "AQA"), None), ["partly", "partly", "yes"]),
        (Found("hf://datasets/o/n", ("VQA", "AQA"), (), None), ["no", "no", "yes"]),
    ],
)
def test_what_can_be_asked_offline_depends_on_questions_and_media(found: Found, offline: list[str]) -> None:
    known = {entry.name: listing._WORDS[entry.offline] for entry in listing.entries(found)}
    assert [known[name] for name in ("humansense", "humansense_er", "humansense_blind")] == offline
    assert {known[name] for name in known if name.startswith("humansense_sample")} == {"yes"}


def test_the_sample_and_a_folder_have_as_many_questions_as_they_have() -> None:
    for found in (NOTHING, Found(str(ROOT), ("VQA", "AQA"), ("VQA", "AQA"), None)):
        known = {entry.name: entry for entry in listing.entries(found)}
        assert known["humansense_sample"].questions == 39
        assert known["humansense_sample_audio"].questions == known["humansense_sample_fr2"].questions * 2 == 6
    assert (known["humansense"].questions, known["humansense"].gigabytes) == (39, 0)
    assert known["humansense_silent"].questions == 33


def test_annotations_that_cannot_be_read_are_counted_as_in_the_paper(tmp_path: Path) -> None:
    (tmp_path / "HumanSense_VQA.json").write_text("[]")
    known = {entry.name: entry for entry in listing.entries(Found(str(tmp_path), ("VQA",), ("VQA",), None))}
    assert known["humansense"].questions == 3882


def test_data_in_a_folder_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", str(ROOT))
    assert find() == Found(str(ROOT), ("VQA", "AQA"), ("VQA", "AQA"), None)
    for name in ("HumanSense_VQA.json", "HumanSense_AQA.json"):
        (tmp_path / name).write_text("[]")
    (tmp_path / "videos").mkdir()
    monkeypatch.setenv("HUMANSENSE_DATA", str(tmp_path))
    found = find()
    assert (found.media, found.problem) == (("VQA",), None)
    assert found.problem_of({"VQA"}) is None
    assert found.problem_of({"VQA", "AQA"}) == f"There is neither audios/ nor audios.zip in {tmp_path}."
    (tmp_path / "HumanSense_AQA.json").unlink()
    assert find().problem_of({"AQA"}) == f"There is no HumanSense_AQA.json in {tmp_path}."


def test_an_address_is_shown_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUMANSENSE_DATA", "https://me:secret@example.org/data")
    assert "secret" not in find().source
    assert find().problem is None


@pytest.mark.parametrize("command", [("list", "--json"), ("list",), ("--version",)])
def test_they_load_neither_torch_nor_lmms_eval(command: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom lmms_humansense.cli import app\ntry:\n    app(sys.argv[1:])\n"
        "finally:\n    print(sorted({'torch', 'lmms_eval', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    if "--json" in command:
        tasks = json.loads(done.stdout.rpartition("\n[")[0])["tasks"]
        assert {"name": "humansense", "questions": 3882}.items() <= tasks[0].items()
        assert {each["offline"] for each in tasks} <= {True, False, None}


def looks(*found: Finding) -> Iterator[Finding]:
    yield from found


def test_the_doctor_ends_with_a_status_and_a_line_for_each_finding(capsys: pytest.CaptureFixture[str]) -> None:
    fine, note, wrong = Finding("a", "ok", "x"), Finding("b", "note", "y"), Finding("c", "wrong", "[z] do this")
    assert doctor.doctor(False, lambda: looks(fine, note)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Runs can work here."
    assert doctor.doctor(False, lambda: looks(fine, wrong)) == 1
    assert [line.split() for line in capsys.readouterr().out.splitlines()[:2]] == [
        ["ok", "a", "x"], ["wrong", "c", "[z]", "do", "this"],
    ]  # fmt: skip
    assert doctor.doctor(True, lambda: looks(note, wrong)) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["ok"] is False
    assert printed["findings"][1] == {"what": "c", "verdict": "wrong", "text": "[z] do this"}


def test_a_folder_that_cannot_be_written_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HOME", "/proc/no/such")
    found = {finding.what: finding for finding in doctor._folders()}
    assert found["cache"].verdict == "wrong"
    assert "/proc/no/such/humansense cannot be written" in found["cache"].text
    assert found["temporary files"].verdict == "ok"


def test_a_requirement_that_is_missing_or_too_old_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["typer>=0.24", "rich>=999", "no-such-package>=1", "nothing; extra == 'test'"]
    monkeypatch.setattr("importlib.metadata.requires", lambda _: required)
    found = {finding.what: finding for finding in doctor._requirements()}
    assert {what: finding.verdict for what, finding in found.items()} == {
        "rich": "wrong", "no-such-package": "wrong", "packages": "ok",
    }  # fmt: skip
    assert "pip install 'rich>=999'" in found["rich"].text
    assert "not installed" in found["no-such-package"].text


def test_data_out_of_reach_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find", lambda: NOTHING)
    assert doctor._data(hub_answers=True).verdict == "ok"
    far = doctor._data(hub_answers=False)
    assert (far.verdict, "run `lmms-humansense prepare` with a network" in far.text) == ("wrong", True)
    monkeypatch.setattr(doctor, "find", lambda: Found("/data", (), (), "There is nothing."))
    assert doctor._data(hub_answers=True).text.startswith("There is nothing.")
    monkeypatch.setattr(doctor, "find", lambda: Found("/data", ("VQA", "AQA"), ("VQA",), None))
    part = doctor._data(hub_answers=True)
    assert (part.verdict, part.text) == (
        "note", "There is neither audios/ nor audios.zip in /data. The other questions can be asked.",
    )  # fmt: skip
