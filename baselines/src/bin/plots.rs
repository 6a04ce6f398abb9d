//! Draws what `onhand bench --growth` measured: one SVG a series, with orders a
//! second, latencies and memory.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use plotters::coord::combinators::IntoLogRange as _;
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

fn chart(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    series: &Series,
    curves: &[Curve],
) -> Result<()> {
    // Nothing has no place on an axis that multiplies.
    let x = |point: &Point| point.x.max(1.0);
    let values = curves
        .iter()
        .flat_map(|(.., of)| series.points.iter().map(of));
    let top = values.fold(0.0, f64::max) * 1.1;
    let last = series.points.iter().map(x).fold(10.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d((1.0..last).log_scale(), 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc(&series.grows)
        .light_line_style(WHITE)
        .draw()?;
    for (name, color, of) in curves {
        let points: Vec<_> = series.points.iter().map(|p| (x(p), of(p))).collect();
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
        .position(SeriesLabelPosition::LowerRight)
        .border_style(BLACK.mix(0.3))
        .background_style(WHITE)
        .draw()?;
    Ok(())
}
