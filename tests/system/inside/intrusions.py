# SPDX-License-Identifier: Apache-2.0
"""Ways around: kernel interfaces, files and processes that an agent might try.

Each returns something when it worked and raises when it was refused, so that the
same call, made outside of the jail, is the positive control.
"""
import array
import ctypes
import errno
import fcntl
import os
import signal
import socket
import stat
import struct
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

NUMBERS = {     # x86_64
    "ptrace": 101, "add_key": 248, "keyctl": 250, "request_key": 249, "perf_event_open": 298,
    "process_vm_readv": 310, "kexec_load": 246, "bpf": 321, "userfaultfd": 323,
    "io_uring_setup": 425, "pidfd_open": 434, "pidfd_getfd": 438, "mount": 165, "umount2": 166,
    "pivot_root": 155, "move_mount": 429, "open_tree": 428,
}
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWPID = (
    0x20000, 0x10000000, 0x40000000, 0x20000000)


def check(result):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def syscall(name, *args):
    """A system call by name; strings become buffers."""
    ready = [ctypes.c_char_p(a.encode()) if isinstance(a, str) else ctypes.c_long(a)
             for a in args]
    return check(libc.syscall(ctypes.c_long(NUMBERS[name]), *ready))


def io_uring():
    params = ctypes.create_string_buffer(120)
    return check(libc.syscall(ctypes.c_long(425), ctypes.c_long(4), params))


def socket_of(family, kind, proto=0):
    """Can such a socket be made?  Names of the socket module, or numbers."""
    number = [getattr(socket, x) if isinstance(x, str) else x for x in (family, kind, proto)]
    with socket.socket(*number):
        return True


def socketpair_of(family, kind):
    a, b = socket.socketpair(getattr(socket, family), getattr(socket, kind))
    a.close()
    b.close()
    return True


def netlink_other(proto):
    """Open a netlink family and make it answer something."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, proto) as s:
        s.bind((0, 0))
        return True


def ping(host):
    """ICMP echo through a ping socket."""
    v6 = ":" in host
    proto = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
    with socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM, proto) as s:
        s.settimeout(1)
        s.connect((host, 0))
        s.send(struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, 1, 1) + b"ping")
        return len(s.recv(1500))


def bind_to_device(host, port, device, send):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
        s.settimeout(3)
        s.connect((host, port))
        s.sendall(send.encode())
        return s.recv(999).decode("latin-1")


def source_route(host, port, send):
    with socket.socket() as s:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS,
                     b"\x83\x07\x04" + socket.inet_aton(host) + b"\0")
        s.settimeout(3)
        s.connect((host, port))
        s.sendall(send.encode())
        return s.recv(999).decode("latin-1")


def fast_open(host, port, send):
    with socket.socket() as s:
        s.sendto(send.encode(), 0x20000000, (host, port))      # MSG_FASTOPEN
        s.settimeout(3)
        return s.recv(999).decode("latin-1")


def mptcp(host, port, send):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as s:
        s.settimeout(3)
        s.connect((host, port))
        s.sendall(send.encode())
        return s.recv(999).decode("latin-1")


def new_user_namespace():
    """A user namespace in which we are root, as bwrap makes it."""
    uid, gid = os.getuid(), os.getgid()
    check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as f:
            f.write(text)
    return os.getuid()


def as_nested_root(*argv):
    """Run a program as the root of a nested user namespace; its exit status and output."""
    import subprocess
    new_user_namespace()
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=10)
    return {"code": done.returncode, "out": done.stdout}


def nested_then(name, *args):
    """Any other intrusion, tried as the root of a nested user namespace."""
    new_user_namespace()
    import moves
    return (globals().get(name) or getattr(moves, name))(*args)


def nested_network(host, port):
    """A network namespace of our own: does anything lead out of it?"""
    new_user_namespace()
    check(libc.unshare(CLONE_NEWNET))
    with socket.create_connection((host, port), 3):
        return True


def join_namespace(path, kind):
    with open(path) as f:
        check(libc.setns(f.fileno(), kind))
    return True


def trace(pid):
    check(libc.syscall(ctypes.c_long(101), ctypes.c_long(16), ctypes.c_long(pid), 0, 0))
    os.waitpid(pid, 0)
    check(libc.syscall(ctypes.c_long(101), ctypes.c_long(17), ctypes.c_long(pid), 0, 0))
    return True


def processes():
    """Command lines of the processes that can be seen."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/cmdline") as f:
                    found[name] = f.read().replace("\0", " ").strip()
            except OSError:
                pass
    return found


def seccomp_modes():
    """Of the processes that can be seen; 2: filtered."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/status") as f:
                found[name] = dict(line.split(":\t") for line in f)["Seccomp"].strip()
        except OSError:
            pass        # ended meanwhile
    return found


def kill_everything():
    """SIGKILL to all that may be signalled, but for ourselves and our parent."""
    spared = {os.getpid(), os.getppid(), os.getpgrp(), 1}
    killed = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in spared:
            try:
                os.kill(int(name), signal.SIGKILL)
                killed.append(name)
            except OSError:
                pass
    return killed


def read_file(path):
    with open(path, "rb") as f:
        return f.read(100).decode("latin-1")


def tty_push(byte, request=0x5412):
    """TIOCSTI, or with the high bits set, to the controlling terminal."""
    terminal = os.open("/dev/tty", os.O_RDWR)
    if request > 0xFFFFFFFF:
        check(libc.syscall(ctypes.c_long(16), ctypes.c_long(terminal), ctypes.c_long(request),
                           ctypes.c_char_p(byte.encode())))
    else:
        fcntl.ioctl(terminal, request, byte.encode())
    return True


def foreign_abi():
    """A system call through int 0x80, where the numbers mean something else: getpid."""
    code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"      # mov eax, 20; int 0x80; ret
    import mmap
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    entry = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(entry)()
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def x32_getpid():
    return check(libc.syscall(ctypes.c_long(0x40000000 + 39)))


# Unix sockets

def unix_connect(path, send, kind="SOCK_STREAM"):
    name = b"\0" + path[1:].encode() if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, getattr(socket, kind)) as s:
        s.settimeout(2)
        s.connect(name)
        s.send(send.encode())
        return s.recv(999).decode("latin-1") if kind != "SOCK_DGRAM" else "sent"


def unix_sendto(path, send):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        return s.sendto(send.encode(), path)


def unix_pair_sendto(path, send, kind="SOCK_DGRAM"):
    a, b = socket.socketpair(socket.AF_UNIX, getattr(socket, kind))
    with a, b:
        return a.sendto(send.encode(), path)


def unix_pair_stolen(path, send):
    """A stream pair, where the descriptor is swapped under connect by another thread."""
    import threading
    stop = time.monotonic() + 1
    with socket.socket(socket.AF_UNIX) as decoy, socket.socket(socket.AF_UNIX) as real:
        number = os.dup(decoy.fileno())

        def swap():
            while time.monotonic() < stop:
                os.dup2(real.fileno(), number)
                os.dup2(decoy.fileno(), number)
        thread = threading.Thread(target=swap)
        thread.start()
        worked = False
        address = struct.pack("H", socket.AF_UNIX) + path.encode() + b"\0"
        while time.monotonic() < stop and not worked:
            worked = libc.connect(number, address, len(address)) == 0
        thread.join()
        if not worked:
            raise OSError(errno.EACCES, "never connected")
        for s in (decoy, real):
            try:
                s.send(send.encode())
            except OSError:
                pass
        return True


def unix_own(path, connect=None):
    """A stream server of our own on path, reached (perhaps by another name)."""
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.settimeout(3)
        client.connect(connect or path)
        peer, _ = server.accept()
        peer.send(b"own")
        return client.recv(9).decode()


def unix_own_abstract(name):
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(b"\0" + name.encode())
        server.listen()
        client.settimeout(3)
        client.connect(b"\0" + name.encode())
        peer, _ = server.accept()
        peer.send(b"own")
        return client.recv(9).decode()


def receive_descriptor(path):
    """Connect to a host socket and take the descriptor that it hands out."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(2)
        s.connect(path)
        data, fds, _, _ = socket.recv_fds(s, 99, 4)
        return len(fds)


def plant_socket(path):
    """A listening socket left on a path for the host to see; what we are."""
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen()
    return stat.S_ISSOCK(os.stat(path).st_mode)


# Files that decide, files that sluice writes

def write_file(path, text="evil\n"):
    with open(path, "a") as f:
        f.write(text)
    return True


def write_through_mmap(path):
    import mmap
    with open(path, "r+b") as f:
        with mmap.mmap(f.fileno(), 1) as m:
            m[0] = ord("#")
    return True


def make_file(path, text="version: 1\n"):
    with open(path, "x") as f:
        f.write(text)
    return True


def remove(path):
    os.unlink(path)
    return True


def rename(old, new):
    os.rename(old, new)
    return True


def exchange_names(old, new):
    """renameat2 with RENAME_EXCHANGE"""
    check(libc.syscall(ctypes.c_long(316), ctypes.c_long(-100), ctypes.c_char_p(old.encode()),
                       ctypes.c_long(-100), ctypes.c_char_p(new.encode()), ctypes.c_long(2)))
    return True


def remove_folder(path):
    os.rmdir(path)
    return True


def hard_link(old, new):
    """A second name, and a write through it."""
    os.link(old, new)
    with open(new, "a") as f:
        f.write("evil\n")
    return True


def soft_link(old, new):
    os.symlink(old, new)
    with open(new, "a") as f:
        f.write("evil\n")
    return True


def truncate(path):
    os.truncate(path, 0)
    return True


def chmod(path, mode):
    os.chmod(path, mode)
    return True


def write_via_root(pid, path):
    """The same file through another process's view of the tree."""
    return write_file(f"/proc/{pid}/root{path}")


def bind_elsewhere(path, place, recursive=False):
    """In a namespace of our own: bind the folder elsewhere and write there."""
    new_user_namespace()
    flags = 4096 | (16384 if recursive else 0)
    check(libc.mount(path.encode(), place.encode(), None, ctypes.c_ulong(flags), None))
    return sorted(os.listdir(place))


def unmount(path):
    new_user_namespace()
    check(libc.umount2(path.encode(), 2))
    return True


def remount_writable(path):
    new_user_namespace()
    check(libc.mount(None, path.encode(), None, ctypes.c_ulong(32 | 4096), None))
    return write_file(path)


def open_by_handle(path):
    """name_to_handle_at, open_by_handle_at: another way to a file."""
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    check(libc.name_to_handle_at(-100, path.encode(), handle, ctypes.byref(mount), 0))
    root = os.open("/", os.O_RDONLY)
    return check(libc.open_by_handle_at(root, handle, os.O_RDWR))


def list_folder(path):
    return sorted(os.listdir(path))


def exists(path):
    return os.path.lexists(path)


def pass_descriptor():
    """Pass a descriptor to ourselves: SCM_RIGHTS works inside the jail."""
    a, b = socket.socketpair()
    with a, b, open("/dev/null") as f:
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [f.fileno()]))])
        _, fds, _, _ = socket.recv_fds(b, 9, 1)
        return len(fds)
