"""One spelling for each idea, in code, texts and documents; the table is in docs/glossary.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (
    *(
        "definitions",
        "graph_compiler",
        "graph_engine",
        "headrace",
        "headrace_cli",
        "platform_core",
        "stream_api",
        "trigger_api",
    ),
    *("benchmarks", "deploy", "docs", "examples", "tests"),
)
SUFFIXES = {".py", ".md", ".yaml", ".html", ".js", ".mako", ".sh", ".issues"}
SKIPPED = {
    "docs/glossary.md": "it names the words that are not used",
    "tests/architecture/test_words.py": "the same",
    "tests/architecture/test_names.py": "it names them too",
    "tests/data": "recorded from others",
    "platform_core/database/migrations/versions": "a published migration never changes",
}


@dataclass(frozen=True)
class Word:
    """What is not written, what is written instead, and phrases in which it may stand, each with the reason."""

    pattern: str
    instead: str
    allowed: Mapping[str, str] = field(default_factory=dict)
    in_tests: bool = True

    def found(self, line: str) -> bool:
        for phrase in self.allowed:
            line = re.sub(phrase, "", line)
        return re.search(self.pattern, line) is not None


WORDS = {
    "canceled": Word(
        r"(?i)cancell(ed|ing)",
        "canceled, canceling",
        {r"CancelledError": "Python's name", r"\.cancelled\(\)": "a method of asyncio"},
    ),
    "webhook": Word(
        r"(?<![Ww]eb)(?<!WEB)([Hh]ook|HOOK)",
        "webhook",
        {
            r"/hooks?\b": "the address of webhooks, a contract",
            r"hook_id\b": "the part of that address, and its column",
            r"previous_hook_until": "a column",
            r"hook_rates": "a table",
            r"hook_not_found": "a stable code of an error",
            r"object_hook": "a parameter of Python's json",
            r"hookimpl": "pluggy's name",
            r"(PreCreate|PreStart|PostStart)HookError": "reasons of Kubernetes",
            r"\bhooked\b|of_hooked": "the name of a graph in tests",
        },
    ),
    "timer": Word(r"(?i)\b(schedule|scheduled|cron) triggers?\b|\bcron jobs?\b", "timer"),
    "after": Word(
        r"\bbehind\b",
        "after, for what comes later",
        {
            r"\b(left|leaves?|leaving|lea(f|v)ing) ([\w-]+ ){0,3}behind": "what stays when another goes",
            r"\b(falls?|fell|is|are|events) behind(?! (it|this|the))": "a lag",
            r"behind (an API|your own screens|a real proxy|a proxy|our sign-in|one address|gRPC|`fd`)": "a place",
            r"services-behind-the-runtime": "the address of a decision",
            r"Behind a proxy": "a place",
        },
    ),
    "reported": Word(r"\btold\b|_told\b|\btold_", "reported", in_tests=False),
    "again": Word(r"(?i)\banew\b", "again"),
    "anybody who": Word(r"(?i)\bwhoever\b", "anybody who, or the party by its name"),
    "not a plain": Word(r"\bno plain\b", "not a plain"),
}


def texts() -> Iterator[Path]:
    yield from ROOT.glob("[A-Z]*.md")
    yield ROOT / "Makefile"
    for folder in FOLDERS:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SUFFIXES)


def checked() -> Iterator[tuple[str, list[str]]]:
    """Each text by its path, without those that are skipped and what is history."""
    for path in texts():
        name = str(path.relative_to(ROOT))
        if name != "CHANGELOG.md" and not any(name == skipped or name.startswith(f"{skipped}/") for skipped in SKIPPED):
            yield name, path.read_text(errors="replace").splitlines()


@pytest.mark.parametrize("word", WORDS)
def test_an_idea_has_one_spelling(word: str) -> None:
    rule = WORDS[word]
    found = [
        f"{name}:{number}: {line.strip()} ({rule.instead})"
        for name, lines in checked()
        if rule.in_tests or not name.startswith("tests/")
        for number, line in enumerate(lines, 1)
        if rule.found(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("word", "line", "is_found"),
    [
        ("canceled", "the run was cancelled", True),
        ("canceled", "if not task.cancelled():", False),
        ("webhook", "class KnownHook:", True),
        ("webhook", "hook_store", True),
        ("webhook", "class KnownWebhook:", False),
        ("webhook", "POST /hooks/{hook_id}", False),
        ("after", "events behind the cursor", True),
        ("after", "what a run left behind", False),
        ("timer", "a schedule trigger", True),
        ("reported", "each node is told once", True),
    ],
)
def test_the_rules_find_what_they_are_for(word: str, line: str, is_found: bool) -> None:
    assert WORDS[word].found(line) is is_found


def test_every_word_is_in_the_glossary() -> None:
    table = (ROOT / "docs" / "glossary.md").read_text().partition("## One spelling for each idea")[2]
    written = re.findall(r"^\| ([\w ]+)", table, re.MULTILINE)
    assert {word for word in WORDS if not any(word in row for row in written)} == set()


def test_every_exception_is_needed() -> None:
    everything = "\n".join("\n".join(lines) for _, lines in checked())
    unused = [phrase for rule in WORDS.values() for phrase in rule.allowed if not re.search(phrase, everything)]
    assert unused == []
