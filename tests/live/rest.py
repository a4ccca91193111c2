"""What the REST API does to phones and calls of a real FreeSWITCH; `scenarios.py` runs them."""
import time

from bench import account, device
from directory import DirectoryBench, status
from forwarding import heard, statuses
from office import Office
from sip_call import answer, reject, ring

HERE = "accounts/acme"


def phones(*users):
    return [document for user in users for document in device(user)]


class RestBench(DirectoryBench):
    """Phones of an account that is asked about over the API."""

    def __init__(self, documents, **more):
        super().__init__(documents=documents, **more)
        self.office = Office(self.folder.name)
        self.settings = self.office.settings

    def ask(self, verb, path, data=None):
        return self.office.ask(verb, f"{HERE}/{path}", data)

    def channels(self, count, path="channels"):
        """Until the account has so many legs; they."""
        assert self.daemon.wait(lambda: len(self.ask("GET", path)["data"]) == count, 10, "channels", strict=False), \
            f"{path}: {self.ask('GET', path)['data']}"
        return self.ask("GET", path)["data"]


def bench(*users, **more):
    return RestBench([account(), *phones(*users)], **more)


def leg_of(rows, device):
    found = [row for row in rows if row.get("authorizing_id") == device]
    assert found, f"no leg of {device}: {rows}"
    return found[0]["uuid"]


def api_quickcall():
    """The phone rings, whoever answers is connected to the number; by GET at once, by POST when it is answered."""
    with bench("1001", "1002", "1003") as live:
        alice, bob = live.phone("1001", answer(0.2)), live.phone("1002", answer(0))
        for verb in ("GET", "POST"):
            reply = live.ask(verb, "devices/dev-1001/quickcall/1002?cid-name=Click&cid-number=2000")
            rung, called = alice.wait_call(), bob.wait_call()
            assert rung and called, f"{verb}: {reply}"
            assert rung.wait_answered() and called.wait_answered()
            assert heard(rung, called, 440) and heard(called, rung, 880), f"{verb}: they do not hear each other"
            assert "Click" in rung.invite.get("From") and "sip:2000@" in rung.invite.get("From"), rung.invite.get("From")
            assert "sip:1001@" in called.invite.get("From"), called.invite.get("From")
            if verb == "POST":
                assert reply["data"]["call_id"], reply
            (rung if verb == "GET" else called).bye()
            assert (called if verb == "GET" else rung).wait_ended(), f"{verb}: somebody is left on the line"
            assert live.node.wait_idle(), "channels are left"
        alice.policy = reject(486)
        code, told = live.office.answer("POST", f"{HERE}/devices/dev-1001/quickcall/1002")
        assert code == 500 and told["data"]["error_message"] == "USER_BUSY", (code, told)
        code, told = live.office.answer("POST", f"{HERE}/devices/dev-1003/quickcall/1002")
        assert code == 500, (code, told)            # nobody registered
        assert len(bob.calls) == 2
        assert live.node.wait_idle()


def api_channels():
    """Who talks is listed, by account, device and leg; nobody else's is."""
    with bench("1001", "1002") as live:
        alice, bob = live.phone("1001"), live.phone("1002", answer(0))
        assert live.channels(0) == []
        with alice.call("1002") as call:
            assert call.wait_answered(), statuses(call)
            rows = live.channels(2)
            mine, theirs = leg_of(rows, "dev-1001"), leg_of(rows, "dev-1002")
            row = live.ask("GET", f"channels/{mine}")["data"]
            assert row["answered"] and row["direction"] == "inbound" and row["destination"] == "1002", row
            assert row["other_leg"] == theirs and row["authorizing_type"] == "device", row
            assert row["username"] == "1001" and row["timestamp"], row
            assert [r["uuid"] for r in live.ask("GET", "devices/dev-1002/channels")["data"]] == [theirs]
            call.bye()
        live.channels(0)
        code, _ = live.office.answer("GET", f"{HERE}/channels/{mine}")
        assert code == 404, code


def api_hangs_up():
    with bench("1001", "1002") as live:
        alice, bob = live.phone("1001"), live.phone("1002", answer(0))
        for who in ("dev-1001", "dev-1002"):
            with alice.call("1002") as call:
                assert call.wait_answered(), statuses(call)
                incoming = bob.wait_call()
                uuid = leg_of(live.channels(2), who)
                live.ask("POST", f"channels/{uuid}", {"action": "hangup"})
                assert call.wait_ended() and incoming.wait_ended(), f"{who}: somebody is left on the line"
            assert live.node.wait_idle()
        bob.policy = ring()
        with alice.call("1002") as call:
            assert call.wait_ringing() and bob.wait_call()
            uuid = leg_of(live.channels(2), "dev-1001")
            live.ask("POST", f"channels/{uuid}", {"action": "hangup"})
            assert call.wait_ended() and bob.calls[-1].wait_ended(), "it rings on"
        assert live.node.wait_idle()


def api_transfers():
    """Whom the channel talks to goes to the target; the other is let go. And a callflow takes the channel itself."""
    with bench("1001", "1002", "1003") as live:
        alice, bob, carol = live.phone("1001"), live.phone("1002", answer(0)), live.phone("1003", answer(0))
        with alice.call("1002") as call:
            assert call.wait_answered(), statuses(call)
            incoming = bob.wait_call()
            uuid = leg_of(live.channels(2), "dev-1002")
            live.ask("POST", f"channels/{uuid}", {"action": "transfer", "target": "1003"})
            onward = carol.wait_call()
            assert onward, "the target did not ring"
            assert incoming.wait_ended(), "who transferred is left on the line"
            assert onward.wait_answered() and heard(call, onward, 440), "the caller does not hear the target"
            call.bye()
            assert onward.wait_ended()
        assert live.node.wait_idle()
        with alice.call("1002") as call:
            assert call.wait_answered(), statuses(call)
            incoming = bob.wait_call()
            uuid = leg_of(live.channels(2), "dev-1001")
            live.ask("POST", f"channels/{uuid}", {"action": "callflow", "id": "flow-1003"})
            onward = carol.wait_call()
            assert onward, "the callflow did not run"
            assert incoming.wait_ended(), "the other is left on the line"
            assert onward.wait_answered() and heard(onward, call, 880)
            onward.bye()
            assert call.wait_ended()
        assert live.node.wait_idle()


def api_holds():
    """Hold, as a re-INVITE that the phone sees; unhold, and both hear each other again. Break ends what is played."""
    with bench("1001", "1002") as live:
        alice, bob = live.phone("1001"), live.phone("1002", answer(0))
        with alice.call("1002") as call:
            assert call.wait_answered(), statuses(call)
            incoming = bob.wait_call()
            uuid = leg_of(live.channels(2), "dev-1002")
            live.ask("POST", f"channels/{uuid}", {"action": "hold"})
            assert incoming.wait_until(lambda: any(i.sdp.direction != "sendrecv" for i in incoming.reinvites)), \
                "the phone was not told of the hold"
            time.sleep(1)       # FreeSWITCH mixes the two up when they follow at once.
            live.ask("POST", f"channels/{uuid}", {"action": "unhold"})
            assert incoming.wait_until(lambda: incoming.reinvites[-1].sdp.direction == "sendrecv"), "still held"
            assert heard(call, incoming, 440) and heard(incoming, call, 880), "they do not hear each other any more"
            live.ask("POST", f"channels/{uuid}", {"action": "break"})
            assert call.state == "up" and incoming.state == "up"
            assert heard(call, incoming, 440), "break ended the conversation"
            call.bye()
        assert live.node.wait_idle()


def api_notifies():
    """notify and sync reach the phone as SIP NOTIFY; a phone that is not registered is told nothing."""
    with bench("1001", "1002") as live:
        alice = live.phone("1001")
        live.ask("POST", "devices/dev-1001/sync")
        assert alice.wait_until(lambda: len(alice.notifies) == 1), "no NOTIFY"
        assert alice.notifies[0].get("Event") == "check-sync", alice.notifies[0].text()
        live.ask("POST", "devices/dev-1001/notify",
                 {"event": "check-sync;reboot=true", "body": {"content_type": "text/plain", "data": "hello"}})
        assert alice.wait_until(lambda: len(alice.notifies) == 2), "no NOTIFY"
        told = alice.notifies[1]
        assert told.get("Event") == "check-sync;reboot=true" and told.get("Content-Type") == "text/plain", told.text()
        assert told.body.strip() == b"hello" or told.body.strip() == "hello", told.body
        live.ask("POST", "devices/dev-1002/sync")
        code, told = live.office.answer("POST", f"{HERE}/devices/dev-1001/notify", {"event": "a b"})
        assert code == 400, (code, told)
        live.ask("PATCH", "devices/dev-1001", {"name": "Front desk", "sync": True})
        assert alice.wait_until(lambda: len(alice.notifies) == 3), "no NOTIFY after a change with sync"


def _registered(live, user):
    return [row for row in live.ask("GET", "registrations")["data"] if row["username"] == user]


def api_registrations():
    """Listed as they come, counted, and flushed: FreeSWITCH has none any more, and the phone is back when it registers."""
    with bench("1001", "1002") as live:
        assert live.ask("GET", "registrations")["data"] == []
        alice, bob = live.phone("1001", answer(0)), live.phone("1002")
        assert live.daemon.wait(lambda: _registered(live, "1001") and _registered(live, "1002"), 5, "rows", strict=False)
        row = _registered(live, "1001")[0]
        assert row["contact_ip"] == "127.0.0.1" and str(row["contact_port"]) == str(alice.address[1]), row
        assert row["authorizing_id"] == "dev-1001" and row["user_agent"].startswith("TestPhone"), row
        assert live.ask("GET", "registrations/count")["data"]["count"] == 2
        ids = sorted(row["device_id"] for row in live.ask("GET", "devices/status")["data"])
        assert ids == ["dev-1001", "dev-1002"], ids
        live.ask("DELETE", "registrations/1001")
        assert _registered(live, "1001") == [] and _registered(live, "1002")
        # (The core's own table, `show registrations`, keeps a flushed row until it lapses.)
        gone = lambda: "1001" not in live.node.api("sofia status profile internal reg")
        assert live.daemon.wait(gone, 10, "FreeSWITCH", strict=False), live.node.api("sofia status profile internal reg")
        with bob.call("1001") as call:
            assert call.wait_ended() and call.status == 480, statuses(call)
        assert status(alice.register()) == 200
        assert live.daemon.wait(lambda: _registered(live, "1001"), 5, "the phone", strict=False), "it is not listed again"
        with bob.call("1001") as call:
            assert call.wait_answered(), statuses(call)
            call.bye()
        live.ask("DELETE", "registrations")
        assert live.ask("GET", "registrations")["data"] == []
        assert live.daemon.wait(lambda: "1002" not in live.node.api("sofia status profile internal reg"), 10, "it",
                                strict=False)


def api_disables_a_device():
    """Disabled: its registration is gone at once, and neither REGISTER nor INVITE gets in; enabled again, both do."""
    with bench("1001", "1002") as live:
        alice, bob = live.phone("1001", answer(0)), live.phone("1002", answer(0))
        live.ask("PATCH", "devices/dev-1001", {"enabled": False})
        assert _registered(live, "1001") == []
        assert status(alice.register()) == 403, "a disabled device registered"
        with alice.call("1002") as call:
            assert call.wait_ended() and call.status == 403, statuses(call)
        with bob.call("1001") as call:
            assert call.wait_ended() and call.status in (480, 404), statuses(call)
        assert not alice.calls and not bob.calls
        live.ask("PATCH", "devices/dev-1001", {"enabled": True})
        assert status(alice.register()) == 200
        with alice.call("1002") as call:
            assert call.wait_answered(), statuses(call)
            call.bye()
        live.ask("PATCH", "devices/dev-1001", {"sip": {"password": "another-secret"}})
        assert status(alice.register()) == 403, "the old password still works"
        alice.password = "another-secret"
        assert status(alice.register()) == 200
        live.ask("DELETE", "devices/dev-1001")
        assert status(alice.register()) == 403, "a device that is gone registered"
        assert live.node.wait_idle()


def api_creates_a_phone():
    """Made over the API it registers and calls at once, and its callflow is in force for the next call."""
    with bench("1001") as live:
        alice = live.phone("1001")
        made = live.ask("PUT", "devices", {"name": "New", "sip": {"username": "1009", "password": "secret-1009"}})["data"]
        carol = live.phone("1009", answer(0))
        with alice.call("1009") as call:
            assert call.wait_ended() and call.status == 404, statuses(call)
        flow = live.ask("PUT", "callflows", {"numbers": ["1009"], "flow": {
            "module": "device", "data": {"id": made["id"]}, "children": {}}})["data"]
        with alice.call("1009") as call:
            assert call.wait_answered(), statuses(call)
            assert carol.wait_call()
            call.bye()
        live.ask("DELETE", f"callflows/{flow['id']}")
        with alice.call("1009") as call:
            assert call.wait_ended() and call.status == 404, statuses(call)
        assert live.node.wait_idle()


SCENARIOS = [api_quickcall, api_channels, api_hangs_up, api_transfers, api_holds, api_notifies, api_registrations,
             api_disables_a_device, api_creates_a_phone]
