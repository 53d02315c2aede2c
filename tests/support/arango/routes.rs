//! Which requests there are, and what each may carry: the whole of what is not a 501.

use super::answer::{Answer, Trouble};
use super::request::Request;
use super::server::Server;
use super::{auth, collections, cursors, databases, documents, graphs, indexes, single};

pub type Handler = fn(&Server, &Request) -> Result<Answer, Trouble>;

/// One request, its parameters and the fields of its body (space-separated, `a.b` for nested ones,
/// `a.*` for anything inside). What stands under `wide` is only taken in the wider mode.
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub handler: Handler,
    pub params: &'static str,
    pub fields: &'static str,
    pub wide_params: &'static str,
    pub wide_fields: &'static str,
    pub only_wide: bool,
    /// The body is documents, whose fields are the caller's.
    pub free_body: bool,
}

const fn route(method: &'static str, path: &'static str, handler: Handler) -> Route {
    Route {
        method,
        path,
        handler,
        params: "",
        fields: "",
        wide_params: "",
        wide_fields: "",
        only_wide: false,
        free_body: false,
    }
}

impl Route {
    const fn params(self, params: &'static str) -> Self {
        Self { params, ..self }
    }

    const fn fields(self, fields: &'static str) -> Self {
        Self { fields, ..self }
    }

    const fn wide_params(self, wide_params: &'static str) -> Self {
        Self { wide_params, ..self }
    }

    const fn wide_fields(self, wide_fields: &'static str) -> Self {
        Self { wide_fields, ..self }
    }

    const fn only_wide(self) -> Self {
        Self { only_wide: true, ..self }
    }

    const fn documents(self) -> Self {
        Self { free_body: true, ..self }
    }

    /// Tells whether the route is meant: `{…}` in its path stands for any part.
    pub fn fits(&self, method: &str, path: &[String]) -> bool {
        let mut parts = self.path.split('/').skip(1);
        self.method == method
            && path.iter().all(|given| {
                parts
                    .next()
                    .is_some_and(|part| part == given || part.starts_with('{') && !given.is_empty())
            })
            && parts.next().is_none()
    }
}

pub const ROUTES: &[Route] = &[
    route("GET", "/", databases::root),
    route("POST", "/_open/auth", auth::login).fields("username password"),
    route("GET", "/_api/version", databases::version).wide_params("details"),
    // Databases.
    route("GET", "/_api/database", databases::list),
    route("GET", "/_api/database/user", databases::list),
    route("GET", "/_api/database/current", databases::current),
    route("POST", "/_api/database", databases::create)
        .fields("name options options.sharding options.replicationFactor options.writeConcern"),
    route("DELETE", "/_api/database/{name}", databases::remove),
    // Collections.
    route("GET", "/_api/collection", collections::list).params("excludeSystem"),
    route("POST", "/_api/collection", collections::create)
        .params("waitForSyncReplication enforceReplicationFactor")
        .fields("name type numberOfShards replicationFactor writeConcern waitForSync")
        .wide_fields("isSystem keyOptions keyOptions.type keyOptions.allowUserKeys shardKeys"),
    route("GET", "/_api/collection/{collection}", collections::get),
    route("GET", "/_api/collection/{collection}/properties", collections::properties),
    route("GET", "/_api/collection/{collection}/count", collections::count),
    route("DELETE", "/_api/collection/{collection}", collections::remove).wide_params("isSystem"),
    // Indexes.
    route("GET", "/_api/index", indexes::list)
        .params("collection")
        .wide_params("withStats withHidden"),
    route("POST", "/_api/index", indexes::create)
        .params("collection")
        .fields("type name fields storedValues unique sparse inBackground deduplicate")
        .wide_fields("estimates cacheEnabled"),
    // Graphs.
    route("GET", "/_api/gharial", graphs::list),
    route("POST", "/_api/gharial", graphs::create)
        .params("waitForSync")
        .fields(
            "name edgeDefinitions edgeDefinitions.collection edgeDefinitions.from \
             edgeDefinitions.to options options.numberOfShards options.replicationFactor \
             options.writeConcern",
        )
        .wide_fields("orphanCollections"),
    route("GET", "/_api/gharial/{graph}", graphs::get),
    route("DELETE", "/_api/gharial/{graph}", graphs::remove).params("dropCollections").only_wide(),
    // Documents.
    route("POST", "/_api/document/{collection}", documents::insert)
        .params("overwriteMode versionAttribute returnOld returnNew waitForSync keepNull")
        .wide_params("silent overwrite mergeObjects refillIndexCaches")
        .documents(),
    route("GET", "/_api/document/{collection}/{key}", single::read).only_wide(),
    route("PUT", "/_api/document/{collection}/{key}", single::replace)
        .params(
            "waitForSync returnNew returnOld silent ignoreRevs versionAttribute overwrite refillIndexCaches",
        )
        .documents()
        .only_wide(),
    route("PATCH", "/_api/document/{collection}/{key}", single::update)
        .params(
            "waitForSync returnNew returnOld silent ignoreRevs versionAttribute keepNull \
             mergeObjects overwrite refillIndexCaches",
        )
        .documents()
        .only_wide(),
    route("DELETE", "/_api/document/{collection}/{key}", single::remove)
        .params("waitForSync returnOld silent ignoreRevs overwrite refillIndexCaches")
        .only_wide(),
    // Queries.
    route("POST", "/_api/query", cursors::parse).fields("query"),
    route("POST", "/_api/cursor", cursors::open)
        .fields(
            "query bindVars bindVars.* batchSize options options.failOnWarning options.maxRuntime",
        )
        .wide_fields(
            "count memoryLimit options.allowRetry options.usePlanCache allowRetry usePlanCache failOnWarning \
             maxRuntime",
        ),
    route("POST", "/_api/cursor/{id}", cursors::next),
    route("PUT", "/_api/cursor/{id}", cursors::next).only_wide(),
    route("DELETE", "/_api/cursor/{id}", cursors::close),
];
