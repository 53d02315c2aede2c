"""Drives the stand-in, or a real ArangoDB, with python-arango: a client that knows nothing of weir.

Usage: drive.py URL USER    (the password comes on standard input)
"""

import sys

from arango import ArangoClient
from arango.exceptions import (
    AQLQueryExecuteError,
    CollectionCreateError,
    CursorCloseError,
    DatabaseCreateError,
    DocumentInsertError,
    DocumentRevisionError,
    GraphCreateError,
    ServerConnectionError,
)

DATABASE = "weir_test_drive"
QUERY = "FOR d IN @@collection SORT d._key LIMIT @limit RETURN d"


def refused(error, number, code, call):
    """Calls, and expects an error with this number and HTTP status."""
    try:
        call()
    except error as met:
        assert (met.error_code, met.http_code) == (number, code), (met.error_code, met.http_code)
        return met
    raise AssertionError(f"no {error.__name__}")


def databases(client, user, password):
    system = client.db("_system", username=user, password=password, verify=True)
    assert tuple(map(int, system.version().split(".")[:2])) >= (3, 12), system.version()
    system.delete_database(DATABASE, ignore_missing=True)
    assert system.create_database(DATABASE, replication_factor=1, write_concern=1, sharding="single")
    refused(DatabaseCreateError, 1207, 409, lambda: system.create_database(DATABASE))
    assert system.has_database(DATABASE) and not system.has_database("other")
    wrong = password + "x"
    refused(
        ServerConnectionError, 11, 401,
        lambda: client.db("_system", username=user, password=wrong, verify=True),
    )
    # The rest speaks with a token.
    return client.db(DATABASE, username=user, password=password, auth_method="jwt", verify=True)


def collections(db):
    things = db.create_collection("things", shard_count=1, replication_factor=1, sync=False)
    refused(CollectionCreateError, 1207, 409, lambda: db.create_collection("things"))
    edges = db.create_collection("edges", edge=True)
    assert db.has_collection("things") and not db.has_collection("other")
    assert edges.properties()["edge"] and not things.properties()["edge"]
    assert things.properties()["sync"] is False
    wanted = {"type": "persistent", "fields": ["_from", "ts"], "storedValues": ["_to"], "name": "out"}
    made = edges.add_index(dict(wanted), formatter=True)
    assert made["new"] and made["fields"] == ["_from", "ts"], made
    again = edges.add_index({**wanted, "storedValues": ["_to", "value"]}, formatter=True)
    assert not again["new"] and again["id"] == made["id"], again
    assert [index["type"] for index in edges.indexes()] == ["primary", "edge", "persistent"]
    return things, edges


def overwrite_modes(things):
    first = things.insert_many([{"_key": "a", "n": 1, "o": {"x": 1}}, {"_key": "b"}], return_new=True)
    assert [one["_id"] for one in first] == ["things/a", "things/b"], first
    assert first[0]["new"]["n"] == 1 and "_old_rev" not in first[0]

    again = things.insert_many([{"_key": "a"}, {"_key": "c"}])
    assert isinstance(again[0], DocumentInsertError) and again[0].error_code == 1210, again
    assert again[1]["_key"] == "c"

    ignored = things.insert_many([{"_key": "a", "n": 2}], overwrite_mode="ignore")
    assert ignored[0]["_rev"] == first[0]["_rev"] and things.get("a")["n"] == 1

    updated = things.insert_many(
        [{"_key": "a", "m": 3, "o": {"y": 2}, "gone": None}],
        overwrite_mode="update", keep_none=False, merge=True, return_old=True,
    )
    assert updated[0]["_old_rev"] == first[0]["_rev"] != updated[0]["_rev"]
    assert updated[0]["old"]["n"] == 1
    document = things.get("a")
    assert (document["n"], document["m"], document["o"]) == (1, 3, {"x": 1, "y": 2}) and "gone" not in document

    replaced = things.insert_many([{"_key": "a", "n": 9}], overwrite_mode="replace")
    assert replaced[0]["_old_rev"] == updated[0]["_rev"]
    assert things.get("a")["n"] == 9 and "m" not in things.get("a")

    assert things.insert_many([{"_key": "s"}], silent=True) is True
    assert things.insert_many([{"n": "no key"}])[0]["_key"].isdigit()


def errors_of_elements(things, edges):
    mixed = things.insert_many([{"_key": "ok"}, {"_key": "not/ok"}, {"_key": "fine"}, {"_key": "ok"}])
    numbers = [one.error_code if isinstance(one, DocumentInsertError) else None for one in mixed]
    assert numbers == [None, 1221, None, 1210], numbers
    ends = edges.insert_many([
        {"_key": "1", "_from": "things/a", "_to": "things/b"},
        {"_key": "2", "_from": "things/a"},
        {"_key": "3", "_from": "things/a", "_to": "b"},
        # Nobody checks that the ends are there.
        {"_key": "4", "_from": "things/nobody", "_to": "nowhere/at-all"},
    ])
    numbers = [one.error_code if isinstance(one, DocumentInsertError) else None for one in ends]
    assert numbers == [None, 1233, 1233, None], numbers
    refused(DocumentInsertError, 1210, 409, lambda: things.insert({"_key": "ok"}))


def versions(things):
    def put(document):
        return things.insert_many([document], overwrite_mode="replace", version_attribute="version")[0]

    large = 2**64 - 2
    put({"_key": "v", "version": large, "n": 1})
    for version, applied in [(large, False), (large - 1, False), (0, False), (large + 1, True)]:
        told = put({"_key": "v", "version": version, "n": version})
        assert (told["_rev"] != told["_old_rev"]) is applied, (version, told)
        assert (things.get("v")["n"] == version) is applied
    # Where a side is no version, the rule does not hold.
    for document in [{"n": "none"}, {"version": -1, "n": "negative"}, {"version": "7", "n": "text"}]:
        put({"_key": "v", **document})
        assert things.get("v")["n"] == document["n"]


def single_documents(things):
    made = things.insert({"_key": "one", "n": 1}, sync=True)
    assert things.update({"_key": "one", "m": 2}, check_rev=False)["_old_rev"] == made["_rev"]
    stale = {"_key": "one", "_rev": made["_rev"], "m": 3}
    refused(DocumentRevisionError, 1200, 412, lambda: things.update(stale, check_rev=True))
    assert things.get("one")["m"] == 2
    assert things.replace({"_key": "one", "n": 3}, check_rev=False)
    assert "m" not in things.get("one")
    assert things.delete("one", check_rev=False) and things.get("one") is None
    assert things.delete("one", ignore_missing=True) is False


def cursors(db):
    many = db.create_collection("many")
    many.insert_many([{"_key": f"{n:03}"} for n in range(25)])
    assert many.count() == 25
    binds = {"@collection": "many", "limit": 25}
    cursor = db.aql.execute(QUERY, bind_vars=binds, batch_size=10, count=True, fail_on_warning=True)
    assert cursor.has_more() and cursor.count() == 25 and len(cursor.batch()) == 10
    assert [one["_key"] for one in cursor] == [f"{n:03}" for n in range(25)]
    assert not cursor.has_more()

    early = db.aql.execute(QUERY, bind_vars=binds, batch_size=10)
    assert early.close() is True
    refused(CursorCloseError, 1600, 404, early.close)
    assert len(list(db.aql.execute(QUERY, bind_vars=binds, max_runtime=5))) == 25

    execute = lambda binds: lambda: db.aql.execute(QUERY, bind_vars=binds)
    refused(AQLQueryExecuteError, 1551, 400, execute({"@collection": "many"}))
    refused(AQLQueryExecuteError, 1552, 400, execute({**binds, "extra": 1}))
    refused(AQLQueryExecuteError, 1203, 404, execute({**binds, "@collection": "none"}))
    assert sorted(db.aql.validate(QUERY)["bind_vars"]) == ["@collection", "limit"]


def graphs(db):
    definition = {
        "edge_collection": "bought",
        "from_vertex_collections": ["users"],
        "to_vertex_collections": ["items"],
    }
    graph = db.create_graph("shop", edge_definitions=[definition])
    refused(GraphCreateError, 1925, 409, lambda: db.create_graph("shop", edge_definitions=[definition]))
    assert db.has_graph("shop") and not db.has_graph("other")
    assert graph.edge_definitions() == [definition]
    assert [one["name"] for one in db.graphs()] == ["shop"]
    # Its collections came with it.
    assert db.collection("bought").properties()["edge"]
    assert not db.collection("users").properties()["edge"]
    assert db.delete_graph("shop", drop_collections=True) and not db.has_collection("bought")


def main():
    url, user = sys.argv[1:]
    password = sys.stdin.read()
    client = ArangoClient(hosts=url)
    db = databases(client, user, password)
    things, edges = collections(db)
    overwrite_modes(things)
    errors_of_elements(things, edges)
    versions(things)
    single_documents(things)
    cursors(db)
    graphs(db)
    system = client.db("_system", username=user, password=password)
    assert system.delete_database(DATABASE)
    client.close()
    print("all of it")


main()
