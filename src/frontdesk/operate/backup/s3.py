"""A bucket that speaks S3: Amazon's, MinIO, Ceph, SeaweedFS, Cloudflare R2 and the like, through `obstore`.

Every request is signed together with the SHA-256 of its body (AWS Signature Version 4), so a server takes no body that
was changed on its way. What was put is asked for its size afterwards.
"""

import importlib
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from frontdesk.errors import BadSetting, FrontdeskError, MissingExtra, NotFound
from frontdesk.operate.backup.manifest import MANIFEST, SEAL
from frontdesk.operate.backup.shelves import ENDINGS, PART, SHARED
from frontdesk.operate.errors import BackupFailed
from frontdesk.system.backup import BackupOptions

LAST = (SEAL, MANIFEST)  # what makes it a backup
RETRIES = 6  # waiting about six seconds in all: a server of buckets that restarts must not cost the night's backup
PATIENCE = timedelta(seconds=30)  # with a bucket that does not answer


class Bucket:
    """Backups under `s3://bucket/prefix`. Raises `MissingExtra` without its package, `BadSetting` for a bad address."""

    def __init__(self, address: str, options: BackupOptions) -> None:
        try:
            self._calls: Any = importlib.import_module("obstore")  # an extra
            stores: Any = importlib.import_module("obstore.store")
            errors: Any = importlib.import_module("obstore.exceptions")
        except ImportError as error:
            hint = "pip install 'frontdesk[s3]'"
            raise MissingExtra("Backups in a bucket need the package obstore", where=address, hint=hint) from error
        parts = urlsplit(address)
        if parts.scheme != "s3" or not parts.netloc:
            raise BadSetting("A bucket is given as s3://bucket or s3://bucket/prefix", where=address)
        self._missing: type[Exception] = errors.NotFoundError
        self._broken: type[Exception] = errors.BaseError
        self.where = address.rstrip("/")
        prefix = parts.path.strip("/")
        self._store: Any = stores.S3Store(
            parts.netloc,
            prefix=prefix or None,
            config=_config(options),
            client_options={"allow_http": options.endpoint.startswith("http://"), "timeout": "300s"},
            retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE},
        )

    def names(self) -> list[str]:
        """Every folder that holds files of a backup."""
        with self._told():
            listed: Any = self._calls.list(self._store)
            files = [str(entry["path"]) for page in listed for entry in page]
        return sorted({file.split("/")[0] for file in files if file.count("/") == 1 and file.endswith(ENDINGS)})

    def read(self, name: str, file: str) -> Iterator[bytes]:
        """A file of a backup in parts. Raises `NotFound`, or `BackupFailed` when the bucket does not answer."""
        with self._told():
            stream: Any = self._calls.get(self._store, f"{name}/{file}").stream(min_chunk_size=PART)
            for part in stream:
                yield bytes(part)

    def put(self, name: str, folder: Path) -> None:
        """Put the pieces there, look whether they are as large as here, then the manifest. Raises `BackupFailed`."""
        if self._holds(name):
            raise BackupFailed("There is a backup of this name", where=f"{self.where}/{name}", hint=SHARED)
        try:
            self._put(name, folder)
        except FrontdeskError:
            with suppress(FrontdeskError):  # a bucket that takes nothing may not let go of anything either
                self.remove(name)
            raise

    def _put(self, name: str, folder: Path) -> None:
        files = sorted(
            (file.name for file in folder.iterdir()), key=lambda file: LAST.index(file) if file in LAST else -1
        )
        with self._told():
            for file in files:
                self._calls.put(self._store, f"{name}/{file}", folder / file)
                size = int(self._calls.head(self._store, f"{name}/{file}")["size"])
                if size != (folder / file).stat().st_size:
                    raise BackupFailed(f"{size} bytes of it arrived", where=f"{self.where}/{name}/{file}")

    def remove(self, name: str) -> None:
        """Take a backup away, its manifest first."""
        with self._told():
            listed: Any = self._calls.list(self._store, prefix=name)
            files = [str(entry["path"]) for page in listed for entry in page]
            files.sort(key=lambda file: not file.endswith(MANIFEST))
            for file in files:
                self._calls.delete(self._store, file)

    def _holds(self, name: str) -> bool:
        """Whether anything of a backup of that name is there; some servers make the bucket with the first file."""
        with self._told():
            try:
                listed: Any = self._calls.list(self._store, prefix=name)
                return any(page for page in listed)
            except self._broken as error:
                if "NoSuchBucket" in str(error):
                    return False
                raise

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except (self._missing, FileNotFoundError) as error:
            raise NotFound("There is no such file in the bucket, or no such bucket", where=self.where) from error
        except self._broken as error:
            hint = "Check backup.remote, backup.endpoint, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            raise BackupFailed(_reason(error), where=self.where, hint=hint) from error


def _config(options: BackupOptions) -> dict[str, str]:
    """What is set; the rest `obstore` finds as Amazon's own tools do (roles of machines and pods)."""
    config = {
        "endpoint": options.endpoint,
        "region": options.region,
        "access_key_id": options.access_key_id.get_secret_value(),
        "secret_access_key": options.secret_access_key.get_secret_value(),
    }
    return {name: value for name, value in config.items() if value}


def _reason(error: Exception) -> str:
    """The code of S3's answer (`NoSuchBucket`), else the beginning of what went wrong, without the answer itself."""
    if found := re.search(r"<Code>(\w+)</Code>", str(error)):
        return f"The bucket refused: {found[1]}"
    return f"The bucket does not answer: {' '.join(str(error).split())[:200]}"
