"""What carriers may answer, and what becomes of the call then; `scenarios.py` runs them."""
import threading
import time

from bench import CARRIER, PBX, Bench
from freeswitch import free_port
from office import Office
from sip_call import Step, answer, early_media, redirect, reject, ring, silent
from sip_phone import Phone
from trunks import DID, ROUTING, connectivity, server, trunks

USER, SECRET = "linefinder", "carrier-secret"
FATAL, DEFINITIVE = "definitive", ("486", "183 then 486", "603")


class TrunkCalls(Bench):
    """With the REST API and figures, and phones that stand for carriers and PBXs."""

    def __init__(self, documents, settings="", park=False, tables=""):
        super().__init__(documents=documents, users=(), park=park)
        self.office = Office(self.folder.name)
        self.settings = ROUTING + settings + tables + self.office.settings

    def at(self, ip, port=0, policy=None, **options):
        """A phone at the address that has no name of its own."""
        phone = Phone((ip, port), user="2125550100", domain="trunk.test", server=self.node.external, policy=policy, **options)
        self.phones.append(phone)
        return phone

    def idle(self):
        """No channel and no unit is left."""
        assert self.node.wait_idle(), f"channels are left\n{self.node.api('show channels')}"
        assert self.daemon.wait(lambda: self.office.units() == 0, 10, "the units", strict=False), \
            f"{self.office.units()} units are left"


def resource(name, port, rule, weight=10, owner="installation", **gateway):
    return {"type": "resource", "account_id": owner, "id": name, "name": name, "weight_cost": weight, "rules": [rule],
            "gateways": [{"server": CARRIER, "port": port, "invite_format": "e164", "progress_timeout": 2, **gateway}]}


def seen(call):
    return [response.status for response in call.responses]


# What a carrier does, and what the caller hears if there is no other.
ANSWERS = [
    ("486", reject(486), 486), ("503", reject(503), 503), ("404", reject(404), 404), ("500", reject(500), 503),
    ("603", reject(603), 603), ("403", reject(403), 603), ("480", reject(480), 408), ("nothing", silent(), 480),
    ("302", redirect("sip:+12125550999@127.0.0.66"), 503), ("183 then 486", [Step(status=183), Step(0.5, 486)], 486),
    ("180 then 503", [Step(status=180), Step(0.5, 503)], 503), ("401 and 403", answer(0), 480),
    ("407 and 403", answer(0), 480), ("407 without credentials", answer(0), 480),
]
# How often each call is challenged.
CHALLENGES = {"401 and 403": 2, "407 and 403": 2, "407 without credentials": 1}


def _answers(policy, park=False):
    """Numbers of area 3xx may go to another carrier, those of 4xx may not."""
    ports = [free_port(CARRIER) for _ in ANSWERS]
    good = free_port(CARRIER)
    wrong = {"username": USER, "password": "not-this-one"}
    carriers = [resource("good", good, r"^(\+13\d{9})$", 20)]
    for place, (name, _, _) in enumerate(ANSWERS):
        credentials = wrong if CHALLENGES.get(name) == 2 else {}
        carriers.append(resource(f"c{place}", ports[place], rf"^(\+1[34]{place + 20}\d{{7}})$", **credentials))
    documents = trunks(server("pbx1", free_port(PBX)), carriers=carriers)
    with TrunkCalls(documents, f'hunt_policy = "{policy}"\n', park) as bench:
        pbx, taker = bench.at(PBX), bench.at(CARRIER, good, answer(0))
        far = []
        for (name, reaction, _), port in zip(ANSWERS, ports):
            challenged = {"carrier": {USER: SECRET}, "challenge_status": int(name[:3])} if name in CHALLENGES else {}
            far.append(bench.at(CARRIER, port, reaction, **challenged))
        calls = [(pbx.call(f"+13{place + 20}5550{place + 100}"), pbx.call(f"+14{place + 20}5550{place + 100}"))
                 for place in range(len(ANSWERS))]
        wrongly = []
        for place, ((name, _, alone), (both, single)) in enumerate(zip(ANSWERS, calls)):
            assert both.wait_until(lambda: both.state in ("up", "ended"), 30), f"{name}: never ended"
            assert single.wait_ended(30), f"{name}, alone: never ended"
            stops = policy == FATAL and name in DEFINITIVE
            if (both.status, single.status) != (alone if stops else 200, alone):
                wrongly.append(f"{name}: {seen(both)}, alone {seen(single)}")
            tried = len(far[place].calls)
            asked = far[place].challenged
            if (tried, asked) != ((0, 2 * CHALLENGES[name]) if name in CHALLENGES else (2, 0)):
                wrongly.append(f"{name}: tried {tried} times, challenged {asked} times")
        assert not wrongly, "\n".join(wrongly)
        stopped = len(DEFINITIVE) if policy == FATAL else 0
        assert len(taker.calls) == len(ANSWERS) - stopped, len(taker.calls)
        assert all(call.invite.uri.startswith("sip:+13") for call in taker.calls)
        for both, _ in calls:
            both.bye()
        bench.idle()


def carrier_answers():
    _answers("kazoo")


def carrier_answers_parked():
    _answers("kazoo", park=True)


def carrier_answers_definitive():
    _answers(FATAL)


def carrier_challenges():
    """A carrier challenges our INVITE: 401 and 407, with the gateway's user and password."""
    for status in (401, 407):
        port = free_port(CARRIER)
        one = resource("c1", port, r"^(\+1\d{10})$", username=USER, password=SECRET)
        with TrunkCalls(trunks(server("pbx1", free_port(PBX)), carriers=[one])) as bench:
            pbx = bench.at(PBX)
            far = bench.at(CARRIER, port, answer(0), carrier={USER: SECRET}, challenge_status=status)
            with pbx.call("+13125550188") as call:
                assert call.wait_answered(), seen(call)
                assert far.challenged == 1, far.challenged
                call.bye()
            bench.idle()


def carrier_early_media_for_ever():
    """The guard ends what no timer of FreeSWITCH ends any more; nobody else is tried then."""
    first, second = free_port(CARRIER), free_port(CARRIER)
    both = [resource("c1", first, r"^(\+1\d{10})$"), resource("c2", second, r"^(\+1\d{10})$", 20)]
    with TrunkCalls(trunks(server("pbx1", free_port(PBX)), carriers=both), "routing_guard_s = 5\n") as bench:
        pbx, talks, other = bench.at(PBX), bench.at(CARRIER, first, ring(183)), bench.at(CARRIER, second, answer(0))
        started = time.monotonic()
        with pbx.call("+13125550188") as call:
            incoming = talks.wait_call()
            assert incoming and call.wait_until(lambda: 183 in seen(call)), seen(call)
            incoming.rtp.start_tone(440)
            assert call.rtp.wait_tone(440), "the caller does not hear the carrier's early media"
            assert call.wait_ended(15), "never ended"
            assert call.status == 503 and 4 < time.monotonic() - started < 9, seen(call)
            assert incoming.wait_ended() and not other.calls
        bench.idle()


def emergency_past_an_open_circuit():
    """The last gateway of an emergency call is tried whatever its circuit or the operator says, and whoever is busy."""
    first, second = free_port(CARRIER), free_port(CARRIER)
    anything = r"^(\+1\d{10}|911)$"
    both = [resource("c1", first, anything), resource("c2", second, anything, 20)]
    limits = {"type": "limits", "account_id": "acme", "id": "limits", "twoway_trunks": 0, "calls": 0}
    documents = trunks(server("pbx1", free_port(PBX)), carriers=both)
    with TrunkCalls(documents, 'hunt_policy = "definitive"\n', tables="[trunks]\ngateway_misses = 2\n") as bench:
        pbx, dead = bench.at(PBX), bench.at(CARRIER, first, reject(503))
        alive = bench.at(CARRIER, second, answer(0))
        for count in (1, 2, 2):             # The circuit is open after two: the third call goes elsewhere at once.
            with pbx.call("+13125550188") as call:
                assert call.wait_answered(), seen(call)
                assert len(dead.calls) == count, f"{len(dead.calls)} instead of {count}"
                call.bye()
        assert bench.daemon.says("it is left out", "c1")
        alive.policy = reject(486)
        with pbx.call("911") as call:
            assert call.wait_ended(), seen(call)
            assert call.status in (486, 503), seen(call)
            assert len(dead.calls) == 3, "the open circuit kept an emergency call from its last gateway"
        dead.policy = answer(0)
        with pbx.call("911") as call:
            assert call.wait_answered(), seen(call)
            assert len(dead.calls) == 4
            call.bye()
        bench.idle()
    forced = [resource("c1", first, anything)]
    with TrunkCalls(trunks(server("pbx1", free_port(PBX)), carriers=forced, more=[limits])) as bench:
        pbx, only = bench.at(PBX), bench.at(CARRIER, first, answer(0))
        shown = bench.office.ask("GET", "resources/c1/gateways")["data"]
        assert [row["in_use"] for row in shown] == [True], shown
        bench.office.ask("POST", "resources/c1/gateways?action=force", {"gateway": 0, "state": "open"})
        for number, expected in (("+13125550188", None), ("911", 200)):
            with pbx.call(number) as call:
                call.wait_until(lambda: call.state in ("up", "ended"))
                assert (call.status == 200) == (expected == 200), f"{number}: {seen(call)}"
                call.bye()
        assert len(only.calls) == 1
        bench.idle()


def _gives_up(bench, caller, number, place, stage, first, second):
    """The caller hangs up at that stage; whoever was called is told."""
    first.policy, second.policy = {
        "silent": (silent(), answer(0)), "rings": (ring(), answer(0)), "early media": (ring(183), answer(0)),
        "second rings": (reject(503), ring()), "second early": (reject(503), ring(183)), "up": (answer(0), answer(0)),
        "just answered": (answer(0.3), answer(0))}[stage]
    at = second if stage.startswith("second") else first
    taken = len(at.calls)
    call = caller.call(number)
    assert at.wait_until(lambda: len(at.calls) > taken), f"{place}, {stage}: not called, {seen(call)}"
    incoming = at.calls[-1]
    if stage in ("up", "just answered"):
        assert call.wait_answered(), f"{place}, {stage}: {seen(call)}"
        call.bye()
    else:
        if "early" in stage:
            assert call.wait_until(lambda: 183 in seen(call)), f"{place}, {stage}: {seen(call)}"
        assert call.cancel(), f"{place}, {stage}: {seen(call)}"
    assert incoming.wait_ended(), f"{place}, {stage}: whoever was called was not told"
    bench.idle()
    told = [c for c in second.calls if c.state != "ended"]
    assert not told, f"{place}, {stage}: somebody else rings now"


def _gives_up_everywhere(park):
    one, two, third, fourth = (free_port(ip) for ip in (PBX, PBX, CARRIER, CARRIER))
    carriers = [resource("c1", third, r"^(\+1\d{10})$", progress_timeout=20), resource("c2", fourth, r"^(\+1\d{10})$", 20)]
    limits = {"type": "limits", "account_id": "acme", "id": "limits", "twoway_trunks": 3}
    documents = trunks(server("a", one), server("b", two), carriers=carriers, more=[limits])
    with TrunkCalls(documents, park=park, tables="[trunks]\ngateway_misses = 100\n") as bench:
        pbx, carrier = bench.at(PBX), bench.at(CARRIER)
        hosts = bench.at(PBX, one), bench.at(PBX, two)
        fars = bench.at(CARRIER, third), bench.at(CARRIER, fourth)
        for stage in ("silent", "rings", "early media", "second rings", "second early", "just answered", "up"):
            _gives_up(bench, carrier, DID, "inbound", stage, *hosts)
            _gives_up(bench, pbx, "+13125550188", "outbound", stage, *fars)


def caller_gives_up_at_each_stage():
    _gives_up_everywhere(False)


def caller_gives_up_at_each_stage_parked():
    _gives_up_everywhere(True)


def _gone_before_it_is_decided(park):
    """Calls that are cancelled at once, many at a time: nothing and nobody is left."""
    one, two = free_port(PBX), free_port(CARRIER)
    documents = trunks(server("a", one), carriers=[resource("c1", two, r"^(\+1\d{10})$")],
                       more=[{"type": "limits", "account_id": "acme", "id": "limits", "twoway_trunks": 100}])
    with TrunkCalls(documents, park=park) as bench:
        pbx, carrier = bench.at(PBX, media=False), bench.at(CARRIER, media=False)
        host, far = bench.at(PBX, one, ring(), media=False), bench.at(CARRIER, two, early_media(60), media=False)
        calls = []
        for wait in range(20):
            for caller, number in ((carrier, DID), (pbx, "+13125550188")):
                call = caller.call(number)
                calls.append(call)
                threading.Timer(wait * 0.01, call.cancel).start()
        for call in calls:
            assert call.wait_ended(20), seen(call)
            assert call.status == 487, seen(call)
        for incoming in host.calls + far.calls:
            assert incoming.wait_ended(), "somebody still rings"
        bench.idle()


def caller_gives_up_at_once():
    _gone_before_it_is_decided(False)


def caller_gives_up_at_once_parked():
    _gone_before_it_is_decided(True)


SCENARIOS = [carrier_answers, carrier_answers_parked, carrier_answers_definitive, carrier_challenges,
             carrier_early_media_for_ever, emergency_past_an_open_circuit, caller_gives_up_at_each_stage,
             caller_gives_up_at_each_stage_parked, caller_gives_up_at_once, caller_gives_up_at_once_parked]
