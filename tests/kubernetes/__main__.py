"""`make test-kube`: a cluster if there is none, the images, the tests, and the cluster away again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
KUBE = ROOT.parent / "shared" / "kube"
TARGETS = ("trigger-api", "stream-api", "code-server", "daemon", "ui", "run", "postgres")
TAG = "local"


def main() -> int:
    """The exit code of the tests."""
    is_own = "KUBECONFIG" not in os.environ
    if is_own:
        if not (KUBE / "kube-up").exists():
            sys.stderr.write("no cluster: KUBECONFIG is not set and there is no ../shared/kube\n")
            return 0
        start_cluster()
    try:
        build_images()
        return subprocess.run(
            [sys.executable, "-m", "pytest", "tests/kubernetes", "-x", *sys.argv[1:]], cwd=ROOT
        ).returncode
    finally:
        if is_own:
            subprocess.run([str(KUBE / "kube-down")], check=False)


def start_cluster() -> None:
    """Start the cluster of ../shared/kube and take over what its `kube-up` exports."""
    said = subprocess.run([str(KUBE / "kube-up")], check=True, capture_output=True, text=True).stdout
    for name, value in re.findall(r"^export (\w+)=['\"]?([^'\"\n;]*)['\"]?", said, re.MULTILINE):
        os.environ[name] = os.path.expandvars(value)
    programs = Path(os.environ.get("KUBE_HOME", "/tmp/kube")) / "cache" / "bin"
    # A newer kubectl comes first if there is one: that of the cluster knows no components.
    os.environ["PATH"] = f"{os.environ['PATH']}:{programs}"


def build_images() -> None:
    """One image for each role, where the cluster finds it; set HEADRACE_TEST_IMAGES=built to skip."""
    if os.environ.get("HEADRACE_TEST_IMAGES") == "built":
        return
    for target in TARGETS:
        name = f"headrace-{target}:{TAG}"
        options = ["--target", target]
        if (KUBE / "kube-image").exists():
            command = [str(KUBE / "kube-image"), name, ".", "deploy/docker/Dockerfile", *options]
        else:
            command = ["docker", "build", "-f", "deploy/docker/Dockerfile", "-t", name, *options, "."]
        subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
