//! A schema's canonical form, and the fingerprint of it.
//!
//! The schema crate's own canonical form keeps `precision`, `scale` and `order`, and writes a type with a logical
//! type as an object; Java does not, and the fingerprint in a single-object header would then be nobody else's.
//!
//! Source: Avro specification 1.12, "Parsing Canonical Form for Schemas" and "Schema Fingerprints".

use super::tree::{Id, Node, Tree};

/// The canonical form: two schemas with the same one read and write the same bytes.
pub(super) fn form(tree: &Tree) -> String {
    let mut writer = Writer {
        tree,
        defined: vec![false; tree.nodes.len()],
        out: String::new(),
    };
    writer.node(tree.root);
    writer.out
}

struct Writer<'t> {
    tree: &'t Tree,
    defined: Vec<bool>,
    out: String,
}

impl Writer<'_> {
    // As deep as definitions are nested in the text: a type met again is only named.
    fn node(&mut self, id: Id) {
        let tree = self.tree;
        let name = tree.name(id);
        if self.defined[id] {
            return self.quoted(name);
        }
        match &tree.nodes[id] {
            Node::Array(item) => self.holder("array", "items", *item),
            Node::Map(value) => self.holder("map", "values", *value),
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

    fn open(&mut self, id: Id, name: &str, kind: &str) {
        self.defined[id] = true;
        self.out.push_str("{\"name\":");
        self.quoted(name);
        self.out.push_str(",\"type\":");
        self.quoted(kind);
    }

    fn holder(&mut self, kind: &str, key: &str, item: Id) {
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

    // Names are letters, digits, `_` and `.`: the schema parser refuses others, so there is nothing to escape.
    fn quoted(&mut self, text: &str) {
        self.out.push('"');
        self.out.push_str(text);
        self.out.push('"');
    }
}

/// CRC-64-AVRO, little-endian as in a single-object header.
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
