"""What people do with pip and uv beside a plain install, each with the clients themselves."""

from __future__ import annotations

import io
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import NewMachine
from tests.e2e.house import House, User
from tests.e2e.machine import PYTHON_CLIENTS, Machine
from tests.e2e.outside import Outside
from tests.upstream import Distribution, make_sdist, make_wheel


def zipped(sdist: Distribution) -> Distribution:
    """The same sdist as a zip, as they were made for Windows."""
    output = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(sdist.data)) as packed,
        zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for member in packed.getmembers():
            file = packed.extractfile(member)
            assert file is not None
            archive.writestr(zipfile.ZipInfo(member.name), file.read())
    filename = sdist.filename.replace(".tar.gz", ".zip")
    return Distribution(sdist.project, sdist.version, filename, output.getvalue())


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_resolve_fetches_metadata_and_no_wheel(
    client: str, house: House, outside: Outside, machine: Machine
) -> None:
    name = f"chicory-{client}"
    outside.publish(make_wheel(f"{name}-root", "1.0"), make_wheel(name, "2.0", requires=[f"{name}-root"]))
    with outside.listening() as heard:
        if client == "pip":
            machine.pip("install", "--dry-run", name).checked()
        else:
            machine.write("in.txt", name)
            machine.uv("pip", "compile", "--default-index", machine.index, "in.txt").checked()
    files = [seen.path for seen in heard if seen.path.startswith("/files/")]
    assert len(files) == 2
    assert all(path.endswith(".whl.metadata") for path in files)
    machine.install(client, name).checked()
    assert machine.installed(client, f"{name}-root") == "1.0"
    assert house.answer("audit", "log", "--kind", "alarm") == []


@pytest.mark.parametrize("client", PYTHON_CLIENTS)
def test_extras_and_markers_are_resolved(client: str, outside: Outside, machine: Machine) -> None:
    name = f"yarrow-{client}"
    wants = [f"{name}-more; extra == 'more'", f"{name}-old; python_version < '3'"]
    outside.publish(
        make_wheel(name, "1.0", requires=wants, extras=["more"]),
        make_wheel(f"{name}-more", "1.0"),
        make_wheel(f"{name}-old", "1.0"),
    )
    machine.install(client, f"{name}[more]").checked()
    assert machine.installed(client, f"{name}-more") == "1.0"
    assert machine.installed(client, f"{name}-old") is None


VERSIONS = {
    "an epoch": (("2000.1", "1!1.0"), "", "1!1.0"),
    "a local version": (("1.0", "1.0+cu118"), "", "1.0+cu118"),
    "a post release": (("1.0", "1.0.post1"), "", "1.0.post1"),
    "a prerelease that isn't wanted": (("1.0", "2.0rc1", "2.0.dev3"), "", "1.0"),
    "a prerelease that is asked for": (("1.0", "2.0rc1"), "==2.0rc1", "2.0rc1"),
}


@pytest.mark.parametrize("client", PYTHON_CLIENTS)
@pytest.mark.parametrize("case", VERSIONS)
def test_versions_of_every_kind_install(client: str, case: str, outside: Outside, machine: Machine) -> None:
    versions, wanted, expected = VERSIONS[case]
    name = f"tansy-{client}-{list(VERSIONS).index(case)}"
    outside.publish(*(make_wheel(name, version) for version in versions))
    machine.install(client, name + wanted).checked()
    assert machine.installed(client, name) == expected


@pytest.mark.parametrize("client", PYTHON_CLIENTS)
def test_a_yanked_version_is_passed_over_and_taken_when_it_is_pinned(
    client: str, outside: Outside, new_machine: NewMachine
) -> None:
    name = f"betony-{client}"
    yanked = make_wheel(name, "2.0")
    yanked.yanked = "eats <files>"
    outside.publish(make_wheel(name, "1.0"), yanked)
    for wanted, version in ((name, "1.0"), (f"{name}==2.0", "2.0")):
        machine = new_machine()
        said = machine.install(client, wanted).checked()
        assert machine.installed(client, name) == version
        assert ("eats <files>" in said.text) == (version == "2.0")


@pytest.mark.parametrize("client", PYTHON_CLIENTS)
def test_odd_names_and_a_zipped_sdist_install(client: str, outside: Outside, machine: Machine) -> None:
    name = f"bog-myrtle-{client}"
    outside.publish(zipped(make_sdist(name, "1.0")))
    machine.install(client, f"Bog__Myrtle.{client}").checked()
    assert machine.installed(client, name) == "1.0"


@pytest.mark.parametrize("client", PYTHON_CLIENTS)
def test_a_file_is_installed_by_its_address(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    machine = new_machine()
    wheel = make_wheel(f"dittany-{client}", "1.0")
    outside.publish(wheel)
    address = f"{house.url}/pypi/files/{wheel.project}/{wheel.filename}"
    machine.install(client, f"{address}#sha256={wheel.hashes['sha256']}").checked()
    assert machine.installed(client, wheel.project) == "1.0"
    new_machine().install(client, f"{address}#sha256={'0' * 64}").refused()


def test_versions_are_listed_and_files_downloaded(outside: Outside, machine: Machine) -> None:
    outside.publish(
        make_wheel("eyebright", "1.0"), make_wheel("eyebright", "1.1"), make_sdist("eyebright", "1.0")
    )
    said = machine.pip("index", "versions", "eyebright", "--index-url", machine.index).checked()
    assert "eyebright (1.1) Available versions: 1.1, 1.0" in said.text
    machine.pip("download", "--no-deps", "-d", "here", "eyebright").checked()
    assert [path.name for path in (machine.folder / "here").iterdir()] == ["eyebright-1.1-py3-none-any.whl"]


def test_hashes_that_uv_wrote_are_required_by_pip(outside: Outside, new_machine: NewMachine) -> None:
    outside.publish(
        make_wheel("figwort-root", "1.0"), make_wheel("figwort", "1.0", requires=["figwort-root"])
    )
    machine = new_machine()
    machine.write("in.txt", "figwort")
    arguments = ("--generate-hashes", "--default-index", machine.index, "in.txt", "-o", "out.txt")
    machine.uv("pip", "compile", *arguments).checked()
    machine.pip("install", "--require-hashes", "-r", "out.txt").checked()
    assert machine.installed("pip", "figwort-root") == "1.0"
    locked = (machine.folder / "out.txt").read_text("utf-8")
    other = new_machine()
    other.write(
        "out.txt", locked.replace("--hash=sha256:", "--hash=sha256:0000")[:-4].replace("0000", "1111")
    )
    other.pip("install", "--require-hashes", "-r", "out.txt").refused()


def test_a_requirements_file_with_an_extra_index_prefers_nothing_that_is_refused(
    house: House, outside: Outside, machine: Machine
) -> None:
    outside.publish(make_wheel("groundsel", "1.0"), make_wheel("groundsel", "2.0"))
    house.registry("policy", "deny", "pypi", "groundsel", "--versions", "==2.0", "--reason", "no").checked()
    machine.write(
        "wants.txt", f"--index-url {machine.index}\n--extra-index-url {house.url}/pypi/simple\ngroundsel\n"
    )
    machine.pip("install", "-r", "wants.txt").checked()
    assert machine.installed("pip", "groundsel") == "1.0"


def test_of_a_range_that_is_withheld_as_a_whole_pip_tells_the_versions_and_uv_the_reason(
    house: House, outside: Outside, new_machine: NewMachine
) -> None:
    outside.publish(
        make_wheel("knapweed", "1.0"), make_wheel("knapweed", "1.1"), make_wheel("knapweed", "2.0")
    )
    house.registry("policy", "deny", "pypi", "knapweed", "--versions", "<2", "--reason", "too old").checked()
    said = new_machine().install("pip", "knapweed<2").refused()
    assert "Ignored the following yanked versions: 1.0, 1.1" in said.text
    assert "too old" in new_machine().install("uv", "knapweed<2").refused().text
    assert "too old" in new_machine().install("pip", "knapweed==1.1").refused().text


@contextmanager
def cutting(house: House, path: bytes, after: int) -> Iterator[tuple[int, list[bytes]]]:
    """A wire to the appliance that is cut once, so many bytes into the answer for a path; gives its port, and
    the requests for that path as they come."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    client, _ = listener.accept()
                except TimeoutError:
                    continue
                threading.Thread(target=_pass_on, args=(client, house.port, path, after, requests)).start()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], requests
        finally:
            ended.set()
            thread.join()


def _pass_on(client: socket.socket, port: int, path: bytes, after: int, requests: list[bytes]) -> None:
    """One request of a connection, and its answer."""
    with client, socket.create_connection(("127.0.0.1", port)) as appliance:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(65_536)
            if not piece:
                return
            head += piece
        first, _, rest = head.partition(b"\r\n")
        wanted = path in first
        if wanted:
            requests.append(head)
        appliance.sendall(
            first + b"\r\nConnection: close\r\n" + rest.replace(b"Connection: keep-alive\r\n", b"")
        )
        left = after if wanted and len(requests) == 1 else None
        while data := appliance.recv(65_536):
            client.sendall(data[:left])
            if left is not None:
                left -= len(data)
                if left <= 0:
                    return


def test_pip_resumes_a_download_that_broke_off(house: House, outside: Outside, machine: Machine) -> None:
    wheel = make_wheel("harebell", "1.0", padding=2_000_000)
    outside.publish(wheel)
    with cutting(house, wheel.filename.encode() + b" ", 500_000) as (port, requests):
        index = f"http://127.0.0.1:{port}/pypi/simple/"
        machine.pip("install", "--index-url", index, "--trusted-host", "127.0.0.1", "harebell").checked()
    assert machine.installed("pip", "harebell") == "1.0"
    assert len(requests) == 2
    assert b"\r\nrange: bytes=" in requests[1].lower()


def test_a_project_that_is_archived_or_quarantined_is_told_to_clients(
    house: House, alice: User, new_machine: NewMachine
) -> None:
    machine = new_machine()
    login = ("-u", alice.name, "-p", alice.password)
    machine.twine(*login, *machine.dist(make_wheel("ivy-canary", "1.0"))).checked()
    house.registry("private", "status", "ivy-canary", "archived", "--reason", "use oak-canary").checked()
    said = machine.twine(*login, *machine.dist(make_wheel("ivy-canary", "2.0"))).refused()
    assert "'ivy-canary' is archived: use oak-canary" in said.text
    machine.install("pip", "ivy-canary").checked()
    house.registry("private", "status", "ivy-canary", "quarantined", "--reason", "stolen").checked()
    for client in PYTHON_CLIENTS:
        other = new_machine()
        other.install(client, "ivy-canary").refused()
        address = f"{house.url}/pypi/files/ivy-canary/ivy_canary-1.0-py3-none-any.whl"
        assert "quarantined: stolen" in other.install(client, address).refused().text
    house.registry("private", "status", "ivy-canary", "active").checked()
    new_machine().install("uv", "ivy-canary").checked()


@pytest.mark.parametrize("client", PYTHON_CLIENTS)
def test_a_file_that_is_something_else_is_refused_in_words(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    other, name = make_wheel("something-else", "1.0"), f"juniper-{client}"
    outside.publish(Distribution(name, "1.0", f"{name.replace('-', '_')}-1.0-py3-none-any.whl", other.data))
    said = new_machine().install(client, name).refused()
    assert "is not what its name says" in said.text
    house.registry(
        "policy", "exempt", "content", "pypi", f"{name}@1.0", "--days", "2", "--reason", "known"
    ).checked()
    address = f"{house.url}/pypi/files/{name}/{name.replace('-', '_')}-1.0-py3-none-any.whl"
    assert house.get(address.removeprefix(house.url)).content == other.data
