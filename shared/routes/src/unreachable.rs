//! Finds routes that never match, because an earlier route matches the same records.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};

use crate::contradiction;
use crate::types::Types;

/// Whether every record that matches `later` also matches `earlier`: each operand of `earlier` (`operand && operand && …`)
/// is an operand of `later`, or follows from those on the same field. False means unknown.
pub(super) fn covers(earlier: &IdedExpr, later: &IdedExpr, types: &Types) -> bool {
    let (earlier, later) = (without_ids(earlier), without_ids(later));
    let (mut required, mut present) = (Vec::new(), Vec::new());
    operands(&earlier, &mut required);
    operands(&later, &mut present);
    required
        .iter()
        .all(|operand| present.contains(operand) || contradiction::implies(&later, operand, types))
}

/// Collects the operands of a conjunction.
fn operands<'a>(expression: &'a IdedExpr, into: &mut Vec<&'a IdedExpr>) {
    match &expression.expr {
        Expr::Call(call) if call.func_name == operators::LOGICAL_AND => {
            call.args.iter().for_each(|part| operands(part, into));
        }
        Expr::Literal(LiteralValue::Boolean(constant)) if *constant.inner() => {}
        _ => into.push(expression),
    }
}

/// A copy in which all ids are 0, so that equal conditions are equal.
fn without_ids(expression: &IdedExpr) -> IdedExpr {
    let mut copy = expression.clone();
    clear_ids(&mut copy);
    copy
}

fn clear_ids(expression: &mut IdedExpr) {
    expression.id = 0;
    match &mut expression.expr {
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|part| clear_ids(part));
            call.args.iter_mut().for_each(clear_ids);
        }
        Expr::Select(select) => clear_ids(&mut select.operand),
        Expr::List(list) => list.elements.iter_mut().for_each(clear_ids),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                entry.id = 0;
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    clear_ids(&mut entry.key);
                    clear_ids(&mut entry.value);
                }
            }
        }
        Expr::Comprehension(parts) => {
            clear_ids(&mut parts.iter_range);
            clear_ids(&mut parts.accu_init);
            clear_ids(&mut parts.loop_cond);
            clear_ids(&mut parts.loop_step);
            clear_ids(&mut parts.result);
        }
        Expr::Struct(_) | Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_covered(earlier: &str, later: &str) -> bool {
        let expression = |text: &str| cel::Program::compile(text).unwrap().expression().clone();
        let schema = avro::Schema::parse(
            r#"{"type":"record","name":"R","fields":[{"name":"id","type":"long"},{"name":"age","type":["null","long"]},
                {"name":"name","type":"string"},{"name":"paid","type":"boolean"},{"name":"late","type":"boolean"},
                {"name":"colour","type":{"type":"enum","name":"C","symbols":["RED","BLUE","GREEN"]}}]}"#,
        );
        let types = Types::of(&schema.unwrap());
        covers(&expression(earlier), &expression(later), &types)
    }

    #[test]
    fn equal_conditions_cover_each_other_regardless_of_spaces() {
        assert!(is_covered(
            "id==1 && l.exists(x, x == {'a': [1]})",
            "id == 1 &&  l.exists(x, x=={'a':[1]})"
        ));
        assert!(is_covered("true", "id == 1"));
    }

    #[test]
    fn an_operand_of_the_later_condition_covers_it() {
        assert!(is_covered("id == 1", "name == 'x' && (id == 1 && paid)"));
        assert!(is_covered("paid && id == 1", "id == 1 && !late && paid"));
    }

    #[test]
    fn a_narrower_condition_on_a_field_is_covered() {
        for (earlier, later) in [
            ("id > 10", "id == 20"),
            ("id > 500", "id > 1000 && paid"),
            ("id in [1, 2, 3] && paid", "paid && id in [1, 3]"),
            ("name.startsWith('a')", "name == 'abc'"),
            ("colour != 'RED'", "colour in ['BLUE', 'GREEN']"),
            ("colour in ['BLUE', 'RED']", "colour != 'GREEN'"),
            ("age != null", "age > 3"),
        ] {
            assert!(is_covered(earlier, later), "{earlier}: {later}");
            assert!(
                !is_covered(later, earlier) || earlier.contains("colour"),
                "{later}: {earlier}"
            );
        }
        // The earlier condition fails for null.
        assert!(!is_covered("age > 3", "age == null"));
        assert!(!is_covered("id > 10", "id >= 10"));
        assert!(!is_covered("id > 10 && name == 'x'", "id == 20"));
    }

    #[test]
    fn different_conditions_do_not_cover_each_other() {
        assert!(!is_covered("id == 1", "id == 2"));
        assert!(!is_covered("id == 1 && paid", "id == 1"));
        assert!(!is_covered("id == 1", "id == 1 || paid"));
        assert!(!is_covered("id == 1", "true"));
    }
}
