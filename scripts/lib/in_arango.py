"""The part of the demo that ArangoDB plays: the graph is there too, and answers when nothing else can."""

import time

from service import Api, Trouble

FOLLOW_DEADLINE = 120.0
# Only redeliveries take so long.
NOTABLE_WAIT = 10.0


class InArango:
    """Its chapters; the demo tells them after its own."""

    def __init__(self, demo, server, prefix):
        self.demo, self.screen, self.server = demo, demo.screen, server
        self.database, self.stand_in = f"{prefix}_g1", server.is_stand_in()

    def introduce(self):
        what = "a STAND-IN for ArangoDB (not a real server)" if self.stand_in else "ArangoDB"
        self.screen.good(f"{what} {self.server.version()} at {self.server.url} takes the graph too, in {self.database}")

    def counts(self, when=""):
        """Waits until the database has everything, and compares it with the graph in memory."""
        self.screen.heading(f"The same graph in the database {self.database}{when}")
        began = time.perf_counter()
        graph = self.followed()
        seconds = time.perf_counter() - began
        memory = {name: count for name, count in self.demo.graph()["documents"].items() if count}
        there = {name: self.server.count(self.database, name) for name in memory}
        self.screen.rows([(name, f"{count:,}", "in memory", f"{there[name]:,}", "in the database")
                          for name, count in memory.items()])
        waited = f", {seconds:.1f} s after the graph in memory" if seconds >= 0.1 else ""
        if seconds >= NOTABLE_WAIT:
            waited += " (what killed workers had in hand comes again after projector.ack_wait, 30 s)"
        self.demo.check(there == memory, f"all {sum(there.values()):,} documents are there{waited}",
                        "the database holds another number of documents")
        aside = {name: graph.get(name) for name in ("retrying", "parked") if graph.get(name)}
        self.demo.check(not aside, "no event waits to be tried again, and none was set aside", f"set aside: {aside}")

    def followed(self):
        """Waits until the workers have brought everything into the database."""
        began = time.monotonic()
        while True:
            graph = next((graph for graph in self.demo.status()["generations"] if graph["store"] == "arangodb"), None)
            if graph and graph["phase"] == "live" and graph["lag"] == 0:
                return graph
            if time.monotonic() - began > FOLLOW_DEADLINE:
                why = (graph or {}).get("waiting") or (graph or {}).get("lastFailure") or "see .demo/weir.log"
                raise Trouble(f"the database does not follow the log: {why}")
            time.sleep(0.05)

    def answers(self, user):
        """Starts an API that holds recent days alone in memory: what is older it reads from the database."""
        self.screen.heading("A weir api of its own, which holds only the last day in memory")
        here = self.demo.recommendations(user)
        nats = self.demo.status()["nats"]["url"]
        with Api(self.demo.service, nats) as api:
            self.screen.good(f"ready after {api.seconds:.1f} s")
            client = api.client()
            began = time.perf_counter()
            answer = client.get("recommendations", "user", user, limit=8)
            took = time.perf_counter() - began
            self.demo.show(answer["items"][:4])
            slow = "; the stand-in has no indexes" if self.stand_in else ""
            self.demo.check(answer["source"] == "arangodb",
                            f"answered from the database in {took * 1e3:.1f} ms (\"source\":\"arangodb\"{slow})",
                            f"the answer is from {answer['source']!r}, not from the database")
            same = [item["itemId"] for item in answer["items"]] == [item["itemId"] for item in here["items"]]
            self.screen.line("  the same films as from memory" if same else
                             "  not all of the films that memory names: an answer from the database looks at less")
            page = client.get("history", "user", user, limit=1000)
            mine = self.demo.api.get("history", "user", user, limit=1000)
            self.demo.check(page["events"] == mine["events"],
                            f"and the history, {len(page['events'])} events, is the same one",
                            "but the history there is another one")
