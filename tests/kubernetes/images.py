"""An image of each role, where the test cluster finds it: what they share is built once and sent once."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KUBE = ROOT.parent / "shared" / "kube"
DOCKERFILE = "deploy/docker/Dockerfile"
FIRST = "run"
"""The role whose image brings the layers of all; the others differ from it in their configuration alone."""
ROLES = ("trigger-api", "stream-api", "code-server", "daemon", "ui", "workers")
WHOLE = (FIRST, "postgres")
TAG = "local"


def build() -> None:
    """Build all of them; set HEADRACE_TEST_IMAGES=built to take those that are there."""
    if os.environ.get("HEADRACE_TEST_IMAGES") == "built":
        return
    if not (KUBE / "kube-image").exists():
        for role in (*WHOLE, *ROLES):
            _run("docker", "build", "-f", DOCKERFILE, "-t", name(role), "--target", role, ".")
        return
    for role in WHOLE:
        _run(str(KUBE / "kube-image"), name(role), ".", DOCKERFILE, "--target", role)
    for role in ROLES:
        _buildah("build", "--pull=never", "--layers", "-f", DOCKERFILE, "-t", name(role), "--target", role, ".")
    _give([_configured(role) for role in ROLES])


def name(role: str) -> str:
    """The image's name in the `local` overlay."""
    return f"docker.io/library/headrace-{role}:{TAG}"


def _run(*command: str, **options: Any) -> str:
    return str(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, **options).stdout)


def _cache() -> Path:
    return Path(os.environ.get("KUBE_HOME", "/tmp/kube")) / "cache"


def _buildah(*arguments: str) -> str:
    """Its output, of the store that `kube-image` has filled; so each step that needs the network is done."""
    cache = _cache()
    build = {"CONTAINERS_REGISTRIES_CONF": str(cache / "build" / "registries.conf"), "BUILDAH_ISOLATION": "chroot"}
    store = ["--root", str(cache / "storage"), "--runroot", str(cache / "runroot"), "--storage-driver", "overlay"]
    return _run("buildah", *store, *arguments, env={**os.environ, **build, "TMPDIR": str(cache / "build")})


def _configured(role: str) -> tuple[str, bytes, bytes]:
    """The image's name, manifest and configuration."""
    seen = json.loads(_buildah("inspect", "--type", "image", name(role)))
    return name(role), seen["Manifest"].encode(), seen["Config"].encode()


def _give(images: list[tuple[str, bytes, bytes]]) -> None:
    """Hand containerd images whose layers it has: `kube-image` would send half a gigabyte for each."""
    files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    index = []
    for image, manifest, configuration in images:
        for content in (manifest, configuration):
            files[f"blobs/sha256/{_digest(content)}"] = content
        index.append(
            {
                "mediaType": json.loads(manifest)["mediaType"],
                "digest": f"sha256:{_digest(manifest)}",
                "size": len(manifest),
                "annotations": {"io.containerd.image.name": image},
            }
        )
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": index}).encode()
    socket = Path(os.environ.get("KUBE_HOME", "/tmp/kube")) / "run" / "containerd.sock"
    command = ["ctr", "-a", str(socket), "-n", "k8s.io", "images", "import", "-"]
    subprocess.run(command, input=_tar(files), check=True, stdout=subprocess.DEVNULL)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _tar(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


if __name__ == "__main__":
    build()
