//! A rollout for people, and for machines (pure but for `print`).

use std::io::{Write, stdout};
use std::time::Duration;

use serde_json::{Value, json};

use crate::event::format_ms;
use crate::rollout::{Entry, Event, Judgement, Look, Plan, Record, Seen, Sides, State, Verdict};

/// One line of what happens, after it was taken.
pub(super) fn entry_text(entry: &Entry, record: &Record, json: bool) -> String {
    if json {
        return serde_json::to_string(entry).unwrap_or_default() + "\n";
    }
    let at = format_ms(entry.at_ms);
    let at = at.get(11..19).unwrap_or_default();
    let told = match &entry.event {
        Event::Began(begun) => format!("{} to {}", begun.id, begun.to),
        Event::Moved { .. } => state_text(record),
        Event::Based { .. } => "both versions were read for the first time".to_owned(),
        Event::Looked { look, decided, p_value, .. } => look_text(look, decided, *p_value),
        Event::Split { percent } => format!("the new version gets {percent} % of the traffic"),
        Event::Said { text } => text.clone(),
    };
    format!("{at}  {told}\n")
}

fn state_text(record: &Record) -> String {
    match &record.state {
        State::Step { at } => {
            let steps = record.begun.plan.percents.len();
            format!("step {} of {steps}: {} %", at + 1, record.percent())
        }
        state => state.to_string(),
    }
}

fn look_text(look: &Look, decided: &Verdict, p_value: f64) -> String {
    let mut text = format!("new: {}", seen_text(&look.new));
    if let Some(old) = &look.old {
        text += &format!("; old: {}; p {p_value:.2}", seen_text(old));
    }
    match decided {
        Verdict::Continue => {}
        Verdict::NotEnough => text += "; more requests are needed",
        Verdict::Promote => text += "; passed",
        Verdict::RollBack { reason } => text += &format!("; back: {reason}"),
    }
    text
}

fn seen_text(seen: &Seen) -> String {
    let mut text = format!("{} requests", seen.requests);
    let counts = [
        (seen.errors, "errors"),
        (seen.refused, "refused"),
        (seen.slow, "slow"),
        (seen.lag, "behind"),
    ];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
        text += &format!(", {count} {what}");
    }
    if !seen.connected {
        text += ", without NATS";
    }
    text
}

/// How the latest rollout stands.
pub(super) fn status_text(record: &Record) -> String {
    let begun = &record.begun;
    let live = begun.sides.live.as_deref().unwrap_or("nothing");
    let mut text = format!(
        "{}\n\nstate   {}, since {}\nto      {} as {}, beside {live} ({})\n",
        begun.id,
        state_text(record),
        format_ms(record.since_ms),
        begun.to,
        begun.sides.next,
        begun.provider,
    );
    if let Some((look, p_value)) = &record.latest {
        let told = look_text(look, &Verdict::Continue, *p_value);
        text += &format!("looked  {}: {told}\n", format_ms(look.at_ms));
    }
    text
}

pub(super) fn status_json(record: &Record) -> Value {
    let begun = &record.begun;
    let mut told = json!({
        "id": begun.id, "provider": begun.provider, "to": begun.to, "sides": begun.sides,
        "sinceMs": record.since_ms, "percent": record.percent(), "steps": begun.plan.percents,
        "latest": record.latest.as_ref().map(|(look, p_value)| json!({"look": look, "pValue": p_value})),
    });
    // The state's own fields stand beside the others.
    if let (Value::Object(told), Ok(Value::Object(state))) =
        (&mut told, serde_json::to_value(&record.state))
    {
        told.extend(state);
    }
    told
}

/// What a rollout would go through.
pub(super) fn plan_text(plan: &Plan, judgement: &Judgement, sides: &Sides) -> String {
    let live = sides.live.as_deref().unwrap_or("nothing");
    let mut text = format!("live {live}, the new version goes to {}\n\n", sides.next);
    for percent in &plan.percents {
        text += &format!(
            "{percent:>4} %  at least {} and {} requests, at most {}\n",
            time(plan.least_duration),
            plan.least_requests,
            time(plan.step_deadline)
        );
    }
    let least = plan.least_duration * u32::try_from(plan.percents.len()).unwrap_or(u32::MAX);
    text += &format!(
        "\nAll steps take {} or more. A version that is no worse goes back with a probability of {} % at most.\n\
         If it makes another graph, a generation is rebuilt, verified and promoted first (at most {}).\n",
        time(least),
        judgement.alpha * 100.0,
        time(plan.rebuild_within)
    );
    text
}

pub(super) fn plan_json(plan: &Plan, judgement: &Judgement, sides: &Sides) -> Value {
    json!({"sides": sides, "plan": plan, "judgement": judgement})
}

fn time(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

pub(super) fn print(text: &str) -> std::io::Result<()> {
    let mut output = stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::{Begun, Reason};

    fn record(state: State) -> Record {
        let begun = Begun {
            id: "rollout-20261128T160000000".into(),
            provider: "local".into(),
            to: "/opt/weir/2/weir".into(),
            sides: Sides { live: Some("blue".into()), next: "green".into() },
            plan: Plan::default(),
            judgement: Judgement::default(),
            jobs_url: None,
        };
        let began = Entry { at_ms: 1_795_881_600_000, event: Event::Began(Box::new(begun)) };
        let mut record = Record::of(&[began]).unwrap();
        record.state = state;
        record
    }

    fn look() -> Look {
        let new = Seen { requests: 40, errors: 3, lag: 2, connected: true, ..Seen::default() };
        let old = Seen { requests: 4000, slow: 9, connected: true, ..Seen::default() };
        Look { at_ms: 1_795_881_610_000, new, old: Some(old), bound_s: Some(0.02), restarted: None }
    }

    #[test]
    fn a_rollout_is_told_in_lines() {
        let record = record(State::Step { at: 1 });
        let line = |event| entry_text(&Entry { at_ms: 1_795_881_610_000, event }, &record, false);
        let (new, old) = (crate::rollout::Reading::default(), None);
        let decided = Verdict::RollBack { reason: Reason::Apart };
        let looked = Event::Looked { look: look(), decided, p_value: 0.031, new, old };
        insta::assert_snapshot!(line(Event::Split { percent: 10 }) + &line(looked), @r"
        16:00:10  the new version gets 10 % of the traffic
        16:00:10  new: 40 requests, 3 errors, 2 behind; old: 4000 requests, 9 slow; p 0.03; back: it has no connection to NATS, and the old version has
        ");
    }

    #[test]
    fn a_status_is_told_for_people_and_machines() {
        let mut record = record(State::Step { at: 1 });
        record.latest = Some((look(), 0.5));
        insta::assert_snapshot!(status_text(&record), @r"
        rollout-20261128T160000000

        state   step 2 of 4: 10 %, since 2026-11-28T16:00:00.000Z
        to      /opt/weir/2/weir as green, beside blue (local)
        looked  2026-11-28T16:00:10.000Z: new: 40 requests, 3 errors, 2 behind; old: 4000 requests, 9 slow; p 0.50
        ");
        let json = status_json(&record);
        assert_eq!(
            (&json["state"], &json["at"], &json["percent"]),
            (&json!("step"), &json!(1), &json!(10))
        );
        assert_eq!(json["latest"]["look"]["new"]["errors"], 3);
    }

    #[test]
    fn a_plan_is_told() {
        let sides = Sides { live: Some("blue".into()), next: "green".into() };
        insta::assert_snapshot!(plan_text(&Plan::default(), &Judgement::default(), &sides), @r"
        live blue, the new version goes to green

           1 %  at least 10 min and 1000 requests, at most 1 h
          10 %  at least 10 min and 1000 requests, at most 1 h
          50 %  at least 10 min and 1000 requests, at most 1 h
         100 %  at least 10 min and 1000 requests, at most 1 h

        All steps take 40 min or more. A version that is no worse goes back with a probability of 1 % at most.
        If it makes another graph, a generation is rebuilt, verified and promoted first (at most 12 h).
        ");
    }
}
