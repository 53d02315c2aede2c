"""The machine of scripts/image-test: boots the image twice, with the plug pulled in between, and asks it as a client would."""

import http.client
import json
import pathlib
import re
import socket
import subprocess
import sys
import time

from screen import Screen

# An emulated machine beside other work on two cores.
BOOT_DEADLINE = 900.0
READ_DEADLINE = 120.0
ANSWER_DEADLINE = 15.0
TELL_EVERY = 15.0
MOST_EXPOSED = 2.0
GATEWAY, API = 8080, 8081
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
MACHINES = {
    "emulated": ["-accel", "tcg,thread=multi", "-cpu", "max"],
    "kvm": ["-accel", "kvm", "-cpu", "host"],
}

EVENTS = [
    {"eventId": "o-1", "userId": "ann", "itemId": "tea", "eventType": "purchased"},
    {"eventId": "o-2", "userId": "ann", "itemId": "cup", "eventType": "purchased"},
    {"eventId": "o-3", "userId": "cid", "itemId": "tea", "eventType": "purchased"},
    {"eventId": "o-4", "userId": "cid", "itemId": "cup", "eventType": "purchased"},
    {"eventId": "o-5", "userId": "bob", "itemId": "tea", "eventType": "viewed"},
]
LAST = {"eventId": "o-6", "userId": "bob", "itemId": "pot", "eventType": "viewed"}


class Trouble(Exception):
    """Something that a person has to know."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """One boot of the disk."""

    def __init__(self, work, machine, number, screen):
        self.work, self.machine, self.screen = pathlib.Path(work), machine, screen
        self.console, self.probe = self.work / f"console-{number}.log", self.work / f"probe-{number}.log"
        self.ports = {GATEWAY: free_port(), API: free_port()}
        self.key = None

    def __enter__(self):
        self.probe.touch()
        self.began = time.monotonic()
        self.child = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL)
        return self

    def __exit__(self, *failure):
        self.pull_the_plug()

    def command(self):
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{port}-:{inner}" for inner, port in self.ports.items())
        return [
            "qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-machine", "q35",
            *MACHINES[self.machine], "-smp", "2", "-m", "2G",
            "-kernel", self.work / "kernel", "-initrd", self.work / "initrd",
            "-append", "root=/dev/vda rw console=ttyS0 systemd.show_status=1",
            "-drive", f"file={self.work / 'disk'},if=virtio,format=raw,cache=writeback",
            # The node reaches nobody, and is reached through these ports alone.
            "-netdev", f"user,id=net,restrict=on{forwards}", "-device", "virtio-net-pci,netdev=net",
            "-device", "virtio-rng-pci", "-serial", f"file:{self.console}", "-serial", f"file:{self.probe}",
        ]

    def pull_the_plug(self):
        """Ends the machine at once: what its kernel had not written is gone."""
        self.child.kill()
        self.child.wait()

    def seconds(self):
        return time.monotonic() - self.began

    def wait(self, what, deadline, look):
        """Returns what `look` finds, once it finds anything; tells meanwhile where the machine is."""
        began = told = time.monotonic()
        while True:
            found = look()
            if found:
                return found
            now = time.monotonic()
            if self.child.poll() is not None:
                raise Trouble(f"the machine has ended by itself:\n{self.last_lines(30)}")
            if now - began > deadline:
                raise Trouble(f"{what}: not within {deadline:.0f} s; its console says at the end\n{self.last_lines(30)}")
            if now - told > TELL_EVERY:
                told = now
                self.screen.line(f"  {self.seconds():4.0f} s  waiting for {what}: {self.last_lines(1).strip()[:90]}")
            time.sleep(0.25)

    def last_lines(self, count):
        try:
            lines = COLOURS.sub("", self.console.read_text(errors="replace")).splitlines()
        except OSError:
            return ""
        return "\n".join("    " + line for line in [line for line in lines if line.strip()][-count:])

    def ask(self, inner, method, path, event=None, key=True):
        """One request; None if there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[inner], timeout=ANSWER_DEADLINE)
        headers = {"Authorization": f"Bearer {self.key}"} if key and self.key else {}
        body = None
        if event is not None:
            body, headers["Content-Type"] = json.dumps(event), "application/json"
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def is_ready(self, inner):
        answer = self.ask(inner, "GET", "/health/ready")
        return answer is not None and answer[0] == 200

    def facts(self):
        """What the probe has told, once it is done."""
        lines = [line.partition(" ") for line in self.probe.read_text(errors="replace").splitlines() if line]
        facts = [(name, text) for name, _, text in lines]
        return facts if ("done", "") in facts else None

    def send(self, event):
        """Posts one event. An answer that is not 202 is trouble; so is none."""
        answer = self.ask(GATEWAY, "POST", "/ingest", event)
        if answer is None or answer[0] != 202:
            raise Trouble(f"POST /ingest of {event['eventId']} answers {answer}")

    def history(self, user):
        answer = self.ask(API, "GET", f"/history/user/{user}")
        return {event["eventId"] for event in answer[1]["events"]} if answer and answer[0] == 200 else set()


class Proof:
    """The two boots, and what is asked of each."""

    def __init__(self, work, machine, screen):
        self.work, self.machine, self.screen = work, machine, screen
        self.failures = 0

    def check(self, holds, good, bad):
        if holds:
            self.screen.good(good)
        else:
            self.failures += 1
            self.screen.bad(bad)

    def come_up(self, node):
        """Waits for both listeners and the probe, and judges what it tells."""
        node.wait("the gateway", BOOT_DEADLINE, lambda: node.is_ready(GATEWAY))
        gateway = node.seconds()
        node.wait("the api", BOOT_DEADLINE, lambda: node.is_ready(API))
        self.screen.good(f"the gateway is ready {gateway:.0f} s after power on, the api after {node.seconds():.0f} s")
        facts = node.wait("the probe", BOOT_DEADLINE, node.facts)
        self.judge(facts)
        node.key = next(text for name, text in facts if name == "key")
        return facts

    def judge(self, facts):
        def told(wanted):
            return [text for name, text in facts if name == wanted]

        failed = told("failed")
        if failed:
            self.screen.line("\n".join(told("journal")))
        self.check(told("state") == ["running"] and not failed, "the system runs, and no unit has failed",
                   f"the system is {', '.join(told('state'))}; failed: {', '.join(failed) or 'none'}")
        kinds = [text.split()[0] for text in told("fetched")]
        self.check(kinds == ["tmpfs"] and told("operators") == ["with the token: yes, with another: no"],
                   f"the token of operators is fetched at boot into memory ({told('fetched')[0]}), and asked for",
                   f"secrets: {told('fetched')}; operators {told('operators')}")
        active = [text.split() for text in told("active")]
        self.check(all(state == "active" and restarts == "0" for _, state, restarts in active),
                   f"active, and never restarted: {', '.join(unit for unit, *_ in active)}",
                   f"not all units are well: {told('active')}")
        exposed = {unit: float(level) for unit, level in map(str.split, told("security"))}
        ours = {unit: level for unit, level in exposed.items() if unit.startswith("weir-")}
        self.check(ours and max(ours.values()) <= MOST_EXPOSED,
                   "exposure: " + ", ".join(f"{unit} {level}" for unit, level in exposed.items()),
                   f"more exposed than {MOST_EXPOSED}: {ours}")
        # A unit that has done its work has none, which is told in words.
        memory = [text.split() for text in told("memory") if text.split()[-1].isdigit()]
        self.screen.line("  memory: " + ", ".join(f"{unit} {int(used) >> 20} MiB" for unit, used in memory))
        for text in told("startup"):
            self.screen.line(f"  {text}")

    def send_and_read(self, node):
        refused = node.ask(GATEWAY, "POST", "/ingest", EVENTS[0], key=False)
        self.check(refused and refused[0] == 401, "an event without a key is refused", f"without a key: {refused}")
        node.wait("the key", READ_DEADLINE, lambda: (node.ask(GATEWAY, "POST", "/ingest", EVENTS[0]) or [0])[0] == 202)
        for event in EVENTS[1:]:
            node.send(event)
        self.screen.good(f"{len(EVENTS)} events are answered with 202")
        item = node.wait("the recommendation", READ_DEADLINE, lambda: recommended(node))
        self.check(item == "cup", "bob, who viewed the tea, is recommended the cup", f"bob is recommended {item}")

    def first(self):
        self.screen.heading("The first boot")
        with Node(self.work, self.machine, 1, self.screen) as node:
            facts = self.come_up(node)
            self.send_and_read(node)
            node.send(LAST)
            # Between its answer and this there is nothing that could write.
            node.pull_the_plug()
        self.screen.good("the plug is pulled just after the answer to a sixth event")
        return facts

    def second(self, before):
        self.screen.heading("The second boot")
        with Node(self.work, self.machine, 2, self.screen) as node:
            facts = self.come_up(node)
            self.check(machine_id(facts) == machine_id(before), "it is the machine that it was", "it has another machine id")
            wanted = {user: {event["eventId"] for event in [*EVENTS, LAST] if event["userId"] == user}
                      for user in ("ann", "bob", "cid")}
            node.wait("all events", READ_DEADLINE, lambda: all(node.history(user) == ids for user, ids in wanted.items()))
            self.screen.good("all six events are there, the last one too")
            item = node.wait("the recommendation", READ_DEADLINE, lambda: recommended(node))
            self.check(item == "cup", "bob is recommended the cup again", f"bob is recommended {item}")


def machine_id(facts):
    return next(text for name, text in facts if name == "machine")


def recommended(node):
    """The first item that bob is recommended because of his history; None while there is none."""
    answer = node.ask(API, "GET", "/recommendations/user/bob?limit=1")
    if answer is None or answer[0] != 200 or answer[1]["basis"] != "history" or not answer[1]["items"]:
        return None
    return answer[1]["items"][0]["itemId"]


def main():
    screen = Screen()
    proof = Proof(*sys.argv[1:3], screen)
    try:
        proof.second(proof.first())
    except Trouble as trouble:
        screen.bad(str(trouble))
        sys.exit(1)
    sys.exit(1 if proof.failures else 0)


main()
