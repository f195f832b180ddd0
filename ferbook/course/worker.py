"""Runs a student's cells and calls their functions, as another process asks by messages. Standard library,
NumPy and IPython only: this file alone goes into the sandbox. Nothing that it answers is to be trusted, for
it shares its process with the student's code; ``decode`` takes nothing but data from it.

A message is a line of JSON on standard input; so is the answer, on standard output. What the student's code
prints goes to standard error.
"""

import base64
import ctypes
import json
import os
import resource
import signal
import struct
import sys

import numpy as np

KINDS = "biufcU"
"""The kinds of NumPy arrays that are told: no objects."""
DEEPEST = 20
LONGEST = 16 * 2**20
"""Bytes of a message."""
LONGEST_NUMBER = 10_000
"""Bits of a whole number: of longer ones Python tells and reads no digits."""


def encode(value: object, depth: int = 0) -> object:
    """What JSON says of numbers, text, lists, tuples, dicts with text keys, and arrays of numbers or text.

    Raises TypeError, naming what else it met.
    """
    if depth > DEEPEST:
        raise TypeError(f"more than {DEEPEST} lists within lists")
    if type(value) is int and value.bit_length() > LONGEST_NUMBER:
        raise TypeError(f"a number of {value.bit_length()} bits")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.dtype.kind not in KINDS:
            raise TypeError(f"an array of {array.dtype}")
        data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
        scalar = isinstance(value, np.generic)
        return ["scalar" if scalar else "array", array.dtype.str, list(array.shape), data]
    if type(value) in (list, tuple):
        return [type(value).__name__, *(encode(each, depth + 1) for each in value)]
    if type(value) is dict and all(type(name) is str for name in value):
        return ["dict", *([name, encode(each, depth + 1)] for name, each in value.items())]
    raise TypeError(f"an object of type {type(value).__name__}")


def decode(code: object, depth: int = 0) -> object:
    """The value that ``encode`` told. Raises ValueError where it is anything else."""
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} lists within lists")
    if code is None or isinstance(code, bool | int | float | str):
        return code
    if not isinstance(code, list) or not code:
        raise ValueError(f"not a value: {str(code)[:40]}")
    kind, *rest = code
    if kind in ("list", "tuple"):
        return (tuple if kind == "tuple" else list)(decode(each, depth + 1) for each in rest)
    if kind == "dict":
        if not all(isinstance(each, list) and len(each) == 2 and isinstance(each[0], str) for each in rest):
            raise ValueError("not a dict with text keys")
        return {name: decode(each, depth + 1) for name, each in rest}
    if kind not in ("array", "scalar") or len(rest) != 3:
        raise ValueError(f"not a value: {str(kind)[:40]}")
    try:
        dtype, shape = np.dtype(str(rest[0])), [int(n) for n in rest[1]]
        data = base64.b64decode(rest[2], validate=True)
        if dtype.kind not in KINDS or min(shape, default=0) < 0:
            raise ValueError(f"of {dtype}")
        array = np.frombuffer(data, dtype).reshape(shape).copy()
    except (TypeError, ValueError, OverflowError) as fault:
        raise ValueError("not an array of numbers") from fault
    return array[()] if kind == "scalar" else array


def limit(**most: int) -> None:
    """Set this process's limits, by the names that ``resource`` has for them."""
    for name, value in most.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _refuse(steps: bytes) -> None:
    """Leave this process, and all that it starts, the system calls that a filter allows (``syscalls``)."""
    code = ctypes.create_string_buffer(steps, len(steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.addressof(program), 0, 0):
        raise OSError(ctypes.get_errno(), "no filter of system calls")


def main() -> None:
    """Answer messages until there are none: ``cell`` (source), ``call`` (name, args, kwargs), ``value``
    (name).
    """
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    if len(sys.argv) > 1:
        files, processes, memory, space = map(int, sys.argv[1:-1])
        limit(CORE=0, FSIZE=files, NPROC=processes, NOFILE=128, DATA=memory, AS=space)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _refuse(base64.b64decode(sys.argv[-1]))
    from IPython.core.interactiveshell import InteractiveShell

    InteractiveShell.cache_size = 0
    shell = InteractiveShell.instance(history_load_length=0, colors="NoColor")
    shell.history_manager.enabled = False
    shell.enable_gui = lambda gui=None: None  # what %matplotlib asks for
    shell.system = shell.system_raw  # the usual one wants a terminal
    names = shell.user_ns
    while line := requests.readline():
        message = json.loads(line)
        answer: dict[str, object] = {"id": message["id"]}
        try:
            if message["do"] == "cell":
                outcome = shell.run_cell(message["source"], store_history=False)
                sys.stdout.flush()
                fault = outcome.error_before_exec or outcome.error_in_exec
                answer["value"] = None
                if fault is not None:
                    raise fault
            elif message["name"] not in names:
                answer["missing"] = True
            elif message["do"] == "call":
                arguments = [decode(each) for each in message["args"]]
                keywords = {name: decode(each) for name, each in message["kwargs"].items()}
                answer |= _data(names[message["name"]](*arguments, **keywords))
            else:
                answer |= _data(names[message["name"]])
        except BaseException as fault:  # whatever a student's code raises is an answer
            answer |= {"raised": type(fault).__name__, "message": _message(fault)}
        text = json.dumps(answer)
        answers.write(
            (text if len(text) < LONGEST else json.dumps({"id": message["id"], "long": True})).encode()
        )
        answers.write(b"\n")
        answers.flush()


def _data(value: object) -> dict[str, object]:
    try:
        return {"value": encode(value)}
    except TypeError as fault:
        return {"odd": _message(fault)}


def _message(fault: BaseException) -> str:
    try:
        return str(fault)[:2000]
    except BaseException:
        return ""


if __name__ == "__main__":
    main()
