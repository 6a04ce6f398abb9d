//! One line on a terminal while a run goes on; nothing where standard error is no terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::Setting;

const EVERY: Duration = Duration::from_millis(500);

/// Draws until `done` is, and gives what it gives.
pub(super) async fn show<T>(
    what: String,
    setting: Setting,
    finished: Arc<AtomicU64>,
    done: impl Future<Output = T>,
) -> T {
    let length = (setting.warm_up + setting.measured).as_secs();
    let bar = ProgressBar::new(length).with_style(style());
    bar.set_prefix(what);
    let drawing = async {
        let mut tick = tokio::time::interval(EVERY);
        let mut before = 0;
        loop {
            tick.tick().await;
            let now = finished.load(Ordering::Relaxed);
            bar.set_position(bar.elapsed().as_secs().min(length));
            // The tick is half a second.
            bar.set_message(format!("{} orders/s", (now - before) * 2));
            before = now;
        }
    };
    let done = tokio::select! {
        done = done => done,
        () = drawing => unreachable!("the drawing has no end of its own"),
    };
    bar.finish_and_clear();
    done
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} [{bar:24}] {pos}/{len} s {msg}")
        .expect("the template is constant")
        .progress_chars("=> ")
}
