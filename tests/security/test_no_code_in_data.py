"""What comes from outside is data: nothing in the product can run it.

The product's source is read, so that a call that no test happens to make is found too.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("config", "models", "rules", "streamer")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

#: Modules that run what they read, or carry objects with code.
FORBIDDEN_MODULES = {
    "pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "code", "codeop", "imp",
    "telnetlib", "ftplib", "xmlrpc", "commands", "pty",
}  # fmt: skip
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load",
    "yaml.unsafe_load_all", "yaml.full_load_all", "os.system", "os.popen", "os.spawnl", "os.spawnv", "tempfile.mktemp",
    "subprocess.getoutput", "subprocess.getstatusoutput", "ssl._create_unverified_context", "numpy.fromstring",
    "torch.load", "hashlib.md5", "hashlib.sha1",
}  # fmt: skip
#: Arguments that switch a safety off.
FORBIDDEN_ARGUMENTS = {
    ("allow_pickle", True), ("shell", True), ("safe_mode", False), ("verify", False), ("autoescape", False),
}  # fmt: skip
#: Where a published protocol asks for what is otherwise refused: the digest of OASIS' UsernameToken Profile 1.0.
ASKED_FOR = {("streamer/onvif/soap.py", "hashlib.sha1()")}
#: Keras' loaders run code that a file holds unless told not to: whoever calls them says so.
NEEDS_SAFE_MODE = {"load_model"}


def findings(source: str, name: str) -> Iterator[str]:
    """Every place of a source that could run what it reads."""
    for node in ast.walk(ast.parse(source)):
        where = f"{name}:{getattr(node, 'lineno', 0)}"
        match node:
            case ast.Import(names=names):
                yield from (
                    f"{where} import {each.name}" for each in names if top(each.name) in FORBIDDEN_MODULES
                )
            case ast.ImportFrom(module=str(module)):
                full = {f"{module}.{each.name}" for each in node.names}
                if top(module) in FORBIDDEN_MODULES or full & FORBIDDEN_CALLS:
                    yield f"{where} from {module}"
            case ast.Call(func=func, keywords=keywords):
                called = ast.unparse(func)
                if called in FORBIDDEN_CALLS:
                    yield f"{where} {called}()"
                given = {each.arg: getattr(each.value, "value", None) for each in keywords}
                yield from (f"{where} {argument}={value}" for argument, value in FORBIDDEN_ARGUMENTS
                            if given.get(argument) is value)  # fmt: skip
                if called.rpartition(".")[2] in NEEDS_SAFE_MODE and given.get("safe_mode") is not True:
                    yield f"{where} {called}() without safe_mode=True"


def top(module: str) -> str:
    return module.partition(".")[0]


def test_nothing_in_the_product_can_run_what_it_reads() -> None:
    found = [
        each
        for path in FILES
        for name in [str(path.relative_to(ROOT))]
        for each in findings(path.read_text(), name)
        if (name, each.partition(" ")[2]) not in ASKED_FOR
    ]
    print(f"{len(FILES)} files read, {len(found)} findings")
    assert len(FILES) > 400
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import marshal, os",
        "yaml.load(x, Loader=yaml.Loader)",
        "numpy.load(f, allow_pickle=True)",
        "subprocess.run('x', shell=True)",
        "tempfile.mktemp()",
        "eval('1')",
        "from tempfile import mktemp",
        "keras.models.load_model(p)",
        "keras.models.load_model(p, safe_mode=False)",
    ],
)
def test_the_search_finds_what_it_is_to_find(line: str) -> None:
    assert list(findings(line, "line"))


def test_the_linters_rules_for_this_stay_on() -> None:
    """Ruff's ``S`` (bandit) refuses more of the kind, line by line; what is let through says why beside it."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "S", "--ignore", "S603,S607", "-q", *PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
