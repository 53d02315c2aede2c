"""The demo of weir: scripts/demo runs it, after it has prepared and built everything."""

import argparse
import http.client
import json
import pathlib
import sys
import threading
import time
import uuid
from collections import Counter

import movielens
from database import Made, Server
from in_arango import InArango
from screen import BOLD, CYAN, DIM, GREEN, Screen
from service import Client, Service, Trouble

ROOT = pathlib.Path(__file__).resolve().parents[2]
BATCH = 2_000
SETTLE_DEADLINE = 120.0
CHANGE_DEADLINE = 10.0
TASTE = {"Action", "Sci-Fi", "Thriller", "War"}
OTHER_TASTE = {"Animation", "Children's"}
CRASH_THREADS = 8
CRASH_SECONDS = 1.0


class Demo:
    """The story, a chapter a method."""

    def __init__(self, screen, service):
        self.screen, self.service = screen, service
        self.films = {item: in_order(film) for item, film in movielens.items().items()}
        self.ratings = movielens.ratings()
        self.counts = Counter(rating.item for rating in self.ratings)
        self.failures = 0

    @property
    def api(self):
        return self._client(self.service.port)

    @property
    def admin(self):
        return self._client(self.service.port + 1)

    def _client(self, port):
        clients = self.__dict__.setdefault("clients", {})
        return clients.setdefault(port, Client(port))

    def check(self, holds, good, bad):
        if holds:
            self.screen.good(good)
        else:
            self.failures += 1
            self.screen.bad(bad)

    # Chapters

    def load(self):
        """Sends films and ratings, and waits until the graph has them."""
        self.screen.heading("Events: 1,682 films and 100,000 ratings")
        before = self.graph()
        profiles = [profile(film) for film in self.films.values()]
        events = profiles + [rated(rating) for rating in self.ratings]
        batches = ["\n".join(map(json.dumps, events[at : at + BATCH])) for at in range(0, len(events), BATCH)]
        counts = Counter()
        with self.screen.progress("sent", len(events)) as progress:
            for batch in batches:
                status, answer = self.api.ask("POST", "/ingest", batch.encode(), "application/x-ndjson")
                if status != 202:
                    raise Trouble(f"POST /ingest answers {status}: {answer.get('detail', answer)}")
                counts.update(accepted=answer["accepted"], duplicates=answer["duplicates"])
                progress.update(sum(counts.values()))
            seconds = progress.seconds
        self.screen.good(f"{len(events):,} events answered in {seconds:.2f} s, {len(events) / seconds:,.0f}/s in"
                         f" NDJSON batches of {BATCH:,}, each on disk before its answer")
        self.settle(seconds)
        after = self.graph()
        if sum(before["documents"].values()) < len(events):
            self.screen.line(f"    the graph holds {sum(after['documents'].values()):,} documents, digest {after['digest']}")
        else:
            self.check(before["digest"] == after["digest"],
                       "they were there from an earlier run; the graph is what it was, nothing is counted twice",
                       f"the digest was {before['digest']} and is {after['digest']}")

    def settle(self, already=0.0):
        """Waits until everything accepted is in the graph."""
        status = self.admin.get("admin", "status")
        total = status["wal"]["highWater"]
        with self.screen.progress("in the graph", total) as progress:
            while not is_settled(status):
                if progress.seconds > SETTLE_DEADLINE:
                    raise Trouble("the graph does not follow the log: try target/release/weir status")
                progress.update(status["wal"]["published"])
                time.sleep(0.02)
                status = self.admin.get("admin", "status")
            seconds = already + progress.seconds
        if already:
            self.screen.good(f"all of them in the stream and in the graph after {seconds:.2f} s")

    def person(self):
        """Picks who likes one kind of film most, of those with a usual number of ratings."""
        rated_by = {}
        for rating in self.ratings:
            rated_by.setdefault(rating.user, []).append(rating.item)
        usual = {user: items for user, items in rated_by.items() if 80 <= len(items) <= 250}
        share = lambda items: sum(bool(TASTE & set(self.films[item].genres)) for item in items) / len(items)
        user = max(usual, key=lambda user: (share(usual[user]), user))
        return user, set(usual[user])

    def clicks(self, user, seen):
        """Shows how answers follow a few clicks, and that taking these back undoes them."""
        genres = Counter(genre for item in seen for genre in self.films[item].genres)
        most = ", ".join(genre for genre, _ in genres.most_common(3))
        self.screen.heading(f"Recommendations for user {user}: {len(seen)} ratings, mostly {most}")
        before = self.recommendations(user)
        self.show(before["items"])

        others = [item for item in self.films if OTHER_TASTE <= set(self.films[item].genres) and item not in seen]
        liked = sorted(others, key=self.counts.__getitem__, reverse=True)[:3]
        self.screen.heading(f"User {user} now clicks on {len(liked)} films of another kind")
        answer, events = before, []
        for item in liked:
            began = time.perf_counter()
            sent = self.api.send({"userId": user, "itemId": item, "eventType": "liked"})
            synced = time.perf_counter()
            answer = self.until_changed(user, answer, began)
            changed = time.perf_counter()
            events.append((item, sent["eventId"]))
            self.screen.good(f"liked {title(self.films[item])}: on disk after {ms(synced - began)},"
                             f" a new answer {ms(changed - began)} after the click")
        self.screen.heading(f"Recommendations for user {user} after that")
        self.show(answer["items"], known={item["itemId"] for item in before["items"]})

        for item, event in events:
            self.api.send({"userId": user, "itemId": item, "eventType": "unliked", "retracts": event})
        self.settle()
        now = self.recommendations(user)["items"]
        same = [item["itemId"] for item in now] == [item["itemId"] for item in before["items"]]
        self.check(same, "the likes are taken back (unliked), and the answer is what it was before",
                   "the likes are taken back, but the answer is not what it was before")

    def recommendations(self, user):
        return self.api.get("recommendations", "user", user, limit=8)

    def until_changed(self, user, before, began):
        while True:
            answer = self.recommendations(user)
            if answer["items"] != before["items"]:
                return answer
            if time.perf_counter() - began > CHANGE_DEADLINE:
                raise Trouble(f"the answer for user {user} did not change within {CHANGE_DEADLINE:.0f} s")

    def show(self, items, known=None):
        rows = []
        for place, item in enumerate(items, 1):
            attrs = item.get("attrs", {})
            new = "new" if known is not None and item["itemId"] not in known else ""
            because = ", ".join(title(self.films[reason]) for reason in item["because"])
            because = "because of " + because if because else "popular"
            rows.append((f"{place}.", new, told(attrs), " ".join(attrs.get("genres", [])), because))
        self.screen.rows(rows, (DIM, GREEN, BOLD, CYAN, DIM))

    def also(self):
        """Shows what goes with one film."""
        item = self.counts.most_common(1)[0][0]
        answer = self.api.get("recommendations", "item", item, type="rated", limit=5)
        self.screen.heading(f"Who watched {title(self.films[item])} also watched")
        self.screen.rows([(told(also.get("attrs", {})), f"{also['support']} of those looked at watched both")
                          for also in answer["items"]], (BOLD, DIM))
        return item

    def history(self, user):
        """Shows the newest of a history."""
        self.screen.heading(f"What user {user} did last")
        page = self.api.get("history", "user", user, type="rated", limit=4)
        self.screen.rows([(event["timestamp"][:19].replace("T", " "), event["eventType"],
                           "★" * int(event["value"]), title(self.films[event["itemId"]]))
                          for event in page["events"]], (DIM, CYAN, GREEN, BOLD))
        self.screen.line(f"  and so on, page by page: before={page['next']}")

    def crash(self):
        """Kills everything under load, starts it again, and counts."""
        self.screen.heading("kill -9 of weir and of its nats-server, while events come in")
        user, answered = f"crash-{uuid.uuid4().hex[:8]}", []
        threads = [threading.Thread(target=post_until_dead, args=(self.service.port, user, number, answered))
                   for number in range(CRASH_THREADS)]
        for thread in threads:
            thread.start()
        time.sleep(CRASH_SECONDS)
        self.service.kill()
        for thread in threads:
            thread.join()
        self.screen.line(f"  {len(answered):,} events had been answered with 202, one by one, when both were killed")
        self.clients.clear()
        seconds = self.service.start()
        self.settle()
        found = Counter(event["eventId"] for event in self.whole_history(user))
        lost, twice = set(answered) - set(found), [event for event, count in found.items() if count > 1]
        self.check(answered and not lost and not twice,
                   f"up again after {seconds:.1f} s: all {len(answered):,} are in the history, none twice",
                   f"{len(lost)} are lost, {len(twice)} are there twice")

    def whole_history(self, user):
        page = self.api.get("history", "user", user, limit=1000)
        yield from page["events"]
        while "next" in page:
            page = self.api.get("history", "user", user, limit=1000, before=page["next"])
            yield from page["events"]

    def status(self):
        return self.admin.get("admin", "status")

    def graph(self):
        return self.status()["generations"][0]


def is_settled(status):
    wal, graph = status["wal"], status["generations"][0]
    return wal["published"] >= wal["highWater"] and graph["lag"] == 0 and graph["phase"] == "live"


def post_until_dead(port, user, number, answered):
    """Posts single events, and notes the id of each that was answered with 202."""
    client = Client(port)
    for count in range(1_000_000):
        event = {"eventId": f"{user}-{number}-{count}", "userId": user, "itemId": f"crash-item-{count}",
                 "eventType": "viewed"}
        try:
            answered.append(client.send(event)["eventId"])
        except (OSError, http.client.HTTPException, ValueError, Trouble):
            return


def in_order(film):
    """`Empire Strikes Back, The` as people say it."""
    name, _, article = film.title.rpartition(", ")
    return film._replace(title=f"{article} {name}") if article in {"The", "A", "An"} else film


def profile(film):
    properties = {"title": film.title, "genres": film.genres}
    if film.year:
        properties["year"] = film.year
    return {"eventId": f"ml-film-{film.item}", "eventType": "item_profile", "itemId": film.item,
            "timestamp": "2024-01-01T00:00:00Z", "source": "movielens", "properties": properties}


def rated(rating):
    """An id that follows from the data: sent again, it is the same event."""
    return {"eventId": f"ml-rating-{rating.user}-{rating.item}", "eventType": "rated", "userId": rating.user,
            "itemId": rating.item, "timestamp": rating.timestamp, "source": "movielens",
            "value": rating.value}


def title(film):
    return f"{film.title} ({film.year})" if film.year else film.title


def told(attrs):
    """A title as the answer itself tells it."""
    return f"{attrs.get('title', '?')} ({attrs['year']})" if "year" in attrs else attrs.get("title", "?")


def ms(seconds):
    return f"{seconds * 1000:.1f} ms"


def farewell(screen, service, user, item):
    """What to try next."""
    api, admin = f"http://127.0.0.1:{service.port}", f"http://127.0.0.1:{service.port + 1}"
    flag = "" if service.port == 8080 else f" --admin-url {admin}"
    screen.heading(f"weir goes on running (process {service.pid}, log in .demo/weir.log). Try:")
    for line in (
        f"curl '{api}/recommendations/user/{user}?limit=3'",
        f"curl '{api}/recommendations/item/{item}?type=rated&limit=3'",
        f"curl '{api}/history/user/{user}?limit=3'",
        f"curl -d '{{\"userId\":\"me\",\"itemId\":\"{item}\",\"eventType\":\"liked\"}}' {api}/ingest",
        f"curl '{api}/recommendations/user/me?limit=3'",
        f"curl {admin}/metrics",
        f"target/release/weir status{flag}",
        f"target/release/weir doctor --admin-listen 127.0.0.1:{service.port + 1}",
    ):
        screen.command(line)
    screen.line("Stop it:")
    screen.command("scripts/demo --stop")


def tell(arguments, screen, service):
    """The whole demo; returns how many things were not as they should be."""
    if service.is_running():
        screen.line(f"\nthe weir of an earlier run is stopped first ({service.stop():.1f} s)")
    if arguments.fresh:
        clean_up(screen, service)
        service.forget()
    server = prefix = None
    if arguments.arango:
        server = Server.from_environment(arguments.arango)
        prefix = Made(service.folder).begin(server)
        service.flags, service.variables = ["--arango-url", server.url], server.settings(prefix)
    remark = service.choose_ports(arguments.port)
    screen.heading("weir dev")
    if remark:
        screen.line(f"  {remark}")
    screen.good(f"ready after {service.start():.1f} s: events and answers at http://127.0.0.1:{service.port},"
                f" status and metrics at http://127.0.0.1:{service.port + 1}")
    demo = Demo(screen, service)
    database = server and InArango(demo, server, prefix)
    if database:
        database.introduce()
    demo.load()
    user, seen = demo.person()
    demo.clicks(user, seen)
    item = demo.also()
    demo.history(user)
    if database:
        database.counts()
        database.answers(user)
    if not arguments.no_crash:
        demo.crash()
        if database:
            database.counts(" after that")
    if arguments.no_keep:
        screen.heading("The end")
        screen.good(f"weir has stopped ({service.stop():.1f} s); its files are in .demo")
        clean_up(screen, service)
    else:
        farewell(screen, service, user, item)
    return demo.failures


def stop(screen, service):
    if service.is_running():
        screen.line(f"stopped process {service.pid} ({service.stop():.1f} s); its files stay in .demo")
    else:
        screen.line("no weir of the demo runs")
    clean_up(screen, service)


def clean_up(screen, service):
    """Drops the databases that the demo has made, and no others."""
    for line in Made(service.folder).drop():
        screen.line(f"  {line}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--arango")
    for flag in ("--fresh", "--no-crash", "--stop"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--no-keep", "--ci", action="store_true")
    arguments = parser.parse_args()
    screen = Screen()
    service = Service(ROOT / "target/release/weir", ROOT / ".demo")
    try:
        if arguments.stop:
            return stop(screen, service)
        failures = tell(arguments, screen, service)
        return f"{failures} things are not as they should be" if failures else 0
    except Trouble as trouble:
        problem = str(trouble)
    except (OSError, http.client.HTTPException) as error:
        problem = f"weir does not answer ({error!r}); see .demo/weir.log"
    except KeyboardInterrupt:
        problem = "interrupted"
    if arguments.no_keep and service.is_running():
        service.stop()
    if arguments.no_keep:
        clean_up(screen, service)
    running = "; weir still runs, scripts/demo --stop ends it" if service.is_running() else ""
    return f"\nscripts/demo: {problem}{running}"


if __name__ == "__main__":
    sys.exit(main())
