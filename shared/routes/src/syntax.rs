//! Parses an expression within bounds.

use cel::common::ast::{EntryExpr, Expr, SourceInfo};
use cel::{Env, IdedExpr};

use crate::types::Types;
use crate::variables::RECORD;

/// The maximum length of an expression, in bytes.
const MAX_LENGTH: usize = 4 << 10;

/// The maximum nesting of an expression. It limits the recursion of the interpreter.
const MAX_DEPTH: usize = 64;

/// The stack of the parser's thread, in bytes. The parser recurses at most once for each of [`MAX_LENGTH`] bytes. Only the
/// used part of the stack takes memory.
const PARSER_STACK: usize = 256 << 20;

/// Parses an expression, and calls `then` on the parser's thread, whose stack is large enough for recursion over the
/// expression.
///
/// # Errors
/// The text is not CEL, or too long or nested too deeply; or `then` failed.
pub(super) fn with_parsed<T: Send>(
    text: &str,
    types: &Types,
    then: impl FnOnce(IdedExpr, &SourceInfo) -> Result<T, String> + Send,
) -> Result<T, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!(
            "it has {} bytes; at most {MAX_LENGTH} are supported",
            text.len()
        ));
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(PARSER_STACK)
            .spawn_scoped(scope, || {
                let (expression, source) = parse(text, types)?;
                then(expression, &source)
            })
            .map_err(|error| format!("starting a thread to parse it: {error}"))?
            .join()
            .unwrap_or_else(|_| Err("the CEL parser panicked".to_owned()))
    })
}

fn parse(text: &str, types: &Types) -> Result<(IdedExpr, SourceInfo), String> {
    let (expression, source) = Env::stdlib()
        .with_optional_support(false)
        .parser()
        .enable_ident_escape_syntax(true)
        .parse_with_source_info(text)
        .map_err(|errors| syntax(text, &errors, types))?;
    if depth(&expression) > MAX_DEPTH {
        return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
    }
    Ok((expression, source))
}

fn depth(expression: &IdedExpr) -> usize {
    let deepest = |parts: &mut dyn Iterator<Item = &IdedExpr>| parts.map(depth).max().unwrap_or(0);
    1 + match &expression.expr {
        Expr::Call(call) => deepest(&mut call.target.as_deref().into_iter().chain(&call.args)),
        Expr::Select(select) => depth(&select.operand),
        Expr::List(list) => deepest(&mut list.elements.iter()),
        Expr::Map(map) => deepest(&mut map.entries.iter().flat_map(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
            EntryExpr::StructField(field) => vec![&field.value],
        })),
        Expr::Comprehension(parts) => deepest(
            &mut [
                &parts.iter_range,
                &parts.accu_init,
                &parts.loop_cond,
                &parts.loop_step,
                &parts.result,
            ]
            .into_iter(),
        ),
        Expr::Struct(_) | Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => 0,
    }
}

fn syntax(text: &str, errors: &cel::ParseErrors, types: &Types) -> String {
    let Some(first) = errors.errors.first() else {
        return "it is not a CEL expression".to_owned();
    };
    let single_equals = text.replace(['=', '!', '<', '>'], "=").contains("==");
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let reserved = words.find(|word| {
        let is_field = || Types::field(types.fields(), word).is_some();
        first.msg.contains("reserved identifier") && first.msg.ends_with(*word) && is_field()
            || KEYWORDS.contains(word) && is_field()
    });
    let hint = match reserved {
        Some(name) if KEYWORDS.contains(&name) => {
            format!("; the field {name} is {RECORD}.`{name}`, because CEL reserves the word")
        }
        Some(name) => {
            format!("; the field {name} is {RECORD}.{name}, because CEL reserves the word")
        }
        None if text.contains('=') && !single_equals => "; use == to compare".to_owned(),
        None => String::new(),
    };
    format!(
        "{} (at character {}){hint}",
        first.msg,
        position(text, first.pos)
    )
}

/// The number of a character, counted from 1, from its line and column.
fn position(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1);
    let before = text.split_inclusive('\n').take(line.saturating_sub(1));
    let before: usize = before.map(|line| line.chars().count()).sum();
    before + usize::try_from(column).unwrap_or(0)
}

/// Words of CEL's grammar, which are not even allowed after a dot.
const KEYWORDS: [&str; 4] = ["in", "true", "false", "null"];
