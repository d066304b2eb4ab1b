//! Finds the type of each part of an expression, and turns fields of the record into plain identifiers. Pure.

use std::collections::HashSet;

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, ListExpr, LiteralValue, SelectExpr, operators,
};

use super::operations::{self, described};
use super::shape::{Kind, Shapes, Type};

/// What is wrong, and in which part of the expression.
pub(super) struct Problem {
    pub(super) id: u64,
    pub(super) text: String,
}

impl Problem {
    pub(super) fn new(expression: &IdedExpr, text: impl Into<String>) -> Self {
        Self {
            id: expression.id,
            text: text.into(),
        }
    }
}

/// An expression and its type.
pub(super) type Operand<'a> = (&'a IdedExpr, Type);

/// Walks one expression, and remembers what it names.
pub(super) struct Checker<'a> {
    pub(super) shapes: &'a Shapes,
    /// The fields named so far, each once.
    pub(super) fields: Vec<String>,
    locals: Vec<(String, Type)>,
    guarded: HashSet<String>,
    fragile: Vec<(String, String)>,
    warnings: Vec<String>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(shapes: &'a Shapes) -> Self {
        Self {
            shapes,
            fields: Vec::new(),
            locals: Vec::new(),
            guarded: HashSet::new(),
            fragile: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The type of an expression; fields of the record become plain identifiers on the way.
    ///
    /// # Errors
    /// A part of it does not fit the schema, or another part.
    pub(super) fn infer(&mut self, expression: &mut IdedExpr) -> Result<Type, Problem> {
        if let Some(kind) = self.field(expression)? {
            return Ok(kind);
        }
        let id = expression.id;
        match &mut expression.expr {
            Expr::Literal(literal) => Ok(literal_kind(literal).into()),
            Expr::Ident(name) => {
                let local = self.locals.iter().rev().find(|(known, _)| known == name);
                local.map(|(_, kind)| kind.clone()).ok_or_else(|| Problem {
                    id,
                    text: format!("{name} is unknown"),
                })
            }
            Expr::Select(select) if select.test => self.presence(expression),
            Expr::Select(select) => {
                let operand = self.infer(&mut select.operand)?;
                self.member(id, &(&*select.operand, operand), &select.field)
            }
            Expr::Call(call) => self.call(id, call),
            Expr::List(list) => self.list(list),
            Expr::Map(map) => {
                let mut kinds: Option<(Type, Type)> = None;
                for entry in &mut map.entries {
                    let EntryExpr::MapEntry(entry) = &mut entry.expr else {
                        return Err(Problem {
                            id,
                            text: "messages cannot be built here".to_owned(),
                        });
                    };
                    let (key, value) = (self.infer(&mut entry.key)?, self.infer(&mut entry.value)?);
                    kinds = Some(match kinds {
                        Some((keys, values)) => (keys.or(key), values.or(value)),
                        None => (key, value),
                    });
                }
                let (key, value) = kinds.unwrap_or((Kind::Any.into(), Kind::Any.into()));
                Ok(Kind::Map(Box::new(key), Box::new(value)).into())
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(_) | Expr::Unspecified => Err(Problem {
                id,
                text: "messages cannot be built here".to_owned(),
            }),
        }
    }

    /// A field of the record, or of a record in it: becomes one identifier. `None` if it is something else.
    fn field(&mut self, expression: &mut IdedExpr) -> Result<Option<Type>, Problem> {
        let Some(path) = segments(expression) else {
            return Ok(None);
        };
        if self.locals.iter().any(|(local, _)| *local == path[0]) {
            return Ok(None);
        }
        let mut fields = self.shapes.fields();
        let mut nullable = false;
        let mut found = None;
        for (index, name) in path.iter().enumerate() {
            let Some(kind) = Shapes::field(fields, name) else {
                return Err(Problem::new(
                    expression,
                    unknown(&path[..index].join("."), name, fields),
                ));
            };
            nullable |= kind.nullable;
            match kind.kind {
                Kind::Record(record) => fields = &self.shapes.records[record],
                // The rest of the path leads into a map, or is a mistake: the operand is looked at first.
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

    /// `has(operand.field)`: of a record, that the field is not null; of a map, that the key is there.
    fn presence(&mut self, expression: &mut IdedExpr) -> Result<Type, Problem> {
        let id = expression.id;
        let Expr::Select(select) = &mut expression.expr else {
            return Ok(Kind::Bool.into());
        };
        let known = self.fields.len();
        let operand = self.infer(&mut select.operand.clone())?;
        self.fields.truncate(known);
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
                self.guard(&field);
                let null = IdedExpr {
                    id,
                    expr: Expr::Literal(LiteralValue::Null),
                };
                expression.expr = Expr::Call(CallExpr {
                    func_name: operators::NOT_EQUALS.to_owned(),
                    target: None,
                    args: vec![field, null],
                });
                Ok(Kind::Bool.into())
            }
            Kind::Map(..) | Kind::Any => {
                self.infer(&mut select.operand)?;
                self.fragile(&select.operand, &operand, "has()");
                Ok(Kind::Bool.into())
            }
            _ => Err(Problem {
                id,
                text: format!(
                    "has() asks a record for a field or a map for a key; this is {operand}"
                ),
            }),
        }
    }

    fn member(&self, id: u64, operand: &Operand<'_>, name: &str) -> Result<Type, Problem> {
        match &operand.1.kind {
            Kind::Record(record) => {
                let fields = &self.shapes.records[*record];
                Shapes::field(fields, name).cloned().ok_or_else(|| Problem {
                    id,
                    text: unknown("", name, fields),
                })
            }
            Kind::Map(_, value) => Ok((**value).clone()),
            Kind::Any => Ok(Kind::Any.into()),
            _ => Err(Problem {
                id,
                text: format!("{} has no field {name}", described(operand)),
            }),
        }
    }

    fn call(&mut self, id: u64, call: &mut CallExpr) -> Result<Type, Problem> {
        let mut kinds = Vec::with_capacity(call.args.len() + 1);
        if let Some(target) = &mut call.target {
            kinds.push(self.infer(target)?);
        }
        for argument in &mut call.args {
            kinds.push(self.infer(argument)?);
        }
        let operands: Vec<(&IdedExpr, Type)> = call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .zip(kinds)
            .collect();
        let member = call.target.is_some();
        operations::result(self, id, &call.func_name, member, &operands)
    }

    fn list(&mut self, list: &mut ListExpr) -> Result<Type, Problem> {
        let mut kinds: Option<Type> = None;
        for element in &mut list.elements {
            let element = self.infer(element)?;
            kinds = Some(match kinds {
                Some(kinds) => kinds.or(element),
                None => element,
            });
        }
        Ok(Kind::List(Box::new(kinds.unwrap_or(Type::NOTHING))).into())
    }

    /// `all`, `exists`, `exists_one`, `map` and `filter`, as the parser has expanded them.
    fn comprehension(&mut self, comprehension: &mut ComprehensionExpr) -> Result<Type, Problem> {
        let range = self.infer(&mut comprehension.iter_range)?;
        self.fragile(&comprehension.iter_range, &range, "a macro over it");
        let (first, second) = match range.kind {
            Kind::List(element) => (*element, Kind::Any.into()),
            Kind::Map(key, value) => (*key, *value),
            Kind::Any => (Kind::Any.into(), Kind::Any.into()),
            _ => {
                return Err(Problem::new(
                    &comprehension.iter_range,
                    format!("only lists and maps can be gone through; this is {range}"),
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
        self.boolean(&comprehension.loop_cond, &condition, "a macro")?;
        let step = self.infer(&mut comprehension.loop_step)?;
        if let Some((_, accumulated)) = self.locals.last_mut() {
            *accumulated = step.or(start);
        }
        let result = self.infer(&mut comprehension.result)?;
        self.locals.truncate(depth);
        Ok(result)
    }

    /// An operand that must be true or false.
    pub(super) fn boolean(
        &mut self,
        expression: &IdedExpr,
        kind: &Type,
        user: &str,
    ) -> Result<(), Problem> {
        if !matches!(kind.kind, Kind::Bool | Kind::Any) {
            return Err(Problem::new(
                expression,
                format!("{user} is made of true and false; this is {kind}"),
            ));
        }
        self.fragile(expression, kind, user);
        Ok(())
    }

    /// Notes that `user` fails on an operand that may be null.
    pub(super) fn fragile(&mut self, expression: &IdedExpr, kind: &Type, user: &str) {
        if let (true, Expr::Ident(path)) = (kind.nullable, &expression.expr) {
            self.fragile.push((path.clone(), user.to_owned()));
        }
    }

    /// Notes that the condition asks whether an operand is null.
    pub(super) fn guard(&mut self, expression: &IdedExpr) {
        if let Expr::Ident(path) = &expression.expr {
            self.guarded.insert(path.clone());
        }
    }

    pub(super) fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }

    /// What is allowed but hardly meant.
    pub(super) fn all_warnings(&self) -> Vec<String> {
        let mut warnings = self.warnings.clone();
        for (path, user) in &self.fragile {
            let mut prefixes = path.match_indices('.').map(|(end, _)| &path[..end]);
            let asked =
                self.guarded.contains(path) || prefixes.any(|part| self.guarded.contains(part));
            let warning = format!(
                "{path} may be null, and {user} fails on null, which makes the record a dead letter: ask for \
                 {path} != null first"
            );
            if self.fields.contains(path) && !asked && !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        warnings
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

/// `a.b.c` as its parts; `None` for anything else.
fn segments(expression: &IdedExpr) -> Option<Vec<String>> {
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

fn unknown(owner: &str, name: &str, fields: &[(String, Type)]) -> String {
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
