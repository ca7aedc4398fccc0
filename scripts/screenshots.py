"""Pictures of a report for the README: `python scripts/screenshots.py REPORT.html docs` (needs a Chromium)."""

import shutil
from pathlib import Path

import typer
from playwright.sync_api import sync_playwright

SHOW = """() => new Promise(done => {
    const video = document.querySelector("video");
    video.oncanplay = () => done();
    video.preload = "auto";
    video.load();
})"""
"""Loads the clip of the sample, which the page does not do before somebody plays it."""


def main(report: Path, folder: Path) -> None:
    """Take a picture of the report's table in light colours, and one of a sample in dark colours (needs a Chromium)."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme=scheme)
            page.goto(report.absolute().as_uri())
            page.wait_for_selector("html[data-ready]")
            if scheme == "dark":
                page.select_option("select[name=task]", "HC")
                page.click("#list button >> nth=0")
                page.evaluate("document.getElementById('samples').scrollIntoView()")
                page.evaluate(SHOW)
                page.wait_for_timeout(500)
            page.screenshot(path=folder / f"report-{scheme}.png")
        browser.close()


if __name__ == "__main__":
    typer.run(main)
