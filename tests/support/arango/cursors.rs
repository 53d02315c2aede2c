//! Queries: their results in batches.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Trouble};
use super::queries;
use super::request::Request;
use super::server::Server;
use super::state::locked;

const DEFAULT_BATCH: usize = 1_000;

/// What is left of a result.
pub struct Cursor {
    rest: std::vec::IntoIter<Value>,
    batch: usize,
    count: Option<usize>,
}

/// `POST /_api/query`: parses only.
pub fn parse(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    server.state.database(&request.database)?;
    let text = text_of(request)?;
    if !queries::known(text) {
        return Err(unknown(text));
    }
    let binds: Vec<&str> = bind_names(text);
    Ok(Answer::ok(
        200,
        json!({"parsed": true, "collections": [], "bindVars": binds, "ast": [], "warnings": []}),
    ))
}

pub fn open(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let database = server.state.database(&request.database)?;
    let text = text_of(request)?;
    let body = request.json()?;
    if body["options"]["allowRetry"] == true {
        return Err(Trouble::with_status(501, 9, "batches that can be asked for again"));
    }
    let none = Value::Object(Map::new());
    let binds = if body["bindVars"].is_null() { &none } else { &body["bindVars"] };
    check_binds(text, binds)?;
    let rows = database
        .reading(|collections| queries::evaluate(text, binds, collections))
        .ok_or_else(|| unknown(text))?
        .map_err(|error| Trouble::new(error.number, error.message))?;
    let batch = match &body["batchSize"] {
        Value::Null => DEFAULT_BATCH,
        size => size
            .as_u64()
            .filter(|size| *size > 0)
            .ok_or_else(|| Trouble::new(10, "expecting a positive value for 'batchSize'"))?
            as usize,
    };
    let count = (body["count"] == true).then_some(rows.len());
    let mut cursor = Cursor { rest: rows.into_iter(), batch, count };
    let mut answer = cursor.next_batch();
    if cursor.rest.len() > 0 {
        let id = server.state.tick().to_string();
        answer["id"] = id.clone().into();
        locked(&database.cursors).insert(id, cursor);
    }
    Ok(Answer::ok(201, answer))
}

pub fn next(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let database = server.state.database(&request.database)?;
    let id = &request.path[2];
    let mut cursors = locked(&database.cursors);
    let cursor = cursors.get_mut(id).ok_or_else(gone)?;
    let mut answer = cursor.next_batch();
    if cursor.rest.len() > 0 {
        answer["id"] = id.clone().into();
    } else {
        cursors.remove(id);
    }
    Ok(Answer::ok(200, answer))
}

pub fn close(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let database = server.state.database(&request.database)?;
    let id = &request.path[2];
    locked(&database.cursors).remove(id).ok_or_else(gone)?;
    Ok(Answer::ok(202, json!({"id": id})))
}

impl Cursor {
    fn next_batch(&mut self) -> Value {
        let rows: Vec<Value> = self.rest.by_ref().take(self.batch).collect();
        let mut answer = json!({
            "hasMore": self.rest.len() > 0,
            "cached": false,
            "extra": {"warnings": [], "stats": {"writesExecuted": 0, "writesIgnored": 0}},
        });
        answer["result"] = Value::Array(rows);
        if let Some(count) = self.count {
            answer["count"] = count.into();
        }
        answer
    }
}

fn text_of(request: &Request) -> Result<&str, Trouble> {
    let text = request.json()?["query"].as_str().unwrap_or_default();
    if text.trim().is_empty() {
        return Err(Trouble::new(1502, "query is empty"));
    }
    Ok(text)
}

/// Every parameter of the text needs a value, and no value may be left over.
fn check_binds(text: &str, binds: &Value) -> Result<(), Trouble> {
    let Some(given) = binds.as_object() else {
        return Err(Trouble::new(1553, "bind parameters must be an object"));
    };
    let names = bind_names(text);
    if let Some(missing) = names.iter().find(|name| !given.contains_key(**name)) {
        let message = format!("no value specified for declared bind parameter '{missing}'");
        return Err(Trouble::new(1551, message));
    }
    if let Some(extra) = given.keys().find(|name| !names.contains(&name.as_str())) {
        let message = format!("bind parameter '{extra}' was not declared in the query");
        return Err(Trouble::new(1552, message));
    }
    Ok(())
}

/// The bind parameters of a text; one for a collection has its second `@`.
fn bind_names(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for line in text.lines() {
        let mut rest = line.split("//").next().unwrap_or_default();
        while let Some(at) = rest.find('@') {
            let name = &rest[at + 1..];
            let begin = usize::from(name.starts_with('@'));
            let end = name[begin..]
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .map_or(name.len(), |end| begin + end);
            if end > begin && !names.contains(&&name[..end]) {
                names.push(&name[..end]);
            }
            rest = &name[end..];
        }
    }
    names
}

fn unknown(text: &str) -> Trouble {
    Trouble::with_status(501, 9, format!("a query that is not shipped: {text}"))
}

fn gone() -> Trouble {
    Trouble::new(1600, "cursor not found")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{bind_names, check_binds};

    #[test]
    fn bind_parameters_are_found_once_each_and_not_in_comments() {
        let text =
            "FOR e IN @@edges // not @this\n FILTER e._to == @item AND @item != @other\n RETURN e";
        assert_eq!(bind_names(text), ["@edges", "item", "other"]);
    }

    #[test]
    fn binds_must_fit_the_text_exactly() {
        let text = "FOR d IN @@c LIMIT @n RETURN d";
        assert!(check_binds(text, &json!({"@c": "users", "n": 1})).is_ok());
        let number = |binds| check_binds(text, &binds).unwrap_err().number;
        assert_eq!(number(json!({"@c": "users"})), 1551);
        assert_eq!(number(json!({"@c": "users", "n": 1, "x": 2})), 1552);
        assert_eq!(number(json!([])), 1553);
    }
}
