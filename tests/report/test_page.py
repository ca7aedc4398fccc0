"""The report's page in a real browser: it loads, filters, opens samples, plays clips, and shows text as text."""

import importlib.util
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from lmms_humansense.cli import app
from lmms_humansense.report.command import report
from lmms_humansense.report.media import preview
from lmms_humansense.report.pictures import pictures
from lmms_humansense.results.reading import read_runs
from lmms_humansense.tasks.humansense.annotations import Doc
from lmms_humansense.tasks.humansense_sample.utils import ROOT
from tests.helpers import clips, logged

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'><b>B</b>"
THOUGHT = "<think>First I look.\nThen I listen.</think>B"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Page:
    """A page, and the messages and requests that it caused."""

    def __init__(self, browser: Any, file: Path) -> None:
        self.page = browser.new_page(viewport={"width": 1300, "height": 900})
        self.page.set_default_timeout(10_000)
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    @property
    def count(self) -> str:
        return str(self.page.inner_text("#count"))

    def choose(self, name: str, value: str) -> None:
        self.page.select_option(f"select[name={name}]", value)

    def type(self, text: str) -> None:
        self.page.fill("input[name=text]", text)

    def first(self) -> str:
        """The text of the first sample, opened."""
        self.page.click("#list button >> nth=0")
        return str(self.page.inner_text("#sample"))


def made(folder: Path, **options: Any) -> Path:
    assert report([folder], folder / "report", **options) == 0
    return folder / "report" / "report.html"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on all 3,882 questions."""
    folder = tmp_path_factory.mktemp("large")
    logged.write(folder / "a", logged.mostly_right(0.6), model="org/Omni-A")
    logged.write(folder / "b", logged.mostly_right(0.5), model="org/Omni-B")
    return made(folder)


@pytest.fixture
def page(browser: Any, large: Path) -> Iterator[Page]:
    opened = Page(browser, large)
    yield opened
    opened.page.close()


def test_it_loads_at_once_asks_for_nothing_and_does_not_complain(page: Page, large: Path) -> None:
    painted = page.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert painted < 1000, f"first paint after {painted:.0f} ms"
    assert page.count == "3,882 of 3,882 samples, page 1 of 78"
    assert page.asked == [large.as_uri()]
    assert page.complaints == []


def test_a_filter_takes_less_than_a_tenth_of_a_second(page: Page) -> None:
    taken = page.page.evaluate("""() => {
        const form = document.getElementById("filters");
        const times = [];
        for (const text of ["question", "recognition 12", "nothing at all", ""]) {
            form.elements.text.value = text;
            const started = performance.now();
            form.dispatchEvent(new Event("input", { bubbles: true }));
            document.body.offsetHeight;  // laid out
            times.push(performance.now() - started);
        }
        return times;
    }""")
    assert max(taken) < 100, taken


def test_filters_find_what_they_say(page: Page) -> None:
    page.choose("task", "HC")
    assert page.count.startswith("360 of")
    page.choose("outcome", "right")
    right = int(page.count.partition(" ")[0])
    page.choose("outcome", "wrong")
    assert right + int(page.count.partition(" ")[0]) == 360
    assert "✗ wrong" in page.first()
    page.choose("task", "")
    page.choose("outcome", "partly")
    assert "PA Person Appearance" in page.first()
    page.choose("outcome", "")
    page.choose("level", "L4")
    assert page.count.startswith("591 of")
    page.choose("level", "")
    page.type("lie detection 199")
    assert page.count.startswith("1 of")
    page.type("")


def test_flipped_questions_are_those_that_the_comparison_counts(page: Page, large: Path) -> None:
    (comparison,) = json.loads((large.parent / "results.json").read_text())["comparisons"]
    for value, name in (("0,1,1", "gained"), ("0,1,0", "lost")):
        page.choose("flip", value)
        expected = sum(len(task[name]) for task in comparison["tasks"].values())
        assert page.count.startswith(f"{expected:,} of")
    page.choose("flip", "")


def test_the_metric_of_the_table_can_be_chosen(page: Page) -> None:
    shown = "[...document.querySelectorAll('[data-metric]')].filter((e) => !e.hidden).map((e) => e.dataset.metric)"
    assert page.page.evaluate(shown) == ["paper"]
    page.page.check("input[value=acc]")
    assert page.page.evaluate(shown) == ["acc"]
    page.page.check("input[value=paper]")


def test_everything_is_reached_with_the_keyboard(page: Page) -> None:
    page.page.focus("input[name=text]")
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.closest('#list') !== null")
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("Enter")
    assert page.page.evaluate("document.activeElement.getAttribute('aria-current')") == "true"
    assert "Question 1 of Action Recognition" in page.page.inner_text("#sample")
    page.page.click("#next")
    assert "page 2 of 78" in page.count
    page.page.click("#previous")


def test_every_control_has_a_name_and_every_picture_a_text(page: Page) -> None:
    unnamed = """[...document.querySelectorAll("select, input, button, [role=region]")].filter(
        (e) => !(e.labels && e.labels.length) && !e.textContent.trim() && !e.getAttribute("aria-label")).length"""
    assert page.page.evaluate(unnamed) == 0
    texts = page.page.evaluate("[...document.querySelectorAll('figure')].map((e) => e.getAttribute('aria-label'))")
    assert len(texts) == 6
    assert all("%" in text or "are right" in text for text in texts)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_both_backgrounds(scheme: str, page: Page) -> None:
    page.page.emulate_media(color_scheme=scheme)
    ratio = page.page.evaluate("""() => {
        const light = (colour) => {
            const [r, g, b] = colour.match(/\\d+/g).map(Number).map((v) => v / 255)
                .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const page = light(getComputedStyle(document.body).backgroundColor);
        const texts = "body, .hint, td, figure svg text, #list .right, #list .wrong";
        return [...document.querySelectorAll(texts)].map((e) => {
            const style = getComputedStyle(e);
            const text = light(e.tagName === "text" ? style.fill : style.color);
            return (Math.max(text, page) + 0.05) / (Math.min(text, page) + 0.05);
        }).reduce((one, other) => Math.min(one, other));
    }""")
    assert ratio > 4.5


def test_what_a_model_said_is_text_and_its_reasoning_is_folded(browser: Any, tmp_path: Path) -> None:
    def answer(doc: Doc, chance: object) -> str:
        return HOSTILE if doc["id"].endswith("0") else THOUGHT

    logged.write(tmp_path / "a", answer, model=f"org/{HOSTILE.replace('/', '')}", tasks="AR,LD", count=4)
    page = Page(browser, made(tmp_path))
    assert HOSTILE in page.first()
    page.page.click("#list button >> nth=1")
    details = page.page.query_selector("#sample details")
    assert details.inner_text() == "Reasoning, 28 characters"
    details.click()
    assert "Then I listen." in details.inner_text()
    assert page.page.evaluate("window.hacked") is None
    assert page.complaints == []


@pytest.mark.parametrize(
    ("response", "fact"),
    [
        ("", "answer read: none · 12 frames · 0 s heard of 10 s · 1 tokens · empty"),
        ("[SAFETY_BLOCKED:unknown]", "1 tokens · blocked by a safety filter"),
        ("[LMMS_EVAL_BUDGET_EXCEEDED]", "1 tokens · not asked, because the budget of tokens was spent"),
    ],
)
def test_what_a_wrapper_did_not_answer_stands_on_top_and_beside_its_sample(
    response: str, fact: str, browser: Any, tmp_path: Path
) -> None:
    logged.write(tmp_path, lambda doc, chance: response, tasks="AR", count=4, wrapper="qwen2_5_omni")
    opened = Page(browser, made(tmp_path))
    said = "4 of 4 responses of humansense_ar are empty" if not response else "4 of 4 requests of humansense_ar failed"
    assert said in opened.page.inner_text("[role=alert]")
    assert fact in opened.first()
    assert opened.page.locator("input[value=empty]").count() == 1
    assert opened.complaints == []


def test_the_prompt_and_what_was_shown_stand_beside_an_answer(page: Page) -> None:
    page.choose("task", "TR")
    text = page.first()
    assert "12 frames · 9.5 s heard of 10 s" in text
    page.page.click("#sample details:last-of-type summary >> nth=0")
    assert "You are an advanced multimodal analysis AI assistant." in page.page.inner_text("#sample")
    page.choose("task", "")


@pytest.mark.parametrize("mode", ["link", "embed", "none"])
@pytest.mark.parametrize(("task", "file"), [("AR", "videos/talk/meeting.mp4"), ("PC", "audios/chat/exam.wav")])
def test_a_clip_is_played_as_it_was_asked_for(mode: Any, task: str, file: str, browser: Any, tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(1), tasks=task, count=2, file=ROOT / file)
    page = Page(browser, made(tmp_path, mode=mode))
    page.first()
    player = page.page.query_selector("#sample video, #sample audio")
    if mode == "none":
        assert player is None
        return
    source = player.get_attribute("src")
    assert source.startswith("data:video/webm" if mode == "embed" else (ROOT / file).as_uri())
    length = player.evaluate("""(player) => new Promise((resolve) => {
        player.onloadedmetadata = () => resolve(player.duration);
        player.onerror = () => resolve(String(player.error && player.error.message));
        player.load();
        player.preload = "metadata";
    })""")
    assert isinstance(length, float | int), length
    assert 1 < length < 60
    assert page.complaints == []


def test_previews_are_small() -> None:
    for file in sorted(ROOT.rglob("*.mp4"))[:3] + sorted(ROOT.rglob("*.wav"))[:2]:
        assert 1000 < len(preview(file)) < 250_000


@pytest.mark.parametrize("default", [0, 1])
def test_a_preview_has_the_default_sound_track(default: int, tmp_path: Path) -> None:
    tracks = [clips.tones(16_000, 1) * loud for loud in (0.1, 1.0)]
    made = tmp_path / "preview.webm"
    made.write_bytes(preview(clips.write_tracks(tmp_path / "tracks.mkv", tracks, default)))
    with av.open(str(made)) as container:
        loudest = max(np.abs(frame.to_ndarray()).max() for frame in container.decode(audio=0))
    assert (loudest > 0.5) == (default == 1)


def test_a_preview_needs_no_decoder_for_the_sound(tmp_path: Path) -> None:
    readable = clips.write_sound(tmp_path / "a.mp4", clips.tones(16_000, 1), 16_000, "aac", pictures=5)
    assert len(preview(clips.without_decoder(readable, tmp_path / "ac4.mp4"))) > 200


def test_the_explanation_of_the_table_fits_the_page(tmp_path: Path) -> None:
    logged.write(tmp_path, logged.mostly_right(0.6), count=2)
    html = made(tmp_path).read_text(encoding="utf-8")
    (hint,) = re.findall(r'<p class="hint">(Below each score.*)</p>', html)
    assert hint.startswith("Below each score: 95 % intervals in percentage points")
    assert "<code>truncated</code> is the share" in hint
    assert "`" not in hint
    assert "In brackets: 95 % intervals" in (tmp_path / "report" / "table.md").read_text(encoding="utf-8")


def test_the_page_needs_nothing_but_itself(large: Path) -> None:
    html = large.read_text(encoding="utf-8")
    outside = re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//[^\"')\s]+", html.partition('id="data"')[0])
    assert outside == []


@pytest.mark.parametrize(
    "options",
    [
        ["Boredom", "Angry", "Calm"],
        ["（A） Boredom", "（B） Angry", "（C） Calm"],
        ["(A) Boredom", "(B) Angry", "(C) Calm"],
    ],
    ids=lambda options: options[0],
)
def test_the_right_option_is_marked_as_the_parser_reads_options(
    options: list[str], browser: Any, tmp_path: Path
) -> None:
    logged.write(tmp_path, lambda doc, chance: "C", tasks="AR", count=1)
    (samples,) = tmp_path.glob("*.jsonl")
    sample = json.loads(samples.read_text())
    sample["acc"] |= {"options": options, "gold": "A", "parsed": "C"}
    samples.write_text(json.dumps(sample) + "\n")
    page = Page(browser, made(tmp_path))
    page.first()
    assert [item.inner_text() for item in page.page.query_selector_all("#sample li")] == [
        f"{options[0]} ✓ right", options[1], f"{options[2]} ← Model"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["a$b$c", "$\\frac{$", "_hidden", "c" * 5000], ids=["math", "bad math", "underscore", "long"]
)
def test_every_name_stands_in_the_legends(name: str, tmp_path: Path) -> None:
    logged.write(tmp_path / "a", logged.mostly_right(0.5), model=name, count=4)
    runs, _ = read_runs([tmp_path])
    drawn = pictures(runs, "acc")
    shown = [picture for picture in drawn if not picture.title.startswith("Counting")]
    assert all(runs[0].name[:39] in picture.svg for picture in shown)
    assert len(shown) == 4


# The command.


def test_the_command_writes_everything_and_says_where(tmp_path: Path) -> None:
    logged.write(tmp_path / "in", logged.mostly_right(0.5), count=4)
    (tmp_path / "in" / "bad_results.json").write_text("{")
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["report", str(tmp_path / "in"), "--out", str(out), "--paper", "omni"])
    assert done.exit_code == 0, done.output
    assert f"Report: {out / 'report.html'}" in done.output
    assert "bad_results.json is not valid JSON" in done.output
    assert {path.name for path in out.iterdir()} == {
        "report.html", "table.md", "table.csv", "table.tex", "results.json"
    }  # fmt: skip
    table = (out / "table.md").read_text()
    assert "Qwen2.5-Omni-7B" in table
    assert "GPT-4o" not in table
    assert "bad_results.json" in (out / "report.html").read_text()


def test_the_command_prints_a_table_in_the_terminal(tmp_path: Path) -> None:
    logged.write(tmp_path / "in", logged.mostly_right(0.5), count=4)
    done = CliRunner().invoke(app, ["report", str(tmp_path / "in"), "--terminal"])
    assert done.exit_code == 0
    assert "HumanSense, paper, %" in done.output
    assert "greedy (the paper sampled)" in done.output
    assert not (tmp_path / "humansense_report").exists()


def test_nothing_to_report_is_said_with_status_1(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert done.exit_code == 1
    assert "contains no *_results.json of lmms-eval" in done.output


def test_without_matplotlib_a_report_has_no_charts_and_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "matplotlib" else find(name))
    logged.write(tmp_path / "in", logged.mostly_right(0.7), count=2)
    done = CliRunner().invoke(app, ["report", str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "pip install 'lmms-humansense[report]'" in done.output.replace("\n", " ")
    assert "<figure" not in (tmp_path / "out" / "report.html").read_text()
