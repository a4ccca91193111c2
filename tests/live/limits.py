"""Limits at their edge, and what is counted after a crash; `scenarios.py` runs them."""
import time

from bench import CARRIER, PBX
from carriers import TrunkCalls, resource
from freeswitch import free_port
from sip_call import ring
from trunks import DID, Sipp, server, trunks

RINGS = "+12125550101"
FAR_RINGS = "+14155550188"
QUIET = "[fraud]\nenabled = false\n"


def limits(**most):
    return {"type": "limits", "account_id": "acme", "id": "limits", **most}


class Both(TrunkCalls):
    """A PBX and a carrier that answer, by SIPp; and another of each that rings for ever (its number says which)."""

    def __init__(self, most, park=False, **more):
        ports = {name: free_port(ip) for name, ip in (("pbx", PBX), ("ring", PBX), ("c1", CARRIER), ("c2", CARRIER))}
        servers = [server("answers", ports["pbx"]), server("rings", ports["ring"], did={RINGS: {}})]
        carriers = [resource("c1", ports["c1"], r"^(\+1312\d{7})$", progress_timeout=20),
                    resource("c2", ports["c2"], r"^(\+1415\d{7})$", progress_timeout=20)]
        super().__init__(trunks(*servers, carriers=carriers, more=[limits(**most)]), park=park, tables=QUIET, **more)
        self.ports = ports

    def __enter__(self):
        super().__enter__()
        self.pbx = Sipp(self, "answers", PBX, self.ports["pbx"])
        self.far = Sipp(self, "answers", CARRIER, self.ports["c1"])
        self.ringing = [self.at(PBX, self.ports["ring"], ring(), media=False),
                        self.at(CARRIER, self.ports["c2"], ring(), media=False)]
        return self

    def come(self, count, hold, number=DID):
        return Sipp(self, "calls", CARRIER, target=self.node.external, number=number, calls=count, HOLD=hold,
                    CALLER="+13125550199")

    def leave(self, count, hold, number="+13125550188"):
        return Sipp(self, "calls", PBX, target=self.node.external, number=number, calls=count, HOLD=hold,
                    CALLER="2125550100")

    def wait_up(self, *callers, count, timeout=30):
        """Until they have that many answered calls together."""
        up = lambda: sum(caller.statuses().count(200) for caller in callers)
        assert self.daemon.wait(lambda: up() >= count, timeout, f"{count} calls", strict=False), f"{up()} of {count}"
        assert up() == count, f"{up()} calls instead of {count}"

    def wait_units(self, count, what, timeout=15):
        assert self.daemon.wait(lambda: self.office.units() == count, timeout, what, strict=False), \
            f"{what}: {self.office.units()} units instead of {count}"


def told(*callers):
    statuses = [status for caller in callers for status in caller.wait(60).statuses()]
    return {status: statuses.count(status) for status in set(statuses)}


def _mixed(park):
    """Twenty-five come and twenty-five leave at once, for ten two-way trunks."""
    with Both({"twoway_trunks": 10}, park) as bench:
        inward, outward = bench.come(25, 5000), bench.leave(25, 5000)
        bench.wait_up(inward, outward, count=10)
        assert bench.office.units() == 10, bench.office.units()
        came, left = told(inward), told(outward)
        assert came.get(200, 0) + left.get(200, 0) == 10, (came, left)
        assert set(came) <= {200, 486} and set(left) <= {200, 403}, (came, left)
        assert came.get(486, 0) + left.get(403, 0) == 40, (came, left)
        assert len(bench.pbx.invited()) + len(bench.far.invited()) == 10
        bench.idle()
        assert told(bench.come(1, 200)) == {200: 1}


def limit_of_both_directions():
    _mixed(False)


def limit_of_both_directions_parked():
    _mixed(True)


def limit_of_each_direction():
    """Inbound and outbound trunks of their own, two-way trunks for what is over, and a burst over all."""
    most = {"inbound_trunks": 4, "outbound_trunks": 3, "twoway_trunks": 5, "burst_trunks": 6}
    with Both(most) as bench:
        inward, outward = bench.come(25, 6000), bench.leave(25, 6000)
        bench.wait_up(inward, outward, count=18)
        came, left = told(inward), told(outward)
        assert came.get(200, 0) + left.get(200, 0) == 18, (came, left)
        assert came.get(200, 0) >= 4 and left.get(200, 0) >= 3, (came, left)
        bench.idle()


def limit_at_the_edge_of_a_burst():
    """Fifty at once where ten and a burst of five are sold: fifteen."""
    with Both({"twoway_trunks": 10, "burst_trunks": 5}) as bench:
        inward = bench.come(50, 5000)
        bench.wait_up(inward, count=15)
        assert bench.daemon.says("flat_rate_burst"), "nothing is said of a burst"
        assert told(inward) == {200: 15, 486: 35}
        assert len(bench.pbx.invited()) == 15
        bench.idle()


def limit_of_calls_that_ring():
    """Who rings counts, and who gives up makes room at once."""
    with Both({"twoway_trunks": 2}) as bench:
        carrier = bench.at(CARRIER)
        first, second = carrier.call(RINGS), carrier.call(RINGS)
        assert first.wait_ringing() and second.wait_ringing()
        assert bench.ringing[0].wait_until(lambda: len(bench.ringing[0].calls) == 2)
        assert told(bench.come(1, 200)) == {486: 1}
        assert first.cancel()
        bench.wait_units(1, "one unit")
        assert told(bench.come(1, 200)) == {200: 1}
        assert second.cancel()
        bench.idle()


def _hundred(bench):
    """Forty-five each way that talk, five each way that ring."""
    callers = bench.come(45, 40000), bench.leave(45, 40000)
    bench.wait_up(*callers, count=90)
    carrier, pbx = bench.at(CARRIER, media=False), bench.at(PBX, media=False)
    ringing = [caller.call(number) for caller, number in ((carrier, RINGS), (pbx, FAR_RINGS)) for _ in range(5)]
    for call in ringing:
        assert call.wait_ringing(), call.responses
    for phone in bench.ringing:
        assert phone.wait_until(lambda: len(phone.calls) == 5), len(phone.calls)
    bench.wait_units(100, "before")
    assert bench.daemon.wait(lambda: bench.node.channels() == 200, 10, "the legs", strict=False), bench.node.channels()
    return callers, ringing


def _killed_with_a_hundred_calls(park):
    """kill -9: the calls live on, the next daemon counts exactly them, and at the end nothing is counted."""
    with Both({"twoway_trunks": 101}, park) as bench:
        callers, ringing = _hundred(bench)
        bench.daemon.kill()
        time.sleep(1)
        assert bench.node.channels() == 200, f"of 200 legs {bench.node.channels()} outlived the daemon"
        bench.daemon.start()
        bench.wait_units(100, "after the restart")
        # One more fits, not two.
        assert told(bench.come(2, 300)) == {200: 1, 486: 1}
        bench.wait_units(100, "after another call")
        # Of those that ring some are answered and talk, the others are given up.
        for phone in bench.ringing:
            phone.calls[0].reply(200)
        both = [ringing[:5], ringing[5:]]
        talks = lambda: [call for calls in both for call in calls if call.state == "up"]
        assert bench.daemon.wait(lambda: len(talks()) == 2, 10, "two", strict=False), "a call that rang was lost"
        for call in ringing:
            if call.state != "up":
                assert call.cancel(), "a caller can't give up"
        bench.wait_units(92, "after eight gave up")
        first, second = talks()
        first.bye()
        bench.ringing[1].calls[0].bye()
        assert second.wait_ended(), "the caller is left on the line"
        bench.wait_units(90, "after two more have ended")
        assert told(*callers) == {200: 90}
        bench.idle()


def killed_with_a_hundred_calls():
    _killed_with_a_hundred_calls(False)


def killed_with_a_hundred_calls_parked():
    _killed_with_a_hundred_calls(True)


def freeswitch_killed_with_a_hundred_calls():
    """A crash of FreeSWITCH: when it is back, without its calls, nothing is counted."""
    with Both({"twoway_trunks": 101}) as bench:
        _, ringing = _hundred(bench)
        bench.node.kill_hard()
        for call in ringing:
            call.end("remote")
        for phone in bench.ringing:
            for call in phone.calls:
                call.end("remote")
        bench.node.start(fresh=False)
        bench.wait_units(0, "after the crash", 40)
        assert told(bench.come(1, 200)) == {200: 1}
        bench.idle()


SCENARIOS = [limit_of_both_directions, limit_of_both_directions_parked, limit_of_each_direction,
             limit_at_the_edge_of_a_burst, limit_of_calls_that_ring, killed_with_a_hundred_calls,
             killed_with_a_hundred_calls_parked, freeswitch_killed_with_a_hundred_calls]
