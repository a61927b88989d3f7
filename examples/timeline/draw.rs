//! The picture: time goes down, what is in the cluster and on the server is on the
//! left, what the XR says of itself on the right.
//!
//! Its colors follow the reader's light or dark mode, also where a page shows the
//! file as an image.

use std::fmt::Write as _;

use serde_json::Value;

const WIDTH: usize = 960;
/// Where the two columns begin.
const COLUMNS: [usize; 2] = [108, 550];
const HEADINGS: [&str; 2] = ["in the cluster, on the server", "what the XR says"];
const ROW: usize = 26;
/// Where the first row is.
const TOP: usize = 104;

const AVAILABLE: &str = "the instance's Deployment becomes available";
const READY: &str = "Ready is True (Available)";

const STYLE: &str = "    .page { fill: #ffffff; stroke: #d0d7de; }
    .text { fill: #1f2328; }
    .faint { fill: #59636e; }
    .line { stroke: #d0d7de; }
    .wait { fill: #9a6700; }
    .done { fill: #1a7f37; }
    text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
    .title { font: 600 17px system-ui, -apple-system, 'Segoe UI', sans-serif; }
    .heading { font: 600 12px system-ui, -apple-system, 'Segoe UI', sans-serif; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #3d444d; }
      .text { fill: #f0f6fc; }
      .faint { fill: #9198a1; }
      .line { stroke: #3d444d; }
      .wait { fill: #d29922; }
      .done { fill: #3fb950; }
    }";

/// Draws what the quickstart printed with `--json`; `None` where that is
/// something else, or a run in which the XR did not become ready.
pub(crate) fn draw(run: &Value) -> Option<String> {
    let moments = moments(run)?;
    let at =
        |what: &str| moments.iter().find(|moment| moment.events.concat().contains(&what)).map(|it| it.at);
    let took = at(READY)?.checked_sub(at(AVAILABLE)?)?;
    let title = format!("{took} ms after the instance is available, the XR is ready with a token that works");
    let rows: usize = moments.iter().map(Moment::rows).sum();
    let height = TOP + rows * ROW + 6;
    let mut svg = String::new();
    let mut line = |text: String| {
        svg += &text;
        svg.push('\n');
    };
    line(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">"#
    ));
    line(format!("  <style>\n{STYLE}\n  </style>"));
    line(format!(
        r#"  <rect class="page" x="0.5" y="0.5" width="{}" height="{}" rx="8"/>"#,
        WIDTH - 1,
        height - 1
    ));
    line(text("text title", 24, 38, &title));
    for (x, heading) in COLUMNS.into_iter().zip(HEADINGS) {
        line(text("faint heading", x, TOP - 32, heading));
    }
    let mut y = TOP;
    for moment in &moments {
        line(format!(r#"  <line class="line" x1="24" y1="{0}" x2="{1}" y2="{0}"/>"#, y - 18, WIDTH - 24));
        line(text("faint", 24, y, &format!("{:>4} ms", moment.at)));
        for (x, events) in COLUMNS.into_iter().zip(&moment.events) {
            for (row, event) in events.iter().enumerate() {
                let y = y + row * ROW;
                line(format!(r#"  <circle class="{}" cx="{}" cy="{}" r="4"/>"#, class(event), x - 14, y - 4));
                line(text("text", x, y, event));
            }
        }
        y += moment.rows() * ROW;
    }
    line("</svg>".to_owned());
    Some(svg)
}

/// What happened in one millisecond.
struct Moment<'a> {
    at: u64,
    /// By column.
    events: [Vec<&'a str>; 2],
}

impl Moment<'_> {
    fn rows(&self) -> usize {
        self.events.iter().map(Vec::len).max().unwrap_or_default()
    }
}

/// Without who plays, and without the events, which say again what the
/// conditions do.
fn moments(run: &Value) -> Option<Vec<Moment<'_>>> {
    let mut moments: Vec<Moment<'_>> = Vec::new();
    for line in run.get("timeline")?.as_array()? {
        let (at, event) = (line.get("atMilliseconds")?.as_u64()?, line.get("event")?.as_str()?);
        if event.starts_with("function at ") || event.starts_with("event ") {
            continue;
        }
        if moments.last().is_none_or(|moment| moment.at != at) {
            moments.push(Moment { at, events: [Vec::new(), Vec::new()] });
        }
        let [objects, conditions] = &mut moments.last_mut()?.events;
        if is_condition(event) { conditions.push(event) } else { objects.push(event) }
    }
    Some(moments)
}

fn is_condition(event: &str) -> bool {
    [" is True (", " is False (", " is Unknown ("].iter().any(|status| event.contains(status))
}

/// What is awaited stands out from what is reached.
fn class(event: &str) -> &'static str {
    match event {
        _ if event.contains(" is False (") || event.contains(" is Unknown (") => "wait",
        _ if is_condition(event) || event.starts_with("the server accepts") => "done",
        _ => "faint",
    }
}

fn text(class: &str, x: usize, y: usize, content: &str) -> String {
    let mut text = format!(r#"  <text class="{class}" x="{x}" y="{y}" xml:space="preserve">"#);
    for character in content.chars() {
        match character {
            '&' => text += "&amp;",
            '<' => text += "&lt;",
            other => {
                let _ = text.write_char(other);
            }
        }
    }
    text + "</text>"
}
