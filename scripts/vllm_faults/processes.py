"""vLLM's processes stay, and keep the memory, if the program that started them is killed (Linux).

    python scripts/vllm_faults/processes.py MODEL [NAME=VALUE ...]

Starts an engine with the checkpoint MODEL and arguments of `vllm.LLM` in a program of its own, kills this program with
SIGKILL, and looks after some seconds which of its processes are left. It ends them.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STARTED = "the engine has started"
SECONDS = 20
PROGRAM = f"""
import json, sys, time
from vllm import LLM

if __name__ == "__main__":
    engine = LLM(**json.loads(sys.argv[1]))
    print({STARTED!r}, flush=True)
    time.sleep(3600)
"""


def left(session: int) -> dict[int, str]:
    """The running processes of a session, by their IDs."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and os.getsid(int(folder.name)) == session:
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z":
                    found[int(folder.name)] = (folder / "comm").read_text().strip()
        except (OSError, ProcessLookupError):  # it has just ended
            continue
    return found


def main(model: str, *given: str) -> None:
    """Print the processes that are left."""
    arguments: dict[str, object] = {"model": model}
    for each in given:
        name, _, value = each.partition("=")
        arguments[name] = json.loads(value) if value[:1].isdigit() or value in ("true", "false") else value
    program = Path(os.environ.get("TMPDIR", "/tmp"), f"vllm_program_{os.getpid()}.py")
    program.write_text(PROGRAM)  # a file, because the processes of the engine import it
    command = [sys.executable, str(program), json.dumps(arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        if not any(STARTED in line for line in process.stdout):
            raise SystemExit("The engine did not start.")
        before = left(process.pid)
        process.kill()
        process.wait()
        time.sleep(SECONDS)
        after = left(process.pid)
        print(f"processes before SIGKILL:    {before}")
        print(f"and {SECONDS} s after it:         {after}")
        print("wrong" if after else "right")
    finally:
        program.unlink()
        for number in left(process.pid):
            os.kill(number, signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
