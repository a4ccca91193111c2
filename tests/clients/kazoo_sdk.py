"""Every method of the PyPI client kazoo-sdk 0.2.4, against a daemon of its own.

    python3 -m venv /tmp/kz && /tmp/kz/bin/pip install kazoo-sdk==0.2.4
    /tmp/kz/bin/python tests/clients/kazoo_sdk.py target/debug/linefinder

Starts the daemon on a free port with a fresh store, and ends it. Exit code 0: everything worked.
"""

import io

import kazoo
import kazoo.exceptions
from daemon import ADMIN, PASSWORD, collections, crud, refused, running

BadData = kazoo.exceptions.KazooApiBadDataError
NUMBER = "+14155550100"


def logins(base, key):
    client = kazoo.Client(api_key=key, base_url=base)
    client.authenticate()
    # The client digests the name as it is typed.
    for name in (ADMIN, ADMIN.lower()):
        user = kazoo.Client(username=name, password=PASSWORD, account_name="MASTER!", base_url=base)
        assert user.authenticate()
    wrong = kazoo.Client(username=ADMIN, password="wrong", account_name="master", base_url=base)
    refused(Exception, wrong.authenticate)
    # A token that has died is followed by one silent login.
    user.auth_token = "stale"
    assert user.get_account(client.auth_data["data"]["account_id"])["data"]["name"] == "Master"
    assert user.auth_token != "stale"
    return client


def accounts(client):
    account = client.create_account({"name": "Acme Co", "realm": "acme.example.test"})["data"]["id"]
    assert client.get_account(account)["data"]["realm"] == "acme.example.test"
    updated = client.update_account(account, {"name": "Acme", "realm": "acme.example.test", "org": "Acme Inc"})
    assert updated["data"]["org"] == "Acme Inc"
    error = refused(BadData, client.create_account, {"realm": "x.example.test"})
    assert error.field_errors["name"]["required"]["message"] == "Field is required but missing", error.field_errors
    refused(BadData, client.create_account, {})
    master = client.auth_data["data"]["account_id"]
    for rows in (client.get_account_children(master)["data"], client.get_account_descendants(master)["data"]):
        assert [row["id"] for row in rows] == [account], rows
    assert client.get_account_children(account)["data"] == []
    # GET on all accounts is refused, in a form that the client can read.
    assert "invalid_method" in str(refused(kazoo.exceptions.KazooApiError, client.get_accounts))
    return account


def phones(client, account):
    person = {"first_name": "Ann", "last_name": "Lee", "username": "Ann", "password": "s3cretword"}
    ann = client.create_user(account, person)["data"]
    assert "password" not in ann and ann["username"] == "ann"
    phone = {"name": "Desk", "owner_id": ann["id"], "sip": {"username": "desk1", "password": "hunter22"}}
    phone = client.create_device(account, phone)["data"]
    assert [row["id"] for row in client.list_devices_by_owner(account, ann["id"])["data"]] == [phone["id"]]
    assert client.get_all_devices_status(account)["data"] == []
    assert client.get_hotdesk(account)["data"] == []
    client.update_device(account, phone["id"], {**phone, "hotdesk": {"users": {ann["id"]: {}}}})
    assert len(client.get_hotdesk(account)["data"]) == 1
    error = refused(BadData, client.create_device, account, {"name": "x", "sip": {"password": "abc"}})
    assert "minLength" in error.field_errors["sip.password"], error.field_errors
    error = refused(BadData, client.create_device, account, {})
    assert "required" in error.field_errors["name"], error.field_errors
    return ann["id"]


def numbers(client, account):
    assert client.create_phone_number(account, NUMBER)["data"]["state"] == "reserved"
    assert client.get_phone_number(account, NUMBER)["data"]["id"] == NUMBER
    assert client.activate_phone_number(account, NUMBER, {})["data"]["state"] == "in_service"
    assert client.reserve_phone_number(account, NUMBER, {})["data"]["state"] == "reserved"
    assert client.add_port_in_number(account, NUMBER, {"port": {"name": "x"}})["data"]["state"] == "port_in"
    assert client.update_phone_number(account, NUMBER, {"note": "main"})["data"]["note"] == "main"
    listed = client.get_phone_numbers(account)["data"]["numbers"]
    assert listed[NUMBER]["state"] == "port_in", listed
    refused(kazoo.exceptions.KazooApiError, client.create_phone_number, account, NUMBER)
    client.delete_phone_number(account, NUMBER)
    assert NUMBER not in client.get_phone_numbers(account)["data"]["numbers"]
    assert client.search_phone_numbers("415", 3)["data"] == []


def left_out(client, account):
    """What is not provided is refused in a form that the client can read; what the client can't do is its own fault."""
    error = kazoo.exceptions.KazooApiError
    for what in ("rates", "app", "service_plan", "queue"):
        listing = {"rates": "get_ratess"}.get(what, f"get_{what}s")
        refused(error, getattr(client, listing), account)
        refused(error, getattr(client, f"get_{what}"), account, "x")
        refused(error, getattr(client, f"create_{what}"), account, {"name": "x"})
        refused(error, getattr(client, f"update_{what}"), account, "x", {"name": "x"})
        refused(error, getattr(client, f"delete_{what}"), account, "x")
    refused(error, client.get_system_configs)
    refused(error, client.get_system_config, "x")
    refused(error, client.get_servers, account)
    refused(error, client.get_deployment, account, "x")
    refused(error, client.create_deployment, account, "x", {})
    refused(error, client.get_server_log, account)
    refused(error, client.delete_phone_number_doc, account, NUMBER, "x.pdf")
    for worked, answer in (client.list_apps(account), client.activate_app(account, "x"), client.manual_request("/nothing")):
        assert not worked and answer.json()["status"] == "error" and answer.json()["message"] == "not_found"
    worked, data = client.manual_request(f"/accounts/{account}/devices")
    assert worked and len(data) == 1
    for local in (lambda: client.list_child_accounts(account), lambda: client.upload_phone_number_file(account, NUMBER, "f", None), lambda: client.sup("a", "b", "c")):
        refused(Exception, local)


def sounds(client, account):
    made = client.create_media(account, {"name": "Greeting"})["data"]["id"]
    # The client sends no file.
    error = refused(BadData, client.upload_media_file, account, made, "f.mp3", io.BytesIO(b"x"))
    assert "required" in error.field_errors["file"], error.field_errors
    client.delete_media(account, made)


def main():
    with running() as (base, key):
        client = logins(base, key)
        account = accounts(client)
        user = phones(client, account)
        for what, data, changed, listing in collections(user):
            crud(client, [account], what, data, changed, listing)
        crud(client, [account], "group", {"name": "Sales", "endpoints": {user: {"type": "user"}}}, {"name": "Support"})
        crud(client, [account], "webhook", {"name": "Hook", "hook": "all", "uri": "https://hooks.example.test/"}, {"retries": 4})
        carrier = {"name": "Carrier", "gateways": [{"server": "sip.carrier.test"}]}
        crud(client, [account], "local_resource", carrier, {"weight_cost": 20})
        crud(client, [], "global_resource", carrier, {"weight_cost": 20})
        sounds(client, account)
        numbers(client, account)
        assert client.get_limits(account)["data"]["allow_prepay"] is True
        left_out(client, account)
        assert client.delete_account(account)["data"]["id"] == account
        refused(Exception, client.get_account, account)
    print("kazoo-sdk: all work done")


main()
