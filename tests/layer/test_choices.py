"""Which way passes go: by the rule, by the stopwatch, as the machine knows, as a snapshot says."""

from __future__ import annotations

from pathlib import Path

import pytest

from brew.files import cache
from brew.layer.choices import Choices

WAYS = ("steady", "quick")


def measured(machine: str = "this machine") -> Choices:
    return Choices(measured=True, machine=lambda: machine)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that knows nothing."""
    monkeypatch.setenv("BREW_CACHE", str(tmp_path))
    return tmp_path / "choices"


def time(it: Choices, key: str, **seconds: list[float]) -> None:
    """What the runs of each way took."""
    for way, times in seconds.items():
        for each in times:
            it.timed(key, way, each)


def test_by_the_rule_nothing_is_timed_and_the_machine_learns_nothing(folder: Path) -> None:
    it = Choices()
    assert it.way("a", WAYS) == "steady" and it.way("a", WAYS) == "steady"
    assert it.decided == {"a": "steady"} and not folder.exists()


def test_the_fastest_run_counts_and_is_asked_for_once() -> None:
    it = measured()
    assert it.way("a", WAYS) is None
    time(it, "a", steady=[2, 2, 2], quick=[9, 1])
    assert it.way("a", WAYS) is None, "a third run of the other is to come"
    time(it, "a", quick=[9])
    assert it.way("a", WAYS) == "quick"
    time(it, "a", steady=[0, 0, 0])
    assert it.decided == {"a": "quick"}, "what is decided stays"


def test_one_line_tells_when_all_are_decided(caplog: pytest.LogCaptureFixture) -> None:
    it = measured()
    for key in ("a", "b", "never run"):
        it.way(key, WAYS)
    with caplog.at_level("INFO", "brew"):
        it.timed("b", "steady", 3)
        time(it, "a", steady=[1, 1, 1], quick=[2, 2, 2])
        assert not caplog.messages
        time(it, "b", steady=[3, 3], quick=[2, 2, 2])
        assert caplog.messages == ["Timed every way of 2 kinds of passes; the fastest: 1 quick, 1 steady."]
        it.way("c", WAYS)
        time(it, "c", steady=[1, 1, 1], quick=[2, 2, 2])
    assert len(caplog.messages) == 1


def test_the_machine_knows_what_trainings_have_timed(caplog: pytest.LogCaptureFixture) -> None:
    first, second = measured(), measured()
    for it, key in ((first, "a"), (second, "b")):
        it.way(key, WAYS)
    time(first, "a", steady=[2, 2, 2], quick=[1, 1, 1])
    time(second, "b", steady=[1, 1, 1], quick=[2, 2, 2])
    caplog.clear()
    with caplog.at_level("INFO", "brew"):
        later = measured()
        assert (later.way("a", WAYS), later.way("b", WAYS), later.way("c", WAYS)) == ("quick", "steady", None)
    assert not caplog.messages, "what is known is not worth a line"
    assert Choices().way("a", WAYS) == "steady", "the rule does not ask for the machine"


def test_another_machine_knows_nothing_of_it_nor_does_who_names_none() -> None:
    it = measured()
    it.way("a", WAYS)
    time(it, "a", steady=[2, 2, 2], quick=[1, 1, 1])
    assert measured("another").way("a", WAYS) is None
    assert Choices(measured=True).way("a", WAYS) is None
    assert measured().way("a", WAYS) == "quick"


def test_who_names_no_machine_keeps_nothing(folder: Path) -> None:
    it = Choices(measured=True)
    it.way("a", WAYS)
    time(it, "a", steady=[2, 2, 2], quick=[1, 1, 1])
    assert it.way("a", WAYS) == "quick" and not folder.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": "by magic"}', b'{"a": ["quick"]}'])
def test_a_file_that_says_nothing_useful_costs_only_time(content: bytes) -> None:
    cache.keep("choices", "this machine.json", content)
    it = measured()
    assert it.way("a", WAYS) is None
    time(it, "a", steady=[2, 2, 2], quick=[1, 1, 1])
    assert measured().way("a", WAYS) == "quick"


def test_a_folder_that_cannot_be_written_costs_only_time(folder: Path) -> None:
    folder.write_text("")
    it = measured()
    it.way("a", WAYS)
    time(it, "a", steady=[2, 2, 2], quick=[1, 1, 1])
    assert it.way("a", WAYS) == "quick"
    assert measured().way("a", WAYS) is None


def test_before_a_snapshot_the_rule_decides_the_rest() -> None:
    it = measured()
    for key in "ab":
        it.way(key, WAYS)
    time(it, "a", steady=[2, 2, 2], quick=[1, 1])
    time(it, "b", steady=[2, 2, 2], quick=[1, 1, 1])
    it.decide()
    assert it.decided == {"a": "steady", "b": "quick"}
    time(it, "a", quick=[1])
    assert it.decided["a"] == "steady"
    later = measured()
    assert (later.way("a", WAYS), later.way("b", WAYS)) == (None, "quick"), "the machine learns only what was timed"


def test_what_is_replayed_goes_before_all_else() -> None:
    for it in (Choices(), measured()):
        it.way("a", WAYS)
        it.way("b", WAYS)
        it.replay({"a": "quick", "b": "by magic", "elsewhere": "quick"})
        assert it.way("a", WAYS) == "quick" and it.decided["elsewhere"] == "quick"
        assert it.way("b", WAYS) == (None if it.measured else "steady"), "an unknown way"
