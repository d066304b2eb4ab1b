//! The parsing canonical form of a schema, and its fingerprint.
//!
//! The canonical form of the `apache-avro` crate keeps `precision`, `scale` and `order`, and writes a type with a logical
//! type as an object. Java does not, so the fingerprints would differ from those of other implementations.
//!
//! Source: Avro specification 1.12, "Parsing Canonical Form for Schemas" and "Schema Fingerprints".

use crate::graph::{Graph, Node, NodeId};

/// The canonical form. Schemas with the same form encode data the same way.
pub(super) fn form(graph: &Graph) -> String {
    let mut writer = CanonicalWriter {
        graph,
        defined: vec![false; graph.nodes.len()],
        out: String::new(),
    };
    writer.node(graph.root);
    writer.out
}

struct CanonicalWriter<'t> {
    graph: &'t Graph,
    defined: Vec<bool>,
    out: String,
}

impl CanonicalWriter<'_> {
    // Recursion is limited by the nesting of the JSON text: of a type that is already defined only the name is written.
    fn node(&mut self, id: NodeId) {
        let graph = self.graph;
        let name = graph.name(id);
        if self.defined[id] {
            return self.quoted(name);
        }
        match &graph.nodes[id] {
            Node::Array(item) => self.container("array", "items", *item),
            Node::Map(value) => self.container("map", "values", *value),
            Node::Union(branches) => {
                self.list('[', branches, ']', |writer, branch| writer.node(*branch));
            }
            Node::Record(record) => {
                self.open(id, name, "record");
                self.out.push_str(",\"fields\":");
                self.list('[', &record.fields, ']', |writer, field| {
                    writer.out.push_str("{\"name\":");
                    writer.quoted(&field.name);
                    writer.out.push_str(",\"type\":");
                    writer.node(field.node);
                    writer.out.push('}');
                });
                self.out.push('}');
            }
            Node::Enum(symbols) => {
                self.open(id, name, "enum");
                self.out.push_str(",\"symbols\":");
                self.list('[', &symbols.symbols, ']', |writer, symbol| {
                    writer.quoted(symbol);
                });
                self.out.push('}');
            }
            Node::Fixed(fixed) => {
                self.open(id, name, "fixed");
                self.out.push_str(",\"size\":");
                self.out.push_str(&fixed.size.to_string());
                self.out.push('}');
            }
            _ => self.quoted(name),
        }
    }

    fn open(&mut self, id: NodeId, name: &str, kind: &str) {
        self.defined[id] = true;
        self.out.push_str("{\"name\":");
        self.quoted(name);
        self.out.push_str(",\"type\":");
        self.quoted(kind);
    }

    fn container(&mut self, kind: &str, key: &str, item: NodeId) {
        self.out.push_str("{\"type\":");
        self.quoted(kind);
        self.out.push(',');
        self.quoted(key);
        self.out.push(':');
        self.node(item);
        self.out.push('}');
    }

    fn list<T>(&mut self, open: char, items: &[T], close: char, each: impl Fn(&mut Self, &T)) {
        self.out.push(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            each(self, item);
        }
        self.out.push(close);
    }

    // A writer's names may contain characters that need escaping.
    fn quoted(&mut self, text: &str) {
        self.out
            .push_str(&serde_json::Value::from(text).to_string());
    }
}

/// CRC-64-AVRO, little-endian as in the header of the single-object encoding.
pub(super) fn fingerprint(canonical: &str) -> [u8; 8] {
    let mut crc = EMPTY;
    for byte in canonical.bytes() {
        crc = (crc >> 8) ^ TABLE[usize::from((crc as u8) ^ byte)];
    }
    crc.to_le_bytes()
}

/// The fingerprint of the empty text, from the specification.
const EMPTY: u64 = 0xc15d_213a_a4d7_a795;

const TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u64;
        let mut bit = 0;
        while bit < 8 {
            value = (value >> 1) ^ (EMPTY & (value & 1).wrapping_neg());
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};
