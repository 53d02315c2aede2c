//! Tokens of the part of AQL that is used; anything else is an error.

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// A name that is no keyword.
    Name(String),
    /// A keyword, in upper case.
    Keyword(&'static str),
    Number(f64),
    Text(String),
    /// `@name`
    Bind(String),
    /// `@@name`
    CollectionBind(String),
    Sign(&'static str),
}

/// Keywords of AQL in any case: none can be a variable or an unquoted attribute.
const KEYWORDS: &[&str] = &[
    "AGGREGATE",
    "ALL",
    "ALL_SHORTEST_PATHS",
    "AND",
    "ANY",
    "ASC",
    "COLLECT",
    "DESC",
    "DISTINCT",
    "FALSE",
    "FILTER",
    "FOR",
    "GRAPH",
    "IN",
    "INBOUND",
    "INSERT",
    "INTO",
    "K_PATHS",
    "K_SHORTEST_PATHS",
    "LET",
    "LIKE",
    "LIMIT",
    "NONE",
    "NOT",
    "NULL",
    "OR",
    "OUTBOUND",
    "REMOVE",
    "REPLACE",
    "RETURN",
    "SHORTEST_PATH",
    "SORT",
    "TRUE",
    "UPDATE",
    "UPSERT",
    "WINDOW",
    "WITH",
];

/// The longer ones first.
const SIGNS: &[&str] =
    &["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", "{", "}", ",", ":", "?", ".", "-"];

/// Reads all tokens. There is no `;`, no `+`, and an assignment only behind LET and COLLECT.
pub fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = skip(text);
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '@' => bind(rest)?,
            '"' => quoted(rest)?,
            '0'..='9' => {
                let length = run(rest, |c| c.is_ascii_digit() || c == '.');
                let number =
                    rest[..length].parse().map_err(|_| format!("no number: {rest:.20}"))?;
                (Token::Number(number), length)
            }
            c if c.is_ascii_alphabetic() || c == '_' => word(rest),
            _ => sign(rest)?,
        };
        found.push(token);
        rest = skip(&rest[length..]);
    }
    Ok(found)
}

/// Leaves out space and comments.
fn skip(text: &str) -> &str {
    let rest = text.trim_start();
    match rest.strip_prefix("//") {
        Some(comment) => skip(comment.find('\n').map_or("", |end| &comment[end..])),
        None => rest,
    }
}

fn run(text: &str, part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !part(c)).unwrap_or(text.len())
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn word(rest: &str) -> (Token, usize) {
    let length = run(rest, is_word);
    let word = &rest[..length];
    let keyword = KEYWORDS.iter().find(|keyword| keyword.eq_ignore_ascii_case(word));
    (keyword.map_or_else(|| Token::Name(word.to_owned()), |known| Token::Keyword(known)), length)
}

fn bind(rest: &str) -> Result<(Token, usize), String> {
    let signs = if rest.starts_with("@@") { 2 } else { 1 };
    let length = signs + run(&rest[signs..], is_word);
    let name = rest[signs..length].to_owned();
    match (name.is_empty(), signs) {
        (true, _) => Err(format!("a bind parameter without a name: {rest:.20}")),
        (false, 2) => Ok((Token::CollectionBind(name), length)),
        (false, _) => Ok((Token::Bind(name), length)),
    }
}

fn quoted(rest: &str) -> Result<(Token, usize), String> {
    let end = rest[1..].find('"').ok_or("a text without an end")?;
    let text = &rest[1..=end];
    if text.contains('\\') {
        return Err(format!("an escape, which this does not know: {text}"));
    }
    Ok((Token::Text(text.to_owned()), end + 2))
}

fn sign(rest: &str) -> Result<(Token, usize), String> {
    if rest.starts_with('=') && !rest.starts_with("==") {
        return Ok((Token::Sign("="), 1));
    }
    let known = SIGNS.iter().find(|sign| rest.starts_with(**sign));
    let known = known.ok_or_else(|| format!("a sign that no text of weir needs: {rest:.20}"))?;
    Ok((Token::Sign(known), known.len()))
}
