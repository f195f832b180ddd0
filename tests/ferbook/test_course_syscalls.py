"""The filter of system calls, executed step by step as the kernel would, against the kernel's own tables."""

import base64
import re
import struct
from pathlib import Path

import pytest

from ferbook.course.syscalls import allowed_calls, call_filter
from ferbook.errors import MissingError

PROCESSORS = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
TABLES = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}
ALLOWED, REFUSED, ABSENT = "allowed", "refused", "absent"
ANSWERS = {0x7FFF0000: ALLOWED, 0x00050000 | 1: REFUSED, 0x00050000 | 38: ABSENT}


def answer(processor, call, *arguments, sent_by=None):
    """What the filter answers to a call with these arguments."""
    given = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", call, PROCESSORS[sent_by or processor], 0, *given)
    steps = list(struct.iter_unpack("HBBI", base64.b64decode(call_filter(processor))))
    at = value = 0
    while True:
        code, yes, no, k = steps[at]
        at += 1
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, k)
        elif code == 0x54:
            value &= k
        elif code == 0x06:
            return ANSWERS[k]
        else:
            held = {0x15: value == k, 0x35: value >= k, 0x25: value > k}[code]
            at += yes if held else no


def table(processor):
    """The kernel's numbers by name; of names that differ between 32 and 64 bits, those of 64."""
    file = Path(TABLES[processor])
    if not file.is_file():
        pytest.skip(f"the kernel's headers are not installed ({file})")
    found = dict(re.findall(r"^#define __NR(?:3264)?_(\w+) (\d+)$", file.read_text(), re.M))
    if "fstatat" in found:
        found |= {"newfstatat": found["fstatat"]}
    return {
        name: int(number)
        for name, number in found.items()
        if name not in ("syscalls", "arch_specific_syscall")
    }


@pytest.mark.system_package
@pytest.mark.parametrize("processor", PROCESSORS)
def test_each_number_is_the_kernels_and_no_other_call_is_allowed(processor):
    kernels, ours = table(processor), allowed_calls(processor)
    assert {name: kernels.get(name, number) for name, number in ours.items()} == ours
    unknown = ours.keys() - kernels.keys()
    assert unknown <= {"fchmodat2"}  # younger than some headers
    limited = {"mmap", "clone", "rt_sigaction", "socketpair", "prctl", "ioctl"}
    for name, number in kernels.items():
        expected = ALLOWED if name in ours else ABSENT if number >= 424 else REFUSED
        if name not in limited and number not in ours.values():
            assert answer(processor, number) == expected, name
    assert all(answer(processor, ours[name]) == ALLOWED for name in ours.keys() - limited)


@pytest.mark.defect("C2", "C5")
@pytest.mark.parametrize(
    ("name", "x86_64", "aarch64"),
    [
        ("keyctl", 250, 219),
        ("socket", 41, 198),
        ("ptrace", 101, 117),
        ("memfd_create", 319, 279),
        ("io_uring_setup", 425, 425),
        ("clone3", 435, 435),
        ("a later kernel's", 600, 600),
    ],
)
def test_the_best_known_doors_are_shut(name, x86_64, aarch64):
    for processor, number in (("x86_64", x86_64), ("aarch64", aarch64)):
        assert answer(processor, number) == (ABSENT if number >= 424 else REFUSED), name


@pytest.mark.defect("C4", "C5")
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("mmap", (0, 4096, 3, 0x22), ALLOWED),  # private, anonymous
        ("mmap", (0, 4096, 1, 0x01), ALLOWED),  # a file's, shared
        ("mmap", (0, 4096, 3, 0x21), REFUSED),
        ("mmap", (0, 4096, 3, 0x8023), REFUSED),  # MAP_SHARED_VALIDATE, with pages at once
        ("clone", (0x3D0F00,), ALLOWED),  # a thread
        ("clone", (0x11,), ALLOWED),  # fork
        ("clone", (0x10000011,), REFUSED),  # with a new space of users
        ("rt_sigaction", (2, 4096), ALLOWED),
        ("rt_sigaction", (17, 0), ALLOWED),  # a question
        ("rt_sigaction", (17, 4096), REFUSED),
        ("rt_sigaction", (17, 2**32), REFUSED),  # of an address whose lower half is 0
        ("rt_sigaction", (2**32 + 17, 4096), REFUSED),  # the kernel reads the lower half
        ("socketpair", (1,), ALLOWED),
        ("socketpair", (30,), REFUSED),
        ("prctl", (15,), ALLOWED),
        ("prctl", (22,), REFUSED),
        ("ioctl", (0, 0x5401), ALLOWED),
        ("ioctl", (0, 0x5412), REFUSED),  # types into a terminal
    ],
)
def test_what_counts_are_the_arguments(name, arguments, expected):
    for processor in PROCESSORS:
        assert answer(processor, allowed_calls(processor)[name], *arguments) == expected


def test_calls_of_another_table_are_refused():
    assert answer("x86_64", 3, sent_by="aarch64") == REFUSED
    assert answer("x86_64", 0x40000000 | 1) == ABSENT  # x32
    with pytest.raises(MissingError, match="known of x86_64 and aarch64, not of sparc"):
        call_filter("sparc")
