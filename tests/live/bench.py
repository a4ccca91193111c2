"""A real FreeSWITCH with the project's own fragments, the daemon, and phones: what every live scenario starts from."""
import json
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(Path(__file__).parent / "kit"))
from freeswitch import FreeSwitch, User, free_port  # noqa: E402
from sip_phone import Phone  # noqa: E402

PROJECT = Path(__file__).resolve().parents[2]
REALM = "acme.test"
ESL_PASSWORD = "live-test-password"
CONFIRM_PROMPT = "tone_stream://%(300,200,620)"
CARRIER = "127.0.0.9"           # addresses that the list "trunks" lets in
PBX = "127.0.0.10"


def account(realm=REALM, **fields):
    return {"type": "account", "account_id": "acme", "id": "acme", "name": "Acme", "realm": realm, **fields}


def device(user, flow_timeout=20, **sip):
    """A device and the callflow that rings it."""
    data = {"id": f"dev-{user}", "timeout": flow_timeout}
    return [
        {"type": "device", "account_id": "acme", "id": f"dev-{user}", "name": f"Desk {user}",
         "sip": {"username": user, "password": f"secret-{user}", **sip}},
        {"type": "callflow", "account_id": "acme", "id": f"flow-{user}", "numbers": [user],
         "flow": {"module": "device", "data": data, "children": {}}},
    ]


DOCUMENTS = [account(), *device("1001"), *device("1002"), *device("1003", flow_timeout=3)]


class Daemon:
    """The daemon under test. `log` holds its lines, decoded."""

    def __init__(self, folder, node, port, documents, password=ESL_PASSWORD, park=False, settings=""):
        self.folder, self.port = Path(folder), port
        self.program = os.environ["LINEFINDER_BIN"]
        self.config = self.folder / "linefinder.toml"
        self.config.write_text(
            f'[store]\npath = "{self.folder}/store"\n'
            f'[nodes.node1]\naddress = "127.0.0.1:{node.settings.esl_port}"\npassword = "{password}"\n'
            f'[handoff]\nlisten = "127.0.0.1:{port}"\n'
            f'[routing]\nforward_context = "linefinder-forward{"-park" if park else ""}"\n'
            f'confirm_prompt = "{CONFIRM_PROMPT}"\n'
            f'{settings}[log]\nformat = "json"\nlevel = "info,linefinder=debug"\n', encoding="utf-8")
        lines = "".join(json.dumps(document) + "\n" for document in documents)
        imported = subprocess.run([self.program, "--config", str(self.config), "import", "-"], input=lines, text=True,
                                  capture_output=True, timeout=60)
        if imported.returncode:
            raise RuntimeError(f"import failed: {imported.stdout}{imported.stderr}")
        self.process = None

    def start(self, connected=True):
        self.output = open(self.folder / "daemon.log", "ab")
        self.process = subprocess.Popen([self.program, "--config", str(self.config), "serve"], stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=self.output, start_new_session=True)
        self.wait(lambda: self._listens(), 10, "its port")
        if connected:
            self.wait_connected()

    def wait_connected(self, timeout=20):
        """Until the daemon says that it is connected to the node, its resync included."""
        start = self._mark
        self.wait(lambda: any(line.get("message") == "connected" for line in self.lines()[start:]), timeout,
                  "the node to be connected")
        self._mark = len(self.lines())

    _mark = 0

    def kill(self):
        self._mark = len(self.lines())
        self.process.kill()
        self.process.wait(10)

    def stop(self, timeout=30):
        self._mark = len(self.lines())
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout) if self.process else None

    def lines(self):
        """Log lines so far, each a dictionary."""
        found = []
        for line in (self.folder / "daemon.log").read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append({"text": line})
        return found

    def says(self, *words, timeout=5):
        """Wait for a log line that holds all the words."""
        def there():
            return any(all(word in json.dumps(line) for word in words) for line in self.lines())
        return self.wait(there, timeout, f"a log line with {words}", strict=False)

    def wait(self, predicate, timeout, what, strict=True):
        end = time.monotonic() + timeout
        while not predicate():
            if self.process.poll() is not None and strict:
                raise RuntimeError(f"the daemon ended with {self.process.returncode} while waiting for {what}")
            if time.monotonic() > end:
                if strict:
                    raise TimeoutError(f"waited {timeout} s for {what}")
                return False
            time.sleep(0.05)
        return True

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Bench:
    """Node, daemon and phones of one scenario. `park` chooses the handoff."""

    scenario = ""               # the one that runs; logs of failures are kept in a folder of its name

    def __init__(self, park=False, documents=DOCUMENTS, users=("1001", "1002", "1003"), password=ESL_PASSWORD,
                 start_daemon=True, settings=""):
        self.settings, self.helpers = settings, []
        self.park, self.documents, self.password, self.start_daemon = park, documents, password, start_daemon
        self.users = users
        self.folder = tempfile.TemporaryDirectory(prefix="linefinder-live-")
        self.phones = []

    def __enter__(self):
        port = free_port()
        suffix = "-park" if self.park else ""
        variables = {"user_context": f"from-device{suffix}"}
        users = [User(user, f"secret-{user}", variables=variables) for user in self.users]
        self.node = FreeSwitch(
            users=users, acl={"trunks": [f"{CARRIER}/32", f"{PBX}/32"]}, esl_password=ESL_PASSWORD, heartbeat=10,
            fragments=str(PROJECT / "conf" / "freeswitch"), leave_out=("xml_curl.conf.xml",),
            substitute={"ESL_PASSWORD": ESL_PASSWORD, "DOMAIN": REALM, "127.0.0.1:8084": f"127.0.0.1:{port}",
                        'value="from-trunk"': f'value="from-trunk{suffix}"',
                        # Fifty calls at once are a hundred sessions at once.
                        '"sessions-per-second" value="50"': '"sessions-per-second" value="500"'})
        try:
            self.node.start()
            self.daemon = Daemon(self.folder.name, self.node, port, self.documents, self.password, self.park,
                                 self.settings)
            if self.start_daemon:
                self.daemon.start(connected=self.password == ESL_PASSWORD)
        except BaseException:
            self.__exit__(True, None, None)
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            for phone in self.phones + self.helpers:
                phone.close()
            self._keep_logs(kind)
            self._end_daemon()
        finally:
            self.node.close()
            self.folder.cleanup()

    def _keep_logs(self, failed):
        keep = os.environ.get("LINEFINDER_LIVE_LOGS")
        if keep and failed:
            keep = Path(keep) / Bench.scenario
            self.node.collect_logs(keep)
            log = Path(self.folder.name) / "daemon.log"
            if log.is_file():
                (keep / "daemon.log").write_text(log.read_text(errors="replace"))

    def _end_daemon(self):
        if getattr(self, "daemon", None) and self.daemon.process:
            try:
                self.daemon.stop()
            except subprocess.TimeoutExpired:
                self.daemon.kill()

    def phone(self, user, policy=None, register=True, **options):
        phone = Phone(user=user, domain=REALM, password=f"secret-{user}", server=self.node.internal, policy=policy,
                      **options)
        self.phones.append(phone)
        if register:
            response = phone.register()
            assert response is not None and response.status == 200, f"REGISTER of {user}: {response}"
            assert self.daemon.process is None or self.daemon.process.poll() is not None or self.daemon.says(
                "regist", user), f"the daemon did not hear of {user}'s registration"
        return phone

    def carrier(self, **options):
        phone = Phone((CARRIER, 0), user="carrier", domain="carrier.test", server=self.node.external, **options)
        self.phones.append(phone)
        return phone
