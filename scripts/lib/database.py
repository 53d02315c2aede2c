"""An ArangoDB as the demo sees it: who asks, what it holds, and which databases the demo has made there."""

import base64
import http.client
import json
import os
import pathlib
import ssl
import uuid
from urllib.parse import quote, urlsplit

from service import Trouble

# Where weir's own settings and the demo's are found in the environment.
USERS = ("WEIR_DEMO_ARANGO_USER", "WEIR_ARANGO__USER")
PASSWORD_FILES = ("WEIR_DEMO_ARANGO_PASSWORD_FILE", "WEIR_ARANGO__PASSWORD_FILE")
PASSWORD = "WEIR_ARANGO__PASSWORD"
CA_FILE = "WEIR_ARANGO__CA_FILE"
USUAL_USER = "root"
STAND_IN_SIGNATURE = b"the stand-in's signature"


class Server:
    """One server. The password is read when it is needed, and goes nowhere but into a request's header."""

    def __init__(self, url, user, password_file=None, password=None, ca_file=None):
        self.url, self.user, self.password_file, self.ca_file = url.rstrip("/"), user, password_file, ca_file
        self._password = password
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.path:
            raise Trouble("--arango takes http://host:port or https://host:port, without a user or a path")
        self.parts = parts

    @classmethod
    def from_environment(cls, url):
        given = lambda names: next((os.environ[name] for name in names if os.environ.get(name)), None)
        file, password = given(PASSWORD_FILES), os.environ.get(PASSWORD)
        if not file and not password:
            raise Trouble(f"the password for {url} is missing: name a file that holds it by {PASSWORD_FILES[0]}")
        file = str(pathlib.Path(file).resolve()) if file else None
        return cls(url, given(USERS) or USUAL_USER, file, None if file else password, os.environ.get(CA_FILE))

    def settings(self, prefix):
        """The variables that a weir needs to use it."""
        settings = {"WEIR_ARANGO__USER": self.user, "WEIR_ARANGO__DATABASE_PREFIX": prefix}
        if self.password_file:
            settings["WEIR_ARANGO__PASSWORD_FILE"] = self.password_file
        else:
            settings[PASSWORD] = self._password
        if self.ca_file:
            settings[CA_FILE] = self.ca_file
        return settings

    def password(self):
        if not self.password_file:
            return self._password
        try:
            return pathlib.Path(self.password_file).read_text().removesuffix("\n")
        except OSError as error:
            raise Trouble(f"the password's file {self.password_file} cannot be read ({error.strerror})") from None

    def ask(self, method, path, body=None, authorised=True):
        """Returns the status and the answer's JSON."""
        headers = {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if authorised:
            pair = f"{self.user}:{self.password()}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        connection = self._connection()
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Trouble(f"{self.url} does not answer as an ArangoDB does ({error!r})") from None
        finally:
            connection.close()

    def _connection(self):
        host, port = self.parts.hostname, self.parts.port
        if self.parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=30)
        return http.client.HTTPSConnection(host, port, timeout=30, context=ssl.create_default_context(cafile=self.ca_file))

    def get(self, path):
        """Returns the JSON of a question that must be answered."""
        status, answer = self.ask("GET", path)
        if status == 401:
            raise Trouble(f"{self.url} refuses the user {self.user} with this password")
        if status != 200:
            raise Trouble(f"{self.url}: GET {path} answers {status}: {answer.get('errorMessage', answer)}")
        return answer

    def version(self):
        return self.get("/_api/version")["version"]

    def is_stand_in(self):
        """Whether it is the stand-in of weir's tests, which signs its tokens as such."""
        _, answer = self.ask("POST", "/_open/auth", {"username": self.user, "password": self.password()}, False)
        signature = str(answer.get("jwt", "")).rpartition(".")[2]
        try:
            return base64.urlsafe_b64decode(signature + "==").startswith(STAND_IN_SIGNATURE)
        except ValueError:
            return False

    def databases(self):
        return set(self.get("/_api/database")["result"])

    def count(self, database, collection):
        return self.get(f"/_db/{quote(database)}/_api/collection/{quote(collection)}/count")["count"]

    def drop(self, database):
        """Drops a database; says whether it was there."""
        status, answer = self.ask("DELETE", f"/_db/_system/_api/database/{quote(database)}")
        if status not in (200, 404):
            raise Trouble(f"{self.url}: the database {database} cannot be dropped ({status}: {answer.get('errorMessage')})")
        return status == 200


class Made:
    """What the demo has made on a server; remembered beside weir's files, without any secret but its place."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "arango.json"
        try:
            self.noted = json.loads(self.path.read_text())
        except (OSError, ValueError):
            self.noted = {}

    @property
    def prefix(self):
        return self.noted.get("prefix")

    def begin(self, server):
        """Returns the prefix of the databases of this demo, a fresh one the first time."""
        if self.noted.get("dropped") or self.noted and self.noted["url"] != server.url:
            raise Trouble("the log in .demo was brought into a database that is not there: begin anew with --fresh")
        if not self.noted:
            prefix = f"weir_demo_{uuid.uuid4().hex[:8]}"
            if any(name.startswith(prefix) for name in server.databases()):
                raise Trouble(f"a database {prefix}… exists already: run the demo again")
            self._note({"url": server.url, "user": server.user, "passwordFile": server.password_file,
                        "caFile": server.ca_file, "prefix": prefix})
        return self.prefix

    def drop(self):
        """Drops what was made; returns a line for each thing that a person should know."""
        if not self.noted or self.noted.get("dropped"):
            return []
        noted = self.noted
        lines = []
        try:
            server = Server(noted["url"], noted["user"], noted["passwordFile"], os.environ.get(PASSWORD), noted["caFile"])
            if not server.password_file and not server.password():
                raise Trouble(f"its password is not in {PASSWORD}")
            for name in sorted(server.databases()):
                if name.startswith(f"{noted['prefix']}_g") and server.drop(name):
                    lines.append(f"dropped the database {name} at {noted['url']}")
            self._note({**noted, "dropped": True})
        except Trouble as trouble:
            lines.append(f"the databases {noted['prefix']}_g… at {noted['url']} stay: {trouble}")
        return lines

    def _note(self, noted):
        self.noted = noted
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(noted))
