"""How much a folder uses, and its removal."""

from __future__ import annotations

from apps.matches import disk


def test_a_folder_uses_what_its_files_use_and_a_file_of_two_names_counts_once(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one").write_bytes(b"x" * 100_000)
    once = disk.used(tmp_path)
    assert once >= 100_000
    (tmp_path / "two").hardlink_to(tmp_path / "deep" / "one")
    assert disk.used(tmp_path) == once


def test_links_are_not_followed(tmp_path):
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "large")
    (tmp_path / "folder" / "loop").symlink_to(tmp_path)
    assert disk.used(tmp_path / "folder") < 50_000
    disk.remove(tmp_path / "folder" / "loop")
    disk.remove(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["large"]


def test_what_is_not_there_uses_nothing_and_can_be_removed(tmp_path):
    assert disk.used(tmp_path / "gone") == 0
    disk.remove(tmp_path / "gone")
