//! What health routes and operators' routes take and answer, for the description of the service. Pure.

use serde_json::{Value, json};

use super::admin::Health;
use super::jobs::{JobList, Limits, PlanView};
use super::ready::Answer as Readiness;
use super::roles::{Role, Roles};
use super::status::Snapshot;
use crate::describe::{Answer, Code, Entry, Example, Operation, Parameter, Schema};
use crate::replay::{Job, Request};

/// What the want of a token, or a page of somebody else, may lead to.
const GUARD_PROBLEMS: [Code; 9] = [
    (401, "key_not_valid"),
    (401, "key_required"),
    (401, "unauthorized"),
    (403, "foreign_host"),
    (403, "origin_not_allowed"),
    (403, "scope_missing"),
    (429, "rate_limited"),
    (503, "keys_not_known"),
    (503, "token_unreadable"),
];

/// What whatever changes something refuses besides.
const WRITE_PROBLEMS: [Code; 2] = [(403, "foreign_origin"), (415, "unsupported_media_type")];

/// What a job that is told something may lead to.
const JOB_PROBLEMS: [Code; 7] = [
    (400, "ambiguous_job"),
    (404, "no_such_job"),
    (404, "not_found"),
    (409, "foreign_job"),
    (409, "illegal_move"),
    (409, "job_in_the_way"),
    (503, "unavailable"),
];

/// What the plan of a job may lead to.
const PLAN_PROBLEMS: [Code; 14] = [
    (400, "empty_range"),
    (400, "invalid_request"),
    (400, "malformed_json"),
    (400, "no_such_place"),
    (400, "unknown_event_type"),
    (404, "unknown_generation"),
    (409, "generation_as_of"),
    (409, "generation_exists"),
    (409, "generation_retiring"),
    (409, "history_truncated"),
    (409, "no_log"),
    (409, "nothing_to_jump"),
    (409, "refused"),
    (413, "body_too_large"),
];

/// Describes what both listeners tell of themselves.
pub(super) fn health(roles: Roles) -> Vec<Operation> {
    let names: Vec<&str> = roles.all().iter().copied().map(Role::name).collect();
    let role = json!({ "type": "string", "enum": names });
    let readiness = |status, text| Answer::json(status, text, Schema::of::<Readiness>());
    let ready = |path, id| {
        Operation::new("get", path, id)
            .of("health", Entry::Everyone)
            .answers(readiness(200, "Every role that was asked for does its duty."))
            .answers(readiness(503, "One of them does not; degraded says why."))
    };
    vec![
        Operation::new("get", "/health", "health")
            .of("health", Entry::Everyone)
            .says("Tells that the process runs", "")
            .answers(Answer::json(200, "It runs.", Schema::of::<Health>())),
        ready("/health/ready", "ready")
            .says("Tells whether all roles of the process are ready", ""),
        ready("/health/ready/{role}", "readyRole")
            .says("Tells whether one role is ready", "")
            .parameter(Parameter::path("role", &role, "A role of this process."))
            .problems(&[(404, "unknown_role"), (404, "not_found")]),
    ]
}

/// Describes the documents themselves.
pub(super) fn documents() -> Vec<Operation> {
    let object = || Schema::inline(json!({ "type": "object" }));
    let document = |path, id, summary| {
        Operation::new("get", path, id).says(summary, "").answers(Answer::json(
            200,
            "The document.",
            object(),
        ))
    };
    vec![
        document("/openapi.json", "openapi", "Describes this listener (OpenAPI 3.1)"),
        document("/asyncapi.json", "asyncapi", "Describes the subjects of NATS (AsyncAPI 3.0)"),
    ]
}

/// Describes what only operators see.
pub(super) fn admin(jobs: bool) -> Vec<Operation> {
    let metrics = Schema::inline(json!({ "type": "string" }));
    let status = Answer::json(200, "One moment of the process.", Schema::of::<Snapshot>());
    let mut all = vec![
        Operation::new("get", "/metrics", "metrics")
            .says("Tells counters and gauges, for Prometheus", "")
            .answers(Answer::of(200, "Prometheus' text format.", Some(("text/plain", metrics)))),
        operators("get", "/admin/status", "status")
            .says(
                "Tells what every part of the process does",
                "What its roles do not need is absent.",
            )
            .answers(status),
    ];
    all.extend(if jobs { described_jobs() } else { jobs_elsewhere() });
    all
}

fn operators(method: &'static str, path: &'static str, id: &'static str) -> Operation {
    let operation = Operation::new(method, path, id)
        .of("operators", Entry::Operators)
        .problems(&GUARD_PROBLEMS);
    if method == "get" { operation } else { operation.problems(&WRITE_PROBLEMS) }
}

fn described_jobs() -> Vec<Operation> {
    let job = |status, text| Answer::json(status, text, Schema::of::<Job>());
    let one = |method, path, id| {
        operators(method, path, id)
            .parameter(Parameter::path(
                "id",
                &text(),
                "A job's id, or its beginning if only one has it.",
            ))
            .problems(&JOB_PROBLEMS)
    };
    let word = json!({ "type": "string", "enum": ["pause", "resume", "cancel"] });
    vec![
        operators("get", "/admin/jobs", "jobs")
            .says("Lists jobs", "")
            .answers(Answer::json(200, "All jobs that are kept.", Schema::of::<JobList>()))
            .problems(&[(503, "unavailable")]),
        operators("post", "/admin/jobs", "beginJob")
            .says(
                "Begins a job, or plans it",
                "With plan, nothing is done, and what would be is told.",
            )
            .takes("application/json", Schema::of::<Request>(), requests())
            .answers(Answer::json(200, "The plan.", Schema::of::<PlanView>()))
            .answers(job(201, "The job; a worker takes it."))
            .problems(&PLAN_PROBLEMS)
            .problems(&JOB_PROBLEMS),
        one("get", "/admin/jobs/{id}", "job")
            .says("Tells of a job", "")
            .answers(job(200, "The job as it is written down.")),
        one("post", "/admin/jobs/{id}/limit", "limitJob")
            .says(
                "Changes how fast a job goes",
                "What is absent stays; null takes a rate's cap away.",
            )
            .takes("application/json", Schema::of::<Limits>(), limits())
            .answers(job(200, "The job with its new limits."))
            .problems(&[
                (400, "invalid_request"),
                (400, "malformed_json"),
                (413, "body_too_large"),
            ]),
        one("post", "/admin/jobs/{id}/{what}", "tellJob")
            .says("Pauses a job, has it go on, or ends it", "")
            .parameter(Parameter::path("what", &word, "What it is told."))
            .answers(job(200, "The job after it.")),
    ]
}

/// A process without jobs says where they are.
fn jobs_elsewhere() -> Vec<Operation> {
    let nothing = |method, path, id| operators(method, path, id).problems(&[(404, "no_jobs_here")]);
    vec![
        nothing("get", "/admin/jobs", "jobs").says("Says that jobs are elsewhere", ""),
        nothing("post", "/admin/jobs", "beginJob").says("Says that jobs are elsewhere", ""),
    ]
}

fn requests() -> Vec<Example> {
    let plan = json!({ "verb": "replay", "from": "-2h", "plan": true });
    vec![Example::new("plan", "What applying the last two hours again would do", plan)]
}

fn limits() -> Vec<Example> {
    vec![Example::new("slower", "At most 500 events a second", json!({ "rate": 500 }))]
}

fn text() -> Value {
    json!({ "type": "string", "minLength": 1 })
}
