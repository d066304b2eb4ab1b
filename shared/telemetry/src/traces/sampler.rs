//! Which traces are recorded.

use opentelemetry_sdk::trace::Sampler;

use crate::exporter::{Variables, ignored};

/// The sampler of `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`; by default, the caller decides, and traces that begin
/// here are recorded.
pub(super) fn sampler(variables: &Variables) -> Sampler {
    #[derive(Clone, Copy)]
    enum Root {
        On,
        Off,
        Ratio,
    }
    let choices = [
        ("parentbased_always_on", (true, Root::On)),
        ("parentbased_always_off", (true, Root::Off)),
        ("parentbased_traceidratio", (true, Root::Ratio)),
        ("always_on", (false, Root::On)),
        ("always_off", (false, Root::Off)),
        ("traceidratio", (false, Root::Ratio)),
    ];
    let choice = variables.choice("traces_sampler", &choices);
    let (is_parent_based, root) = choice.unwrap_or((true, Root::On));
    let root = match root {
        Root::On => Sampler::AlwaysOn,
        Root::Off => Sampler::AlwaysOff,
        Root::Ratio => Sampler::TraceIdRatioBased(ratio(variables)),
    };
    match is_parent_based {
        true => Sampler::ParentBased(Box::new(root)),
        false => root,
    }
}

fn ratio(variables: &Variables) -> f64 {
    let Some(text) = variables.text("traces_sampler_arg") else {
        return 1.0;
    };
    let ratio = text.parse().ok();
    let ratio = ratio.filter(|ratio: &f64| (0.0..=1.0).contains(ratio));
    ratio.unwrap_or_else(|| {
        ignored("traces_sampler_arg", text, "a number from 0 to 1");
        1.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exporter::variables_of;

    #[test]
    fn the_caller_decides_unless_the_variables_say_otherwise() {
        let sampler = |values: &[(&str, &str)]| format!("{:?}", sampler(&variables_of(values)));
        let name = |name| ("traces_sampler", name);
        let arg = |arg| ("traces_sampler_arg", arg);
        assert_eq!(sampler(&[]), "ParentBased(AlwaysOn)");
        assert_eq!(sampler(&[name("jaeger_remote")]), "ParentBased(AlwaysOn)");
        assert_eq!(sampler(&[name("always_off")]), "AlwaysOff");
        let ratio = name("parentbased_traceidratio");
        let quarter = "ParentBased(TraceIdRatioBased(0.25))";
        assert_eq!(sampler(&[ratio, arg("0.25")]), quarter);
        for invalid in ["", "2", "NaN", "x"] {
            let all = "TraceIdRatioBased(1.0)";
            assert_eq!(sampler(&[name("traceidratio"), arg(invalid)]), all);
        }
    }
}
