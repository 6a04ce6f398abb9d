//! How settings and numbers are written for people.

use std::fmt::Write as _;

use super::args::{Setting, Store};

/// What is measured, in so far as it is not as usual.
pub(super) fn name(setting: Setting) -> String {
    let (plan, usual) = (setting.plan, setting.scenario.plan());
    let mut name = plan.name.to_owned();
    if plan.goods != usual.goods {
        let _ = write!(name, ", {} products", plan.goods);
    }
    if plan.lines != usual.lines {
        let _ = write!(name, ", {} lines", plan.lines);
    }
    if setting.ground.store == Store::Postgres {
        name += " on Postgres";
    }
    if setting.ground.processes > 1 {
        let _ = write!(name, ", {} processes", setting.ground.processes);
    }
    if setting.ground.slow_disk_ms > 0 {
        let _ = write!(name, ", fsync {} ms slower", setting.ground.slow_disk_ms);
    }
    name
}

/// A number without its fraction, in groups of three digits.
pub(super) fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let grouped = [0.0, 999.4, 1_000.0, 12_345.6, 1_234_567.0].map(whole);
        assert_eq!(grouped, ["0", "999", "1,000", "12,346", "1,234,567"]);
    }
}
