"""Forwarded calls, users with several phones, and ring groups on a real FreeSWITCH; `scenarios.py` runs them."""
import time

from bench import REALM, Bench, account
from sip_call import Step, answer, reject, ring

BOWOUT = 3.5    # seconds after which mod_loopback has joined the two ends directly (about 2 s, checked once a second)


def phone(user, flow=None, owner=None, **fields):
    """A device with all its fields, and the callflow of its number."""
    flow = flow or {"module": "device", "data": {"id": f"dev-{user}", "timeout": 12}, "children": {}}
    document = {"type": "device", "account_id": "acme", "id": f"dev-{user}", "name": f"Desk {user}",
                "sip": {"username": user, "password": f"secret-{user}"}, **fields}
    if owner:
        document["owner_id"] = owner
    return [document, callflow(user, flow)]


def callflow(number, flow):
    return {"type": "callflow", "account_id": "acme", "id": f"flow-{number}", "numbers": [number], "flow": flow}


def forward(number, **fields):
    return {"enabled": True, "number": number, **fields}


def ring_group(number, members, children=None, **data):
    data["endpoints"] = members
    return callflow(number, {"module": "ring_group", "data": data, "children": children or {}})


def bench(*documents, park=False):
    users = [d["sip"]["username"] for d in documents if d["type"] == "device"]
    return Bench(documents=[account(), *documents], users=tuple(users), park=park)


def heard(speaker, listener, frequency):
    """A tone that one side plays arrives at the other."""
    speaker.rtp.start_tone(frequency)
    try:
        return listener.rtp.wait_tone(frequency)
    finally:
        speaker.rtp.stop_tone()


def statuses(call):
    return [response.status for response in call.responses]


def conversation(bench, call, callee):
    """Both hear each other before and after the loopback pair has left; hanging up ends both."""
    assert call.wait_answered(15), f"not answered: {statuses(call)}"
    incoming = callee.wait_call()
    assert incoming, "the phone that the call is forwarded to did not ring"
    assert heard(call, incoming, 440), "the callee does not hear the caller"
    time.sleep(BOWOUT)
    assert call.state == "up", "the call was cut when the loopback pair left"
    assert heard(call, incoming, 440), "the callee does not hear the caller any more"
    assert heard(incoming, call, 880), "the caller does not hear the callee"
    incoming.bye()
    assert call.wait_ended(), "the caller was left on the line"
    assert bench.node.wait_idle(), "channels are left"


def forwarded_to_a_colleague(park=False):
    documents = [*phone("1001"), *phone("1003"),
                 *phone("1002", call_forward=forward("1003", require_keypress=False))]
    with bench(*documents, park=park) as live:
        alice, carol = live.phone("1001"), live.phone("1003", answer(0))
        bob = live.phone("1002", answer(0))
        with alice.call("1002") as call:
            conversation(live, call, carol)
        assert not bob.calls, "the forwarding phone rang too"
        invite = carol.calls[0].invite
        assert "sip:1001@" in invite.get("From"), invite.get("From")
        assert f"<sip:1002@{REALM}>;reason=unconditional" in (invite.get("Diversion") or ""), invite.get("Diversion")
        assert live.daemon.says("forwarded by device dev-1002") or live.daemon.says("dev-1003", "ringing")


def forwarded_to_a_colleague_parked():
    forwarded_to_a_colleague(park=True)


def forwarded_and_the_caller_hangs_up(park=False):
    """The caller's side ends the call after the loopback pair has left."""
    documents = [*phone("1001"), *phone("1003"),
                 *phone("1002", call_forward=forward("1003", require_keypress=False))]
    with bench(*documents, park=park) as live:
        alice, carol = live.phone("1001"), live.phone("1003", answer(0))
        with alice.call("1002") as call:
            assert call.wait_answered(), statuses(call)
            time.sleep(BOWOUT)
            assert call.state == "up", "the call was cut when the loopback pair left"
            call.bye()
            assert carol.calls[0].wait_ended(), "the callee was left on the line"
        assert live.node.wait_idle()


def forwarded_and_the_caller_hangs_up_parked():
    forwarded_and_the_caller_hangs_up(park=True)


def forwarded_as_the_device():
    """keep_caller_id off: the forwarding device's identity is shown."""
    documents = [*phone("1001"), *phone("1003"),
                 *phone("1002", caller_id={"internal": {"number": "2002", "name": "Bob"}},
                        call_forward=forward("1003", require_keypress=False, keep_caller_id=False))]
    with bench(*documents) as live:
        alice, carol = live.phone("1001"), live.phone("1003", answer(0))
        with alice.call("1002") as call:
            assert call.wait_answered(), statuses(call)
            invite = carol.wait_call().invite
            assert "sip:2002@" in invite.get("From"), invite.get("From")
            assert not invite.get("Diversion"), invite.get("Diversion")
            call.bye()
        assert live.node.wait_idle()


def keypress(pressed, park=False):
    flow = {"module": "device", "data": {"id": "dev-1002", "timeout": 6},
            "children": {"_": {"module": "device", "data": {"id": "dev-1004", "timeout": 5}, "children": {}}}}
    documents = [*phone("1001"), *phone("1003"), *phone("1004"),
                 *phone("1002", flow, call_forward=forward("1003"))]
    press = [Step(1.5, do=lambda call: call.dtmf("1"))] if pressed else []
    with bench(*documents, park=park) as live:
        alice, carol = live.phone("1001"), live.phone("1003", answer(0.2) + press)
        dave = live.phone("1004", answer(0))
        with alice.call("1002") as call:
            if pressed:
                assert not call.wait_until(lambda: call.state == "up", 1), "connected before the key was pressed"
                conversation(live, call, carol)
                assert not dave.calls
            else:
                assert call.wait_answered(20), statuses(call)
                incoming = dave.wait_call()
                assert incoming, "the flow did not go on"
                assert heard(call, incoming, 440)
                assert carol.calls[0].wait_ended(), "the phone that pressed nothing is still on the line"
                call.bye()
        assert live.node.wait_idle()


def key_pressed():
    keypress(True)


def key_pressed_parked():
    keypress(True, park=True)


def key_not_pressed():
    keypress(False)


def failover(park=False):
    fallback = {"failover": True, "number": "1003", "require_keypress": False}
    documents = [*phone("1001"), *phone("1003"), *phone("1002", call_forward=fallback)]
    with bench(*documents, park=park) as live:
        alice, carol = live.phone("1001"), live.phone("1003", answer(0))
        with alice.call("1002") as call:
            conversation(live, call, carol)
        assert "reason=unavailable" in (carol.calls[0].invite.get("Diversion") or "")
        bob = live.phone("1002", answer(0))
        with alice.call("1002") as call:
            assert call.wait_answered()
            assert bob.wait_call(), "registered again, the phone itself rings"
            call.bye()
        assert len(carol.calls) == 1
        assert live.node.wait_idle()


def failover_parked():
    failover(park=True)


def forward_beside_the_phone():
    """substitute off: both ring; whoever answers wins, the other is cancelled."""
    documents = [*phone("1001"), *phone("1003"),
                 *phone("1002", call_forward=forward("1003", substitute=False, require_keypress=False))]
    with bench(*documents) as live:
        alice, bob, carol = live.phone("1001"), live.phone("1002", ring()), live.phone("1003", ring())
        call = alice.call("1002")
        at_desk, forwarded = bob.wait_call(), carol.wait_call()
        assert at_desk and forwarded, "both phones should ring"
        forwarded.reply(200)
        assert call.wait_answered(), statuses(call)
        assert at_desk.wait_ended(), "the device still rings"
        time.sleep(BOWOUT)
        assert call.state == "up"
        call.bye()
        assert forwarded.wait_ended()
        assert live.node.wait_idle()
        call = alice.call("1002")
        assert bob.wait_call() and carol.wait_call()
        live.daemon.wait(lambda: len(bob.calls) == 2 and len(carol.calls) == 2, 5, "both to ring again")
        bob.calls[1].reply(200)
        assert call.wait_answered(), statuses(call)
        assert carol.calls[1].wait_ended(), "the forward target still rings"
        call.bye()
        assert bob.calls[1].wait_ended()
        assert live.node.wait_idle()


def forward_loop(park=False):
    """1002 forwards to 1003, 1003 to 1002: nobody rings, and the caller learns it at once."""
    documents = [*phone("1001"), *phone("1002", call_forward=forward("1003", require_keypress=False)),
                 *phone("1003", call_forward=forward("1002", require_keypress=False))]
    with bench(*documents, park=park) as live:
        alice, bob, carol = live.phone("1001"), live.phone("1002", answer(0)), live.phone("1003", answer(0))
        with alice.call("1002") as call:
            assert call.wait_ended(10), statuses(call)
            assert call.status == 483, statuses(call)
        assert live.daemon.says("forward_loop"), "the log does not say why"
        assert not bob.calls and not carol.calls
        assert live.node.wait_idle(), "channels are left"


def forward_loop_parked():
    forward_loop(park=True)


def forwarded_to_a_busy_phone():
    """The caller hears of the busy phone behind the forward."""
    documents = [*phone("1001"), *phone("1003"),
                 *phone("1002", call_forward=forward("1003", require_keypress=False))]
    with bench(*documents) as live:
        alice, _ = live.phone("1001"), live.phone("1003", reject(486))
        with alice.call("1002") as call:
            assert call.wait_ended(15) and call.status == 486, statuses(call)
        assert live.node.wait_idle()


def user_with_two_phones(park=False):
    bob = {"type": "user", "account_id": "acme", "id": "bob", "first_name": "Bob", "last_name": "Baker"}
    documents = [*phone("1001"), bob, *phone("1002", owner="bob"), *phone("1003", owner="bob"),
                 callflow("2000", {"module": "user", "data": {"id": "bob"}, "children": {}})]
    with bench(*documents, park=park) as live:
        alice, desk, mobile = live.phone("1001"), live.phone("1002", ring()), live.phone("1003", ring())
        call = alice.call("2000")
        lost, won = desk.wait_call(), mobile.wait_call()
        assert lost and won, "both phones should ring"
        assert call.wait_ringing(), "the caller hears nothing"
        won.reply(200)
        assert call.wait_answered(), statuses(call)
        assert lost.wait_ended(), "the other phone still rings"
        assert "CANCEL" in str(lost.end_message.method), lost.end_message
        assert heard(call, won, 440)
        call.bye()
        assert won.wait_ended()
        assert live.node.wait_idle()


def user_with_two_phones_parked():
    user_with_two_phones(park=True)


def group_hunts():
    """`single`: the next member after each one's own time."""
    documents = [*phone("1001"), *phone("1002"), *phone("1003"),
                 ring_group("2000", [{"id": "dev-1002", "timeout": 2}, {"id": "dev-1003", "timeout": 10}],
                            strategy="single")]
    with bench(*documents) as live:
        alice, first, second = live.phone("1001"), live.phone("1002", ring(183)), live.phone("1003", answer(0.5))
        started = time.monotonic()
        with alice.call("2000") as call:
            assert first.wait_call()
            assert not second.calls, "the second rings beside the first"
            assert call.wait_answered(12), statuses(call)
            assert 1.5 < time.monotonic() - started < 6, "the first member's time did not hold"
            assert first.calls[0].wait_ended(), "the first still rings"
            call.bye()
        assert second.calls[0].wait_ended()
        assert live.node.wait_idle()


def group_with_a_busy_member(park=False):
    documents = [*phone("1001"), *phone("1002"), *phone("1003"),
                 ring_group("2000", [{"id": "dev-1002"}, {"id": "dev-1003"}])]
    with bench(*documents, park=park) as live:
        alice, _, carol = live.phone("1001"), live.phone("1002", reject(486)), live.phone("1003", answer(1))
        with alice.call("2000") as call:
            assert call.wait_answered(), statuses(call)
            assert heard(call, carol.calls[0], 440)
            call.bye()
        assert carol.calls[0].wait_ended()
        assert live.node.wait_idle()


def group_with_a_busy_member_parked():
    group_with_a_busy_member(park=True)


def group_rings_again():
    """Everybody refuses twice: two rounds, then the flow goes on."""
    documents = [*phone("1001"), *phone("1002"), *phone("1003"),
                 ring_group("2000", [{"id": "dev-1002"}], repeats=2, children={
                     "_": {"module": "device", "data": {"id": "dev-1003"}, "children": {}}})]
    with bench(*documents) as live:
        alice, bob, carol = live.phone("1001"), live.phone("1002", reject(486)), live.phone("1003", answer(0))
        with alice.call("2000") as call:
            assert call.wait_answered(), statuses(call)
            assert len(bob.calls) == 2, f"{len(bob.calls)} rounds"
            call.bye()
        assert carol.calls[0].wait_ended()
        assert live.node.wait_idle()


def group_ignores_a_redirection():
    """A phone that answers 302 does not move the caller."""
    from sip_call import redirect
    documents = [*phone("1001"), *phone("1002"), *phone("1003"),
                 ring_group("2000", [{"id": "dev-1002"}], children={
                     "_": {"module": "device", "data": {"id": "dev-1003"}, "children": {}}})]
    with bench(*documents) as live:
        alice, carol = live.phone("1001"), live.phone("1003", answer(0))
        live.phone("1002", redirect(f"sip:7777@{REALM}"))
        with alice.call("2000") as call:
            assert call.wait_answered(), statuses(call)
            assert carol.wait_call()
            call.bye()
        assert live.node.wait_idle()


SCENARIOS = [value for name, value in list(globals().items())
             if callable(value) and getattr(value, "__module__", "") == __name__ and name not in (
                 "phone", "callflow", "forward", "ring_group", "bench", "heard", "statuses", "conversation", "keypress")]
