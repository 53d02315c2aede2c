"""What scripts/image-test asks of the file system of an image: that it holds no secret, and is what its manifest says."""

import hashlib
import json
import pathlib
import re
import stat
import subprocess
import sys

from screen import Screen

PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
# Where somebody could have left something. Debian's own files lie elsewhere, and some document what keys look like.
OURS = ("etc", "root", "home", "opt", "srv", "var", "usr/local")
LOCKED = re.compile(r"^[!*]")
GONE = ("etc/ssh/ssh_host_*", "root/.ssh/authorized_keys", "home/*/.ssh/authorized_keys", "var/lib/systemd/random-seed",
        "run/weir/*", "root/.bash_history", "var/lib/apt/lists/*", "var/lib/weir/*", "var/lib/nats/*", "etc/shadow-")
# Path, mode, owner and group.
MODES = (("etc/weir/weir.toml", 0o640, 0, 851), ("etc/nats/nats.conf", 0o640, 0, 852), ("etc/weir/image.json", 0o644, 0, 0),
         ("var/lib/weir", 0o750, 851, 851), ("var/lib/nats", 0o750, 852, 852),
         ("usr/local/bin/weir", 0o755, 0, 0), ("usr/local/bin/nats-server", 0o755, 0, 0))


class Tree:
    """One root file system, and the payload that it was made with."""

    def __init__(self, root, payload, screen):
        self.root, self.payload, self.screen = pathlib.Path(root), pathlib.Path(payload), screen
        self.failures = 0

    def check(self, what, wrong):
        """Tells one check: `wrong` lists what is not as it should be."""
        if wrong:
            self.failures += 1
            self.screen.bad(f"{what}: {', '.join(sorted(map(str, wrong)))}")
        else:
            self.screen.good(what)

    def files(self, *places):
        for place in places:
            for path in (self.root / place).rglob("*"):
                if path.is_file() and not path.is_symlink():
                    yield path

    def shown(self, path):
        return "/" + str(path.relative_to(self.root))

    def passwords(self):
        lines = (self.root / "etc/shadow").read_text().splitlines()
        fields = [line.split(":") for line in lines]
        self.check(f"all {len(fields)} users, root among them, have no password",
                   [name for name, password, *_ in fields if not LOCKED.match(password)])

    def keys(self):
        self.check("no private key lies in it", [self.shown(path) for path in self.files(*OURS)
                                                 if PRIVATE_KEY.search(path.read_bytes())])

    def traces(self):
        left = [self.shown(path) for pattern in GONE for path in self.root.glob(pattern)]
        left += [self.shown(path) for path in self.files("var/log") if path.stat().st_size]
        if (self.root / "etc/machine-id").read_bytes():
            left.append("/etc/machine-id")
        self.check("no trace of the build: host keys, machine id, seeds, logs, package lists, data", left)

    def modes(self):
        wrong = []
        for place, mode, user, group in MODES:
            status = (self.root / place).stat()
            if (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) != (mode, user, group):
                wrong.append(f"/{place} {stat.S_IMODE(status.st_mode):o} {status.st_uid}:{status.st_gid}")
        self.check("configuration and data have their owners and modes", wrong)

    def manifest(self):
        told = json.loads((self.root / "etc/weir/image.json").read_text())
        wrong = [f"{name} is {value!r}, not {other!r}" for name, value, other in self.facts(told) if value != other]
        self.check(f"the manifest is true: weir {told['weir']['version']}, nats-server {told['natsServer']['version']}, "
                   f"Debian {told['debian']['version']}, {len(told['packages'])} packages, {len(told['units'])} units, "
                   f"commit {told['sourceCommit'][:12]}, built {told['builtAt']}", wrong)

    def facts(self, told):
        """What the manifest says, beside what is so."""
        yield "weir", told["weir"]["sha256"], digest(self.root / "usr/local/bin/weir")
        yield "the payload's weir", told["weir"]["sha256"], digest(self.payload / "bin/weir")
        yield "nats-server", told["natsServer"]["sha256"], digest(self.root / "usr/local/bin/nats-server")
        yield "sourceCommit", told["sourceCommit"], output("git", "rev-parse", "HEAD")
        yield "arangodb", told["arangodb"], None
        yield "the units", sorted(told["units"]), sorted(path.name for path in (self.payload / "units").iterdir())
        for name, sum_ in told["units"].items():
            yield name, sum_, digest(self.root / "etc/systemd/system" / name)
        listed = output("dpkg-query", f"--admindir={self.root}/var/lib/dpkg", "-W", "-f",
                        "${db:Status-Abbrev}${binary:Package} ${Version}\n").splitlines()
        installed = dict(line[3:].split() for line in listed if line.startswith("ii "))
        # The architecture of a package is told only where it is foreign to whoever asks.
        bare = {name.split(":")[0]: version for name, version in told["packages"].items()}
        yield "packages", bare, {name.split(":")[0]: version for name, version in installed.items()}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main():
    tree = Tree(*sys.argv[1:3], Screen())
    for check in (tree.passwords, tree.keys, tree.traces, tree.modes, tree.manifest):
        check()
    sys.exit(1 if tree.failures else 0)


main()
