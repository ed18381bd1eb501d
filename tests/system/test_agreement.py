# SPDX-License-Identifier: Apache-2.0
"""`check` and the data path agree: generated policies and requests, through live jails.

For each policy one `check --batch` judges every request, and one jailed client
makes them all (inside/chorus.py).  The log is the data path's word: dns.query,
conn.open and http.  A client comes to the policy three times, with a name, with
a connection, with a request; what is refused first is never seen further.  So
`check` is asked all three, and the first denial of

	dns:NAME        HOST:PORT        the target itself

must be the verdict and the reason in the log; if there is none, "allow" and its
reason.  Beside that: what was denied is not on the wire, what was allowed is,
and denied names are not asked upstream.

Known differences, each narrow and checked as such:
- Both are told --no-inspect, since the client says a ClientHello and no more: what is
  inside of TLS is test_inspect.py's.
- HOST:PORT does not say what the client says; if it is allowed one of raw bytes,
  TLS and HTTP must pass, unless it depends on the request.
- No target says a wrong SNI or Host: that is refused for it or for what check says.

The seed is fixed, so that a run tells of a change and not of luck; SLUICE_SEED and
SLUICE_PAIRS make another run.  The seed is in every failure.
"""
import json
import os
import pathlib
import random
import re
import ssl
import time

import pytest

import internet
import pairs
import sluice
import stage
from stage import HOME, ZONE

SEED = int(os.environ.get("SLUICE_SEED") or 3330190824)
PAIRS = int(os.environ.get("SLUICE_PAIRS") or 10000)
PER_POLICY = 170
SHARES = 10                     # the first is core
FOLD = 40                       # denials of one reason in a round; the log folds beyond 50 a second
SYSTEM = pathlib.Path("/etc/sluice")
CATEGORIES = HOME / ".config" / "sluice" / "categories.d"
FIELDS = ["target", "verdict", "reason", "rule", "layer", "message", "fixable_by", "suggest"]
DEPENDS = {"method", "path", "credential", "inspection"}
# Of HOST:PORT: judged after what was said, or by it
LATER = {"special_address", "deny_rule", "ip_list", "inspection_required"}
NAME_REASONS = {"sni_missing", "sni_mismatch", "host_mismatch"}


@pytest.fixture(scope="module")
def category(world):
    CATEGORIES.mkdir(parents=True, exist_ok=True)
    file = CATEGORIES / f"{pairs.CATEGORY}.yaml"
    file.write_text(f"category: {pairs.CATEGORY}\ndomains: [deep.{ZONE}]\nhosts: [other.{ZONE}]\n")
    stage.give(HOME / ".config")
    yield file
    file.unlink()


@pytest.fixture
def system(world):
    """Write the system's policy; it is gone after the test."""
    assert not SYSTEM.exists()

    def write(text):
        SYSTEM.mkdir(exist_ok=True)
        (SYSTEM / "policy.yaml").write_text(text)

    def clear():
        (SYSTEM / "policy.yaml").unlink(missing_ok=True)
        if SYSTEM.exists():
            SYSTEM.rmdir()
    write.clear = clear
    yield write
    clear()


# ---- check's word ----

def contract(found, target):
    """The fields of the contract, in its order, and values that go together."""
    assert list(found) == FIELDS + (["depends"] if "depends" in found else []), found
    assert found["target"] == target and isinstance(found["message"], str) and found["message"]
    assert found["verdict"] in ("allow", "deny"), found
    denied = found["verdict"] == "deny"
    assert found["reason"].startswith("allowed") is not denied, found
    assert (found["rule"] is None) is (found["layer"] is None), found
    assert found["layer"] in (None, "system", "user", "project", "policy", "flag"), found
    assert found["fixable_by"] in (("user", "admin", "nobody") if denied else (None,)), found
    assert found["suggest"] is None or (denied and isinstance(found["suggest"], str)), found
    assert set(found.get("depends", [])) <= DEPENDS and not (denied and "depends" in found), found


def check(path, targets, resolve):
    done = sluice.call("check", "-p", path, "--no-inspect",
                       *(["--resolve"] if resolve else []), "--batch", "-",
                       stdin="".join(t + "\n" for t in targets))
    assert done.err == "", done.err
    found = [json.loads(line) for line in done.out.splitlines()]
    assert len(found) == len(targets), done.err
    for answer, target in zip(found, targets):
        contract(answer, target)
    assert done.code == int(any(f["verdict"] == "deny" for f in found))
    return dict(zip(targets, found))


# ---- what the client does ----

hellos = {}


def hello(name):
    """A ClientHello that asks for name, in hex."""
    if name not in hellos:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        out = ssl.MemoryBIO()
        try:
            context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
        except ssl.SSLWantReadError:
            pass
        hellos[name] = out.read().hex()
    return hellos[name]


def http_head(r, token, method, path):
    host = r.authority if not r.said else r.said
    port = "" if r.port == 80 else f":{r.port}"
    field = "" if r.said == "-" else f"Host: {host}{port}\r\n"
    length = "Content-Length: 0\r\n" if method in ("POST", "PUT", "PATCH") else ""
    return (f"{method} {path}?{token} HTTP/1.1\r\n{field}{length}Connection: close\r\n\r\n"
            .encode("latin-1").hex())


def say(r, shape, token):
    """The client's first bytes, in hex."""
    if shape == "tls":
        return hello(None if r.said == "-" or not r.named else r.said or r.host)
    if shape == "http":
        return http_head(r, token, r.method, r.path)
    return f"{token}\r\n\r\n".encode().hex()


class Play:
    """One policy, its requests, one jail."""

    def __init__(self, number, place, more=""):
        self.random = random.Random(f"{SEED}-{number}")
        self.pairs = pairs.Pairs(self.random)
        self.number, self.place = number, place
        self.resolve = self.random.random() < 0.5
        self.policy = self.pairs.policy()
        self.system = self.pairs.system(self.policy) if self.random.random() < 0.25 else None
        if not self.resolve:    # then check knows no addresses
            self.drop_address_rules()
        self.pairs.look(self.policy, self.system or {})
        self.path = place / f"policy-{number}.yaml"
        self.path.write_text(json.dumps(self.policy, indent=1))
        (place / "some.hosts").write_text(f"0.0.0.0 git.{ZONE}\nmail.{ZONE}\n")
        (place / "some.netset").write_text(f"{internet.SECOND4}\n2d00:9::41\n21.9.0.10/32\n")
        stage.give(place)
        self.actions, self.shape = [], {}

    def drop_address_rules(self):
        for text in (self.policy, self.system or {}):
            text["deny"] = [r for r in text.get("deny", []) if not {"ip", "ip_list"} & set(r)]

    def wanted(self, r):
        """What check cannot know is not asked: addresses, unless it resolves; what does not exist."""
        if not r.named:
            return True
        label = r.host.removesuffix(f".{ZONE}")
        if label in pairs.ABSENT:
            return not self.resolve
        return self.resolve or label not in [*pairs.SPECIAL, "mixed"]

    def choose(self):
        self.requests = []
        while len(self.requests) < PER_POLICY:
            r = self.pairs.request()
            if self.wanted(r):
                self.requests.append(r)
        targets = {t: None for r in self.requests for t in self.steps(r)}
        self.word = check(self.path, list(targets), self.resolve)
        self.requests = [r for r in self.requests if self.reached(r)]

    def reached(self, r):
        """What fails upstream is not for check: no address, or nobody there."""
        if r.kind == "dns" or (r.named and self.word[f"dns:{r.host}"]["verdict"] == "deny"):
            return True
        if r.host.removesuffix(f".{ZONE}") in pairs.ABSENT:
            return False
        return r.answered or self.word[r.conn_target]["verdict"] == "deny"

    @staticmethod
    def steps(r):
        """What a client asks on its way to r."""
        if r.kind == "dns":
            return [r.target]
        return [*([f"dns:{r.host}"] if r.named else []), r.conn_target, r.target]

    def first(self, r):
        """check's first denial on the way to r, or its word for r."""
        for step in self.steps(r):
            if self.word[step]["verdict"] == "deny":
                return self.word[step]
        return self.word[r.target]

    def shapes_of(self, r):
        if r.kind != "conn" or r.udp:
            return [{"conn": "raw"}.get(r.kind, r.kind)]
        if self.first(r)["verdict"] == "deny" and self.first(r)["reason"] not in LATER:
            return [self.random.choice(["raw", "tls", "http"])]
        return ["raw", "tls", "http"]

    def plan(self):
        """Every request as actions: first each name once, then all else."""
        names = sorted({r.host for r in self.requests if r.named and r.kind != "dns"})
        self.lookups = {name: self.act(dns=name, type=1, key=f"dns {name} A") for name in names}
        opening, self.actions = self.actions, []
        self.tokens, self.of = {}, []
        for n, r in enumerate(self.requests):
            if r.kind == "dns":
                self.of.append([self.act(dns=r.host, type=pairs.TYPES[r.qtype], key=str(r.key))])
                continue
            if r.named and self.word[f"dns:{r.host}"]["verdict"] == "deny":
                self.of.append([])
                continue
            row = []
            for shape in self.shapes_of(r):
                token = f"t{self.number:04x}{n:04x}{len(row)}z"
                row.append(self.act(host=r.host, named=r.named, port=r.port, udp=r.udp,
                                    say=say(r, shape, token), key=str(r.key)))
                self.tokens[row[-1]] = shape != "tls" and token
                self.shape[row[-1]] = "udp" if r.udp else shape
            self.of.append(row)
        return [opening, *self.rounds()]

    def act(self, **action):
        self.count = getattr(self, "count", -1) + 1
        self.actions.append({"n": self.count, **action})
        return self.count

    def rounds(self):
        """No more denials of one reason at once than the log tells one by one."""
        rounds, used, at = [[]], {}, {a["n"]: a for a in self.actions}
        for r, row in zip(self.requests, self.of):
            first = self.first(r)
            cost, reason = len(row) * (2 if r.kind == "http" else 1), first["reason"]
            if first["verdict"] == "allow":     # some of the shapes, or the wrong names
                cost, reason = 2 * bool(len(row) > 1 or r.said or "depends" in first), "allow"
            if used.get(reason, 0) + cost > FOLD:
                rounds.append([])
                used = {}
            used[reason] = used.get(reason, 0) + cost
            rounds[-1] += [at[n] for n in row]
        return rounds

    # ---- the data path's word ----

    def run(self, world):
        plan = self.place / "plan.json"
        plan.write_text(json.dumps({"rounds": self.plan()}))
        stage.give(self.place)
        self.mark, self.asked = world.wire.mark(), len(world.dns.queries)
        command = [sluice.PYTHON, "-B", str(stage.INSIDE / "chorus.py"), str(plan)]
        done = sluice.run("-p", self.path, "--no-inspect", command=command, limit=120)
        assert done.code == 0, done.err
        self.done = {int(n): end for n, end in json.loads(done.out).items()}
        self.carried = set(re.findall(rb"t[0-9a-f]{8}[0-2]z", b"\n".join(
            world.wire.since(self.mark))))
        self.upstream = {q.name.lower() for q in world.dns.queries[self.asked:]}
        self.events = done.events
        assert not [e for e in self.events if e["event"] == "denials"], "too many at once"
        self.sort_events()

    def sort_events(self):
        """Events by key, in order; the http events of each connection."""
        self.heard, self.http, self.killed = {}, {}, {}
        for e in self.events:
            if e["event"] == "dns.query":
                key = ("dns", e["name"], e["type"])
            elif e["event"] == "conn.open":
                key = ("conn", e["host"], e["port"], e["proto"] == "udp")
            elif e["event"] == "http":
                self.http.setdefault(e["conn"], []).append(e)
                continue
            elif e["event"] == "conn.close" and e["end"] == "killed":
                self.killed[e["conn"]] = {"verdict": "deny", "reason": e["reason"]}
                continue
            else:
                continue
            self.heard.setdefault(str(key), []).append(e)

    def events_of(self):
        """For each action the event that judged it."""
        found, order = {}, [(n, f"('dns', '{name}', 'A')") for name, n in self.lookups.items()]
        for r, row in zip(self.requests, self.of):
            order += [(n, str(r.key)) for n in row]
        for n, key in order:
            queue = self.heard.get(key, [])
            e = queue.pop(0) if queue else {"verdict": None, "reason": "no event"}
            more = self.http.get(e.get("conn"), [self.killed.get(e.get("conn"), e)])
            assert len(more) == 1, f"{self.where()}: {more}"
            found[n] = more[0]
        left = {k: v for k, v in self.heard.items() if v}
        assert not left, f"{self.where()}: events of nobody: {left}"
        return found

    def where(self):
        return f"SLUICE_SEED={SEED} policy {self.number} ({self.path})"


# ---- the comparison ----

def said(answer):
    return answer["verdict"], answer["reason"]


def expected(play, r):
    """The (verdict, reason)s of the log that agree with check."""
    first, own = play.first(r), play.word[r.target]
    agreed = {said(own)}
    if first["verdict"] == "deny" and first is not own:
        if first["reason"] not in LATER:
            return {said(first)}
        agreed.add(said(first))
    if r.said:
        agreed |= {("deny", reason) for reason in NAME_REASONS}
        if play.system:         # it may name a protocol, and then it looks
            agreed.add(("deny", "ceiling"))
        if r.said == "-":       # HTTP/1.1 without a Host
            agreed.add(("deny", "malformed"))
    return agreed


def differs(play, r, row, found):
    """What does not agree, or None."""
    own = play.word[r.target]
    if any(play.word[s]["verdict"] == "deny" for s in play.steps(r)) and own["verdict"] != "deny":
        return f"check allows {r.target} but not the way to it"
    if not row:
        event = found[play.lookups[r.host]]
        return said(event) != said(play.first(r)) and f"log: {said(event)}"
    heard = [said(found[n]) for n in row]
    if r.kind == "conn" and own["verdict"] == "allow" and not r.udp:
        # a list that holds for the request leaves the rules that name the host, which may be over
        least = {"method", "path", "inspection_required", "malformed", "deny_rule", "ceiling",
                 "category", "host_list", "expired", "port"}
        fits = said(own) in heard
        if own.get("depends"):
            fits |= bool({x for _, x in heard} & least) or {x for x, _ in heard} == {"allow"}
    elif r.kind == "conn" and len(row) > 1:
        fits = said(play.first(r)) in heard and {x for x, _ in heard} == {"deny"}
    else:
        fits = set(heard) <= expected(play, r)
    return not fits and f"log: {heard}"


def arrival(play, r, row, found):
    """What was denied is not on the wire; what was allowed and is served is."""
    for n in row:
        token = play.tokens.get(n)
        if not token:
            continue
        allowed, there = found[n]["verdict"] == "allow", token.encode() in play.carried
        if there and not allowed:
            return f"denied ({found[n]['reason']}), and {token} is on the wire"
        label = r.host.removesuffix(f".{ZONE}")
        served = label in pairs.RECORDED and r.port in pairs.SERVED[play.shape[n]]
        if allowed and served and not there:
            return f"allowed, and {token} is not on the wire: {play.done[n]}"
    return None


def compare(play):
    found = play.events_of()
    wrong = []
    for r, row in zip(play.requests, play.of):
        trouble = differs(play, r, row, found) or arrival(play, r, row, found)
        if trouble:
            wrong.append(f"{r.target} said={r.said!r} check: "
                         f"{[said(play.word[s]) for s in play.steps(r)]} {trouble}")
    for name, n in play.lookups.items():
        if said(play.word[f"dns:{name}"])[0] == "deny" and not play.resolve:
            if name in play.upstream and name != f"rec.{ZONE}":     # where alias leads
                wrong.append(f"dns:{name} is denied and was asked upstream")
    if wrong:
        wrong.insert(0, f"{play.where()}\n{json.dumps(play.policy)}\nsystem: {play.system}")
    return wrong


def tally(play, totals):
    for r in play.requests:
        word = said(play.first(r))
        totals[word] = totals.get(word, 0) + 1


@pytest.mark.parametrize("share", [pytest.param(n, marks=pytest.mark.core if n == 0 else [])
                                   for n in range(SHARES)])
def test_check_and_the_data_path_agree(world, place, system, category, share):
    wanted = -(-PAIRS // SHARES)
    count, number, wrong, totals, start = 0, share, [], {}, time.monotonic()
    while count < wanted:
        play = Play(number, place)
        system.clear()
        if play.system:
            system(json.dumps(play.system))
        play.choose()
        play.run(world)
        wrong += compare(play)
        tally(play, totals)
        count += len(play.requests)
        number += SHARES
    print(f"SLUICE_SEED={SEED} share {share}: {count} pairs, {time.monotonic() - start:.1f} s, "
          f"{sorted(totals.items(), key=lambda x: -x[1])}")
    assert not wrong, "\n".join(wrong)
    # the generator reaches both sides, and many reasons
    allowed = sum(times for (verdict, _), times in totals.items() if verdict == "allow")
    assert allowed > count // 50 and len(totals) >= 8, totals
