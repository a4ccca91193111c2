"""Account, device, user and callflow work with the PyPI client kazoo-sdk 0.2.4, against a daemon of its own.

    python3 -m venv /tmp/kz && /tmp/kz/bin/pip install kazoo-sdk==0.2.4
    /tmp/kz/bin/python tests/clients/kazoo_sdk.py target/debug/linefinder

Starts the daemon on a free port with a fresh store, and ends it. Exit code 0: everything worked.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time

import kazoo
import kazoo.exceptions


def start(program, folder):
    """A daemon with a master account; returns it, its port and the account's API key."""
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
        file.write("Sup3rSecret")
    made = subprocess.run(
        [program, "account", "create", "Master", "--realm", "master.example.test", "--admin", "admin", "--password-file", password],
        env=environment, check=True, capture_output=True, text=True)
    key = re.search(r"\b[0-9a-f]{64}\b", made.stdout).group(0)
    daemon = subprocess.Popen([program, "serve"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return daemon, port, key
        except OSError:
            time.sleep(0.1)
    daemon.kill()
    raise SystemExit("the daemon does not listen")


def refused(kind, work, *arguments):
    try:
        work(*arguments)
    except kind as error:
        return error
    raise AssertionError(f"{work.__name__}{arguments} was not refused")


def crud(client, account, what, data, changed, listing=None):
    """Create, list, fetch, replace and delete; returns nothing, leaves nothing."""
    call = lambda verb, *more: getattr(client, f"{verb}_{what}")(account, *more)
    made = call("create", data)["data"]
    for name, value in data.items():
        if not isinstance(value, (dict, list)):
            assert made[name] == value, (what, name, made)
    rows = getattr(client, listing or f"get_{what}s")(account)["data"]
    assert made["id"] in [row["id"] for row in rows], (what, rows)
    assert call("get", made["id"])["data"]["id"] == made["id"]
    after = call("update", made["id"], {**data, **changed})["data"]
    for name, value in changed.items():
        assert after[name] == value, (what, name, after)
    call("delete", made["id"])
    rows = getattr(client, listing or f"get_{what}s")(account)["data"]
    assert made["id"] not in [row["id"] for row in rows], (what, rows)


def work(base, key):
    client = kazoo.Client(api_key=key, base_url=base)
    client.authenticate()
    user = kazoo.Client(username="admin", password="Sup3rSecret", account_name="master", base_url=base)
    user.authenticate()
    wrong = kazoo.Client(username="admin", password="wrong", account_name="master", base_url=base)
    refused(Exception, wrong.authenticate)

    # accounts
    account = client.create_account({"name": "Acme Co", "realm": "acme.example.test"})["data"]["id"]
    assert client.get_account(account)["data"]["realm"] == "acme.example.test"
    updated = client.update_account(account, {"name": "Acme", "realm": "acme.example.test", "org": "Acme Inc"})
    assert updated["data"]["org"] == "Acme Inc"
    error = refused(kazoo.exceptions.KazooApiBadDataError, client.create_account, {"realm": "x.example.test"})
    assert error.field_errors["name"]["required"]["message"] == "Field is required but missing", error.field_errors

    # users, and what is theirs
    person = {"first_name": "Ann", "last_name": "Lee", "username": "ann", "password": "s3cretword"}
    ann = client.create_user(account, person)["data"]
    assert "password" not in ann and ann["username"] == "ann"
    phone = client.create_device(account, {"name": "Desk", "owner_id": ann["id"], "sip": {"username": "desk1", "password": "hunter22"}})["data"]
    assert [row["id"] for row in client.list_devices_by_owner(account, ann["id"])["data"]] == [phone["id"]]
    assert client.get_all_devices_status(account)["data"] == []
    client.get_hotdesk(account)
    error = refused(kazoo.exceptions.KazooApiBadDataError, client.create_device, account, {"name": "x", "sip": {"password": "abc"}})
    assert "minLength" in error.field_errors["sip.password"], error.field_errors

    # every collection
    flow = {"module": "user", "data": {"id": ann["id"]}}
    crud(client, account, "user", {"first_name": "Bo", "last_name": "Li"}, {"last_name": "Lim"})
    crud(client, account, "device", {"name": "Other"}, {"name": "Another"})
    crud(client, account, "callflow", {"name": "main", "numbers": ["100"], "flow": flow}, {"numbers": ["101"]})
    crud(client, account, "conference", {"name": "Room"}, {"name": "Hall"})
    crud(client, account, "directory", {"name": "People"}, {"sort_by": "first_name"}, "get_directories")
    crud(client, account, "group", {"name": "Sales", "endpoints": {ann["id"]: {"type": "user"}}}, {"name": "Support"})
    crud(client, account, "menu", {"name": "Day"}, {"retries": 5})
    crud(client, account, "temporal_rule", {"name": "Open", "cycle": "weekly", "wdays": ["monday"]}, {"interval": 2})
    crud(client, account, "voicemail_box", {"name": "Box", "mailbox": "100"}, {"pin": "1234"}, "get_voicemail_boxes")
    crud(client, account, "webhook", {"name": "Hook", "hook": "all", "uri": "https://hooks.example.test/"}, {"retries": 4})
    crud(client, account, "local_resource", {"name": "Carrier", "gateways": [{"server": "sip.carrier.test"}]}, {"weight_cost": 20})

    # numbers, limits
    client.create_phone_number(account, "+14155550100")
    client.activate_phone_number(account, "+14155550100", {})
    numbers = client.get_phone_numbers(account)["data"]["numbers"]
    assert numbers["+14155550100"]["state"] == "in_service", numbers
    client.delete_phone_number(account, "+14155550100")
    assert client.search_phone_numbers("415", 3)["data"] == []
    assert client.get_limits(account)["data"]["allow_prepay"] is True

    # what is not provided is refused in a form that the client can read
    refused(Exception, client.get_accounts)
    refused(Exception, client.get_servers, account)

    # the account goes, its children first
    rows = client.get_account_descendants(client.get_account_children(account) and account)["data"]
    assert rows == [], rows
    client.delete_device(account, phone["id"])
    client.delete_account(account)
    refused(Exception, client.get_account, account)


def main():
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/debug/linefinder")
    with tempfile.TemporaryDirectory() as folder:
        daemon, port, key = start(program, folder)
        try:
            work(f"http://127.0.0.1:{port}/v2", key)
        finally:
            daemon.terminate()
            daemon.wait(30)
    print("kazoo-sdk: all work done")


main()
