"""Runs schemathesis against the descriptions of a weir of its own."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

from service import Service, Trouble

# What an event must have depends on its type and on the configured types, which a schema cannot say.
LEFT_OUT = ["positive_data_acceptance"]
# How much longer than its time schemathesis may take to load, to finish, and to tell.
GRACE_SECONDS = 120
# Small, so that any disk has room.
SMALL = {"WEIR_NATS__MAX_BYTES": "512MiB", "WEIR_RETRY__MAX_BYTES": "64MiB", "WEIR_PARKED__MAX_BYTES": "64MiB"}


def command(port, arguments):
    """The call of schemathesis for one listener."""
    program = pathlib.Path(sys.executable).with_name("schemathesis")
    call = [str(program), "run", f"http://127.0.0.1:{port}/openapi.json", "--no-color", "--warnings", "off",
            "--checks", "all", "--exclude-checks", ",".join(LEFT_OUT), "--max-time", str(arguments.seconds),
            "--request-timeout", "30", "--generation-database", "none"]
    if arguments.seed is not None:
        call += ["--seed", str(arguments.seed)]
    return call


def tried(name, port, arguments, folder):
    """Tries one listener, tells what was found, and returns whether all was well."""
    print(f"\n== {name}: http://127.0.0.1:{port}/openapi.json, {arguments.seconds} s", flush=True)
    here = str(pathlib.Path(__file__).resolve().parent)
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": here}
    done = subprocess.run(command(port, arguments), cwd=folder, env=environment, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          timeout=arguments.seconds + GRACE_SECONDS)
    told = done.stdout
    # Without failures only the summary matters.
    beginnings = [at for at in (told.find("= FAILURES ="), told.find("= ERRORS ="), told.find("= SUMMARY =")) if at >= 0]
    start = told.rfind("\n", 0, min(beginnings)) + 1 if beginnings else 0
    print(told[start:].rstrip(), flush=True)
    return done.returncode == 0


def run(arguments):
    with tempfile.TemporaryDirectory(prefix="weir-schemathesis-") as folder:
        service = Service(pathlib.Path(arguments.binary).resolve(), pathlib.Path(folder) / "weir")
        service.variables = SMALL | tools()
        service.choose_ports(None)
        service.start()
        try:
            fine = [tried("producers and readers", service.port, arguments, folder),
                    tried("operators", service.port + 1, arguments, folder)]
            log = service.log.read_text(errors="replace")
            if "panicked" in log:
                print("a request made weir panic:\n" + service.last_lines())
                fine.append(False)
        finally:
            if service.is_running():
                service.stop()
            service.child.wait()
    return all(fine)


def tools():
    """The nats-server that setup has put there, unless another one is named."""
    server = pathlib.Path(".tools/bin/nats-server").resolve()
    named = "WEIR_NATS_SERVER" in os.environ or not server.exists()
    return {} if named else {"WEIR_NATS_SERVER": str(server)}


def main():
    parser = argparse.ArgumentParser(prog="scripts/schemathesis")
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    try:
        fine = run(arguments)
    except (Trouble, subprocess.TimeoutExpired) as trouble:
        sys.exit(f"scripts/schemathesis: {trouble}")
    print("\nnothing was found" if fine else "\nsomething was found: see above", flush=True)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
