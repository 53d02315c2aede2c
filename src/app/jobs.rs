//! Jobs over HTTP: what operators ask for at the admin listener of whoever applies the log.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request as HttpRequest, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::ground::JobGround;
use super::guard::Guard;
use crate::clock;
use crate::generation::GenerationId;
use crate::http::{BodyBudget, BodyLimits, Problem, json as json_answer, read_body};
use crate::limits::{JOB_REQUEST_BYTES, READ_RETRY_AFTER_S};
use crate::replay::{
    Job, JobError, Jobs, Plan, PlanError, Planner, Range, Refused, Request, Undecodable, Verb,
};

/// What answers about jobs. Clones share it.
#[derive(Clone)]
pub(super) struct JobsPart {
    pub jobs: Jobs,
    pub planner: Arc<Planner<JobGround>>,
}

/// The body of a request, read within the limits of all bodies.
struct Asked(Bytes);

impl<S: Sync> FromRequest<S> for Asked {
    type Rejection = Problem;

    async fn from_request(request: HttpRequest, _: &S) -> Result<Self, Problem> {
        let limits = BodyLimits { max_bytes: JOB_REQUEST_BYTES, ..BodyLimits::default() };
        let budget = BodyBudget::new(JOB_REQUEST_BYTES);
        let (body, _) = read_body(request.into_body(), limits, &budget).await?;
        Ok(Self(body))
    }
}

/// Routes for operators; whoever may not operate is told so.
pub(super) fn routes(part: Option<JobsPart>, guard: Guard) -> Router {
    let routes = match part {
        Some(part) => Router::new()
            .route("/admin/jobs", get(list).post(begin))
            .route("/admin/jobs/{id}", get(show))
            .route("/admin/jobs/{id}/limit", post(limit))
            .route("/admin/jobs/{id}/{what}", post(tell))
            .with_state(part),
        None => Router::new()
            .route("/admin/jobs", get(elsewhere).post(elsewhere))
            .route("/admin/jobs/{*rest}", get(elsewhere).post(elsewhere)),
    };
    routes.layer(from_fn_with_state(guard, admit))
}

/// Has a route answer only whoever may operate.
pub(super) async fn admit(
    State(guard): State<Guard>,
    request: HttpRequest,
    next: Next,
) -> Response {
    let jobs = request.uri().path().starts_with("/admin/jobs");
    match guard.admit(request.method(), request.headers(), jobs) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn elsewhere() -> Problem {
    let detail =
        "this process runs no jobs: ask the operators' listener of weir dev or of a projector";
    Problem::new(StatusCode::NOT_FOUND, "no_jobs_here", detail)
}

/// All jobs that are kept.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct JobList {
    jobs: Vec<Job>,
}

async fn list(State(part): State<JobsPart>) -> Result<Response, Problem> {
    let jobs = part.jobs.list().await.map_err(|error| of_job(&error))?;
    Ok(json_answer(StatusCode::OK, &JobList { jobs }))
}

async fn show(State(part): State<JobsPart>, Path(id): Path<String>) -> Result<Response, Problem> {
    let job = part.jobs.get(&id).await.map_err(|error| of_job(&error))?;
    Ok(json_answer(StatusCode::OK, &job))
}

async fn begin(State(part): State<JobsPart>, asked: Asked) -> Result<Response, Problem> {
    let request: Request = read(&asked.0)?;
    let planner = &part.planner;
    let plan = planner.plan(&request, clock::now_ms()).await.map_err(|error| of_plan(&error))?;
    if request.plan {
        return Ok(json_answer(StatusCode::OK, &PlanView::of(plan)));
    }
    let job = planner.start(&plan).await.map_err(|error| of_plan(&error))?;
    tracing::info!(job = %job.id, by = job.request.by.as_deref().unwrap_or("somebody"), "a job was asked for");
    Ok(json_answer(StatusCode::CREATED, &job))
}

async fn tell(
    State(part): State<JobsPart>,
    Path((id, what)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let jobs = &part.jobs;
    let id = jobs.get(&id).await.map_err(|error| of_job(&error))?.id;
    let told = match what.as_str() {
        "pause" => jobs.pause(&id).await,
        "resume" => jobs.resume(&id).await,
        "cancel" => jobs.cancel(&id).await,
        _ => {
            let detail = "a job can be told to pause, resume or cancel, and given a limit";
            return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
        }
    };
    told.map(|job| json_answer(StatusCode::OK, &job)).map_err(|error| of_job(&error))
}

/// What changes; what is absent stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = JobLimits)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Limits {
    live_lag_ms: Option<u64>,
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    rate: Rate,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(from = "Option<u64>")]
enum Rate {
    #[default]
    AsItIs,
    /// What `null` asks for.
    NoCap,
    Cap(u64),
}

impl From<Option<u64>> for Rate {
    fn from(rate: Option<u64>) -> Self {
        rate.map_or(Self::NoCap, Self::Cap)
    }
}

impl Rate {
    fn over(self, now: Option<u64>) -> Option<u64> {
        match self {
            Self::AsItIs => now,
            Self::NoCap => None,
            Self::Cap(rate) => Some(rate),
        }
    }
}

async fn limit(
    State(part): State<JobsPart>,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let limits: Limits = read(&asked.0)?;
    if limits.live_lag_ms == Some(0) || limits.rate == Rate::Cap(0) {
        return Err(invalid("a limit is at least 1; pause the job to hold it still"));
    }
    let id = part.jobs.get(&id).await.map_err(|error| of_job(&error))?.id;
    let change = |job: &mut Job| {
        job.control.live_lag_ms = limits.live_lag_ms.unwrap_or(job.control.live_lag_ms);
        job.control.rate = limits.rate.over(job.control.rate);
        job.changed_ms = clock::now_ms();
        Ok::<_, JobError>(())
    };
    let job = part.jobs.change(&id, change).await.map_err(|error| of_job(&error))?;
    Ok(json_answer(StatusCode::OK, &job))
}

/// Reads an object; serde would take an array of its members too.
fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Problem> {
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(invalid("the request is an array, and should be an object"));
    }
    serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            return invalid(&format!("the request is not understood: {error}"));
        }
        let detail = format!("the body is no JSON: {error}");
        Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
    })
}

fn invalid(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
}

fn of_job(error: &JobError) -> Problem {
    let (status, code) = match error {
        JobError::NoSuchJob(_) => (StatusCode::NOT_FOUND, "no_such_job"),
        JobError::Ambiguous { .. } => (StatusCode::BAD_REQUEST, "ambiguous_job"),
        JobError::Illegal(_) => (StatusCode::CONFLICT, "illegal_move"),
        JobError::Collides(_) => (StatusCode::CONFLICT, "job_in_the_way"),
        JobError::Unreadable(_) => (StatusCode::CONFLICT, "foreign_job"),
        JobError::Fenced | JobError::Conflict | JobError::Unavailable(_) => {
            return unavailable(error);
        }
    };
    Problem::new(status, code, error.to_string())
}

fn of_plan(error: &PlanError) -> Problem {
    let (status, code) = match error {
        PlanError::NoPlace(_) => (StatusCode::BAD_REQUEST, "no_such_place"),
        PlanError::UnknownType(_) => (StatusCode::BAD_REQUEST, "unknown_event_type"),
        PlanError::Empty { .. } => (StatusCode::BAD_REQUEST, "empty_range"),
        PlanError::Meaningless(_) | PlanError::NoGeneration => {
            (StatusCode::BAD_REQUEST, "invalid_request")
        }
        PlanError::Truncated { .. } => (StatusCode::CONFLICT, "history_truncated"),
        PlanError::NothingToJump => (StatusCode::CONFLICT, "nothing_to_jump"),
        PlanError::UnknownGeneration(_) | PlanError::Refused(Refused::Unknown(_)) => {
            (StatusCode::NOT_FOUND, "unknown_generation")
        }
        PlanError::Exists(_) => (StatusCode::CONFLICT, "generation_exists"),
        PlanError::Retiring(_) => (StatusCode::CONFLICT, "generation_retiring"),
        PlanError::AsOf { .. } => (StatusCode::CONFLICT, "generation_as_of"),
        PlanError::Refused(_) => (StatusCode::CONFLICT, "refused"),
        PlanError::Collides(_) => (StatusCode::CONFLICT, "job_in_the_way"),
        PlanError::NoLog => (StatusCode::CONFLICT, "no_log"),
        PlanError::Unavailable(_) => return unavailable(error),
    };
    Problem::new(status, code, error.to_string())
}

fn unavailable(error: &dyn std::error::Error) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string())
        .retry_after(READ_RETRY_AFTER_S)
}

/// A plan as it is told.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Plan)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanView {
    verb: Verb,
    generation: GenerationId,
    #[serde(skip_serializing_if = "is_empty")]
    range: Range,
    /// Messages in the range; of a redrive the parked events there are.
    events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated_at: Option<u64>,
    sampled: u64,
    undecodable: u64,
    undecodable_examples: Vec<Undecodable>,
    expected_seconds: u64,
    expected_bytes: u64,
    notes: Vec<String>,
}

fn is_empty(range: &Range) -> bool {
    range.is_empty()
}

impl PlanView {
    fn of(plan: Plan) -> Self {
        let mut notes = Vec::new();
        if let Some(first) = plan.truncated_at {
            let allowed = plan.request.allow_truncated;
            let allowed = if allowed { "" } else { "; refused without --allow-truncated" };
            notes.push(format!(
                "history truncated at {first}: what came before is gone from the log{allowed}"
            ));
        }
        if plan.missing > 0 {
            notes.push(format!("the log holds nothing at {} sequences of the range", plan.missing));
        }
        if !plan.request.filter.is_empty() && plan.sample.looked_at > 0 {
            let (meant, of) = (plan.sample.meant, plan.sample.looked_at);
            notes.push(format!("the filter chooses {meant} of {of} events that were looked at"));
        }
        Self {
            verb: plan.request.verb,
            generation: plan.generation,
            range: plan.range,
            events: plan.parked.unwrap_or(plan.estimate.events),
            truncated_at: plan.truncated_at,
            sampled: plan.sample.looked_at,
            undecodable: plan.sample.undecodable,
            undecodable_examples: plan.sample.examples,
            expected_seconds: plan.estimate.seconds,
            expected_bytes: plan.estimate.bytes,
            notes,
        }
    }
}
