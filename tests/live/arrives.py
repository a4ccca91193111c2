"""What arrives at the called phone, and calls between phones of two nodes; `scenarios.py` runs them."""
import time

from bench import ESL_PASSWORD, PROJECT, REALM, Bench, Daemon, account
from forwarding import callflow, heard, phone, ring_group, statuses
from freeswitch import FreeSwitch, User, free_port
from sip_call import answer, early_media, ring

AUTH_CALLS = '<param name="auth-calls" value="true"/>'


def _bench(*documents):
    users = [d["sip"]["username"] for d in documents if d["type"] == "device"]
    return Bench(documents=[account(), *documents], users=tuple(users))


def _arrives(live, caller, number, callee, **options):
    """The INVITE that the called phone got."""
    with caller.call(number, **options) as call:
        assert call.wait_answered(), f"not answered: {statuses(call)}"
        incoming = callee.wait_call()
        assert incoming, "the called phone did not ring"
        call.bye()
        assert incoming.wait_ended()
    assert live.node.wait_idle(), "channels are left"
    return incoming.invite


def headers_of_both_devices():
    """Custom headers of caller and callee, and nothing that the caller's phone wrote itself."""
    caller = phone("1001", sip={"username": "1001", "password": "secret-1001", "custom_sip_headers": {
        "in": {"X-From-Desk": "{caller_id_number}", "X-Both": "caller"}, "out": {"X-Wrong-Way": "1"}}})
    callee = phone("1002", sip={"username": "1002", "password": "secret-1002", "custom_sip_headers": {
        "out": {"X-Door": "north, 2nd; \"left\" %41", "X-Both": "callee"}, "in": {"X-Wrong-Way": "2"}}})
    with _bench(*caller, *callee) as live:
        alice, bob = live.phone("1001"), live.phone("1002", answer(0))
        invite = _arrives(live, alice, "1002", bob, headers={"X-Secret": "leaks", "Diversion": "<sip:9@x.test>"})
        assert invite.get("X-From-Desk") == "1001", invite.get("X-From-Desk")
        assert invite.get("X-Door") == "north, 2nd; \"left\" %41", invite.get("X-Door")
        assert invite.get("X-Both") == "callee", invite.get("X-Both")
        for name in ("X-Wrong-Way", "X-Secret", "Diversion"):
            assert not invite.get(name), f"{name} arrived: {invite.get(name)}"


def codecs_of_the_device():
    """The device's codecs are offered, in its order; without a list those of the caller."""
    listed = phone("1002", media={"audio": {"codecs": ["PCMA", "PCMU"]}})
    with _bench(*phone("1001"), *listed, *phone("1003"), *phone("1004", media={"audio": {"codecs": ["PCMA"]}})) as live:
        alice = live.phone("1001", payload_types=(0,))
        for user, expected in (("1002", ["PCMA", "PCMU"]), ("1003", ["PCMU"]), ("1004", ["PCMA"])):
            invite = _arrives(live, alice, user, live.phone(user, answer(0)))
            assert invite.sdp.codecs == expected, f"{user}: {invite.sdp.codecs}"


def srtp_is_offered():
    """Optional encryption offers both, enforced encryption only RTP/SAVP."""
    def secured(user, enforce):
        return phone(user, media={"encryption": {"methods": ["srtp"], "enforce_security": enforce}})
    with _bench(*phone("1001"), *secured("1002", False), *secured("1003", True)) as live:
        alice = live.phone("1001")
        for user, plain in (("1002", True), ("1003", False)):
            callee = live.phone(user, ring())
            with alice.call(user) as call:
                incoming = callee.wait_call()
                assert incoming, f"{user} did not ring: {statuses(call)}"
                offer = incoming.invite.sdp.text
                assert "RTP/SAVP" in offer and "a=crypto:" in offer, offer
                assert ("RTP/AVP" in offer) == plain, offer
                call.cancel()
            assert live.node.wait_idle()


def caller_ids():
    """On-net callers show their internal id, callers from outside what they came with."""
    caller = phone("1001", caller_id={"internal": {"name": "Reception", "number": "2000"},
                                      "external": {"name": "Acme", "number": "+14155550100"}})
    ringing = {"internal": "ring-inside", "external": "<http://tones.test/out>;info=two"}
    callee = phone("1002", ringtones=ringing)
    did = callflow("+14155550100", {"module": "device", "data": {"id": "dev-1002"}, "children": {}})
    with _bench(*caller, *callee, did) as live:
        alice, bob, carrier = live.phone("1001"), live.phone("1002", answer(0)), live.carrier()
        invite = _arrives(live, alice, "1002", bob, display="Somebody else ")
        assert "sip:2000@" in invite.get("From"), invite.get("From")
        assert "Reception" in invite.get("From"), invite.get("From")
        assert f"@{REALM}" in invite.get("From"), invite.get("From")
        assert invite.get("Alert-Info") == "<ring-inside>", invite.get("Alert-Info")
        invite = _arrives(live, carrier, "+14155550100", bob, from_user="+12125550188", display="Carol ")
        assert "sip:+12125550188@" in invite.get("From"), invite.get("From")
        assert "Carol" in invite.get("From"), invite.get("From")
        assert invite.get("Alert-Info") == "<http://tones.test/out>;info=two", invite.get("Alert-Info")


def privacy_of_an_outside_caller():
    """A hidden number appears in no header of the INVITE; a caller of the account can't be made hidden by a document."""
    did = callflow("+14155550100", {"module": "device", "data": {"id": "dev-1002"}, "children": {}})
    private = phone("1001", caller_id_options={"outbound_privacy": "full"})
    with _bench(*private, *phone("1002"), did) as live:
        alice, bob, carrier = live.phone("1001"), live.phone("1002", answer(0)), live.carrier()
        hidden = {"Privacy": "id", "P-Asserted-Identity": '"Carol" <sip:+12125550188@carrier.test>'}
        invite = _arrives(live, carrier, "+14155550100", bob, from_user="anonymous", headers=hidden)
        assert "2125550188" not in invite.text(), invite.text()
        assert "sip:anonymous@" in invite.get("From"), invite.get("From")
        for name in ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"):
            assert not invite.get(name), f"{name}: {invite.get(name)}"
        invite = _arrives(live, alice, "1002", bob)
        assert "sip:1001@" in invite.get("From"), invite.get("From")
        assert not invite.get("Privacy"), invite.get("Privacy")


def early_media_for_ever():
    """A phone that sends early media and never answers: FreeSWITCH's timers stop, ours doesn't."""
    flow = {"module": "device", "data": {"id": "dev-1002", "timeout": 2}, "children": {}}
    with _bench(*phone("1001"), *phone("1002", flow)) as live:
        alice, bob = live.phone("1001"), live.phone("1002", early_media(60))
        started = time.monotonic()
        with alice.call("1002") as call:
            assert call.wait_ended(20), "the caller listens to early media for ever"
            took = time.monotonic() - started
            assert call.status == 480, f"{statuses(call)}"
            assert 3 < took < 10, f"{took:.1f} s"
            assert bob.calls[0].wait_ended(), "the phone was left"
        assert live.daemon.says("early media", "does not answer")
        assert live.node.wait_idle()


def restricted_number():
    """A denied class of numbers: told as early media, then 403, and never answered."""
    denied = phone("1001", call_restriction={"toll_us": {"action": "deny"}})
    anything = callflow("no_match", {"module": "device", "data": {"id": "dev-1002"}, "children": {}})
    with _bench(*denied, *phone("1002"), anything) as live:
        alice, bob = live.phone("1001"), live.phone("1002", answer(0))
        with alice.call("19005550123") as call:
            assert call.wait_ended(20), "never ended"
            assert call.status == 403, f"{statuses(call)}"
        assert live.daemon.says("call_restriction", "dev-1001"), "the log does not say why"
        assert not bob.calls
        _arrives(live, alice, "14155550123", bob)


def blind_transfer_of_an_outside_call():
    """A carrier's call that a phone transfers goes on inside the phone's account, by the phone's rights."""
    did = callflow("+14155550100", {"module": "device", "data": {"id": "dev-1002"}, "children": {}})
    with _bench(*phone("1002"), *phone("1003"), did) as live:
        bob, carol, carrier = live.phone("1002", answer(0)), live.phone("1003", answer(0)), live.carrier()
        with carrier.call("+14155550100", from_user="+12125550188") as call:
            assert call.wait_answered(), f"{statuses(call)}"
            incoming = bob.wait_call()
            incoming.refer(f"sip:1003@{REALM}")
            onward = carol.wait_call(15)
            assert onward, "the call was not transferred"
            assert heard(call, onward, 440), "the new callee does not hear the caller"
            assert live.daemon.says("dev-1003", "ringing")
            onward.bye()
            assert call.wait_ended(), "the caller was left on the line"
        assert live.node.wait_idle(), "channels are left"


class TwoNodes(Bench):
    """A second node with its own address, and one daemon for both. Phones live on addresses of their own, since an
    address list lets the nodes' own through."""

    def __enter__(self):
        port = free_port()
        variables = {"user_context": "from-device"}
        users = [User(user, f"secret-{user}", variables=variables) for user in self.users]
        sisters = '<param name="apply-inbound-acl" value="sisters"/>'
        def node(name, ip):
            return FreeSwitch(
                name=name, ip=ip, users=users, esl_password=ESL_PASSWORD, heartbeat=10,
                acl={"trunks": ["127.0.0.9/32"], "sisters": ["127.0.0.1/32", "127.0.0.2/32"]},
                fragments=str(PROJECT / "conf" / "freeswitch"), leave_out=("xml_curl.conf.xml",),
                substitute={"ESL_PASSWORD": ESL_PASSWORD, "DOMAIN": REALM, "127.0.0.1:8084": f"127.0.0.1:{port}",
                            AUTH_CALLS: AUTH_CALLS + sisters})
        self.node, self.second = node("node1", "127.0.0.1"), node("node2", "127.0.0.2")
        try:
            self.node.start()
            self.second.start()
            self.daemon = Daemon(self.folder.name, self.node, port, self.documents)
            settings = self.daemon.config.read_text()
            first, second = (f'"{n.internal[0]}:{n.internal[1]}"' for n in (self.node, self.second))
            settings = settings.replace("[nodes.node1]\n", f"[nodes.node1]\nsip = {first}\n")
            settings += (f'[nodes.node2]\naddress = "127.0.0.2:{self.second.settings.esl_port}"\n'
                         f'password = "{ESL_PASSWORD}"\nsip = {second}\n')
            self.daemon.config.write_text(settings)
            self.daemon.start()
            assert self.daemon.says("connected", "node2")
        except BaseException:
            self.__exit__(True, None, None)
            raise
        return self

    def __exit__(self, *error):
        try:
            super().__exit__(*error)
        finally:
            self.second.close()

    def at(self, node, user, ip, policy=None):
        """A phone that is registered at this node."""
        from sip_phone import Phone
        one = Phone((ip, 0), user=user, domain=REALM, password=f"secret-{user}", server=node.internal, policy=policy)
        self.phones.append(one)
        response = one.register()
        assert response is not None and response.status == 200, f"REGISTER of {user}: {response}"
        assert self.daemon.says("regist", user), f"the daemon did not hear of {user}"
        return one


def between_two_nodes():
    """Phones at different nodes call each other; ringtone and headers of a group travel with the call."""
    group = ring_group("600", [{"id": "dev-1002"}], timeout=9, ringtones={"internal": "ring-team"})
    documents = [account(), *phone("1001"),
                 *phone("1002", sip={"username": "1002", "password": "secret-1002",
                                     "custom_sip_headers": {"out": {"X-Door": "north"}}}), group]
    with TwoNodes(documents=documents, users=("1001", "1002")) as live:
        alice = live.at(live.node, "1001", "127.0.0.51", answer(0))
        bob = live.at(live.second, "1002", "127.0.0.52", answer(0))
        for number, tone in (("1002", None), ("600", "<ring-team>")):
            with alice.call(number) as call:
                assert call.wait_answered(), f"{number}: {statuses(call)}"
                incoming = bob.wait_call()
                assert incoming, "the phone at the other node did not ring"
                assert heard(call, incoming, 440), "the callee does not hear the caller"
                assert heard(incoming, call, 880), "the caller does not hear the callee"
                invite = incoming.invite
                assert "sip:1001@" in invite.get("From"), invite.get("From")
                assert invite.get("X-Door") == "north", "the device's headers are missing"
                assert (invite.get("Alert-Info") or None) == tone, invite.get("Alert-Info")
                assert "X-LF-" not in invite.text(), "private headers reached a phone"
                call.bye()
                assert incoming.wait_ended()
            assert live.node.wait_idle() and live.second.wait_idle(), "channels are left"
        with bob.call("1001") as call:
            assert call.wait_answered(), f"back: {statuses(call)}"
            assert alice.wait_call()
            alice.calls[-1].bye()
            assert call.wait_ended()
        assert live.node.wait_idle() and live.second.wait_idle()
        assert live.daemon.says("handed_over") or live.daemon.says("HandedOver") or live.daemon.says("node2", "ringing")


SCENARIOS = [headers_of_both_devices, codecs_of_the_device, srtp_is_offered, caller_ids, privacy_of_an_outside_caller,
             early_media_for_ever, restricted_number, blind_transfer_of_an_outside_call, between_two_nodes]
