//! Refuses what is not in the table of routes: paths, parameters, headers that change a request's
//! meaning, and fields of bodies.

use serde_json::Value;

use super::request::Request;
use super::routes::{ROUTES, Route};

/// Headers without influence on what is done, or whose influence is kept here.
const HEADERS: &[&str] = &[
    "host",
    "authorization",
    "content-type",
    "content-length",
    "accept",
    "accept-encoding",
    "connection",
    "user-agent",
    "x-arango-queue-time-seconds",
];

/// Headers of foreign clients.
const WIDE_HEADERS: &[&str] = &["x-arango-driver", "charset"];

/// Returns the route of a request, or what is wrong with it.
pub fn route_of(request: &Request, wide: bool) -> Result<&'static Route, String> {
    let route = ROUTES
        .iter()
        .find(|route| route.fits(&request.method, &request.path) && (wide || !route.only_wide))
        .ok_or("there is no such route")?;
    headers(request, wide)?;
    params(request, route, wide)?;
    if !route.free_body {
        fields(request, route, wide)?;
    }
    Ok(route)
}

fn headers(request: &Request, wide: bool) -> Result<(), String> {
    for name in request.parts.headers.keys().map(hyper::header::HeaderName::as_str) {
        if !(HEADERS.contains(&name) || wide && WIDE_HEADERS.contains(&name)) {
            return Err(format!("the header {name}"));
        }
    }
    let json = |name: &str| {
        request.header(name).is_none_or(|value| value.contains("json") || value == "*/*")
    };
    if !json("content-type") && !request.body.is_empty() {
        return Err("a content type that is not JSON".to_owned());
    }
    if !json("accept") {
        return Err("an answer that is not JSON is accepted".to_owned());
    }
    Ok(())
}

fn params(request: &Request, route: &Route, wide: bool) -> Result<(), String> {
    let mut met = Vec::new();
    for (name, _) in &request.params {
        let known = listed(route.params, name) || wide && listed(route.wide_params, name);
        if !known {
            return Err(format!("the parameter {name}"));
        }
        if met.contains(&name) {
            return Err(format!("the parameter {name} twice"));
        }
        met.push(name);
    }
    Ok(())
}

fn listed(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|listed| listed == name)
}

fn fields(request: &Request, route: &Route, wide: bool) -> Result<(), String> {
    if request.body.is_empty() {
        return Ok(());
    }
    let known = |path: &str| listed(route.fields, path) || wide && listed(route.wide_fields, path);
    match request.json() {
        // What is no JSON is the handler's business.
        Err(_) => Ok(()),
        Ok(Value::Object(_)) if route.fields.is_empty() => Err("a body".to_owned()),
        Ok(body) => {
            unknown_field(body, "", &known).map_or(Ok(()), |path| Err(format!("the field {path}")))
        }
    }
}

/// Returns the first field that is not known.
fn unknown_field(value: &Value, at: &str, known: &dyn Fn(&str) -> bool) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            if known(&format!("{path}.*")) {
                None
            } else if known(&path) {
                unknown_field(value, &path, known)
            } else {
                Some(path)
            }
        }),
        Value::Array(values) => values.iter().find_map(|value| unknown_field(value, at, known)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::unknown_field;

    #[test]
    fn a_field_is_known_by_its_whole_path() {
        let known = |path: &str| ["a", "a.b", "c", "c.*", "d"].contains(&path);
        let all = json!({"a": [{"b": 1}, {"b": 2}], "c": {"anything": {"at": "all"}}, "d": ["x"]});
        assert_eq!(unknown_field(&all, "", &known), None);
        assert_eq!(unknown_field(&json!({"a": [{"x": 1}]}), "", &known), Some("a.x".to_owned()));
        assert_eq!(unknown_field(&json!({"d": {"e": 1}}), "", &known), Some("d.e".to_owned()));
        assert_eq!(unknown_field(&json!({"b": 1}), "", &known), Some("b".to_owned()));
    }
}
