"""What a phone really hears: each function is one scenario against a real FreeSWITCH and the daemon."""
import sys
import time
import traceback

import arrives
import carriers
import dialplan
import directory
import forwarding
import gateways
import limits
import peers
import rest
import trunks
from bench import DOCUMENTS, REALM, Bench, account, device
from sip_phone import Phone  # noqa: F401
from sip_call import answer, early_media, reject, ring


def talk(bench, caller, callee, number="1002"):
    """Call, hear the tone on the other side, hang up."""
    with caller.call(number) as call:
        assert call.wait_answered(), f"not answered: {[r.status for r in call.responses]}"
        incoming = callee.wait_call()
        assert incoming, "the called phone did not ring"
        call.rtp.start_tone(440)
        assert incoming.rtp.wait_tone(440), "the called phone did not hear the caller"
        call.bye()
        assert incoming.wait_ended(), "the called phone was left on the line"
    assert bench.node.wait_idle(), "channels are left"


def call_by_socket(park=False):
    with Bench(park=park) as bench:
        alice, bob = bench.phone("1001"), bench.phone("1002", answer(0))
        talk(bench, alice, bob)
        invite = bob.calls[0].invite
        assert "1001" in invite.get("From"), invite.get("From")
        assert bench.daemon.says("1002", "dev-1002"), "no decision in the log"


def call_by_park():
    call_by_socket(park=True)


def callee_hangs_up(park=False):
    with Bench(park=park) as bench:
        alice, bob = bench.phone("1001"), bench.phone("1002", answer(0))
        with alice.call("1002") as call:
            assert call.wait_answered()
            bob.wait_call().bye()
            assert call.wait_ended(), "the caller was left on the line"
            assert call.ended_by == "remote"
        assert bench.node.wait_idle()


def callee_hangs_up_parked():
    callee_hangs_up(park=True)


def refused(bench, number, expected, caller="1001", **options):
    phone = bench.phone(caller, **options) if isinstance(caller, str) else caller
    with phone.call(number) as call:
        assert call.wait_ended(25), "the caller never got an answer"
        assert call.status == expected, f"expected {expected}, got {[r.status for r in call.responses]}"
    assert bench.node.wait_idle()


def busy(park=False):
    with Bench(park=park) as bench:
        bench.phone("1002", reject(486))
        refused(bench, "1002", 486)
        assert bench.daemon.says("USER_BUSY"), "the log does not say why"


def busy_parked():
    busy(park=True)


def declined():
    with Bench() as bench:
        bench.phone("1002", reject(603))
        refused(bench, "1002", 603)
        assert bench.daemon.says("CALL_REJECTED")


def no_answer(park=False):
    with Bench(park=park) as bench:
        bob = bench.phone("1003", ring())
        started = time.monotonic()
        refused(bench, "1003", 480)
        assert 1.5 < time.monotonic() - started < 9, "the flow's timeout of 3 s did not hold"
        assert bob.calls[0].state == "ended", "the called phone still rings"


def no_answer_parked():
    no_answer(park=True)


def unregistered():
    with Bench() as bench:
        refused(bench, "1002", 480)
        assert bench.daemon.says("not_registered") or bench.daemon.says("USER_NOT_REGISTERED")


def unregisters():
    with Bench() as bench:
        bob = bench.phone("1002", answer(0))
        bob.unregister()
        assert bench.daemon.says("unregister", "1002"), "the daemon did not hear of it"
        refused(bench, "1002", 480)


def unknown_number(park=False):
    with Bench(park=park) as bench:
        refused(bench, "7777", 404)
        assert bench.daemon.says("7777")


def unknown_number_parked():
    unknown_number(park=True)


def no_account():
    other = [account(realm="other.test")] + [d for d in DOCUMENTS if d["type"] != "account"]
    with Bench(documents=other) as bench:
        refused(bench, "1002", 404)


def caller_gives_up(park=False):
    with Bench(park=park) as bench:
        alice, bob = bench.phone("1001"), bench.phone("1002", ring())
        call = alice.call("1002")
        assert call.wait_ringing()
        incoming = bob.wait_call()
        assert call.cancel(), f"CANCEL: {[r.status for r in call.responses]}"
        assert incoming.wait_ended(), "the called phone still rings"
        assert bench.node.wait_idle()
        assert bench.daemon.says("ORIGINATOR_CANCEL"), "the log does not say that the caller gave up"


def caller_gives_up_parked():
    caller_gives_up(park=True)


def early_media_is_heard():
    with Bench() as bench:
        alice, bob = bench.phone("1001"), bench.phone("1002", early_media(1))
        with alice.call("1002") as call:
            assert call.wait_answered()
            assert any(r.status in (180, 183) for r in call.responses)
            call.bye()
        assert bob.calls[0].wait_ended()


def killed_while_ringing(park=False):
    """The phone goes on ringing; answered, the call is up and stays up."""
    with Bench(park=park) as bench:
        alice, bob = bench.phone("1001"), bench.phone("1002", answer(3))
        with alice.call("1002") as call:
            assert call.wait_ringing()
            assert bob.wait_call()
            bench.daemon.kill()
            assert call.wait_answered(), f"lost with the daemon: {[r.status for r in call.responses]}"
            call.rtp.start_tone(440)
            assert bob.calls[0].rtp.wait_tone(440)
            call.bye()
            assert bob.calls[0].wait_ended()
        assert bench.node.wait_idle(), "channels are left"


def killed_while_ringing_parked():
    killed_while_ringing(park=True)


def killed_mid_call(park=False):
    """The call stays up; a new daemon takes new calls and leaves the old one alone; it ends when somebody hangs up."""
    with Bench(park=park) as bench:
        alice, bob, carol = bench.phone("1001"), bench.phone("1002", answer(0)), bench.phone("1003", answer(0))
        with alice.call("1002") as call:
            assert call.wait_answered()
            incoming = bob.wait_call()
            bench.daemon.kill()
            call.rtp.start_tone(440)
            assert incoming.rtp.wait_tone(440), "the call went with the daemon"
            bench.daemon.start()
            with carol.call("1002") as second:
                assert second.wait_answered(), "no call after the restart"
                second.bye()
            assert call.state == "up", "the restart cut the call"
            incoming.bye()
            assert call.wait_ended(), "the caller was left on the line"
        assert bench.node.wait_idle()


def killed_mid_call_parked():
    killed_mid_call(park=True)


def stopped_mid_call():
    """SIGTERM: the listener closes, the call stays up."""
    with Bench() as bench:
        alice, bob = bench.phone("1001"), bench.phone("1002", answer(0))
        with alice.call("1002") as call:
            assert call.wait_answered()
            status = bench.daemon.stop()
            assert status == 0, f"exit status {status}"
            assert call.state == "up", "stopping the daemon cut the call"
            call.bye()
            assert bob.calls[0].wait_ended()
        assert bench.node.wait_idle()


def daemon_away(park=False):
    with Bench(park=park, start_daemon=False) as bench:
        alice = bench.phone("1001")
        started = time.monotonic()
        refused(bench, "1002", 503, caller=alice)
        took = time.monotonic() - started
        assert took < (5 if park else 1.5), f"the fallback took {took:.1f} s"


def daemon_away_parked():
    daemon_away(park=True)


def freeswitch_restarted(park=False):
    """A crash of FreeSWITCH: the daemon comes back to it, knows the phones again, and calls work."""
    with Bench(park=park) as bench:
        alice, bob = bench.phone("1001"), bench.phone("1002", answer(0))
        with alice.call("1002") as call:
            assert call.wait_answered()
            mark = len(bench.daemon.lines())
            bench.node.kill_hard()
            call.end("remote")          # nobody is left to hang up properly
            bob.calls[0].end("remote")
        bench.node.start(fresh=False)
        bench.daemon._mark = mark
        bench.daemon.wait_connected(40)
        bob.wait_call()
        talk(bench, alice, bob)


def freeswitch_restarted_parked():
    freeswitch_restarted(park=True)


def registered_before_the_daemon():
    """Registrations are read when the daemon connects."""
    with Bench(start_daemon=False) as bench:
        alice, bob = bench.phone("1001"), bench.phone("1002", answer(0))
        bench.daemon.start()
        talk(bench, alice, bob)


def waiting_in_park_when_the_daemon_comes():
    """A call that is parked when the daemon connects is taken over before the timer fires."""
    with Bench(park=True) as bench:
        alice, bob = bench.phone("1001"), bench.phone("1002", answer(0))
        bench.daemon.kill()
        call = alice.call("1002")
        bench.daemon.start(connected=False)
        assert call.wait_answered(8), f"not taken over: {[r.status for r in call.responses]}"
        call.bye()
        assert bob.calls[0].wait_ended()


def killed_while_ringing_and_back():
    """Parked, nobody answers, and the daemon was killed meanwhile: its successor finds the caller and does not
    leave him there."""
    with Bench(park=True) as bench:
        alice, bob = bench.phone("1001"), bench.phone("1003", ring())
        call = alice.call("1003")
        assert call.wait_ringing() and bob.wait_call()
        bench.daemon.kill()
        bench.daemon.start()
        assert call.wait_ended(20), "the caller waits for ever"
        assert bench.node.wait_idle()


def killed_then_back_in_park():
    """The same, with the phone's time up before the successor comes: the flow begins anew."""
    with Bench(park=True) as bench:
        alice, bob = bench.phone("1001"), bench.phone("1003", ring())
        call = alice.call("1003")
        assert call.wait_ringing() and bob.wait_call()
        bench.daemon.kill()
        assert bob.calls[0].wait_ended(10), "the phone rings for ever"
        bob.policy = answer(0)
        bench.daemon.start()
        assert call.wait_answered(8), f"not taken over: {[r.status for r in call.responses]}"
        call.bye()
        assert bench.node.wait_idle()


def wrong_password():
    with Bench(password="not-this-one") as bench:
        assert bench.daemon.says("password"), "the log does not name the password"
        alice, bob = bench.phone("1001", register=False), bench.phone("1002", answer(0), register=False)
        alice.register(), bob.register()
        refused(bench, "1002", 480, caller=alice)       # the socket handoff still works; nobody is known as registered


def hostile_caller_name():
    """Names that would break out of a dial string reach the phone as plain text, and nothing else is dialled."""
    names = ['"x]sofia/gateway/toll/900,"', '"O\'Brien, Pat"', '"${system(touch /tmp/lf-owned)}"', '"a%0d%0aX-Evil: 1"',
             '"J\u00fcrgen \U0001f600"', '"a|b:_:c"', '"^^!a=b"', '"x}{y=1"']
    with Bench() as bench:
        alice, bob = bench.phone("1001"), bench.phone("1002", answer(0))
        for name in names:
            with alice.call("1002", display=name + " ") as call:
                assert call.wait_answered(), f"{name}: {[r.status for r in call.responses]}"
                invite = bob.wait_call().invite
                shown = invite.get("From")
                assert "sip:1001@" in shown, f"{name} became {shown}"
                assert invite.get("X-Evil") in (None, ""), f"{name} wrote a header"
                assert not set("[]{}|$^'") & set(shown.split("<")[0]), f"{name} became {shown}"
                call.bye()
        assert bench.node.wait_idle()


# invite_format, the number that the device was given or that is dialled, and the user that must arrive at the phone.
FORMATS = [("username", None, None), ("contact", None, None), ("e164", "4155550123", "+14155550123"),
           ("npan", "+14155550123", "4155550123"), ("1npan", "4155550123", "14155550123"),
           ("strip_plus", "4155550123", "14155550123")]


def invite_formats():
    """The request URI that arrives at the phone, for each format."""
    documents = [account(), *device("1001")]
    for number, (name, did, _) in enumerate(FORMATS):
        sip = {"invite_format": name, **({"number": did} if did else {})}
        documents += device(str(3001 + number), **sip)
    users = ["1001"] + [str(3001 + number) for number in range(len(FORMATS))]
    with Bench(documents=documents, users=tuple(users)) as bench:
        alice = bench.phone("1001")
        for user, (name, _, expected) in zip(users[1:], FORMATS):
            callee = bench.phone(user, answer(0))
            with alice.call(user) as call:
                assert call.wait_answered(), f"{name}: {[r.status for r in call.responses]}"
                uri = callee.wait_call().invite.uri
                assert uri.startswith(f"sip:{expected or user}@"), f"{name}: {uri}"
                call.bye()
            assert bench.node.wait_idle()


def twenty_at_once(park=False):
    users = ["1001"] + [str(number) for number in range(1101, 1121)]
    documents = [account(), *[d for user in users for d in device(user)]]
    with Bench(park=park, documents=documents, users=tuple(users)) as bench:
        alice = bench.phone("1001")
        callees = [bench.phone(user, answer(0.2)) for user in users[1:]]
        calls = [alice.call(user) for user in users[1:]]
        for user, call in zip(users[1:], calls):
            assert call.wait_answered(), f"{user}: {[r.status for r in call.responses]}"
        for call in calls:
            call.bye()
        for callee in callees:
            assert callee.calls[0].wait_ended()
        assert bench.node.wait_idle()


def twenty_at_once_parked():
    twenty_at_once(park=True)


def from_a_carrier():
    """A DID of the account that a carrier sends, recognised by its address."""
    documents = [*DOCUMENTS]
    documents.append({"type": "callflow", "account_id": "acme", "id": "did", "numbers": ["+14155550100"],
                      "flow": {"module": "device", "data": {"id": "dev-1002"}, "children": {}}})
    with Bench(documents=documents) as bench:
        bob, carrier = bench.phone("1002", answer(0)), bench.carrier()
        with carrier.call("+14155550100", from_user="+12125550188") as call:
            assert call.wait_answered(), f"{[r.status for r in call.responses]}"
            assert "+12125550188" in bob.wait_call().invite.get("From")
            call.bye()
        assert bench.node.wait_idle()
        refused(bench, "+14155550999", 404, caller=carrier)


SCENARIOS = [value for value in list(globals().values())
             if callable(value) and getattr(value, "__module__", "") == __name__ and value.__name__ not in
             ("talk", "refused")] + directory.SCENARIOS + forwarding.SCENARIOS + arrives.SCENARIOS + dialplan.SCENARIOS + \
    trunks.SCENARIOS + carriers.SCENARIOS + limits.SCENARIOS + rest.SCENARIOS + peers.SCENARIOS + gateways.SCENARIOS


def main(wanted):
    names = [scenario.__name__ for scenario in SCENARIOS]
    if wanted == ["--list"]:
        print("\n".join(names))
        return 0
    failed = 0
    chosen = [s for s in SCENARIOS if not wanted or s.__name__ in wanted]
    for scenario in chosen:
        started = time.monotonic()
        Bench.scenario = scenario.__name__
        try:
            scenario()
            outcome = "ok"
        except Exception:
            outcome = "FAILED"
            failed += 1
            traceback.print_exc()
        print(f"live {scenario.__name__} ... {outcome} ({time.monotonic() - started:.1f} s)", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
