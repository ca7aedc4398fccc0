"""`python -m lmms_humansense`, for launchers that start modules."""

from .cli import app

app(prog_name="lmms-humansense")
