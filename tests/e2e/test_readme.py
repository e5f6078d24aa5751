"""The README and the quickstart as a new user follows them: their graphs saved, their commands typed in order."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.installation import Installation

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.xdist_group("installation"),
    pytest.mark.skipif(
        any(shutil.which(program) is None for program in ("bash", "curl", "openssl")), reason="bash, curl, openssl"
    ),
]


def follow(installation: Installation, folder: Path, document: str) -> str:
    """What is printed when the graphs of a document are saved and its commands typed; each has to succeed."""
    blocks = re.findall(r"^```(yaml|console)\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)
    script = ["set -euo pipefail"]
    for kind, text in blocks:
        name = re.search(r"^name: (\S+)$", text, re.MULTILINE)
        if kind == "console":
            script.append(re.sub(r"^\$ ", "", text, flags=re.MULTILINE))
        elif name is not None:
            (folder / f"{name[1]}.yaml").write_text(text)
    typed = re.sub(r"^(make|\.venv/bin/headrace up).*$", "", "\n".join(script), flags=re.MULTILINE)
    typed = typed.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    typed = typed.replace("http://127.0.0.1:8000", installation.record["url"])
    done = subprocess.run(
        ["bash", "-c", typed],
        cwd=folder,
        env=installation.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_ten_minutes_with_the_readme(installation: Installation, tmp_path: Path) -> None:
    printed = follow(installation, tmp_path, "README.md")
    assert "1 valid" in printed
    assert "price-orders created (version 1)" in printed
    assert re.search(r"1 broken: KeyError: 'price'", printed)
    assert re.search(r'^{"run_id".*"status":"SUCCESS"', printed, re.MULTILINE)
    assert '"name":"gate","total":200' in printed
    assert re.search(r'"type":"run.succeeded".*"final":true', printed)


def test_the_quickstart_from_a_signed_webhook_to_a_retried_run(installation: Installation, tmp_path: Path) -> None:
    printed = follow(installation, tmp_path, "docs/quickstart.md")
    assert '"duplicate":false' in printed
    assert "exit code 1: the run failed" in printed
    assert "file_missing" in printed
    assert "octo/mill: 2" in printed
    assert "octo/weir: 1" in printed
    assert '"type":"node.failed"' in printed
