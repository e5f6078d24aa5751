"""The files that a caller sends for one run: values that stand for them, and their bytes until they are kept."""

from __future__ import annotations

import hashlib
import uuid
from contextlib import suppress
from typing import Any

from graph_compiler.values.file_values import SCHEME, checked_path, file_value, name_for
from platform_core.errors import Unavailable
from platform_core.runs.upload_store import folder_of, keep_file, remove_uploads
from platform_core.settings import Settings
from trigger_api.shared.multipart import Part


class Uploads:
    """Kept before the run is accepted under `run_id`, so that an accepted run always has its files."""

    def __init__(self) -> None:
        self.run_id = str(uuid.uuid4())
        self._files: dict[str, bytes] = {}
        self._values: list[dict[str, Any]] = []

    def __bool__(self) -> bool:
        return bool(self._files)

    def __contains__(self, value: object) -> bool:
        """Whether the file value is one of these."""
        return value in self._values

    def add(self, part: Part) -> dict[str, Any]:
        """The file value of a part; nothing is kept yet."""
        digest = hashlib.sha256(part.content).hexdigest()
        path = checked_path(f"{folder_of(self.run_id)}/{digest}/{name_for(part.filename or '')}")
        self._files[path] = part.content
        value = file_value(SCHEME + path, size=len(part.content), media_type=part.media_type, sha256=digest)
        self._values.append(value)
        return value

    def keep(self, settings: Settings, owner: str) -> None:
        """Write all files, or none, into the folder of the owner of that name. Raises `Unavailable`."""
        try:
            for path, content in self._files.items():
                keep_file(settings, owner, path, content)
        except BaseException:
            with suppress(Unavailable):  # then the sweep for files without a run removes them
                self.remove(settings, owner)
            raise

    def remove(self, settings: Settings, owner: str) -> None:
        """Remove what was kept, since no run has it. Raises `Unavailable`."""
        if self._files:
            remove_uploads(settings, owner, self.run_id)
