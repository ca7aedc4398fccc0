"""Takes off a response what is no part of the answer: marks of tokenizers, reasoning, markup, later turns.

The first stages of the strict parser. Standard library only; every function takes linear time.
"""

import html
import re
import unicodedata

from .languages import ANSWERS, TURNS
from .reasoning import THOUGHT_TAG

OPEN, CLOSE = "\ue300", "\ue301"
"""Stand around what is in a formal place for an answer: tags, or a box."""

MARKS = " \t\n.,:;!?\"'`*_#|$()[]{}<>。、「」『』【】《》〈〉-–—•·…=/\\→👉" + OPEN + CLOSE
"""What may stand around an answer, or around the text of an option."""

QUOTES = str.maketrans("“”„‟″‘’‚‛′`´", "\"\"\"\"\"'''''''")
_PRIVATE = re.compile("[\ue000-\uf8ff]")
# Channels of gpt-oss are reasoning and an answer; the other marks of chat templates end the response.
_CHANNEL = re.compile(r"<\|channel\|?>\s?(\w{1,20})\s?(?:<\|message\|>)?")
_BOX_TOKEN = re.compile(r"<\|begin_of_box\|>(.{0,400}?)<\|end_of_box\|>", re.DOTALL)
_END = re.compile(
    r"<\|(?:im_end|eot_id|endoftext|end_of_text|end|return|eom_id|user|im_start|start|observation|assistant)\|>|</s>"
    r"|<(?:eos|end_of_turn|pad|start_of_turn|end_of_utterance)>|<｜end▁of▁sentence｜>|<\|end▁of▁sentence\|>|\[/?INST\]"
)
_SPECIAL = re.compile(r"<\|[^|<>]{1,40}\|>|<s>|<bos>|</?(?:unk|mask)>")

_ANSWER_TAG = re.compile(
    r"<\s?(/?)\s?(?:final[_ ]?)?(?:answer|choice|response|output|solution)(?: [^<>]{0,60})?>", re.IGNORECASE
)
_IN_BOX = re.compile(r"\\[fm]?box(?:ed)? ?\{([^{}]{0,400})(?:\}|$)")
_TEX_STYLE = re.compile(r"\\(?:text\w{0,6}|math\w{1,6}|mbox|bm|bf) ?\{([^{}]{0,400})\}")
_STRUCK = re.compile(r"~~[^~\n]{1,400}~~|<(?:s|del|strike)>[^<>\n]{1,400}</(?:s|del|strike)>", re.IGNORECASE)
_HTML = re.compile(r"</?[A-Za-z][A-Za-z0-9_:-]{0,30}(?: [^<>\n]{0,100})?/?>")
_LINE_TAG = re.compile(r"<(?:br|/p|/div|/li|/tr|/h\d) ?/?>", re.IGNORECASE)
_CODE = re.compile(
    r"^[`']{3}(?!json|text|markdown|md|yaml|plaintext|answer|html)[a-z+#]{1,12}\n[^`]*?(?:[`']{3}|\Z)",
    re.MULTILINE | re.IGNORECASE,
)
_BULLET = re.compile(r"^[ \t]*(?:#{1,6}|>|[-*+•‣◦])[ \t]+|^[ \t]*#{1,6}(?=\S)|^```\w*$", re.MULTILINE)
_TICKED = re.compile(r"\[[xX✓✔]\] ?")
_UNTICKED = re.compile(r"\[ ?\] ?(?=\w)")
_ANSWER = "|".join(map(re.escape, ANSWERS))
_TURN = "|".join(map(re.escape, TURNS))

_TURN_NAME = rf"(?:###? ?)?(?:{_TURN}) ?\d{{0,3}} ?:"
_NEXT_TURN = re.compile(rf"\n+ ?{_TURN_NAME}(?! ?[A-Z]\.?(?:\n|$))", re.IGNORECASE)
_FIRST_TURN = re.compile(rf"\s*{_TURN_NAME}(?! ?[A-Z]\.?\n)", re.IGNORECASE)
_REPLY = re.compile(
    rf"(?:^|\n) ?(?:assistant|gpt|bot|model|ai|助手|アシスタント|{_ANSWER})[*_ ]{{0,3}}:", re.IGNORECASE
)
_SPEAKER = re.compile(r"\s*(?:assistant|gpt|bot|model|ai|助手)\s?:(?! ?[A-Z]\.?\n)", re.IGNORECASE)


def clean(response: str, compatible: bool) -> str:
    """Take marks, reasoning, markup and later turns off a response.

    Args:
        response: The model's response.
        compatible: Whether to turn all characters into plain ones. Numbers need "4²" not to become "42".

    Returns:
        What the response says, with `OPEN` and `CLOSE` around the content of answer tags and boxes.
    """
    text = _shortened(_plain(html.unescape(response), compatible), _LONGEST)
    text = _BOX_TOKEN.sub(rf"{OPEN}\1{CLOSE}", text)
    text = _SPECIAL.sub(" ", _first_message(text))
    text = _ANSWER_TAG.sub(lambda tag: CLOSE if tag[1] else OPEN, text)
    text = _IN_BOX.sub(rf"{OPEN}\1{CLOSE}", _TEX_STYLE.sub(r"\1", text))
    return _shortened(_first_turn(_without_markup(_without_thoughts(text))), _SAID)


_LONGEST, _SAID = 400_000, 16_000
"""Characters of a response, and of what it says besides its reasoning, that are read: of more, the start and the end.

An answer stands at the start or at the end. The longest responses of models with 32,768 new tokens are shorter.
"""


def _shortened(text: str, most: int) -> str:
    """A text, or the start and the end of one with more characters than `most`."""
    return text if len(text) <= most else f"{text[: most // 2]} \n{text[-most // 2 :]}"


def _plain(response: str, compatible: bool) -> str:
    """Plain letters, digits and quotation marks, without characters that are not seen."""
    seen = "".join(c for c in response if c in "\n\t\r" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs"))
    if compatible:
        return unicodedata.normalize("NFKC", seen).translate(QUOTES)
    plain = (c if unicodedata.category(c) == "No" else unicodedata.normalize("NFKC", c) for c in seen)
    return unicodedata.normalize("NFC", "".join(plain)).translate(QUOTES)


def _first_message(text: str) -> str:
    """The text before the mark that ends a message; of several channels, the last one if it is the final one."""
    channels = list(_CHANNEL.finditer(text))
    if channels:
        last = channels[-1]
        text = text[last.end() :] if last[1] == "final" else ""
    text = text.lstrip()
    if text.startswith("[INST]"):
        text = text.partition("[/INST]")[2]
    start = _SPECIAL_START.match(text)
    if start:
        text = text[start.end() :]
    return _END.split(text, maxsplit=1)[0]


_SPECIAL_START = re.compile(
    r"(?:<\|(?:im_start|start|assistant)\|>\s?(?:assistant\s?)?|<start_of_turn>\s?(?:model\s?)?|<s>\s?|\[/INST\]\s?){1,4}"
)


def _without_thoughts(text: str) -> str:
    """The text outside of reasoning; of reasoning that never ends, only a formal place at its end."""
    kept: list[str] = []
    start, open_at = 0, -1
    for tag in THOUGHT_TAG.finditer(text):
        closes = "/" in (tag[1], tag[2], tag[3])
        if closes:
            # Reasoning may begin in the prompt: all text before its end belongs to it.
            kept = kept if open_at >= 0 else []
            open_at, start = -1, tag.end()
        elif open_at < 0:
            kept.append(text[start : tag.start()])
            open_at = tag.end()
    if open_at < 0:
        return "\n".join([*kept, text[start:]])
    last = text.rfind(OPEN, open_at)
    closed = text.find(CLOSE, last) if last >= 0 else -1
    place = text[last : closed + 1] if closed >= 0 and not text[closed + 1 :].strip(" \n.$*") else ""
    return "\n".join([*kept, place])


def _without_markup(text: str) -> str:
    """The text without emphasis, bullets, HTML, struck-out parts, quoted forms, and needless space."""
    text = _CODE.sub("\n", text)
    text = _HTML.sub(" ", _LINE_TAG.sub("\n", _STRUCK.sub(" ", text)))
    text = _UNTICKED.sub("☐ ", _TICKED.sub("☑ ", text))
    text = _BULLET.sub("", _BULLET.sub("", text))
    text = re.sub(r"\*{1,3}|__|\$\$?|\\[()\[\]]|(?<!\w)_|_(?!\w)", "", text)
    text = "\n".join(_row(" ".join(line.split())) for line in text.splitlines())
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    if len(text) > 1 and text[0] == text[-1] == '"' and text.count('"') == 2:
        text = text[1:-1]
    return text


def _row(line: str) -> str:
    """A line; of a row of a table, its cells."""
    return line.strip("|").replace("|", ":").strip() if line.startswith("|") and len(line) > 1 else line


def _first_turn(text: str) -> str:
    """The text up to the next question or turn. If it begins with a question, the first reply to that one."""
    if _FIRST_TURN.match(text):
        reply = _REPLY.search(text)
        if not reply:
            return ""
        text = text[reply.start() :].strip()
    speaker = _SPEAKER.match(text)
    text = text[speaker.end() :] if speaker else text
    return _NEXT_TURN.split(text, maxsplit=1)[0].strip()
