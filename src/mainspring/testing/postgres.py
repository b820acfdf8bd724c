"""A real PostgreSQL for tests, started in a temporary folder and gone with it."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A running server on loopback; `new_database` gives the URL of an empty database."""

    port: int
    pid: int

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self.run_sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self.url(name)

    def run_sql(self, statement: str, database: str = "postgres") -> None:
        import psycopg

        with psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=postgres dbname={database}", autocommit=True
        ) as connection:
            connection.execute(statement.encode())


_FOR_TESTS = (
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=64MB",
    "max_connections=200",
)


@contextmanager
def postgres_server(settings: Sequence[str] = _FOR_TESTS) -> Iterator[PostgresServer]:
    """Start a server, and stop it at the end; raises `FileNotFoundError` if PostgreSQL is not installed.

    By default it does not wait for the disk, since its data is thrown away.
    """
    initdb, postgres = _binary("initdb"), _binary("postgres")
    # PostgreSQL refuses to run as root; its packages make a user for it.
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="ms-pg-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        data = root / "data"
        data.mkdir(mode=0o700)
        if user:
            os.chown(data, user.pw_uid, user.pw_gid)
        _run([initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"], root, user)
        port = _free_port()
        options = [part for setting in settings for part in ("-c", setting)]
        command = [postgres, "-D", str(data), "-k", str(data), "-h", "127.0.0.1", "-p", str(port)]
        with (root / "log").open("wb") as log:
            server = _start(command + options, root, user, log.fileno())
            try:
                _wait(server, port, root / "log")
                yield PostgresServer(port=port, pid=server.pid)
            finally:
                server.send_signal(2)
                server.wait(timeout=30)


def _binary(name: str) -> str:
    found = shutil.which(name)
    if found and not Path(found).resolve().name.startswith("pg_wrapper"):
        return found
    candidates = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not candidates:
        raise FileNotFoundError(
            f"PostgreSQL's {name} is not installed; on Debian: apt-get install postgresql"
        )
    return str(candidates[-1])


def _run(command: list[str], folder: Path, user: pwd.struct_passwd | None) -> None:
    options = ["--no-locale", "--no-sync"]
    done = subprocess.run(
        command + options,
        cwd=folder,
        capture_output=True,
        check=False,
        **_as(user),
    )
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr.decode()}")


def _start(
    command: list[str], folder: Path, user: pwd.struct_passwd | None, log: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **_as(user))


def _as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres").close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
