//! The grammar of the part of AQL that is used, with its rules of scope.

use serde_json::Value;

use super::tokens::{Token, tokens};

#[derive(Debug)]
pub struct Query {
    pub clauses: Vec<Clause>,
}

#[derive(Debug)]
pub enum Clause {
    For(String, Source),
    Filter(Expr),
    /// What to order by, and whether it falls.
    Sort(Vec<(Expr, bool)>),
    Limit(Expr),
    Let(String, Expr),
    /// `COLLECT a = b WITH COUNT INTO c`
    CollectCount(String, Expr, String),
    Return(Expr),
}

#[derive(Debug)]
pub enum Source {
    Collection(String),
    Values(Expr),
}

#[derive(Debug)]
pub enum Expr {
    Literal(Value),
    Bind(String),
    Name(String),
    Attribute(Box<Expr>, String),
    Element(Box<Expr>, Box<Expr>),
    Array(Vec<Expr>),
    Object(Vec<(String, Expr)>),
    Call(String, Vec<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    Subquery(Query),
}

/// Functions that are used, with the number of their arguments (least, most).
const FUNCTIONS: &[(&str, usize, usize)] =
    &[("FLATTEN", 1, 1), ("LAST", 1, 1), ("LENGTH", 1, 1), ("SLICE", 3, 3), ("UNION", 2, 9)];

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    /// Variables that can be seen here.
    scope: Vec<String>,
}

type Parsed<T> = Result<T, String>;

/// Reads a whole text.
pub fn parse(text: &str) -> Parsed<Query> {
    let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable(), scope: Vec::new() };
    let query = parser.query()?;
    match parser.tokens.next() {
        None => Ok(query),
        Some(token) => Err(format!("{token:?} after the end")),
    }
}

impl Parser {
    fn query(&mut self) -> Parsed<Query> {
        let outside = self.scope.len();
        let mut clauses = Vec::new();
        loop {
            let clause = self.clause(outside)?;
            let last = matches!(clause, Clause::Return(_));
            clauses.push(clause);
            if last {
                self.scope.truncate(outside);
                return Ok(Query { clauses });
            }
        }
    }

    fn clause(&mut self, outside: usize) -> Parsed<Clause> {
        match self.tokens.next() {
            Some(Token::Keyword("FOR")) => self.for_clause(),
            Some(Token::Keyword("FILTER")) => Ok(Clause::Filter(self.expr()?)),
            Some(Token::Keyword("SORT")) => self.sort(),
            Some(Token::Keyword("LIMIT")) => self.limit(),
            Some(Token::Keyword("LET")) => {
                let name = self.name()?;
                self.sign("=")?;
                let value = self.expr()?;
                self.declare(&name)?;
                Ok(Clause::Let(name, value))
            }
            Some(Token::Keyword("COLLECT")) => self.collect(outside),
            Some(Token::Keyword("RETURN")) => Ok(Clause::Return(self.expr()?)),
            other => Err(format!("{other:?} where a clause begins")),
        }
    }

    fn for_clause(&mut self) -> Parsed<Clause> {
        let name = self.name()?;
        self.keyword("IN")?;
        let source = match self.tokens.next_if(|token| matches!(token, Token::CollectionBind(_))) {
            Some(Token::CollectionBind(bind)) => Source::Collection(format!("@{bind}")),
            _ => Source::Values(self.expr()?),
        };
        self.declare(&name)?;
        Ok(Clause::For(name, source))
    }

    fn sort(&mut self) -> Parsed<Clause> {
        let mut by = Vec::new();
        loop {
            let expr = self.expr()?;
            let falls = self.is_keyword("DESC");
            if !falls {
                self.is_keyword("ASC");
            }
            by.push((expr, falls));
            if !self.is_sign(",") {
                return Ok(Clause::Sort(by));
            }
        }
    }

    /// Operands are constants: a number or a bind parameter.
    fn limit(&mut self) -> Parsed<Clause> {
        match self.tokens.next() {
            Some(Token::Number(number)) => Ok(Clause::Limit(Expr::Literal(number.into()))),
            Some(Token::Bind(name)) => Ok(Clause::Limit(Expr::Bind(name))),
            other => Err(format!("LIMIT takes a number or a bind parameter, not {other:?}")),
        }
    }

    /// What was declared in this query cannot be seen behind it.
    fn collect(&mut self, outside: usize) -> Parsed<Clause> {
        let name = self.name()?;
        self.sign("=")?;
        let value = self.expr()?;
        self.keyword("WITH")?;
        match self.name()? {
            count if count.eq_ignore_ascii_case("count") => {}
            other => return Err(format!("WITH {other}")),
        }
        self.keyword("INTO")?;
        let into = self.name()?;
        self.scope.truncate(outside);
        self.declare(&name)?;
        self.declare(&into)?;
        Ok(Clause::CollectCount(name, value, into))
    }

    fn expr(&mut self) -> Parsed<Expr> {
        let condition = self.binary(0)?;
        if !self.is_sign("?") {
            return Ok(condition);
        }
        let yes = self.expr()?;
        self.sign(":")?;
        let no = self.expr()?;
        Ok(Expr::Choice(Box::new(condition), Box::new(yes), Box::new(no)))
    }

    /// The weakest operators first.
    fn binary(&mut self, level: usize) -> Parsed<Expr> {
        const LEVELS: &[&[&str]] =
            &[&["OR"], &["AND"], &["==", "!=", "IN"], &["<=", ">=", "<", ">"]];
        let Some(operators) = LEVELS.get(level) else { return self.postfix() };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.operator(operators) {
            let right = self.binary(level + 1)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operator(&mut self, operators: &[&str]) -> Option<&'static str> {
        let found = self.tokens.next_if(|token| match token {
            Token::Sign(sign) | Token::Keyword(sign) => operators.contains(sign),
            _ => false,
        });
        match found {
            Some(Token::Sign(sign) | Token::Keyword(sign)) => Some(sign),
            _ => None,
        }
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let mut expr = self.primary()?;
        loop {
            if self.is_sign(".") {
                expr = Expr::Attribute(Box::new(expr), self.name()?);
            } else if self.is_sign("[") {
                let element = self.expr()?;
                self.sign("]")?;
                expr = Expr::Element(Box::new(expr), Box::new(element));
            } else {
                return Ok(expr);
            }
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        match self.tokens.next() {
            Some(Token::Number(number)) if number.fract() == 0.0 => {
                Ok(Expr::Literal((number as i64).into()))
            }
            Some(Token::Text(text)) => Ok(Expr::Literal(text.into())),
            Some(Token::Bind(name)) => Ok(Expr::Bind(name)),
            Some(Token::Keyword("NULL")) => Ok(Expr::Literal(Value::Null)),
            Some(Token::Name(name)) if self.is_sign("(") => self.call(&name),
            Some(Token::Name(name)) if self.scope.contains(&name) => Ok(Expr::Name(name)),
            Some(Token::Name(name)) => Err(format!(
                "`{name}` cannot be seen here: a bare collection, or gone after COLLECT"
            )),
            Some(Token::Sign("(")) => self.in_brackets(),
            Some(Token::Sign("[")) => Ok(Expr::Array(self.list("]", Self::expr)?)),
            Some(Token::Sign("{")) => Ok(Expr::Object(self.list("}", Self::field)?)),
            other => Err(format!("{other:?} where a value begins")),
        }
    }

    fn in_brackets(&mut self) -> Parsed<Expr> {
        let begins = matches!(self.tokens.peek(), Some(Token::Keyword("FOR" | "LET" | "RETURN")));
        let expr = if begins { Expr::Subquery(self.query()?) } else { self.expr()? };
        self.sign(")")?;
        Ok(expr)
    }

    fn call(&mut self, name: &str) -> Parsed<Expr> {
        let arguments = self.list(")", Self::expr)?;
        let known = FUNCTIONS.iter().find(|(known, _, _)| *known == name);
        let (_, least, most) = known.ok_or_else(|| format!("the function {name}"))?;
        if !(*least..=*most).contains(&arguments.len()) {
            return Err(format!("{name} with {} arguments", arguments.len()));
        }
        Ok(Expr::Call(name.to_owned(), arguments))
    }

    fn field(&mut self) -> Parsed<(String, Expr)> {
        let name = self.name()?;
        self.sign(":")?;
        Ok((name, self.expr()?))
    }

    /// Elements up to a closing sign, with commas between them.
    fn list<T>(&mut self, end: &str, element: fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut found = Vec::new();
        while !self.is_sign(end) {
            if !found.is_empty() {
                self.sign(",")?;
            }
            found.push(element(self)?);
        }
        Ok(found)
    }

    fn declare(&mut self, name: &str) -> Parsed<()> {
        if self.scope.iter().any(|known| known == name) {
            return Err(format!("the variable `{name}` is declared twice"));
        }
        self.scope.push(name.to_owned());
        Ok(())
    }

    fn name(&mut self) -> Parsed<String> {
        match self.tokens.next() {
            Some(Token::Name(name)) => Ok(name),
            other => Err(format!("{other:?} where a name stands")),
        }
    }

    fn is_sign(&mut self, sign: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Sign(known) if *known == sign)).is_some()
    }

    fn is_keyword(&mut self, word: &str) -> bool {
        let is = |token: &Token| matches!(token, Token::Keyword(known) if *known == word);
        self.tokens.next_if(is).is_some()
    }

    fn sign(&mut self, sign: &str) -> Parsed<()> {
        if self.is_sign(sign) {
            return Ok(());
        }
        Err(format!("{:?} where {sign} stands", self.tokens.peek()))
    }

    fn keyword(&mut self, word: &str) -> Parsed<()> {
        if self.is_keyword(word) {
            return Ok(());
        }
        Err(format!("{:?} where {word} stands", self.tokens.peek()))
    }
}
