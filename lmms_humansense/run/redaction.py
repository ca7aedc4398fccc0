"""Secrets among arguments: the ones that lmms-eval leaves out of its results are left out of our files too."""

import re

REDACTED = "[REDACTED]"
"""What stands in the place of a secret, as in lmms-eval's results."""

# The patterns are those of lmms-eval 0.7.3 (lmms_eval/evaluator.py), which would take seconds to import.
_ENDS = ("api_key", "_token", "_secret", "password")
_ASSIGNMENT = re.compile(r"(^|[,\s])(\w*(?:api_key|token|secret|password))=([^,\s]+)", re.IGNORECASE)
_HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{20,}\b")


def without_secrets(name: str, value: str) -> str:
    """The value of an argument without the secrets in it.

    Args:
        name: The name of the argument, such as "model_args".
        value: Its value.

    Returns:
        The value, with `REDACTED` in the place of each secret: the value of an argument whose name is that of a secret
        (`api_key`, `hf_token`, `db_password`), also among other arguments in the value, and tokens of Hugging Face.
    """
    if name.lower() == "token" or name.lower().endswith(_ENDS):
        return REDACTED
    return _HUB_TOKEN.sub(REDACTED, _ASSIGNMENT.sub(rf"\1\2={REDACTED}", value))
