//! Tables of settings in Markdown.

use std::fmt::Write;

use crate::Group;

/// A table of settings for each group, under the group's heading.
pub fn tables(groups: &[&Group]) -> String {
    let mut text = String::new();
    for group in groups {
        let _ = writeln!(
            text,
            "### {}\n\n| Setting | Default | Meaning |\n|---|---|---|",
            group.heading
        );
        for setting in group.settings {
            let default = match setting.default {
                Some(default) => format!("`{default}`"),
                None => String::new(),
            };
            let note = if setting.secret { " Secret." } else { "" };
            let _ = writeln!(
                text,
                "| `{}` | {} | {}{note} |",
                setting.variable(),
                cell(&default),
                cell(setting.help)
            );
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::GROUPS;

    #[test]
    fn a_table_has_one_row_for_each_setting() {
        let table = tables(&GROUPS);
        for setting in GROUPS.iter().flat_map(|group| group.settings) {
            let row = format!("| `{}` |", setting.variable());
            assert_eq!(table.matches(&row).count(), 1, "{}", setting.name);
        }
        assert!(table.contains("| `KAFKA_TOPIC` | `FrontDoorTopic` | The topic."));
    }
}
