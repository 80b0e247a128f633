"""The module in a process: what it loads, keeps, prints, and does among threads and after a fork."""

import os
import re
import subprocess
import sys
import sysconfig
import threading
import time

import numpy as np
import pytest
from conftest import needs

import dropwise


def python(code, **environment):
    """What a fresh interpreter prints; it must end well, and print nothing else."""
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0 and result.stderr == "", result.stderr
    return result.stdout


def test_import_loads_numpy_and_nothing_else():
    code = """
import sys, threading, os
import numpy
before, environment = set(sys.modules), dict(os.environ)
import dropwise
print(sorted(name.split(".")[0] for name in set(sys.modules) - before if not name.startswith("dropwise")))
assert threading.active_count() == 1 and dict(os.environ) == environment
assert not {"torch", "jax", "ml_dtypes", "typing_extensions"} & set(sys.modules)
"""
    loaded = eval(python(code))
    assert set(loaded) <= set(sys.stdlib_module_names), loaded


@pytest.mark.parametrize("module", ["torch", "jax", "sklearn"])
def test_import_before_and_after_others(module):
    needs(module)
    for order in ([module, "dropwise"], ["dropwise", module]):
        code = f"import {order[0]}\nimport {order[1]}\nimport numpy\n"
        code += "print(dropwise.Mask(0.5, 1).forward(numpy.ones(10**6, 'f4')).sum())"
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert float(result.stdout) > 0


def test_other_interpreters_of_the_process_are_refused():
    code = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
code = '''
try:
    import dropwise._core
except ImportError as error:
    print("refused:", error, flush=True)
'''
interpreters.run_string(interpreters.create(), code)
"""
    assert re.match("refused: .*(main interpreter|subinterpreters)", python(code))


def test_nothing_is_printed_at_exit():
    code = """
import dropwise, numpy, threading, time
m = dropwise.Mask(0.5, 1)
x = numpy.ones(2**22, "f4")
kept = [m, m.forward(x, threads=4), dropwise.interop.triton(1, 0.5), dropwise._core.run]
thread = threading.Thread(target=lambda: [m.forward(x) for _ in range(1000)], daemon=True)
thread.start()
time.sleep(0.05)
"""
    assert python(code) == ""


def test_four_python_threads():
    mask, x = dropwise.Mask(0.1, 1, 2), np.ones((40, 100, 100), np.float32)
    expected = mask.forward(x)
    results = np.empty((4, *x.shape), np.float32)

    def work(k):
        for i in range(k, 40, 4):
            mask.forward(x[i], out=results[k, i], first=i * 10000)
            for _ in range(200):
                assert mask.keeps(3) == mask.keeps(3)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(np.stack([results[i % 4, i] for i in range(40)]), expected)


def test_long_calls_release_the_gil():
    mask, x = dropwise.Mask(0.5, 1), np.ones(2**24, np.float32)
    mask.forward(x, out=x, threads=1)
    done, counted = threading.Event(), []

    def count():
        n = 0
        while not done.is_set():
            n += 1
            time.sleep(0)
        counted.append(n)

    thread = threading.Thread(target=count)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(100)  # none is taken away
    try:
        thread.start()
        for _ in range(10):
            mask.forward(x, out=x, threads=1)
        done.set()
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert counted[0] > 1


def test_free_threaded_builds_keep_the_gil_off():
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert not sys._is_gil_enabled()
    else:
        pytest.skip("this Python has the GIL")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_threads_survive_a_fork():
    mask, x = dropwise.Mask(0.5, 1), np.ones(2**22, np.float32)
    expected = mask.forward(x, threads=4)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(mask.forward(x, threads=4), expected) else 1)
    for _ in range(600):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.1)
    else:
        os.kill(child, 9)
        pytest.fail("a call with threads after a fork hangs")
    assert status == 0 and np.array_equal(mask.forward(x, threads=4), expected)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="looks into /proc")
def test_no_thread_is_left():
    dropwise.Mask(0.5, 1).forward(np.ones(2**22, np.float32), threads=4)
    time.sleep(0.1)
    count = "len(os.listdir('/proc/self/task'))"
    code = f"""
import dropwise, numpy, os, time
before = {count}
dropwise.Mask(0.5, 1).forward(numpy.ones(2**22, "f4"), threads=4)
time.sleep(0.2)
print({count} - before)
"""
    assert python(code, OPENBLAS_NUM_THREADS="1").strip() == "0"


@pytest.mark.parametrize("cpus", [1, 2])
def test_threads_follow_the_affinity(cpus):
    if cpus > len(os.sched_getaffinity(0)):
        pytest.skip("this process has one CPU")
    code = """
import dropwise, numpy, os, threading
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CPUS])
seen, done = set(), threading.Event()
def watch():
    while not done.is_set():
        seen.update(os.listdir("/proc/self/task"))
thread = threading.Thread(target=watch)
thread.start()
x = numpy.ones(2**24, "f4")
for _ in range(20):
    dropwise.Mask(0.5, 1).forward(x, x)
done.set()
thread.join()
print(len(seen) - 2)
"""
    code = code.replace("CPUS", str(cpus))
    started = int(python(code, OPENBLAS_NUM_THREADS="1"))  # beside the caller and the watcher
    assert cpus - 1 <= started <= 20 * (cpus - 1)


def refused(function, *arguments):
    try:
        function(*arguments)
    except (TypeError, ValueError):
        return
    raise AssertionError


CALLS = {
    "forward": lambda m, x: m.forward(x),
    "out": lambda m, x: m.forward(x, out=x),
    "options": lambda m, x: m.forward(x.reshape(8, 8), share=(1,), stored=np.empty(8, bool)),
    "strided": lambda m, x: dropwise.fused.residual_forward(m, x.reshape(8, 8).T, None, x.reshape(8, 8)),
    "tuple": lambda m, x: dropwise.variants.zoneout_backward(m, x),
    "bits": lambda m, x: m.bits(64),
    "keep": lambda m, x: m.keep((8, 8), share=(0,)),
    "infer": lambda m, x: m.infer(x[::2], out=x[::2]),
    "mask": lambda m, x: dropwise.Mask(0.5, 2**63, 1),
    "interop": lambda m, x: dropwise.interop.jax((1, 2), 0.5).forward(x),
    "no array": lambda m, x: refused(m.forward, [1]),
    "shapes": lambda m, x: refused(m.forward, x, x[1:]),
    "overlap": lambda m, x: refused(m.forward, x[1:], x[:-1]),
}


@pytest.mark.parametrize("name", CALLS)
def test_nothing_leaks(name):
    """References to what calls are given stay as they were, and memory does over 100,000 calls."""
    mask, x, call = dropwise.Mask(0.5, 1), np.ones(64, np.float32), CALLS[name]
    objects = [x, x.dtype, mask, mask._struct, np.dtype(bool), np.dtype(np.uint8)]

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    n = 10**5
    for _ in range(n // 10):
        call(mask, x)
    counts, memory = [sys.getrefcount(o) for o in objects], resident()
    for _ in range(n):
        call(mask, x)
    after = [sys.getrefcount(o) for o in objects]
    assert all(abs(a - b) < n // 100 for a, b in zip(after, counts)), (counts, after)
    assert resident() - memory < 4 * n  # a leak of an object is 16 bytes a call at least
