"""Asks pip-audit for known vulnerabilities of the locked dependencies: ``make audit``.

It needs a database of advisories from the network. pip-audit calls a package that it cannot look up skipped, and a run
in which all were skipped clean. So packages that were not looked up are counted, and a version with an old, well-known
vulnerability (jinja2 2.10, CVE-2019-10906) is asked for first: where it is not found there is no database.

Exit code: 1 when a dependency has a known vulnerability, else 0, also when nothing could be looked up.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LOCKS = ("run.lock", "dev.lock")
KNOWN_TO_BE_VULNERABLE = "jinja2==2.10"


def audited(requirements: Path, folder: Path) -> list[dict[str, Any]]:
    """What pip-audit tells of each package; empty when it could not ask anybody."""
    answer = folder / f"{requirements.name}.json"
    command = [sys.executable, "-m", "pip_audit", "-r", str(requirements), "--disable-pip", "--no-deps"]
    command += ["--progress-spinner", "off", "-f", "json", "-o", str(answer)]
    subprocess.run(command, capture_output=True, check=False, timeout=900)
    return list(json.loads(answer.read_text())["dependencies"]) if answer.exists() else []


def main() -> int:
    """Audit both locks and print one line, and one for each finding."""
    if importlib.util.find_spec("pip_audit") is None:
        print("audit: not done, pip-audit is not installed")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        probe = folder / "probe.txt"
        probe.write_text(KNOWN_TO_BE_VULNERABLE + "\n")
        if not any(package.get("vulns") for package in audited(probe, folder)):
            print("audit: not done, no database of advisories can be reached from here")
            return 0
        packages = {
            (package["name"], package.get("version", "")): package
            for lock in LOCKS
            for package in audited(FOLDER / lock, folder)
        }
    skipped = [name for (name, _), package in packages.items() if "skip_reason" in package]
    found = [
        f"{name} {version}: {advisory['id']}, fixed in {', '.join(advisory['fix_versions']) or 'no version yet'}"
        for (name, version), package in sorted(packages.items())
        for advisory in package.get("vulns", ())
    ]
    print(
        f"audit: {len(packages)} packages, {len(skipped)} not looked up, {len(found)} known vulnerabilities"
    )
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
