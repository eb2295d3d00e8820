"""Releases: kept and told, rolled out process by process, taken back; on this machine and in a cluster."""

import http.server
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from frontdesk.cli.main import run
from frontdesk.errors import NotFound
from frontdesk.operate.errors import MissingProgram, ReleaseRefused
from frontdesk.operate.release.cluster import Cluster
from frontdesk.operate.release.record import Content, Releases
from frontdesk.operate.release.roll import Watch, roll
from frontdesk.operate.running.asking import answers
from tests.operate.test_running import Machine

# What the fake kubectl does: it notes its words; `rollout status` fails for names in the file `bad`; pods run digests.
KUBECTL = """\
#!/bin/sh
printf '%s\\n' "$*" >> {folder}/calls
for bad in $(cat {folder}/bad 2>/dev/null); do
  case "$*" in *"rollout status"*"$bad"*) echo "error: deployment exceeded its progress deadline" >&2; exit 1;; esac
done
case "$*" in
  *"get pods"*) cat {folder}/pods.json;;
  diff*) sed -n "s/^ *image: /+image: /p" "$3"/30-services/*.yaml; exit 1;;
esac
"""
PODS = """\
{"items": [{"status": {"containerStatuses": [
  {"image": "docker.io/library/ai/web:1", "imageID": "docker.io/library/ai/web@sha256:%s"},
  {"image": "made-here:1", "imageID": "made-here"}]}}]}
"""
SYSTEM = """\
deployment: {name: ai, namespace: ai, images: {tag: "1"}}
services:
  web: {role: web, port: 8000, called_by: [monitoring]}
"""


def content(text: str, file: Path | None = None, **more: str) -> Content:
    return Content(text=text, file=str(file) if file else None, version=more.pop("version", "1"), variables=more)


# --- what is kept -----------------------------------------------------------


def test_a_release_is_kept_once_and_numbered(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    first = releases.keep(content("desk: {name: A}"))
    assert releases.keep(content("desk: {name: A}")).number == first.number == 1
    assert releases.keep(content("desk: {name: A}", version="2")).number == 2
    assert releases.keep(content("desk: {name: A}", LOG_LEVEL="DEBUG")).number == 3
    assert releases.get(2).content.version == "2"
    with pytest.raises(NotFound):
        releases.get(9)


def test_the_file_itself_counts_while_it_says_the_same_and_its_copy_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "desk.yaml"
    file.write_text("desk: {name: A}")
    releases = Releases(tmp_path / "home")
    release = releases.keep(content("desk: {name: A}", file))
    assert releases.file_of(release) == file
    file.write_text("desk: {name: B}")
    copy = releases.file_of(release)
    assert copy is not None
    assert copy != file
    assert copy.read_text() == "desk: {name: A}"


def test_the_journal_tells_what_ran_before_and_leaves_out_what_went_back(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    one, two, three = (releases.keep(content(text)) for text in "abc")
    releases.note("up", one, None)
    releases.note("roll", two, one.number, why="better")
    releases.note("roll", three, two.number, failed="web has failed")
    current = releases.current()
    assert current is not None
    assert (current.release, current.former, current.why) == (2, 1, "better")
    releases.note("undo", one, two.number)
    current = releases.current()
    assert current is not None
    assert (current.release, current.former) == (1, 2)
    assert [entry.failed for entry in releases.journal()] == ["", "", "web has failed", ""]
    assert releases.current("kubernetes", "production") is None


def test_what_broke_off_on_a_full_disk_keeps_nothing_from_going_on(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    releases.folder_of(1).mkdir(parents=True)  # kept no further than its folder
    one = releases.keep(content("a"))
    assert one.number == 1
    releases.note("up", one, None)
    journal = tmp_path / "releases" / "journal.jsonl"
    journal.write_text(journal.read_text() + '{"at": "2026-')
    releases.note("roll", releases.keep(content("b")), one.number)
    assert [(entry.act, entry.release) for entry in releases.journal()] == [("up", 1), ("roll", 2)]


# --- on this machine --------------------------------------------------------


async def test_services_are_replaced_one_after_the_other(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    units = [machine.unit("tools", 1), machine.unit("web", 2), machine.unit("web-2", 2, service="web")]
    said: list[str] = []
    async with machine.running(*units) as (supervisor, _):
        await roll(supervisor, [replace(unit, release=2) for unit in units], Watch(seconds=0.1), said.append)
        assert {unit.release for unit in supervisor.units} == {2}
    begun = machine.told()[3:-3]
    assert begun == ["began tools", "ended tools", "began web", "ended web", "began web-2", "ended web-2"]
    assert "web: watched for 0.1 s" in said


async def test_a_release_that_does_not_start_goes_back_whole(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    units = [machine.unit("tools", 1), machine.unit("web", 2)]
    async with machine.running(*units) as (supervisor, _):
        before = supervisor.living("web")
        fresh = [replace(units[0], release=2), replace(machine.broken("web", 1), stage=2, release=2)]
        with pytest.raises(ReleaseRefused, match="went back"):
            await roll(supervisor, fresh, Watch(seconds=0), lambda _: None)
        assert list(supervisor.units) == units
        assert supervisor.living("web") is before
        assert supervisor.living("tools") is not None


async def test_a_release_whose_process_ends_while_it_is_watched_goes_back(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    unit = machine.unit("web")
    brief = machine.folder / "brief.py"
    brief.write_text(machine.program.read_text() + "\n")
    brief.write_text(brief.read_text().replace("server.serve_forever()", "server.handle_request(); sys.exit(1)"))
    fresh = replace(unit, command=(unit.command[0], str(brief), *unit.command[2:]), release=2)
    async with machine.running(unit) as (supervisor, _):
        with pytest.raises(ReleaseRefused):
            await roll(supervisor, [fresh], Watch(seconds=30), lambda _: None)
        assert list(supervisor.units) == [unit]
        assert supervisor.living("web") is not None


async def test_a_release_that_fails_too_many_requests_goes_back(tmp_path: Path) -> None:
    """The fresh program tells metrics of 40 requests, of which 4 failed."""
    machine = Machine(tmp_path)
    unit = machine.unit("web")
    bad = machine.folder / "bad.py"
    told = 'http_requests_total{status="200"} 36\\nhttp_requests_total{status="500"} 4\\n'
    bad.write_text(
        machine.program.read_text().replace(
            'self.send_header("Content-Length", "0")\n        self.end_headers()',
            f"body = b'{told}'\n        self.send_header('Content-Length', str(len(body)))\n"
            "        self.end_headers()\n        self.wfile.write(body)",
        )
    )
    fresh = replace(unit, command=(unit.command[0], str(bad), *unit.command[2:]), release=2)
    async with machine.running(unit) as (supervisor, _):
        with pytest.raises(ReleaseRefused, match=r"web has failed 4 of 40 requests \(5% may\)"):
            await roll(supervisor, [fresh], Watch(seconds=30), lambda _: None)
        assert list(supervisor.units) == [unit]
        await roll(supervisor, [fresh], Watch(seconds=1, worst=0.2), lambda _: None)
        assert supervisor.units[0].release == 2


async def test_failures_are_read_from_the_metrics_of_a_process() -> None:
    class Metrics(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'# TYPE http_requests counter\nhttp_requests_total{status="200"} 7\n')
            self.wfile.write(b'http_requests_total{status="502"} 3\nother_total{status="500"} 9\n')

    with http.server.HTTPServer(("127.0.0.1", 0), Metrics) as server:
        threading.Thread(target=server.handle_request).start()
        seen = await answers(server.server_port)
        assert seen is not None
        assert (seen.total, seen.failed) == (10, 3)


# --- in a cluster -----------------------------------------------------------


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a kubectl that only notes what it is told; the home and its system file lie in it too."""
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(KUBECTL.format(folder=tmp_path))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "pods.json").write_text(PODS % ("a" * 64))
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "system.yaml").write_text(SYSTEM)
    return tmp_path


def calls(cluster: Path) -> list[str]:
    """What kubectl was told since the last look."""
    file = cluster / "calls"
    told = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return told


def test_a_release_is_applied_and_each_workload_watched(cluster: Path) -> None:
    assert run(["release", "roll", "--kubernetes", "--timeout", "30", "--why", "first"]) == 0
    folder = cluster / "home" / "releases" / "0001" / "kubernetes-development"
    assert calls(cluster) == [
        f"apply -k {folder}",
        "-n ai rollout status deployment/web --timeout=30s",
        "-n ai get pods -o json",
    ]
    (entry,) = Releases(cluster / "home").journal()
    assert (entry.act, entry.where, entry.environment, entry.why) == ("roll", "kubernetes", "development", "first")


def test_a_release_that_is_not_rolled_out_is_followed_by_the_former_files(
    cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["release", "roll", "--kubernetes"]) == 0
    calls(cluster)
    (cluster / "bad").write_text("deployment/web")
    assert run(["release", "roll", "--kubernetes", "--tag", "2"]) == 1
    assert "deployment exceeded its progress deadline" in capsys.readouterr().err
    folders = [call.rpartition("/releases/")[2] for call in calls(cluster) if call.startswith("apply")]
    assert folders == ["0002/kubernetes-development", "0001/kubernetes-development"]
    releases = Releases(cluster / "home")
    current = releases.current("kubernetes", "development")
    assert current is not None
    assert current.release == 1
    assert releases.journal()[-1].failed.startswith("kubectl could not rollout status")


@pytest.mark.proves("agents-18")
def test_undo_brings_back_the_very_images_and_the_configuration(
    cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = cluster / "home" / "system.yaml"
    file.write_text(SYSTEM.replace("port: 8000", "port: 8000, image: web"))
    (cluster / "pods.json").write_text((PODS % ("a" * 64)).replace("docker.io/library/ai/web:1", "ai/web:1"))
    assert run(["release", "roll", "--kubernetes"]) == 0
    file.write_text(file.read_text().replace("name: ai,", "name: ai, config_name: other,"))
    assert run(["release", "roll", "--kubernetes", "--tag", "2"]) == 0
    capsys.readouterr()
    calls(cluster)
    assert run(["release", "undo", "--kubernetes"]) == 0
    told = capsys.readouterr()
    assert "Release 2 → 1, version 2 → 1" in told.err
    folder = cluster / "home" / "releases" / "0001" / "kubernetes-development"
    assert calls(cluster)[0] == f"apply -k {folder}"
    text = "".join(path.read_text() for path in folder.rglob("*.yaml"))
    assert f"image: ai/web:1@sha256:{'a' * 64}\n" in text
    assert "other" not in text
    current = Releases(cluster / "home").current("kubernetes", "development")
    assert current is not None
    assert (current.act, current.release, current.former) == ("undo", 1, 2)


@pytest.mark.proves("answering-15")
def test_a_dry_run_tells_the_difference_for_the_environment_and_tag_and_keeps_nothing(
    cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["release", "roll", "--kubernetes", "--environment", "staging", "--tag", "v1.0.0"]
    assert run([*words, "--dry-run"]) == 0
    assert "+image: ai/web:v1.0.0" in capsys.readouterr().out
    assert [call.split()[0] for call in calls(cluster)] == ["diff"]
    assert Releases(cluster / "home").journal() == []
    assert not list((cluster / "home").glob("releases/*"))


@pytest.mark.proves("answering-15")
def test_a_release_is_of_the_environment_and_tag_that_are_named_and_builds_nothing(cluster: Path) -> None:
    assert run(["release", "roll", "--kubernetes", "--environment", "staging", "--tag", "v1.0.0"]) == 0
    (entry,) = Releases(cluster / "home").journal()
    assert (entry.environment, entry.version) == ("staging", "v1.0.0")
    assert all(call.split()[0] in ("apply", "-n") for call in calls(cluster))


def test_an_image_can_be_named_by_digest(cluster: Path) -> None:
    digest = f"sha256:{'b' * 64}"
    assert run(["release", "roll", "--kubernetes", "--image", f"web={digest}"]) == 0
    assert Releases(cluster / "home").get(1).content.images["web"].endswith(f"@{digest}")


@pytest.mark.parametrize("words", [(), ("--image", f"web-gpu=sha256:{'b' * 64}")])
def test_the_images_of_a_release_are_those_of_its_files(words: tuple[str, ...], cluster: Path) -> None:
    file = cluster / "home" / "system.yaml"
    file.write_text(SYSTEM.replace("port: 8000", "port: 8000, resources: {gpu: 1}"))
    assert run(["release", "roll", "--kubernetes", *words]) == 0
    release = Releases(cluster / "home").get(1)
    folder = cluster / "home" / "releases" / "0001" / "kubernetes-development"
    assert release.content.images["web"] == (f"ai/web@{words[1].partition('=')[2]}" if words else "ai/web:1-gpu")
    assert f"image: {release.content.images['web']}\n" in (folder / "30-services" / "web.yaml").read_text()


def test_without_kubectl_nothing_happens_and_its_place_is_told(
    cluster: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(cluster))
    assert run(["release", "roll", "--kubernetes"]) == MissingProgram.exit_code
    assert "https://kubernetes.io/docs/tasks/tools/" in capsys.readouterr().err
    assert Releases(cluster / "home").journal() == []
    with pytest.raises(MissingProgram):
        Cluster(say=print).apply(cluster)


def test_undo_without_a_former_release_says_so(cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["release", "undo", "--kubernetes"]) == 1
    assert "no release before the present one" in capsys.readouterr().err
    assert calls(cluster) == []
