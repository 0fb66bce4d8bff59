"""A site key is 32 random bytes in a file that only its owner reads."""

import os
import stat
from pathlib import Path

import pytest

from serving.assessment_log.refusals import LogDamaged, LogRefused
from serving.assessment_log.site_key import SiteKey, SiteKeys, write_new_key


def test_a_new_key_is_for_its_owner_only_and_random(tmp_path: Path) -> None:
    files = [tmp_path / "folder" / name for name in ("one", "two")]
    for file in files:
        write_new_key(file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
    one, two = (bytes.fromhex(file.read_text("ascii")) for file in files)
    assert len(one) == len(two) == 32
    assert one != two


def test_a_second_key_becomes_the_current_one(tmp_path: Path) -> None:
    file = tmp_path / "key"
    write_new_key(file)
    former = SiteKeys.read(file).current
    write_new_key(file)
    keys = SiteKeys.read(file)
    assert keys.current.id != former.id
    assert set(keys.all) == {keys.current.id, former.id}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content", ["", "\n", "nonsense", "ab" * 31, "ab" * 33, f"{'ab' * 32}\n{'ab' * 16}", "ü" * 64]
)
def test_anything_else_is_no_key_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content, "utf-8")
    file.chmod(0o600)
    with pytest.raises(LogRefused) as refused:
        SiteKeys.read(file)
    assert "log-key" in str(refused.value)
    assert not content.strip() or content.strip()[:8] not in str(refused.value)


def test_a_key_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    write_new_key(file)
    file.chmod(0o644)
    with pytest.raises(LogRefused, match="chmod 600"):
        SiteKeys.read(file)
    file.chmod(0o640)  # a group may: so secrets are often mounted
    SiteKeys.read(file)


def test_a_missing_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(LogRefused, match="log-key"):
        SiteKeys.read(tmp_path / "none")


def test_a_wrapped_key_opens_with_its_key_and_in_its_place_only() -> None:
    key, other = SiteKey(os.urandom(32)), SiteKey(os.urandom(32))
    data_key = os.urandom(32)
    wrapped = key.wrap(data_key, b"row 1")
    assert key.unwrap(wrapped, b"row 1") == data_key
    assert data_key not in wrapped
    for wrong in (lambda: other.unwrap(wrapped, b"row 1"), lambda: key.unwrap(wrapped, b"row 2")):
        with pytest.raises(LogDamaged):
            wrong()
