"""What every call has in common: errors, the GIL, cancelling, deadlines, interrupts, processes."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable

import pytest

import rescoldo
from texts import PASSAGES, QUERIES


def test_errors_are_python_exceptions_too(tmp_path):
    for path, kind, status in (
        (tmp_path / "absent", FileNotFoundError, "not_found"),
        (__file__, ValueError, "invalid_data"),
        (tmp_path, ValueError, "invalid_argument"),
    ):
        with pytest.raises(kind, match=str(path)) as caught:
            rescoldo.Reranker(path)
        assert isinstance(caught.value, rescoldo.RescoldoError) and caught.value.status == status


def test_altered_bytes_are_found_when_asked(reranker_ember, tmp_path):
    content = bytearray(reranker_ember.read_bytes())
    content[len(content) // 2] ^= 1
    altered = tmp_path / "altered.ember"
    altered.write_bytes(content)
    with pytest.raises(rescoldo.InvalidDataError, match="checksum"):
        rescoldo.Reranker(altered, verify=True)


@pytest.mark.parametrize("threads", [1, 2])
def test_calls_run_without_the_gil_and_end_when_cancelled(reranker_ember, endless, threads):
    """Were the GIL kept, this thread could set the flag only after the call, which would not end."""
    reranker = rescoldo.Reranker(reranker_ember, threads=threads)
    flag, started = rescoldo.CancelFlag(), threading.Event()
    caught: list[BaseException] = []

    def call() -> None:
        started.set()
        try:
            reranker.rank(QUERIES[0], endless, cancel=flag)
        except rescoldo.RescoldoError as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    started.wait()
    flag.set()
    thread.join()
    assert [type(error) for error in caught] == [rescoldo.CancelledError]
    with pytest.raises(rescoldo.CancelledError):
        reranker.rank(QUERIES[0], PASSAGES, cancel=flag)
    assert flag.is_set()
    flag.clear()
    assert not flag.is_set()
    assert len(reranker.rank(QUERIES[0], PASSAGES, cancel=flag)) == len(PASSAGES)


def test_a_timeout_ends_a_call(reranker, embedder, endless):
    for call in (
        lambda: reranker.rank(QUERIES[0], endless, timeout=0.05),
        lambda: reranker.predict([(query, text) for query in QUERIES for text in endless[:50_000]], timeout=0.05, convert_to_numpy=False),
        lambda: embedder.encode(endless[:100_000], timeout=0.05, convert_to_numpy=False),
    ):
        with pytest.raises(TimeoutError) as caught:
            call()
        assert isinstance(caught.value, rescoldo.DeadlineExceededError)
    with pytest.raises(ValueError, match="timeout is -1"):
        reranker.rank(QUERIES[0], PASSAGES, timeout=-1)
    assert len(reranker.rank(QUERIES[0], PASSAGES, timeout=float("inf"))) == len(PASSAGES)


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_ends_a_long_call(reranker_ember, threads):
    process = python(
        """
        import signal, sys, rescoldo
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin by ignoring it
        reranker = rescoldo.Reranker(sys.argv[1], threads=int(sys.argv[2]))
        documents = ["A passage that the model has to read again and again. " * 20] * 1_000_000
        try:
            print("ready", flush=True)
            reranker.rank("Who reads this?", documents)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        """,
        reranker_ember, threads,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate()[0] == "interrupted\n" and process.returncode == 0


def test_threads_share_one_object(reranker):
    expected = [reranker.rank(query, PASSAGES) for query in QUERIES]
    found: dict[int, list] = {}

    def call(number: int) -> None:
        found[number] = [reranker.rank(query, PASSAGES) for _ in range(3) for query in QUERIES]

    threads = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[number] == expected * 3 for number in range(6))


def in_a_child(check: Callable[[], bool]) -> bool:
    """Whether check() is true in a forked process."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if check() else 1
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def test_it_works_in_a_forked_process(reranker_ember, endless):
    reranker = rescoldo.Reranker(reranker_ember, threads=2)
    expected = reranker.rank(QUERIES[0], PASSAGES)
    assert in_a_child(lambda: reranker.rank(QUERIES[0], PASSAGES) == expected)
    # Beside a call: the child has neither its threads nor its sessions, and makes its own.
    flag = rescoldo.CancelFlag()
    caught: list[BaseException] = []

    def call() -> None:
        try:
            reranker.rank(QUERIES[0], endless, cancel=flag)
        except rescoldo.CancelledError as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        assert all(in_a_child(lambda: reranker.rank(QUERIES[0], PASSAGES) == expected) for _ in range(5))
    finally:
        flag.set()
        thread.join()
    assert len(caught) == 1


def proportional_set_size(process: int, path: pathlib.Path) -> tuple[int, int]:
    """(Pss, Rss) in bytes of the file's mappings in a process (proc_pid_smaps(5))."""
    sizes = {"Pss:": 0, "Rss:": 0}
    inside = False
    for line in pathlib.Path(f"/proc/{process}/smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            inside = line.endswith(str(path))
        elif inside and words[0] in sizes:
            sizes[words[0]] += 1024 * int(words[1])
    return sizes["Pss:"], sizes["Rss:"]


def test_four_processes_cost_one_model(embedder_ember):
    processes = [
        python(
            """
            import sys, rescoldo
            rescoldo.Embedder(sys.argv[1], verify=True).encode("A text.", convert_to_numpy=False)
            embedder = rescoldo.Embedder(sys.argv[1], verify=True)
            print("ready", flush=True)
            sys.stdin.read()
            """,
            embedder_ember,
        )
        for _ in range(4)
    ]
    assert all(process.stdout.readline() == "ready\n" for process in processes)
    sizes = [proportional_set_size(process.pid, embedder_ember) for process in processes]
    for process in processes:
        process.communicate()
    size = embedder_ember.stat().st_size
    # Each has read the whole file, and together they hold it once.
    assert all(rss > 0.99 * size for _, rss in sizes), (size, sizes)
    assert sum(pss for pss, _ in sizes) < 1.05 * size, (size, sizes)
