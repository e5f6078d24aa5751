"""What hostile code tries. Each `main` returns what it has reached, so that nothing is good news.

They are given `home`, `pids` (of the services), `ui` and `sockets` (ports and folders of ours).
"""

from __future__ import annotations

from dataclasses import dataclass

from definitions.sandbox.machine import Gap

_BEGINNING = """
import contextlib, ctypes, glob, mmap, os, pwd, signal, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)

def tried(act):
    try:
        return act()
    except (OSError, ValueError, KeyError):
        return None
"""


@dataclass(frozen=True)
class Attack:
    """Code of a node; it holds, except on a machine with one of the `gaps`."""

    name: str
    code: str
    gaps: frozenset[Gap] = frozenset()
    timeout: str = "30s"

    @property
    def whole(self) -> str:
        return _BEGINNING + self.code


ATTACKS = [
    Attack(
        "reads files of the home",
        """
def main(home, pids, **_):
    names = ["secret.key", "postgres.password", "admin.json", "up.json", "logs/api.log", "postgres/PG_VERSION"]
    roots = ["", "/proc/self/root", "/proc/1/root", *(f"/proc/{pid}/root" for pid in pids)]
    files = [f"{root}{home}/{name}" for root in roots for name in names]
    found = [path for path in files if tried(lambda: open(path, "rb").read(1))]
    return found + [path for path in [home, f"{home}/files"] if tried(lambda: os.listdir(path)) is not None]
""",
        frozenset({Gap.FILES}),
    ),
    Attack(
        "writes to the home",
        """
def main(home, **_):
    places = [home, f"{home}/files", f"{home}/dagster", f"{home}/run", f"{home}/values"]
    return [path for path in places if tried(lambda: open(f"{path}/planted", "x"))]
""",
        frozenset({Gap.FILES}),
    ),
    Attack(
        "plants code for services",
        """
def main(**_):
    own = pwd.getpwuid(os.getuid()).pw_dir if tried(lambda: pwd.getpwuid(os.getuid())) else "/root"
    places = [*sys.path, *glob.glob(sys.prefix + "/lib/python*/site-packages"), sys.prefix + "/bin", own]
    places += ["/etc", "/usr/local/bin", "/etc/cron.d", "/var/spool/cron", "/run", "/opt"]
    return [place for place in places if place and tried(lambda: open(f"{place}/headrace-evil.pth", "w"))]
""",
    ),
    Attack(
        "connects to PostgreSQL and to the services' sockets",
        """
def connected(address):
    with socket.socket(socket.AF_UNIX) as own:
        own.connect(address)
        return address

def main(home, sockets, **_):
    listed = [words[7].strip() for line in open("/proc/net/unix") if len(words := line.split(maxsplit=7)) == 8]
    names = (".s.PGSQL.5432", "pool.sock", "code.sock", "ui.sock")
    known = [f"{folder}/{name}" for folder in sockets for name in names]
    known += [name for name in listed if name.startswith(tuple(sockets))]
    abstract = ["\\0" + name[1:] for name in listed if name.startswith("@")]
    return [name for name in [*known, *abstract] if tried(lambda: connected(name))]
""",
        frozenset({Gap.SIGNALS}),
    ),
    Attack(
        "signals services",
        """
def main(pids, **_):
    return [pid for pid in pids if tried(lambda: os.kill(pid, signal.SIGKILL) or True)]
""",
        frozenset({Gap.SIGNALS}),
    ),
    Attack(
        "ends its parents or other calls",
        """
def main(**_):
    if os.getppid() == 1:
        os.kill(1, signal.SIGKILL)  # that of its own namespace, whom it cannot end
        os.kill(1, signal.SIGINT)
    there = {int(name) for name in os.listdir("/proc") if name.isdigit()} - {os.getpid(), 1}
    return [pid for pid in sorted(there) if tried(lambda: os.kill(pid, signal.SIGKILL) or True)]
""",
        frozenset({Gap.NEIGHBOURS}),
    ),
    Attack(
        "traces services and its parents",
        """
def main(pids, **_):
    there = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    return [pid for pid in {*pids, *there} for request in (16, 0x4206) if libc.ptrace(request, pid, 0, 0) == 0]
""",
    ),
    Attack(
        "reads what /proc says of others",
        """
def main(pids, **_):
    found = []
    for pid in {*pids, os.getppid(), *(int(name) for name in os.listdir("/proc") if name.isdigit())} - {os.getpid()}:
        if (tried(lambda: open(f"/proc/{pid}/environ", "rb").read()) or b"").find(b"HEADRACE") >= 0:
            found.append(f"/proc/{pid}/environ")
        if pid in pids:
            place = f"/proc/{pid}/"
            found += [place + name for name in ("mem", "maps") if tried(lambda: open(place + name, "rb").read(9))]
            numbers = tried(lambda: os.listdir(place + "fd")) or ()
            found += [place + number for number in numbers if tried(lambda: os.readlink(f"{place}fd/{number}"))]
            found += [place + "root"] if tried(lambda: os.listdir(place + "root/")) else []
    return found
""",
    ),
    Attack(
        "finds a socket of the sandbox's own",
        """
def main(**_):
    names = [(name, tried(lambda: os.readlink(f"/proc/self/fd/{name}"))) for name in os.listdir("/proc/self/fd")]
    return [link for _, link in names if link and link.startswith("socket:")]
""",
    ),
    Attack(
        "becomes another user",
        """
def main(**_):
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    found = [name for name in ("CapEff", "CapPrm", "CapInh", "CapAmb") if int(status[name], 16)]
    found += [] if status["NoNewPrivs"].strip() == "1" else ["set-user-id programs"]
    found += ["setuid"] if tried(lambda: os.setuid(0) or True) else []
    return found
""",
    ),
    Attack(
        "makes namespaces and mounts",
        """
def main(**_):
    programs = ("unshare -Ur true", "unshare -n true", "mount -t tmpfs x /mnt")
    found = [one for one in programs if tried(lambda: subprocess.run(one.split(), capture_output=True).returncode == 0)]
    found += ["umount"] if libc.umount2(b"/tmp", 2) == 0 else []
    return found
""",
    ),
    Attack(
        "asks the kernel for what no node needs",
        """
CALLS = {"io_uring_setup": (425, 1, ctypes.create_string_buffer(120)), "bpf": (321, 0, None, 0),
         "userfaultfd": (323, 1), "keyctl": (250, 0, -3, 1), "add_key": (248, b"user", b"x", b"y", 1, -3),
         "memfd_create": (319, b"x", 0), "shmget": (29, 0, 4096, 0o1600), "perf_event_open": (298, None, 0, -1, -1, 0)}

def main(**_):
    if os.uname().machine != "x86_64":
        return []
    return [name for name, call in CALLS.items() if libc.syscall(*call) >= 0]
""",
    ),
    Attack(
        "takes more memory than it may",
        """
def main(**_):
    held, total = [], 0
    with contextlib.suppress(OSError, MemoryError):
        while total < 4096:
            held.append(mmap.mmap(-1, 2**26))  # shared and anonymous
            held[-1].write(b"x" * 2**26)
            total += 64
    return [] if total <= 1600 else [total]
""",
    ),
    Attack(
        "fills disks",
        """
def main(home, **_):
    total = 0
    for place in ("/tmp", "/var/tmp", "/dev/shm", ".", "/run", "/opt", home):
        with contextlib.suppress(OSError):
            for number in range(64):
                with open(f"{place}/fill-{number}", "wb", 0) as file:
                    for _ in range(32):
                        total += file.write(bytes(2**22)) // 2**20
    return [] if total <= 640 else [total]
""",
        frozenset({Gap.DISK}),
        "120s",
    ),
]
PLANT = """
def main(**_):
    planted = []
    for place in ("/tmp", "/var/tmp", "/dev/shm"):
        path = f"{place}/headrace-planted"
        if tried(lambda: open(path, "w")):
            os.chmod(path, 0o666)
            planted.append(path)
    return planted
"""
FIND = """
def main(**_):
    return [path for folder in ("/tmp", "/var/tmp", "/dev/shm") for path in glob.glob(folder + "/headrace-planted")]
"""
ESCAPE = """
def main(name, **_):
    libc.prctl(15, name.encode())  # PR_SET_NAME
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            print("away", flush=True)
            while True:
                time.sleep(1)
        os._exit(0)
    print("away", flush=True)
    time.sleep(600)
"""
FORK_BOMB = """
def main(name, **_):
    libc.prctl(15, name.encode())  # PR_SET_NAME
    while True:
        if tried(os.fork) is None:
            time.sleep(0.001)
"""
METADATA = """
import urllib.error, urllib.request
def main(**_):
    found = [kind for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM) if tried(lambda: reached(kind))]
    try:
        urllib.request.urlopen("http://169.254.169.254/latest/meta-data/", timeout=5)
        return [*found, "by the proxy"]
    except OSError:
        return found

def reached(kind):
    with socket.socket(socket.AF_INET, kind) as own:
        own.settimeout(3)
        own.connect(("169.254.169.254", 80))
        return True
"""


def whole(code: str) -> str:
    """The code with what all attacks share."""
    return _BEGINNING + code
