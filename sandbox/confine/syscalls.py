"""System call numbers by name, for the machines on which a cell can be confined. Data.

x86_64: arch/x86/entry/syscalls/syscall_64.tbl (``asm/unistd_64.h``); aarch64: asm-generic/unistd.h.
``-`` is a call that the machine does not have: aarch64 was born without those that ``*at`` calls replaced.
The columns are compared with what the host's header and libseccomp say (tests/sandbox/confine); filters have
been run on x86_64 only.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

NEWEST: Final = 469
"""The last number that Linux 6.18 has. From 424 on (5.1) all machines number alike."""


class Machine(NamedTuple):
    """A kind of processor: its name in uname(2), AUDIT_ARCH_* (linux/audit.h), and its numbers by name."""

    name: str
    architecture: int
    numbers: Mapping[str, int]


def _column(index: int) -> dict[str, int]:
    rows = (line.split() for line in _TABLE.splitlines())
    return {row[0]: int(row[index]) for row in rows if row and row[index] != "-"}


def native() -> Machine:
    """Return the machine we run on. ``OSError`` (ENOSYS) names one whose numbers are not here."""
    name = os.uname().machine
    # A 32-bit process on a 64-bit kernel is another architecture to seccomp, with other numbers.
    if name not in MACHINES or sys.maxsize != 2**63 - 1 or sys.byteorder != "little":
        known = ", ".join(MACHINES)
        raise OSError(errno.ENOSYS, f"no system call filter for machine {name!r}: there is one for {known}")
    return MACHINES[name]


_TABLE = """
access 21 -
faccessat 269 48
faccessat2 439 439
open 2 -
openat 257 56
openat2 437 437
creat 85 -
close 3 57
close_range 436 436
read 0 63
write 1 64
readv 19 65
writev 20 66
pread64 17 67
pwrite64 18 68
preadv 295 69
pwritev 296 70
preadv2 327 286
pwritev2 328 287
lseek 8 62
stat 4 -
lstat 6 -
fstat 5 80
newfstatat 262 79
statx 332 291
statfs 137 43
fstatfs 138 44
readlink 89 -
readlinkat 267 78
getdents 78 -
getdents64 217 61
getcwd 79 17
chdir 80 49
fchdir 81 50
mkdir 83 -
mkdirat 258 34
rmdir 84 -
link 86 -
linkat 265 37
unlink 87 -
unlinkat 263 35
rename 82 -
renameat 264 38
renameat2 316 276
truncate 76 45
ftruncate 77 46
fallocate 285 47
fadvise64 221 223
fsync 74 82
fdatasync 75 83
sync_file_range 277 84
umask 95 166
dup 32 23
dup2 33 -
dup3 292 24
fcntl 72 25
ioctl 16 29
pipe 22 -
pipe2 293 59
select 23 -
pselect6 270 72
poll 7 -
ppoll 271 73
epoll_create 213 -
epoll_create1 291 20
epoll_ctl 233 21
epoll_wait 232 -
epoll_pwait 281 22
epoll_pwait2 441 441
eventfd 284 -
eventfd2 290 19
brk 12 214
mmap 9 222
mprotect 10 226
mremap 25 216
munmap 11 215
madvise 28 233
msync 26 227
clone 56 220
clone3 435 435
exit 60 93
exit_group 231 94
futex 202 98
futex_waitv 449 449
set_robust_list 273 99
get_robust_list 274 100
set_tid_address 218 96
rseq 334 293
restart_syscall 219 128
rt_sigaction 13 134
rt_sigprocmask 14 135
rt_sigreturn 15 139
rt_sigpending 127 136
rt_sigsuspend 130 133
rt_sigtimedwait 128 137
sigaltstack 131 132
pause 34 -
alarm 37 -
setitimer 38 103
getitimer 36 102
kill 62 129
tgkill 234 131
clock_gettime 228 113
clock_getres 229 114
clock_nanosleep 230 115
nanosleep 35 101
gettimeofday 96 169
time 201 -
times 100 153
getpid 39 172
getppid 110 173
gettid 186 178
getpgid 121 155
getpgrp 111 -
getsid 124 156
getuid 102 174
geteuid 107 175
getgid 104 176
getegid 108 177
getresuid 118 148
getresgid 120 150
getgroups 115 158
getpriority 140 141
getrlimit 97 163
prlimit64 302 261
getrusage 98 165
getcpu 309 168
getrandom 318 278
uname 63 160
sysinfo 99 179
sched_yield 24 124
sched_getaffinity 204 123
sched_setaffinity 203 122
sched_getscheduler 145 120
sched_setscheduler 144 119
sched_getparam 143 121
sched_get_priority_max 146 125
sched_get_priority_min 147 126
prctl 157 167
socket 41 198
connect 42 203
socketpair 53 199
sendto 44 206
sendmsg 46 211
sendmmsg 307 269
recvfrom 45 207
recvmsg 47 212
recvmmsg 299 243
getsockname 51 204
getpeername 52 205
getsockopt 55 209
shutdown 48 210
wait4 61 260
pidfd_send_signal 424 424
seccomp 317 277
ptrace 101 117
process_vm_readv 310 270
process_vm_writev 311 271
pidfd_getfd 438 438
kcmp 312 272
mount 165 40
umount2 166 39
pivot_root 155 41
fsopen 430 430
fsconfig 431 431
fsmount 432 432
fspick 433 433
move_mount 429 429
open_tree 428 428
mount_setattr 442 442
unshare 272 97
setns 308 268
bpf 321 280
perf_event_open 298 241
userfaultfd 323 282
io_uring_setup 425 425
io_uring_enter 426 426
io_uring_register 427 427
add_key 248 217
request_key 249 218
keyctl 250 219
kexec_load 246 104
kexec_file_load 320 294
init_module 175 105
finit_module 313 273
delete_module 176 106
reboot 169 142
swapon 167 224
swapoff 168 225
acct 163 89
quotactl 179 60
iopl 172 -
ioperm 173 -
clock_settime 227 112
settimeofday 164 170
adjtimex 159 171
clock_adjtime 305 266
"""

MACHINES: Final = {
    "x86_64": Machine("x86_64", 0xC000003E, _column(1)),
    "aarch64": Machine("aarch64", 0xC00000B7, _column(2)),
}
