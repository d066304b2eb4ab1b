//! A value expression as a tree. Objects, lists and fields are built without the interpreter: the entries of an object stay
//! in the order of the source, and a field has its documented JSON form.

use std::collections::HashSet;

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};
use chrono::SecondsFormat;
use serde_json::{Map, Value as Json};

use super::calculated;
use super::record_values::{RecordValues, Variables};
use crate::interpret::Interpreter;
use crate::kafka_fields::KafkaField;
use crate::variables::{WHOLE_RECORD, kafka_field};

/// A part of a value expression.
#[derive(Debug)]
pub(super) enum Node {
    Constant(Json),
    /// A field of the record, by its path.
    Field(Vec<String>),
    /// The whole record.
    Record,
    Kafka(KafkaField),
    Object(Vec<(Node, Node)>),
    List(Vec<Node>),
    /// A value of an object, by its key.
    Member(Box<Node>, String),
    /// An item of a list.
    Item(Box<Node>, usize),
    /// The condition, and the values if it is true or false.
    Conditional(IdedExpr, Box<Node>, Box<Node>),
    /// Evaluated by the interpreter.
    Calculated(IdedExpr),
}

impl Node {
    /// The tree of an expression whose types are inferred.
    pub(super) fn new(expression: IdedExpr) -> Self {
        match expression.expr {
            Expr::Ident(name) if name == WHOLE_RECORD => Self::Record,
            Expr::Ident(name) => match kafka_field(&name) {
                Some(field) => Self::Kafka(field),
                None => Self::Field(name.split('.').map(str::to_owned).collect()),
            },
            Expr::Map(map) => {
                let entries = map
                    .entries
                    .into_iter()
                    .filter_map(|entry| match entry.expr {
                        EntryExpr::MapEntry(entry) => {
                            Some((Self::new(entry.key), Self::new(entry.value)))
                        }
                        // The check has refused messages.
                        EntryExpr::StructField(_) => None,
                    });
                Self::Object(entries.collect())
            }
            Expr::List(list) => Self::List(list.elements.into_iter().map(Self::new).collect()),
            Expr::Literal(literal) => match constant(&literal) {
                Some(value) => Self::Constant(value),
                None => Self::Calculated(IdedExpr {
                    id: expression.id,
                    expr: Expr::Literal(literal),
                }),
            },
            Expr::Select(select) if !select.test => match Self::new(*select.operand.clone()) {
                Self::Calculated(_) => Self::Calculated(IdedExpr {
                    id: expression.id,
                    expr: Expr::Select(select),
                }),
                operand => Self::Member(Box::new(operand), select.field),
            },
            Expr::Call(mut call) => match (call.func_name.as_str(), call.args.as_mut_slice()) {
                (operators::CONDITIONAL, [condition, yes, no]) => Self::Conditional(
                    std::mem::take(condition),
                    Box::new(Self::new(std::mem::take(yes))),
                    Box::new(Self::new(std::mem::take(no))),
                ),
                ("dyn", [argument]) if call.target.is_none() => Self::new(std::mem::take(argument)),
                (operators::INDEX, [container, index]) => {
                    let operand = Self::new(container.clone());
                    match (&operand, &index.expr) {
                        (Self::Calculated(_), _) => {}
                        (_, Expr::Literal(LiteralValue::String(key))) => {
                            return Self::Member(Box::new(operand), key.inner().to_owned());
                        }
                        (_, Expr::Literal(LiteralValue::Int(index))) => {
                            if let Ok(index) = usize::try_from(*index.inner()) {
                                return Self::Item(Box::new(operand), index);
                            }
                        }
                        _ => {}
                    }
                    Self::Calculated(IdedExpr {
                        id: expression.id,
                        expr: Expr::Call(call),
                    })
                }
                _ => Self::Calculated(IdedExpr {
                    id: expression.id,
                    expr: Expr::Call(call),
                }),
            },
            expr => Self::Calculated(IdedExpr {
                id: expression.id,
                expr,
            }),
        }
    }

    /// Calls `visit` with each part that the interpreter evaluates.
    pub(super) fn for_each_calculated(&self, visit: &mut impl FnMut(&IdedExpr)) {
        match self {
            Self::Constant(_) | Self::Field(_) | Self::Record | Self::Kafka(_) => {}
            Self::Object(entries) => {
                for (key, value) in entries {
                    key.for_each_calculated(visit);
                    value.for_each_calculated(visit);
                }
            }
            Self::List(items) => items
                .iter()
                .for_each(|item| item.for_each_calculated(visit)),
            Self::Member(operand, _) | Self::Item(operand, _) => operand.for_each_calculated(visit),
            Self::Conditional(condition, yes, no) => {
                visit(condition);
                yes.for_each_calculated(visit);
                no.for_each_calculated(visit);
            }
            Self::Calculated(expression) => visit(expression),
        }
    }

    /// The value for a record.
    ///
    /// # Errors
    /// A part has no value for this record.
    pub(super) fn evaluate(
        &self,
        interpreter: &Interpreter,
        values: &RecordValues<'_>,
        variables: &Variables<'_>,
    ) -> Result<Json, String> {
        let evaluate = |node: &Self| node.evaluate(interpreter, values, variables);
        Ok(match self {
            Self::Constant(value) => value.clone(),
            Self::Record => values.json()?.clone(),
            Self::Field(path) => {
                let mut value = values.json()?;
                for name in path {
                    // Null, if a record around the field is.
                    value = value.get(name).unwrap_or(&Json::Null);
                }
                value.clone()
            }
            Self::Kafka(field) => {
                let value = field.variable(&values.kafka)?;
                // As many digits as a `timestamp-millis` has.
                calculated::json(&*value, SecondsFormat::Millis)?
            }
            Self::List(items) => Json::Array(items.iter().map(evaluate).collect::<Result<_, _>>()?),
            Self::Object(entries) => {
                let mut object = Map::with_capacity(entries.len());
                for (key, value) in entries {
                    let key = match evaluate(key)? {
                        Json::String(key) => key,
                        _ => return Err("a key of an object is not a string".to_owned()),
                    };
                    let value = evaluate(value)?;
                    if object.contains_key(&key) {
                        return Err("a key occurs twice in an object".to_owned());
                    }
                    object.insert(key, value);
                }
                Json::Object(object)
            }
            Self::Member(operand, key) => match evaluate(operand)? {
                Json::Object(mut object) => object
                    .shift_remove(key)
                    .ok_or_else(|| format!("there is no key {key:?}"))?,
                _ => return Err(format!("there is no key {key:?}: the object is null")),
            },
            Self::Item(operand, index) => match evaluate(operand)? {
                Json::Array(mut items) if *index < items.len() => items.swap_remove(*index),
                _ => return Err(format!("there is no item {index}")),
            },
            Self::Conditional(condition, yes, no) => {
                match interpreter.boolean(condition, variables, variables.faults())? {
                    true => evaluate(yes)?,
                    false => evaluate(no)?,
                }
            }
            Self::Calculated(expression) => {
                let json = |value: &dyn cel::common::value::Val| {
                    calculated::json(value, SecondsFormat::AutoSi)
                };
                interpreter.evaluate(expression, variables, variables.faults(), json)?
            }
        })
    }
}

/// The literal as JSON. `None` if it is not a value that JSON has.
fn constant(literal: &LiteralValue) -> Option<Json> {
    Some(match literal {
        LiteralValue::Null => Json::Null,
        LiteralValue::Boolean(value) => (*value.inner()).into(),
        LiteralValue::Int(value) => (*value.inner()).into(),
        LiteralValue::UInt(value) => (*value.inner()).into(),
        LiteralValue::String(value) => value.inner().into(),
        LiteralValue::Double(_) | LiteralValue::Bytes(_) => return None,
    })
}

/// All identifiers of an expression.
pub(super) fn identifiers(expression: &IdedExpr, found: &mut HashSet<String>) {
    match &expression.expr {
        Expr::Ident(name) => {
            found.insert(name.clone());
        }
        Expr::Call(call) => {
            for part in call.target.as_deref().into_iter().chain(&call.args) {
                identifiers(part, found);
            }
        }
        Expr::Select(select) => identifiers(&select.operand, found),
        Expr::List(list) => list
            .elements
            .iter()
            .for_each(|item| identifiers(item, found)),
        Expr::Map(map) => {
            for entry in &map.entries {
                match &entry.expr {
                    EntryExpr::MapEntry(entry) => {
                        identifiers(&entry.key, found);
                        identifiers(&entry.value, found);
                    }
                    EntryExpr::StructField(field) => identifiers(&field.value, found),
                }
            }
        }
        Expr::Comprehension(parts) => {
            let parts = [
                &parts.iter_range,
                &parts.accu_init,
                &parts.loop_cond,
                &parts.loop_step,
                &parts.result,
            ];
            parts.into_iter().for_each(|part| identifiers(part, found));
        }
        Expr::Struct(_) | Expr::Unspecified | Expr::Literal(_) => {}
    }
}
