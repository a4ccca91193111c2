#!/usr/bin/env python3
"""Kamailio's drouting on the rules of `cargo bench --bench carriers`, in the same run.

    benches/peers/drouting.py [--install]

Runs the bench, gives its 400,000 prefixes and its numbers to a Kamailio on 127.0.0.1 (Debian's packages kamailio and
kamailio-extra-modules; --install fetches them with apt-get), and prints both figures. Kamailio reads the rules from
db_text files. Each number comes in an OPTIONS over UDP; what is measured is Kamailio's own `benchmark` module around
do_routing() alone, in microseconds, so that no SIP and no socket are in the figure. do_routing chooses the one carrier
of the longest prefix that fits and rewrites the request URI; Linefinder's figure is a whole selection: every carrier
that has a rule, flags, classes, caller rules, order, and the number each is sent.

What it starts it ends, by its process id.
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ASKED = 20_000
# Shared memory and each process's own, in MB: the trie takes some hundred bytes for each digit of each prefix.
SHARED, PRIVATE = 3000, 512

CONFIG = """
debug=2
log_stderror=yes
children=1
listen=udp:127.0.0.1:{port}
disable_tcp=yes
auto_aliases=no
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "xlog.so"
loadmodule "db_text.so"
loadmodule "benchmark.so"
loadmodule "drouting.so"
modparam("db_text", "db_mode", 0)
modparam("db_text", "file_buffer_size", 65536)
modparam("db_text", "max_result_rows", 1000000)
modparam("benchmark", "enable", 1)
modparam("benchmark", "granularity", 1)
modparam("benchmark", "loglevel", 1)
modparam("drouting", "db_url", "text://{folder}/db")
modparam("drouting", "drd_table", "dr_gateways")
modparam("drouting", "drr_table", "dr_rules")
modparam("drouting", "drg_table", "dr_groups")
modparam("drouting", "drl_table", "dr_gw_lists")
request_route {{
  bm_start_timer("routing");
  $var(found) = 0;
  if (do_routing("0")) {{ $var(found) = 1; }}
  bm_log_timer("routing");
  if ($var(found) == 1) {{ sl_send_reply("200", "$ru"); }} else {{ sl_send_reply("404", "None"); }}
}}
"""


def tables(folder, rules):
    """The four tables of drouting as db_text files."""
    db = folder / "db"
    db.mkdir()
    (db / "version").write_text(
        "table_name(string) table_version(int)\ndr_gateways:3\ndr_rules:3\ndr_groups:2\ndr_gw_lists:1\n")
    carriers = sorted({int(line.split("\t")[1]) for line in rules})
    head = "gwid(int,auto) type(int) address(string) strip(int) pri_prefix(string,null) attrs(string,null) description(string)\n"
    (db / "dr_gateways").write_text(head + "".join(f"{c + 1}:0:192.0.2.{c + 1}:0:::c{c}\n" for c in carriers))
    (db / "dr_gw_lists").write_text("id(int,auto) gwlist(string) description(string)\n")
    (db / "dr_groups").write_text("id(int,auto) username(string) domain(string) groupid(int) description(string)\n")
    with open(db / "dr_rules", "w") as out:
        out.write("ruleid(int,auto) groupid(string) prefix(string) timerec(string,null) priority(int) routeid(string) "
                  "gwlist(string) description(string,null)\n")
        for at, line in enumerate(rules):
            prefix, carrier = line.split("\t")
            out.write(f"{at + 1}:0:{prefix}:\\0:{1 + int(carrier) % 90}:0:{int(carrier) + 1}:\n")


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def options(number, at, port, mine):
    return (f"OPTIONS sip:{number.lstrip('+')}@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{mine};branch=z9hG4bK{at}\r\n"
            f"From: <sip:a@b>;tag={at}\r\nTo: <sip:{number.lstrip('+')}@b>\r\nCall-ID: {at}@b\r\nCSeq: 1 OPTIONS\r\n"
            f"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode()


def reply(own, port, request, at):
    """Its answer; asks again when a datagram was lost, and leaves late answers to others alone."""
    for _ in range(30):
        own.sendto(request, ("127.0.0.1", port))
        try:
            while True:
                answer = own.recv(4096)
                if f"\r\nCall-ID: {at}@b\r\n".encode() in answer:
                    return answer
        except TimeoutError:
            continue
    sys.exit(f"Kamailio does not answer request {at}")


def ask(port, numbers):
    """Asks for each number, one after the other; returns how many had a carrier."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        own.settimeout(2)
        mine, found = own.getsockname()[1], 0
        for at, number in enumerate(numbers):
            found += reply(own, port, options(number, at, port, mine), at).startswith(b"SIP/2.0 200")
        return found


def resident(pid):
    """Shared memory that the busiest of a process's children has in use, kB: the rules are there."""
    most = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if re.search(rf"^PPid:\s+{pid}$", text, re.M):
            most = max(most, int(re.search(r"^RssShmem:\s+(\d+)", text, re.M).group(1)))
    return most


def ready(process, port, log):
    """Waits until it answers; the seconds that took."""
    begin = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        own.settimeout(2)
        while time.monotonic() - begin < 900:
            if process.poll() is not None:
                sys.exit(f"Kamailio ended:\n{log.read_text()[-3000:]}")
            try:
                own.sendto(options("1", "probe", port, own.getsockname()[1]), ("127.0.0.1", port))
                own.recv(4096)
                return time.monotonic() - begin
            except TimeoutError:
                continue
            except ConnectionError:
                time.sleep(0.2)
    sys.exit("Kamailio does not answer")


def kamailio(folder, rules, numbers):
    tables(folder, rules)
    port, log = free_port(), folder / "log"
    config = folder / "kamailio.cfg"
    config.write_text(CONFIG.format(port=port, folder=folder))
    command = ["kamailio", "-DD", "-E", "-f", str(config), "-m", str(SHARED), "-M", str(PRIVATE),
               "-P", str(folder / "pid"), "-Y", str(folder)]
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        loaded = ready(process, port, log)
        found = ask(port, numbers)
        memory = resident(process.pid)
    finally:
        process.terminate()
        process.wait(60)
    times = [int(us) for us in re.findall(r"benchmark \(timer routing \[\d+\]\): (\d+) ", log.read_text())]
    times = sorted(times[-len(numbers):])
    assert len(times) == len(numbers), f"{len(times)} times in the log, expected {len(numbers)}"
    return loaded, memory, found, times[len(times) // 2], times[len(times) * 99 // 100]


def main():
    if "--install" in sys.argv:
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "kamailio", "kamailio-extra-modules"], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / "rules", folder / "numbers"]
        bench = os.environ.get("CARRIERS_BENCH")
        command = [bench] if bench else ["cargo", "bench", "--bench", "carriers", "--"]
        arguments = ["--rules", str(files[0]), "--numbers", str(files[1])]
        ours = subprocess.run(command + arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
        rules, numbers = (file.read_text().splitlines() for file in files)
        loaded, memory, found, median, p99 = kamailio(folder, rules, numbers[:ASKED])
    print("Linefinder, a whole selection")
    print(ours)
    print(f"Kamailio drouting, do_routing() alone: {len(rules)} rules, {ASKED} numbers, {found} with a carrier")
    print(f"  start and load         {loaded:>8.2f} s")
    print(f"  memory                 {memory * 1024 / len(rules):>8.0f} bytes a rule (shared memory)")
    print(f"  do_routing, median     {median:>8} µs (the clock counts whole microseconds)")
    print(f"  do_routing, p99        {p99:>8} µs")


if __name__ == "__main__":
    main()
