//! CloudEvents: what the attributes say and what the data says, as one event.

use serde_json::value::RawValue;

use super::draft::Draft;
use super::fields::Field;
use super::foreign::{
    Attributes, CloudAttributes, ID, Mode, SOURCE, SUBJECT, TIME, TYPE, USER, attributes_of,
};
use super::issue::Issue;
use super::json::Scalar;
use super::parse::{ParseError, Parser, malformed, nested, own, read_raw};
use super::raw::Raw;
use super::several::{Parsed, each, read_object};

impl Parser {
    /// Reads an event of CloudEvents 1.0 in structured mode.
    pub fn parse_cloud_event<'a>(&self, json: &[u8]) -> Result<Draft<'a>, ParseError> {
        let mut event = read_object(json)?;
        let attributes = attributes_of(&event).map_err(ParseError::Invalid)?;
        let data =
            Attributes::data(&mut event).map_err(|issue| ParseError::Invalid(vec![issue]))?;
        self.parse_cloud(&attributes, data.as_bytes(), Mode::Structured).map_err(
            |error| match error {
                ParseError::Malformed { .. } => {
                    let detail = "is a text that is not JSON";
                    ParseError::Invalid(vec![Issue::new("/data", "malformed_json", detail)])
                }
                invalid @ ParseError::Invalid(_) => invalid,
            },
        )
    }

    /// Reads a batch of them.
    pub fn parse_cloud_batch<'a>(&self, json: &'a [u8]) -> Result<Parsed<'a>, ParseError> {
        let elements: Vec<&'a RawValue> =
            serde_json::from_slice(json).map_err(|error| malformed(&error))?;
        Ok(Parsed::Many(each(&elements, |text| self.parse_cloud_event(text))))
    }

    /// Reads one in binary mode: the attributes are in the headers, and `data` is JSON.
    pub fn parse_cloud_binary<'a>(
        &self,
        attributes: &CloudAttributes,
        data: &[u8],
    ) -> Result<Draft<'a>, ParseError> {
        let attributes = attributes.read().map_err(ParseError::Invalid)?;
        let data = if data.trim_ascii().is_empty() { b"{}" } else { data };
        self.parse_cloud(&attributes, data, Mode::Binary)
    }

    fn parse_cloud<'a>(
        &self,
        attributes: &Attributes,
        data: &[u8],
        mode: Mode,
    ) -> Result<Draft<'a>, ParseError> {
        let mut raw = read_raw(data)?;
        if raw.envelope.is_some() {
            return Err(nested());
        }
        raw.agree(Field::EventId, ID, &attributes.id);
        raw.agree(Field::Source, SOURCE, &attributes.source);
        if let Some(time) = &attributes.time {
            raw.agree(Field::Timestamp, TIME, time);
        }
        if let Some(user) = &attributes.user {
            raw.agree(Field::User, USER, user);
        }
        self.agree_on_type(&mut raw, &attributes.type_name);
        if let Some(subject) = &attributes.subject
            && !raw.has(Field::Item)
            && raw.lines.is_empty()
        {
            raw.agree(Field::Item, SUBJECT, subject);
        }
        self.draft(raw, None).map(own).map_err(|issues| {
            ParseError::Invalid(issues.into_iter().map(|issue| mode.point(issue)).collect())
        })
    }

    /// Takes the type that an attribute names, whole or by its last part; one that names none may still have one in
    /// its data.
    fn agree_on_type<'a>(&self, raw: &mut Raw<'a>, named: &'a str) {
        let last = named.rsplit('.').next().unwrap_or(named);
        let meant = [named, last].into_iter().find(|name| self.types().find(name).is_some());
        if !raw.has(Field::Type) {
            raw.agree(Field::Type, TYPE, meant.unwrap_or(named));
            return;
        }
        let own = match &raw.scalars[Field::Type as usize] {
            Some((_, Scalar::Text(own))) => self.types().find(own),
            _ => None,
        };
        if let (Some(own), Some(meant)) = (own, meant.and_then(|meant| self.types().find(meant)))
            && own != meant
        {
            let detail = "names another event type than the data";
            raw.issues.push(Issue::new(TYPE, "conflicting_alias", detail));
        }
    }
}
