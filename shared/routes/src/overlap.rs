//! Finds routes that can never match, because an earlier one takes all that they would. Pure.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};

/// Whether every record that matches `later` matches `earlier` too, as far as their form shows it: each part of
/// `earlier` (`part && part && …`) is a part of `later`. False does not mean that they share no record.
pub(super) fn takes_all(earlier: &IdedExpr, later: &IdedExpr) -> bool {
    let (earlier, later) = (plain(earlier), plain(later));
    let (mut fewer, mut more) = (Vec::new(), Vec::new());
    parts(&earlier, &mut fewer);
    parts(&later, &mut more);
    fewer.iter().all(|part| more.contains(part))
}

fn parts<'a>(expression: &'a IdedExpr, into: &mut Vec<&'a IdedExpr>) {
    match &expression.expr {
        Expr::Call(call) if call.func_name == operators::LOGICAL_AND => {
            call.args.iter().for_each(|part| parts(part, into));
        }
        Expr::Literal(LiteralValue::Boolean(constant)) if *constant.inner() => {}
        _ => into.push(expression),
    }
}

/// A copy that does not remember where it was written, so that equal conditions are equal.
fn plain(expression: &IdedExpr) -> IdedExpr {
    let mut copy = expression.clone();
    forget_places(&mut copy);
    copy
}

fn forget_places(expression: &mut IdedExpr) {
    expression.id = 0;
    match &mut expression.expr {
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|part| forget_places(part));
            call.args.iter_mut().for_each(forget_places);
        }
        Expr::Select(select) => forget_places(&mut select.operand),
        Expr::List(list) => list.elements.iter_mut().for_each(forget_places),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                entry.id = 0;
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    forget_places(&mut entry.key);
                    forget_places(&mut entry.value);
                }
            }
        }
        Expr::Comprehension(parts) => {
            forget_places(&mut parts.iter_range);
            forget_places(&mut parts.accu_init);
            forget_places(&mut parts.loop_cond);
            forget_places(&mut parts.loop_step);
            forget_places(&mut parts.result);
        }
        Expr::Struct(_) | Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(earlier: &str, later: &str) -> bool {
        let expression = |text: &str| cel::Program::compile(text).unwrap().expression().clone();
        takes_all(&expression(earlier), &expression(later))
    }

    #[test]
    fn the_same_condition_takes_all_however_it_is_spaced() {
        assert!(takes(
            "id==1 && l.exists(x, x == {'a': [1]})",
            "id == 1 &&  l.exists(x, x=={'a':[1]})"
        ));
        assert!(takes("true", "id == 1"));
    }

    #[test]
    fn a_part_of_the_later_condition_takes_all() {
        assert!(takes("id == 1", "name == 'x' && (id == 1 && paid)"));
        assert!(takes("paid && id == 1", "id == 1 && !late && paid"));
    }

    #[test]
    fn different_conditions_do_not() {
        assert!(!takes("id == 1", "id == 2"));
        assert!(!takes("id == 1 && paid", "id == 1"));
        assert!(!takes("id == 1", "id == 1 || paid"));
        assert!(!takes("id == 1", "true"));
    }
}
