"""What other programs see of a process that has read its settings: no secret in its environment, nor its children's."""

import subprocess
import sys
from pathlib import Path

from canaries import SECRETS, Search

from streamer.commands.process_secrets import take_secrets_from_environment

ROOT = Path(__file__).parents[2]

CODE = """
import os, subprocess, sys
from pathlib import Path
from streamer.commands.process_secrets import forbid_core_dumps, take_secrets_from_environment
forbid_core_dumps()
secret = os.environ["PASSWORD"]
print(sorted(take_secrets_from_environment({secret, "ab"})))
def show(pid):
    sys.stdout.flush()
    sys.stdout.buffer.write(Path(f"/proc/{pid}/environ").read_bytes())
show("self")
child = subprocess.Popen(
    [sys.executable, "-c", "print('up', flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)
child.stdout.readline()
show(child.pid)
print("limit", Path(f"/proc/{child.pid}/coredump_filter").read_text().strip())
child.communicate(b"\\n")
child = subprocess.run([sys.executable, "-c", "import os; print(dict(os.environ))"], env=os.environ | {"MORE": "1"})
"""


def test_secrets_are_in_no_environment_any_more() -> None:
    secret = SECRETS["mqtt"]
    environ = {
        "PASSWORD": secret,
        "ADDRESS": f"rtsp://viewer:{secret}@10.0.0.1/s",
        "SHORT": "ab",
        "HARMLESS": "stays, abc",
        "PYTHONPATH": str(ROOT),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr.decode()
    search = Search()
    search.look("the environments", done.stdout + done.stderr)
    assert not search.found
    assert b"['ADDRESS', 'PASSWORD', 'SHORT']" in done.stdout
    assert done.stdout.count(b"HARMLESS=stays, abc") == 2
    assert b"PASSWORD=***" in done.stdout, "its own, as it began"
    assert done.stdout.count(b"PASSWORD=") == 1
    assert b"limit 00000000" in done.stdout


def test_what_holds_no_secret_stays() -> None:
    environ = {"A": "ab", "B": "p%20w-secret", "C": "other"}
    assert take_secrets_from_environment({"p w-secret"}, environ) == {"B"}
    assert environ == {"A": "ab", "C": "other"}
    assert take_secrets_from_environment((), environ) == frozenset()
