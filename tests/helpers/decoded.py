"""`prepare --decoded` in the process of the tests, and what a run shows of what it made."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from lmms_humansense.models.inputs.conversation import Conversation, read_messages
from lmms_humansense.models.inputs.decoding import DecodedConversation, decode
from lmms_humansense.models.inputs.media_cache import MediaCache
from lmms_humansense.models.media.store import ClipStore
from lmms_humansense.models.runtime.request import EncodingResult
from lmms_humansense.prepare.decoded import DecodingResult, decode_all
from lmms_humansense.prepare.decoder import ClipDecoder
from lmms_humansense.prepare.progress import ProgressDisplay
from lmms_humansense.prepare.showing import showing
from lmms_humansense.tasks.humansense import utils

SENSES = {"wrapper": "humansense_omni"}
TASKS = "ar,tr,fr2"


class Said(ProgressDisplay):
    """Progress that is kept and not shown.

    Attributes:
        sentences: What was said.
        work: For each work that was begun, its name, and files and bytes that were expected.
    """

    def __init__(self) -> None:
        super().__init__("Fetching", Console(quiet=True))
        self.sentences: list[str] = []
        self.work: list[tuple[str, int, int]] = []

    def expect(self, files: int, count: int, what: str | None = None) -> None:
        super().expect(files, count, what)
        self.work.append((self._what, files, count))

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)

    @property
    def counted(self) -> tuple[int, int, int]:
        """Files and bytes that were counted in the last work, and how many of these bytes were only found."""
        return self._done, self._there, self._found


class InThisProcess:
    """A pool and its only worker, without processes: these take long to start."""

    count = 1

    def __init__(self, make: Callable[[], ClipDecoder], count: int, limit: float) -> None:
        self._decoder = make()
        self.limit = limit

    def encode(self, conversations: Sequence[Conversation]) -> list[EncodingResult]:
        return self._decoder.encode(conversations)

    def worker(self) -> "InThisProcess":
        return self

    def close(self) -> None:
        pass


def decoded_to(
    to: Path | None, tasks: str = TASKS, model_args: str = "", progress: ProgressDisplay | None = None
) -> DecodingResult:
    """What `prepare --decoded --to` does."""
    return decode_all(tasks, None, to, showing(model_args), progress or Said(), 2)[1]


def shown_of(root: str, store: ClipStore | None = None, tasks: str = TASKS) -> list[DecodedConversation]:
    """What a run shows of all questions."""
    found = []
    for code in tasks.split(","):
        for doc in utils.docs(code, root, complete=False):
            conversation = read_messages(utils.doc_to_messages(doc, SENSES))
            found.append(decode(conversation, 28, MediaCache(28, store)))
    return found
