"""Real faults: disks of their own that fill up, go read-only or err, a name service that is silent, a deaf port."""

import ctypes
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import trustme

CLONE_NEWNS = 0x00020000  # <linux/sched.h>
FILLER = "filler"


class Unavailable(Exception):
    """This machine does not let us inject that fault; the sentence says why."""


@lru_cache(maxsize=1)
def private_mounts() -> None:
    """From here on, what this process mounts is seen by it and its children alone, and ends with them.

    So a test that is killed leaves no full disk behind. Raises Unavailable.
    """
    if os.geteuid() != 0:
        raise Unavailable("only root may mount a disk")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise Unavailable(f"no mounts of our own: {os.strerror(ctypes.get_errno())}")
    _run("mount", "--make-rprivate", "/")


class Disk:
    """A small file system. `size` as mount(8) takes it for a tmpfs."""

    def __init__(self, path: Path, size: str = "4m") -> None:
        private_mounts()
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))

    @classmethod
    def mounted(cls, path: Path) -> "Disk":
        """One that a fixture has mounted."""
        found = cls.__new__(cls)
        found.path = path
        return found

    @property
    def free(self) -> int:
        """Bytes that can still be written."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Use up the whole disk, but for so many bytes."""
        with (self.path / FILLER).open("ab") as file:
            if (size := self.free - leave) > 0:
                os.posix_fallocate(file.fileno(), file.tell(), size)

    def make_room(self) -> None:
        """What a person does who is told that the disk is full."""
        (self.path / FILLER).unlink()

    def grow(self, size: str) -> None:
        """The same disk, larger."""
        _run("mount", "-o", f"remount,size={size}", str(self.path))

    def remount(self, mode: str) -> None:
        """mode: ro or rw. The kernel refuses `ro` while a file is open for writing."""
        _run("mount", "-o", f"remount,{mode}", str(self.path))

    def close(self) -> None:
        _run("umount", "--lazy", str(self.path))


class FailingDisk(Disk):
    """An ext4 that can be made to find an error in itself, as a dying disk's does: it goes read-only at once."""

    def __init__(self, path: Path, image: Path) -> None:
        private_mounts()
        self.path, self._image = path, image
        path.mkdir(parents=True, exist_ok=True)
        with image.open("wb") as file:
            file.truncate(32 << 20)
        _run("mkfs.ext4", "-q", str(image))
        _run("mount", "-o", "loop,errors=remount-ro", str(image), str(path))

    def fail(self) -> None:
        """From now on every write to this disk fails, also to files that are open already."""
        device = os.stat(self.path).st_dev
        name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
        Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("1")

    def mend(self) -> None:
        """What a person does after looking at the disk: check it, and mount it again."""
        _run("umount", str(self.path))
        subprocess.run(["e2fsck", "-p", str(self._image)], capture_output=True)
        _run("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.path))


@contextmanager
def silent_name_service(folder: Path, *, denies: bool = False) -> Iterator[None]:
    """While inside, this process and its children ask a name service that takes every question and says nothing.

    denies: it says that there is no such name.
    """
    private_mounts()
    address = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"  # each worker of the tests has its own
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind((address, 53))
        over = threading.Event()
        denier = threading.Thread(target=_deny, args=(service, over))
        if denies:
            denier.start()
        file = folder / "resolv.conf"
        file.write_text(f"nameserver {address}\noptions timeout:30 attempts:5\n")
        _run("mount", "--bind", str(file), "/etc/resolv.conf")
        try:
            yield
        finally:
            _run("umount", "/etc/resolv.conf")
            over.set()
            if denies:
                denier.join()


def _deny(service: socket.socket, over: threading.Event) -> None:
    """Answer every question with NXDOMAIN (RFC 1035, 4.1.1)."""
    service.settimeout(0.1)
    while not over.is_set():
        with suppress(TimeoutError):
            question, asker = service.recvfrom(4096)
            service.sendto(question[:2] + b"\x81\x83" + question[4:6] + bytes(6) + question[12:], asker)


class DeafPort:
    """A port whose queue is full: the kernel drops whoever knocks, as a firewall that says nothing does."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self._listener = socket.socket()
        self._listener.bind((host, port))
        self._listener.listen(0)
        self.port = int(self._listener.getsockname()[1])
        self._waiting: list[socket.socket] = []
        while True:
            knock = socket.socket()
            knock.settimeout(0.2)
            self._waiting.append(knock)
            try:
                knock.connect((host, self.port))
            except TimeoutError:
                return

    def close(self) -> None:
        for knock in self._waiting:
            knock.close()
        self._listener.close()


def with_failing_calls(failure: str) -> list[str]:
    """What to put before a command so that its file operations fail: `posix/io/rw/pwrite,probability=1,failinfo=5`.

    failinfo is the errno (5 EIO, 28 ENOSPC, 30 EROFS). Raises Unavailable.
    """
    if shutil.which("fiu-run") is None:
        raise Unavailable("fiu-run is not installed (Debian: fiu-utils)")
    return ["fiu-run", "-x", "-c", f"enable_random name={failure}"]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command[:3])}: {done.stderr.strip()[:200]}")


def unmount_quietly(disk: Disk) -> None:
    """At the end of a test, however it ended."""
    with suppress(Unavailable):
        disk.close()


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """A server's side of TLS with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
