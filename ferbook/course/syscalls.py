"""The system calls that a student's code may make, as a filter for the kernel (seccomp, mode 2): a list of
what is allowed. Keyrings, sockets of every family, io_uring, namespaces, other processes' memory and what a
later kernel brings are refused because they do not stand in it.
"""

import base64
import platform
import re
import struct

from ferbook.errors import MissingError

_ALLOWED = """
files: read 0/63, write 1/64, open 2/-, close 3/57, stat 4/-, fstat 5/80, lstat 6/-, lseek 8/62,
pread64 17/67, pwrite64 18/68, readv 19/65, writev 20/66, preadv 295/69, pwritev 296/70, access 21/-,
openat 257/56, newfstatat 262/79, statx 332/291, faccessat 269/48, faccessat2 439/439, readlink 89/-,
readlinkat 267/78, getcwd 79/17, chdir 80/49, fchdir 81/50, mkdir 83/-, mkdirat 258/34, rmdir 84/-,
unlink 87/-, unlinkat 263/35, rename 82/-, renameat 264/38, renameat2 316/276, link 86/-, linkat 265/37,
symlink 88/-, symlinkat 266/36, chmod 90/-, fchmod 91/52, fchmodat 268/53, fchmodat2 452/452, chown 92/-,
fchown 93/55, lchown 94/-, fchownat 260/54, truncate 76/45, ftruncate 77/46, fallocate 285/47,
getdents 78/-, getdents64 217/61, umask 95/166, utimensat 280/88, utime 132/-, utimes 235/-,
futimesat 261/-, statfs 137/43, fstatfs 138/44, fsync 74/82, fdatasync 75/83, fcntl 72/25,
ioctl 16/29, dup 32/23, dup2 33/-, dup3 292/24, pipe 22/-, pipe2 293/59, sendfile 40/71,
copy_file_range 326/285, close_range 436/436, fadvise64 221/223, getxattr 191/8, lgetxattr 192/9,
fgetxattr 193/10, listxattr 194/11, llistxattr 195/12, flistxattr 196/13
waiting: select 23/-, pselect6 270/72, poll 7/-, ppoll 271/73, epoll_create 213/-, epoll_create1 291/20,
epoll_ctl 233/21, epoll_wait 232/-, epoll_pwait 281/22, eventfd 284/-, eventfd2 290/19,
timerfd_create 283/85, timerfd_settime 286/86, timerfd_gettime 287/87
memory: mmap 9/222, munmap 11/215, mremap 25/216, mprotect 10/226, madvise 28/233, brk 12/214,
membarrier 324/283, get_mempolicy 239/236
threads: futex 202/98, set_robust_list 273/99, get_robust_list 274/100, rseq 334/293, arch_prctl 158/-,
set_tid_address 218/96, gettid 186/178, tgkill 234/131, sched_yield 24/124, sched_getaffinity 204/123,
sched_setaffinity 203/122, sched_getparam 143/121, sched_getscheduler 145/120,
sched_get_priority_max 146/125, sched_get_priority_min 147/126, getcpu 309/168
processes: fork 57/-, vfork 58/-, clone 56/220, execve 59/221, exit 60/93, exit_group 231/94,
wait4 61/260, waitid 247/95, kill 62/129, tkill 200/130, getpid 39/172, getppid 110/173, getpgid 121/155,
getpgrp 111/-, setpgid 109/154, setsid 112/157, getsid 124/156, pidfd_open 434/434,
pidfd_send_signal 424/424, prctl 157/167, getpriority 140/141, setpriority 141/140
who: getuid 102/174, geteuid 107/175, getgid 104/176, getegid 108/177, getresuid 118/148,
getresgid 120/150, getgroups 115/158, capget 125/90, getrlimit 97/163, setrlimit 160/164,
prlimit64 302/261, getrusage 98/165, times 100/153, sysinfo 99/179, uname 63/160, getrandom 318/278
signals: rt_sigaction 13/134, rt_sigprocmask 14/135, rt_sigpending 127/136, rt_sigsuspend 130/133,
rt_sigreturn 15/139, rt_sigtimedwait 128/137, sigaltstack 131/132, pause 34/-,
getitimer 36/102, restart_syscall 219/128
time: clock_gettime 228/113, clock_getres 229/114, clock_nanosleep 230/115, nanosleep 35/101,
gettimeofday 96/169, time 201/-
sockets: socketpair 53/199, sendto 44/206, recvfrom 45/207, sendmsg 46/211, recvmsg 47/212,
shutdown 48/210, getsockname 51/204, getpeername 52/205, getsockopt 55/209
"""
"""By family each call's name and its numbers on x86_64 and aarch64 (the kernel's tables of system calls)."""
_PROCESSORS = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Which of the two numbers counts, and the processor's own (include/uapi/linux/audit.h)."""
_YOUNG = 424
"""From this number on, calls have one number on all processors. What is not allowed of them is not there, the
kernel says: libraries then take an older call.
"""
_ALL, _CHILD_ENDED = 2**32 - 1, 17
_NAMESPACES = 0x7E020000
"""The flags of ``clone`` that make new ones."""
_LIMITED: dict[str, list[tuple[int, int, int, bool | None, bool | None]]] = {
    # No memory that is shared and nobody's file: once given back it is no process's, and still there.
    "mmap": [(6, 0x21, 0x21, False, True)],
    "clone": [(0, _NAMESPACES, 0, True, False)],
    # Who ignores that children end hides the seconds that they took.
    "rt_sigaction": [
        (0, _ALL, _CHILD_ENDED, None, True),
        (2, _ALL, 0, None, False),
        (3, _ALL, 0, True, False),
    ],
    "socketpair": [(0, _ALL, 1, True, False)],
    "prctl": [(0, _ALL, option, True, None) for option in (1, 2, 3, 4, 15, 16, 21)],
    "fcntl": [(2, _ALL, asked, True, None) for asked in (0, 1, 2, 3, 4, 1030)],
    "ioctl": [(2, _ALL, asked, True, None) for asked in (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)],
}
"""Calls that are allowed with some arguments only, as tests one after the other: which half of an argument,
counted from 0, has under a mask which value, and what follows where it has, and where not: True, the call is
allowed; False, refused; None, the next test, after the last refused. ``prctl`` may name a thread, ``ioctl``
ask what a terminal is, ``socketpair`` join two of the own processes, ``fcntl`` copy a descriptor and set its
flags: a lock of a file is seen by whoever else is shown that file, another submission too.
"""
_LOAD, _AND, _EQUAL, _LEAST, _ABOVE, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x25, 0x06
_ALLOW, _REFUSE, _ABSENT = ((_RETURN, 0, 0, k) for k in (0x7FFF0000, 0x00050001, 0x00050026))


def allowed_calls(processor: str) -> dict[str, int]:
    """The number of each call that is allowed on a processor, by name."""
    place = _PROCESSORS[processor][0]
    calls = re.findall(r"(\w+) ([-\d]+)/([-\d]+)", _ALLOWED)
    return {name: int(numbers[place]) for name, *numbers in calls if numbers[place] != "-"}


def call_filter(processor: str = "") -> str:
    """The filter's steps for a processor, this one where none is named: as the kernel takes them (``struct
    sock_filter``, include/uapi/linux/filter.h), in base 64. Raises MissingError for an unknown processor.
    """
    processor = processor or platform.machine()
    if processor not in _PROCESSORS:
        raise MissingError(f"system calls are known of {' and '.join(_PROCESSORS)}, not of {processor}")
    calls = allowed_calls(processor)
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _PROCESSORS[processor][1]), _REFUSE, (_LOAD, 0, 0, 0)]
    for name, tests in _LIMITED.items():
        steps += [(_EQUAL, 0, 3 * len(tests) + 2, calls.pop(name)), *_tested(tests)]
    numbers = sorted(calls.values())
    for first in (n for n in numbers if n - 1 not in numbers):
        last = next(n for n in range(first, first + len(numbers)) if n + 1 not in numbers)
        steps += [(_LEAST, 0, 2, first), (_ABOVE, 1, 0, last), _ALLOW]
    steps += [(_LEAST, 0, 1, _YOUNG), _ABSENT, _REFUSE]
    return base64.b64encode(b"".join(struct.pack("HBBI", *step) for step in steps)).decode()


def _tested(tests: list[tuple[int, int, int, bool | None, bool | None]]) -> list[tuple[int, int, int, int]]:
    """The steps of tests; both ends follow them, to which they jump over the ``rest``."""
    steps = []
    for rest, (half, mask, value, *ways) in zip(range(len(tests) - 1, -1, -1), tests, strict=True):
        jumps = [0 if rest and way is None else 3 * rest + (not way) for way in ways]
        steps += [(_LOAD, 0, 0, 16 + 4 * half), (_AND, 0, 0, mask), (_EQUAL, *jumps, value)]
    return [*steps, _ALLOW, _REFUSE]
