//! Filters: conditions on the properties of events, which PostgreSQL evaluates row by row.
//!
//! Every text of a client is a bound parameter, and never a part of the statement's text.

mod number;
mod property;
mod statement;

use std::str::FromStr;

use sqlx::{Postgres, QueryBuilder};

use self::number::is_number;
pub(super) use self::property::{Property, PropertyError};
pub(super) use self::statement::over_rows;
use crate::parameters::{Param, Parameters};

const WHERE: Param = Param::new(
    &["where"],
    "A condition on a property of the events, as `<property>:<value>` or `<property>:<operator>:<value>` with one of the operators \
     `eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `contains` and `exists`. Where it is sent several times, all conditions must hold.",
);

/// Longest value in bytes.
const MAX_VALUE_BYTES: usize = 1_000;

/// Conditions, all of which an event must meet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filters(Vec<Filter>);

/// A condition on one property.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Filter {
    property: Property,
    operator: Operator,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
enum Operator {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
    Contains,
    /// Whether the property exists. The value is `true` or `false`.
    Exists,
}

/// Why a text is not a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum FilterError {
    #[error("must be <property>:<value> or <property>:<operator>:<value>")]
    Form,
    #[error(transparent)]
    Property(#[from] PropertyError),
    #[error("the value has at most {MAX_VALUE_BYTES} bytes")]
    ValueLength,
    #[error("contains a NUL character")]
    Nul,
    #[error("exists must be followed by true or false")]
    Exists,
}

impl Filters {
    /// Reads every `where`.
    pub(super) fn take(parameters: &mut Parameters) -> Self {
        let mut filters = Vec::new();
        for text in parameters.repeated(WHERE) {
            match text.parse() {
                Ok(filter) => filters.push(filter),
                Err(error) => parameters.problem(WHERE.name(), "invalid", FilterError::to_string(&error)),
            }
        }
        Self(filters)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends ` and <condition>` on the event `e` for each condition.
    pub(super) fn push_sql(&self, sql: &mut QueryBuilder<Postgres>) {
        for filter in &self.0 {
            sql.push("\n      and ");
            filter.push_sql(sql);
        }
    }
}

/// Reads the path of a property from a parameter.
pub(super) fn take_breakdown(parameters: &mut Parameters, param: Param) -> Option<Property> {
    let path = parameters.text(param)?;
    let property = path.parse::<Property>();
    if let Err(error) = &property {
        parameters.problem(param.name(), "invalid", error.to_string());
    }
    property.ok()
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let (path, rest) = text.split_once(':').ok_or(FilterError::Form)?;
        let property = path.parse()?;
        let named = rest.split_once(':').and_then(|(name, value)| Some((name.parse::<Operator>().ok()?, value)));
        let (operator, value) = named.unwrap_or((Operator::Eq, rest));
        if value.len() > MAX_VALUE_BYTES {
            return Err(FilterError::ValueLength);
        }
        if value.contains('\0') {
            return Err(FilterError::Nul);
        }
        if operator == Operator::Exists && !matches!(value, "true" | "false") {
            return Err(FilterError::Exists);
        }
        Ok(Self { property, operator, value: value.to_owned() })
    }
}

impl Filter {
    fn push_sql(&self, sql: &mut QueryBuilder<Postgres>) {
        match self.operator {
            Operator::Exists => {
                self.property.push_json(sql);
                sql.push(if self.value == "true" { " is not null" } else { " is null" });
            }
            Operator::Contains => {
                sql.push("strpos(");
                self.property.push_text(sql);
                sql.push(", ").push_bind(self.value.clone()).push("::text) > 0");
            }
            // A missing property passes `ne`.
            Operator::Ne => {
                sql.push("(");
                self.push_comparison(sql, "=");
                sql.push(") is not true");
            }
            Operator::Eq => self.push_comparison(sql, "="),
            Operator::Gt => self.push_comparison(sql, ">"),
            Operator::Gte => self.push_comparison(sql, ">="),
            Operator::Lt => self.push_comparison(sql, "<"),
            Operator::Lte => self.push_comparison(sql, "<="),
        }
    }

    /// Appends a comparison that is null if the property is missing.
    fn push_comparison(&self, sql: &mut QueryBuilder<Postgres>, operator: &'static str) {
        if is_number(&self.value) {
            return self.push_comparison_with_number(sql, operator);
        }
        if operator == "=" && self.value != "null" {
            // For this comparison, the JSON null gives the same result as a missing property.
            self.property.push_text_but_null(sql);
        } else {
            self.property.push_text(sql);
        }
        self.push_text_operand(sql, operator);
    }

    /// Compares a property that is a number as a number. The cast never fails, because values that it does
    /// not accept are compared as text.
    fn push_comparison_with_number(&self, sql: &mut QueryBuilder<Postgres>, operator: &'static str) {
        sql.push("(select case when ");
        number::push_is_number(sql, "p.json");
        sql.push(" then p.json::numeric ").push(operator).push(" ");
        sql.push_bind(self.value.clone()).push("::text::numeric else coalesce(p.json::json #>> '{}', p.json)");
        self.push_text_operand(sql, operator);
        sql.push(" end from (select ");
        self.property.push_json(sql);
        // `offset 0` keeps PostgreSQL from reading the property again each time it is mentioned.
        sql.push("::text as json offset 0) p)");
    }

    /// Compares texts byte by byte, independently of the collation of the database.
    fn push_text_operand(&self, sql: &mut QueryBuilder<Postgres>, operator: &'static str) {
        sql.push(" collate \"C\" ").push(operator).push(" ").push_bind(self.value.clone()).push("::text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(Operator, String), FilterError> {
        text.parse::<Filter>().map(|filter| (filter.operator, filter.value))
    }

    #[test]
    fn a_first_part_that_is_no_operator_belongs_to_the_value() {
        for (text, operator, value) in [
            ("plan:pro", Operator::Eq, "pro"),
            ("plan:ne:pro", Operator::Ne, "pro"),
            ("url:https://a.example/?b=c:d", Operator::Eq, "https://a.example/?b=c:d"),
            ("time:eq:10:30", Operator::Eq, "10:30"),
            ("plan:EQ:pro", Operator::Eq, "EQ:pro"),
            ("plan:exists", Operator::Eq, "exists"),
            ("plan:exists:false", Operator::Exists, "false"),
            ("plan:", Operator::Eq, ""),
            ("plan:eq:", Operator::Eq, ""),
        ] {
            assert_eq!(parsed(text), Ok((operator, value.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        let long = format!("plan:{}", "x".repeat(MAX_VALUE_BYTES + 1));
        for (text, error) in [
            ("plan", FilterError::Form),
            (":pro", FilterError::Property(PropertyError::Length)),
            ("a..b:pro", FilterError::Property(PropertyError::Parts)),
            ("plan:exists:perhaps", FilterError::Exists),
            ("plan:a\0", FilterError::Nul),
            (&long, FilterError::ValueLength),
        ] {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
    }

    #[test]
    fn nothing_that_a_client_sends_becomes_a_part_of_the_statement() {
        for operator in ["eq", "ne", "gt", "gte", "lt", "lte", "contains"] {
            for value in ["XYZ", "1234567"] {
                let mut sql = QueryBuilder::<Postgres>::new("");
                Filters(vec![format!("K'1.K2:{operator}:{value}").parse().unwrap()]).push_sql(&mut sql);
                let text = sql.sql().as_str().to_owned();
                assert!(!text.contains("K") && !text.contains(value), "{text}");
            }
        }
    }
}
