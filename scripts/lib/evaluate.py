"""The evaluation of recommendations: scripts/evaluate runs it, after it has prepared and built everything."""

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import movielens
from baselines import ItemKnn, Popularity, hold_out, quality

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / "target/release/weir"
LIMIT = 10
BATCH = 1_000
START_DEADLINE = 60.0
SETTLE_DEADLINE = 120.0
STOP_DEADLINE = 30.0
# What weir promises of its hit rate; popularity, which needs no neighbours, gives less than half.
PROMISED_HIT_RATE = 0.12


class Listener:
    """One kept connection to one listener."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=60)

    def ask(self, method, path, body=None, content_type=None):
        """Returns status and JSON of the answer."""
        if self.connection.sock is None:
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.request(method, path, body, {"Content-Type": content_type} if content_type else {})
        with self.connection.getresponse() as response:
            return response.status, json.loads(response.read())

    def get(self, path):
        """Returns the JSON of a read that must succeed."""
        status, answer = self.ask("GET", path)
        if status != 200:
            raise SystemExit(f"GET {path} answers {status}: {answer.get('detail', answer)}")
        return answer

    def is_ready(self):
        try:
            return self.ask("GET", "/health/ready")[0] == 200
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return False


class Weir:
    """A weir of its own, on free ports and in a folder that goes away with it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="weir-evaluate-")
        self.address, self.admin_address = free_addresses(2)
        self.log = Path(self.folder.name, "weir.log")

    def __enter__(self):
        # Settings of this shell are for another weir; the server's place is the machine's.
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("WEIR_") or name == "WEIR_NATS_SERVER"}
        with self.log.open("wb") as log:
            self.child = subprocess.Popen(
                [BINARY, "dev", "--data-dir", Path(self.folder.name, "data"),
                 "--listen", self.address, "--admin-listen", self.admin_address],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self):
        listener = Listener(self.address)
        ends = time.monotonic() + START_DEADLINE
        while not listener.is_ready():
            if self.child.poll() is not None or time.monotonic() > ends:
                lines = self.log.read_text(errors="replace").splitlines()[-8:]
                raise SystemExit("weir does not become ready; its last lines are\n" + "\n".join(lines))
            time.sleep(0.05)

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.folder.cleanup()


def free_addresses(count):
    """Returns addresses on this machine that nobody listens on; they are held until all are found."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{held.getsockname()[1]}" for held in sockets]
    for held in sockets:
        held.close()
    return addresses


def send(listener, known):
    """Sends the ratings as views, in order of time; every one must be accepted."""
    for begin in range(0, len(known), BATCH):
        lines = "\n".join(json.dumps(view(rating)) for rating in known[begin : begin + BATCH])
        status, answer = listener.ask("POST", "/ingest", lines.encode(), "application/x-ndjson")
        if status != 202:
            raise SystemExit(f"POST /ingest answers {status}: {json.dumps(answer)[:500]}")


def view(rating):
    return {
        "eventId": f"ml-{rating.user}-{rating.item}",
        "userId": rating.user,
        "itemId": rating.item,
        "eventType": "viewed",
        "timestamp": rating.timestamp,
    }


def settle(admin, events):
    """Waits until all events are in the stream and in the graph."""
    ends = time.monotonic() + SETTLE_DEADLINE
    while True:
        status = admin.get("/admin/status")
        first, last = status["generations"][0], status["nats"]["lastSeq"]
        if last >= events and first["lag"] == 0 and first["appliedThrough"] == last:
            return
        if time.monotonic() > ends:
            raise SystemExit(f"the graph does not follow the log: {json.dumps(status)}")
        time.sleep(0.05)


def ask_weir(listener, user, times):
    began = time.perf_counter()
    answer = listener.get(f"/recommendations/user/{user}?limit={LIMIT}")
    times.append(time.perf_counter() - began)
    return [scored["itemId"] for scored in answer["items"]]


def row(name, recommend, held):
    """Measures one recommender and prints its row; returns its hit rate."""
    began = time.perf_counter()
    hit_rate, gain = quality(recommend, held, LIMIT)
    each = (time.perf_counter() - began) / len(held)
    print(f"{name:<36} {hit_rate:>7.3f} {gain:>9.3f} {each * 1e3:>11.2f} ms", flush=True)
    return hit_rate


def evaluate(address, admin_address, nth):
    """Prints the table; returns whether weir gives what it promises."""
    known, held = hold_out(movielens.ratings(), nth)
    print(f"MovieLens 100k: {len(known):,} ratings known, {len(held):,} held out (number {nth} from the end of each user)")
    began = time.monotonic()
    send(Listener(address), known)
    settle(Listener(admin_address), len(known))
    print(f"weir has them in its graph after {time.monotonic() - began:.1f} s\n")
    print(f"{'':<36} {'HR@10':>7} {'NDCG@10':>9} {'an answer':>14}")
    popularity, knn, times = Popularity(known), ItemKnn(known), []
    least = row("popularity", lambda user: popularity.recommend(user, LIMIT), held)
    row("item-kNN, cosine, 50 nearest", lambda user: knn.recommend(user, LIMIT), held)
    row("the same, weighted by recency", lambda user: knn.recommend(user, LIMIT, fall=1.0), held)
    # A new connection: weir closes one that was idle while the baselines were computed.
    listener = Listener(address)
    ours = row("weir (over HTTP)", lambda user: ask_weir(listener, user, times), held)
    times.sort()
    print(f"\nweir's answers: p50 {times[len(times) // 2] * 1e3:.2f} ms, p99 {times[len(times) * 99 // 100] * 1e3:.2f} ms")
    return ours >= PROMISED_HIT_RATE and ours > least


def main():
    parser = argparse.ArgumentParser(prog="scripts/evaluate", add_help=False)
    parser.add_argument("--hold-out", type=int, default=1)
    parser.add_argument("--address")
    parser.add_argument("--admin-address")
    options = parser.parse_args()
    if options.hold_out < 1 or bool(options.address) != bool(options.admin_address):
        parser.error("--hold-out is 1 or more, and --address goes with --admin-address")
    if options.address:
        return evaluate(options.address, options.admin_address, options.hold_out)
    with Weir() as weir:
        return evaluate(weir.address, weir.admin_address, options.hold_out)


if __name__ == "__main__":
    if not main():
        sys.exit("weir's hit rate is below what it promises")
