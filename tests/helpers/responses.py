"""What tests compare of a response."""

from lmms_humansense.models.runtime.request import Response


def text_and_tokens(response: Response) -> tuple[str, int] | None:
    """The text of a response and its number of tokens; None if the request failed."""
    return None if response.text is None else (response.text, response.output_tokens)
