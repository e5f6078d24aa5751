"""Shapes of files."""

from __future__ import annotations

from pydantic import Field

from platform_core.runs.run_files import RunFile
from trigger_api.shared.links import Links
from trigger_api.shared.schemas import Answer


class FileAnswer(Answer):
    """A file that a run names."""

    found_in: str = Field(description="JSON pointer of the file value, such as `/outputs/report`.")
    reference: str = Field(description="`files:` and a path among the owner's files, or an address elsewhere.")
    size: int | None = Field(description="Bytes, when the run named it.")
    media_type: str | None
    sha256: str | None
    url: str | None = Field(description="Where its content is; null for a file that is not among the owner's.")

    @classmethod
    def of(cls, file: RunFile, owner: str, links: Links) -> FileAnswer:
        return cls(
            found_in=file.found_in,
            reference=file.reference,
            size=file.size,
            media_type=file.media_type,
            sha256=file.sha256,
            url=None if file.path is None else links.file(owner, file.path),
        )


class FileList(Answer):
    """The files of a run, each reference once."""

    items: list[FileAnswer]
