"""Why a file, or a part of it, cannot be used."""


class MediaError(Exception):
    """A file cannot be used. The message is one sentence that names the file and says what is wrong with it."""


class UnsuitableReaderError(Exception):
    """This reader cannot give the frames, but another one may. The message says why."""
