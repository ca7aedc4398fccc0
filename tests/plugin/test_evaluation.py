"""How an evaluation that raises an error ends."""

import pytest

from lmms_humansense.models.runtime.signals import RunStopped
from lmms_humansense.plugin.evaluation import _Course, _ended_by_errors


def test_an_error_after_the_first_question_ends_the_program_with_status_3() -> None:
    with (
        pytest.raises(RunStopped, match="ended in an error: ValueError: no") as raised,
        _ended_by_errors(_Course([], True)),
    ):
        raise ValueError("no")
    assert raised.value.code == 3
    assert isinstance(raised.value.__cause__, ValueError)


def test_an_error_before_the_first_question_ends_the_program_with_a_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as raised, _ended_by_errors(_Course()):
        raise ValueError("no")
    assert raised.value.code == "HumanSense: lmms-eval could not load the model or the tasks: ValueError: no"
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("course", [None, _Course(), _Course(is_asking=True)], ids=["of others", "begun", "asking"])
@pytest.mark.parametrize("ending", [SystemExit("bad data"), KeyboardInterrupt()], ids=repr)
def test_what_ends_the_program_by_itself_passes(course: _Course | None, ending: BaseException) -> None:
    with pytest.raises(type(ending)) as raised, _ended_by_errors(course):
        raise ending
    assert raised.value is ending


def test_errors_stay_what_they_are_for_callers_of_the_function_and_for_other_tasks() -> None:
    with pytest.raises(ValueError, match="no"), _ended_by_errors(None):
        raise ValueError("no")
