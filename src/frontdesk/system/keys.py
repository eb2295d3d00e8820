"""Keys that the desk makes for itself, once, and keeps in its home."""

import os
import secrets
from pathlib import Path

from frontdesk.errors import BadSetting


def kept_key(home: Path, name: str) -> str:
    """The desk's own key of that name: read from its home, and made there when there is none (mode 0600).

    Processes that start together agree on one: a link to a finished file is made once only.
    Raises `BadSetting` when the key cannot be kept.
    """
    file = home / "secrets" / name
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                stream.write(secrets.token_urlsafe(48))
                stream.flush()
                os.fsync(stream.fileno())
            try:
                os.link(draft, file)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return file.read_text().strip()
    except OSError as error:
        raise BadSetting(
            f"The desk's own key cannot be kept: {error.strerror}",
            where=str(file),
            hint="Let FRONTDESK_HOME name a folder that this user may write to, or set SECRET_KEY and JWT_SECRET_KEY.",
        ) from error
