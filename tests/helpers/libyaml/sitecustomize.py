"""Makes the programs that tests start read YAML with libyaml: lmms-eval reads 2,000 files at every start.

Python imports this module at its start, from a folder in PYTHONPATH.
"""

from typing import Any

import yaml

if hasattr(yaml, "CFullLoader"):

    class QuickLoader(yaml.CFullLoader):
        def __init__(self, stream: Any) -> None:
            super().__init__(stream)
            self.name = getattr(stream, "name", "")  # lmms-eval looks for functions beside the file

    for module in (yaml, yaml.loader):
        setattr(module, "FullLoader", QuickLoader)  # noqa: B010  # mypy forbids assigning to a type
