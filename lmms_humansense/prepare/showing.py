"""How a run with given arguments of its model shows clips, without the model."""

from dataclasses import dataclass, fields

from ..models.inputs.policy import Policy
from ..models.local.families import family_of
from ..models.local.loading import read_config
from ..models.local.settings import read_local_settings
from ..models.runtime.arguments import read_model_args, read_settings
from ..models.runtime.settings import RunSettings
from ..tasks.humansense.annotations import DataError

_FACTOR = 28
"""`frame_factor` of Qwen2.5-Omni, for which clips are decoded if no checkpoint is named."""


@dataclass(frozen=True)
class Showing:
    """How clips are shown.

    Attributes:
        policy: What overrides the messages of the tasks.
        factor: Height and width of frames are multiples of it, in pixels.
        timeout: Seconds that decoding one clip may take.
    """

    policy: Policy
    factor: int
    timeout: float


def showing(model_args: str) -> Showing:
    """How a run with these `--model_args` shows clips.

    Args:
        model_args: The arguments of `humansense_omni`. Without `pretrained`, only those that decide what is shown.

    Returns:
        The policy, the multiple of which frames are, and the time limit.

    Raises:
        DataError: They cannot be used.
    """
    try:
        given = read_model_args(model_args)
        pretrained, factor = given.get("pretrained"), _FACTOR
        if pretrained is not None:
            factor = family_of(str(read_config(str(pretrained))["model_type"])).frame_factor
        settings: RunSettings
        if given.pop("engine", "local") == "vllm":  # whose other arguments have no effect on what is shown
            given = {one.name: given[one.name] for one in fields(RunSettings) if one.name in given}
            pretrained = None
        if pretrained is None:
            settings = read_settings(RunSettings, given, {}, "prepare --model-args")
        else:
            settings = read_local_settings(given)
        return Showing(settings, factor, settings.media_timeout)
    except ValueError as error:
        raise DataError(f"--model-args: {error}") from error
