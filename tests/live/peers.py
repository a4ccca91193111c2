"""PBXs, carriers and phones together: passwords, addresses, transfers, forwards; `scenarios.py` runs them."""
import time

from arrives import TwoNodes
from bench import CARRIER, PBX, REALM, account
from carriers import TrunkCalls, resource, seen
from directory import status
from forwarding import BOWOUT, callflow, forward, heard, phone
from freeswitch import free_port
from gateways import HOME, TrunkBench, pbx, wholesale
from sip_call import answer, reject, ring
from trunks import DID, FAR, connectivity, server, trunks

LIST = "127.0.0.14"             # an address that only documents name
LEAVES = {"module": "offnet", "data": {}, "children": {}}


class Phones(TrunkCalls):
    """A carrier that takes +1312..., phones, and their callflows."""

    def __init__(self, *documents, limits=2, policy=None, settings="", park=False):
        self.port, self.policy = free_port(CARRIER), policy or answer(0)
        most = {"type": "limits", "account_id": "acme", "id": "limits", "twoway_trunks": limits}
        users = tuple(d["sip"]["username"] for d in documents if d["type"] == "device")
        known = [account(), *documents, most, resource("c1", self.port, r"^(\+1312\d{7})$")]
        super().__init__(known, settings, park)
        self.users = users

    def __enter__(self):
        super().__enter__()
        self.far = self.at(CARRIER, self.port, self.policy)
        return self


def offnet_call_of_a_phone(park=False):
    """A phone's call to an outside number leaves over a carrier, for one unit, and is refused beyond the limit."""
    with Phones(*phone("1001", caller_id={"external": {"name": "Acme", "number": "+14155550100"}}),
                callflow("no_match", LEAVES), limits=1, park=park) as live:
        alice = live.phone("1001")
        with alice.call("13125550188") as call:
            assert call.wait_answered(), seen(call)
            incoming = live.far.wait_call()
            assert incoming.invite.uri.startswith(f"sip:+13125550188@{CARRIER}"), incoming.invite.uri
            assert "sip:+14155550100@" in incoming.invite.get("From"), incoming.invite.get("From")
            assert heard(call, incoming, 440) and heard(incoming, call, 880)
            assert live.office.units() == 1
            with alice.call("13125550177") as second:
                assert second.wait_ended() and second.status == 403, seen(second)
            incoming.bye()
            assert call.wait_ended()
        live.idle()
        for policy, heard_status in ((reject(486), 486), (reject(404), 404)):
            live.far.policy = policy
            with alice.call("13125550188") as call:
                assert call.wait_ended() and call.status == heard_status, seen(call)
        live.far.policy = ring(183)
        call = alice.call("13125550188")
        assert call.wait_until(lambda: 183 in seen(call)), seen(call)
        assert call.cancel() and live.far.calls[-1].wait_ended()
        live.idle()


def offnet_call_of_a_phone_parked():
    offnet_call_of_a_phone(park=True)


def forwarded_to_an_outside_number(park=False):
    """A device that forwards to a carrier's number: both talk on when the loopback pair has left, for one unit."""
    away = phone("1002", call_forward=forward("+13125550188", require_keypress=False))
    with Phones(*phone("1001"), *away, callflow("no_match", LEAVES), park=park) as live:
        alice = live.phone("1001")
        with alice.call("1002") as call:
            assert call.wait_answered(15), seen(call)
            incoming = live.far.wait_call()
            assert incoming and incoming.invite.uri.startswith("sip:+13125550188@"), incoming
            assert live.office.units() == 1, live.office.units()
            time.sleep(BOWOUT)
            assert call.state == "up" and incoming.state == "up", "cut when the loopback pair left"
            assert live.office.units() == 1, f"{live.office.units()} units after the loopback pair has left"
            assert heard(call, incoming, 440) and heard(incoming, call, 880)
            incoming.bye()
            assert call.wait_ended()
        live.idle()
        live.far.policy = reject(486)
        with alice.call("1002") as call:
            assert call.wait_ended(15) and call.status == 486, seen(call)
        live.idle()


def forwarded_to_an_outside_number_parked():
    forwarded_to_an_outside_number(park=True)


def attended_transfer_of_a_trunk_call():
    """A phone that talks to an outside caller asks a colleague and joins the two: REFER with Replaces."""
    did = callflow("+14155550100", {"module": "device", "data": {"id": "dev-1002"}, "children": {}})
    with Phones(*phone("1002"), *phone("1003"), did) as live:
        bob, carol, carrier = live.phone("1002", answer(0)), live.phone("1003", answer(0)), live.at(CARRIER)
        with carrier.call("+14155550100", from_user="+12125550188") as call:
            assert call.wait_answered(), seen(call)
            incoming = bob.wait_call()
            incoming.hold()
            question = bob.call("1003")
            assert question.wait_answered(), seen(question)
            asked = carol.wait_call()
            incoming.refer(question)
            assert heard(call, asked, 440) and heard(asked, call, 880), "the two do not hear each other"
            assert incoming.wait_ended() and question.wait_ended(), "who transferred is left on the line"
            asked.bye()
            assert call.wait_ended(), "the caller is left on the line"
        live.idle()


def caller_transfers_a_trunk_call():
    """A PBX calls out, and sends whom it called on to another number by REFER: a call of its own, then nothing is left."""
    first, second = free_port(CARRIER), free_port(CARRIER)
    both = [resource("c1", first, r"^(\+1312\d{7})$"), resource("c2", second, r"^(\+1415\d{7})$")]
    most = {"type": "limits", "account_id": "acme", "id": "limits", "twoway_trunks": 5}
    with TrunkCalls(trunks(server("pbx1", free_port(PBX)), carriers=both, more=[most])) as bench:
        customer = bench.at(PBX)
        far, onward = bench.at(CARRIER, first, answer(0)), bench.at(CARRIER, second, answer(0))
        with customer.call(FAR) as call:
            assert call.wait_answered(), seen(call)
            called = far.wait_call()
            call.refer("sip:+14155550188@trunk.test")
            reached = onward.wait_call(15)
            assert reached, "the call was not transferred"
            assert called.wait_until(lambda: called.state == "up" and reached.state == "up")
            assert heard(called, reached, 440) or heard(reached, called, 880), "the two do not hear each other"
            assert call.wait_ended(), "who transferred is left on the line"
            reached.bye()
            assert called.wait_ended(), "the other carrier is left on the line"
        bench.idle()


def delayed_server():
    """`delay` holds the INVITE back; a second server's delay counts from its own attempt."""
    first, second = free_port(PBX), free_port(PBX)
    servers = server("a", first, {"delay": 2, "progress_timeout": 2}), server("b", second, {"delay": 1})
    with TrunkCalls(trunks(*servers)) as bench:
        carrier, one, two = bench.at(CARRIER), bench.at(PBX, first, answer(0)), bench.at(PBX, second, answer(0))
        started = time.monotonic()
        with carrier.call(DID) as call:
            assert not one.wait_until(lambda: one.calls, 1.5), "the INVITE was not held back"
            assert call.wait_answered(), seen(call)
            assert 1.9 < time.monotonic() - started < 4.5
            call.bye()
        one.policy = reject(503)
        with carrier.call(DID) as call:
            started = time.monotonic()
            assert call.wait_answered(), seen(call)
            assert 2.9 < time.monotonic() - started < 6, "the second delay did not hold"
            assert len(two.calls) == 1
            call.bye()
        call = carrier.call(DID)
        assert call.wait_ringing()
        time.sleep(0.5)
        assert call.cancel(), "the caller can't give up while the leg is delayed"
        assert one.wait_until(lambda: all(c.state == "ended" for c in one.calls))
        bench.idle()


def pbx_challenges():
    """A registered PBX asks for a password on INVITE, too: FreeSWITCH gets it from the directory."""
    with TrunkBench([account(), connectivity(pbx()), resource("c1", 5060, r"^(\+1\d{10})$", server=LIST)]) as bench:
        at_home = bench.stranger("pbx1", "secret-pbx1", listen=(HOME, 0), policy=answer(0), realm=REALM,
                                 carrier={"pbx1": "secret-pbx1"})
        at_home.server = bench.node.external
        assert status(at_home.register()) == 200
        assert bench.daemon.says("regist", "pbx1")
        caller = bench.stranger("carrier", "", listen=(LIST, 0))
        caller.server = bench.node.external
        assert bench.daemon.wait(lambda: bench.node.api(f"acl {LIST} linefinder-trunks") == "true", 10, "it", strict=False)
        with caller.call(DID) as call:
            assert call.wait_answered(), seen(call)
            assert at_home.challenged == 1, at_home.challenged
            call.bye()
        assert bench.node.wait_idle()


def pbx_by_its_address():
    """A PBX without a password is let in by its address; the document's change lets another in, and that one out."""
    def at(ip):
        return {"name": "pbx1", "DIDs": {DID: {}}, "auth": {"auth_method": "ip", "ip": ip}, "options": {}}
    taker = resource("c1", 5060, r"^(\+1\d{10})$", server=LIST)
    with TrunkBench([account(), connectivity(at(PBX)), taker]) as bench:
        taken = bench.stranger("carrier", "", listen=(LIST, 5060), policy=answer(0))
        customer = {ip: bench.stranger("2125550100", "", listen=(ip, 0)) for ip in (PBX, HOME)}
        for one in customer.values():
            one.server = bench.node.external
        listed = lambda ip, word: bench.daemon.wait(
            lambda: bench.node.api(f"acl {ip} linefinder-trunks") == word, 15, "the list", strict=False)
        assert listed(PBX, "true") and listed(HOME, "false")
        with customer[HOME].call(FAR) as call:
            assert call.wait_ended() and call.status in (401, 403, 407), seen(call)
        with customer[PBX].call(FAR) as call:
            assert call.wait_answered(), seen(call)
            assert 407 not in seen(call) and taken.wait_call()
            call.bye()
        document = bench.ask("GET", "accounts/acme/connectivity/pbx")["data"]
        document["servers"][0]["auth"]["ip"] = HOME
        bench.ask("POST", "accounts/acme/connectivity/pbx", document)
        assert listed(HOME, "true") and listed(PBX, "false"), "the list does not follow the document"
        with customer[HOME].call(FAR) as call:
            assert call.wait_answered(), seen(call)
            call.bye()
        assert bench.node.wait_idle()


def gateway_with_a_wrong_password():
    """It can't register: calls go to the next carrier at once, and come back when its password is right."""
    taker = resource("c2", 5060, r"^(\+1\d{10})$", 20, server=LIST)
    with TrunkBench([account(), connectivity(pbx()), taker]) as bench:
        carrier = bench.registrar("right-secret")
        other = bench.stranger("carrier", "", listen=(LIST, 5060), policy=answer(0))
        made = bench.ask("PUT", "resources", wholesale(carrier, "wrong-secret"))["data"]
        bench.wait_gateways(lambda rows: [row[1] for row in rows.values()] in (["FAIL_WAIT"], ["FAILED"], ["UNREGED"],
                            ["TRYING"]), "a gateway that can't register")
        customer = bench.stranger("pbx1", "secret-pbx1", listen=(HOME, 0))
        customer.server = bench.node.external
        with customer.call(FAR) as call:
            assert call.wait_answered(), seen(call)
            assert other.wait_call() and not carrier.calls
            call.bye()
        bench.ask("PATCH", f"resources/{made['id']}", {"gateways": wholesale(carrier, "right-secret")["gateways"]})
        bench.wait_gateways(lambda rows: [row[1] for row in rows.values()] == ["REGED"], "a gateway that registered", 40)
        with customer.call(FAR) as call:
            assert call.wait_answered(), seen(call)
            assert carrier.wait_call(), "the right password did not bring it back"
            call.bye()
        assert bench.node.wait_idle()


def pbx_at_a_sister_node():
    """A call comes in at one node, and the PBX that it is for is registered at the other: its format, its refusal, and
    one unit for the whole of it."""
    most = {"type": "limits", "account_id": "acme", "id": "limits", "twoway_trunks": 1}
    documents = [account(), connectivity(pbx()), resource("c1", 5060, r"^(\+1\d{10})$"), most]
    with TwoNodes(documents=documents, users=("pbx1",)) as live:
        at_home = live.at(live.second, "pbx1", "127.0.0.52", answer(0))
        carrier = live.carrier()
        with carrier.call(DID, from_user="+13125550199") as call:
            assert call.wait_answered(), seen(call)
            incoming = at_home.wait_call()
            assert incoming, "the PBX at the other node did not ring"
            assert incoming.invite.uri.startswith(f"sip:{DID}@127.0.0.52"), incoming.invite.uri
            assert "+13125550199" in incoming.invite.get("From"), incoming.invite.get("From")
            assert "X-LF-" not in incoming.invite.text(), "private headers reached a PBX"
            assert heard(call, incoming, 440) and heard(incoming, call, 880)
            with carrier.call(DID) as second:
                assert second.wait_ended() and second.status == 486, seen(second)
            call.bye()
            assert incoming.wait_ended()
        assert live.node.wait_idle() and live.second.wait_idle(), "channels are left"
        for reaction, status_heard in ((reject(486), 486), (reject(404), 404)):
            at_home.policy = reaction
            with carrier.call(DID) as call:
                assert call.wait_ended() and call.status == status_heard, seen(call)
        assert live.node.wait_idle() and live.second.wait_idle(), "channels are left"


SCENARIOS = [pbx_at_a_sister_node, offnet_call_of_a_phone, offnet_call_of_a_phone_parked, forwarded_to_an_outside_number,
             forwarded_to_an_outside_number_parked, attended_transfer_of_a_trunk_call, caller_transfers_a_trunk_call,
             delayed_server, pbx_challenges, pbx_by_its_address, gateway_with_a_wrong_password]
