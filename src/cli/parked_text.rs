//! Parked events as people and machines read them (pure).

use serde::Serialize;

use crate::app::Done;
use crate::event::format_ms;
use crate::stream::ParkedEntry;

/// Most characters of an error in a list.
const ERROR_SHOWN: usize = 80;

/// One parked event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedView {
    pub id: String,
    pub generation: String,
    pub subject: String,
    pub reason: String,
    pub error: String,
    pub attempts: u32,
    pub first_failed: String,
    pub parked: String,
    /// Where it stands in the log.
    pub epoch: String,
    pub sequence: u64,
    pub message_id: Option<String>,
    /// The message as it was; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

impl ParkedView {
    /// Without the payload.
    pub fn brief(parked: &ParkedEntry) -> Self {
        let entry = &parked.entry;
        Self {
            id: entry.id.to_string(),
            generation: format!("g{}", entry.generation),
            subject: entry.subject.clone(),
            reason: entry.reason.clone(),
            error: entry.error.clone(),
            attempts: entry.attempts,
            first_failed: format_ms(entry.first_failed_ms),
            parked: format_ms(parked.parked_ms),
            epoch: entry.epoch.clone(),
            sequence: entry.sequence,
            message_id: entry.message_id.clone(),
            payload: None,
        }
    }

    /// With the payload; bytes that are no text are replaced.
    pub fn whole(parked: &ParkedEntry) -> Self {
        let payload = String::from_utf8_lossy(&parked.entry.payload).into_owned();
        Self { payload: Some(payload), ..Self::brief(parked) }
    }
}

/// Control characters of a message cannot move a person's terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn tries(attempts: u32) -> String {
    if attempts == 1 { "1 try".to_owned() } else { format!("{attempts} tries") }
}

pub(super) fn list_text(views: &[ParkedView], more: bool, unreadable: u64) -> String {
    let mut text = String::new();
    let width = views.iter().map(|view| view.reason.len()).max().unwrap_or(0);
    for view in views {
        let error: String = plain(&view.error).chars().take(ERROR_SHOWN).collect();
        text.push_str(&format!(
            "{}  {}  {:width$}  {}  {}: {error}\n",
            view.id,
            view.first_failed,
            plain(&view.reason),
            tries(view.attempts),
            plain(&view.subject),
        ));
    }
    if views.is_empty() {
        text.push_str("nothing is parked that fits\n");
    }
    if more {
        text.push_str(&format!("there are more than these {}: raise --limit\n", views.len()));
    }
    if unreadable > 0 {
        text.push_str(&format!(
            "{unreadable} entries cannot be read: a newer weir may have written them\n"
        ));
    }
    text
}

pub(super) fn show_text(view: &ParkedView) -> String {
    format!(
        "id            {}\ngeneration    {}\nsubject       {}\nmessage id    {}\nin the log    {} of {}\n\
         first failed  {}\nparked        {}\ntries         {}\nreason        {}\nerror         {}\n\n{}\n",
        view.id,
        view.generation,
        plain(&view.subject),
        view.message_id.as_deref().map_or_else(|| "-".to_owned(), plain),
        view.sequence,
        plain(&view.epoch),
        view.first_failed,
        view.parked,
        view.attempts,
        plain(&view.reason),
        plain(&view.error),
        plain(view.payload.as_deref().unwrap_or_default()),
    )
}

pub(super) fn done_text(done: &str, outcome: Done) -> String {
    let mut text = format!("{} {done}\n", outcome.done);
    if outcome.passed_over > 0 {
        text.push_str(&format!(
            "{} passed over: somebody else changed or closed them meanwhile\n",
            outcome.passed_over
        ));
    }
    if outcome.cut > 0 {
        text.push_str(&format!(
            "{} left alone: they are too large to be events, and only their beginning is parked\n",
            outcome.cut
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(reason: &str, error: &str) -> ParkedView {
        ParkedView {
            id: "0a4c9e0f5b7d4c1e8a2b3c4d5e6f7081".into(),
            generation: "g1".into(),
            subject: "events.viewed".into(),
            reason: reason.into(),
            error: error.into(),
            attempts: 2,
            first_failed: "2026-05-04T10:00:00.000Z".into(),
            parked: "2026-05-04T10:00:06.000Z".into(),
            epoch: "e1".into(),
            sequence: 7,
            message_id: None,
            payload: Some("{\"userId\":\"\u{1b}[2J\"}".into()),
        }
    }

    #[test]
    fn a_list_has_a_line_an_event_and_nothing_that_moves_a_terminal() {
        let views =
            [view("undecodable", "expected `,`\u{1b}[2J"), view("arango_1233", &"x".repeat(200))];
        insta::assert_snapshot!(format!(
            "{}----\n{}",
            list_text(&views, true, 3),
            list_text(&[], false, 0)
        ));
    }

    #[test]
    fn one_event_is_shown_whole_for_people_and_machines() {
        let view = view("undecodable", "expected `,`");
        let json = serde_json::to_value(&view).expect("plain data");
        insta::assert_snapshot!(format!("{}----\n{json:#}", show_text(&view)));
    }

    #[test]
    fn what_was_left_alone_is_told() {
        assert_eq!(done_text("dropped", Done { done: 3, ..Done::default() }), "3 dropped\n");
        assert!(
            done_text("redriven", Done { passed_over: 2, ..Done::default() })
                .contains("2 passed over")
        );
    }
}
