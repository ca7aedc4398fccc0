"""The sample's docs: the benchmark's own code on the data in this folder."""

from pathlib import Path

import datasets

from ..humansense import utils

ROOT = Path(__file__).resolve().parent


def process_docs(dataset: datasets.Dataset) -> datasets.Dataset:
    """The docs of the task in the configuration of `dataset` (`dataset_name: <code>`), from the sample."""
    return utils.docs(dataset.config_name, str(ROOT), complete=False, group="humansense_sample")
