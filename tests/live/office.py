"""The REST API and the figures of a daemon under test."""
import json
import os
from pathlib import Path
import re
import subprocess
import urllib.error
import urllib.request

from freeswitch import free_port


class Office:
    """Made before the daemon: settings for it, and the key of a master account in its store. `ask` after it runs."""

    def __init__(self, folder):
        store = Path(folder) / "store"
        made = subprocess.run([os.environ["LINEFINDER_BIN"], "account", "create", "Master", "--realm", "master.test",
                               "--store", str(store), "--json"], capture_output=True, text=True, timeout=60)
        assert made.returncode == 0, made.stdout + made.stderr
        self.key, self.token = json.loads(made.stdout)["api_key"], ""
        self.port, self.figures_port = free_port(), free_port()
        # Tests ask more often than clients may.
        self.settings = (f'[api]\nlisten = "127.0.0.1:{self.port}"\nrate_tokens = 0\n'
                         f'[metrics]\nlisten = "127.0.0.1:{self.figures_port}"\n')

    def answer(self, verb, path, data=None):
        """Status and envelope."""
        body = None if data is None else json.dumps({"data": data}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v2/{path}", body, method=verb, headers={
            "Content-Type": "application/json", **({"X-Auth-Token": self.token} if self.token else {})})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def ask(self, verb, path, data=None):
        """The envelope; what is no success is an error."""
        if not self.token and path != "api_auth":
            self.token = self.ask("PUT", "api_auth", {"api_key": self.key})["auth_token"]
        status, envelope = self.answer(verb, path, data)
        assert status < 300, f"{verb} {path}: {status} {envelope}"
        return envelope

    def figures(self):
        """Name (with labels) to value."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.figures_port}/metrics", timeout=10) as reply:
            text = reply.read().decode()
        rows = re.findall(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.M)
        return {name: float(value) for name, value in rows}

    def units(self):
        """Units of trunks in use."""
        return int(self.figures().get("linefinder_trunk_units", 0))
