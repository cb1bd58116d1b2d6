from __future__ import annotations

import threading

import pytest

from brew.cpu import threads
from brew.data.crew import Crew
from brew.errors import ResourceError


@pytest.fixture(params=[1, 3])
def crew(request, monkeypatch):
    monkeypatch.setattr(threads, "decoders", lambda: request.param)
    crew = Crew()
    yield crew
    crew.close()


@pytest.mark.parametrize("pieces", [0, 1, 2, 100])
def test_every_piece_once(crew, pieces):
    done = []
    crew.each(done.append, pieces)
    assert sorted(done) == list(range(pieces))


def test_threads_work_side_by_side_and_the_caller_joins_them(monkeypatch):
    monkeypatch.setattr(threads, "decoders", lambda: 2)
    crew, meet = Crew(), threading.Barrier(2, timeout=20)
    finish = crew.start(lambda _: meet.wait(), 3)
    meet.wait()  # the other thread has begun, and the caller does something else
    finish()  # the caller takes part: each of the other pieces waits for one more thread
    crew.close()


def test_the_first_error_is_raised_and_nothing_is_begun_behind_it(crew):
    begun = []

    def task(number):
        begun.append(number)
        if number >= 5:
            raise ValueError(number)

    with pytest.raises(ValueError, match=r"^5$"):
        crew.each(task, 1000)
    assert len(begun) <= 5 + crew.number
    crew.each(begun.append, 1)  # and it works on


def test_threads_that_cannot_start_are_an_error_with_a_remedy(monkeypatch):
    monkeypatch.setattr(threads, "decoders", lambda: 3)
    crew = Crew()

    def refused(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(ResourceError, match="no thread can be started to decode"):
        crew.each(lambda _: None, 2)


@pytest.mark.timeout(60)
def test_what_is_begun_and_not_finished_ends_with_the_crew(monkeypatch):
    monkeypatch.setattr(threads, "decoders", lambda: 2)
    crew, begun, held = Crew(), threading.Event(), threading.Event()
    done = []

    def task(number):
        begun.set()
        held.wait(20)
        done.append(number)

    crew.start(task, 1000)
    assert begun.wait(20)
    threading.Timer(0.05, held.set).start()
    crew.close()
    assert done == [0]
