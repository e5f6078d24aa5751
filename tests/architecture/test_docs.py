"""The documents hold together: links lead somewhere, decisions have their form, the example is valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graph_compiler.checking.validation import check
from tests.e2e.hostile.attacks import ATTACKS

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "adr"
HEADINGS = ["Context", "Decision", "Consequences", "Alternatives", "References"]
ONE_PAGE = 60
"""Most lines of a decision."""


def documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]


def decisions() -> list[Path]:
    return sorted(DECISIONS.glob("[0-9]*.md"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(path: Path) -> set[str]:
    """What GitHub makes of the headings of a document."""
    titles = re.findall(r"^#+ (.*)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(document.read_text())):
        address, _, anchor = target.partition("#")
        if "://" in address:
            continue
        file = (document.parent / address).resolve() if address else document
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("decision", [*decisions(), DECISIONS / "template.md"], ids=name_of)
def test_a_decision_has_five_headings_and_fits_on_a_page(decision: Path) -> None:
    text = decision.read_text()
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == HEADINGS
    assert len(text.splitlines()) <= ONE_PAGE


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    assert [path.name[:4] for path in decisions()] == [f"{number:04}" for number in range(1, len(decisions()) + 1)]
    listed = dict(re.findall(r"^\| \[\d+\]\((\S+)\) \| (.*) \|$", (DECISIONS / "README.md").read_text(), re.MULTILINE))
    titles = {path.name: path.read_text().splitlines()[0].partition(": ")[2] for path in decisions()}
    assert listed == titles


@pytest.mark.parametrize("decision", decisions(), ids=name_of)
def test_the_code_a_decision_refers_to_exists(decision: Path) -> None:
    references = decision.read_text().partition("## References")[2]
    paths = re.findall(r"`([\w.]+(?:/[\w.]+)+|[\w]+\.toml)`", references)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_files_that_recipes_name_exist() -> None:
    paths = re.findall(r"`((?:\w+/)+(?:[\w.]+)?)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", [ROOT / "README.md", ROOT / "docs" / "quickstart.md"], ids=name_of)
def test_graphs_shown_in_the_documents_are_valid(document: Path) -> None:
    graphs = [
        block
        for block in re.findall(r"^```yaml\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)
        if "spec_version" in block
    ]
    assert graphs
    assert [check(graph, syntax="yaml").issues for graph in graphs] == [()] * len(graphs)


def test_the_readme_maps_every_folder() -> None:
    text = (ROOT / "README.md").read_text()
    listed = re.findall(r"^\| `(\w+)/` \|", text, re.MULTILINE)
    tracked = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name.isidentifier()}
    assert sorted(listed) == sorted(tracked - {"requirements", "artefacts", "build", "dist"})


def test_every_attack_on_code_nodes_is_in_the_threat_model_and_every_test_named_there_exists() -> None:
    rows = [line.split("|") for line in (ROOT / "docs" / "threat-model.md").read_text().splitlines() if line[:1] == "|"]
    named = [row[5].strip().strip("`") for row in rows if len(row) == 7 and row[5].strip().startswith("`")]
    suite = (ROOT / "tests" / "e2e" / "hostile" / "test_hostile_code.py").read_text()
    attacks = {attack.name for attack in ATTACKS}
    assert attacks <= set(named)
    assert [name for name in named if name not in attacks and f"def {name}(" not in suite] == []
