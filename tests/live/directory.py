"""Phones of a FreeSWITCH that has no users of its own: it asks the daemon's directory for each of them."""
import time

from bench import ESL_PASSWORD, PROJECT, REALM, Bench, Daemon, account, device
from freeswitch import FreeSwitch, free_port
from sip_call import answer
from sip_phone import Phone

SECRET = "live-directory-secret"
FAX = "127.0.0.88"              # an address that stands for a device
AUTH_CALLS = '<param name="auth-calls" value="true"/>'
DOCUMENTS = [account(), *device("1001"), *device("1002"), *device("1003"), *device("desk"),
             *device("fax", method="ip", ip=f"{FAX}:5080"),
             {"type": "account", "account_id": "globex", "id": "globex", "name": "Globex", "realm": "globex.test"}]
for document in DOCUMENTS:
    if document["id"] == "dev-1003":
        document["enabled"] = False
    if document["id"] == "dev-desk":
        document["sip"]["username"] = "Desk"


class DirectoryBench(Bench):
    """`binding`: what mod_xml_curl asks for; `lists`: static address lists; `apply`: the one of the device profile."""

    def __init__(self, binding="directory", lists=None, apply="", secret=SECRET, substitute=None, documents=DOCUMENTS,
                 first=None):
        super().__init__(documents=documents)
        self.binding, self.lists, self.apply, self.secret = binding, lists or {}, apply, secret
        self.more, self.first = substitute or {}, first or {}

    def __enter__(self):
        port, self.directory_port = free_port(), free_port()
        profile = AUTH_CALLS + (f'<param name="apply-inbound-acl" value="{self.apply}"/>' if self.apply else "")
        self.node = FreeSwitch(
            acl=self.lists, esl_password=ESL_PASSWORD, heartbeat=10, fragments=str(PROJECT / "conf" / "freeswitch"),
            substitute={**self.first, "ESL_PASSWORD": ESL_PASSWORD, "<node type=\"allow\" domain=\"DOMAIN\"/>": "", "DOMAIN": REALM,
                        "127.0.0.1:8084": f"127.0.0.1:{port}", "127.0.0.1:8085": f"127.0.0.1:{self.directory_port}",
                        "XML_CURL_SECRET": self.secret, 'bindings="directory"': f'bindings="{self.binding}"',
                        AUTH_CALLS: profile, **self.more})
        try:
            self.node.start()
            self.daemon = Daemon(self.folder.name, self.node, port, self.documents, settings=self.settings)
            with open(self.daemon.config, "a", encoding="utf-8") as config:
                config.write(f'[directory]\nlisten = "127.0.0.1:{self.directory_port}"\nuser = "fs"\n'
                             f'password = "{SECRET}"\n')
            self.daemon.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def stranger(self, user, password, domain=REALM, listen=("127.0.0.1", 0), **options):
        """A phone that is not expected to get in."""
        phone = Phone(listen, user=user, domain=domain, password=password, server=self.node.internal, **options)
        self.phones.append(phone)
        return phone


def status(response):
    return response.status if response else None


def directory_registers():
    """Good, wrong and unknown credentials, a disabled device, another spelling, and going away."""
    with DirectoryBench() as bench:
        phone = bench.phone("1001")
        # That list lags a little behind the answer to the phone.
        assert bench.daemon.wait(lambda: "1001" in bench.node.api("show registrations"), 10, "the row", strict=False)
        assert status(bench.stranger("1002", "wrong-password").register()) == 403
        assert status(bench.stranger("1002", "").register()) == 401, "no challenge"
        assert status(bench.stranger("4711", "secret-4711").register()) == 403
        assert status(bench.stranger("1003", "secret-1003").register()) == 403, "a disabled device registered"
        assert bench.daemon.says("disabled", "dev-1003")
        for spelling in ("Desk", "desk", "DESK"):
            assert status(bench.stranger(spelling, "secret-desk").register()) == 200, spelling
        rows = bench.node.api("show registrations")
        assert "1002" not in rows and "4711" not in rows and "1003" not in rows, rows
        assert status(phone.unregister()) == 200


def directory_call():
    """An INVITE is challenged, and the call goes where the flow says."""
    with DirectoryBench() as bench:
        alice, bob = bench.phone("1001"), bench.phone("1002", answer(0))
        with alice.call("1002") as call:
            assert call.wait_answered(), f"{[r.status for r in call.responses]}"
            assert 407 in [r.status for r in call.responses], "the INVITE was not challenged"
            incoming = bob.wait_call()
            call.rtp.start_tone(440)
            assert incoming.rtp.wait_tone(440), "the called phone did not hear the caller"
            assert "1001" in incoming.invite.get("From"), incoming.invite.get("From")
            assert bench.daemon.says("dev-1001"), "the caller was not recognised"
            call.bye()
            assert incoming.wait_ended()
        assert bench.node.wait_idle()
        for user, password in (("1001", "wrong-password"), ("1003", "secret-1003"), ("4711", "x-4711")):
            with bench.stranger(user, password).call("1002") as call:
                assert call.wait_ended(), "never answered"
                assert call.status == 403, f"{user}: {[r.status for r in call.responses]}"


def _by_address(**options):
    with DirectoryBench(**options) as bench:
        # FreeSWITCH was there before the daemon: what was not answered then is asked for now.
        assert "+OK" in bench.node.api("reloadacl")
        listed = options["apply"]
        assert bench.node.api(f"acl {FAX} {listed}") == "true", "the address is not in the list"
        assert bench.node.api(f"acl 127.0.0.89 {listed}") == "false"
        bob = bench.phone("1002", answer(0))
        fax = bench.stranger("anything", "", listen=(FAX, 0))
        with fax.call("1002") as call:
            assert call.wait_answered(), f"{[r.status for r in call.responses]}"
            assert 407 not in [r.status for r in call.responses], "challenged in spite of its address"
            assert bob.wait_call()
            assert bench.daemon.says("dev-fax"), "the caller was not recognised as its device"
            call.bye()
        assert bench.node.wait_idle()
        with bench.stranger("anything", "", listen=("127.0.0.89", 0)).call("1002") as call:
            assert call.wait_ended()
            assert call.status == 407, f"a strange address got {[r.status for r in call.responses]}"
        assert status(bench.stranger("fax", "secret-fax", listen=(FAX, 0)).register()) == 403, "it has no password"


def directory_address_by_list():
    """A device known by its address calls without a challenge: acl.conf of the node names the domain."""
    _by_address(lists={"phones": [f"@{REALM}"]}, apply="phones")


def directory_address_by_acl_conf():
    """The same, with acl.conf from the daemon."""
    _by_address(binding="directory|configuration", apply="linefinder-devices")


def directory_somebody_else():
    """Nobody registers as another, be it another user or the same name of another domain."""
    matching = '<param name="inbound-reg-force-matching-username" value="true"/>'
    with DirectoryBench(substitute={matching: matching.replace("true", "false")}) as bench:
        thief = bench.stranger("1002", "secret-1001", auth_user="1001")
        assert status(thief.register()) == 403
        assert bench.daemon.says("another user", "1002"), "the log does not tell"
        elsewhere = bench.stranger("1001", "secret-1001", domain="globex.test")
        assert status(elsewhere.register()) == 403
        assert bench.daemon.says("another user", "globex.test")
        assert "100" not in bench.node.api("show registrations"), bench.node.api("show registrations")
        assert status(bench.stranger("1001", "secret-1001").register()) == 200


def directory_wrong_credentials():
    """FreeSWITCH's own credentials are wrong: nobody registers, and the log names the setting."""
    with DirectoryBench(secret="not-this-one") as bench:
        assert status(bench.stranger("1001", "secret-1001").register()) == 403
        assert bench.daemon.says("gateway-credentials")


def directory_away():
    """Without the daemon a registration is refused at once; with it again, all is well."""
    with DirectoryBench() as bench:
        bench.phone("1001")
        bench.daemon.stop()
        started = time.monotonic()
        assert status(bench.stranger("1002", "secret-1002").register()) == 403
        assert time.monotonic() - started < 1, "the closed port cost time"
        bench.daemon.start()
        assert status(bench.stranger("1002", "secret-1002").register()) == 200


SCENARIOS = [directory_registers, directory_call, directory_address_by_list, directory_address_by_acl_conf,
             directory_somebody_else, directory_wrong_credentials, directory_away]
