"""dropwise.torch.distributed on ranks of gloo; the checks are those of torch_ranks.py."""

import multiprocessing
import queue
import time

import pytest
from conftest import needs

torch = needs("torch")
if not torch.distributed.is_available():
    pytest.fail("this PyTorch has no torch.distributed", pytrace=False)
import torch_ranks  # noqa: E402

from dropwise.torch.distributed import rank_stream  # noqa: E402

#: Seconds for all, of which a machine that is not busy needs a tenth, and those after the first fault: where
#: one rank fails, others may wait for it in vain.
PATIENCE, PATIENCE_AFTER_FAULT = 400, 30


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """What each check raised on each rank: all run in one go, since starting four processes takes long."""
    context = multiprocessing.get_context("forkserver")  # a fork of this process would have threads to lose
    context.set_forkserver_preload(["torch", "torch_ranks"])
    results = context.Queue()
    address = f"file://{tmp_path_factory.mktemp('ranks')}/store"
    processes = [
        context.Process(target=torch_ranks.run, args=(rank, address, results), daemon=True)
        for rank in range(torch_ranks.RANKS)
    ]
    for process in processes:
        process.start()
    found, end = {}, time.monotonic() + PATIENCE
    try:
        while len(found) < len(torch_ranks.CHECKS) * torch_ranks.RANKS and time.monotonic() < end:
            try:
                name, rank, fault = results.get(timeout=1)
            except queue.Empty:
                if not any(process.is_alive() for process in processes):
                    break
                continue
            found[name, rank] = fault
            if fault is not None:
                end = min(end, time.monotonic() + PATIENCE_AFTER_FAULT)
    finally:
        for process in processes:
            process.join(5)
            if process.is_alive():
                process.kill()
    return found


@pytest.mark.parametrize("name", torch_ranks.CHECKS)
def test_on_ranks(name, faults):
    for rank in range(torch_ranks.RANKS):
        fault = faults.get((name, rank), "did not end, as a rank waits for another, or died")
        assert fault is None, f"rank {rank}: {fault}"


def test_streams_of_a_process_that_is_alone(monkeypatch):
    assert rank_stream() == 0 and rank_stream(5) == 5
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="WORLD_SIZE is 2, and torch.distributed is not initialised"):
        rank_stream()
