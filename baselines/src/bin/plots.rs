//! Draws what `onhand bench --growth` measured: one SVG a series, with orders a
//! second, latencies and memory.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use plotters::coord::Shift;
use plotters::coord::combinators::IntoLogRange as _;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use serde::Deserialize;

/// Draws what was measured as things grow
#[derive(Debug, Parser)]
struct Args {
    /// What was measured
    #[arg(default_value = "target/bench/growth.json")]
    measured: PathBuf,
    /// The folder to draw into
    #[arg(default_value = "docs/plots")]
    folder: PathBuf,
}

#[derive(Deserialize)]
struct Growth {
    series: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    name: String,
    grows: String,
    points: Vec<Point>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    x: f64,
    orders_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    resident_mib: f64,
}

/// One curve of a picture.
type Curve = (&'static str, RGBColor, fn(&Point) -> f64);

const SIZE: (u32, u32) = (1_200, 320);
const RATE: &[Curve] = &[("orders/s", BLUE, |point| point.orders_per_second)];
const LATENCY: &[Curve] = &[
    ("p50 ms", GREEN, |point| point.p50_ms),
    ("p99 ms", RED, |point| point.p99_ms),
];
const MEMORY: &[Curve] = &[("MiB of nodes and broker", MAGENTA, |point| {
    point.resident_mib
})];
/// About so many numbers stand at an axis, or they run into each other.
const X_LABELS: usize = 5;
const CHARTS: [&[Curve]; 3] = [RATE, LATENCY, MEMORY];

fn main() -> Result<()> {
    let args = Args::parse();
    let text = std::fs::read_to_string(&args.measured).with_context(|| {
        format!(
            "{} is not there: make growth measures it",
            args.measured.display()
        )
    })?;
    let growth: Growth = serde_json::from_str(&text)?;
    std::fs::create_dir_all(&args.folder)?;
    for series in &growth.series {
        let file = args.folder.join(format!("{}.svg", series.name));
        draw(series, &file).map_err(|fault| anyhow::anyhow!("{}: {fault}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}

/// Rates, latencies and memory beside one another, over one axis from small to large.
fn draw(series: &Series, file: &Path) -> Result<()> {
    ensure!(!series.points.is_empty(), "there is nothing to draw");
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let parts = area.split_evenly((1, CHARTS.len()));
    for (part, curves) in parts.iter().zip(CHARTS) {
        chart(part, series, curves)?;
    }
    area.present()?;
    Ok(())
}

/// A number as an axis shows it: 50, 8k, 2M.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the drawing library asks so"
)]
fn short(number: &f64) -> String {
    match *number {
        n if n >= 1e6 => format!("{}M", n / 1e6),
        n if n >= 1e3 => format!("{}k", n / 1e3),
        n => n.to_string(),
    }
}

fn chart(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    series: &Series,
    curves: &[Curve],
) -> Result<()> {
    let values = curves
        .iter()
        .flat_map(|(.., of)| series.points.iter().map(of));
    let top = values.fold(0.0, f64::max) * 1.3;
    let x = || series.points.iter().map(|point| point.x);
    let (first, last) = (x().fold(f64::MAX, f64::min), x().fold(10.0, f64::max));
    let mut builder = ChartBuilder::on(area);
    builder
        .margin(12)
        .margin_right(28)
        .x_label_area_size(36)
        .y_label_area_size(56);
    // Nothing has no place on an axis that multiplies.
    if first > 0.0 {
        let axis = (first..last).log_scale();
        fill(builder.build_cartesian_2d(axis, 0.0..top)?, series, curves)
    } else {
        let axis = first..last;
        fill(builder.build_cartesian_2d(axis, 0.0..top)?, series, curves)
    }
}

/// Draws the curves, over an axis of either kind.
fn fill<'a, X>(
    mut chart: ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, RangedCoordf64>>,
    series: &Series,
    curves: &[Curve],
) -> Result<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_desc(&series.grows)
        .x_labels(X_LABELS)
        .x_label_formatter(&short)
        .y_label_formatter(&short)
        .light_line_style(WHITE)
        .draw()?;
    for (name, color, of) in curves {
        let points: Vec<_> = series.points.iter().map(|p| (p.x, of(p))).collect();
        let color = *color;
        chart
            .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
        chart.draw_series(
            points
                .into_iter()
                .map(|at| Circle::new(at, 3, color.filled())),
        )?;
    }
    chart
        .configure_series_labels()
        .position(if curves.len() > 1 {
            SeriesLabelPosition::UpperLeft
        } else {
            SeriesLabelPosition::LowerRight
        })
        .border_style(BLACK.mix(0.3))
        .background_style(WHITE)
        .draw()?;
    Ok(())
}
