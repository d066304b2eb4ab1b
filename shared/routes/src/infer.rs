//! Infers the type of an expression, and replaces fields of the record with plain identifiers.

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, ListExpr, LiteralValue, MapExpr, SelectExpr,
    SourceInfo, operators as cel_operators,
};

use crate::constants;
use crate::decimal_literals;
use crate::kafka_fields::KafkaField;
use crate::literals;
use crate::operators;
use crate::problem::{Operand, Problem, describe};
use crate::types::{Kind, Type, Types};
use crate::variables::{Available, KAFKA, RECORD, WHOLE_RECORD, kafka_identifier};
use crate::warnings::Warnings;

/// Infers the types of one expression.
pub(super) struct Inference<'a> {
    available: Available,
    types: &'a Types,
    source: &'a SourceInfo,
    /// The fields in the expression, without duplicates.
    pub(super) fields: Vec<String>,
    pub(super) warnings: Warnings,
    /// The variables of macros.
    locals: Vec<(String, Type)>,
}

impl<'a> Inference<'a> {
    /// The inference of a condition.
    pub(super) fn new(types: &'a Types, source: &'a SourceInfo) -> Self {
        Self::with(Available::Fields, types, source)
    }

    /// The inference of an expression with these variables.
    pub(super) fn with(available: Available, types: &'a Types, source: &'a SourceInfo) -> Self {
        Self {
            available,
            types,
            source,
            fields: Vec::new(),
            warnings: Warnings::default(),
            locals: Vec::new(),
        }
    }

    /// The type of an expression. Fields of the record in it are replaced with plain identifiers.
    ///
    /// # Errors
    /// A part does not fit the schema or another part.
    pub(super) fn infer(&mut self, expression: &mut IdedExpr) -> Result<Type, Problem> {
        if let Some(kind) = self.field(expression)? {
            return Ok(kind);
        }
        let id = expression.id;
        match &mut expression.expr {
            Expr::Literal(literal) => Ok(literal_kind(literal).into()),
            Expr::Ident(name) => {
                let local = self.locals.iter().rev().find(|(known, _)| known == name);
                local
                    .map(|(_, kind)| kind.clone())
                    .ok_or_else(|| Problem::new(id, format!("unknown name {name}")))
            }
            Expr::Select(select) if select.test => self.presence(expression),
            Expr::Select(select) => {
                let operand = self.infer(&mut select.operand)?;
                self.member(id, &(&*select.operand, operand), &select.field)
            }
            Expr::Call(call) => self.call(id, call),
            Expr::List(list) => self.list(list),
            Expr::Map(map) => self.map(id, map),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(_) | Expr::Unspecified => {
                Err(Problem::new(id, "messages are not supported"))
            }
        }
    }

    /// Replaces a field of the record, or of a record inside it, with one identifier. `None` for other expressions.
    fn field(&mut self, expression: &mut IdedExpr) -> Result<Option<Type>, Problem> {
        let Some(mut path) = path_segments(expression) else {
            return Ok(None);
        };
        if self.is_local(&path[0]) {
            return Ok(None);
        }
        if let Some(kind) = self.kafka(expression, &path)? {
            return Ok(Some(kind));
        }
        if path[0] == RECORD {
            path.remove(0);
            let Some(name) = path.first() else {
                if let (Available::Record, Some(kind)) = (self.available, self.types.datum()) {
                    expression.expr = Expr::Ident(WHOLE_RECORD.to_owned());
                    return Ok(Some(kind.clone()));
                }
                return Err(Problem::new(
                    expression.id,
                    format!("{RECORD} is the whole record: write {RECORD}.field"),
                ));
            };
            // The interpreter finds variables by name, and a macro's variable first.
            if path.len() == 1 && self.is_local(name) {
                return Err(Problem::new(
                    expression.id,
                    format!(
                        "the macro's variable {name} hides {RECORD}.{name}: rename the variable"
                    ),
                ));
            }
        }
        let mut fields = self.types.fields();
        let mut nullable = false;
        let mut found = None;
        for (index, name) in path.iter().enumerate() {
            let Some(kind) = Types::field(fields, name) else {
                return Err(Problem::new(
                    expression.id,
                    unknown_field(&path[..index].join("."), name, fields),
                ));
            };
            nullable |= kind.nullable;
            match kind.kind {
                Kind::Record(record) => fields = &self.types.records[record],
                // The rest of the path is a map's key or a mistake; infer the operand first.
                _ if index + 1 < path.len() => return Ok(None),
                _ => {}
            }
            found = Some(Type {
                kind: kind.kind.clone(),
                nullable,
            });
        }
        let path = path.join(".");
        if !self.fields.contains(&path) {
            self.fields.push(path.clone());
        }
        expression.expr = Expr::Ident(path);
        Ok(found)
    }

    /// Replaces a field of `kafka` with one identifier. `None` for other paths.
    fn kafka(&self, expression: &mut IdedExpr, path: &[String]) -> Result<Option<Type>, Problem> {
        let invalid = |message: String| Err(Problem::new(expression.id, message));
        if self.available == Available::Fields {
            return Ok(None);
        }
        if path[0] != KAFKA {
            return match self.available {
                Available::Tombstone => invalid(format!(
                    "a tombstone has no fields: only {KAFKA}.key and the like can be used, not {}",
                    path[0]
                )),
                _ => Ok(None),
            };
        }
        let field = path.get(1).and_then(|name| KafkaField::named(name));
        match (field, path) {
            (Some(field), [_, name]) => {
                expression.expr = Expr::Ident(kafka_identifier(name));
                Ok(Some(field.kind()))
            }
            _ => invalid(format!(
                "expected {KAFKA} with one of its members: {}; a field {KAFKA} of the record is {RECORD}.{KAFKA}",
                KafkaField::names()
            )),
        }
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|(local, _)| local == name)
    }

    /// Whether an expression is the variable of the whole record.
    fn is_record(&self, expression: &IdedExpr) -> bool {
        matches!(&expression.expr, Expr::Ident(name) if name == RECORD && !self.is_local(name))
    }

    /// `has(operand.field)`: the field of a record is not null, or the key of a map is present.
    fn presence(&mut self, expression: &mut IdedExpr) -> Result<Type, Problem> {
        let id = expression.id;
        let Expr::Select(select) = &mut expression.expr else {
            return Ok(Kind::Bool.into());
        };
        let operand = match self.types.record() {
            Some(record) if self.is_record(&select.operand) => Kind::Record(record).into(),
            _ => {
                let known = self.fields.len();
                let operand = self.infer(&mut select.operand.clone())?;
                self.fields.truncate(known);
                operand
            }
        };
        match operand.kind {
            Kind::Record(_) => {
                let mut field = IdedExpr {
                    id,
                    expr: Expr::Select(SelectExpr {
                        operand: select.operand.clone(),
                        field: select.field.clone(),
                        test: false,
                    }),
                };
                self.infer(&mut field)?;
                self.warnings.add_null_check(&field);
                let null = IdedExpr {
                    id,
                    expr: Expr::Literal(LiteralValue::Null),
                };
                expression.expr = Expr::Call(CallExpr {
                    func_name: cel_operators::NOT_EQUALS.to_owned(),
                    target: None,
                    args: vec![field, null],
                });
                Ok(Kind::Bool.into())
            }
            Kind::Map(..) | Kind::Any => {
                self.infer(&mut select.operand)?;
                self.warnings.add_use(&select.operand, &operand, "has()");
                Ok(Kind::Bool.into())
            }
            _ => Err(Problem::new(
                id,
                format!("has() requires a field of a record or a key of a map, not of {operand}"),
            )),
        }
    }

    fn member(&self, id: u64, operand: &Operand<'_>, name: &str) -> Result<Type, Problem> {
        match &operand.1.kind {
            Kind::Record(record) => {
                let fields = &self.types.records[*record];
                Types::field(fields, name)
                    .cloned()
                    .ok_or_else(|| Problem::new(id, unknown_field("", name, fields)))
            }
            Kind::Map(_, value) => Ok((**value).clone()),
            Kind::Any => Ok(Kind::Any.into()),
            _ => Err(Problem::new(
                id,
                format!("{} has no field {name}", describe(operand)),
            )),
        }
    }

    fn call(&mut self, id: u64, call: &mut CallExpr) -> Result<Type, Problem> {
        let mut kinds = Vec::with_capacity(call.args.len() + 1);
        if let Some(target) = &mut call.target {
            kinds.push(self.infer(target)?);
        }
        for argument in &mut call.args {
            let is_in_list = call.func_name == cel_operators::IN
                && matches!(
                    kinds.first(),
                    Some(Type {
                        kind: Kind::Decimal(_),
                        ..
                    })
                );
            if is_in_list {
                decimal_literals::convert_list(argument, self.source)?;
            }
            kinds.push(self.infer(argument)?);
        }
        decimal_literals::convert(call, &mut kinds, self.source)?;
        let locals = &self.locals;
        let is_local = |name: &str| locals.iter().any(|(local, _)| local == name);
        literals::check_ints(self.types, &mut self.warnings, is_local, call)?;
        let operands: Vec<(&IdedExpr, Type)> = call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .zip(kinds)
            .collect();
        let is_method = call.target.is_some();
        let result = operators::result_type(
            self.types,
            &mut self.warnings,
            id,
            &call.func_name,
            is_method,
            &operands,
        )?;
        constants::check(call)?;
        Ok(result)
    }

    fn list(&mut self, list: &mut ListExpr) -> Result<Type, Problem> {
        let mut kinds: Option<Type> = None;
        for element in &mut list.elements {
            let kind = self.infer(element)?;
            kinds = Some(match kinds {
                Some(kinds) => operators::common(element.id, kinds, kind)?,
                None => kind,
            });
        }
        Ok(Kind::List(Box::new(kinds.unwrap_or(Type::NEVER))).into())
    }

    fn map(&mut self, id: u64, map: &mut MapExpr) -> Result<Type, Problem> {
        let is_object = self.available != Available::Fields;
        let mut kinds: Option<(Type, Type)> = None;
        let mut names = Vec::new();
        for entry in &mut map.entries {
            let EntryExpr::MapEntry(entry) = &mut entry.expr else {
                return Err(Problem::new(id, "messages are not supported"));
            };
            let (key, value) = (self.infer(&mut entry.key)?, self.infer(&mut entry.value)?);
            if is_object {
                require_name(&entry.key, &key)?;
            }
            if let (true, Expr::Literal(LiteralValue::String(name))) = (is_object, &entry.key.expr)
            {
                if names.contains(name) {
                    let message = format!("the key {:?} occurs twice in an object", name.inner());
                    return Err(Problem::new(entry.key.id, message));
                }
                names.push(name.clone());
            }
            kinds = Some(match kinds {
                Some((keys, values)) => (keys.or(key), values.or(value)),
                None => (key, value),
            });
        }
        let (key, value) = kinds.unwrap_or((Kind::Any.into(), Kind::Any.into()));
        Ok(Kind::Map(Box::new(key), Box::new(value)).into())
    }

    /// `all`, `exists`, `exists_one`, `map` and `filter`, which the parser expands to comprehensions.
    fn comprehension(&mut self, comprehension: &mut ComprehensionExpr) -> Result<Type, Problem> {
        let range = self.infer(&mut comprehension.iter_range)?;
        self.warnings
            .add_use(&comprehension.iter_range, &range, "a macro over it");
        let (first, second) = match range.kind {
            Kind::List(element) => (*element, Kind::Any.into()),
            Kind::Map(key, value) => (*key, *value),
            Kind::Any => (Kind::Any.into(), Kind::Any.into()),
            _ => {
                return Err(Problem::new(
                    comprehension.iter_range.id,
                    format!("a macro requires a list or a map, not {range}"),
                ));
            }
        };
        let start = self.infer(&mut comprehension.accu_init)?;
        let depth = self.locals.len();
        self.locals.push((comprehension.iter_var.clone(), first));
        if let Some(name) = &comprehension.iter_var2 {
            self.locals.push((name.clone(), second));
        }
        self.locals
            .push((comprehension.accu_var.clone(), start.clone()));
        let condition = self.infer(&mut comprehension.loop_cond)?;
        operators::require_boolean(
            &mut self.warnings,
            &comprehension.loop_cond,
            &condition,
            "a macro",
        )?;
        let step = self.infer(&mut comprehension.loop_step)?;
        if let Some((_, accumulated)) = self.locals.last_mut() {
            *accumulated = step.or(start);
        }
        let result = self.infer(&mut comprehension.result)?;
        self.locals.truncate(depth);
        Ok(result)
    }
}

/// Checks that the key of an object is a string.
///
/// # Errors
/// It has another type, or may be null.
fn require_name(key: &IdedExpr, kind: &Type) -> Result<(), Problem> {
    match kind.kind.is_text() && !kind.nullable {
        true => Ok(()),
        false => Err(Problem::new(
            key.id,
            format!("the key of an object is a string, not {kind}"),
        )),
    }
}

fn literal_kind(literal: &LiteralValue) -> Kind {
    match literal {
        LiteralValue::Boolean(_) => Kind::Bool,
        LiteralValue::Bytes(_) => Kind::Bytes,
        LiteralValue::Double(_) => Kind::Double,
        LiteralValue::Int(_) => Kind::Int,
        LiteralValue::Null => Kind::Null,
        LiteralValue::String(_) => Kind::Str,
        LiteralValue::UInt(_) => Kind::Uint,
    }
}

/// The parts of `a.b.c`. `None` for other expressions.
fn path_segments(expression: &IdedExpr) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = &expression.expr;
    loop {
        match rest {
            Expr::Ident(name) => {
                parts.push(name.clone());
                parts.reverse();
                return Some(parts);
            }
            Expr::Select(select) if !select.test => {
                parts.push(select.field.clone());
                rest = &select.operand.expr;
            }
            _ => return None,
        }
    }
}

fn unknown_field(owner: &str, name: &str, fields: &[(String, Type)]) -> String {
    let mut known: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    let more = if known.len() > 20 { ", …" } else { "" };
    known.truncate(20);
    let owner = if owner.is_empty() {
        "the record"
    } else {
        owner
    };
    format!(
        "{owner} has no field {name}; it has {}{more}",
        known.join(", ")
    )
}
