"""The site's file is replaced as a whole or not at all, and keeps who may read it."""

import os
from pathlib import Path

import pytest

from streamer.zone_editor.errors import ConflictError, NotWritableError, ZoneEditError
from streamer.zone_editor.site_file import SiteFile
from streamer.zone_editor.versions import Versions

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as another user")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    path = folder / "site.yaml"
    path.write_bytes(b"before: ${SECRET}\n")
    path.chmod(0o640)
    return path


def test_it_is_replaced_with_its_permissions_and_nothing_lies_about(path: Path) -> None:
    file = SiteFile(path)
    before = file.read()
    inode = path.stat().st_ino
    file.replace(b"after\n", expected=file.revision(before))
    assert path.read_bytes() == b"after\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_ino != inode, "written in place: a reader may see half of it"
    assert os.listdir(path.parent) == ["site.yaml"]


def test_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    file = SiteFile(link)
    file.replace(b"after\n", expected=file.revision(file.read()))
    assert link.is_symlink()
    assert path.read_bytes() == b"after\n"


def test_what_somebody_else_wrote_is_not_overwritten(path: Path) -> None:
    file = SiteFile(path)
    seen = file.revision(file.read())
    path.write_bytes(b"by hand\n")
    with pytest.raises(ConflictError, match="has changed since"):
        file.replace(b"after\n", expected=seen)
    assert path.read_bytes() == b"by hand\n"
    # the name of what was read tells nothing of it, and another process gives another one
    assert SiteFile(path).revision(b"x") != SiteFile(path).revision(b"x")


def test_a_file_that_is_gone_or_huge_is_told(path: Path) -> None:
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(ZoneEditError, match="larger than"):
        SiteFile(path).read()
    path.unlink()
    with pytest.raises(ZoneEditError, match="cannot be read: No such file"):
        SiteFile(path).read()


@needs_root
@pytest.mark.parametrize("hindrance", ["folder", "owner"])
def test_what_another_user_owns_is_refused_in_words_and_left_alone(path: Path, hindrance: str) -> None:
    nobody = 65534
    for above in (path.parent.parent, *path.parents[2:5]):
        if above.stat().st_mode & 0o001 == 0:
            above.chmod(above.stat().st_mode | 0o011)
    if hindrance == "owner":
        os.chown(path.parent, nobody, nobody)
        path.chmod(0o644)
    else:
        os.chown(path, nobody, nobody)
    file = SiteFile(path)
    seen = file.revision(file.read())
    child = os.fork()
    if child == 0:
        # another process, for a user is given up for good
        code = 1
        try:
            os.setresgid(nobody, nobody, nobody)
            os.setresuid(nobody, nobody, nobody)
            trouble = file.trouble()
            file.replace(b"after\n", expected=seen)
        except NotWritableError as error:
            wanted = "may not write in" if hindrance == "folder" else "would have to change hands"
            code = 0 if wanted in str(error) and wanted in trouble else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert path.read_bytes() == b"before: ${SECRET}\n"
    assert os.listdir(path.parent) == ["site.yaml"]


def test_versions_are_as_private_as_the_file_and_bounded(path: Path, tmp_path: Path) -> None:
    versions = Versions(tmp_path / "state" / "site-versions", most=3)
    assert versions.all() == ()
    names = [
        versions.keep(f"{number}".encode(), like=path, what=f"change {number}", at=1_700_000_000.0 + number)
        for number in range(5)
    ]
    kept = versions.all()
    assert [each.version for each in kept] == names[:1:-1]
    assert [each.what for each in kept] == ["change 4", "change 3", "change 2"]
    assert kept[0].at == 1_700_000_004.0
    assert versions.read(names[4]) == b"4"
    assert versions.read(names[0]) is None
    assert (versions.folder.stat().st_mode & 0o777) == 0o700
    assert {each.stat().st_mode & 0o777 for each in versions.folder.glob("*.yaml")} == {0o640}
    assert len(list(versions.folder.iterdir())) == 6


@pytest.mark.parametrize("name", ["../../etc/site", "", "20261122T101112.000000Z/../x", "x" * 5000, "2026\0"])
def test_no_other_file_can_be_asked_for(path: Path, tmp_path: Path, name: str) -> None:
    versions = Versions(tmp_path)
    (tmp_path / "x.yaml").write_text("no")
    assert versions.read(name) is None
    assert versions.all() == ()


def test_what_is_kept_after_the_clock_was_set_back_is_the_latest(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_bytes(b"now")
    versions = Versions(tmp_path / "versions", most=3)
    for number in range(3):
        versions.keep(b"before", like=site, what="a zone", at=1_795_245_000.0 + number)
    name = versions.keep(b"the latest", like=site, what="another", at=1_700_000_000.0)
    assert versions.all()[0].version == name
    assert versions.read(name) == b"the latest"
    assert len(versions.all()) == 3
