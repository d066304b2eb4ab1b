//! The pages in headless Chromium. `make e2e` runs these tests. With `SCREENSHOTS=DIRECTORY` the pictures are kept there.

use std::path::{Path, PathBuf};

use super::*;

/// 0: the reader prefers dark colours; 1: light ones (`blink::mojom::PreferredColorScheme`).
const SCHEMES: [(&str, u8); 2] = [("dark", 0), ("light", 1)];

struct Browser {
    folder: tempfile::TempDir,
}

/// What a browser made of a page.
struct View {
    /// The document after it was loaded.
    dom: String,
    /// Messages to the console: errors of a page, and everything that its content security policy has blocked.
    console: Vec<String>,
}

impl Browser {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn view(&self, url: &str, width: u32, scheme: u8, screenshot: Option<&Path>) -> View {
        let profile = self.folder.path().join("profile");
        let mut command = Command::new("chromium");
        command
            .args(
                "--headless --no-sandbox --disable-gpu --hide-scrollbars --enable-logging=stderr"
                    .split(' '),
            )
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
            .arg(format!("--window-size={width},2400"));
        match screenshot {
            Some(file) => command.arg(format!("--screenshot={}", file.display())),
            None => command.arg("--dump-dom"),
        };
        let output = command
            .arg(url)
            .output()
            .expect("chromium (apt-get install chromium)");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
        View {
            dom: String::from_utf8_lossy(&output.stdout).into_owned(),
            console: log
                .lines()
                .filter(|line| line.contains(":CONSOLE:"))
                .map(str::to_owned)
                .collect(),
        }
    }

    /// The width that the document needs in a window of this width.
    fn needed_width(&self, html: &str, width: u32) -> u32 {
        let html = html.replace('&', "&amp;").replace('"', "&quot;");
        let frame = format!(
            "<!DOCTYPE html><iframe width=\"{width}\" height=\"800\" srcdoc=\"{html}\"></iframe>\
             <script>onload = () => document.title = 'needs ' + document.querySelector('iframe').contentDocument.documentElement.scrollWidth + '.'</script>"
        );
        let file = self.folder.path().join("frame.html");
        std::fs::write(&file, frame).unwrap();
        let view = self.view(&format!("file://{}", file.display()), 1200, 1, None);
        let title = view.dom.split("<title>needs ").nth(1).expect("a title");
        title.split('.').next().unwrap().parse().unwrap()
    }
}

/// Where the picture of a page is written.
fn picture(browser: &Browser, name: &str) -> PathBuf {
    let folder = std::env::var_os("SCREENSHOTS")
        .map_or_else(|| browser.folder.path().to_owned(), PathBuf::from);
    folder.join(format!("{name}.png"))
}

#[test]
#[ignore = "needs chromium"]
fn the_browser_reports_errors_and_width() {
    let browser = Browser::new();
    let file = browser.folder.path().join("wrong.html");
    let html = "<!DOCTYPE html><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">\
                <img src=\"http://127.0.0.1:1/x.png\"><div style=\"width:500px\">x</div>";
    std::fs::write(&file, html).unwrap();
    let view = browser.view(&format!("file://{}", file.display()), 390, 1, None);
    assert_eq!(view.console.len(), 2, "{:?}", view.console);
    assert!(browser.needed_width("<!DOCTYPE html><div style=\"width:500px\">x</div>", 390) > 500);
    assert_eq!(browser.needed_width("<!DOCTYPE html><p>x", 390), 390);
}

#[test]
#[ignore = "needs chromium"]
fn the_pages_have_no_error_and_fit_a_phone_in_both_schemes() {
    let browser = Browser::new();
    let is_down = Arc::new(AtomicBool::new(false));
    let down = Arc::clone(&is_down);
    // The datum with the shortest name has 15 bytes.
    let a = Endpoint::start(move |request| match request.body.len() % 3 {
        0 => Answer::status(422).body("no such customer <script>alert(1)</script>"),
        _ if down.load(Ordering::Relaxed) => Answer::status(503).header("retry-after", "900"),
        _ => Answer::ok(),
    });
    let slow = Answer::ok().after(Duration::from_millis(400));
    let stage = Stage::new(a.unwrap(), Endpoint::always(slow).unwrap());
    let settings = [
        ("DEAD_LETTER_MIN_COUNT", "100000"),
        ("MAX_IN_FLIGHT", "8"),
        ("BACKOFF_MAX", "100ms"),
    ];
    let job = Job::start(&stage, "500ms", &settings);
    let write = |a: usize, b: usize| {
        let names = ["Paul", "Paula", "Paulo"];
        let mut data: Vec<_> = (0..a).map(|n| user(1010, names[n % 3])).collect();
        data.extend((0..b).map(|n| user(1020, names[n % 3])));
        stage.write(&data);
    };
    for round in 0..8 {
        is_down.store(round % 4 == 3, Ordering::Relaxed);
        write(300 + 200 * (round % 3), 8);
        job.next_report();
    }
    write(500, 400);
    job.page_with(|page| page.contains("<progress"));
    let running = job.get("/?refresh=off").body;
    look(&browser, &job, "running", "/?refresh=off");
    assert!(browser.needed_width(&running, 390) <= 390);

    let report: Value = serde_json::from_str(&job.next_report()).unwrap();
    let target = format!(
        "/report?run={}&output=html",
        report["run"].as_str().unwrap()
    );
    let html = job.get(&target).body;
    look(&browser, &job, "report", &target);
    assert!(browser.needed_width(&html, 390) <= 390);

    job.terminate();
    let job = Job::start(&stage, "1h", &settings);
    job.page_with(|page| page.contains("Waiting."));
    let waiting = job.get("/?refresh=off").body;
    look(&browser, &job, "waiting", "/?refresh=off");
    assert!(browser.needed_width(&waiting, 390) <= 390);

    let view = browser.view(&format!("http://{}/", job.address), 390, 1, None);
    assert!(view.console.is_empty(), "{:?}", view.console);
    assert!(
        view.dom.contains("<h1>Delivery of FrontDoorTopic</h1>") && !view.dom.contains("<script"),
        "{}",
        view.dom
    );
}

/// Opens a page in each scheme and in two widths. It must cause no message to the console.
fn look(browser: &Browser, job: &Job, name: &str, target: &str) {
    for ((scheme, number), width) in SCHEMES
        .into_iter()
        .flat_map(|scheme| [(scheme, 390), (scheme, 1200)])
    {
        let file = picture(browser, &format!("{name}-{scheme}-{width}"));
        let url = format!("http://{}{target}", job.address);
        let view = browser.view(&url, width, number, Some(&file));
        assert!(view.console.is_empty(), "{name}: {:?}", view.console);
        assert!(
            std::fs::metadata(&file).unwrap().len() > 10_000,
            "{}",
            file.display()
        );
    }
}
