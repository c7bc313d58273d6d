"""What hostile acts need again and again. In the folder of the strategy: acts import it as ``kit``."""

import ctypes
import errno
import gc
import os

WARDEN = 3
"""The one descriptor of a strategy that leads to anybody."""
LARGEST = 128 * 1024

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def syscall(number, *arguments):
    """Make a system call by its number; ``OSError`` as the kernel has it."""
    ctypes.set_errno(0)
    words = [a if isinstance(a, bytes | ctypes.Array) or a is None else ctypes.c_long(a) for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def mmap(size, protection, flags, descriptor=-1):
    """Map memory; return its address."""
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    at = libc.mmap(None, size, protection, flags, descriptor, 0)
    if at == 2**64 - 1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return at


def name_of(error):
    return errno.errorcode.get(error.errno, str(error.errno))


def all_denied(**calls):
    """Return ``denied ...`` if every call fails, else ``ESCAPED`` and what did not."""
    denied, done = [], []
    for name, call in calls.items():
        try:
            done.append(f"{name}={call()!r}"[:120])
        except OSError as error:
            denied.append(f"{name}:{name_of(error)}")
        except Exception as error:
            denied.append(f"{name}:{type(error).__name__}")
    said = " ".join(denied)
    return f"ESCAPED {' '.join(done)} / {said}" if done else f"denied {said}"


def outcome_of(attack):
    """Return what came of ``attack`` in a line, and what it returned. ``SystemExit`` passes."""
    try:
        result = attack()
    except SystemExit:
        raise
    except OSError as error:
        known = error.errno in errno.errorcode
        return (f"denied:{name_of(error)}" if known else f"raised:{type(error).__name__} {error}"), None
    except BaseException as error:
        return f"raised:{type(error).__name__} {error}", None
    shown = repr(result) if isinstance(result, str) else f"'{type(result).__name__}'"
    return f"returned:{shown}", result


class Descriptor:
    """What the descriptor to the warden has in common with a 0MQ socket: it sends bytes."""

    def send(self, data, flags=0, copy=True, track=False):
        """Write ``data`` as it is; what the kernel takes in no datagram, in the largest that it takes."""
        try:
            os.write(WARDEN, data)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            view = memoryview(data)
            for at in range(0, len(view), LARGEST):
                os.write(WARDEN, view[at : at + LARGEST])

    def send_multipart(self, parts, flags=0, copy=True, track=False):
        for part in parts:
            self.send(part)

    def recv(self, flags=0, copy=True, track=False):
        return os.read(WARDEN, LARGEST)

    def fileno(self):
        return WARDEN


class _Descriptors(dict):
    """Sockets by whatever name an act knows them: all are the one descriptor that there is."""

    def __missing__(self, name):
        return Descriptor()


IO = _Descriptors({name: Descriptor() for name in ("push", "ctl", "sub")})


def memory(window=64 << 20):
    """Yield what can be read around the break, the stack and every object: no /proc/self/maps is needed.

    write(2) tells whether an address can be read: it fails with EFAULT instead of ending the process.
    """
    reading, writing = os.pipe2(os.O_NONBLOCK)
    libc.sbrk.restype = ctypes.c_void_p
    libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    top = libc.sbrk(0)
    stack = ctypes.addressof(ctypes.c_void_p.in_dll(libc, "environ"))
    on_stack = ctypes.c_void_p.from_address(stack).value
    starts = {at & ~0xFFFFF for at in map(id, gc.get_objects())}
    starts |= set(range((top - window) & ~0xFFFFF, top, 1 << 20)) | {on_stack & ~0xFFFFF}
    for start in sorted(starts):
        found = []
        for page in range(start, start + (1 << 20), 4096):
            found.append(os.read(reading, 4096) if libc.write(writing, page, 4096) == 4096 else b"\0")
        yield b"".join(found)
