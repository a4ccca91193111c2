"""Every method of the PyPI client kazoo-api 0.1.5, against a daemon of its own.

    pip download --no-deps --no-binary :all: kazoo-api==0.1.5 && tar xzf kazoo-api-0.1.5.tar.gz
    python3 tests/clients/kazoo_api.py target/debug/linefinder kazoo-api-0.1.5

It is of Python 2's time: a copy is brought to Python 3 first, in nothing but what no longer runs. Needs `requests`.
"""

import os
import shutil
import sys
import tempfile

from daemon import ADMIN, PASSWORD, collections, crud, refused, running

NUMBER = "+14155550100"

# What Python 3 or today's requests no longer has.
PORTED = {
    "__init__.py": [("from client import", "from kazoo.client import")],
    "client.py": [
        ("class Client(object):", "class Client(object, metaclass=RestClientMetaClass):"),
        ("__metaclass__ = RestClientMetaClass", "pass"),
        ("exec func in d", "exec(func, d)"),
    ],
    "rest_resources.py": [('hasattr(view_desc, "has_key")', "isinstance(view_desc, dict)")],
    "request_objects.py": [
        ("import urllib\n", "import urllib.parse\n"),
        ("urllib.urlencode", "urllib.parse.urlencode"),
        ("raw_response.json[", "raw_response.json()["),
        ("if raw_response.json:", "if raw_response.json():"),
        ("response = raw_response.json\n", "response = raw_response.json()\n"),
        ('.format(self.username, self.password))', '.format(self.username, self.password).encode())'),
    ],
}


def ported(source, folder):
    target = os.path.join(folder, "kazoo")
    shutil.copytree(os.path.join(source, "kazoo"), target)
    for name, changes in PORTED.items():
        path = os.path.join(target, name)
        with open(path) as file:
            text = file.read()
        for old, new in changes:
            assert old in text, (name, old)
            text = text.replace(old, new)
        with open(path, "w") as file:
            file.write(text)
    sys.path.insert(0, folder)


def work(kazoo, exceptions, base, key):
    kazoo.Client.BASE_URL = base
    client = kazoo.Client(api_key=key)
    client.authenticate()
    user = kazoo.Client(username=ADMIN, password=PASSWORD, account_name="master")
    assert user.authenticate()
    refused(exceptions.KazooApiError, kazoo.Client(username=ADMIN, password="wrong", account_name="master").authenticate)
    account = client.auth_data["data"]["account_id"]
    fetched = client.get_account(account)["data"]
    assert client.update_account(account, {**fetched, "org": "Acme"})["data"]["org"] == "Acme"
    assert client.get_account_children(account)["data"] == []
    assert client.get_account_descendants(account)["data"] == []
    person = client.create_user(account, {"first_name": "Ann", "last_name": "Lee"})["data"]["id"]
    for what, data, changed, listing in collections(person):
        crud(client, [account], what, data, changed, listing)
    carrier = {"name": "Carrier", "gateways": [{"server": "sip.carrier.test"}]}
    crud(client, [account], "local_resource", carrier, {"weight_cost": 20})
    crud(client, [account], "global_resource", carrier, {"weight_cost": 20})
    assert client.get_all_devices_status(account)["data"] == []
    assert client.get_hotdesk(account)["data"] == []
    assert client.get_limits(account)["data"]["allow_prepay"] is True
    assert client.create_phone_number(account, NUMBER)["data"]["state"] == "reserved"
    assert client.activate_phone_number(account, NUMBER, {})["data"]["state"] == "in_service"
    assert client.reserve_phone_number(account, NUMBER, {})["data"]["state"] == "reserved"
    assert client.add_port_in_number(account, NUMBER, {"port": 1})["data"]["state"] == "port_in"
    assert client.update_phone_number(account, NUMBER, {"note": "main"})["data"]["note"] == "main"
    assert NUMBER in client.get_phone_numbers(account)["data"]["numbers"]
    client.delete_phone_number(account, NUMBER)
    assert client.search_phone_numbers("415", 3)["data"] == []
    error = refused(exceptions.KazooApiBadDataError, client.create_device, account, {"name": "x", "sip": {"password": "abc"}})
    assert "minLength" in error.field_errors["sip.password"], error.field_errors
    refused(exceptions.KazooApiError, client.get_queues, account)
    refused(exceptions.KazooApiError, client.get_servers, account)
    refused(exceptions.KazooApiError, client.delete_phone_number_doc, account, NUMBER, "x.pdf")


def main():
    with tempfile.TemporaryDirectory() as folder:
        ported(sys.argv[2], folder)
        import kazoo
        import kazoo.exceptions as exceptions
        with running() as (base, key):
            work(kazoo, exceptions, base, key)
    print("kazoo-api: all work done")


main()
