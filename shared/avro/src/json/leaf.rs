//! Encodes a JSON value of a type that contains no other types.

use serde_json::Value;

use super::from_json::Encoder;
use crate::LogicalType;
use crate::binary::{put_bytes, put_long};
use crate::graph::{Node, NodeId};
use crate::logical::{Text, is_like_text};

impl Encoder<'_> {
    /// The logical type, unless a default is encoded: the specification defines defaults by the underlying types.
    pub(super) fn logical_type(&self, id: NodeId) -> Option<LogicalType> {
        self.graph.logical_types[id].filter(|_| !self.in_default)
    }

    /// Encodes a value that contains no other values, in the text form of its logical type or as the underlying type. `None` if
    /// it is not of the type.
    #[inline(never)]
    pub(super) fn logical_leaf(&mut self, id: NodeId, node: &Node, value: &Value) -> Option<()> {
        let Some(logical_type) = self.logical_type(id) else {
            return self.leaf(node, value);
        };
        let is_bytes = matches!(node, Node::Bytes | Node::Fixed(_));
        let text = match value {
            Value::String(text) if is_bytes && !is_like_text(logical_type, text) => None,
            Value::String(text) if !matches!(node, Node::String) => Some(text.clone()),
            Value::Number(_) if is_bytes => Some(exact_number(value)?),
            Value::Object(object) if is_bytes => {
                let inner = object
                    .get(self.graph.name(id))
                    .filter(|_| object.len() == 1);
                return self.leaf(node, inner?);
            }
            _ => None,
        };
        let Some(text) = text else {
            return self.leaf(node, value);
        };
        match (logical_type.parse(&text, node)?, node) {
            (Text::Number(number), Node::Int) => {
                put_long(&mut self.out, i64::from(i32::try_from(number).ok()?));
            }
            (Text::Number(number), _) => put_long(&mut self.out, number),
            (Text::Bytes(bytes), Node::Bytes) => put_bytes(&mut self.out, &bytes),
            (Text::Bytes(bytes), _) => self.out.extend_from_slice(&bytes),
        }
        Some(())
    }

    /// Encodes a value that contains no other values as the underlying type. `None` if it is not of the type.
    #[inline(never)]
    pub(super) fn leaf(&mut self, node: &Node, value: &Value) -> Option<()> {
        match node {
            Node::Null => value.as_null()?,
            Node::Boolean => self.out.push(u8::from(value.as_bool()?)),
            Node::Int => {
                let value = i32::try_from(value.as_i64()?).ok()?;
                put_long(&mut self.out, i64::from(value));
            }
            Node::Long => put_long(&mut self.out, value.as_i64()?),
            Node::Float => {
                let wide = float(value)?;
                let narrow = wide as f32;
                if wide.is_finite() && !narrow.is_finite() {
                    return None;
                }
                self.out.extend_from_slice(&narrow.to_le_bytes());
            }
            Node::Double => {
                let value = float(value)?;
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            Node::String => put_bytes(&mut self.out, value.as_str()?.as_bytes()),
            Node::Bytes => put_bytes(&mut self.out, &bytes(value)?),
            Node::Fixed(fixed) => {
                let bytes = bytes(value).filter(|bytes| bytes.len() == fixed.size)?;
                self.out.extend_from_slice(&bytes);
            }
            Node::Enum(symbols) => {
                let text = value.as_str()?;
                let mut symbols = symbols.symbols.iter();
                put_long(
                    &mut self.out,
                    symbols.position(|symbol| **symbol == *text)? as i64,
                );
            }
            _ => return None,
        }
        Some(())
    }
}

/// The text of a JSON number. `None` if the JSON parser may have rounded it to a `double`, which keeps 15 digits.
fn exact_number(value: &Value) -> Option<String> {
    const MAX_WHOLE: f64 = (1_u64 << 53) as f64;
    let text = value.to_string();
    if let Some(number) = value.as_f64().filter(|_| value.is_f64()) {
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        let digits = mantissa.replace(['-', '.'], "");
        let is_exact = digits.trim_matches('0').len() <= 15 && number.abs() < MAX_WHOLE;
        is_exact.then_some(())?;
    }
    Some(text)
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn bytes(value: &Value) -> Option<Vec<u8>> {
    let characters = value.as_str()?.chars();
    characters.map(|c| u8::try_from(c).ok()).collect()
}
