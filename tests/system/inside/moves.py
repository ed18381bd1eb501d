# SPDX-License-Identifier: Apache-2.0
"""What an agent does with a network: connect, send, ask, run programs."""
import errno
import os
import socket
import ssl
import struct
import subprocess
import time

kept = []       # what "stay" requests leave open
fetching = {}


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def text(data):
    return data.decode("latin-1")


def read_all(s, limit=1 << 20):
    data = b""
    while len(data) < limit:
        try:
            piece = s.recv(65536)
        except TimeoutError:
            return data, "timeout"
        except OSError as error:
            return data, errno.errorcode.get(error.errno, str(error.errno))
        if not piece:
            return data, "eof"
        data += piece
    return data, "more"


def exchange(s, send, wait):
    s.settimeout(wait)
    if send:
        s.sendall(send.encode("latin-1"))
    data, end = read_all(s)
    return {"data": text(data), "end": end}


def tcp(host, port, send="", wait=0.5, bind=None):
    """Connect, send, read until the end or until nothing came for wait seconds."""
    with socket.create_connection((host, port), 12, source_address=bind and tuple(bind)) as s:
        return exchange(s, send, wait)


def talk(host, port, send, size, wait=10):
    """Connect, send, and read as much, of a server that says no end."""
    with socket.create_connection((host, port), 12) as s:
        s.settimeout(wait)
        s.sendall(send.encode("latin-1"))
        data = b""
        while len(data) < size and (piece := s.recv(65536)):
            data += piece
        return text(data)


def tcp_first_bytes(host, port, count=1):
    """Seconds until the server's first bytes, when the client says nothing."""
    start = time.monotonic()
    with socket.create_connection((host, port), 12) as s:
        s.settimeout(12)
        data = s.recv(count)
        return {"seconds": time.monotonic() - start, "data": text(data)}


def tcp_in_pieces(host, port, pieces, pause=0.05, wait=1.0):
    with socket.create_connection((host, port), 12) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b""
        for piece in pieces:
            s.sendall(piece.encode("latin-1"))
            time.sleep(pause)
        s.settimeout(wait)
        data, end = read_all(s)
        return {"data": text(data), "end": end}


def half_close(host, port, send):
    with socket.create_connection((host, port), 12) as s:
        s.sendall(send.encode("latin-1"))
        s.shutdown(socket.SHUT_WR)
        return exchange(s, "", 10)


def requests(host, port, heads, wait=5):
    """One kept-alive connection, one request after the other; the answers."""
    answers = []
    with socket.create_connection((host, port), 12) as s:
        s.settimeout(wait)
        for head in heads:
            try:
                s.sendall(head.encode("latin-1"))
                answers.append(one_answer(s))
            except OSError as error:
                answers.append(f"error {errno.errorcode.get(error.errno, 'timeout')}")
    return answers


def send_and_reset(host, port, pieces):
    """Send, one piece after the answer to the one before, and reset the connection at once."""
    with socket.create_connection((host, port), 12) as s:
        s.settimeout(5)
        for count, piece in enumerate(pieces):
            if count:
                one_answer(s)
            s.sendall(piece.encode("latin-1"))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return True


def upload(host, port, size, head=""):
    """Send as much; how it ended."""
    sent, block = 0, b"u" * 65536
    with socket.create_connection((host, port), 12) as s:
        s.settimeout(10)
        try:
            s.sendall(head.encode())
            while sent < size:
                sent += s.send(block[:size - sent])
            s.shutdown(socket.SHUT_WR)
        except OSError as error:
            return {"sent": sent, "end": errno.errorcode.get(error.errno, "timeout"), "data": ""}
        data, end = read_all(s)
        return {"sent": sent, "end": end, "data": text(data)}


def download(host, port, size):
    """Ask for as much; how much came, and how it ended."""
    with socket.create_connection((host, port), 12) as s:
        s.settimeout(10)
        try:
            s.sendall(b"%d\n" % size)
        except OSError as error:
            return {"count": 0, "end": errno.errorcode.get(error.errno, "timeout")}
        count = 0
        try:
            while piece := s.recv(1 << 20):
                count += len(piece)
        except OSError as error:
            return {"count": count, "end": errno.errorcode.get(error.errno, "timeout")}
        return {"count": count, "end": "eof"}


def datagrams(host, port, size, count, wait=1.0):
    """Send datagrams, one after the answer to the one before; how many were answered, and the end."""
    answered = 0
    with socket.socket(family_of(host), socket.SOCK_DGRAM) as s:
        s.settimeout(wait)
        s.connect((host, port))
        for _ in range(count):
            try:
                s.send(b"d" * size)
                answered += len(s.recv(65536)) == size
            except OSError as error:
                return {"answered": answered, "end": errno.errorcode.get(error.errno, "timeout")}
    return {"answered": answered, "end": "all"}


def bulk(host, way, seconds, streams, small=None):
    """Transfers for some seconds, and meanwhile small requests: bytes of each stream, the slowest."""
    import threading
    counts, slow, over = [0] * streams, [], threading.Event()

    def transfer(i):
        with socket.create_connection((host, 9003 if way == "down" else 9002), 12) as s:
            s.settimeout(2)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if way == "down":
                s.sendall(b"1000000000\n")
            while not over.is_set():
                try:
                    counts[i] += len(s.recv(65536)) if way == "down" else s.send(b"u" * 16384)
                except TimeoutError:
                    pass

    def ask():
        while not over.wait(0.15):
            start = time.monotonic()
            with socket.create_connection((host, 80), 12) as s:
                s.settimeout(10)
                s.sendall(small.encode())
                assert s.recv(65536).startswith(b"HTTP/1.1 200")
            slow.append(time.monotonic() - start)

    threads = [threading.Thread(target=transfer, args=(i,)) for i in range(streams)]
    threads += [threading.Thread(target=ask)] if small else []
    for thread in threads:
        thread.start()
    start = time.monotonic()
    time.sleep(seconds)
    passed, got = time.monotonic() - start, list(counts)
    over.set()
    for thread in threads:
        thread.join()
    return {"seconds": passed, "counts": got, "slow": sorted(slow)}


def one_answer(s):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = s.recv(65536)
        if not piece:
            return "eof" if not data else text(data)
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    size = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            size = int(line.split(b":")[1])
    while len(body) < size:
        piece = s.recv(65536)
        if not piece:
            break
        body += piece
    return text(head + b"\r\n\r\n" + body)


def udp(host, port, send, wait=0.7, connected=True, times=1):
    """Send a datagram; the answer, None, or the error that the kernel told."""
    with socket.socket(family_of(host), socket.SOCK_DGRAM) as s:
        s.settimeout(wait)
        if connected:
            s.connect((host, port))
        for _ in range(times):
            if connected:
                s.send(send.encode("latin-1"))
            else:
                s.sendto(send.encode("latin-1"), (host, port))
        try:
            return text(s.recv(65536))
        except TimeoutError:
            return None


def dns(server, message, tcp=False, port=53, wait=8):
    """Send a DNS message given in hex; the answer in hex, or None."""
    data = bytes.fromhex(message)
    if tcp:
        with socket.create_connection((server, port), 5) as s:
            s.settimeout(wait)
            s.sendall(struct.pack("!H", len(data)) + data)
            got = b""
            while len(got) < 2 or len(got) < 2 + struct.unpack_from("!H", got)[0]:
                piece = s.recv(65536)
                if not piece:
                    return None
                got += piece
            return got[2:].hex()
    with socket.socket(family_of(server), socket.SOCK_DGRAM) as s:
        s.settimeout(wait)
        s.connect((server, port))
        s.send(data)
        try:
            return s.recv(65536).hex()
        except TimeoutError:
            return None


def dns_flood(server, pattern, count, window=64):
    """count queries for distinct names, at most window on their way."""
    s = socket.socket(family_of(server), socket.SOCK_DGRAM)
    s.connect((server, 53))
    s.settimeout(2)
    answered = 0
    sent = 0
    while answered < count:
        while sent < count and sent - answered < window:
            labels = pattern.replace("#", str(sent)).split(".")
            name = b"".join(bytes([len(x)]) + x.encode() for x in labels) + b"\0"
            s.send(struct.pack("!6H", sent & 0xFFFF, 0x0100, 1, 0, 0, 0) + name + b"\0\1\0\1")
            sent += 1
        try:
            s.recv(4096)
        except TimeoutError:
            break
        answered += 1
    return answered


def resolve(name, family="unspec"):
    families = {"unspec": 0, "inet": socket.AF_INET, "inet6": socket.AF_INET6}
    found = socket.getaddrinfo(name, None, families[family], socket.SOCK_STREAM)
    return sorted({entry[4][0] for entry in found})


def reverse(address):
    return socket.gethostbyaddr(address)[0]


def client_hello(sni, alpn=None):
    """The bytes of a real ClientHello."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    out = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=sni)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def tls_hello(host, port, sni, pieces=1, pause=0.0, wait=1.5):
    """Send a ClientHello, perhaps in many segments; what comes back, in hex."""
    hello = client_hello(sni)
    size = -(-len(hello) // pieces)
    with socket.create_connection((host, port), 12) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(hello), size):
            try:
                s.sendall(hello[at:at + size])
            except OSError as error:
                return {"data": "", "end": errno.errorcode[error.errno]}
            time.sleep(pause)
        s.settimeout(wait)
        data, end = read_all(s)
        return {"data": data.hex(), "end": end}


def tls_records(host, port, sni, size=20, wait=1.5):
    """A ClientHello fragmented over many TLS records."""
    hello = client_hello(sni)
    kind, version, body = hello[:1], hello[1:3], hello[5:]
    data = b"".join(kind + version + struct.pack("!H", len(body[at:at + size]))
                    + body[at:at + size] for at in range(0, len(body), size))
    with socket.create_connection((host, port), 12) as s:
        s.sendall(data)
        s.settimeout(wait)
        got, end = read_all(s)
        return {"data": got.hex(), "end": end}


def https(host, port, sni, request, wait=1.5):
    """A TLS session whose SNI may differ from the host that was connected to."""
    context = ssl.create_default_context()
    context.check_hostname = False
    with socket.create_connection((host, port), 12) as s:
        with context.wrap_socket(s, server_hostname=sni) as t:
            t.settimeout(wait)
            t.sendall(request.encode("latin-1"))
            return text(read_all(t)[0])


def hold(host, port, count, send=""):
    """Open connections and keep them (with "stay"); how many stand."""
    for _ in range(count):
        s = socket.create_connection((host, port), 12)
        if send:
            s.sendall(send.encode("latin-1"))
        kept.append(s)
    return len(kept)


def hold_until_refused(host, port, most):
    """Open connections until one is refused (with "stay"); how many stood."""
    for count in range(most):
        try:
            s = socket.create_connection((host, port), 12)
            s.settimeout(5)
            s.sendall(b"x")
            if not s.recv(1):
                return count
        except OSError:
            return count
        kept.append(s)
    return most


def release():
    while kept:
        kept.pop().close()
    return True


def alive():
    """How many of the held connections still echo."""
    count = 0
    for s in kept:
        try:
            s.settimeout(2)
            s.sendall(b"?")
            count += s.recv(1) == b"?"
        except OSError:
            pass
    return count


def fetch_many(host, port, head, count):
    """count connections, one request each; the slowest in seconds."""
    slowest = 0
    for _ in range(count):
        start = time.monotonic()
        with socket.create_connection((host, port), 12) as s:
            s.settimeout(10)
            s.sendall(head.encode())
            if not s.recv(65536).startswith(b"HTTP/1.1 200"):
                return None
        slowest = max(slowest, time.monotonic() - start)
    return slowest


def open_http(host, port=80):
    """A connection for next_http (both with "stay")."""
    kept.append(socket.create_connection((host, port), 12))
    kept[-1].settimeout(5)
    fetching["host"] = host
    return True


def next_http(path):
    """One more request on it; the answer."""
    kept[-1].sendall(f"GET {path} HTTP/1.1\r\nHost: {fetching['host']}\r\n\r\n".encode())
    return one_answer(kept[-1])


def fetch_on(host, head, port=80):
    """Fetch again and again from a thread (with "stay"), until fetch_end()."""
    import threading

    def work():
        while not fetching["over"]:
            try:
                if fetch_many(host, port, head, 1) is None:
                    raise OSError("no answer")
                fetching["well"] += 1
            except OSError as error:
                fetching["failed"].append(str(error))
            time.sleep(0.002)
    fetching.update(over=False, well=0, failed=[])
    fetching["thread"] = threading.Thread(target=work, daemon=True)
    fetching["thread"].start()
    return True


def fetch_end():
    """How many went well, and what the others said."""
    fetching["over"] = True
    fetching["thread"].join(20)
    return fetching["well"], fetching["failed"][:5]


def local_server(listen, reach):
    """A server of the agent's own on listen, asked at the address reach."""
    with socket.socket(family_of(listen)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((listen, 0))
        server.listen()
        with socket.create_connection((reach, server.getsockname()[1]), 3) as client:
            peer, _ = server.accept()
            peer.sendall(b"local")
            peer.close()
            return text(client.recv(99))


def serve(port, word, listen="127.0.0.1"):
    """A server (with "stay") that says a word to who connects, from a thread."""
    import threading
    server = socket.socket(family_of(listen))
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((listen, port))
    server.listen(64)
    kept.append(server)

    def loop():
        while True:
            peer, _ = server.accept()
            peer.sendall(word.encode())
            peer.close()
    threading.Thread(target=loop, daemon=True).start()
    return server.getsockname()[1]


def command(*argv, stdin="", limit=30, env=None):
    done = subprocess.run(argv, input=stdin, text=True, timeout=limit, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **(env or {})})
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


running_programs = []


def popen(*argv):
    """Start a program and let it run (with "stay"); its number, for running()."""
    running_programs.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL))
    return len(running_programs) - 1


def running(number):
    """Its exit code, or None while it runs."""
    return running_programs[number].poll()


def environment():
    return dict(os.environ)


def descriptors():
    """What each open descriptor is, but for the directory that is being listed."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            pass
    return found


def whoami():
    return {"pid": os.getpid(), "uid": os.getuid(), "gid": os.getgid(), "cwd": os.getcwd()}
