#!/usr/bin/env python3
"""The numbers in functions_f32.inc.h, exp_f32.inc.h and log_sincos_f32.inc.h of src/kernels/reals/, made from
the functions themselves.

    fit_functions.py          prints them as C
    fit_functions.py --check  compares them with those in the files; the exit status is 1 if any differs,
                              and 77, a skipped test's, where DROPWISE_TEST_QUICK is set

A polynomial is fitted by Remez's exchange: its greatest weighted error is as small as can be. From 0 on, the
coefficient of the lowest power is then rounded to binary32 and fixed, the others are fitted again, and so on:
those of higher powers make up for the rounding of those before. (Around 0, where odd powers have two signs,
the exchange would not find the others; there all are rounded at once, which costs nothing for so short
intervals.) Everything is computed by mpmath with 120 bits, so that every machine makes the same numbers.
"""
import os
import pathlib
import re
import struct
import sys

from mpmath import cos, erfc, exp, log, lu_solve, matrix, mp, mpf, pi, sin, sqrt

mp.prec = 120
POINTS = 600  # where errors are looked at
FILES = ("exp_f32.inc.h", "functions_f32.inc.h", "log_sincos_f32.inc.h")
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "src/kernels/reals"

# The fits of the normal distribution, and of what the slope has of it, end here.
LOG_TAIL_END, SLOPE_END = mpf("-5.2"), mpf("-5.6")
LOG_START = 0x3F380000  # the bits of 23/32, where the intervals of the logarithm begin


def binary32(v):
    """v, rounded to nearest."""
    return struct.unpack("f", struct.pack("f", float(v)))[0]


def bits(v):
    """The bits of v as binary32."""
    return struct.unpack("I", struct.pack("f", float(v)))[0]


def from_bits(v):
    """The binary32 of bits v."""
    return struct.unpack("f", struct.pack("I", v))[0]


def extremes(errors, count):
    """Where errors of alternating signs are largest: `count` places, or None if there are fewer."""
    places = []
    for i, error in enumerate(errors):
        if places and (error < 0) == (errors[places[-1]] < 0):
            if abs(error) > abs(errors[places[-1]]):
                places[-1] = i
        else:
            places.append(i)
    while len(places) > count:  # the smaller end goes
        del places[0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1]
    return places if len(places) == count else None


def minimax(targets, weights, at, powers, scale):
    """Coefficients, for powers of at / scale, whose greatest error times its weight is least."""
    unknowns = len(powers) + 1
    values = [[(v / scale) ** p for p in powers] for v in at]
    places = [round((POINTS - 1) * (1 - cos(pi * (k + mpf("0.5")) / unknowns)) / 2) for k in range(unknowns)]
    for _ in range(60):
        rows = [values[i] + [(-1) ** k / weights[i]] for k, i in enumerate(places)]
        solution = list(lu_solve(matrix(rows), matrix([targets[i] for i in places])))
        level, solution = abs(solution[-1]), solution[:-1]
        errors = [(sum(c * v for c, v in zip(solution, row)) - target) * weight
                  for row, target, weight in zip(values, targets, weights)]
        new = extremes(errors, unknowns)
        if new is None or new == places or max(map(abs, errors)) < level * mpf("1.0001"):
            break
        places = new
    return solution


def fit(function, powers, weight, low, high):
    """Coefficients as binary32 of function's approximation by such powers, from low to high."""
    at = [(low + high) / 2 - (high - low) / 2 * cos(pi * (k + mpf("0.5")) / POINTS) for k in range(POINTS)]
    left, weights = [function(v) for v in at], [weight(v) for v in at]
    scale, coefficients = max(abs(low), abs(high)), []
    for k, power in enumerate(powers):
        solution = minimax(left, weights, at, powers[k:], scale)
        if low < 0 < high:
            return [binary32(c / scale**p) for c, p in zip(solution, powers)]
        coefficients.append(binary32(solution[0] / scale**power))
        left = [target - coefficients[-1] * v**power for target, v in zip(left, at)]
    return coefficients


def upper(a):
    """The upper tail of the normal distribution."""
    return erfc(a / sqrt(2)) / 2


def exponential():
    """e^r = 1 + r + r^2 (c0 + c1 r), as exactly for every r."""
    half = log(2) / 16 * mpf("1.0005")
    return fit(lambda r: (exp(r) - 1 - r) / r**2, [0, 1], lambda r: r * r / exp(r), -half, half)


def power_of_two():
    """2^f = 1 + f (c0 + c1 f + c2 f^2)."""
    half = mpf(1) / 16
    return fit(lambda f: (mpf(2) ** f - 1) / f, [0, 1, 2], lambda f: abs(f) / mpf(2) ** f, -half, half)


def log_upper():
    """log2 of the lower tail at m: -1 + m Q(m). Near 0 its absolute error counts, far from it its relative
    error; the weight is between both."""
    return fit(lambda m: (log(upper(-m), 2) + 1) / m, list(range(10)),
               lambda m: -m * log(2) * (2 * upper(-m)) ** mpf("0.3"), LOG_TAIL_END, mpf(0))


def slope():
    """(Phi(m) + m phi(m)) e^(m^2 / 2) = 1/2 + m (c0 + c1 m + ...), whose absolute error counts."""
    return [0.5] + fit(lambda m: (upper(-m) * exp(m * m / 2) + m / sqrt(2 * pi) - mpf(1) / 2) / m,
                       list(range(11)), lambda m: -2 * m * exp(-m * m / 2), SLOPE_END, mpf(0))


def log_places():
    """The bits of reciprocals near the middle of eight intervals, and of the logarithms of what they are the
    reciprocals of. Place j's numbers have j in the bits from 20 on, less those of LOG_START, and 1 lies where
    the reciprocal is 1. Of the others the first one is taken from the middle on whose logarithm is nearly a
    binary32: no digits are lost in the table."""
    reciprocals, logs = [], []
    for j in range(8):
        low, high = (mpf(from_bits(LOG_START + (k << 20))) for k in (j, j + 1))
        at = bits(1 if low <= 1 < high else 2 / (low + high))
        while True:
            exact = -log(mpf(from_bits(at)))
            if abs(exact - mpf(binary32(exact))) < abs(exact) * mpf(2) ** -35 or exact == 0:
                break
            at += 1
        reciprocals.append(f"0x{at:08X}")
        logs.append(f"0x{bits(exact):08X}")
    return reciprocals, logs


def logarithm():
    """ln(1 + r) = r + r^2 (c0 + c1 r + c2 r^2 + c3 r^3), as exactly for every r."""
    return fit(lambda r: (log(1 + r) - r) / r**2, [0, 1, 2, 3], lambda r: r * r / abs(log(1 + r)),
               mpf(-1) / 18, mpf(1) / 16)


def sine():
    """sin(pi / 2 f) = f (QUARTER_TURN + c0 + c1 f^2 + c2 f^4 + c3 f^6), as a polynomial in f^2."""
    first = mpf(binary32(pi / 2))
    return fit(lambda w: sin(pi / 2 * sqrt(w)) / sqrt(w) - first, [0, 1, 2, 3],
               lambda w: sqrt(w) / sin(pi / 2 * sqrt(w)), mpf(0), mpf(1) / 4)


def cosine():
    """cos(pi / 2 f) = 1 + c0 f^2 + ... likewise."""
    return fit(lambda w: (cos(pi / 2 * sqrt(w)) - 1) / w, [0, 1, 2, 3], lambda w: w, mpf(0), mpf(1) / 4)


def number(v):
    """v in C."""
    mantissa, exponent = binary32(v).hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}f"


def table():
    """2^(j/8), less j in the bits that j is shifted to."""
    return [f"0x{bits(mpf(2) ** (mpf(j) / 8)) - (j << 20):08X}" for j in range(8)]


def constants():
    """Names and values in the order of the files."""
    root, ln2 = sqrt(2 / pi), binary32(log(2))
    yield "LOG2_E", number(1 / log(2))
    yield "LN_2", number(ln2)
    yield "LN_2_REST", number(log(2) - mpf(ln2))
    yield "EXP", [number(c) for c in exponential()]
    yield "EXP2", [number(c) for c in power_of_two()]
    yield "EIGHTHS", table()
    yield "LOG_TAIL", [number(c) for c in log_upper()]
    yield "SLOPE", [number(c) for c in slope()]
    yield "HALF_LOG2_E", number(1 / log(2) / 2)
    yield "TANH", [number(-2 * root / log(2)), number(-2 * root * mpf("0.044715") / log(2))]
    yield "TANH_SLOPE", [number(2 * root), number(6 * root * mpf("0.044715"))]
    reciprocals, logs = log_places()
    yield "LOG_START", f"0x{LOG_START:08X}"
    yield "RECIPROCALS", reciprocals
    yield "LOGS", logs
    yield "LOG", [number(c) for c in logarithm()]
    yield "QUARTER_TURN", number(pi / 2)
    yield "SINE", [number(c) for c in sine()]
    yield "COSINE", [number(c) for c in cosine()]


def main():
    if sys.argv[1:] == ["--check"] and "DROPWISE_TEST_QUICK" in os.environ:
        return 77
    wrong = 0
    files = "".join((FOLDER / name).read_text() for name in FILES) if sys.argv[1:] == ["--check"] else None
    for name, value in constants():
        text = "{" + ", ".join(value) + "}" if isinstance(value, list) else value
        if files is None:
            print(f"{name} = {text}")
            continue
        there = re.search(rf"\b{name}\b[^=;]*= ([^;]*);", files)
        if there is None or re.sub(r"\s+", "", there[1]).replace(",}", "}") != text.replace(" ", ""):
            print(f"{name} is not {text}")
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
