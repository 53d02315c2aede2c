"""The weir of the demo: its process, its ports, and requests to it."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
from urllib.parse import quote

START_DEADLINE = 120.0
STOP_DEADLINE = 30.0
# A connection that was idle for longer may be closed by weir just when it is used again.
FRESH_SECONDS = 5.0


class Trouble(Exception):
    """Something that a person has to know and can act on."""


class Client:
    """One kept connection to one listener."""

    def __init__(self, port):
        self.port = port
        self.connection = None
        self.used = 0.0

    def ask(self, method, path, body=None, content_type="application/json"):
        """Returns the status and the answer's JSON. One try: a lost connection is the caller's to judge."""
        now = time.monotonic()
        if now - self.used > FRESH_SECONDS:
            self.close()
        self.used = now
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers = {"Content-Type": content_type} if body is not None else {}
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def get(self, *path, **query):
        """Returns the JSON of a read that must succeed."""
        target = "/" + "/".join(quote(str(part), safe="") for part in path)
        if query:
            target += "?" + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        status, answer = self.ask("GET", target)
        if status != 200:
            raise Trouble(f"GET {target} answers {status}: {answer.get('detail', answer)}")
        return answer

    def send(self, event):
        """Posts one event and returns the answer, once it is synced."""
        status, answer = self.ask("POST", "/ingest", json.dumps(event))
        if status != 202:
            raise Trouble(f"POST /ingest answers {status}: {answer.get('detail', answer)}")
        return answer

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(port, path):
    """Whether a weir answers there with 200."""
    client = Client(port)
    try:
        return client.ask("GET", path)[0] == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


class Service:
    """A weir with its files in one folder, which also remembers where it listens."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.data, self.log = self.folder / "data", self.folder / "weir.log"
        self.child = None
        # What else it needs to know: flags, and variables of its environment.
        self.flags, self.variables = [], {}
        noted = self._noted()
        self.pid, self.port = noted.get("pid"), noted.get("port")

    def _noted(self):
        try:
            return json.loads((self.folder / "demo.json").read_text())
        except (OSError, ValueError):
            return {}

    def _command(self, pid):
        try:
            return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return []

    def is_running(self):
        """Whether the noted process is a weir on this folder, and not another with the same number."""
        if self.child is not None and self.child.poll() is not None:
            return False
        return self.pid is not None and os.fsencode(self.data) in self._command(self.pid)

    def choose_ports(self, wanted):
        """Sets the ports, and returns what a person should know of the choice."""
        if wanted is not None:
            for port in (wanted, wanted + 1):
                if not is_free(port):
                    raise Trouble(f"port {port} is taken: choose another with --port, or leave it out")
            self.port = wanted
            return None
        self.port = next((port for port in range(8080, 8480, 2) if is_free(port) and is_free(port + 1)), None)
        if self.port is None:
            raise Trouble("no two ports from 8080 on are free: choose one with --port")
        return None if self.port == 8080 else f"8080 or 8081 is taken, so it listens on {self.port} and {self.port + 1}"

    def start(self):
        """Starts it and returns after how many seconds it was ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                [self.binary, "dev", "--data-dir", self.data, "--listen", f"127.0.0.1:{self.port}",
                 "--admin-listen", f"127.0.0.1:{self.port + 1}", *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(), start_new_session=True)
        self.pid = self.child.pid
        (self.folder / "demo.json").write_text(json.dumps({"pid": self.pid, "port": self.port}))
        while not self._is_ready():
            if self.child.poll() is not None:
                raise Trouble(f"weir has ended by itself; its log {self.log} says why:\n{self.last_lines()}")
            if time.monotonic() - began > START_DEADLINE:
                raise Trouble(f"weir is not ready after {START_DEADLINE:.0f} s; see {self.log}\n{self.last_lines()}")
            time.sleep(0.02)
        return time.monotonic() - began

    def environment(self):
        """Settings of this shell are for another weir; the server's place is the machine's."""
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith("WEIR_") or name == "WEIR_NATS_SERVER"}
        return kept | self.variables

    def _is_ready(self):
        return answers(self.port, "/health/ready")

    def last_lines(self):
        return "\n".join("    " + line for line in self.log.read_text(errors="replace").splitlines()[-8:])

    def stop(self):
        """Asks it to end and returns after how many seconds it did; what it accepted is kept."""
        began = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        while self.is_running():
            if time.monotonic() - began > STOP_DEADLINE:
                raise Trouble(f"weir, process {self.pid}, does not end; see {self.log}")
            time.sleep(0.02)
        return time.monotonic() - began

    def nats_pids(self):
        """The nats-server children of this weir."""
        children = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == self.pid:
                children.append(int(stat.parent.name))
        return children

    def kill(self):
        """kill -9 of weir and its nats-server, in the middle of whatever they do."""
        for pid in [self.pid, *self.nats_pids()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.child.wait()

    def forget(self):
        """Removes all its files."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Api:
    """A weir that only answers, on the database and the nats-server of another; it ends with its block."""

    def __init__(self, service, nats_url):
        self.service, self.nats_url = service, nats_url
        self.log, self.data = service.folder / "api.log", service.folder / "api"

    def __enter__(self):
        began = time.monotonic()
        shutil.rmtree(self.data, ignore_errors=True)
        free = (port for port in range(self.service.port + 2, self.service.port + 400, 2)
                if is_free(port) and is_free(port + 1))
        self.port = next(free, None)
        if self.port is None:
            raise Trouble(f"no two ports from {self.service.port + 2} on are free")
        environment = self.service.environment() | {"WEIR_IMAGE__DAYS": "1"}
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                [self.service.binary, "api", "--data-dir", self.data, "--nats-url", self.nats_url,
                 "--listen", f"127.0.0.1:{self.port}", "--admin-listen", f"127.0.0.1:{self.port + 1}",
                 *self.service.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            while not answers(self.port, "/health/ready"):
                if self.child.poll() is not None or time.monotonic() - began > START_DEADLINE:
                    raise Trouble(f"weir api does not become ready; its log {self.log} says why")
                time.sleep(0.02)
        except BaseException:
            self.__exit__()
            raise
        self.seconds = time.monotonic() - began
        return self

    def client(self):
        return Client(self.port)

    def __exit__(self, *failure):
        self.child.terminate()
        try:
            self.child.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        shutil.rmtree(self.data, ignore_errors=True)
