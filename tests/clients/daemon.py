"""A daemon with a master account of its own, for the scripts beside this one."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

ADMIN, PASSWORD = "Admin", "Sup3rSecret"


@contextlib.contextmanager
def running():
    """Starts the program that the command line names on a free port; gives the API's base and the account's key."""
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/debug/linefinder")
    with tempfile.TemporaryDirectory() as folder:
        daemon, port, key = start(program, folder)
        try:
            yield f"http://127.0.0.1:{port}/v2", key
        finally:
            daemon.terminate()
            daemon.wait(30)


def start(program, folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "LINEFINDER_STORE__PATH": os.path.join(folder, "store"),
        "LINEFINDER_API__LISTEN": f"127.0.0.1:{port}",
        "LINEFINDER_API__RATE_TOKENS": "0",
        "LINEFINDER_HANDOFF__SOCKET": "false",
    }
    environment = {**os.environ, **settings}
    password = os.path.join(folder, "password")
    with open(password, "w") as file:
        file.write(PASSWORD)
    made = subprocess.run(
        [program, "account", "create", "Master", "--realm", "master.example.test", "--admin", ADMIN, "--password-file", password],
        env=environment, check=True, capture_output=True, text=True)
    key = re.search(r"\b[0-9a-f]{64}\b", made.stdout).group(0)
    daemon = subprocess.Popen([program, "serve"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return daemon, port, key
        time.sleep(0.1)
    daemon.kill()
    raise SystemExit("the daemon does not listen")


def refused(kind, work, *arguments):
    """The error that work ends with; it is one if it does not."""
    try:
        work(*arguments)
    except kind as error:
        return error
    raise AssertionError(f"{work.__name__}{arguments} was not refused")


def crud(client, account, what, data, changed, listing=None):
    """Create, list, fetch, replace and delete by the methods that both clients name alike; leaves nothing.

    account: the arguments before the id, none for what belongs to no account."""
    call = lambda verb, *more: getattr(client, f"{verb}_{what}")(*account, *more)
    rows = lambda: getattr(client, listing or f"get_{what}s")(*account)["data"]
    made = call("create", data)["data"]
    for name, value in data.items():
        if not isinstance(value, (dict, list)):
            assert made[name] == value, (what, name, made)
    assert made["id"] in [row["id"] for row in rows()], (what, rows())
    assert call("get", made["id"])["data"]["id"] == made["id"]
    after = call("update", made["id"], {**data, **changed})["data"]
    for name, value in changed.items():
        assert after[name] == value, (what, name, after)
    gone = call("delete", made["id"])
    assert gone["status"] == "success"
    assert made["id"] not in [row["id"] for row in rows()], (what, rows())


def collections(user):
    """What both clients have five methods for: name, data, change, name of the listing."""
    flow = {"module": "user", "data": {"id": user}}
    return [
        ("user", {"first_name": "Bo", "last_name": "Li"}, {"last_name": "Lim"}, None),
        ("device", {"name": "Other"}, {"name": "Another"}, None),
        ("callflow", {"name": "main", "numbers": ["100"], "flow": flow}, {"numbers": ["101"]}, None),
        ("conference", {"name": "Room"}, {"name": "Hall"}, None),
        ("directory", {"name": "People"}, {"sort_by": "first_name"}, "get_directories"),
        ("media", {"name": "Hello"}, {"name": "Bye"}, "get_all_media"),
        ("menu", {"name": "Day"}, {"retries": 5}, None),
        ("temporal_rule", {"name": "Open", "cycle": "weekly", "wdays": ["monday"]}, {"interval": 2}, None),
        ("voicemail_box", {"name": "Box", "mailbox": "100"}, {"pin": "1234"}, "get_voicemail_boxes"),
    ]
