//! The plots of a report, each an SVG picture as text. Pure. Used by `page`.

use std::error::Error;
use std::ops::Range;

use plotters::prelude::*;

use super::report::{Point, Report};
use super::table::{grouped, whole};
use super::tally::float;

/// Width and height of a plot.
const SIZE: (u32, u32) = (480, 270);
const BLUE_LINE: RGBColor = RGBColor(37, 99, 235);
const RED_LINE: RGBColor = RGBColor(220, 38, 38);
const GREY_LINE: RGBColor = RGBColor(148, 163, 184);
const INK: RGBColor = RGBColor(71, 85, 105);
const GRID: RGBColor = RGBColor(226, 232, 240);

/// Marks of the percentile axis, by how many nines they have.
const NINES: &[&str] = &["0", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"];

type Drawn = Result<(), Box<dyn Error>>;

/// A line of a plot.
struct Line {
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

/// A picture, or nothing where nothing was measured.
fn picture(
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn,
) -> String {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        // A plot that can't be drawn is left out: the figures stand in the table.
        if draw(&area).and_then(|()| Ok(area.present()?)).is_err() {
            return String::new();
        }
    }
    // The page sets its width.
    svg.replacen("<svg width=\"480\" height=\"270\"", "<svg role=\"img\"", 1)
}

/// From due to delivered, by percentile.
#[must_use]
pub fn by_percentile(report: &Report) -> String {
    let nines = |percent: f64| -(1.0 - percent / 100.0).log10();
    let below_all = report.curve.iter().filter(|(percent, _)| *percent < 100.0);
    let mut points: Vec<(f64, f64)> =
        below_all.map(|(percent, ms)| (nines(*percent), ms.max(1e-3))).collect();
    if let (Some(last), Some((_, max))) = (points.last().copied(), report.curve.last()) {
        points.push((last.0 + 0.1, max.max(1e-3)));
    }
    let end = points.last().map_or(1.0, |(x, _)| x.max(1.0));
    let lines = [Line { color: BLUE_LINE, points }];
    let name = |x: &f64| NINES.get(index(*x)).map_or_else(String::new, ToString::to_string);
    picture(|area| latencies(area, &lines, 0.0..end, "percentile", &name, index(end) + 1))
}

/// From due to delivered, over the run.
#[must_use]
pub fn over_time(report: &Report) -> String {
    let of = |of: fn(&Point) -> f64| {
        let heard = report.over_time.iter().filter(|point| point.max > 0.0);
        heard.map(|point| (point.at_s, of(point).max(1e-3))).collect::<Vec<_>>()
    };
    let lines = [
        Line { color: GREY_LINE, points: of(|point| point.max) },
        Line { color: RED_LINE, points: of(|point| point.p99) },
        Line { color: BLUE_LINE, points: of(|point| point.p50) },
    ];
    let name = |x: &f64| format!("{x:.0} s");
    picture(|area| latencies(area, &lines, 0.0..end_s(report), "", &name, 8))
}

/// Deliveries a second, over the run.
#[must_use]
pub fn rate(report: &Report) -> String {
    let points = report.over_time.iter().map(|point| (point.at_s, point.deliveries_per_s));
    filled(report, points.collect(), BLUE_LINE)
}

/// Sockets that are in their rooms, over the run.
#[must_use]
pub fn sessions(report: &Report) -> String {
    let points = report.over_time.iter().map(|point| (point.at_s, float(point.sessions)));
    filled(report, points.collect(), RGBColor(13, 148, 136))
}

fn end_s(report: &Report) -> f64 {
    report.over_time.last().map_or(1.0, |point| point.at_s)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
fn index(x: f64) -> usize {
    x.round() as usize
}

/// Lines of times on a logarithmic scale.
fn latencies(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    lines: &[Line],
    x: Range<f64>,
    x_name: &str,
    mark: &dyn Fn(&f64) -> String,
    marks: usize,
) -> Drawn {
    let all = || lines.iter().flat_map(|line| &line.points).map(|(_, y)| *y);
    let (low, high) = (all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
    if high <= 0.0 {
        return Err("nothing to draw".into());
    }
    let y = decade(low).min(high / 10.0)..high * 1.3;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(if x_name.is_empty() { 28 } else { 42 })
        .y_label_area_size(64)
        .build_cartesian_2d(x, y.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .x_labels(marks)
        .x_desc(x_name)
        .x_label_formatter(mark)
        .y_label_formatter(&|ms| milliseconds(*ms))
        .draw()?;
    for line in lines {
        let color = line.color;
        let series = LineSeries::new(line.points.iter().copied(), color.stroke_width(2));
        chart.draw_series(series)?;
    }
    Ok(())
}

/// The power of ten at or below.
fn decade(number: f64) -> f64 {
    10_f64.powf(number.max(1e-3).log10().floor())
}

fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms >= 999.0 => format!("{:.0} s", ms / 1e3),
        ms if ms >= 0.99 => format!("{ms:.0} ms"),
        ms => format!("{:.0} µs", ms * 1e3),
    }
}

/// One line from zero up, filled.
fn filled(report: &Report, points: Vec<(f64, f64)>, color: RGBColor) -> String {
    let high = points.iter().map(|(_, y)| *y).fold(0.0, f64::max);
    picture(|area| {
        if high <= 0.0 {
            return Err("nothing to draw".into());
        }
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(28)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..end_s(report), 0.0..high * 1.1)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(("sans-serif", 13).into_font().color(&INK))
            .x_labels(8)
            .y_labels(6)
            .x_label_formatter(&|x| format!("{x:.0} s"))
            .y_label_formatter(&|y| grouped(whole(*y)))
            .draw()?;
        let series = AreaSeries::new(points, 0.0, color.mix(0.15));
        chart.draw_series(series.border_style(color.stroke_width(2)))?;
        Ok(())
    })
}
