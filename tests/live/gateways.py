"""Carriers that want REGISTER, and PBXs that register, with the directory and the REST API of the daemon."""
import re

from bench import REALM, account
from directory import DirectoryBench, status
from office import Office
from sip_call import answer
from sip_message import build_response, check_credentials, token
from sip_phone import Phone
from trunks import DID, FAR, Sipp, connectivity

REGISTRAR = "127.0.0.12"
HOME = "127.0.0.13"             # of PBXs; in no address list
USER, SECRET = "linefinder-trunk", "carrier-secret"


class Registrar(Phone):
    """A carrier that wants REGISTER with one of the passwords, and takes calls."""

    def __init__(self, *passwords, port=0):
        super().__init__((REGISTRAR, port), user="carrier", domain="registrar.test", realm="registrar.test",
                         policy=answer(0))
        self.passwords, self.registered, self.gone = passwords, [], []

    def _receive_request(self, message, source):
        if message.method != "REGISTER":
            return super()._receive_request(message, source)
        sent = message.get("Authorization")
        known = [word for word in self.passwords if sent and check_credentials(sent, "REGISTER", {USER: word})]
        if not known:
            challenge = f'Digest realm="registrar.test", nonce="{token(20)}", algorithm=MD5, qop="auth"'
            self.send(build_response(message, 401, to_tag=token(), headers=[("WWW-Authenticate", challenge)]), source)
            return None
        expires = message.get("Expires") or "3600"
        contact = message.get("Contact") or ""
        (self.gone if expires == "0" or "expires=0" in contact else self.registered).append(known[0])
        headers = [("Contact", contact), ("Expires", expires)]
        self.send(build_response(message, 200, to_tag=token(), headers=headers), source)
        return None


class TrunkBench(DirectoryBench):
    """With the REST API, and a token of the master account."""

    def __init__(self, documents):
        super().__init__(documents=documents, binding="directory|configuration")
        self.office = Office(self.folder.name)
        self.settings = 'carrier_profile = "trunk"\n[trunks]\ngateway_look_every_s = 2\n' + self.office.settings

    def ask(self, verb, path, data=None):
        """The answer's envelope; what is no success is an error."""
        return self.office.ask(verb, path, data)

    def registrar(self, *passwords):
        carrier = Registrar(*passwords)
        self.phones.append(carrier)
        return carrier

    def gateways(self):
        """Those of ours that FreeSWITCH shows, with profile and state."""
        table = self.node.api("sofia status gateway")
        return {row[0]: (row[1], row[2]) for row in re.findall(r"^(\S+)::(lf\.\S+)\s.*?\s(NOREG|REGED|UNREGED|TRYING|"
                r"REGISTER|FAILED|FAIL_WAIT|EXPIRED|TIMEOUT)\b", table, re.M) for row in [(row[1], row[0], row[2])]}

    def wait_gateways(self, wanted, what, timeout=20):
        """Until those that there are satisfy `wanted`; they."""
        assert self.daemon.wait(lambda: wanted(self.gateways()), timeout, what, strict=False), \
            f"{what}: {self.gateways()}\n{self.node.api('sofia status gateway')}"
        return self.gateways()


def wholesale(carrier, password=SECRET, **more):
    gateway = {"server": carrier.address[0], "port": carrier.address[1], "realm": "registrar.test", "username": USER,
               "password": password, "register": True, "expire_seconds": 60, "invite_format": "e164", **more}
    return {"name": "Wholesale", "rules": ["^(\\+1\\d{10})$"], "weight_cost": 10, "gateways": [gateway]}


def pbx(password="secret-pbx1", **fields):
    return {"name": "pbx1", "DIDs": {DID: {}}, "options": {"inbound_format": "e164", **fields},
            "auth": {"auth_method": "password", "auth_user": "pbx1", "auth_password": password}}


def gateway_follows_its_document():
    """Made, changed and removed over the API, without a rescan by hand; calls go over the registration."""
    with TrunkBench([account(), connectivity(pbx())]) as bench:
        carrier = bench.registrar(SECRET, "another-secret")
        assert bench.gateways() == {}
        made = bench.ask("PUT", "resources", wholesale(carrier))["data"]
        assert made["gateways"][0]["expire_seconds"] == 60, made
        first = bench.wait_gateways(lambda rows: [row[1] for row in rows.values()] == ["REGED"], "a gateway that registered")
        assert [row[0] for row in first.values()] == ["trunk"] and carrier.registered == [SECRET], (first, carrier.registered)

        customer = bench.stranger("pbx1", "secret-pbx1", listen=(HOME, 0))
        customer.server = bench.node.external
        with customer.call(FAR) as call:
            assert call.wait_answered(), f"{[r.status for r in call.responses]}"
            invite = carrier.wait_call().invite
            assert invite.uri.startswith(f"sip:{FAR}@{REGISTRAR}"), invite.uri
            call.bye()
        assert bench.node.wait_idle()

        bench.ask("PATCH", f"resources/{made['id']}", {"gateways": wholesale(carrier, "another-secret")["gateways"]})
        second = bench.wait_gateways(lambda rows: len(rows) == 1 and rows.keys() != first.keys()
                                     and [row[1] for row in rows.values()] == ["REGED"], "the changed gateway alone")
        assert carrier.registered[-1] == "another-secret", carrier.registered

        # A new FreeSWITCH has none of its own; it gets them when the daemon is back.
        bench.node.kill_hard()
        bench.node.start(fresh=False)
        again = bench.wait_gateways(lambda rows: [row[1] for row in rows.values()] == ["REGED"], "it after a restart", 40)
        assert again.keys() == second.keys(), (again, second)

        bench.ask("DELETE", f"resources/{made['id']}")
        bench.wait_gateways(lambda rows: rows == {}, "no gateway")
        # Challenged once more, it goes a moment after the row.
        assert carrier.wait_until(lambda: carrier.gone[-1:] == ["another-secret"]), f"it stays registered: {carrier.gone}"


def gateway_asked_how_it_is():
    """SIP OPTIONS: who does not answer is left out, and who answers again is back."""
    with TrunkBench([account(), connectivity(pbx())]) as bench:
        carrier = bench.registrar(SECRET)
        port = carrier.address[1]
        bench.ask("PUT", "resources", wholesale(carrier, register=False, ping=5))
        bench.wait_gateways(lambda rows: [row[1] for row in rows.values()] == ["NOREG"], "a gateway that is asked")
        carrier.close()
        assert bench.daemon.says("it is left out", timeout=60), bench.node.api("sofia status gateway")
        bench.phones.append(Registrar(SECRET, port=port))
        assert bench.daemon.says("it is in use", timeout=60), bench.node.api("sofia status gateway")


def pbx_registers():
    """A PBX with its password, with a wrong one, disabled; and a call from a carrier over its registration."""
    off = {**pbx("secret-off", enabled=False), "name": "off", "DIDs": {}}
    off["auth"] = {**off["auth"], "auth_user": "off"}
    carrier_ip = "127.0.0.14"
    carrier = {"type": "resource", "account_id": "installation", "id": "c1", "name": "c1", "rules": ["^(\\+1\\d{10})$"],
               "gateways": [{"server": carrier_ip, "port": 5060}]}
    with TrunkBench([account(), connectivity(pbx(), off), carrier]) as bench:
        def customer(user, password):
            phone = bench.stranger(user, password, listen=(HOME, 0), policy=answer(0))
            phone.server = bench.node.external
            return phone
        assert status(customer("pbx1", "wrong-password").register()) == 403
        assert status(customer("off", "secret-off").register()) == 403, "a disabled PBX registered"
        assert bench.daemon.says("the PBX or its account is disabled")
        assert "pbx1" not in bench.node.api("show registrations")
        at_home = customer("pbx1", "secret-pbx1")
        assert status(at_home.register()) == 200
        assert bench.daemon.says("regist", "pbx1"), "the daemon did not hear of it"
        # The list of trunks' addresses was read when the daemon came: nobody else gets in without a password.
        assert bench.daemon.wait(lambda: bench.node.api(f"acl {carrier_ip} linefinder-trunks") == "true", 10, "the list",
                                 strict=False)
        assert bench.node.api(f"acl {HOME} linefinder-trunks") == "false"
        caller = Sipp(bench, "calls", carrier_ip, target=bench.node.external, number=DID, HOLD=300, CALLER="+13125550199")
        incoming = at_home.wait_call()
        assert incoming, f"the PBX was not called\n{caller.log()[-2000:]}"
        assert incoming.invite.uri.startswith(f"sip:{DID}@{HOME}:{at_home.address[1]}"), incoming.invite.uri
        assert caller.wait().statuses() == [200], caller.log()[-2000:]
        assert bench.node.wait_idle()
        assert status(at_home.unregister()) == 200
        assert bench.daemon.says("unregister", "pbx1"), "the daemon did not hear that it went"
        refused = Sipp(bench, "calls", carrier_ip, target=bench.node.external, number=DID, HOLD=300, CALLER="+13125550199")
        assert refused.wait().statuses() == [480], refused.log()[-2000:]


SCENARIOS = [gateway_follows_its_document, gateway_asked_how_it_is, pbx_registers]
