"""`make test-kube`: a cluster if there is none, the images, the tests, and the cluster away again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.kubernetes import images
from tests.kubernetes.images import KUBE, ROOT


def main() -> int:
    """The exit code of the tests."""
    is_own = "KUBECONFIG" not in os.environ
    if is_own:
        if not (KUBE / "kube-up").exists():
            sys.stderr.write("no cluster: KUBECONFIG is not set and there is no ../shared/kube\n")
            return 0
        start_cluster()
    try:
        images.build()
        command = [sys.executable, "-m", "pytest", "tests/kubernetes", *sys.argv[1:]]
        return subprocess.run(command, cwd=ROOT, env=environment()).returncode
    finally:
        if is_own:
            subprocess.run([str(KUBE / "kube-down")], check=False)


def start_cluster() -> None:
    """Start the cluster of ../shared/kube and take over what its `kube-up` exports."""
    said = subprocess.run([str(KUBE / "kube-up")], check=True, capture_output=True, text=True).stdout
    for name, value in re.findall(r"^export (\w+)=['\"]?([^'\"\n;]*)['\"]?", said, re.MULTILINE):
        os.environ[name] = os.path.expandvars(value)


def environment() -> dict[str, str]:
    """Ours, with the kubectl of `make servers` first, and last that of the cluster, which is too old."""
    first = Path(sys.executable).parent
    last = Path(os.environ.get("KUBE_HOME", "/tmp/kube")) / "cache" / "bin"
    return {**os.environ, "PATH": f"{first}:{os.environ['PATH']}:{last}"}


if __name__ == "__main__":
    sys.exit(main())
