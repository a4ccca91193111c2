"""Calls that FreeSWITCH bridges itself because the daemon said so over HTTP; `scenarios.py` runs them."""
import time

from directory import DirectoryBench
from forwarding import callflow, forward, heard, phone, statuses
from bench import account
from sip_call import answer, early_media, reject, ring

BINDING = ('<binding name="dialplan"><param name="gateway-url" value="http://127.0.0.1:8085/v1/dialplan" '
           'bindings="dialplan"/><param name="gateway-credentials" value="fs:XML_CURL_SECRET"/>'
           '<param name="auth-scheme" value="basic"/><param name="timeout" value="2"/></binding></bindings>')
BRIDGED = "bridged by the dialplan"


def short(user):
    return {"module": "device", "data": {"id": f"dev-{user}", "timeout": 2}, "children": {}}


def bench(*documents):
    # (The substitutions run in this order, so that the binding's own placeholders are replaced as well.)
    return DirectoryBench(documents=[account(), *documents], first={"</bindings>": BINDING})


def bridged(live):
    return [line for line in live.daemon.lines() if BRIDGED in str(line.get("message"))]


def dialplan_bridges():
    """A call that needs nobody is bridged without a handoff, and ends as it should whoever ends it."""
    with bench(*phone("1001"), *phone("1002")) as live:
        alice, bob = live.phone("1001"), live.phone("1002", answer(0))
        for caller_ends in (True, False):
            with alice.call("1002") as call:
                assert call.wait_answered(), f"not answered: {statuses(call)}"
                incoming = bob.wait_call()
                assert heard(call, incoming, 440), "the callee does not hear the caller"
                assert "sip:1001@" in incoming.invite.get("From"), incoming.invite.get("From")
                (call if caller_ends else incoming).bye()
                assert (incoming if caller_ends else call).wait_ended(), "the other one was left on the line"
            assert live.node.wait_idle(), "channels are left"
        assert len(bridged(live)) == 2, "the daemon was not asked"
        assert not any(line.get("message") == "call arrived" for line in live.daemon.lines()), "handed over"


def dialplan_failures():
    """What the caller gets when nobody answers is what a call under control gets."""
    with bench(*phone("1001"), *phone("1002", short("1002"))) as live:
        alice, bob = live.phone("1001"), live.phone("1002")
        for policy, expected, longest in ((reject(486), 486, 3), (reject(603), 603, 3), (ring(), 480, 6),
                                          (early_media(60), 480, 10)):
            bob.policy = policy
            started = time.monotonic()
            with alice.call("1002") as call:
                assert call.wait_ended(20), f"{expected}: never ended"
                took = time.monotonic() - started
                assert call.status == expected, f"expected {expected}, got {statuses(call)}"
                assert took < longest, f"{expected} took {took:.1f} s"
            assert live.node.wait_idle()
        assert len(bridged(live)) == 4


def dialplan_talks_longer_than_it_rings():
    """The timer that ends early media does not end a conversation."""
    with bench(*phone("1001"), *phone("1002", short("1002"))) as live:
        alice, bob = live.phone("1001"), live.phone("1002", answer(0))
        with alice.call("1002") as call:
            assert call.wait_answered()
            incoming = bob.wait_call()
            time.sleep(7)
            assert call.state == "up", "the conversation was cut"
            assert heard(incoming, call, 880)
            call.bye()
        assert live.node.wait_idle()


def dialplan_hands_over():
    """Calls that need somebody, that nobody can be rung for, or that are refused go the usual way."""
    goes_on = short("1002")
    goes_on["children"] = {"_": {"module": "response", "data": {"code": 606}, "children": {}}}
    confirmed = phone("1003", call_forward=forward("1002"))
    with bench(*phone("1001"), *phone("1002"), callflow("700", goes_on), *confirmed) as live:
        alice = live.phone("1001")
        for number, expected in (("4711", 404), ("1002", 480)):
            with alice.call(number) as call:
                assert call.wait_ended(20) and call.status == expected, f"{number}: {statuses(call)}"
        bob = live.phone("1002", reject(486))
        assert live.daemon.says('"registered"', "1002"), "the daemon did not hear of the registration"
        with alice.call("700") as call:
            assert call.wait_ended(20) and call.status == 606, f"700: {statuses(call)}"
        assert bob.calls
        assert not bridged(live), "a call that needs somebody was bridged"
        live.daemon.stop()
        with alice.call("1002") as call:
            assert call.wait_ended(20)
            assert call.status in (403, 503), f"without the daemon: {statuses(call)}"
        assert live.node.wait_idle()


SCENARIOS = [dialplan_bridges, dialplan_failures, dialplan_talks_longer_than_it_rings, dialplan_hands_over]
