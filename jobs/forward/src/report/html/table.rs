//! A table in a section that a narrow screen scrolls, also by keyboard.

use std::fmt::Write;

use html_page::escape;

/// The content of a table. Names and cells are markup: text of others is escaped already.
pub(crate) struct HtmlTable<'t> {
    /// The heading.
    pub(crate) title: &'t str,
    /// What the table shows, in a sentence; empty: nothing but the heading.
    pub(crate) caption: &'t str,
    /// The names of the columns.
    pub(crate) head: Vec<Column<'t>>,
    /// The cells of each row. The first one is the row's header.
    pub(crate) rows: Vec<Vec<String>>,
    /// What follows the table, one paragraph each.
    pub(crate) remarks: &'t [String],
}

/// The head of a column.
#[derive(Clone, Copy)]
pub(crate) struct Column<'t> {
    pub(crate) name: &'t str,
    /// Its cells are numbers, which are right-aligned.
    pub(crate) is_number: bool,
}

/// A section with the table; empty without rows and remarks.
pub(crate) fn table(content: &HtmlTable<'_>) -> String {
    let HtmlTable {
        title,
        caption,
        head,
        rows,
        remarks,
    } = content;
    if rows.is_empty() && remarks.is_empty() {
        return String::new();
    }
    let class = |column: usize| match head.get(column) {
        Some(column) if !column.is_number => "",
        _ => " class=\"number\"",
    };
    let mut html = format!("<section>\n<h2>{title}</h2>\n");
    if !rows.is_empty() {
        let _ = write!(
            html,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: {title}\">\n<table>\n"
        );
        if !caption.is_empty() {
            let _ = writeln!(html, "<caption><span>{caption}</span></caption>");
        }
        html.push_str("<thead><tr>");
        for (column, Column { name, .. }) in head.iter().enumerate() {
            let _ = write!(html, "<th scope=\"col\"{}>{name}</th>", class(column));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for row in rows {
            html.push_str("<tr>");
            for (column, cell) in row.iter().enumerate() {
                let _ = match column {
                    0 => write!(html, "<th scope=\"row\"{}>{cell}</th>", class(column)),
                    _ => write!(html, "<td{}>{cell}</td>", class(column)),
                };
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody>\n</table>\n</div>\n");
    }
    for remark in *remarks {
        let _ = writeln!(html, "<p>{}</p>", escape(remark));
    }
    html + "</section>\n"
}
