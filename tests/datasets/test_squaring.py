from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brew.datasets.squaring import names_in, names_of_list
from brew.errors import DataError


def test_a_name_that_begins_as_the_folder_is_called(pile: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pile("pile_two/a.png", "b.png")
    monkeypatch.chdir(folder.parent)
    (folder.parent / "list.txt").write_text("pile_two/a.png 0\npile/b.png 1\n")
    assert names_of_list(Path("list.txt"), Path("pile")) == ["pile_two/a.png", "b.png"]


def test_a_folder_that_cannot_be_read_is_told(pile: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pile("a.png", "closed/b.png")
    scan = os.scandir

    def refusing(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match="closed cannot be read: Permission denied"):
        names_in(folder, folder / "out")
