"""Runs command lines of lmms-eval, each in a fork of one process that has imported it. A run takes seconds this way.

    python -m tests.harness.forks FOLDER < COMMAND_LINES.json

The input is an object of lists of arguments by name. Everything that the command line `name` prints goes into the file
FOLDER/name.log, and its exit status into FOLDER/name.status.
"""

import atexit
import json
import os
import signal
import sys
import traceback
from pathlib import Path

LIMIT = 400
"""Seconds after which a command line is ended by a signal."""


def main(folder: Path) -> None:
    command_lines: dict[str, list[str]] = json.load(sys.stdin)
    _import()
    for name, arguments in command_lines.items():
        child = os.fork()
        if not child:
            os._exit(_run(arguments, folder / f"{name}.log"))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        (folder / f"{name}.status").write_text(str(status), encoding="utf-8")


def _import() -> None:
    sys.argv = ["lmms-eval"]
    import transformers  # noqa: F401
    from lmms_eval.tasks import TaskManager

    import lmms_humansense.models.omni
    import lmms_humansense.models.server  # noqa: F401

    TaskManager("ERROR", model_name="dummy")


def _run(arguments: list[str], log: Path) -> int:
    from lmms_eval.cli.dispatch import main as command_line

    signal.alarm(LIMIT)
    output = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["lmms-eval", *arguments]
    status = 0
    try:
        command_line()
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else 0 if ending.code is None else 1
        if isinstance(ending.code, str):
            print(ending.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    atexit._run_exitfuncs()
    return status


if __name__ == "__main__":
    main(Path(sys.argv[1]))
