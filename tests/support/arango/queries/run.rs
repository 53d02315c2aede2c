//! What a query says, computed over the documents in the most obvious way.

use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::super::state::Collections;
use super::parse::{Clause, Expr, Query, Source};
use super::{AqlError, Rows, bound};

pub struct Run<'a> {
    binds: &'a Value,
    collections: &'a Collections<'a>,
    indexes: RefCell<HashMap<(&'a str, &'a str), Index<'a>>>,
}

/// Documents of one collection by the text in one of their attributes.
type Index<'a> = HashMap<&'a str, Vec<&'a Value>>;

/// The variables of one row; the last one of a name counts.
#[derive(Clone, Default)]
struct Row<'a>(Vec<(&'a str, Cow<'a, Value>)>);

type Found<T> = Result<T, AqlError>;

impl<'a> Run<'a> {
    pub fn new(binds: &'a Value, collections: &'a Collections<'a>) -> Self {
        Self { binds, collections, indexes: RefCell::default() }
    }

    pub fn query(&self, query: &'a Query) -> Rows {
        self.rows(query, &Row::default())
    }

    fn rows(&self, query: &'a Query, outside: &Row<'a>) -> Rows {
        let mut rows = vec![outside.clone()];
        for (place, clause) in query.clauses.iter().enumerate() {
            rows = match clause {
                Clause::For(name, source) => {
                    let equal = match query.clauses.get(place + 1) {
                        Some(Clause::Filter(condition)) => equality(condition, name),
                        _ => None,
                    };
                    self.each(name, source, equal, &rows)?
                }
                Clause::Filter(condition) => self.filter(condition, rows)?,
                Clause::Sort(by) => self.sort(by, rows)?,
                Clause::Limit(most) => {
                    let most = self.owned(most, outside)?;
                    rows.truncate(most.as_f64().unwrap_or(0.0) as usize);
                    rows
                }
                Clause::Let(name, value) => {
                    for row in &mut rows {
                        let value = self.value(value, row)?.into_owned();
                        row.0.push((name, Cow::Owned(value)));
                    }
                    rows
                }
                Clause::CollectCount(name, by, into) => {
                    self.collect(name, by, into, &rows, outside)?
                }
                Clause::Return(value) => {
                    let values = rows.iter().map(|row| Ok(self.value(value, row)?.into_owned()));
                    return values.collect();
                }
            };
        }
        Ok(Vec::new())
    }

    fn each(
        &self,
        name: &'a str,
        source: &'a Source,
        equal: Option<(&'a str, &'a Expr)>,
        rows: &[Row<'a>],
    ) -> Found<Vec<Row<'a>>> {
        let mut all = Vec::new();
        for row in rows {
            let mut with = |value: Cow<'a, Value>| {
                let mut row = row.clone();
                row.0.push((name, value));
                all.push(row);
            };
            match (source, equal) {
                (Source::Collection(bind), Some((attribute, to))) => {
                    let to = self.owned(to, row)?;
                    let found = self.indexed(bind, attribute, to.as_str().unwrap_or_default())?;
                    found.into_iter().for_each(|document| with(Cow::Borrowed(document)));
                }
                (Source::Collection(bind), None) => {
                    let documents = bound(self.binds, bind, self.collections)?;
                    documents.values().for_each(|document| with(Cow::Borrowed(document)));
                }
                (Source::Values(values), _) => {
                    let values = array(self.owned(values, row)?)?;
                    values.into_iter().for_each(|value| with(Cow::Owned(value)));
                }
            }
        }
        Ok(all)
    }

    /// The documents with a text in an attribute, in the order of keys; the filter is applied all the same.
    fn indexed(&self, bind: &'a str, attribute: &'a str, text: &str) -> Found<Vec<&'a Value>> {
        let documents = bound(self.binds, bind, self.collections)?;
        let mut indexes = self.indexes.borrow_mut();
        let index = indexes.entry((bind, attribute)).or_insert_with(|| {
            let mut index = Index::new();
            for document in documents.values() {
                index
                    .entry(document[attribute].as_str().unwrap_or_default())
                    .or_default()
                    .push(document);
            }
            index
        });
        Ok(index.get(text).cloned().unwrap_or_default())
    }

    fn filter(&self, condition: &'a Expr, rows: Vec<Row<'a>>) -> Found<Vec<Row<'a>>> {
        let mut kept = Vec::new();
        for row in rows {
            if is_true(self.value(condition, &row)?.as_ref()) {
                kept.push(row);
            }
        }
        Ok(kept)
    }

    /// Equal rows stay in the order of documents, which no server promises: here it is that of keys.
    fn sort(&self, by: &'a [(Expr, bool)], rows: Vec<Row<'a>>) -> Found<Vec<Row<'a>>> {
        let mut keyed = Vec::with_capacity(rows.len());
        for row in rows {
            let keys: Found<Vec<Value>> =
                by.iter().map(|(expr, _)| Ok(self.value(expr, &row)?.into_owned())).collect();
            keyed.push((keys?, row));
        }
        keyed.sort_by(|(a, _), (b, _)| {
            let each = a
                .iter()
                .zip(b)
                .zip(by)
                .map(|((a, b), (_, falls))| if *falls { compare(b, a) } else { compare(a, b) });
            each.fold(Ordering::Equal, Ordering::then)
        });
        Ok(keyed.into_iter().map(|(_, row)| row).collect())
    }

    fn collect(
        &self,
        name: &'a str,
        by: &'a Expr,
        into: &'a str,
        rows: &[Row<'a>],
        outside: &Row<'a>,
    ) -> Found<Vec<Row<'a>>> {
        let mut groups: BTreeMap<String, (Value, u64)> = BTreeMap::new();
        for row in rows {
            let value = self.value(by, row)?.into_owned();
            groups.entry(value.to_string()).or_insert((value, 0)).1 += 1;
        }
        let row = |(value, count): (Value, u64)| {
            let mut row = outside.clone();
            row.0.extend([(name, Cow::Owned(value)), (into, Cow::Owned(count.into()))]);
            row
        };
        Ok(groups.into_values().map(row).collect())
    }

    fn value<'r>(&self, expr: &'a Expr, row: &'r Row<'a>) -> Found<Cow<'r, Value>> {
        let owned = |value: Value| Ok(Cow::Owned(value));
        match expr {
            Expr::Literal(value) => owned(value.clone()),
            Expr::Bind(name) => owned(self.binds[name.as_str()].clone()),
            Expr::Name(name) => {
                let found = row.0.iter().rev().find(|(known, _)| known == name);
                Ok(Cow::Borrowed(
                    found.ok_or_else(|| wrong(format!("no variable {name}")))?.1.as_ref(),
                ))
            }
            Expr::Attribute(of, name) => Ok(match self.value(of, row)? {
                Cow::Borrowed(value) => Cow::Borrowed(&value[name.as_str()]),
                Cow::Owned(value) => Cow::Owned(value[name.as_str()].clone()),
            }),
            Expr::Element(of, place) => {
                let place = self.value(place, row)?.as_u64().unwrap_or(u64::MAX) as usize;
                owned(self.value(of, row)?.get(place).cloned().unwrap_or(Value::Null))
            }
            Expr::Array(elements) => {
                let values: Found<Vec<Value>> =
                    elements.iter().map(|e| self.owned(e, row)).collect();
                owned(Value::Array(values?))
            }
            Expr::Object(fields) => {
                let fields = fields.iter().map(|(name, e)| Ok((name.clone(), self.owned(e, row)?)));
                owned(Value::Object(fields.collect::<Found<Map<String, Value>>>()?))
            }
            Expr::Call(name, arguments) => {
                let values: Found<Vec<Value>> =
                    arguments.iter().map(|e| self.owned(e, row)).collect();
                owned(call(name, values?)?)
            }
            Expr::Binary(operator, left, right) => {
                let left = self.value(left, row)?;
                match *operator {
                    "AND" if !is_true(&left) => return owned(false.into()),
                    "OR" if is_true(&left) => return owned(true.into()),
                    _ => {}
                }
                let right = self.value(right, row)?;
                owned(binary(operator, &left, &right)?.into())
            }
            Expr::Choice(condition, yes, no) => {
                let chosen = if is_true(self.value(condition, row)?.as_ref()) { yes } else { no };
                self.value(chosen, row)
            }
            Expr::Subquery(query) => owned(Value::Array(self.rows(query, row)?)),
        }
    }

    fn owned(&self, expr: &'a Expr, row: &Row<'a>) -> Found<Value> {
        Ok(self.value(expr, row)?.into_owned())
    }
}

/// The first `name._from == …` (or `_to`) of a condition whose parts must all hold: both are texts always.
fn equality<'a>(condition: &'a Expr, name: &str) -> Option<(&'a str, &'a Expr)> {
    let Expr::Binary(operator, left, right) = condition else { return None };
    match (*operator, &**left) {
        ("AND", _) => equality(left, name).or_else(|| equality(right, name)),
        ("==", Expr::Attribute(of, attribute)) if matches!(&**of, Expr::Name(n) if n == name) => {
            ["_from", "_to"].contains(&attribute.as_str()).then_some((attribute, right))
        }
        _ => None,
    }
}

fn binary(operator: &str, left: &Value, right: &Value) -> Found<bool> {
    let order = compare(left, right);
    Ok(match operator {
        "AND" | "OR" => is_true(right),
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        ">" => order.is_gt(),
        "<=" => order.is_le(),
        ">=" => order.is_ge(),
        "IN" => array(right.clone())?.iter().any(|element| compare(left, element).is_eq()),
        other => return Err(wrong(format!("the operator {other}"))),
    })
}

fn call(name: &str, mut arguments: Vec<Value>) -> Found<Value> {
    let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0) as usize;
    let (from, most) = (number(arguments.get(1)), number(arguments.get(2)));
    if name == "UNION" {
        let all: Found<Vec<Vec<Value>>> = arguments.into_iter().map(array).collect();
        return Ok(Value::Array(all?.concat()));
    }
    let of = array(arguments.swap_remove(0))?;
    match name {
        "LENGTH" => Ok(of.len().into()),
        "LAST" => Ok(of.last().cloned().unwrap_or(Value::Null)),
        "SLICE" => Ok(of.into_iter().skip(from).take(most).collect()),
        "FLATTEN" => {
            let parts = of.into_iter().map(|part| match part {
                Value::Array(inner) => inner,
                other => vec![other],
            });
            Ok(parts.flatten().collect())
        }
        _ => Err(wrong(format!("the function {name}"))),
    }
}

/// With warnings as errors, what is no array is none.
fn array(value: Value) -> Found<Vec<Value>> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(AqlError { number: 1563, message: format!("array expected, not {other}") }),
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// The order of all values: null, bools, numbers, texts, arrays.
fn compare(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    };
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0)),
        },
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn wrong(message: String) -> AqlError {
    AqlError { number: 1501, message }
}
