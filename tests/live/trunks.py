"""Trunks with SIPp as carrier and as PBX: what each side is really sent."""
from pathlib import Path
import re
import subprocess
import time

from bench import CARRIER, PBX, REALM, Bench, account
from freeswitch import free_port, free_range

SIPP = Path(__file__).parent / "sipp"
DID = "+12125550100"
FAR = "+13125550188"
# The bench's configuration ends with its table [routing].
ROUTING = 'carrier_profile = "trunk"\n'
# SIPp ends at once unless it can bind the port that it is given and the second next.
MEDIA_PORTS = 4


class Sipp:
    """One SIPp. `template` is a file of sipp/; words in it are replaced."""

    def __init__(self, bench, template, ip, port=0, target=None, number=None, calls=1, **words):
        self.folder = Path(bench.folder.name) / f"sipp-{template}-{time.monotonic_ns()}"
        self.folder.mkdir()
        self.port = port or free_port(ip)
        text = (SIPP / f"{template}.xml").read_text()
        for word, value in words.items():
            text = text.replace(word, str(value))
        scenario = self.folder / "scenario.xml"
        scenario.write_text(text)
        self.messages = self.folder / "messages.log"
        command = ["sipp", "-sf", str(scenario), "-i", ip, "-p", str(self.port), "-mi", ip, "-trace_msg",
                   "-message_file", str(self.messages), "-nostdin", "-mp", str(free_range(ip, MEDIA_PORTS)),
                   "-timeout", "60s", "-recv_timeout", "50000"]
        if target:
            command += ["-s", number, "-m", str(calls), "-l", str(calls), "-r", "200", f"{target[0]}:{target[1]}"]
        self.output = open(self.folder / "output", "w")
        self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output, start_new_session=True)
        bench.helpers.append(self)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.output.close()

    def wait(self, timeout=45):
        self.process.wait(timeout)
        return self

    def log(self):
        return self.messages.read_text(errors="replace") if self.messages.is_file() else ""

    def statuses(self):
        """Final answers to INVITEs that this side was sent, each call once."""
        found = {}
        for message in re.split(r"-{20,}.*\n", self.log()):
            status = re.search(r"received.*?\n+SIP/2\.0 (\d+)", message, re.S)
            call = re.search(r"^Call-ID: (\S+)", message, re.M | re.I)
            if status and call and re.search(r"^CSeq: 1 INVITE|^CSeq: \d+ INVITE", message, re.M) and int(status[1]) >= 200:
                found[call[1]] = int(status[1])
        return list(found.values())

    def invited(self):
        """Request-URIs of the INVITEs that came, retransmissions left out."""
        found = {}
        for message in re.split(r"-{20,}.*\n", self.log()):
            uri = re.search(r"^INVITE (\S+) SIP", message, re.M)
            call = re.search(r"^Call-ID: (\S+)", message, re.M | re.I)
            if uri and call and "received" in message:
                found[call[1]] = uri[1]
        return list(found.values())


def server(name, port, options=None, did=None, ip=PBX):
    return {"name": name, "DIDs": did or {DID: {}}, "auth": {"auth_method": "ip", "ip": ip, "port": port},
            "options": options or {}}


def connectivity(*servers):
    return {"type": "connectivity", "account_id": "acme", "id": "pbx", "name": "pbx",
            "account": {"auth_realm": REALM}, "servers": list(servers)}


def carrier(name, port, weight=10):
    return {"type": "resource", "account_id": "installation", "id": name, "name": name, "weight_cost": weight,
            "rules": ["^(\\+1\\d{10})$"],
            "gateways": [{"server": CARRIER, "port": port, "invite_format": "e164", "progress_timeout": 3}]}


def trunks(*servers, carriers=(), more=()):
    known = list(carriers) or [carrier("c1", free_port(CARRIER))]
    return [account(), connectivity(*servers), *known, *more]


def bench_of(documents, park=False):
    return Bench(documents=documents, users=(), park=park, settings=ROUTING)


def call_in(bench, number=DID, calls=1, hold=300):
    return Sipp(bench, "calls", CARRIER, target=bench.node.external, number=number, calls=calls, HOLD=hold,
                CALLER="+13125550199")


def call_out(bench, number=FAR, calls=1, hold=300):
    return Sipp(bench, "calls", PBX, target=bench.node.external, number=number, calls=calls, HOLD=hold,
                CALLER="2125550100")


def answered(caller):
    statuses = caller.wait().statuses()
    assert statuses == [200], f"{statuses}\n{caller.log()[-3000:]}"


def refused(caller, status):
    statuses = caller.wait().statuses()
    assert statuses == [status], f"{statuses} instead of {status}\n{caller.log()[-3000:]}"


def trunk_formats():
    """A DID reaches its PBX in each format."""
    for form, user in (("npan", "2125550100"), ("1npan", "12125550100"), ("e164", "+12125550100"),
                       ("strip_plus", "12125550100"), ("username", "pbx-one")):
        port = free_port(PBX)
        customer = server("pbx1", port, {"inbound_format": form})
        customer["auth"]["auth_user"] = "pbx-one"
        with bench_of(trunks(customer)) as bench:
            pbx = Sipp(bench, "answers", PBX, port)
            answered(call_in(bench))
            invited = pbx.invited()
            assert len(invited) == 1 and invited[0].startswith(f"sip:{user}@{PBX}:{port}"), invited
            assert bench.node.wait_idle()


def trunk_inbound_refusals():
    """What the PBX says is what the carrier hears; the next server is tried only where the PBX did not speak."""
    for status, heard in ((486, 486), (404, 404), (503, 503)):
        port = free_port(PBX)
        with bench_of(trunks(server("pbx1", port))) as bench:
            Sipp(bench, "refuses", PBX, port, STATUS=status)
            refused(call_in(bench), heard)
            assert bench.node.wait_idle()


def trunk_unregistered():
    """No registration: 480 without failover."""
    pbx = {"name": "pbx1", "DIDs": {DID: {}}, "options": {},
           "auth": {"auth_method": "password", "auth_user": "pbx1", "auth_password": "secret-pbx1"}}
    with bench_of(trunks(pbx)) as bench:
        refused(call_in(bench), 480)


def trunk_timeout_to_failover():
    """A PBX that never answers, then a URI."""
    port, home = free_port(PBX), free_port(PBX)
    first = server("pbx1", port, {"progress_timeout": 2, "failover": {"sip": f"sip:home@{PBX}:{home}"}})
    with bench_of(trunks(first)) as bench:
        Sipp(bench, "silent", PBX, port)
        other = Sipp(bench, "answers", PBX, home)
        started = time.monotonic()
        answered(call_in(bench))
        assert time.monotonic() - started < 10
        assert other.invited() and other.invited()[0].startswith("sip:home@"), other.invited()


def trunk_early_media(park=False):
    """Early media and no answer: our own timer ends the leg, and the next server gets the call."""
    port, second = free_port(PBX), free_port(PBX)
    with bench_of(trunks(server("a", port, {"timeout": 2}), server("b", second)), park) as bench:
        early = Sipp(bench, "early", PBX, port)
        Sipp(bench, "answers", PBX, second)
        started = time.monotonic()
        answered(call_in(bench))
        assert 1.5 < time.monotonic() - started < 8
        assert "CANCEL sip:" in early.log(), early.log()[-2000:]
        assert bench.daemon.says("ALLOTTED_TIMEOUT"), "the log does not say why"
        assert bench.node.wait_idle()


def trunk_early_media_parked():
    trunk_early_media(park=True)


def trunk_carriers():
    """A carrier that answers 486, 503, 404, nothing: the next one takes the call; alone, its cause is the caller's."""
    for template, status, heard in (("refuses", 486, 486), ("refuses", 503, 503), ("refuses", 404, 404),
                                    ("silent", None, 480)):
        first, second = free_port(CARRIER), free_port(CARRIER)
        for good in (True, False):
            both = [carrier("c1", first, 10)] + ([carrier("c2", second, 20)] if good else [])
            with bench_of(trunks(server("pbx1", free_port(PBX)), carriers=both)) as bench:
                Sipp(bench, template, CARRIER, first, STATUS=status)
                if good:
                    taker = Sipp(bench, "answers", CARRIER, second)
                    answered(call_out(bench))
                    assert taker.invited()[0].startswith(f"sip:{FAR}@{CARRIER}:{second}"), taker.invited()
                else:
                    refused(call_out(bench), heard)
                assert bench.node.wait_idle()


def trunk_limit(park=False):
    """Fifty at once at a limit of ten: ten are answered, forty hear 486, and no unit is left afterwards."""
    port = free_port(PBX)
    limits = {"type": "limits", "account_id": "acme", "id": "limits", "twoway_trunks": 10}
    with bench_of(trunks(server("pbx1", port), more=[limits]), park) as bench:
        pbx = Sipp(bench, "answers", PBX, port)
        caller = call_in(bench, calls=50, hold=4000).wait()
        statuses = caller.statuses()
        assert statuses.count(200) == 10 and statuses.count(486) == 40, \
            {status: statuses.count(status) for status in set(statuses)}
        assert len(pbx.invited()) == 10, len(pbx.invited())
        assert bench.node.wait_idle()
        answered(call_in(bench))


def trunk_limit_parked():
    trunk_limit(park=True)


def trunk_killed():
    """kill -9 with thirty calls up: the next daemon counts them before it takes another."""
    port = free_port(PBX)
    limits = {"type": "limits", "account_id": "acme", "id": "limits", "twoway_trunks": 31}
    with bench_of(trunks(server("pbx1", port), more=[limits])) as bench:
        Sipp(bench, "answers", PBX, port)
        up = call_in(bench, calls=30, hold=25000)
        end = time.monotonic() + 10
        while up.statuses().count(200) < 30 and time.monotonic() < end:
            time.sleep(0.2)
        assert up.statuses().count(200) == 30, up.statuses()
        bench.daemon.kill()
        bench.daemon.start()
        statuses = call_in(bench, calls=3, hold=500).wait().statuses()
        assert sorted(statuses) == [200, 486, 486], statuses
        up.wait()
        assert bench.node.wait_idle()
        answered(call_in(bench))


SCENARIOS = [trunk_formats, trunk_inbound_refusals, trunk_unregistered, trunk_timeout_to_failover, trunk_early_media,
             trunk_early_media_parked, trunk_carriers, trunk_limit, trunk_limit_parked, trunk_killed]
