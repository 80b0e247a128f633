"""How times are taken: of all that is compared in turns, in one process."""

import time


def least(rounds, calls, *functions):
    """The least time of each function, in turns.

    In each turn the first call is not counted: memory that the function before gave back to the system would
    have to be faulted in again, and caches hold what that function left there.
    """
    times = [float("inf")] * len(functions)
    for _ in range(rounds):
        for i, function in enumerate(functions):
            function()
            start = time.perf_counter()
            for _ in range(calls):
                function()
            times[i] = min(times[i], (time.perf_counter() - start) / calls)
    return times
