"""Runs the official Svix SDKs against the service: the main flows in each language, every delivery
verified by the SDK's own verifier.

    tests/sdks/run.py RESULTS BINARY CACHE

Each SDK gets a service of its own, on a free port and a temporary directory. The results are left
as RESULTS/<sdk>.tap, what was built below CACHE. An SDK whose tools this machine lacks is skipped
aloud.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
START_S = 20
RUN_S = 600


@dataclasses.dataclass(frozen=True)
class Sdk:
    name: str
    folder: str
    pinned: tuple  # the file that pins the version, and the pattern around it
    tools: dict  # what the machine must have, and since which version
    run: list
    verdict: str  # of a line of output: groups `good`, `bad` and `test`
    prepare: tuple = ()  # a command that needs its sources beside what it installs
    env: dict = dataclasses.field(default_factory=dict)  # {cache}: a folder of its own


def javascript(name, package, pattern):
    return Sdk(
        name=name,
        folder="javascript",
        pinned=("package.json", pattern),
        tools={"node": (20, 0), "npm": (9, 0)},
        prepare=("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"),
        run=["node", "--test", "--test-reporter=tap", "sdk.test.js"],
        env={"SVIX_PACKAGE": package},
        verdict=r"(?:(?P<good>ok)|(?P<bad>not ok)) \d+ - (?P<test>.+)",
    )


SDKS = (
    javascript("javascript", "svix", r'"svix": "([^"]+)"'),
    javascript("javascript-1", "svix-1", r'"svix-1": "npm:svix@([^"]+)"'),
    Sdk(
        name="python-1",
        folder="python",
        pinned=("requirements.txt", r"svix==(\S+)"),
        tools={"python3": (3, 9)},
        prepare=("sh", "-c", "python3 -m venv venv && venv/bin/pip install -q -r requirements.txt"),
        run=["venv/bin/python", "-W", "ignore", "-m", "unittest", "-v"],
        verdict=r"test_(?P<test>\w+) .*\.\.\. (?:(?P<good>ok)|(?P<bad>FAIL|ERROR))",
    ),
    Sdk(
        name="go",
        folder="go",
        pinned=("go.mod", r"svix-webhooks v(\S+)"),
        tools={"go": (1, 21)},
        run=["go", "test", "-count=1", "-v", "./..."],
        env={"GOCACHE": "{cache}"},
        verdict=r"--- (?:(?P<good>PASS)|(?P<bad>FAIL)): Test_(?P<test>\S+)",
    ),
    Sdk(
        name="rust",
        folder="rust",
        pinned=("Cargo.toml", r'svix = \{ version = "=([^"]+)"'),
        tools={"cargo": (1, 88), "rustc": (1, 88)},
        run=["cargo", "test", "--locked", "--quiet", "--", "--format=pretty"],
        env={"CARGO_TARGET_DIR": "{cache}", "CARGO_INCREMENTAL": "0"},
        verdict=r"test (?P<test>\w+) \.\.\. (?:(?P<good>ok)|(?P<bad>FAILED))",
    ),
)


def version_of(tool):
    """The (major, minor) that a tool says it is; none when it is not there or does not start."""
    command = [tool, "version" if tool == "go" else "--version"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        found = re.search(r"(\d+)\.(\d+)", said.stdout)
        return found and (int(found[1]), int(found[2]))
    return None


def lacking(sdk):
    """Why this machine cannot run the SDK, if so."""
    for tool, least in sdk.tools.items():
        version = version_of(tool)
        wanted = f"{tool} {least[0]}.{least[1]} or newer"
        if not version:
            return f"{wanted} is not installed"
        if version < least:
            return f"{wanted} is needed, this is {version[0]}.{version[1]}"
    return None


def address(process, log):
    """Waits until the service says where it listens."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"^listening on (\S+)$", log.read_text(), re.MULTILINE)
        if found:
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the service did not start:\n{log.read_text()}")


@contextlib.contextmanager
def service(binary):
    """A service on a free port; yields what the tests need to know. It must end well."""
    with tempfile.TemporaryDirectory(prefix="surehook-sdks-") as folder:
        data, log = pathlib.Path(folder, "data"), pathlib.Path(folder, "log")
        command = [binary, "serve", "--data", data, "--listen", "127.0.0.1:0"]
        command += ["--allow-subnets", "127.0.0.0/8", "--signature-headers", "both"]
        command += ["--retry-schedule", "100ms,100ms", "--log-level", "error"]
        with log.open("w") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            url = address(process, log)
            token = (data / "admin.key").read_text().strip()
            yield {"SUREHOOK_URL": url, "SUREHOOK_TOKEN": token}
        finally:
            process.terminate()
            status = process.wait(timeout=60)
        if status:
            raise RuntimeError(f"the service ended with status {status}:\n{log.read_text()}")


def sources(sdk, cache):
    """The folder to run in: the sources', or a copy where packages are installed beside them."""
    if not sdk.prepare:
        return HERE / sdk.folder
    folder = cache / sdk.folder
    shutil.copytree(HERE / sdk.folder, folder, dirs_exist_ok=True)
    subprocess.run(sdk.prepare, cwd=folder, check=True, timeout=RUN_S, stdout=subprocess.DEVNULL)
    return folder


def verdicts(sdk, output):
    lines = []
    for match in re.finditer(f"^{sdk.verdict}", output, re.MULTILINE):
        lines.append(f"{'ok' if match['good'] else 'not ok'} - {match['test'].replace('_', ' ')}")
    return lines


def run(sdk, binary, cache):
    """The results as lines of TAP; the output is shown when not all is well."""
    folder = sources(sdk, cache)
    env = {name: value.format(cache=cache / sdk.folder) for name, value in sdk.env.items()}
    with service(binary) as known:
        done = subprocess.run(
            sdk.run, cwd=folder, env={**os.environ, **env, **known}, timeout=RUN_S, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )
    lines = verdicts(sdk, done.stdout)
    if done.returncode or not lines:
        print(done.stdout)
        if not any(line.startswith("not ok") for line in lines):
            lines.append(f"not ok - {sdk.name} ended with status {done.returncode}")
    return lines


def main():
    results, binary, cache = (pathlib.Path(arg).resolve() for arg in sys.argv[1:])
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    for sdk in SDKS:
        manifest, pattern = sdk.pinned
        title = f"{sdk.name} {re.search(pattern, (HERE / sdk.folder / manifest).read_text())[1]}"
        why = lacking(sdk)
        if why:
            print(f"{title}: SKIPPED: {why}", flush=True)
            continue
        start = time.monotonic()
        try:
            lines = run(sdk, binary, cache)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            print(error)
            lines = [f"not ok - {title}"]
        (results / f"{sdk.name}.tap").write_text("\n".join(lines) + "\n")
        good = sum(line.startswith("ok") for line in lines)
        seconds = time.monotonic() - start
        print(f"{title}: {good} passed, {len(lines) - good} failed ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
